"""How much of each network is explained, by its kept coverage: what a report says first."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence

from circuitkb.coverage.coverage import KIND, Coverage
from circuitkb.coverage.curve import SHARES
from circuitkb.report.markdown import NOTHING, code, count, paragraph, share, table
from circuitkb.report.record import Record, local
from circuitkb.results.harmless_text import for_markdown
from circuitkb.stores.base import Store

_KEPT = (
    "MATCH (e:Evidence {kind: $kind})-[:ABOUT]->(m:Model {id: $model}) "
    "RETURN e.detail AS detail ORDER BY e.id"
)

_SHOWN = 5
"""Hidden units that are named of each model."""


def kept_coverage(store: Store, model: str) -> Coverage | None:
    """Return the coverage of a model that was measured last, if any was."""
    rows = store.read(_KEPT, {"kind": KIND, "model": model}, limit=None).rows
    found = [Coverage.of_dict(_own(json.loads(detail))) for (detail,) in rows]
    return max(found, key=lambda one: one.created, default=None)


def _own(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if name != "tool"}


def coverage_section(record: Record) -> list[str]:
    """Return how much of each model its explained edges give; nothing where it was not measured."""
    found = _measured(record)
    if not found:
        return []
    lines = paragraph(
        "**How much is explained.** Each network was run with its explained edges alone, all "
        "others at what they give on average. Faithfulness is the share of the lead of the "
        "network's own answer over its runner-up that is kept (0: that of the means, 1: that of "
        "the network); "
        "beside it as many edges in other orders, and random ones, which are the null. CPR and CMD "
        "are the areas under the curve over the share of edges, and between it and 1, as in MIB "
        "(Mueller and others, 2025)."
    )
    lines += table(("", *(code(one.model) for one in found)), _rows(found))
    for one in found:
        if one.units:
            named = ", ".join(code(local(unit["feature"])) for unit in one.units[:_SHOWN])
            lines += paragraph(
                f"What hides in the rest of {code(one.model)}: without label, circuit and "
                f"analogue, and with the largest first-order effect on its answers, are {named}."
            )
    return lines


def measured_again(record: Record) -> Iterator[str]:
    """Yield the commands that measure it again."""
    for one in _measured(record):
        words = ["circuitkb", "coverage", one.model]
        for option in ("circuits", "labels"):
            words += [word for name in one.settings[option] for word in (f"--{option}", name)]
        if one.settings["edges"] is not None:
            words += ["--edges", str(one.settings["edges"])]
        if one.settings["images"]:
            words += ["--images", "DIR"]
        words += ["--count", str(one.settings["count"]), "--seed", str(one.settings["seed"])]
        yield shlex.join(words)


def _measured(record: Record) -> list[Coverage]:
    found = (kept_coverage(record.store, model) for model in record.models)
    return [one for one in found if one is not None]


def _rows(found: Sequence[Coverage]) -> Iterator[Sequence[str]]:
    yield "explained", *(for_markdown(one.explained) for one in found)
    yield "shown", *(for_markdown(one.shown) for one in found)
    yield (
        "edges explained",
        *(
            NOTHING
            if one.chosen is None
            else f"{count(one.chosen['edges'])} of {count(one.edges)} "
            f"({share(one.chosen['edges'], one.edges)})"
            for one in found
        ),
    )
    yield (
        "... on a path of such edges from input to output",
        *(NOTHING if one.chosen is None else count(one.chosen["joined"]) for one in found),
    )
    yield (
        "**faithfulness of these edges alone**",
        *(
            NOTHING if one.chosen is None else f"**{one.chosen['faithfulness']:.3f}**"
            for one in found
        ),
    )
    yield "... answers alike", *(_of(one.chosen, "top1", ".1%") for one in found)
    for name in dict.fromkeys(name for one in found for name in one.equals):
        yield (
            f"... of as many: {name}",
            *(_of(one.equals.get(name), "faithfulness", ".3f") for one in found),
        )
    for name in dict.fromkeys(name for one in found for name in one.curves):
        yield (
            f"CPR, CMD: {name}",
            *(
                f"{one.curves[name]['cpr']:.3f}, {one.curves[name]['cmd']:.3f}"
                if name in one.curves
                else NOTHING
                for one in found
            ),
        )
    for place, part in ((SHARES.index(0.1), "10%"), (SHARES.index(0.5), "50%")):
        yield (
            f"faithfulness of the largest {part} of the weights",
            *(
                f"{one.curves['weight magnitude']['points'][place]['faithfulness']:.3f}"
                for one in found
            ),
        )


def _of(one: object, name: str, form: str) -> str:
    return format(one[name], form) if isinstance(one, dict) else NOTHING
