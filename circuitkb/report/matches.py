"""What two or three models have in common: a section of a report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from circuitkb.motifs.motif import Motif
from circuitkb.report.markdown import (
    NOTHING,
    code,
    correlation,
    count,
    mean,
    paragraph,
    plural,
    probability,
    table,
)
from circuitkb.report.motifs import reported_motifs
from circuitkb.report.record import Record, Row, Step, local
from circuitkb.report.searches import RATE
from circuitkb.results.match_reports import FEATURES, FEWEST, compared, several_kind

_ABOUT_SEVERAL = (
    "A set has one feature, or circuit, of each of several models, every two of them analogous. "
    "Shuffled: such sets with the model's weights shuffled. Exchanged: with its partners exchanged "
    "within its layers, on average. Sets that matches merely join, the one leading to the next, "
    "stand below, beside what exchanged partners join."
)

SHOWN = 10
"""Circuits analogous in three models that are listed."""

Triple = tuple[str, str, str]


def matches_section(record: Record) -> list[str]:
    """Return analogous features and circuits of each pair of models, with their controls."""
    lines = _not_matched(record)
    if not record.matched:
        return lines
    lines += paragraph(
        "Features of two models are analogous if they are mutual nearest neighbours by "
        "correlation of answers, above a threshold, and of low q in their band of layers against "
        "both controls: the same search with either model's weights shuffled. Circuits are if "
        "their targets and both cases, or the parts of a group, are nearest together, against "
        "circuits wired at random."
    )
    for step in record.matched:
        lines += _one_pair(record, step)
    lines += _several(record)
    for models in combinations(record.observed, 3) if len(record.observed) == 3 else ():
        lines += _three(record, models)
    return lines


def _not_matched(record: Record) -> list[str]:
    done = {frozenset(step.summary["models"]) for step in record.matched}
    pairs = [pair for pair in combinations(record.observed, 2) if frozenset(pair) not in done]
    if pairs:
        todo = "; ".join(code(f"circuitkb match {one} {other}") for one, other in pairs)
        return paragraph(f"Not matched: {todo}.")
    if len(record.observed) < 2:
        return paragraph(
            "Nothing to compare: it takes two observed models, and then "
            f"{code('circuitkb match MODEL MODEL')}."
        )
    return []


def evidence(record: Record, kind: str, models: Sequence[str]) -> Row | None:
    """Return the evidence of a match of two models, with its ``detail`` parsed."""
    rows = record.ask(
        "MATCH (a:Model {id: $first})<-[:ABOUT {role: 'first'}]-(e:Evidence {kind: $kind})"
        "-[:ABOUT {role: 'second'}]->(b:Model {id: $second}) RETURN e.value AS found, e.q AS q, "
        "e.detail AS detail ORDER BY e.id",
        first=models[0],
        second=models[1],
        kind=kind,
    )
    return rows[-1] | {"detail": json.loads(rows[-1]["detail"])} if rows else None


def _one_pair(record: Record, step: Step) -> list[str]:
    first, second = step.summary["models"]
    lines = [f"### {code(first)} and {code(second)}", ""]
    features = evidence(record, "analogous-features", (first, second))
    if features is not None:
        lines += _features(features, (first, second))
    done = [item["what"] for item in step.summary["compared"]]
    for motif in reported_motifs(record):
        circuits = evidence(record, motif.analogous, (first, second))
        if circuits is not None and compared(motif.analogous) in done:
            lines += _circuits(circuits, motif, (first, second))
        elif any(way.by == "responses" for way in motif.searches):
            command = f"circuitkb find {motif.name} --model {first} --model {second}"
            lines += paragraph(
                f"{motif.plural.capitalize()} were not compared: {code(command)}, then "
                f"{code(f'circuitkb match {first} {second}')}."
            )
    return lines


def _features(found: Row, models: Sequence[str]) -> list[str]:
    detail = found["detail"]
    controls = detail["controls"]
    threshold = f"{detail['settings']['threshold']:g}"
    columns = ("features", "real", *(f"{code(c['shuffled'])} shuffled" for c in controls))
    rows = [
        ("compared", *(_two(one["compared"]) for one in (detail, *controls))),
        ("mutual nearest", *(count(one["mutual"]) for one in (detail, *controls))),
        (
            f"... above {threshold}",
            count(detail["mutual_above"]),
            *(count(control["above"]) for control in controls),
        ),
        (_found(detail), f"**{count(found['found'])}**", *(NOTHING for _ in controls)),
        (
            "above and failed",
            count(detail["mutual_above"] - found["found"]),
            *(NOTHING for _ in controls),
        ),
        ("largest q of those found", probability(found["q"]), *(NOTHING for _ in controls)),
        (
            "correlation of depths",
            correlation(detail["depth"]["correlation"]),
            *(correlation(control["depth_correlation"]) for control in controls),
        ),
    ]
    lines = table(columns, rows)
    for model, bands in zip(models, detail["bands"], strict=True):
        lines += table(
            (f"layers of {code(model)}", "compared", f"above {threshold}", "controls", "found"),
            (
                (
                    " to ".join(map(code, dict.fromkeys(band["layers"]))),
                    count(band["compared"]),
                    count(band["above"]),
                    ", ".join(map(count, band["control"])),
                    count(band["found"]),
                )
                for band in bands
            ),
        )
        lines += _bands_without(bands)
    return lines


def _bands_without(bands: Sequence[Mapping[str, Any]]) -> list[str]:
    failed = [band for band in bands if band["above"] and not band["found"]]
    if not failed:
        return []
    several = "; ".join(" to ".join(map(code, dict.fromkeys(band["layers"]))) for band in failed)
    number = plural(sum(band["above"] for band in failed), "pair")
    return paragraph(
        f"In {several} nothing is claimed: {number} above the threshold, and too many of the "
        "controls' as good."
    )


def _circuits(found: Row, motif: Motif, models: Sequence[str]) -> list[str]:
    detail = found["detail"]
    rows = [
        ("compared", _two(detail["compared"])),
        ("left out: a member that cannot be compared", _two(detail["left_out"])),
        ("mutual nearest", count(detail["mutual"])),
        (f"... above {detail['settings']['threshold']:g}", count(detail["mutual_above"])),
        *((f"... {null['made']}, mean (max)", _null(null)) for null in detail["nulls"]),
        (_found(detail), f"**{count(found['found'])}**"),
        ("above and failed", count(detail["mutual_above"] - found["found"])),
        *(
            (
                ("distinct targets found", _two(detail["targets"])),
                ("distinct pairs of cases found", _two(detail["case_pairs"])),
            )
            if all(way.at_target for way in motif.searches)
            else (("distinct members of the first role found", _two(detail["targets"])),)
        ),
        ("largest q of those found", probability(found["q"])),
        ("swapped: side 1 like side 2 (no matches)", count(detail["swapped"])),
    ]
    return table((motif.plural, " and ".join(map(code, models))), rows)


def _found(detail: Mapping[str, Any]) -> str:
    return f"**found** (q of at most {detail['settings']['fdr']:g})"


def _two(numbers: Iterable[float]) -> str:
    return " and ".join(map(count, numbers))


def _null(null: Mapping[str, Any]) -> str:
    """Return mean and maximum of a null, for as many draws as there are real circuits."""
    above = [number / null["drawn"] for number in null["above"]]
    return f"{mean(fmean(above))} ({mean(max(above))})"


def _several(record: Record) -> list[str]:
    """Return what three models or more have, with both nulls, model by model."""
    models = sorted(record.observed)
    if len(models) < FEWEST:
        return []
    lines: list[str] = []
    for kind in (FEATURES, *(motif.analogous for motif in reported_motifs(record))):
        rows = record.ask(
            "MATCH (e:Evidence {kind: $kind})-[:ABOUT {role: 'network'}]->(m:Model) "
            "RETURN m.id AS model, e.detail AS detail ORDER BY model, e.id",
            kind=several_kind(kind),
        )
        details = {row["model"]: json.loads(row["detail"]) for row in rows}
        held = {name: one for name, one in details.items() if one["models"] == models}
        if held:
            lines += _several_of(compared(kind), held)
    if not lines:
        command = " ".join(["circuitkb match", *models])
        return paragraph(
            f"What {len(models)} models share was not held against chance: {code(command)}."
        )
    return ["### Several models", "", *paragraph(_ABOUT_SEVERAL), *lines]


def _several_of(what: str, details: Mapping[str, Row]) -> list[str]:
    first = next(iter(details.values()))
    joined = [
        f"{size} or more: {count(number)} ({mean(first['joined_exchanged'][size])} by chance)"
        for size, number in first["joined"].items()
        if number or first["joined_exchanged"][size]
    ]
    merely = paragraph(f"Merely joined, models: {'; '.join(joined)}.") if joined else []
    if not any(one["found"] for detail in details.values() for one in detail["at_least"]):
        return paragraph(f"No set of {what} is in {FEWEST} models or more.") + merely
    lines = table(
        (f"{what}, sets with", "models", "found", "shuffled", "exchanged (max)", "p", "q"),
        (
            (
                code(model),
                f"{one['models']} or more",
                count(one["found"]),
                NOTHING if one["shuffled"] is None else count(one["shuffled"]),
                f"{mean(one['exchanged'])} ({count(one['exchanged_max'])})",
                probability(one["p"]),
                probability(one["q"]),
            )
            for model, detail in details.items()
            for one in detail["at_least"]
            if one["found"] or one["models"] == FEWEST
        ),
    )
    return lines + merely


def triangles(
    record: Record, label: str, models: Sequence[str], motif: Motif | None = None
) -> list[Triple]:
    """Return triples of one label's nodes, one of each model, that are analogous two by two."""
    one, two, three = (
        _pairs(record, label, pair, motif) for pair in combinations(models, 2)
    )  # first-second, first-third, second-third
    return sorted((a, b, c) for a, b in one for also, c in two if also == a and (b, c) in three)


