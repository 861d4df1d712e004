"""How a list of a knowledge base is run: on its store, or over every weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from circuitkb.queries.lists.conditions import Mention
from circuitkb.queries.lists.edges import Edges
from circuitkb.queries.lists.statement import Statement
from circuitkb.results.result import Result
from circuitkb.stores import known_names
from circuitkb.stores.base import DEFAULT_TIMEOUT, Store

if TYPE_CHECKING:
    from circuitkb.patterns.kept_tables import KeptTables
    from circuitkb.patterns.permuted import PermutedCount
    from circuitkb.queries.patterns.pattern import Pattern


class Runner:
    """Runs statements and patterns on one store.

    Where no row comes, it says which of the names that were mentioned is unknown.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._tables: KeptTables | None = None

    def __call__(
        self,
        statement: Statement,
        mentions: Sequence[Mention] = (),
        *,
        timeout: float = DEFAULT_TIMEOUT,
        limit: int | None,
    ) -> Result:
        """Run a statement.

        Raises
        ------
        NotFoundError
            A name that is mentioned is not there.
        CypherError, QueryRefusedError, QueryTimeoutError
        """
        answer = self.store.read(statement.text, statement.parameters, timeout=timeout, limit=limit)
        if not answer.rows:
            known_names.check(self.store, mentions)
        return Result.of_answer(answer, statement, illustrate=self._illustrate)

    def _illustrate(self, row: Mapping[str, Any]) -> str:
        from circuitkb.results.pictures.thumbnails import Thumbnails

        return Thumbnails(self.store)(row)

    def stream(
        self,
        statement: Statement,
        mentions: Sequence[Mention] = (),
        *,
        timeout: float = DEFAULT_TIMEOUT,
        rows: int,
    ) -> Iterator[Result]:
        """Give all rows of a statement, ``rows`` at a time."""
        first = True
        for answer in self.store.stream(
            statement.text, statement.parameters, timeout=timeout, rows=rows
        ):
            if first and not answer.rows:
                known_names.check(self.store, mentions)
            first = False
            yield Result.of_answer(answer, statement)

    def explain(self, statement: Statement) -> str:
        """Return the plan of the store's engine for a statement, which does not run."""
        text = f"EXPLAIN {statement.text}"
        answer = self.store.read(text, statement.parameters, limit=1)
        return str(answer.rows[0][-1]).rstrip() if answer.rows else ""

    def best_over(self, pattern: Pattern) -> Literal["graph", "all"]:
        """Return where a pattern is best looked for: see :class:`PatternQuery`."""
        given = any(isinstance(f.id, str) or f.origin is not None for _, f in pattern.features)
        ranks = [step.max_rank for _, step in pattern.on_steps if isinstance(step, Edges)]
        if not given or None in ranks:
            return "all"
        kept = self.store.read("MATCH (m:Model) RETURN min(m.keep) AS keep").rows[0][0]
        if kept is None:
            return "all"
        return "graph" if max((r for r in ranks if r is not None), default=0) <= kept else "all"

    def kept_note(self) -> str:
        """Return what a reader must know of an answer from the weights that the graph keeps."""
        rows = self.store.read(
            "MATCH (m:Model) RETURN sum(m.edges) AS edges, sum(m.edges_kept) AS kept"
        ).rows
        edges, kept = rows[0]
        return (
            f"Among the {int(kept or 0):,} weights that the graph keeps, of {int(edges or 0):,}; "
            "over('all') looks at every one."
        )

    def matches(self, pattern: Pattern, *, timeout: float) -> Result:
        """Return the matches of a pattern over every weight."""
        from circuitkb.patterns.search import search

        found = search(self.store, self.tables, pattern, timeout=timeout, limit=pattern.limit)
        if not found.rows:
            known_names.check(self.store, pattern.mentions())
        return found

    def count(self, pattern: Pattern, *, timeout: float) -> int:
        """Return how many matches a pattern has over every weight."""
        from circuitkb.patterns.search import count

        found = count(self.store, self.tables, pattern, timeout=timeout)
        if not found:
            known_names.check(self.store, pattern.mentions())
        return found

    def count_permuted(
        self, pattern: Pattern, *, draws: int, seed: int, timeout: float
    ) -> PermutedCount:
        """Return how many matches a pattern has over every weight, and with weights permuted."""
        from circuitkb.patterns.search import count_permuted

        known_names.check(self.store, pattern.mentions())
        return count_permuted(
            self.store, self.tables, pattern, draws=draws, seed=seed, timeout=timeout
        )

    def plan(self, pattern: Pattern, *, timeout: float) -> str:
        """Return how the matches of a pattern over every weight would be found."""
        from circuitkb.patterns.search import plan

        return plan(self.store, self.tables, pattern, timeout=timeout)

    @property
    def tables(self) -> KeptTables:
        """Weights that earlier patterns needed."""
        if self._tables is None:
            from circuitkb.patterns.kept_tables import KeptTables

            self._tables = KeptTables()
        return self._tables
