"""One generation, open for reading by questions of our own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from circuitkb.schema.records import Record
from circuitkb.schema.tables import Relations
from circuitkb.stores import stored_graph
from circuitkb.stores.embedded.engine import empty_graph, fault_of, open_for_reading
from circuitkb.stores.embedded.lookup import Lookup
from circuitkb.stores.embedded.pointwise import IN_CYPHER, NUMBER, WEIGHT, filled
from circuitkb.stores.embedded.pointwise_tables import put_together
from circuitkb.stores.embedded.records import listed_numbers, records
from circuitkb.stores.embedded.row_lists import tables
from circuitkb.stores.stored_graph import model_property

_CHUNK = 5_000
_IDS = 1_000
"""Of nodes in one question: with more, one that is not there takes longer to miss."""


@contextmanager
def _of_known_kinds() -> Iterator[None]:
    """Take a kind of node that was added after the graph was made for one that has none."""
    try:
        yield
    except Exception as error:
        fault = fault_of(error)
        if "SchemaException" not in fault.kinds or "Type with name" not in fault.text:
            raise  # a write declares what is missing


def _beside(relation: str, columns: Iterable[str]) -> list[str]:
    """Return what is to be read beside some columns, since some of them may follow from it."""
    return [NUMBER] if relation == WEIGHT and not IN_CYPHER.keys().isdisjoint(columns) else []


class Graph:
    """An open database, asked by texts of ours alone, in this process.

    What a user writes goes to :class:`~circuitkb.stores.embedded.queried.QueriedGraph`.
    """

    def __init__(self, database: Any) -> None:
        self._database = database
        self._absent: dict[str, set[str]] = {}

    def select(self, sql: str, **parameters: Any) -> Iterator[Record]:
        """Give the rows of an SQL text of ours; none where the graph has no such type yet."""
        with _of_known_kinds():
            yield from self._stream("sql", sql, parameters)

    def match(self, cypher: str, **parameters: Any) -> Iterator[Record]:
        """Give the rows of a Cypher text of ours."""
        return self._stream("opencypher", cypher, parameters)

    def _stream(self, language: str, text: str, parameters: dict[str, Any]) -> Iterator[Record]:
        bound = (parameters,) if parameters else ()
        with self._database.query(language, text, *bound) as results:
            for result in results:
                yield result.to_dict()

    def _tables(
        self, language: str, text: str, parameters: dict[str, Any], *schemas: pa.Schema
    ) -> Iterator[pa.Table]:
        """Give the rows of a text that returns a list of the values of each; :mod:`.row_lists`."""
        bound = (parameters,) if parameters else ()
        with _of_known_kinds(), self._database.query(language, text, *bound) as results:
            yield from tables(results, *schemas)

    def nodes(self, label: str, ids: Sequence[str], columns: Sequence[str]) -> Iterator[Record]:
        """Give ``record`` and the columns of those of the nodes that exist."""
        if not ids or not self.count(f"SELECT count(*) AS n FROM `{label}`"):
            return
        # A merge asks what is there before it makes rows, and a write once more for the same ids.
        absent = self._absent.setdefault(label, set())
        wanted = sorted(id for id in ids if id not in absent)  # as they lie in the index
        listed = ", ".join(f"`{name}`" for name in columns)
        text = f"SELECT @rid AS record, {listed} FROM `{label}` WHERE id IN :ids"
        for start in range(0, len(wanted), _IDS):
            part = wanted[start : start + _IDS]
            found = list(self.select(text, ids=part))
            absent.update(set(part).difference(row["id"] for row in found))
            yield from found

    def numbers(self, label: str, ids: Sequence[str]) -> dict[str, str]:
        """Return the engine's number of each of the nodes, those written just now among them."""
        text = f"SELECT @rid AS record, id FROM `{label}` WHERE id IN :ids"
        return {
            row["id"]: str(row["record"])
            for start in range(0, len(ids), _CHUNK)
            for row in self.select(text, ids=list(ids[start : start + _CHUNK]))
        }

    def nodes_with(
        self, label: str, property: str, values: Sequence[str], columns: Sequence[str]
    ) -> Iterator[Record]:
        """Give the columns of the nodes whose indexed ``property`` has one of the values."""
        listed = ", ".join(f"`{name}`" for name in columns)
        text = f"SELECT @rid AS record, {listed} FROM `{label}` WHERE `{property}` = :value"
        for value in values:
            yield from self.select(text, value=value)

    def relations_from(
        self, item: Relations, starts: Sequence[str], columns: Sequence[str]
    ) -> Iterator[Record]:
        """Give relations with the name and labels of ``item`` that start at the given ids."""
        text = stored_graph.relations_from(item, [*columns, *_beside(item.name, columns)])
        for start in range(0, len(starts), _CHUNK):
            for row in self.match(text, ids=list(starts[start : start + _CHUNK])):
                yield filled(row)

    def all_nodes(
        self, label: str, columns: Sequence[str], models: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Give the columns of every node of a label, or of those that name one of ``models``."""
        listed = ", ".join(f"`{name}`" for name in columns)
        text = f"SELECT [{listed}] AS v FROM `{label}`"
        schema = stored_graph.node_columns(label, columns)
        owner = model_property(label)
        if models is None or owner is None:
            return self._tables("sql", text, {}, schema)
        of_models = {"models": list(models)}
        return self._tables("sql", f"{text} WHERE `{owner}` IN :models", of_models, schema)

    def all_relations(
        self,
        name: str,
        source: str,
        target: str,
        columns: Sequence[str],
        models: Sequence[str] | None = None,
    ) -> Iterator[pa.Table]:
        """Give ``source``, ``target`` and the columns of every relation between two labels.

        With ``models``, only those whose ends name one of these, where their labels name any.
        """
        of_models = {} if models is None else {"models": list(models)}
        schema = stored_graph.relation_columns(name, columns)
        if not _beside(name, columns):
            text = stored_graph.all_relations(name, source, target, columns, models)
            yield from self._tables("opencypher", text, of_models, schema)
            return
        # Ten properties that are not there take as long to read as all else, and the id of a
        # node, at each of its many weights, longer than its number.
        ends = "elementId(a)", "elementId(b)"
        kept = [column for column in columns if column not in IN_CYPHER]
        short = stored_graph.relation_columns(name, kept).append(pa.field(NUMBER, pa.float64()))
        text = (
            f"{stored_graph.relations_between(name, source, target, models)} "
            f"RETURN CASE WHEN r.{NUMBER} IS NULL "
            f"THEN {stored_graph.values_of(columns, ('0', *ends))} "
            f"ELSE {stored_graph.values_of([*kept, NUMBER], ('1', *ends))} END AS v"
        )
        ids = {"source": self._ids(source), "target": self._ids(target)}
        for table in self._tables("opencypher", text, of_models, schema, short):
            whole = put_together(table, schema) if NUMBER in table.column_names else table
            for end, known in ids.items():
                place = whole.schema.get_field_index(end)
                whole = whole.set_column(place, schema.field(end), known.of(whole[end]))
            yield whole

    def _ids(self, label: str) -> Lookup:
        """Return the ids of all nodes of a label, by the engine's numbers."""
        schema = pa.schema([("record", pa.string()), ("id", pa.string())])
        text = f"SELECT [@rid.asString(), id] AS v FROM `{label}`"
        found = pa.concat_tables([schema.empty_table(), *self._tables("sql", text, {}, schema)])
        return Lookup(found["record"], found["id"])

    def count(self, sql: str) -> int:
        """Return the number that an SQL text of ours gives as ``n``; a sum of nothing is 0."""
        return int(next(self.select(sql), {"n": 0})["n"] or 0)

    def records(self, numbers: Iterable[str]) -> dict[str, Record]:
        """Return the properties of nodes and relations by the engine's numbers, as ``#1:0``."""
        return records(self._database, numbers)

    def values_of(self, numbers: Iterable[str], names: Iterable[str]) -> dict[str, Record]:
        """Return only the properties ``names`` by the engine's numbers: three times as fast."""
        columns = ", ".join(f"`{name}`" for name in names)
        return {
            str(row.pop("record")): row
            for listed in listed_numbers(numbers)
            for row in self.select(f"SELECT @rid AS record, {columns} FROM [{listed}]")
        }


class ReadOnlyGraph(Graph):
    """A graph that cannot be changed through this object.

    Parameters
    ----------
    graph
        Directory of a closed database; None stands for an empty one.
    timeout
        Seconds after which the engine ends a query; None lets every query run to its end.
    """

    def __init__(self, graph: Path | None, *, timeout: float | None) -> None:
        self._directory = tempfile.TemporaryDirectory(
            prefix="circuitkb-", ignore_cleanup_errors=True
        )
        view = Path(self._directory.name)
        super().__init__(open_for_reading(graph or empty_graph(), view, timeout=timeout))

    def close(self) -> None:
        """Close the database."""
        self._database.close()
        self._directory.cleanup()
