"""One state of a store, or of some models in it, set down on the disk to copy from.

The source is read once, from beginning to end, so that what is copied is one state of it however
long the copy takes; what belongs to each model is then gathered from the disk, model by model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from circuitkb.moving.copies.digests import (
    BESIDE,
    KINDS,
    Digest,
    Kind,
    Marks,
    tables_of,
)
from circuitkb.schema.pictures import model_of
from circuitkb.schema.tables import GraphRows, Relations
from circuitkb.stores.arrays.array_files import ARRAY_KINDS, ArrayKind
from circuitkb.stores.arrays.formats import beside
from circuitkb.stores.belonging import OWNED, Ends, Part, belonging
from circuitkb.stores.stored_graph import model_property

_NOBODY = -1


class Snapshot:
    """Rows in Parquet files, one for each kind, model and piece; arrays stay where they are mapped.

    Parameters
    ----------
    folder
        An empty folder, which whoever made it removes.

    Attributes
    ----------
    digests
        The hashes of all rows, by kind.
    models
        Names of the models, in order.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[tuple[Kind, int], list[Path]] = {}
        self._owners: dict[str, list[tuple[pa.ChunkedArray, NDArray[np.int64]]]] = {}
        self._numbers: dict[str, int] = {}
        self._beside: dict[ArrayKind, dict[str, Any]] = {kind: {} for kind in ARRAY_KINDS}
        self.digests: dict[Kind, Digest] = {kind: Digest(kind) for kind in KINDS}

    @property
    def models(self) -> list[str]:
        """Names of the models, in order."""
        return sorted(self._numbers)

    def add(self, piece: GraphRows) -> None:
        """Set rows down; the nodes of all pieces come before the relations that join them."""
        for model in piece.nodes["Model"]["id"].to_pylist() if "Model" in piece.nodes else ():
            self._numbers.setdefault(model, len(self._numbers))
        for kind, table in tables_of(piece):
            self.digests[kind].add(table)
            if kind not in BESIDE:
                self._set_down(kind, table)
        for name, key, value in beside(piece):
            self._beside[name][key] = value

    def _set_down(self, kind: Kind, table: pa.Table) -> None:
        from pyarrow import parquet

        owners = self._owners_of(kind, table)
        for owner in np.unique(owners).tolist():
            place = self._folder / f"{sum(map(len, self._files.values()))}.parquet"
            parquet.write_table(table.filter(pa.array(owners == owner)), place)
            self._files.setdefault((kind, owner), []).append(place)

    def _owners_of(self, kind: Kind, table: pa.Table) -> NDArray[np.int64]:
        """Return the number of the model that each row belongs to, if it is one."""
        if not kind.source:
            owner = model_property(kind.name)
            if owner is None:
                return np.full(table.num_rows, _NOBODY)
            names = table[owner].to_pylist()
            owners = np.array([self._numbers.get(name, _NOBODY) for name in names], np.int64)
            self._owners.setdefault(kind.name, []).append((table["id"], owners))
            return owners
        ends = (("source", kind.source), ("target", kind.target))
        of_ends = [self._owners_by_id(table[end], label) for end, label in ends if label in OWNED]
        if not of_ends:
            return np.full(table.num_rows, _NOBODY)
        alike = np.all([owners == of_ends[0] for owners in of_ends], axis=0)
        return np.where(alike, of_ends[0], _NOBODY)

    def _owners_by_id(self, ids: pa.ChunkedArray, label: str) -> NDArray[np.int64]:
        known = self._owners.get(label, [])
        if len(known) > 1:
            arrays = [array for part, _ in known for array in part.chunks]
            known[:] = [(pa.chunked_array(arrays), np.concatenate([o for _, o in known]))]
        if not known:
            return np.full(len(ids), _NOBODY)
        ((names, owners),) = known
        places = pc.index_in(ids, value_set=names.combine_chunks()).fill_null(len(owners))
        found: NDArray[np.int64] = np.append(owners, _NOBODY)[places.to_numpy()]
        return found

    def nodes(
        self, label: str, columns: Sequence[str], models: Sequence[str] | None
    ) -> Iterator[pa.Table]:
        """Give columns of the nodes of a label; see :class:`circuitkb.stores.belonging.Tables`."""
        return self._read(Kind(label), columns, models if label in OWNED else None)

    def relations(
        self, ends: Ends, columns: Sequence[str], models: Sequence[str] | None
    ) -> Iterator[pa.Table]:
        """Give columns of the relations between two labels; with ``models``, within each one."""
        owned = OWNED & {*ends[1:]}
        return self._read(Kind(*ends), ["source", "target", *columns], models if owned else None)

    def _read(
        self, kind: Kind, columns: Sequence[str] | None, models: Sequence[str] | None
    ) -> Iterator[pa.Table]:
        owners = None if models is None else {self._numbers[name] for name in models}
        for (of_kind, owner), places in self._files.items():
            if of_kind == kind and (owners is None or owner in owners):
                for place in places:
                    yield _table(place, columns)

    def of_model(self, model: str) -> GraphRows:
        """Return everything that belongs to a model, in memory."""
        own: dict[str, Any] = {
            kind: {key: value for key, value in found.items() if model_of(key) == model}
            for kind, found in self._beside.items()
        }
        return replace(_gathered(belonging(self, [model])), **own)

    def rest(self, covered: Mapping[Kind, Marks]) -> GraphRows:
        """Return what belongs to no model or joins several, but for rows marked as covered.

        ``covered`` goes by the places of the rows in the digests.
        """

        def uncovered(kind: Kind) -> Iterator[pa.Table]:
            for place in self._files.get((kind, _NOBODY), ()):
                table = _table(place)
                left = ~covered[kind][self.digests[kind].find(table)]
                if left.any():
                    yield table.filter(pa.array(left))

        parts: list[Part] = []
        for kind in KINDS:
            for table in uncovered(kind):
                parts.append(Relations(*kind, table) if kind.source else (kind.name, table))
        return _gathered(parts)

    def example(self, kind: Kind, marked: Marks) -> str:
        """Return the first row of a kind that is marked, by its place in the digest, in words."""
        tables: Iterable[pa.Table] = [
            pa.table({"id": list(found)})
            for name, found in self._beside.items()
            if name == kind.name
        ] or self._read(kind, list(kind.key), None)
        for table in tables:
            chosen = table.filter(pa.array(marked[self.digests[kind].find(table)]))
            if chosen.num_rows:
                row = chosen.slice(0, 1).to_pylist()[0]
                return " ".join(str(value) for value in row.values() if value is not None)
        return ""


def _gathered(parts: Iterable[Part]) -> GraphRows:
    nodes: dict[str, list[pa.Table]] = {}
    relations: dict[Ends, list[pa.Table]] = {}
    for part in parts:
        if isinstance(part, tuple):
            nodes.setdefault(part[0], []).append(part[1])
        else:
            ends = (part.name, part.source_label, part.target_label)
            relations.setdefault(ends, []).append(part.table)
    return GraphRows(
        {label: pa.concat_tables(tables) for label, tables in nodes.items()},
        [Relations(*ends, pa.concat_tables(tables)) for ends, tables in relations.items()],
    )


def _table(place: Path, columns: Sequence[str] | None = None) -> pa.Table:
    from pyarrow import parquet

    with parquet.ParquetFile(place) as file:
        return file.read(columns)
