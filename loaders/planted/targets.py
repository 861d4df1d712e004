"""Targets of planted networks: which detectors each takes, and with what weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.planted.detectors import DetectorLayer, PlantedDetector

Array = NDArray[np.float64]

TargetKind = Literal["union", "one-sided", "false union", "symmetric", "random"]

_UNRELATED = 0.3
"""Highest correlation of responses between detectors that count as unrelated."""


@dataclass(frozen=True)
class PlantedTarget:
    """What a target was made for.

    Attributes
    ----------
    unit
        Its number in the layer.
    kind
        ``union``: takes detectors and their mirrors. ``one-sided``: takes a detector and others
        that answer alike; the weights of its mirrors are not positive. ``false union``: takes
        detectors and unrelated ones. ``symmetric``: takes symmetric detectors, so that its own
        responses are mirror-symmetric too. ``random``: takes nothing in particular.
    cases
        Numbers of the detectors that it was given large positive weights to, in two sides; the
        second is empty for one-sided and symmetric targets, both for random ones.
    """

    unit: int
    kind: TargetKind
    cases: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def pairs(self) -> frozenset[frozenset[int]]:
        """The pairs of mirrored cases: what a search for unions is to find. Empty for decoys.

        Examples
        --------
        >>> sorted(map(sorted, PlantedTarget(0, "union", ((1, 2), (3,))).pairs))
        [[1, 3], [2, 3]]
        """
        if self.kind != "union":
            return frozenset()
        return frozenset(frozenset(pair) for pair in product(*self.cases))


def make_targets(
    rng: np.random.Generator,
    layer: DetectorLayer,
    kinds: list[TargetKind],
    *,
    cases: int,
    taps: int,
    noise: float,
) -> tuple[tuple[PlantedTarget, ...], Array, Array]:
    """Make targets of the given kinds, in this order.

    Detectors are dealt so that none comes first again before all of its kind did. Every kernel has
    l2 norm 1; planted weights are equal but for noise. Where ``taps`` is 3, planted kernels are
    positive and largest at the centre; those of the second side are mirror images of those of the
    first, and symmetric targets have symmetric ones. The bias makes the mean pre-activation 0 over
    random images.

    Parameters
    ----------
    cases
        Detectors on each side of a union, 1 or 2; other kinds but random take as many in all.
    taps
        Rows and columns of the kernels, 1 or 3.
    noise
        Expected l2 norm of the noise weights of a target, relative to its planted ones.

    Returns
    -------
    targets
        In order of their units.
    kernel
        float64, axes (target, detector, row, column).
    bias
        float64, axis (target).
    """
    dealer = _Dealer(rng, layer, cases)
    targets, kernels = [], []
    for unit, kind in enumerate(kinds):
        target = PlantedTarget(unit, kind, dealer.deal(kind))
        targets.append(target)
        kernels.append(_kernel(rng, layer.detectors, target, taps, noise))
    kernel = np.array(kernels)
    bias: Array = -kernel.sum(axis=(2, 3)) @ layer.responses.mean(axis=0)
    return tuple(targets), kernel, bias


class _Dealer:
    def __init__(self, rng: np.random.Generator, layer: DetectorLayer, cases: int) -> None:
        self._rng = rng
        self._detectors = layer.detectors
        self._cases = cases
        self._alike: Array = np.asarray(np.corrcoef(layer.responses.T))
        self._decks: dict[str, Iterator[PlantedDetector]] = {}

    def deal(self, kind: TargetKind) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if kind == "random":
            return (), ()
        if kind == "symmetric":
            taken: list[int] = []
            while len(taken) < 2 * self._cases:
                unit = self._next("symmetric").unit
                if unit not in taken:
                    taken.append(unit)
            return tuple(taken), ()
        first = self._next("chiral")
        side = self._with_twin(first)
        if kind == "union":
            return side[: self._cases], first.mirrors[: self._cases]
        if kind == "one-sided":
            likest = max(self._others(first), key=lambda unit: self._alike[first.unit, unit])
            likest_side = self._with_twin(self._detectors[likest])
            return (side + likest_side)[: 2 * self._cases], ()
        return side[: self._cases], self._unrelated(first)[: self._cases]

    def _next(self, kind: str) -> PlantedDetector:
        found = next(self._decks.get(kind, iter(())), None)
        if found is None:
            some = [one for one in self._detectors if one.kind == kind]
            deck = (some[place] for place in self._rng.permutation(len(some)).tolist())
            self._decks[kind] = deck
            found = next(deck)
        return found

    def _with_twin(self, one: PlantedDetector) -> tuple[int, ...]:
        return (one.unit,) if one.twin is None else (one.unit, one.twin)

    def _others(self, one: PlantedDetector) -> list[int]:
        family = {*self._with_twin(one), *one.mirrors}
        return [d.unit for d in self._detectors if d.kind == "chiral" and d.unit not in family]

    def _unrelated(self, one: PlantedDetector) -> tuple[int, ...]:
        """A detector and its twin, neither like the one given nor like its mirrors."""
        nearest = self._alike[[*self._with_twin(one), *one.mirrors]].max(axis=0)
        sides = [self._with_twin(self._detectors[unit]) for unit in self._others(one)]
        far = [side for side in sides if nearest[list(side)].max() < _UNRELATED]
        return far[self._rng.integers(len(far))]


def _kernel(
    rng: np.random.Generator,
    detectors: tuple[PlantedDetector, ...],
    target: PlantedTarget,
    taps: int,
    noise: float,
) -> Array:
    one, other = target.cases
    planted = np.zeros((len(detectors), taps, taps))
    shape = rng.uniform(size=(taps, taps)) ** 2
    shape[taps // 2, taps // 2] = 1
    if target.kind == "symmetric":
        shape = (shape + shape[:, ::-1]) / 2
    planted[list(one)] = shape
    planted[list(other)] = shape[:, ::-1]
    white = rng.normal(size=planted.shape)
    if target.kind == "random":
        kernel = white
    else:
        kernel = planted + noise * np.linalg.norm(planted) / np.sqrt(planted.size) * white
    if target.kind == "one-sided":
        mirrors = sorted({mirror for unit in one for mirror in detectors[unit].mirrors})
        kernel[mirrors] = -abs(kernel[mirrors])
    scaled: Array = kernel / np.linalg.norm(kernel)
    return scaled
