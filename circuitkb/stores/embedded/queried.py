"""One generation, open for queries of users: they run in a process that can be ended."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from circuitkb.stores.base import Answer
from circuitkb.stores.embedded.engine_errors import query_error
from circuitkb.stores.embedded.narrowing import refuse_narrowed
from circuitkb.stores.embedded.pointwise_queries import edits_of
from circuitkb.stores.embedded.query_process import (
    PATIENCE,
    EngineFaultError,
    QueryProcess,
    give_back,
    take,
)
from circuitkb.stores.embedded.refusing import refuse
from circuitkb.stores.querying.bounds import check_parameters, check_text
from circuitkb.stores.querying.cypher_text import columns_of, names_a_path, tokens_of
from circuitkb.stores.querying.errors import gives_nothing, timed_out
from circuitkb.stores.querying.labelling import LABELS, labelled
from circuitkb.stores.querying.rewriting import rewritten

GRACE = 1.0
"""Seconds that the engine gets to notice its own time limit before its process is killed."""

_ENGINE_BLANKS = "".join(map(chr, range(0x21)))
_GIVING = {"RETURN", "CALL", "SHOW", "FINISH"}


class UserQuery:
    """A query of a user, found to only read, as it is sent to the engine's process.

    Parameters
    ----------
    cypher, parameters
        Text and values, as they came.
    timeout
        Seconds that it has, this included.

    Raises
    ------
    CypherError, QueryRefusedError, QueryTimeoutError
    """

    def __init__(self, cypher: Any, parameters: Any, timeout: float) -> None:
        started = time.monotonic()
        cypher = check_text(cypher)
        given = check_parameters(parameters)
        tokens = tokens_of(cypher)
        refuse(cypher, tokens)
        if time.monotonic() - started > timeout:
            raise timed_out(timeout)
        refuse_narrowed(cypher, tokens, given)
        if tokens[-1].word == ";":  # the engine takes it only as the very last character
            cypher = cypher[: tokens[-1].start]
        implied = labelled(cypher, tokens)
        self.cypher = implied.text
        """The text with the labels that it implies: it says the same to any engine."""
        self._weights = tuple(edits_of(cypher, tokens, given))
        self.text = rewritten(cypher, [*implied.edits, *self._weights])
        self._given = given
        self._paths = names_a_path(tokens)
        self._named = columns_of(cypher, tokens)
        self._sent: tuple[str, ...] | None = self._named
        self._gives = any(token.word in _GIVING for token in tokens)
        self.spent = time.monotonic() - started
        """Seconds of its time that looking at it took."""
        if self.spent > timeout:
            raise timed_out(timeout)

    @property
    def sent(self) -> tuple[Any, ...]:
        """Text, parameters, names of columns, and whether paths may come."""
        named = self._named
        if named is not None and self._weights:  # the engine names a column by its text
            named = columns_of(self.text.text, tokens_of(self.text.text))
        self._sent = named
        return self.text.text, self._given, named, self._paths

    def asked_of(self, labels: frozenset[str]) -> None:
        """Leave the text as it was written where a graph has labels that the schema lacks."""
        if not labels <= LABELS:
            self.cypher = self.text.cypher
            self.text = rewritten(self.text.cypher, self._weights)

    def columns(self, given: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return the names of the columns, from the text or as the engine gives them."""
        if self._named is None and not self._gives:
            raise gives_nothing(self.text.cypher)
        return (self._named or ()) if given is None or given == self._sent else given

    @contextmanager
    def in_our_words(self, timeout: float) -> Iterator[None]:
        """Say what the engine finds wrong, with the spot in the text."""
        try:
            yield
        except EngineFaultError as error:
            offset = _parsed_from(self.text.cypher)
            raise query_error(error.fault, self.text, offset, timeout) from None


class QueriedGraph:
    """A graph that what a query says cannot change, nor keep busy for longer than it may.

    Parameters
    ----------
    graph
        Directory of a closed database, which stays there until this is closed; None stands for an
        empty one.
    timeout
        Seconds after which a query is ended.
    """

    def __init__(self, graph: Path | None, *, timeout: float) -> None:
        self.timeout = timeout
        self.labels = frozenset() if graph is None else _labels(graph)
        self._process = _opened(graph, timeout)

    @property
    def lost(self) -> bool:
        """Whether it cannot be asked any more: close it and open another one."""
        return not self._process.usable

    def close(self) -> None:
        """Close the graph."""
        give_back(self._process)

    def ask(self, query: UserQuery, *, limit: int | None) -> Answer:
        """Run a query; see :meth:`circuitkb.stores.base.Store.read`."""
        return next(self.pieces(query, rows=limit, alone=True))

    def pieces(
        self, query: UserQuery, *, rows: int | None, alone: bool = False
    ) -> Iterator[Answer]:
        """Give all rows of a query, or the first piece ``alone``; see :meth:`ask`, ``stream``."""
        begun = time.perf_counter()
        end = time.monotonic() + self.timeout - query.spent
        (columns, ended), found = self._call(query, end, "begin", *query.sent, rows, alone)
        while True:
            seconds = time.perf_counter() - begun
            yield Answer(query.columns(columns), found, alone and not ended, seconds)
            if ended or alone:
                return
            (columns, ended), found = self._call(query, end, "take", rows)

    def _call(self, query: UserQuery, end: float, *request: Any) -> tuple[Any, list[Any]]:
        left = end - time.monotonic()
        if left <= 0:
            raise timed_out(self.timeout)
        with query.in_our_words(self.timeout):
            return self._process.call(*request, seconds=left + GRACE, stated=self.timeout)


def _opened(graph: Path | None, timeout: float) -> QueryProcess:
    process = take()
    try:
        place = None if graph is None else str(graph)
        process.call("open", place, float(timeout), seconds=PATIENCE)
    except BaseException:
        process.kill()
        raise
    return process


def _labels(graph: Path) -> frozenset[str]:
    """Return the labels that a graph's schema declares."""
    types = json.loads((graph / "schema.json").read_text("utf-8"))["types"]
    return frozenset(name for name, item in types.items() if item["type"] == "v")


def _parsed_from(cypher: str) -> int:
    """Return where the engine begins to parse: it drops blanks, EXPLAIN and PROFILE before."""
    offset = len(cypher) - len(cypher.lstrip(_ENGINE_BLANKS))
    if cypher[offset : offset + 8].upper() in ("EXPLAIN ", "PROFILE "):
        offset += 8
        offset += len(cypher[offset:]) - len(cypher[offset:].lstrip(_ENGINE_BLANKS))
    return offset
