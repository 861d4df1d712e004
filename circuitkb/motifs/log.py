"""What a search leaves behind besides circuits: an Import that says what could be tested."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from circuitkb.results.reports import ModelFound
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.motifs.findings import SearchFindings


def record(findings: SearchFindings, found: ModelFound) -> Any:
    """Return the table of one Import; the last search for the same thing in a model counts."""
    from circuitkb.schema.provenance import import_node

    chance = findings.chance
    motif, of = findings.motif.name, findings.motif.of.name
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
        "shapes": dict(found.shapes),
        "tried": found.tried,
        "held": found.held,
        "untried": found.untried,
        "seed": findings.seed,
        "search": findings.search,
        **findings.more,
    }
    return import_node(
        import_id(motif, of, found.model),
        "find",
        source=motif,
        model=found.model,
        seconds=findings.seconds,
        summary=summary,
        of=of,
        tested=found.tested,
        found=found.circuits,
        q=findings.q_max,
        hits=chance.hits if chance else findings.hits,
        null_mean=chance.mean if chance else None,
        null_count=chance.draws if chance else None,
        null_method=chance.control if chance else None,
        p=chance.p if chance else None,
    )


def import_id(motif: str, of: str, model: str) -> str:
    """Return the id of the Import of a search.

    Examples
    --------
    >>> import_id("opposition", "mirror up-down", "alexnet")
    'find:opposition, mirror up-down:alexnet'
    """
    return f"find:{what(motif, of)}:{model}"


def what(motif: str, of: str) -> str:
    """Return what was searched for, in words.

    Examples
    --------
    >>> what("opposition", "mirror up-down")
    'opposition, mirror up-down'
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
            motif,
            summary.get("shapes", {}),
            summary.get("tried", 0),
            summary.get("held", 0),
            summary.get("untried", ""),
            summary.get("at", "target"),
        )
    return done
