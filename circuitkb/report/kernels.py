"""Unions found by kernels alone, as published ones: part of a section of a report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from circuitkb.report.markdown import (
    NOTHING,
    code,
    count,
    mean,
    paragraph,
    plural,
    probability,
    table,
)
from circuitkb.report.record import Record, Row, Step, local
from circuitkb.report.unions import searches
from circuitkb.results.harmless_text import for_markdown


def kernel_lines(record: Record, of: str) -> list[str]:
    """Return what was found by kernels in all models, with their null."""
    steps = searches(record, of, "kernels")
    if not steps:
        return []
    lines = paragraph(
        "By kernels alone: the kernels of the two cases into the target are mirror images. This "
        "cannot tell a union (either case suffices) from an assembly of mirrored parts."
    )
    found = {step.model: _targets(record, step) for step in steps}
    lines += table(("", *(code(step.model) for step in steps)), _rows(steps, found))
    for step in steps:
        lines += _one_model(step, found[step.model])
    return lines


def _targets(record: Record, step: Step) -> list[Row]:
    """Return the evidence of the targets that the search found."""
    rows = record.ask(
        "MATCH (e:Evidence {kind: 'mirrored-inputs', seed: $seed})-[:ABOUT {role: 'union'}]->"
        "(u:Feature) WHERE u.model = $model RETURN u.id AS target, e.value AS hits, "
        "e.null_mean AS null_mean, e.p AS p, e.q AS q, e.detail AS detail "
        "ORDER BY e.q, e.p, target, e.id",
        model=step.model,
        seed=step.summary["seed"],
    )
    parsed = [row | {"detail": json.loads(row["detail"])} for row in rows]
    return [row for row in parsed if row["detail"]["settings"]["of"] == step.summary["of"]]


def _rows(steps: Sequence[Step], found: dict[str, list[Row]]) -> Iterable[Sequence[str]]:
    said = [step.summary for step in steps]
    yield "units tested", *(count(one["tested"]) for one in said)
    yield "not testable", *(count(one["not_testable"]) for one in said)
    yield "... why", *(for_markdown(one["why"]) or NOTHING for one in said)
    yield "matching pairs among strongest inputs", *(count(one["null"]["hits"]) for one in said)
    yield (
        "... with all kernels shuffled, mean (max)",
        *(
            f"{mean(one['null']['shuffled_hits_mean'])} ({count(one['null']['shuffled_hits_max'])})"
            if "shuffled_hits_mean" in one["null"]
            else NOTHING
            for one in said
        ),
    )
    targets = [len({row["target"] for row in found[step.model]}) for step in steps]
    yield "**found: targets**", *(f"**{count(number)}**" for number in targets)
    yield "**found: circuits**", *(f"**{count(one['circuits'])}**" for one in said)
    yield (
        "tested and not found",
        *(count(one["tested"] - number) for one, number in zip(said, targets, strict=True)),
    )
    yield "seed", *(str(one["seed"]) for one in said)


def _one_model(step: Step, found: Sequence[Row]) -> list[str]:
    if not found:
        number = plural(step.summary["null"].get("hits", 0), "matching pair")
        return paragraph(f"{code(step.model)}: {number}, and no unit beats its null.")
    return table(
        ("target", "matching pairs", "by chance", "p", "q", "published as"),
        (
            (
                code(local(row["target"])),
                count(row["hits"]),
                mean(row["null_mean"]),
                probability(row["p"]),
                probability(row["q"]),
                ", ".join(f"{code(c)}" for c in sorted(row["detail"]["published_as"])) or NOTHING,
            )
            for row in found
        ),
    )
