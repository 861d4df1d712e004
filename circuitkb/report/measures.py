"""What was measured of units, against its nulls: one section of a report for each measure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from circuitkb.observation.measures.against_nulls import SHUFFLED, LayerCounts
from circuitkb.observation.measures.measure import Measure
from circuitkb.observation.measures.nulls import RATE
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

BY_LAYER = "Measures by layer"
"""Title of the section that tells of all measures, layer by layer."""


@dataclass(frozen=True)
class Layer:
    """The units of one layer that a measure tested, and what became of them.

    Attributes
    ----------
    name, receptive_field
        The layer, and the side in pixels that a unit of it sees.
    """

    name: str
    receptive_field: int | None
    counts: LayerCounts


def layers(record: Record, model: str, measure: Measure) -> list[Layer]:
    """Return the layers of an observed model that have units which were tested, in order."""
    known = record.ask(
        "MATCH (y:Layer {model: $model}) RETURN y.name AS name, "
        "y.receptive_field AS receptive_field ORDER BY y.position, name",
        model=model,
    )
    if measure.neutral_evidence:
        counts = _of_evidence(_units(record, model, measure), measure)
    else:
        said = record.observed[model].summary["by_layer"][measure.name]
        counts = {layer: LayerCounts(**each) for layer, each in said.items()}
    return [
        Layer(row["name"], row["receptive_field"], counts[row["name"]])
        for row in known
        if row["name"] in counts
    ]


def _of_evidence(rows: Iterable[Row], measure: Measure) -> dict[str, LayerCounts]:
    """Count the units of each layer from their evidence, which stands layer by layer."""
    counts = {}
    for layer, group in groupby(rows, key=lambda row: str(row["layer"])):
        units = list(group)
        details = [json.loads(unit["detail"]) for unit in units]
        pools = [unit["null_count"] for unit in units if unit["null_method"] == SHUFFLED]
        strength = measure.words.strength
        counts[layer] = LayerCounts.of(
            np.array([unit["stance"] == "supports" for unit in units]),
            np.array([detail["p_shuffled"] for detail in details]),
            np.array([detail["p_permuted"] for detail in details])
            if "p_permuted" in details[0]
            else None,
            np.array([detail[strength] for detail in details]) if strength else None,
            pools[-1] if pools else None,
        )
    return counts


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
    if not measure.neutral_evidence:
        return lines + paragraph(f"By layer: in section '{BY_LAYER}'.")
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


def by_layer_section(record: Record, measures: Sequence[Measure]) -> list[str]:
    """Return how many units of each layer pass each measure, one table for each model."""
    lines = []
    for model, step in record.observed.items():
        asked = [measure for measure in measures if measure.counted in step.summary]
        passed = {
            measure.name: {
                row["layer"]: row["units"]
                for row in record.ask(
                    "MATCH (e:Evidence {kind: $kind, stance: 'supports'})-[:ABOUT]->"
                    "(f:Feature {model: $model}) RETURN f.layer AS layer, count(f) AS units",
                    model=model,
                    kind=measure.kind,
                )
            }
            for measure in asked
        }
        known = record.ask(
            "MATCH (f:Feature {model: $model, answers: true})-[:IN_LAYER]->(y:Layer) "
            "RETURN y.name AS layer, y.position AS position, count(f) AS units "
            "ORDER BY position, layer",
            model=model,
        )
        lines += [f"### {code(model)}: what passed in each layer", ""]
        lines += table(
            ("layer", "respond", *(measure.words.title.lower() for measure in asked)),
            (
                (
                    code(row["layer"]),
                    count(row["units"]),
                    *(count(passed[measure.name].get(row["layer"], 0)) for measure in asked),
                )
                for row in known
            ),
        )
    if not lines:
        return paragraph("Nothing was measured.")
    failed = "Criteria that failed, so that nothing measures by them, are in `docs/observation.md`."
    return paragraph(failed) + lines


def _totals(
    measure: Measure, measured: dict[str, list[Layer]], shuffled: Sequence[int]
) -> Iterable[Sequence[str]]:
    models = [[layer.counts for layer in found] for found in measured.values()]
    permuted = measure.words.permuted
    tested = [sum(layer.tested for layer in found) for found in models]
    passed = [sum(layer.passed for layer in found) for found in models]
    yield "tested", *map(count, tested)
    beyond = "beyond both nulls" if permuted else "beyond its null"
    yield f"**passed: {beyond}**", *(f"**{count(number)}**" for number in passed)
    yield "... as a share", *map(share, passed, tested)
    yield "a shuffled copy by the same test", *map(count, shuffled)
    if permuted:
        yield (
            f"beyond {permuted} alone",
            *(count(sum(layer.permuted or 0 for layer in found)) for found in models),
        )
        yield (
            "... **that fail against shuffled weights**",
            *(f"**{count(sum(layer.failed for layer in found))}**" for found in models),
        )
        yield (
            "beyond shuffled weights alone",
            *(count(sum(layer.shuffled for layer in found)) for found in models),
        )
    yield "layers tested", *(count(len(found)) for found in models)
    yield (
        "layers where nothing passed",
        *(count(sum(not layer.passed for layer in found)) for found in models),
    )


def _failed(model: str, found: Sequence[Layer], permuted: str) -> list[str]:
    beyond = sum(layer.counts.permuted or 0 for layer in found)
    failed = sum(layer.counts.failed for layer in found)
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
        "tested": [count(layer.counts.tested) for layer in found],
        "passed": [f"**{count(layer.counts.passed)}**" for layer in found],
    }
    if words.permuted:
        columns["failed"] = [count(layer.counts.failed) for layer in found]
    if words.strength:
        columns[words.strength] = [
            NOTHING if layer.counts.strength is None else correlation(layer.counts.strength)
            for layer in found
        ]
    columns["fewest"] = [count(layer.counts.fewest) for layer in found]
    lines = table(tuple(columns), zip(*columns.values(), strict=True))
    none = [layer for layer in found if not layer.counts.passed]
    said = [
        f"{code(layer.name)} ({count(layer.counts.failed)} of {count(layer.counts.tested)} failed)"
        if words.permuted
        else f"{code(layer.name)} ({count(layer.counts.tested)})"
        for layer in none
    ]
    return lines + paragraph(
        f"Nothing passed in {plural(len(none), 'layer')}: {'; '.join(said)}."
        if none
        else "Something passed in every layer."
    )
