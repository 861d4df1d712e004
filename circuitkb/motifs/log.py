"""What a search leaves behind besides circuits: an Import that says what could be tested."""

from __future__ import annotations

import json
from typing import Any

from circuitkb.results.reports import ModelFound
from circuitkb.schema.provenance import import_node
from circuitkb.stores.base import Store


def record(motif: str, found: ModelFound, *, of: str, seed: int, seconds: float) -> Any:
    """Return the table of one Import; the last search for the same thing in a model counts."""
    summary = {
        "motif": motif,
        "of": of,
        "by": found.by,
        "tested": found.tested,
        "not_testable": found.not_testable,
        "why": found.why,
        "circuits": found.circuits,
        "groups": found.groups,
        "null": dict(found.null),
        "seed": seed,
    }
    return import_node(
        f"find:{what(motif, of)}:{found.model}",
        "find",
        source=motif,
        model=found.model,
        seconds=seconds,
        summary=summary,
    )


def what(motif: str, of: str) -> str:
    """Return what was searched for, in words.

    Examples
    --------
    >>> what("union", "mirror left-right")
    'union, mirror left-right'
    """
    return f"{motif}, {of}"


def searches(store: Store, motif: str, of: str) -> dict[str, ModelFound]:
    """Return what was written of the searches for a motif, by model."""
    rows = store.read(
        "MATCH (i:Import {kind: 'find'}) WHERE i.source = $motif "
        "RETURN i.model AS model, i.summary AS summary ORDER BY model",
        {"motif": motif},
        limit=None,
    ).rows
    done = {}
    for model, text in rows:
        summary = json.loads(text)
        if summary["of"] != of:
            continue
        done[model] = ModelFound(
            model,
            summary.get("by", "kernels"),
            summary["tested"],
            summary["not_testable"],
            summary["why"],
            summary["circuits"],
            summary["groups"],
            summary["null"],
        )
    return done
