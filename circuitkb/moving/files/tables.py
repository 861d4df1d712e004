"""The tables of a folder of Parquet, read a group of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from circuitkb.moving.files.parquet_folder import ENDS, relation_file_schema
from circuitkb.schema.definition import NODES, RELATIONS, node_type, relation_type
from circuitkb.schema.errors import SourceError
from circuitkb.schema.tables import node_schema
from circuitkb.stores.belonging import OWNED, Ends
from circuitkb.stores.stored_graph import model_property


class FolderTables:
    """The nodes and relations of a folder; see :class:`circuitkb.stores.belonging.Tables`.

    Parameters
    ----------
    folder
        The folder, whose files were checked.
    names
        Those of its files that there are, as in ``nodes/Feature.parquet``.

    Raises
    ------
    SourceError
        A file is no Parquet, or has other columns than the schema.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._schemas: dict[str, pa.Schema] = {}
        self._ids: dict[tuple[str, tuple[str, ...]], pa.Array] = {}
        kinds = {f"nodes/{node.label}.parquet": node_schema(node.label) for node in NODES}
        kinds |= {
            f"relations/{relation.name}.parquet": relation_file_schema(relation.name)
            for relation in RELATIONS
        }
        for name in names:
            if name in kinds:
                self._schemas[name] = kinds[name]
                self._check(name)

    def _check(self, name: str) -> None:
        wanted = self._schemas[name]
        with self._open(name) as file:
            found = file.schema_arrow
        for field in found:
            if field.name not in wanted.names:
                raise SourceError(
                    f"{self._folder / name} has a column {field.name!r}, which this circuitkb "
                    "does not know: load it with the one that wrote it."
                )
            if field.type != wanted.field(field.name).type:
                raise SourceError(
                    f"{self._folder / name}: {field.name} holds {field.type}, not "
                    f"{wanted.field(field.name).type}."
                )
        for field in wanted:
            if not field.nullable and field.name not in found.names:
                raise SourceError(f"{self._folder / name} lacks the column {field.name!r}.")

    def _open(self, name: str) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self._folder / name)
        except (OSError, pa.ArrowException) as error:
            raise SourceError(f"{self._folder / name} is no Parquet file: {error}.") from None

    def rows(self) -> int:
        """Return the number of all rows."""
        total = 0
        for name in self._schemas:
            with self._open(name) as file:
                total += file.metadata.num_rows
        return total

    def nodes(
        self, label: str, columns: Sequence[str], models: Sequence[str] | None
    ) -> Iterator[pa.Table]:
        """Give the columns of the nodes of a label; of an owned one those of the models."""
        owner = model_property(label)
        for table in self._groups(f"nodes/{label}.parquet"):
            if models is not None and owner is not None:
                table = table.filter(pc.is_in(table[owner], pa.array(models, pa.string())))
            if table.num_rows:
                yield table.select(list(columns))

    def relations(
        self, ends: Ends, columns: Sequence[str], models: Sequence[str] | None
    ) -> Iterator[pa.Table]:
        """Give ``source``, ``target`` and the columns of the relations between two labels.

        With ``models``, only those whose owned ends belong to these.
        """
        name, *labels = ends
        kind = relation_type(name)
        for table in self._groups(f"relations/{name}.parquet"):
            if len(kind.endpoints) > 1:
                for column, label in zip(ENDS, labels, strict=True):
                    table = table.filter(pc.equal(table[column], label))
            for end, label in zip(("source", "target"), labels, strict=True):
                if models is not None and label in OWNED:
                    table = table.filter(pc.is_in(table[end], self._ids_of(label, models)))
            if table.num_rows:
                yield table.select(["source", "target", *columns])

    def _ids_of(self, label: str, models: Sequence[str]) -> pa.Array:
        """Return the ids of the nodes of an owned label that belong to the models."""
        key = label, tuple(models)
        if key not in self._ids:
            self._ids = {k: ids for k, ids in self._ids.items() if k[1] == key[1]}
            found = [table["id"] for table in self.nodes(label, ["id"], models)]
            chunks = [chunk for column in found for chunk in column.chunks]
            self._ids[key] = pa.chunked_array(chunks, pa.string()).combine_chunks()
        return self._ids[key]

    def owners(self, label: str) -> tuple[pa.Array, pa.Array]:
        """Return the ids of the nodes of an owned label, and the model of each."""
        owner = model_property(label) or "id"
        columns = list(dict.fromkeys(("id", owner)))
        empty = node_schema(label).empty_table().select(columns)
        whole = pa.concat_tables([empty, *self.nodes(label, columns, None)])
        return whole["id"].combine_chunks(), whole[owner].combine_chunks()

    def check_ends(self) -> None:
        """Raise :class:`SourceError` for relations between labels that they do not join."""
        for relation in RELATIONS:
            allowed = pa.array([f"{a} {b}" for a, b in relation.endpoints])
            for table in self._groups(f"relations/{relation.name}.parquet", ENDS):
                pairs = pc.unique(pc.binary_join_element_wise(*(table[end] for end in ENDS), " "))
                wrong = pairs.filter(pc.invert(pc.is_in(pairs, allowed)))
                if len(wrong):
                    source, _, target = str(wrong[0]).partition(" ")
                    raise SourceError(
                        f"{self._folder}: {relation.name} does not go from {source} to {target}."
                    )

    def _groups(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Give the rows of a file, a group at a time, with all columns of the schema."""
        if name not in self._schemas:
            return
        schema = self._schemas[name]
        wanted = list(columns or schema.names)
        with self._open(name) as file:
            there = [column for column in wanted if column in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                try:
                    table = file.read_row_group(group, columns=there)
                except (OSError, pa.ArrowException) as error:
                    raise SourceError(f"{self._folder / name} is broken: {error}.") from None
                for column in wanted:
                    if column not in there:  # an older circuitkb wrote it
                        missing = pa.nulls(table.num_rows, schema.field(column).type)
                        table = table.append_column(schema.field(column), missing)
                yield table.select(wanted)


def columns_of(kind: str) -> list[str]:
    """Return the names of the properties of a label or a relation."""
    known = {node.label for node in NODES}
    item = node_type(kind) if kind in known else relation_type(kind)
    return [p.name for p in item.properties]
