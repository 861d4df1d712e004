"""Claims into the graph, so that the order in which they come does not matter.

What stands under an id follows from the set of records that ever came under it: of two that differ
in their date alone the earlier counts; two that state different things contest the id, which then
counts as undecided whatever its trials say. Nothing is ever taken back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circuitkb.schema.records import Record, body_of, core_of, date_order, texts_of, together
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of
from circuitkb.stores.stored_graph import StoredGraph

LIVE, CONTESTED = "live", "contested"

_STORED = ("id", "text", "state", "standing", "parts", "records")


@dataclass
class ClaimCounts:
    """What became of some claims: ids that were not there, that were, that another one contests."""

    new: int = 0
    known: int = 0
    contested: tuple[str, ...] = ()


class ClaimMerge:
    """Checked claims on their way into a graph; see :class:`circuitkb.stores.base.Merge`.

    Parameters
    ----------
    records
        As :func:`circuitkb.claims.reading.read_claims` gives them, checked, with their ids.
    further
        Rows to be written with them: trials of a bundle.
    """

    def __init__(self, records: Sequence[Record], further: GraphRows | None = None) -> None:
        self._records = records
        self._further = further or GraphRows()
        self.counts = ClaimCounts()

    @property
    def pieces(self) -> int:
        """One: people write claims."""
        return 1

    def rows(self, graph: StoredGraph, first: int, last: int) -> GraphRows:
        """Return what is new or different."""
        stored = _every(graph)
        given: dict[str, list[Record]] = {}
        for record in self._records:
            given.setdefault(record["id"], []).append(record)
        nodes, contested = [], []
        for id, records in given.items():
            row, changed = _merged(id, records, stored.get(id))
            if row["state"] == CONTESTED:
                contested.append(id)
            if changed:
                nodes.append(row)
        self.counts = ClaimCounts(
            new=sum(id not in stored for id in given),
            known=sum(id in stored for id in given),
            contested=tuple(contested),
        )
        parts = {id: tuple(row["parts"] or ()) for id, row in stored.items()}
        parts |= {row["id"]: tuple(row["parts"]) for row in nodes}
        tables = {"Claim": node_table("Claim", rows_of(nodes))} if nodes else {}
        relations = list(_part_of(parts, set(given)))
        return GraphRows(
            nodes={**tables, **self._further.nodes},
            relations=[*relations, *self._further.relations],
        )


def _every(graph: StoredGraph) -> dict[str, dict[str, Any]]:
    rows = (row for table in graph.all_nodes("Claim", _STORED) for row in table.to_pylist())
    return {row["id"]: row for row in rows}


def _merged(
    id: str, records: Iterable[Record], stored: Mapping[str, Any] | None
) -> tuple[dict[str, Any], bool]:
    """Return the node of an id, and whether it is another one than is stored."""
    there = [json.loads(text) for text in (stored or {}).get("records") or ()]
    whole = together([*there, *records])
    texts = texts_of(whole.values())
    contested = len({core_of(record) for record in whole.values()}) > 1
    # What is shown must not depend on the order in which records came.
    first = min(whole.values(), key=lambda one: (date_order(one["created"]), body_of(one)))
    parts = sorted({part for record in whole.values() for part in record.get("parts", ())})
    source = first["source"]
    node = {
        "id": id,
        "text": first["statement"],
        "aspect": first["aspect"],
        "subject": first.get("subject"),
        "said_of": first.get("said_of"),
        "test": first.get("prediction", {}).get("test"),
        "standing": (stored or {}).get("standing") or "untested",
        "refuted_by": first["refuted_by"],
        "source": f"{source['title']}, {source['section']} ({source['year']})",
        "created": first["created"],
        "license": first["license"],
        "state": CONTESTED if contested else LIVE,
        "parts": parts,
        "records": texts,
    }
    return node, stored is None or texts != stored["records"]


def _part_of(parts: Mapping[str, Sequence[str]], touched: set[str]) -> Iterable[Relations]:
    """Join what came to what it is part of, and to its own parts, as far as both are here."""
    pairs = [
        {"source": part, "target": whole}
        for whole, names in parts.items()
        for part in names
        if part in parts and not touched.isdisjoint((part, whole))
    ]
    if pairs:
        yield Relations("PART_OF", "Claim", "Claim", relation_table("PART_OF", rows_of(pairs)))
