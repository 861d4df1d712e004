"""The proof that changes are in a database: what they concern, counted before and after.

The engine writes its pages in the background and only logs it when that fails, on a full disk for
one: without counting again, half a model could pass for a whole one. Counted is what the changes
concern, so that the next network takes no longer where many are: what lies along the index between
the first and the last id, what joins these nodes from either end, and the records that came last.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.stores.changes import Changes, Update
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
    """What must be in the database once changes are, which may come in several pieces.

    Parameters
    ----------
    total
        What is known of how much there is before.
    """

    def __init__(self, total: Total) -> None:
        self._total = total
        self._ranges: dict[str, _Range] = {}
        self._records: dict[str, _Records] = {}

    def add(self, changes: Changes, before: Graph) -> None:
        """Count what some changes will concern, in the graph as it is before they are made."""
        concerned: defaultdict[str, list[_Part]] = defaultdict(list)
        for label, table in changes.nodes.items():
            concerned[label].append(_Part(NODES_THEMSELVES, "", table["id"]))
        for item in changes.relations:
            concerned[item.source_label].append(_Part(OUT, item.name, item.table["source"]))
            concerned[item.target_label].append(_Part(IN, item.name, item.table["target"]))
        for label, parts in concerned.items():
            self._ranges.setdefault(label, _Range(label)).add(parts, before)
        for kind, more in added(changes).items():
            if kind in self._records:
                self._records[kind].more += more
            else:
                known = self._total.before(kind)
                self._records[kind] = _Records.before(kind, more, before, known)

    def check(self, written: Path) -> None:
        """Read back from the disk that all of it is there.

        Raises
        ------
        StoreError
            Something is missing.
        """
        with closing(ReadOnlyGraph(written, timeout=None)) as after:
            for label in self._ranges.values():
                label.check(after)
            for kind in self._records.values():
                kind.check(after)


def check_updates(updates: Sequence[Update], written: Path) -> None:
    """Read back from the disk that each property that was set has its value.

    Raises
    ------
    StoreError
        One has another.
    """
    if updates:
        with closing(ReadOnlyGraph(written, timeout=None)) as after:
            check_values(updates, after)


NODES_THEMSELVES, OUT, IN = "nodes", "outE", "inE"


class _Part(NamedTuple):
    """What changes bring: nodes by their ids, or relations of a name by the ids of one end."""

    counted: str
    name: str
    ids: pa.ChunkedArray


class _Range:
    """What the nodes of a label between the first and the last of some ids must add up to."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bounds: dict[str, str] | None = None
        """Where the ids lie; {} is anywhere, None as long as there are none."""
        self._names: dict[str, set[str]] = {OUT: set(), IN: set()}
        self._sums: Counter[str] = Counter()

    def add(self, parts: Sequence[_Part], graph: Graph) -> None:
        """Take what will come, and count what is there of it; what came before counts already."""
        named = {side: {p.name for p in parts if p.counted == side} for side in (OUT, IN)}
        unseen = {side: names - self._names[side] for side, names in named.items()}
        if self._bounds is not None and any(unseen.values()):
            self._sums += self._found(graph, *_between(self._bounds), unseen, nodes=False)
        for side, names in named.items():
            self._names[side] |= names
        self._widen(parts, graph)
        for part in parts:
            self._sums[part.counted] += len(part.ids)

    def _widen(self, parts: Sequence[_Part], graph: Graph) -> None:
        """Count what lies where nothing lay that came before."""
        ids = pa.chunked_array([chunk for p in parts for chunk in p.ids.chunks], pa.string())
        bounds: dict[str, str] = {}
        # Of other letters it is not certain that the engine has them in the same order.
        if self._bounds != {} and pc.all(pc.string_is_ascii(ids)).as_py():
            ends = pc.min_max(ids).as_py()
            bounds = {"first": ends["min"], "last": ends["max"]}
        there = self._bounds
        if there is None:
            more = self._found(graph, *_between(bounds), self._names)
        elif there == bounds:
            return
        elif not bounds:
            more = self._found(graph, "", {}, self._names)
            more.subtract(self._found(graph, *_between(there), self._names))
        else:
            bounds = {
                "first": min(bounds["first"], there["first"]),
                "last": max(bounds["last"], there["last"]),
            }
            more = Counter()
            below = {"first": bounds["first"], "to": there["first"]}
            above = {"to": there["last"], "last": bounds["last"]}
            if below["first"] < below["to"]:
                more += self._found(graph, " WHERE id >= :first AND id < :to", below, self._names)
            if above["to"] < above["last"]:
                more += self._found(graph, " WHERE id > :to AND id <= :last", above, self._names)
        self._sums.update(more)
        self._bounds = bounds

    def _found(
        self,
        graph: Graph,
        where: str,
        bound: Mapping[str, str],
        names: Mapping[str, Collection[str]],
        *,
        nodes: bool = True,
    ) -> Counter[str]:
        """Count in one pass, and all relations of a direction at once: each size is dear."""
        columns = ["count(*) AS nodes"] if nodes else []
        for side, own in names.items():
            if own:
                listed = ", ".join(f"'{name}'" for name in sorted(own))
                columns.append(f"sum({side}({listed}).size()) AS {side}")  # Cypher gathers them
        text = f"SELECT {', '.join(columns)} FROM `{self._label}`{where}"
        row = next(graph.select(text, **bound), {})
        return Counter({name: int(value or 0) for name, value in row.items()})

    def check(self, graph: Graph) -> None:
        """Count again."""
        found = self._found(graph, *_between(self._bounds or {}), self._names)
        for counted, count in self._sums.items():
            if found[counted] != count:
                raise lost(f"{counted} of {self._label}")


def _between(bounds: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    return (" WHERE id BETWEEN :first AND :last" if bounds else "", bounds)


@dataclass
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
        if self.newest is not None and _DEARER * self.more < self.known:
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
