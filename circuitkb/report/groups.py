"""Circuits that are groups of units, with their nulls layer by layer: a section of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from circuitkb.motifs.groups import Groups
from circuitkb.motifs.motif import Motif, Pairs
from circuitkb.report.markdown import (
    NOTHING,
    code,
    correlation,
    count,
    mean,
    paragraph,
    probability,
    table,
)
from circuitkb.report.record import Record, Step, local
from circuitkb.results.harmless_text import for_markdown

CLEAREST = 10
"""Circuits of each model that are shown."""


def group_lines(record: Record, motif: Motif, way: Pairs, steps: Sequence[Step]) -> list[str]:
    """Return what one way of searching for groups found in all models."""
    said = way.criteria()
    lines = paragraph(way.intro)
    lines += [*(f"- {sentence}" for sentence in said["tested"]), ""]
    if said["untested"]:
        lines += paragraph(f"Not tested by {way.by}: {'; '.join(said['untested'])}.")
    lines += table(("", *(code(step.model) for step in steps)), _rows(steps))
    if isinstance(way, Groups):
        lines += paragraph(way.explained, f"The null: {way.null_method}.")
    return lines + [line for step in steps for line in _model(record, motif, way, step)]


def _rows(steps: Sequence[Step]) -> list[Sequence[str]]:
    said = [step.summary for step in steps]
    rows: list[Sequence[str]] = [
        ("tested", *(count(one["tested"]) for one in said)),
        ("not testable", *(count(one["not_testable"]) for one in said)),
    ]
    names = dict.fromkeys(name for one in said for name in one["null"])
    for name in names:
        figures = [one["null"].get(name) for one in said]
        shown = map(mean if name.endswith("_mean") else count, figures)
        rows.append((for_markdown(name.replace("_", " ")), *shown))
    rows.append(("**found: circuits**", *(f"**{count(one['circuits'])}**" for one in said)))
    rows.append(("tried", *(count(one.get("tried", 0)) or NOTHING for one in said)))
    rows.append(("seed", *(str(one["seed"]) for one in said)))
    return rows


def _model(record: Record, motif: Motif, way: Pairs, step: Step) -> list[str]:
    layers: dict[str, dict[str, float]] = step.summary.get("layers", {})
    if not layers:
        return paragraph(f"{code(step.model)}: nothing could be tested.")
    names = list(dict.fromkeys(name for own in layers.values() for name in own))
    lines = [f"### {code(step.model)} by layer, by {way.by}", ""]
    lines += table(
        ("layer", *(name.replace("_", " ") for name in names)),
        (
            (code(layer), *(_shown(own.get(name)) for name in names))
            for layer, own in layers.items()
        ),
    )
    circuits = record.ask(
        "MATCH (e:Evidence {kind: $kind})-[made:FROM]->(:Import) WHERE made.search = $search "
        "MATCH (e)-[:SUPPORTS]->(c:Circuit {model: $model, origin: 'found'}) "
        "MATCH (f:Feature)-[m:MEMBER_OF]->(c) "
        "RETURN c.id AS circuit, c.score AS score, c.stability AS stability, e.value AS value, "
        "e.null_mean AS null_mean, e.p AS p, e.q AS q, f.id AS feature, m.role AS role, "
        "m.side AS side ORDER BY q, value DESC, circuit, side, role, feature",
        kind=way.evidence,
        search=step.summary.get("search"),
        model=step.model,
    )
    if not circuits:
        return lines + paragraph(f"{code(step.model)}: nothing is beyond chance.")
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in circuits:
        groups.setdefault(row["circuit"], []).append(row)
    shown = list(groups.values())[:CLEAREST]
    lines += paragraph(
        f"The clearest {len(shown)} of {count(len(groups))}, by q and the statistic."
    )
    return lines + table(
        ("members", "score", "statistic (by chance)", "p", "q", "stability"),
        (
            (
                _members(members),
                correlation(members[0]["score"]),
                f"{correlation(members[0]['value'])} ({correlation(members[0]['null_mean'])})",
                probability(members[0]["p"]),
                probability(members[0]["q"]),
                correlation(members[0]["stability"]),
            )
            for members in shown
        ),
    )


def _members(rows: Sequence[dict[str, Any]]) -> str:
    said: dict[str, list[str]] = {}
    for row in rows:
        side = f" {row['side']}" if row["side"] else ""
        said.setdefault(f"{row['role']}{side}", []).append(code(local(row["feature"])))
    return "; ".join(f"{for_markdown(role)}: {', '.join(names)}" for role, names in said.items())


def _shown(value: float | None) -> str:
    if value is None:
        return NOTHING
    return count(value) if float(value).is_integer() else f"{value:.2f}"
