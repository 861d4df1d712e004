"""The questions that writing and exporting ask of a graph, whatever engine keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from circuitkb.schema.definition import node_type
from circuitkb.schema.records import Record

if TYPE_CHECKING:
    import pyarrow as pa

    from circuitkb.schema.tables import Relations

ROWS_IN_A_TABLE = 20_000


def model_property(label: str) -> str | None:
    """Return the property of a label that names the model it belongs to; None if it has none.

    Examples
    --------
    >>> model_property("Feature"), model_property("Model"), model_property("Evidence")
    ('model', 'id', None)
    """
    if label == "Model":
        return "id"
    names = [p.name for p in node_type(label).own]
    return "model" if "model" in names else None


def listed(variable: str, columns: Sequence[str]) -> str:
    """Return columns of a node or relation as they stand in Cypher, each after a comma."""
    return "".join(f", {variable}.`{name}` AS `{name}`" for name in columns)


def of_models(models: Sequence[str] | None, **labels: str) -> str:
    """Return the condition that nodes name one of the models, where their labels name any.

    Examples
    --------
    >>> of_models(["net"], a="Feature", b="Label"), of_models(None, a="Feature")
    (' WHERE a.`model` IN $models', '')
    """
    if models is None:
        return ""
    tests = [
        f"{variable}.`{name}` IN $models"
        for variable, label in labels.items()
        if (name := model_property(label))
    ]
    return f" WHERE {' AND '.join(tests)}" if tests else ""


def node_columns(label: str, columns: Sequence[str]) -> pa.Schema:
    """Return the types of some properties of a label."""
    from circuitkb.schema.tables import node_schema

    return _chosen(node_schema(label), columns)


def relation_columns(name: str, columns: Sequence[str]) -> pa.Schema:
    """Return the types of both ends and some properties of a relation."""
    from circuitkb.schema.tables import relation_schema

    return _chosen(relation_schema(name), ["source", "target", *columns])


def _chosen(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([schema.field(name) for name in names])


def tables_of(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> Iterator[pa.Table]:
    """Give rows as tables of at most :data:`ROWS_IN_A_TABLE`."""
    import pyarrow as pa

    left = iter(rows)
    while batch := list(islice(left, ROWS_IN_A_TABLE)):
        yield pa.Table.from_pylist(batch, schema=schema)


def relations_from(item: Relations, columns: Sequence[str]) -> str:
    """Return the Cypher for the relations like ``item`` that start at the ids ``$ids``."""
    return (
        f"UNWIND $ids AS start MATCH (a:`{item.source_label}` {{id: start}})"
        f"-[r:`{item.name}`]->(b:`{item.target_label}`) RETURN start AS source, "
        f"b.id AS target, elementId(r) AS record{listed('r', columns)}"
    )


def all_relations(
    name: str, source: str, target: str, columns: Sequence[str], models: Sequence[str] | None
) -> str:
    """Return the Cypher for every relation between two labels, of ``$models`` or of all.

    Each row is one list ``v``: the ids of both ends, and the columns.
    """
    return f"{relations_between(name, source, target, models)} RETURN {values_of(columns)} AS v"


def relations_between(name: str, source: str, target: str, models: Sequence[str] | None) -> str:
    """Return the Cypher that binds every relation ``r`` from an ``a`` to a ``b``.

    Examples
    --------
    >>> relations_between("IN_LAYER", "Feature", "Layer", None)
    'MATCH (a:`Feature`)-[r:`IN_LAYER`]->(b:`Layer`)'
    """
    matched = f"MATCH (a:`{source}`)-[r:`{name}`]->(b:`{target}`)"
    return f"{matched}{of_models(models, a=source, b=target)}"


def values_of(columns: Sequence[str], ends: Sequence[str] = ("a.id", "b.id")) -> str:
    """Return a list in Cypher: expressions for both ends of a relation, and the columns.

    Examples
    --------
    >>> values_of(["rank"])
    '[a.id, b.id, r.`rank`]'
    """
    return f"[{', '.join([*ends, *(f'r.`{name}`' for name in columns)])}]"


class StoredGraph(Protocol):
    """One state of a graph, to be read by our own code.

    A ``record`` is the engine's own name of a node or a relation. Values are those of the schema's
    types; what is absent is None.
    """

    def nodes(self, label: str, ids: Sequence[str], columns: Sequence[str]) -> Iterator[Record]:
        """Give ``record`` and the columns, ``id`` among them, of those of the nodes that exist."""

    def nodes_with(
        self, label: str, property: str, values: Sequence[str], columns: Sequence[str]
    ) -> Iterator[Record]:
        """Give the columns of the nodes whose indexed ``property`` has one of the values."""

    def relations_from(
        self, item: Relations, starts: Sequence[str], columns: Sequence[str]
    ) -> Iterator[Record]:
        """Give relations with the name and labels of ``item`` that start at the given ids.

        Each with ``source``, ``target``, ``record`` and the columns.
        """

    def all_nodes(
        self, label: str, columns: Sequence[str], models: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Give the columns of every node of a label, some thousand at a time.

        With ``models``, of a label that names a model (:func:`model_property`) only those nodes
        that name one of these; of another label all.
        """

    def all_relations(
        self,
        name: str,
        source: str,
        target: str,
        columns: Sequence[str],
        models: Sequence[str] | None = None,
    ) -> Iterator[pa.Table]:
        """Give ``source``, ``target`` and the columns of every relation between two labels.

        With ``models``, only those of which each end whose label names a model names one of these.
        """
