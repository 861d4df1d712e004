"""What was measured of units, against its nulls: one section of a report for each measure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from circuitkb.observation.measures.against_nulls import SHUFFLED
from circuitkb.observation.measures.measure import Measure
from circuitkb.observation.measures.nulls import RATE, corrected
from circuitkb.report.markdown import (
    NOTHING,
    code,
    correlation,
    count,
    paragraph,
    plural,
    share,
    table,
)
from circuitkb.report.record import Record, Row


@dataclass(eq=False)
class Layer:
    """The units of one layer that a measure tested, and what became of them.

    Attributes
    ----------
    name, receptive_field
        The layer, and the side in pixels that a unit of it sees.
    strength
        Of the units that passed, as the words of the measure name it.
    p_permuted, p_shuffled
        Of all units, against each null alone; nothing where there is no such null.
    passed
        Whether they beat every null.
    null_pool
        Units of shuffled copies that each unit was compared with; None if no unit says.
    """

    name: str
    receptive_field: int | None
    strength: list[float] = field(default_factory=list)
    p_permuted: list[float] = field(default_factory=list)
    p_shuffled: list[float] = field(default_factory=list)
    passed: list[bool] = field(default_factory=list)
    null_pool: int | None = None

    @property
    def tested(self) -> int:
        """Units that were tested."""
        return len(self.passed)

    @property
    def beyond_permuted(self) -> list[bool]:
        """Whether permuted labels alone would have let each unit pass."""
        return _beyond(self.p_permuted)

    @property
    def beyond_shuffled(self) -> list[bool]:
        """Whether shuffled weights alone would have let each unit pass."""
        return _beyond(self.p_shuffled)

    @property
    def failed(self) -> int:
        """Units that beat permuted labels alone and did not pass."""
        both = zip(self.beyond_permuted, self.passed, strict=False)  # there may be no such null
        return sum(beyond and not passed for beyond, passed in both)

    @property
    def fewest(self) -> int | None:
        """Units that must beat every shuffled unit before any can pass, as so many are tested."""
        if self.null_pool is None:
            return None
        return math.ceil(self.tested / (RATE * (1 + self.null_pool)))


def _beyond(p: Sequence[float]) -> list[bool]:
    found: list[bool] = (corrected(np.array(p, np.float64)) <= RATE).tolist()
    return found


def layers(record: Record, model: str, measure: Measure) -> list[Layer]:
    """Return the layers of an observed model that have units which were tested, in order."""
    known = record.ask(
        "MATCH (y:Layer {model: $model}) RETURN y.name AS name, "
        "y.receptive_field AS receptive_field ORDER BY y.position, name",
        model=model,
    )
    found = {row["name"]: Layer(**row) for row in known}
    for row in _units(record, model, measure):
        layer, detail = found[row["layer"]], json.loads(row["detail"])
        passed = row["stance"] == "supports"
        layer.passed.append(passed)
        layer.p_shuffled.append(detail["p_shuffled"])
        if "p_permuted" in detail:
            layer.p_permuted.append(detail["p_permuted"])
        if passed and measure.words.strength:
            layer.strength.append(detail[measure.words.strength])
        if row["null_method"] == SHUFFLED:
            layer.null_pool = row["null_count"]
    return [layer for layer in found.values() if layer.tested]


def _units(record: Record, model: str, measure: Measure) -> list[Row]:
    return record.ask(
        "MATCH (e:Evidence {kind: $kind})-[:ABOUT]->(f:Feature {model: $model}) "
        "RETURN f.layer AS layer, e.stance AS stance, e.null_count AS null_count, "
        "e.null_method AS null_method, e.detail AS detail ORDER BY layer, f.unit, e.id",
        model=model,
        kind=measure.kind,
    )


def measure_section(record: Record, measure: Measure) -> list[str]:
    """Return which units pass a measure, layer by layer, and which failed a null."""
    words = measure.words
    steps = [step for step in record.observed.values() if measure.counted in step.summary]
    if not steps:
        models = [*record.unobserved, *record.observed] or ["MODEL"]
        return paragraph(
            "Nothing was measured:",
            "; ".join(code(f"circuitkb observe {model}") for model in models) + ".",
        )
    lines = paragraph(f"{words.asked}; false discovery rate {RATE:.0%} in each layer.", words.more)
    measured = {step.model: layers(record, step.model, measure) for step in steps}
    shuffled = [step.summary[f"{measure.counted}_shuffled"] for step in steps]
    lines += table(
        ("units", *(code(model) for model in measured)), _totals(measure, measured, shuffled)
    )
    for model in record.observed:
        if model not in measured:
            lines += paragraph(
                f"{code(model)} was observed without it: {code(f'circuitkb observe {model}')}."
            )
    if words.permuted:
        for model, found in measured.items():
            lines += _failed(model, found, words.permuted)
    lines += paragraph(
        "By layer.",
        f"Failed: beyond {words.permuted} alone, not beyond both nulls." if words.permuted else "",
        f"{words.strength.capitalize()}: median of those that passed, {words.scale}."
        if words.strength
        else "",
        "Fewest: units of the layer that must each beat every shuffled unit before any can pass; a "
        "layer that holds fewer such units shows nothing, whatever they do.",
    )
    for model, found in measured.items():
        lines += [f"### {code(model)} by layer", "", *_by_layer(measure, found)]
    return lines


def _totals(
    measure: Measure, measured: dict[str, list[Layer]], shuffled: Sequence[int]
) -> Iterable[Sequence[str]]:
    models, permuted = list(measured.values()), measure.words.permuted
    tested = [sum(layer.tested for layer in found) for found in models]
    passed = [sum(map(sum, (layer.passed for layer in found))) for found in models]
    yield "tested", *map(count, tested)
    beyond = "beyond both nulls" if permuted else "beyond its null"
    yield f"**passed: {beyond}**", *(f"**{count(number)}**" for number in passed)
    yield "... as a share", *map(share, passed, tested)
    yield "a shuffled copy by the same test", *map(count, shuffled)
    if permuted:
        yield (
            f"beyond {permuted} alone",
            *(count(sum(sum(layer.beyond_permuted) for layer in found)) for found in models),
        )
        yield (
            "... **that fail against shuffled weights**",
            *(f"**{count(sum(layer.failed for layer in found))}**" for found in models),
        )
        yield (
            "beyond shuffled weights alone",
            *(count(sum(sum(layer.beyond_shuffled) for layer in found)) for found in models),
        )
    yield "layers tested", *(count(len(found)) for found in models)
    yield (
        "layers where nothing passed",
        *(count(sum(not any(layer.passed) for layer in found)) for found in models),
    )


def _failed(model: str, found: Sequence[Layer], permuted: str) -> list[str]:
    beyond = sum(sum(layer.beyond_permuted) for layer in found)
    failed = sum(layer.failed for layer in found)
    if not failed:
        return paragraph(f"{code(model)}: no unit beats {permuted} and then fails.")
    return paragraph(
        f"{code(model)}: {permuted} alone would have claimed {plural(beyond, 'unit')}. "
        f"{count(failed)} of them ({share(failed, beyond)}) do not hold against units with "
        "shuffled weights, and are not claimed."
    )


def _by_layer(measure: Measure, found: Sequence[Layer]) -> list[str]:
    words = measure.words
    columns: dict[str, list[str]] = {
        "layer": [code(layer.name) for layer in found],
        "sees (pixels)": [
            NOTHING if layer.receptive_field is None else str(layer.receptive_field)
            for layer in found
        ],
        "tested": [count(layer.tested) for layer in found],
        "passed": [f"**{count(sum(layer.passed))}**" for layer in found],
    }
    if words.permuted:
        columns["failed"] = [count(layer.failed) for layer in found]
    if words.strength:
        columns[words.strength] = [
            correlation(median(layer.strength)) if layer.strength else NOTHING for layer in found
        ]
    columns["fewest"] = [count(layer.fewest) for layer in found]
    lines = table(tuple(columns), zip(*columns.values(), strict=True))
    none = [layer for layer in found if not any(layer.passed)]
    said = [
        f"{code(layer.name)} ({count(layer.failed)} of {count(layer.tested)} failed)"
        if words.permuted
        else f"{code(layer.name)} ({count(layer.tested)})"
        for layer in none
    ]
    return lines + paragraph(
        f"Nothing passed in {plural(len(none), 'layer')}: {'; '.join(said)}."
        if none
        else "Something passed in every layer."
    )
