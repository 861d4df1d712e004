"""What a match answers with: what two models share, and what several do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from circuitkb.motifs.registry import DEFAULT
from circuitkb.results.result import Result

FEATURES = "analogous-features"
"""``Evidence.kind`` of a match of features."""

FEWEST = 3
"""Networks from which on a set is one of several."""


@dataclass(frozen=True)
class Analogous:
    """What a match found among the features, or among the circuits, of two models.

    Attributes
    ----------
    what
        ``features`` or ``circuits``.
    compared
        How many of each model took part.
    mutual, above
        Mutual nearest neighbours, and those of them that score above the threshold.
    found
        Those that beat the null as well.
    null, null_above, null_above_max
        How chance was asked, and how many score above the threshold then: the mean and the most.
    q_max
        Share of those found that the null explains, for the last of them.
    """

    what: str
    compared: tuple[int, int]
    mutual: int
    above: int
    found: int
    null: str
    null_above: float | None
    null_above_max: float | None
    q_max: float | None


def compared(kind: str) -> str:
    """Return what a match compared, by the kind of its evidence.

    Examples
    --------
    >>> compared("analogous-circuits"), compared("analogous-opposition-circuits")
    ('circuits', 'opposition circuits')
    """
    return kind.removeprefix("analogous-").replace("-", " ")


def several_kind(analogous: str) -> str:
    """Return ``Evidence.kind`` for several networks, by that of two.

    Examples
    --------
    >>> several_kind("analogous-features")
    'several-features'
    """
    return analogous.replace("analogous-", "several-", 1)


@dataclass(frozen=True)
class InSeveral:
    """What several models have: sets of things that are analogous two by two.

    Attributes
    ----------
    what, models
        Features or circuits of a motif, and the models that were asked of.
    at_least
        Models in a set, or more.
    found, joined
        Such sets, and those that matches merely join, one leading to the next.
    null_mean, null_max
        Such sets where the partners of one model are exchanged, or its weights shuffled: for the
        model with which there are most.
    p, q
        The largest, over the models that are in such a set.
    unmatched
        Pairs of the models that were not matched.
    """

    what: str
    models: tuple[str, ...]
    at_least: int
    found: int
    joined: int
    null_mean: float | None
    null_max: float | None
    p: float | None
    q: float | None
    unmatched: int

    def row(self) -> dict[str, Any]:
        """Return it as a row beside those of pairs."""
        return {
            "first": ", ".join(self.models),
            "second": None,
            "what": f"{self.what} in {self.at_least} models, two by two",
            "found": self.found,
            "null_mean": self.null_mean,
            "null_max": self.null_max,
            "q_max": self.q,
            "null": "partners of one model exchanged, or its weights shuffled; the most",
        }


@dataclass(frozen=True)
class MatchReport:
    """What a match of two models did.

    ``several`` is what three models or more have, once so many were matched: said by the last
    report of a match.
    """

    first: str
    second: str
    analogous: tuple[Analogous, ...]
    seconds: float
    several: tuple[InSeveral, ...] = ()

    def to_result(self) -> Result:
        """Return a row for features, one for circuits, and those of what several models have."""
        rows = [
            {
                "first": self.first,
                "second": self.second,
                "what": item.what,
                "compared_first": item.compared[0],
                "compared_second": item.compared[1],
                "mutual_nearest": item.mutual,
                "above_threshold": item.above,
                "found": item.found,
                "null_mean": item.null_above,
                "null_max": item.null_above_max,
                "q_max": item.q_max,
                "null": item.null,
            }
            for item in self.analogous
        ]
        several = [item.row() for item in self.several]
        return Result.of_records([*rows, *several], seconds=self.seconds, notes=self.notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know about the figures."""
        unmatched = tuple(
            f"Of the {len(item.models)} models {item.unmatched} pairs were not matched: sets of "
            "more models may be missing."
            for item in self.several[:1]
            if item.unmatched
        )
        if any(item.what.endswith("circuits") for item in self.analogous):
            return unmatched
        return (
            *unmatched,
            f"Circuits were not compared: they are once {DEFAULT}s are found in both models "
            f"(circuitkb find {DEFAULT} --model {self.first} --model {self.second}).",
        )
