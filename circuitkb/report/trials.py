"""How the trials of what a search found ended, by the shape of the target and by part."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from circuitkb.report.markdown import code, correlation, count, paragraph, probability, share, table
from circuitkb.report.searches import Searched

_SHARES = {
    "lost": "share of the response to a case's stimuli that goes with that case, median",
    "crossed": "share of the response to a case's stimuli that goes with the other, median",
}
_CHANGES = {
    "own": "change on its own stimuli, in the way claimed, in sd of the target: median",
    "other": "change on the other stimuli, likewise: median",
}
"""Of circuits that claim two arms."""


@dataclass(frozen=True)
class _Tried:
    """A trial: how it ended, the shape of its circuit, and its figures."""

    outcome: str
    shape: str | None
    predicted: float
    measured: float
    detail: dict[str, Any]


def trials_of(found: Sequence[Searched]) -> list[str]:
    """Return what became of the circuits of some searches once their edges were taken away."""
    tried = [(search, _read(search)) for search in found]
    some = [(search, trials) for search, trials in tried if trials]
    if not some:
        return []
    lines = paragraph(
        "**The trials.** Each circuit was tried: the network was run without the edges of its "
        "cases, and without those of other inputs as controls (docs/trials.md). Held are those of "
        "which all parts hold at a false discovery rate of 5%."
    )
    heads = ("", *(code(search.step.model) for search, _ in some))
    return lines + table(heads, _rows([trials for _, trials in some]))


def _read(search: Searched) -> list[_Tried]:
    rows = search.record.ask(
        "MATCH (t:Trial {kind: $kind, network: $model})-[:ABOUT]->(c:Circuit) "
        "WHERE $of IN c.of "
        "RETURN t.outcome AS outcome, c.shape AS shape, t.predicted AS predicted, "
        "t.measured AS measured, t.detail AS detail ORDER BY t.id",
        kind=search.motif.name,
        model=search.step.model,
        of=search.step.summary["of"],
    )
    return [_Tried(**row | {"detail": json.loads(row["detail"])}) for row in rows]


def _rows(tried: Sequence[Sequence[_Tried]]) -> Iterator[Sequence[str]]:
    yield "tried", *(count(len(trials)) for trials in tried)
    yield "**held**", *(f"**{count(_held(trials))}**" for trials in tried)
    shapes = dict.fromkeys(one.shape for trials in tried for one in trials)
    for shape in sorted(shapes, key=lambda shape: (shape != "two peaks", shape or "~")):
        of_shape = [[one for one in trials if one.shape == shape] for trials in tried]
        yield (
            f"... of those with the shape '{shape}'" if shape else "... of those without a shape",
            *(f"{count(_held(trials))} of {count(len(trials))}" for trials in of_shape),
        )
    undecided = [sum(one.outcome == "undecided" for one in trials) for trials in tried]
    if any(undecided):
        yield "undecided, for want of controls", *map(count, undecided)
    parts = dict.fromkeys(
        name for trials in tried for one in trials for name in one.detail["parts"]
    )
    for part in parts:
        yield (
            f"{part} holds by itself",
            *(count(sum(one.detail["parts"][part]["held"] for one in each)) for each in tried),
        )
    told = [one.detail for trials in tried for one in trials]
    for name, said in _SHARES.items():
        if all(name in detail for detail in told):
            yield said, *(share(_median(name, trials), 1) for trials in tried)
    for name, said in _CHANGES.items():
        if all(name in detail for detail in told):
            yield said, *(correlation(_median(name, trials)) for trials in tried)
    yield (
        "predicted without the network and measured: correlation, largest difference (in sd)",
        *(_agreement(trials) for trials in tried),
    )


def _median(name: str, trials: Sequence[_Tried]) -> float:
    return float(median(value for one in trials for value in one.detail[name]))


def _agreement(trials: Sequence[_Tried]) -> str:
    both = [(one.predicted, one.measured) for one in trials]
    worst = max(abs(one - other) for one, other in both)
    near = statistics.correlation(*zip(*both, strict=True)) if len(both) > 1 else None
    return f"{correlation(near)}, {probability(worst)}"


def _held(trials: Sequence[_Tried]) -> int:
    return sum(one.outcome == "held" for one in trials)