def _pairs(
    record: Record, label: str, models: Sequence[str], motif: Motif | None
) -> set[tuple[str, str]]:
    # The label is one of two that are written here; a label cannot be a parameter.
    rows = record.ask(
        f"MATCH (a:{label} {{model: $first}})-[r:ANALOGOUS_TO]-(b:{label} {{model: $second}}) "
        "WHERE r.q <= $rate AND ($motifs IS NULL OR a.motif IN $motifs) "
        "RETURN DISTINCT a.id AS a, b.id AS b",
        first=models[0],
        second=models[1],
        rate=RATE,
        motifs=motif and list(motif.kinds),
    )
    return {(row["a"], row["b"]) for row in rows}


def _three(record: Record, models: Sequence[str]) -> list[str]:
    done = {frozenset(step.summary["models"]) for step in record.matched}
    if any(frozenset(pair) not in done for pair in combinations(models, 2)):
        return []
    features = triangles(record, "Feature", models)
    circuits = {
        motif: triangles(record, "Circuit", models, motif) for motif in reported_motifs(record)
    }
    lines = [f"### {', '.join(map(code, models))}", ""]
    counts = [plural(len(features), "feature")]
    counts += [plural(len(found), f"{motif.name} circuit") for motif, found in circuits.items()]
    lines += paragraph(f"Analogous two by two in all three: {', '.join(counts)}.")
    for motif, found in circuits.items():
        if found:
            lines += _targets(record, motif, models, found)
    return lines


