"""Annotations and claims in a copy: where both stores know one, what is said in either is kept.

So a copy may arrive as more than it was: retracted in the target, or with another record under its
id. That is no difference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pyarrow as pa

from circuitkb.moving.copies.digests import Found, Kind
from circuitkb.moving.copies.snapshot import Snapshot
from circuitkb.schema.records import RECORDED, STATES, date_order, together
from circuitkb.stores.base import Store

_PAGE = 5_000

_HELD = """\
UNWIND $ids AS id MATCH (a:{label} {{id: id}})
RETURN a.id AS id, a.state AS state, a.records AS records"""


def accept_records(snapshot: Snapshot, held: Mapping[Kind, Found], target: Store) -> None:
    """Count as arrived that of which the target holds every record, and no earlier state."""
    for label in RECORDED:
        kind = Kind(label)
        if kind in held:
            _accept(snapshot, kind, held[kind], target)


def _accept(snapshot: Snapshot, kind: Kind, found: Found, target: Store) -> None:
    digest = snapshot.digests[kind]
    differ = found.present & ~found.same
    if not differ.any():
        return
    for table in snapshot.nodes(kind.name, ["id", "state", "records"], None):
        rows = table.filter(pa.array(differ[digest.find(table)]))
        for start in range(0, rows.num_rows, _PAGE):
            page = rows.slice(start, _PAGE)
            there = {
                id: (state, records)
                for id, state, records in target.read(
                    _HELD.format(label=kind.name), {"ids": page["id"].to_pylist()}, limit=None
                ).rows
            }
            arrived = [
                _arrived(row["state"], row["records"], *there.get(row["id"], (None, None)))
                for row in page.to_pylist()
            ]
            digest.accept(page.filter(pa.array(arrived, pa.bool_())), found)


def _arrived(
    state: str | None, records: list[str] | None, there_state: str | None, there: list[str] | None
) -> bool:
    if not records or not there or state is None or there_state is None:
        return False
    if STATES.index(there_state) < STATES.index(state):
        return False
    held = together(json.loads(text) for text in there)
    return all(
        body in held and date_order(held[body]["created"]) <= date_order(record["created"])
        for body, record in together(json.loads(text) for text in records).items()
    )
