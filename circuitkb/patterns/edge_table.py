"""Every weight of some models as a table of columns, ranked as the graph ranks them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circuitkb.loaders.composition.ranking import RankedEdges, rank_inputs
from circuitkb.loaders.composition.summaries import kernel_statistics
from circuitkb.schema.kernels import Connection, by_target

STATISTICS = (
    "sum",
    "positive",
    "negative",
    "l2",
    "max_abs",
    "positive_dy",
    "positive_dx",
    "negative_dy",
    "negative_dx",
)
"""What can be read off a kernel beside its rank and l1."""

TEXTS = ("path", "connection", "origin")
"""What a connection says of all its kernels."""

COLUMNS = ("rank", "l1", *STATISTICS, *TEXTS)
"""Properties of a weight that every weight has, kept by the graph or not."""

_BLOCK = 1 << 22
"""Kernel values that are summarised at a time."""

_Numbers = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Numbering:
    """Features as whole numbers, in the order of their ids as text.

    Attributes
    ----------
    ids
        Ids, sorted: the place of an id is the feature's number.
    models
        Model of each, as a place in ``names``.
    names
        Names of the models.
    """

    ids: pa.Array
    models: _Numbers
    names: tuple[str, ...]
    _places: Mapping[tuple[str, str], _Numbers]

    @classmethod
    def of(cls, connections: Mapping[str, Sequence[Connection]]) -> Numbering:
        """Return the numbering of all units that kernels join, by model."""
        units: dict[tuple[str, str], list[NDArray[Any]]] = {}
        for model, parts in connections.items():
            for part in parts:
                units.setdefault((model, part.source), []).append(np.unique(part.source_units))
                units.setdefault((model, part.target), []).append(np.unique(part.target_units))
        found = {key: np.unique(np.concatenate(parts)) for key, parts in units.items()}
        ids = [f"{m}/{layer}:{u}" for (m, layer), own in found.items() for u in own.tolist()]
        order = sorted(range(len(ids)), key=ids.__getitem__)
        number = np.empty(len(ids), np.int32)
        number[order] = np.arange(len(ids), dtype=np.int32)
        names = tuple(connections)
        models = np.concatenate(
            [
                *(np.full(len(own), names.index(m), np.int32) for (m, _), own in found.items()),
                np.empty(0, np.int32),
            ]
        )
        places, start = {}, 0
        for key, own in found.items():
            place = np.full(int(own.max(initial=-1)) + 1, -1, np.int32)
            place[own] = number[start : start + len(own)]
            places[key], start = place, start + len(own)
        sorted_ids = pa.array([ids[i] for i in order], pa.string())
        return cls(sorted_ids, models[order] if order else models, names, places)

    def __len__(self) -> int:
        return len(self.ids)

    def numbers(self, model: str, layer: str) -> _Numbers:
        """Return the number of each unit of a layer, -1 where there is none."""
        return self._places[model, layer]

    def within(self, model: str | None, layer: str | None) -> _Numbers:
        """Return the numbers of the units of a model or of a layer; None stands for any."""
        chosen = [
            numbers[numbers >= 0]
            for (m, y), numbers in self._places.items()
            if model in (None, m) and layer in (None, y)
        ]
        return np.sort(np.concatenate([*chosen, np.empty(0, np.int32)]))

    def look_up(self, ids: Sequence[str]) -> _Numbers:
        """Return the numbers of those ids that have one, in order."""
        numbers: _Numbers = np.sort(self.places(ids).drop_null().to_numpy())
        return numbers

    def places(self, ids: Sequence[str]) -> pa.Array:
        """Return the number of each id, or null."""
        import pyarrow.compute as pc

        return pc.index_in(pa.array(ids, pa.string()), value_set=self.ids)


@dataclass(frozen=True, eq=False)
class EdgeTable:
    """Weights of one model, by target layer, target and rank.

    Attributes
    ----------
    table
        Columns ``source`` and ``target`` (numbers), ``rank``, ``l1``, and those asked for.
    edges
        Weights that the model has in all, in the table or not.
    parallel
        Whether two of them may join the same features.
    max_rank
        Rank up to which the table has them; None for all.
    """

    table: pa.Table
    edges: int
    parallel: bool
    max_rank: int | None

    def has(self, columns: Collection[str], max_rank: int | None) -> bool:
        """Whether the table has these columns, and edges up to this rank."""
        enough = self.max_rank is None or (max_rank is not None and max_rank <= self.max_rank)
        return enough and set(columns) <= set(self.table.column_names)


def edge_table(
    connections: Sequence[Connection],
    numbering: Numbering,
    model: str,
    *,
    columns: Collection[str] = (),
    max_rank: int | None = None,
) -> EdgeTable:
    """Return the weights of a model, or those up to a rank.

    Memory: 16 bytes for each weight and 4 for each further column, and as much again for the
    largest layer while it is ranked.

    Parameters
    ----------
    connections
        All connections of the model.
    numbering
        Of a set of models that has this one.
    columns
        Properties of a weight to have beside its rank and l1, from :data:`COLUMNS`.
    max_rank
        Rank up to which edges are wanted; None for all.

    Examples
    --------
    >>> units = np.array([[0, 1]], np.int32)
    >>> kernel = np.array([[5, -1], [0, 2]], np.float32).reshape(1, 2, 2, 1, 1)
    >>> c = Connection("c0", "a", "b", "direct", units, units, kernel)
    >>> found = edge_table([c], Numbering.of({"m": [c]}), "m", columns=["sum", "path"])
    >>> found.table.select(["source", "target", "rank", "sum", "path"]).to_pylist()[1]
    {'source': 1, 'target': 2, 'rank': 2, 'sum': -1.0, 'path': 'direct'}
    """
    wanted = [name for name in COLUMNS if name in set(columns) - {"rank", "l1"}]
    tables, edges = [], 0
    for target, into in by_target(connections).items():
        found = rank_inputs(into, max_rank)
        edges += int(found.totals["inputs"].sum())
        sources = np.empty(len(found.rank), np.int32)
        for place, connection in enumerate(into):
            here = found.connection == place
            numbers = numbering.numbers(model, connection.source)
            sources[here] = numbers[found.source_unit[here]]
        tables.append(
            pa.table(
                {
                    "source": sources,
                    "target": numbering.numbers(model, target)[found.target_unit],
                    "rank": found.rank.astype(np.int32),
                    "l1": found.l1,
                    **_further(into, found, wanted),
                }
            )
        )
    pairs = [(connection.source, connection.target) for connection in connections]
    parallel = len(set(pairs)) < len(pairs) or any(not _plain(c) for c in connections)
    table = pa.concat_tables(tables) if tables else _empty(wanted)
    return EdgeTable(table, edges, parallel, max_rank)


def _plain(connection: Connection) -> bool:
    """Whether no unit stands in it twice, so that it joins no features twice."""
    return all(
        len(np.unique(units)) == units.size
        for units in (connection.source_units, connection.target_units)
    )


def _further(
    into: Sequence[Connection], edges: RankedEdges, wanted: Sequence[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in TEXTS:
        if name in wanted:
            values = pa.array([getattr(c, "key" if name == "connection" else name) for c in into])
            found[name] = pa.DictionaryArray.from_arrays(
                pa.array(edges.connection, pa.int32()), values.cast(pa.string())
            ).cast(pa.string())
    statistics = [name for name in wanted if name in STATISTICS]
    if not statistics:
        return found
    found.update((name, np.empty(len(edges.rank), np.float32)) for name in statistics)
    for place, connection in enumerate(into):
        here = np.flatnonzero(edges.connection == place)
        groups, out, inputs, *window = connection.kernel.shape
        flat = connection.kernel.reshape(groups * out, inputs, *window)
        step = max(1, _BLOCK // max(1, int(np.prod(window))))
        for start in range(0, len(here), step):
            part = here[start : start + step]
            read = kernel_statistics(flat[edges.row[part], edges.column[part]])
            for name in statistics:
                found[name][part] = read[name]
    for name in statistics:
        if name.endswith(("_dy", "_dx")):  # a centroid without mass has no value
            found[name] = pa.array(found[name], from_pandas=True)
    return found


def _empty(wanted: Sequence[str]) -> pa.Table:
    kinds = {"source": pa.int32(), "target": pa.int32(), "rank": pa.int32(), "l1": pa.float32()}
    kinds |= {name: pa.string() if name in TEXTS else pa.float32() for name in wanted}
    return pa.schema(list(kinds.items())).empty_table()
