"""The proof that changes are in a database: what they concern, counted before and after.

The engine writes its pages in the background and only logs it when that fails, on a full disk for
one: without counting again, half a model could pass for a whole one. Counted is what the changes
concern, so that the next network takes no longer where many are: what lies along the index between
the first and the last id, what joins these nodes from either end, and the records that came last.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.stores.changes import Changes
from circuitkb.stores.embedded.bulk import check_values, lost
from circuitkb.stores.embedded.read_only import Graph, ReadOnlyGraph

_DEARER = 3
"""How much longer a record takes from the end of its kind than in the order of the file."""


class Total:
    """How much of each kind there is, and which arrays came, while changes are made.

    Parameters
    ----------
    known
        How much of each kind there was when the state was made from which the changes start; {}
        for none at all, None where an older version made it, and all is counted.
    """

    def __init__(self, known: Mapping[str, int] | None) -> None:
        self._counts = None if known is None else Counter(known)
        self.arrays: set[str] = set()
        """Files of arrays that the changes bring, as ``kernels/NAME``."""

    def add(self, changes: Changes) -> None:
        """Count some more changes."""
        self.arrays |= {f"{kind}/{name}" for kind, _, name, _ in changes.files()}
        if self._counts is not None:
            self._counts += added(changes)

    def before(self, kind: str) -> int | None:
        """Return how much of a kind there is so far, if known."""
        return None if self._counts is None else self._counts[kind]

    def counts(self, written: Path) -> dict[str, int]:
        """Return how much of each kind there must be in what was written."""
        if self._counts is not None:
            return dict(self._counts)
        with closing(ReadOnlyGraph(written, timeout=None)) as after:
            return {
                kind: after.count(f"SELECT count(*) AS n FROM `{kind}`")
                for kind in [n.label for n in NODES] + [r.name for r in RELATIONS]
            }


def added(changes: Changes) -> Counter[str]:
    """Return how many nodes and relations of each kind changes bring."""
    found = Counter({label: table.num_rows for label, table in changes.nodes.items()})
    for item in changes.relations:
        found[item.name] += item.table.num_rows
    return found


class Expected:
    """What must be in the database once changes are.

    Parameters
    ----------
    changes
        Not made yet.
    before
        The graph without them.
    total
        What is known of how much there is in it.
    """

    def __init__(self, changes: Changes, before: Graph, total: Total) -> None:
        self._updates = changes.updates
        concerned: defaultdict[str, list[tuple[str, pa.ChunkedArray]]] = defaultdict(list)
        for label, table in changes.nodes.items():
            concerned[label].append(("count(*)", table["id"]))
        for item in changes.relations:  # not in Cypher, which gathers them in memory
            ends = item.table["source"], item.table["target"]
            concerned[item.source_label].append((f"sum(outE('{item.name}').size())", ends[0]))
            concerned[item.target_label].append((f"sum(inE('{item.name}').size())", ends[1]))
        self._ranges = [_Range.before(label, items, before) for label, items in concerned.items()]
        self._records = [
            _Records.before(kind, more, before, total.before(kind))
            for kind, more in added(changes).items()
        ]

    def check(self, written: Path) -> None:
        """Read back from the disk that all of it is there, each property with its value.

        Raises
        ------
        StoreError
            Something is missing.
        """
        with closing(ReadOnlyGraph(written, timeout=None)) as after:
            for label in self._ranges:
                label.check(after)
            for kind in self._records:
                kind.check(after)
            check_values(self._updates, after)


@dataclass(frozen=True)
class _Range:
    """What the nodes of a label between the first and the last of some ids must add up to."""

    label: str
    bounds: Mapping[str, str]
    sums: Mapping[str, int]

    @classmethod
    def before(
        cls, label: str, items: Sequence[tuple[str, pa.ChunkedArray]], graph: Graph
    ) -> _Range:
        """Count what there is before ``items`` are added: what counts them, and their ids."""
        ids = pa.chunked_array([chunk for _, each in items for chunk in each.chunks], pa.string())
        more: Counter[str] = Counter()
        for counted, each in items:
            more[counted] += len(each)
        bounds: dict[str, str] = {}
        # Of other letters it is not certain that the engine has them in the same order.
        if pc.all(pc.string_is_ascii(ids)).as_py():
            ends = pc.min_max(ids).as_py()
            bounds = {"first": ends["min"], "last": ends["max"]}
        there = cls(label, bounds, dict.fromkeys(more, 0)).found(graph)
        return cls(label, bounds, dict(Counter(there) + more))

    def found(self, graph: Graph) -> dict[str, int]:
        """Count in one pass."""
        listed = ", ".join(f"{counted} AS n{place}" for place, counted in enumerate(self.sums))
        where = " WHERE id BETWEEN :first AND :last" if self.bounds else ""
        text = f"SELECT {listed} FROM `{self.label}`{where}"
        row = next(graph.select(text, **self.bounds), {})
        return {counted: int(row.get(f"n{n}") or 0) for n, counted in enumerate(self.sums)}

    def check(self, graph: Graph) -> None:
        """Count again."""
        for counted, count in self.found(graph).items():
            if count != self.sums[counted]:
                raise lost(f"{counted} of {self.label}")


@dataclass(frozen=True)
class _Records:
    """How many records of a kind there must be, by themselves, in the order of the file."""

    kind: str
    more: int
    known: int
    newest: str | None
    """The engine's number of the last one before; None where it is cheaper to count all."""

    @classmethod
    def before(cls, kind: str, more: int, graph: Graph, known: int | None) -> _Records:
        if known is None:
            known = graph.count(_all(kind))
        newest = None
        if _DEARER * more < known:
            text = f"SELECT @rid AS record FROM `{kind}` ORDER BY @rid DESC LIMIT 1"
            newest = next((str(row["record"]) for row in graph.select(text)), None)
        return cls(kind, more, known, newest)

    def check(self, graph: Graph) -> None:
        """Count those that came last, and all where some of them lie elsewhere."""
        if self.newest is not None:
            text = (
                f"SELECT count(*) AS n FROM (SELECT {_column(self.kind)} AS whole, @rid AS record "
                f"FROM `{self.kind}` ORDER BY @rid DESC LIMIT {self.more}) "
                f"WHERE whole IS NOT NULL AND record > {self.newest}"
            )
            if graph.count(text) == self.more:
                return
        if graph.count(_all(self.kind)) != self.known + self.more:
            raise lost(self.kind)


def _all(kind: str) -> str:
    return f"SELECT count(*) AS n FROM `{kind}` WHERE {_column(kind)} IS NOT NULL"


def _column(kind: str) -> str:
    return "@in" if any(relation.name == kind for relation in RELATIONS) else "id"