def _targets(
    record: Record, motif: Motif, models: Sequence[str], circuits: Sequence[Triple]
) -> list[str]:
    """Return the distinct targets of analogous circuits."""
    members = _members(record, motif, models)
    targets = dict.fromkeys(tuple(members[c] for c in triple) for triple in circuits)
    lines = paragraph(
        f"{motif.plural.capitalize()} have {plural(len(targets), 'distinct triple')} of targets"
        + (f"; the first {SHOWN}:" if len(targets) > SHOWN else ":")
    )
    rows = sorted(targets)[:SHOWN]
    return lines + table(
        [code(model) for model in models],
        ([", ".join(code(local(unit)) for unit in units) for units in row] for row in rows),
    )


def _members(record: Record, motif: Motif, models: Sequence[str]) -> dict[str, tuple[str, ...]]:
    rows = record.ask(
        "MATCH (u:Feature)-[:MEMBER_OF {role: $role}]->(c:Circuit) "
        "WHERE c.motif IN $motifs AND c.model IN $models "
        "RETURN DISTINCT c.id AS circuit, u.id AS target ORDER BY circuit, target",
        role=motif.target,
        motifs=list(motif.kinds),
        models=list(models),
    )
    targets: dict[str, list[str]] = {}
    for row in rows:
        targets.setdefault(row["circuit"], []).append(row["target"])
    return {circuit: tuple(units) for circuit, units in targets.items()}
