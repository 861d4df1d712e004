"""The box that a statement is about: which variables it lies over, and between which numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from circuitkb.proofs.cone import Cone, Part
from circuitkb.proofs.wiring import Values
from circuitkb.schema.errors import ProofError

Kind = Literal["mean", "range", "layers", "pixels", "binary"]

KINDS = {
    "mean": "the features that are named anywhere in the range observed, all other inputs of the "
    "target at their mean",
    "range": "every input of the target by itself anywhere in the range observed",
    "layers N": "the last N layers computed; all that they read by itself anywhere in the range "
    "observed ('layers 1' is range)",
    "pixels": "all images, each pixel by itself anywhere from black to white",
    "binary": "all images of pixels that are black or white",
}
"""The boxes that can be named."""

_WITHIN = re.compile(r"(?P<what>.+?)\s+in\s+(?P<low>\S+?)\s*\.\.\s*(?P<high>\S+)")


@dataclass(frozen=True)
class Limits:
    """``layer:5 in 0..2``: part of a box made narrower; ``others``: all that is not named."""

    what: str
    low: float
    high: float

    @classmethod
    def parse(cls, text: str) -> Limits:
        """Read limits in words.

        Raises
        ------
        ProofError
            They cannot be read, or nothing lies between them.

        Examples
        --------
        >>> Limits.parse("others in 0..0.5")
        Limits(what='others', low=0.0, high=0.5)
        >>> Limits.parse("layer:3 in 2..1")
        Traceback (most recent call last):
        circuitkb.schema.errors.ProofError: The box is empty: nothing lies in 2..1 (layer:3).
        """
        found = _WITHIN.fullmatch(text.strip())
        try:
            low, high = (float(found[end]) for end in ("low", "high")) if found else (1.0, 0.0)
        except ValueError:
            found = None
        if found is None or math.isnan(low) or math.isnan(high):
            raise ProofError(
                f"{text!r} are no limits: write them as in: others in 0..0.5, or layer:3 in -1..2"
            )
        if low > high:
            raise ProofError(
                f"The box is empty: nothing lies in {low:g}..{high:g} ({found['what']})."
            )
        return cls(found["what"], low, high)

    def __str__(self) -> str:
        return f"{self.what} in {self.low:.12g}..{self.high:.12g}"


@dataclass(frozen=True)
class Box:
    """A box in words.

    Attributes
    ----------
    kind
        See :data:`KINDS`.
    layers
        So many layers are computed, the target's counted.
    within
        Limits that make it narrower.

    Examples
    --------
    >>> Box.parse("layers 3").layers
    3
    >>> str(Box.parse("range", ["others in 0..1"]))
    'range; others in 0..1'
    >>> Box.parse("everything")
    Traceback (most recent call last):
    circuitkb.schema.errors.ProofError: 'everything' is no box: mean, range, layers N, ...
    """

    kind: Kind
    layers: int | None = None
    within: tuple[Limits, ...] = ()

    @classmethod
    def parse(cls, text: str, within: Sequence[str] = ()) -> Box:
        """Read a box in words.

        Raises
        ------
        ProofError
            There is none of that name, or it is empty.
        """
        name, *more = text.split(";")
        limits = tuple(Limits.parse(one) for one in (*more, *within))
        deep = re.fullmatch(r"layers (\d+)", name.strip())
        if deep and int(deep[1]) >= 1:
            return cls("layers", int(deep[1]), limits)
        if name.strip() in KINDS:
            return cls(name.strip(), None, limits)  # type: ignore[arg-type]
        raise ProofError(f"{name.strip()!r} is no box: {', '.join(KINDS)}, with N from 1.")

    def __str__(self) -> str:
        name = f"layers {self.layers}" if self.kind == "layers" else self.kind
        return "; ".join([name, *map(str, self.within)])

    @property
    def computed(self) -> float:
        """Layers that are computed, the target's counted."""
        if self.kind in ("pixels", "binary"):
            return math.inf
        return self.layers or 1


@dataclass(frozen=True)
class Ranges:
    """What features were observed to answer, or what pixels may be.

    Attributes
    ----------
    of
        Returns for a layer the lowest, highest and mean answer of each unit.
    pixels
        The layer whose values are pixels.
    """

    of: Callable[[str], tuple[Values, Values, Values]]


@dataclass(frozen=True, eq=False)
class Bounds:
    """A box in numbers: for each variable of a cone; those that are computed have none.

    Attributes
    ----------
    low, high
        Ends; minus and plus infinity where a variable is computed.
    whole
        Variables that are one end or the other, and nothing in between.
    """

    low: Values
    high: Values
    whole: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        box: Box,
        cone: Cone,
        ranges: Ranges,
        named: Sequence[int],
        select: Callable[[str], int | None],
    ) -> Bounds:
        """Return a box over what a cone reads.

        Parameters
        ----------
        named
            Variables that the statement names.
        select
            Returns the variable that a limit names, if it is one.

        Raises
        ------
        ProofError
            It is empty, or a limit names what it does not lie over.
        """
        low, high = np.full(cone.size, -np.inf), np.full(cone.size, np.inf)
        for part in cone.boxed:
            here = slice(part.start, part.stop)
            least, most, mean = (one[part.units] for one in ranges.of(part.layer))
            low[here], high[here] = (mean, mean) if box.kind == "mean" else (least, most)
            if box.kind == "mean":
                own = [n - part.start for n in named if part.start <= n < part.stop]
                low[here][own], high[here][own] = least[own], most[own]
        mine = np.zeros(cone.size, bool)
        mine[list(named)] = True
        for limits in box.within:
            if limits.what == "others":
                which = cone.in_box & ~mine
            elif limits.what == "pixels":
                which = _of_layers(cone, lambda part: part.shape.kind == "input")
            else:
                number = select(limits.what)
                if number is None or not cone.in_box[number]:
                    raise ProofError(
                        f"The box does not lie over {limits.what}: others, pixels, or a feature "
                        "that is read there."
                    )
                which = np.arange(cone.size) == number
            low[which] = np.maximum(low[which], limits.low)
            high[which] = np.minimum(high[which], limits.high)
            if (low[which] > high[which]).any():
                raise ProofError(f"The box is empty: {limits} lies outside of what it may be.")
        whole = np.full(cone.size, box.kind == "binary") & cone.in_box & (low < high)
        return cls(low, high, whole)


def _of_layers(cone: Cone, wanted: Callable[[Part], bool]) -> NDArray[np.bool_]:
    found = np.zeros(cone.size, bool)
    for part in cone.boxed:
        found[part.start : part.stop] = wanted(part)
    return found
