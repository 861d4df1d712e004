"""One generation, open for reading: queries of users, bounded, and questions of our own."""

from __future__ import annotations

import atexit
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from circuitkb.schema.errors import QueryTimeoutError
from circuitkb.schema.tables import Relations
from circuitkb.stores.base import Answer
from circuitkb.stores.cypher_text import (
    Token,
    check_parameters,
    columns_of,
    names_a_path,
    tokens_of,
    well_formed,
)
from circuitkb.stores.query_errors import gives_nothing, timed_out
from circuitkb.stores.stored_graph import model_property
from circuitkb.stores.timed_worker import TimedWorker, taken
from circuitkb.stores.values import Record

from .engine import empty_graph, engine_error, fault_of, open_for_reading
from .engine_errors import query_error
from .refusing import refuse
from .values import plain, properties, with_paths

GRACE = 1.0
"""Seconds that the engine gets to notice its own time limit before a query is left behind."""

PATIENCE = 10.0
"""Seconds that the end of the process waits for a query that was left behind."""

_ENGINE_BLANKS = "".join(map(chr, range(0x21)))
_CHUNK = 5_000
_GIVING = {"RETURN", "CALL", "SHOW", "FINISH"}


class ReadOnlyGraph:
    """A graph that cannot be changed through this object, nor by what a query says.

    Parameters
    ----------
    graph
        Directory of a closed database; None stands for an empty one.
    timeout
        Seconds after which the engine ends a query; None lets every query run to its end.
    """

    def __init__(self, graph: Path | None, *, timeout: float | None) -> None:
        self.timeout = timeout
        self.lost = False
        """Whether a query was left behind in it: close it and open another one."""
        self._directory = tempfile.TemporaryDirectory(
            prefix="circuitkb-", ignore_cleanup_errors=True
        )
        view = Path(self._directory.name)
        self._database = open_for_reading(graph or empty_graph(), view, timeout=timeout)

    def close(self) -> None:
        """Close the database; a query that still runs in it ends with its next look at a page."""
        self._database.close()
        self._directory.cleanup()

    def ask(self, cypher: str, parameters: Mapping[str, Any], *, limit: int | None) -> Answer:
        """Run a query of a user; see :meth:`circuitkb.stores.base.Store.read`."""
        cypher, tokens = _checked(cypher)
        taken = check_parameters(parameters)
        started = time.perf_counter()
        found, truncated = self._within_time(cypher, taken, limit)
        columns, rows = self._read_off(cypher, tokens, found)
        return Answer(columns, rows, truncated, time.perf_counter() - started)

    def pieces(self, cypher: str, parameters: Mapping[str, Any], *, rows: int) -> Iterator[Answer]:
        """Give all rows of a query of a user; see :meth:`circuitkb.stores.base.Store.stream`."""
        cypher, tokens = _checked(cypher)
        given = check_parameters(parameters)
        bound = (given,) if given else ()
        started = time.perf_counter()
        columns: tuple[str, ...] | None = None
        with TimedWorker(self.timeout or 0.0) as worker:
            try:
                results = worker.call(lambda: self._database.query("opencypher", cypher, *bound))
                source = worker.call(lambda: iter(results))
                while True:
                    found = worker.call(lambda: [r.to_dict() for r in taken(source, rows)])
                    if columns is not None and not found:
                        return
                    own, read = self._read_off(cypher, tokens, found)
                    columns = columns or own
                    yield Answer(columns, read, False, time.perf_counter() - started)
                    if len(found) < rows:
                        return
            except Exception as error:
                if isinstance(error, engine_error()):
                    where = _parsed_from(cypher)
                    raise query_error(fault_of(error), cypher, where, worker.timeout) from None
                raise
            finally:
                if "results" in locals() and not worker.lost:
                    with suppress(QueryTimeoutError):
                        worker.call(results.close, closing=True)
                self.lost = worker.lost
                if worker.lost:
                    _left_behind.append(worker.thread)

    def _read_off(
        self, cypher: str, tokens: list[Token], found: Sequence[Record]
    ) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return the columns, and the rows as plain values."""
        columns = columns_of(cypher, tokens)
        if columns is None and not any(token.word in _GIVING for token in tokens):
            raise gives_nothing(cypher)
        if columns is None or (found and set(columns) != set(found[0])):
            columns = tuple(found[0]) if found else ()
        rows = [tuple(plain(record.get(name)) for name in columns) for record in found]
        return columns, with_paths(rows, self.records) if names_a_path(tokens) else rows

    def _within_time(
        self, cypher: str, parameters: dict[str, Any], limit: int | None
    ) -> tuple[list[Record], bool]:
        """Run in a thread of its own, so that Ctrl-C and the clock are seen meanwhile."""
        outcome: list[tuple[list[Record], bool]] = []
        failure: list[Exception] = []

        def run() -> None:
            try:
                outcome.append(self._fetch(cypher, parameters, limit))
            except Exception as error:
                failure.append(error)

        thread = threading.Thread(target=run, name="circuitkb query", daemon=True)
        thread.start()
        timeout = self.timeout or 0.0
        try:
            thread.join(timeout + GRACE if timeout else None)
        finally:
            if thread.is_alive():
                self.lost = True
                _left_behind.append(thread)
        if outcome:
            return outcome[0]
        if not failure:
            raise timed_out(timeout)
        error = failure[0]
        if isinstance(error, engine_error()):
            raise query_error(fault_of(error), cypher, _parsed_from(cypher), timeout) from None
        raise error

    def _fetch(
        self, cypher: str, parameters: dict[str, Any], limit: int | None
    ) -> tuple[list[Record], bool]:
        rows: list[Record] = []
        bound = (parameters,) if parameters else ()
        with self._database.query("opencypher", cypher, *bound) as results:
            for result in results:
                if limit is not None and len(rows) >= limit:
                    return rows, True
                rows.append(result.to_dict())
        return rows, False

    def select(self, sql: str, **parameters: Any) -> Iterator[Record]:
        """Give the rows of an SQL text of ours."""
        return self._stream("sql", sql, parameters)

    def match(self, cypher: str, **parameters: Any) -> Iterator[Record]:
        """Give the rows of a Cypher text of ours."""
        return self._stream("opencypher", cypher, parameters)

    def _stream(self, language: str, text: str, parameters: dict[str, Any]) -> Iterator[Record]:
        bound = (parameters,) if parameters else ()
        with self._database.query(language, text, *bound) as results:
            for result in results:
                yield result.to_dict()

    def nodes(self, label: str, ids: Sequence[str], columns: Sequence[str]) -> Iterator[Record]:
        """Give ``record`` and the columns of those of the nodes that exist."""
        if not ids or not self.count(f"SELECT count(*) AS n FROM `{label}`"):
            return
        listed = ", ".join(f"`{name}`" for name in columns)
        text = f"SELECT @rid AS record, {listed} FROM `{label}` WHERE id IN :ids"
        for start in range(0, len(ids), _CHUNK):
            yield from self.select(text, ids=list(ids[start : start + _CHUNK]))

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
        listed = "".join(f", r.`{name}` AS `{name}`" for name in columns)
        text = (
            f"UNWIND $ids AS start MATCH (a:`{item.source_label}` {{id: start}})"
            f"-[r:`{item.name}`]->(b:`{item.target_label}`) "
            f"RETURN start AS source, b.id AS target, elementId(r) AS record{listed}"
        )
        for start in range(0, len(starts), _CHUNK):
            yield from self.match(text, ids=list(starts[start : start + _CHUNK]))

    def all_nodes(
        self, label: str, columns: Sequence[str], models: Sequence[str] | None = None
    ) -> Iterator[Record]:
        """Give the columns of every node of a label, or of those that name one of ``models``."""
        listed = ", ".join(f"`{name}`" for name in columns)
        text = f"SELECT {listed} FROM `{label}`"
        owner = model_property(label)
        if models is None or owner is None:
            return self.select(text)
        return self.select(f"{text} WHERE `{owner}` IN :models", models=list(models))

    def all_relations(
        self,
        name: str,
        source: str,
        target: str,
        columns: Sequence[str],
        models: Sequence[str] | None = None,
    ) -> Iterator[Record]:
        """Give ``source``, ``target`` and the columns of every relation between two labels.

        With ``models``, only those whose ends name one of these, where their labels name any.
        """
        listed = "".join(f", r.`{column}` AS `{column}`" for column in columns)
        pattern = f"MATCH (a:`{source}`)-[r:`{name}`]->(b:`{target}`)"
        given = f"RETURN a.id AS source, b.id AS target{listed}"
        owners = (("a", model_property(source)), ("b", model_property(target)))
        bounds = [f"{end}.`{owner}` IN $models" for end, owner in owners if owner]
        if models is None or not bounds:
            return self.match(f"{pattern} {given}")
        return self.match(f"{pattern} WHERE {' AND '.join(bounds)} {given}", models=list(models))

    def count(self, sql: str) -> int:
        """Return the number that an SQL text of ours gives as ``n``; a sum of nothing is 0."""
        return int(next(self.select(sql))["n"] or 0)

    def records(self, numbers: Iterable[str]) -> dict[str, Record]:
        """Return the properties of nodes and relations by the engine's numbers, as ``#1:0``."""
        found: dict[str, Record] = {}
        for listed in _listed(numbers):
            with self._database.query("sql", f"SELECT FROM [{listed}]") as results:
                for result in results:
                    kind = result.get_element().get_type_name()
                    found[str(result.get_rid())] = properties({**result.to_dict(), "@type": kind})
        return found

    def values_of(self, numbers: Iterable[str], names: Iterable[str]) -> dict[str, Record]:
        """Return only the properties ``names`` by the engine's numbers: three times as fast."""
        columns = ", ".join(f"`{name}`" for name in names)
        return {
            str(row.pop("record")): row
            for listed in _listed(numbers)
            for row in self.select(f"SELECT @rid AS record, {columns} FROM [{listed}]")
        }


