"""Circuits as records that JSON can hold: what ``circuitkb circuits --format json`` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from circuitkb.stores.base import Store

NULLS = """\
MATCH (e:Evidence)-[:ABOUT|SUPPORTS|REFUTES]->(c:Circuit) WHERE c.id IN $circuits
WITH DISTINCT c, e
RETURN c.id AS circuit, e.kind AS kind, e.stance AS stance, e.value AS value,
  e.null_mean AS mean, e.null_count AS count, e.null_method AS method, e.p AS p, e.q AS q,
  e.tested AS tested, e.id AS evidence
ORDER BY circuit, kind, evidence"""


_PAIR = ("shape", "asymmetry", "pair_targets", "pair_null", "pair_p", "pair_q")


def circuit_records(store: Store, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the records of rows of a list of circuits, each measure with its null."""
    rows = list(rows)
    answer = store.read(NULLS, {"circuits": [row["circuit"] for row in rows]}, limit=None)
    nulls: dict[str, list[dict[str, Any]]] = {}
    for figures in answer.to_dicts():
        nulls.setdefault(figures.pop("circuit"), []).append(figures)
    return [
        {
            "id": row["circuit"],
            "motif": row["motif"],
            "model": row["model"],
            "origin": row["origin"],
            "group": row["group"],
            **{name: row[name] for name in _PAIR},
            "score": row["score"],
            "stability": row["stability"],
            "members": row["members"],
            "nulls": nulls.get(row["circuit"], []),
            "p": row["p"],
            "q": row["q"],
            "trial": row["trial"],
            "trial_q": row["trial_q"],
            "published_as": row["published_as"],
            "claim": row["claim"],
        }
        for row in rows
    ]
