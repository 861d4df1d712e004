"""Changes into a database that nobody else sees yet, and the proof that they arrived."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.schema.errors import StoreError
from circuitkb.stores.changes import Changes, Update
from circuitkb.stores.embedded.edge_loading import load_relations, shortcut
from circuitkb.stores.embedded.engine import open_for_writing
from circuitkb.stores.embedded.read_only import Graph, ReadOnlyGraph
from circuitkb.stores.property_rows import property_rows
from circuitkb.stores.property_text import property_text

_UPDATES_IN_A_COMMIT = 20_000
_ROWS_IN_A_COMMIT = 1_000  # larger ones take longer to join nodes that have many relations
_RELATIONS = {relation.name: relation for relation in RELATIONS}
_EDGES_BUFFERED = 20_000  # with 100,000 the engine takes a quarter more time, and memory


def apply(changes: Changes, graph: Path) -> None:
    """Make the changes in the database in ``graph``."""
    with closing(open_for_writing(graph)) as database:
        _add(changes, database)
        _update(changes, database)


def _add(changes: Changes, database: Any) -> None:
    edges = sum(item.table.num_rows for item in changes.relations)
    if not (edges or changes.nodes):
        return
    # Without the engine's write-ahead log: the whole database is thrown away if anything fails.
    with database.graph_batch(
        expected_edge_count=edges,
        batch_size=_EDGES_BUFFERED,
        commit_every=_ROWS_IN_A_COMMIT,
        use_wal=False,
        light_edges=False,
        bidirectional=True,
    ) as batch:
        records = {label: dict(known) for label, known in changes.records.items()}
        for label, table in changes.nodes.items():
            names = table["id"].to_pylist()
            made = _load_nodes(batch, label, table)
            records.setdefault(label, {}).update(zip(names, made, strict=True))
        load_relations(batch, changes.relations, records)


def _load_nodes(batch: Any, label: str, table: pa.Table) -> list[str]:
    """Add nodes, a transaction's worth at a time; return the engine's number of each."""
    send = shortcut(batch, "create_vertices")
    made: list[str] = []
    for start in range(0, table.num_rows, _ROWS_IN_A_COMMIT):
        rows = table.slice(start, _ROWS_IN_A_COMMIT)
        if send is None:
            made += batch.create_vertices(label, property_rows(rows))
        else:
            text = f'{{"type": {json.dumps(label)}, "rows": {property_text(rows)}}}'
            made += send(text)["rids"]
    return made


def _update(changes: Changes, database: Any) -> None:
    if not changes.updates:
        return
    database.begin()
    for done, one in enumerate(changes.updates, 1):
        update(one, database)
        if done % _UPDATES_IN_A_COMMIT == 0:
            database.commit()
            database.begin()
    database.commit()


def update(one: Update, database: Any) -> None:
    """Set properties in a transaction that is open."""
    text = f"UPDATE `{one.type}` MERGE :given WHERE @rid = :record"
    bound = {"given": one.properties, "record": one.record}
    database.command("sql", text, bound).close()


class Expected:
    """How much of everything must be in the database once all changes are.

    The engine writes its pages in the background and only logs it when that fails, on a full disk
    for one: without counting again, half a model could pass for a whole one.

    Parameters
    ----------
    known
        How much of each kind there was when the state was made from which the changes start; {}
        for none at all, None where an older version made it, and all is counted.
    """

    def __init__(self, known: Mapping[str, int] | None = None) -> None:
        self._known = known
        self._counts: dict[str, int] = {}
        self._added: dict[str, int] = {}
        self._kinds: Counter[str] = Counter()
        self.arrays: set[str] = set()
        """Files of arrays that the changes bring, as ``kernels/NAME``."""

    def add(self, changes: Changes, before: Graph) -> None:
        """Expect some more changes; ``before`` is the graph without them."""
        self.arrays |= {f"kernels/{name}" for name, _ in changes.kernels.values()}
        self.arrays |= {f"responses/{name}" for name, _ in changes.responses.values()}
        self._kinds.update({label: table.num_rows for label, table in changes.nodes.items()})
        for item in changes.relations:
            self._kinds[item.name] += item.table.num_rows
        for label, table in changes.nodes.items():
            # Once along the records, once along the index.
            for where in ("id IS NOT NULL", "id >= ''"):
                text = f"SELECT count(*) AS n FROM `{label}` WHERE {where}"
                self._expect(text, table.num_rows, before, label)
        for item in changes.relations:
            # From either end, and by themselves. Not in Cypher, which gathers them in memory.
            for text in (
                f"SELECT sum(outE('{item.name}').size()) AS n FROM `{item.source_label}`",
                f"SELECT sum(inE('{item.name}').size()) AS n FROM `{item.target_label}`",
                f"SELECT count(*) AS n FROM `{item.name}` WHERE @in IS NOT NULL",
            ):
                alone = len(_RELATIONS[item.name].endpoints) == 1
                self._expect(text, item.table.num_rows, before, item.name if alone else None)

    def _expect(self, text: str, added: int, before: Graph, kind: str | None) -> None:
        """Expect more of what ``text`` counts: all of a kind, or a part that nobody wrote down."""
        if text not in self._counts:  # what earlier changes added to it is 0, or it would be there
            known = None if self._known is None or kind is None else self._known.get(kind, 0)
            self._counts[text] = before.count(text) if known is None else known
        self._added[text] = self._added.get(text, 0) + added

    def counts(self, before: Mapping[str, int] | None, written: Path) -> dict[str, int]:
        """Return how much of each kind there must be, where there was ``before``.

        Where that is not known, the state is one of an older version, and is counted.
        """
        if before is not None:
            return dict(self._kinds + Counter(before))
        with closing(ReadOnlyGraph(written, timeout=None)) as after:
            return {
                kind: after.count(f"SELECT count(*) AS n FROM `{kind}`")
                for kind in [n.label for n in NODES] + [r.name for r in RELATIONS]
            }

    def check(self, written: Path) -> None:
        """Read back from the disk that all of it is there.

        Raises
        ------
        StoreError
            Something is missing.
        """
        with closing(ReadOnlyGraph(written, timeout=None)) as after:
            for text, count in self._counts.items():
                if after.count(text) != count + self._added[text]:
                    raise lost(text)


def check_updates(changes: Changes, written: Path) -> None:
    """Read back from the disk that every property has the value that it was given.

    Raises
    ------
    StoreError
        One has another.
    """
    if not changes.updates:
        return
    with closing(ReadOnlyGraph(written, timeout=None)) as after:
        check_values(changes.updates, after)


def check_values(updates: Sequence[Update], graph: Graph) -> None:
    """Ask a graph whether every property has the value that it was given; likewise."""
    alike: dict[tuple[str, ...], dict[str, Update]] = {}
    for one in updates:
        alike.setdefault((one.type, *one.properties), {})[one.record] = one
    for (kind, *names), alone in alike.items():
        stored = graph.values_of(alone, names)
        for record, one in alone.items():
            if stored.get(record) != one.properties:
                raise lost(kind)


def lost(what: str) -> StoreError:
    """Return the error of rows that the engine took and did not write."""
    return StoreError(
        f"The engine did not bring every row to the disk ({what}); nothing was changed. "
        f"Its log tells why, if ARCADEDB_LOG_DIR names a directory for it."
    )
