"""Rows of the graph as Arrow tables, with columns that follow the definition.

A :class:`GraphRows` is what a loader or a search hands to a store: everything that one import
writes, which the store then takes whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from circuitkb.schema.definition import Property, node_type, relation_type
from circuitkb.schema.errors import SchemaError
from circuitkb.schema.kernels import Connection
from circuitkb.schema.pictures import Pictures
from circuitkb.schema.responses import Responses

_ARROW = {
    "string": pa.string(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "strings": pa.list_(pa.string()),
}


def _schema(properties: Iterable[Property], ends: Sequence[str] = ()) -> pa.Schema:
    fields = [pa.field(name, pa.string(), nullable=False) for name in ends]
    fields += [pa.field(p.name, _ARROW[p.type], nullable=not p.required) for p in properties]
    return pa.schema(fields)


def node_schema(label: str) -> pa.Schema:
    """Return the Arrow schema of a table of nodes.

    Examples
    --------
    >>> node_schema("Annotator").names
    ['id', 'type', 'name', 'orcid']
    """
    return _schema(node_type(label).properties)


def relation_schema(name: str) -> pa.Schema:
    """Return the Arrow schema of a table of relations: ids of both ends, then the properties.

    Examples
    --------
    >>> relation_schema("MEMBER_OF").names
    ['source', 'target', 'role', 'side', 'weight', 'facing']
    """
    return _schema(relation_type(name).properties, ends=("source", "target"))


def _conform(columns: Mapping[str, Any], schema: pa.Schema, what: str) -> pa.Table:
    unknown = sorted(set(columns) - set(schema.names))
    if unknown:
        raise SchemaError(f"{what} has no property {', '.join(map(repr, unknown))}.")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise SchemaError(f"The columns of {what} differ in length: {sorted(lengths)}.")
    rows = lengths.pop() if lengths else 0
    arrays = []
    for item in schema:
        values = columns.get(item.name)
        if values is None:
            array = pa.nulls(rows, item.type)
        elif isinstance(values, pa.ChunkedArray):
            array = values.cast(item.type)
        else:
            try:
                array = pa.array(values, item.type, from_pandas=True)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise SchemaError(f"{what}.{item.name}: {error}") from error
        if not item.nullable and array.null_count:
            raise SchemaError(f"{what}.{item.name} is required and missing in some row.")
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=schema)


def node_table(label: str, columns: Mapping[str, Any]) -> pa.Table:
    """Return a table of nodes from columns; what is absent is null, NaN counts as absent.

    Raises
    ------
    SchemaError
        Unknown label or property, wrong type, a required value missing, unequal lengths.

    Examples
    --------
    >>> node_table("Annotator", {"id": ["ada"], "type": ["human"]}).to_pylist()
    [{'id': 'ada', 'type': 'human', 'name': None, 'orcid': None}]
    """
    return _conform(columns, node_schema(label), label)


def relation_table(name: str, columns: Mapping[str, Any]) -> pa.Table:
    """Return a table of relations from columns ``source``, ``target`` and properties.

    Examples
    --------
    >>> relation_table("BY", {"source": ["ckb:1"], "target": ["ada"]}).num_rows
    1
    """
    return _conform(columns, relation_schema(name), name)


@dataclass(frozen=True)
class Relations:
    """Rows of one relation between two labels; ``table`` follows :func:`relation_schema`."""

    name: str
    source_label: str
    target_label: str
    table: pa.Table

    def __post_init__(self) -> None:
        if (self.source_label, self.target_label) not in relation_type(self.name).endpoints:
            raise SchemaError(
                f"{self.name} does not go from {self.source_label} to {self.target_label}."
            )


@dataclass(frozen=True)
class GraphRows:
    """What one import writes, whole or not at all.

    Attributes
    ----------
    nodes
        A table for each label, as :func:`node_table` makes it; ids are unique in it.
    relations
        Any number of tables; both ends stand in ``nodes`` or in the store already.
    kernels
        For each model, the layer-to-layer arrays that lie beside the graph.
    responses
        For each model, what its units answered to stimuli; it lies beside the graph too.
    pictures
        Batches of pictures by their keys; they lie beside the graph too.
    """

    nodes: Mapping[str, pa.Table] = field(default_factory=dict)
    relations: Sequence[Relations] = ()
    kernels: Mapping[str, Sequence[Connection]] = field(default_factory=dict)
    responses: Mapping[str, Responses] = field(default_factory=dict)
    pictures: Mapping[str, Pictures] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Return the number of rows by label and relation, largest first in no order."""
        found = {label: table.num_rows for label, table in self.nodes.items()}
        for item in self.relations:
            found[item.name] = found.get(item.name, 0) + item.table.num_rows
        return found


def rows_of(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Turn records into columns; a key that a record lacks is null there.

    Examples
    --------
    >>> rows_of([{"a": 1}, {"a": 2, "b": 3}])
    {'a': [1, 2], 'b': [None, 3]}
    """
    keys = dict.fromkeys(key for record in records for key in record)
    return {key: [record.get(key) for record in records] for key in keys}
