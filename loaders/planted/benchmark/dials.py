"""Dials: how hard the planted circuits of a network are to find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite

from circuitkb.schema.errors import SourceError

RANGES = {"noise": (0.0, 2.0), "strength": (0.1, 100.0), "superposition": (0.0, 2.0)}
"""What each dial may be, ends included."""

LEVELS: Mapping[str, tuple[float, ...]] = {
    "noise": (0.15, 0.3, 0.6),
    "strength": (4.0, 2.0, 1.0),
    "superposition": (0.0, 0.25, 0.5),
}
"""What each dial is set to unless told otherwise, from easy to hard."""


@dataclass(frozen=True, order=True)
class Dials:
    """Three dials of a network.

    Attributes
    ----------
    noise
        l2 norm of the noise weights of a target relative to its planted ones; of a detector, what
        its noise puts out over random images relative to what its kernel does.
    strength
        Planted weights relative to those of the three unrelated inputs that every target has. Of
        the members of a family, twice the spread of their kernels relative to an unrelated one
        that is added.
    superposition
        l2 norm of the weight from an unrelated feature that a target carries too, relative to its
        planted ones; of the members of a family, the same for the kernel of another shape.

    Examples
    --------
    >>> str(Dials(noise=0.3))
    'noise 0.3, strength 4, superposition 0'
    >>> Dials(noise=-1)
    Traceback (most recent call last):
    circuitkb.schema.errors.SourceError: noise is -1: it goes from 0 to 2.
    """

    noise: float = LEVELS["noise"][0]
    strength: float = LEVELS["strength"][0]
    superposition: float = LEVELS["superposition"][0]

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            low, high = RANGES[name]
            if not (isfinite(value) and low <= value <= high):
                raise SourceError(f"{name} is {value:g}: it goes from {low:g} to {high:g}.")

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in asdict(self).items())


@dataclass(frozen=True)
class Cell:
    """One setting of the dials, and which of them it turns.

    Attributes
    ----------
    dial
        The one that is not at its first level; ``easiest`` where all are.
    easy
        Whether it belongs to the easy half of its dial.
    """

    dials: Dials
    dial: str
    easy: bool

    @property
    def level(self) -> str:
        """The dial and its value.

        Examples
        --------
        >>> [cell.level for cell in cells({"noise": [0.1, 0.2], "strength": [4]})]
        ['easiest', 'noise 0.2']
        """
        if self.dial == "easiest":
            return self.dial
        return f"{self.dial} {getattr(self.dials, self.dial):g}"


def cells(levels: Mapping[str, Sequence[float]]) -> Iterator[Cell]:
    """Turn one dial at a time; the others stay at their first level.

    Examples
    --------
    >>> [cell.easy for cell in cells({"noise": [0.1, 0.2, 0.3, 0.4]})]
    [True, True, False, False]
    """
    first = Dials(**{name: some[0] for name, some in levels.items() if some})
    yield Cell(first, "easiest", easy=True)
    for name, some in levels.items():
        for place, level in enumerate(some[1:], start=1):
            yield Cell(replace(first, **{name: level}), name, easy=2 * place < len(some))
