"""How well parts of a network agree with the whole, and the areas of MIB.

After Mueller and others, 'MIB: A Mechanistic Interpretability Benchmark' (2025), and its program:
faithfulness is (m(parts) - m(nothing)) / (m(whole) - m(nothing)) for a score m of the output; CPR
is the area under it over the share of edges, from .1% to 100%, by trapezoids; CMD that between it
and 1. The score here is what the network's own answer exceeds its runner-up by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from circuitkb.schema.errors import TrialError
from circuitkb.schema.kernels import Floats

SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of edges at which a curve is measured, as in MIB."""


@dataclass(frozen=True)
class Agreement:
    """How parts of a network agree with the whole.

    Attributes
    ----------
    edges
        Chosen.
    joined
        Those of them on a path from the input to the output.
    faithfulness
        Share of the lead of the network's own answer that the parts give, above what nothing gives.
    top1
        Share of the images to which they answer as the whole does.
    kl
        Mean divergence of their answers from the whole's, in nats.
    correlation
        Of what outputs give above their means, over all images; None where the parts answer the
        same to all.
    """

    edges: int
    joined: int
    faithfulness: float
    top1: float
    kl: float
    correlation: float | None


def goals(outputs: Floats) -> Floats:
    """Return weights of outputs whose sum is the lead of the answer, axes (image, output).

    A network of one output has its own value in the place of a lead, above or below the mean.

    Examples
    --------
    >>> goals(np.array([[3, 1, 2], [0, 5, 4]], np.float32)).tolist()
    [[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]]
    """
    found = np.zeros_like(outputs, np.float32)
    rows = np.arange(len(outputs))
    if outputs.shape[1] == 1:
        found[:, 0] = np.where(outputs[:, 0] >= outputs.mean(), 1, -1)
        return found
    last, first = np.argsort(outputs, axis=1, kind="stable")[:, -2:].T
    found[rows, first], found[rows, last] = 1, -1
    return found


@dataclass(frozen=True, eq=False)
class Whole:
    """What the whole network and nothing of it answer; compares parts with both.

    Attributes
    ----------
    outputs, nothing
        Axes (image, output), before a softmax.

    Raises
    ------
    TrialError
        The network's answers lead no more than its mean's do.

    Examples
    --------
    >>> outputs = np.array([[4, 0], [0, 4]], np.float32)
    >>> whole = Whole(outputs, np.zeros_like(outputs))
    >>> found = whole.compare(outputs / 2, 10, 8)
    >>> found.faithfulness, found.top1, round(found.correlation, 3)
    (0.5, 1.0, 1.0)
    """

    outputs: Floats
    nothing: Floats

    def __post_init__(self) -> None:
        if not self.gap > 1e-6 * float(np.abs(self.outputs).max()):
            raise TrialError(
                "The network answers these images no better than its mean does: there is no answer "
                "whose parts could be looked for. Show other images."
            )

    @property
    def lead(self) -> float:
        """Mean lead of the network's own answers."""
        return self._score(self.outputs)

    @property
    def gap(self) -> float:
        """By how much that is above what nothing gives."""
        return self.lead - self._score(self.nothing)

    def compare(self, outputs: Floats, edges: int, joined: int) -> Agreement:
        """Return how the outputs of parts of the network agree with its own."""
        faithful = (self._score(outputs) - self._score(self.nothing)) / self.gap
        own, theirs = _logs(self.outputs), _logs(outputs)
        kl = float((np.exp(own) * (own - theirs)).sum(axis=1).mean())
        top1 = float((outputs.argmax(axis=1) == self.outputs.argmax(axis=1)).mean())
        return Agreement(edges, joined, faithful, top1, kl, self._correlation(outputs))

    def _score(self, outputs: Floats) -> float:
        return float((goals(self.outputs) * outputs).sum(axis=1, dtype=np.float64).mean())

    def _correlation(self, outputs: Floats) -> float | None:
        own = (self.outputs - self.outputs.mean(axis=0)).ravel().astype(np.float64)
        theirs = (outputs - outputs.mean(axis=0)).ravel().astype(np.float64)
        size = np.sqrt((own**2).sum() * (theirs**2).sum())
        moves = np.abs(theirs).max() > 1e-5 * np.abs(own).max()
        return float(own @ theirs / size) if moves and size else None


def _logs(outputs: Floats) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the logarithms of a softmax."""
    above = outputs.astype(np.float64)
    above -= above.max(axis=1, keepdims=True)
    found: np.ndarray[tuple[int, int], np.dtype[np.float64]] = above - np.log(
        np.exp(above).sum(axis=1, keepdims=True)
    )
    return found


def areas(shares: Sequence[float], faithfulness: Sequence[float]) -> tuple[float, float]:
    """Return CPR and CMD: the areas under a curve, and between it and 1, by trapezoids.

    Examples
    --------
    >>> areas([0.0, 0.5, 1.0], [0.0, 1.0, 1.0])
    (0.75, 0.25)
    """
    x, y = np.array(shares, float), np.array(faithfulness, float)
    width = np.diff(x)
    under = float((width * (y[1:] + y[:-1]) / 2).sum())
    off = np.abs(1 - y)
    return under, float((width * (off[1:] + off[:-1]) / 2).sum())