def _checked(cypher: str) -> tuple[str, list[Token]]:
    """Return a query of a user as the engine takes it, and its tokens, if it only reads."""
    well_formed(cypher, "The query")
    tokens = tokens_of(cypher)
    refuse(cypher, tokens)
    if tokens[-1].word == ";":  # the engine takes it only as the very last character
        cypher = cypher[: tokens[-1].start]
    return cypher, tokens


_left_behind: list[threading.Thread] = []


@atexit.register
def _wait_for_those_left_behind() -> None:
    """Let queries end before the process does: the engine aborts it over one that still runs."""
    for thread in _left_behind:
        thread.join(PATIENCE)
        if thread.is_alive():
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(2)


def _listed(numbers: Iterable[str]) -> Iterator[str]:
    wanted = sorted(set(numbers))
    for start in range(0, len(wanted), _CHUNK):
        yield ", ".join(wanted[start : start + _CHUNK])


def _parsed_from(cypher: str) -> int:
    """Return where the engine begins to parse: it drops blanks, EXPLAIN and PROFILE before."""
    offset = len(cypher) - len(cypher.lstrip(_ENGINE_BLANKS))
    if cypher[offset : offset + 8].upper() in ("EXPLAIN ", "PROFILE "):
        offset += 8
        offset += len(cypher[offset:]) - len(cypher[offset:].lstrip(_ENGINE_BLANKS))
    return offset
