"""What several networks have, as rows of the graph: one evidence for each network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from circuitkb.matching.several import Count, Several
from circuitkb.results.match_reports import several_kind
from circuitkb.schema.ids import canonical_json, content_hash
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

VERSION = "1"
METHOD = f"analogous two by two, version {VERSION}"

SHUFFLED = "the same with the weights of this model shuffled"
EXCHANGED = "partners of this model exchanged within its layers, for each other model anew"

_NAMED = 20
"""Choices of networks that the evidence names, those that share most."""

Row = dict[str, Any]


def several_rows(kind: str, found: Several, fingerprints: Mapping[str, str]) -> GraphRows:
    """Return one ``Evidence`` for each network, about all of them.

    Its ``value`` is how many sets of three networks or more hold a thing of this network; role
    ``network`` leads to it, ``others`` to the rest.

    Parameters
    ----------
    kind
        That of the matches of two networks.
    found
        What is in several.
    fingerprints
        Of the networks, by name.
    """
    evidence = [_evidence(several_kind(kind), found, name, fingerprints) for name in found.networks]
    about = [
        {
            "source": row["id"],
            "target": other,
            "role": "network" if other == network else "others",
        }
        for row, network in zip(evidence, found.networks, strict=True)
        for other in found.networks
    ]
    return GraphRows(
        nodes={"Evidence": node_table("Evidence", rows_of(evidence))},
        relations=[
            Relations("ABOUT", "Evidence", "Model", relation_table("ABOUT", rows_of(about)))
        ],
    )


def _evidence(kind: str, found: Several, network: str, fingerprints: Mapping[str, str]) -> Row:
    counts = [one for one in found.counts if one.network == network]
    first = counts[0]
    by_shuffled = first.shuffled is not None and first.shuffled >= first.exchanged
    key = [kind, fingerprints[network], sorted(fingerprints.values()), METHOD]
    detail = {
        "models": list(found.networks),
        "at_least": [_said(one) for one in counts],
        "draws": found.draws,
        "joined": {str(size): count for size, count in found.joined.items()},
        "joined_split": {str(size): count for size, count in found.split.items()},
        "joined_exchanged": {
            str(size): round(mean, 2) for size, mean in found.joined_exchanged.items()
        },
        "choices": [
            {"models": list(models), "sets": count}
            for models, count in found.shared.items()
            if network in models
        ][:_NAMED],
    }
    return {
        "id": f"{kind}-{content_hash(key)}",
        "kind": kind,
        "stance": "supports" if first.q <= 0.05 else "neutral",
        "value": float(first.found),
        "null_mean": first.null_mean,
        "null_count": 1 if by_shuffled else found.draws,
        "null_method": SHUFFLED if by_shuffled else EXCHANGED,
        "p": first.p,
        "q": first.q,
        "tested": found.pairs,
        "method": METHOD,
        "version": VERSION,
        "seed": found.seed,
        "detail": canonical_json(detail),
    }


def _said(count: Count) -> Row:
    return {
        "models": count.at_least,
        "found": count.found,
        "shuffled": count.shuffled,
        "exchanged": round(count.exchanged, 2),
        "exchanged_max": count.exchanged_max,
        "p": round(count.p, 4),
        "q": round(count.q, 4),
    }
