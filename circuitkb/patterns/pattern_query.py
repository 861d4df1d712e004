"""A pattern of a knowledge base, which runs when its matches are wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from circuitkb.lists.running import Runner
from circuitkb.lists.selections import Selection
from circuitkb.queries.lists.statement import Statement
from circuitkb.queries.patterns.cypher import statement
from circuitkb.queries.patterns.pattern import Pattern
from circuitkb.results.result import Result
from circuitkb.schema.errors import QueryError
from circuitkb.stores.base import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    from circuitkb.patterns.permuted import PermutedCount

Over = Literal["graph", "all"]


class PatternQuery(Selection[Pattern]):
    """Matches of a pattern.

    Over ``"graph"`` the store's engine looks among the weights that the graph keeps; over
    ``"all"`` the search reads every weight of the networks. Where nothing is said, it is the
    graph for a pattern that starts at a given feature and asks only for weights that the graph
    keeps in full, since then both answer the same; otherwise it is all weights.
    """

    def __init__(self, criteria: Pattern, runner: Runner, over: Over | None = None) -> None:
        super().__init__(criteria, runner)
        self._over: Over | None = over

    def to_cypher(self) -> Statement:
        """Return the Cypher text over the weights that the graph keeps, and its parameters."""
        return statement(self.criteria)

    def over(self, weights: Over) -> PatternQuery:
        """Return the query over the weights of the ``"graph"``, or over ``"all"``."""
        if weights not in ("graph", "all"):
            raise QueryError(f"over({weights!r}): it is 'graph' or 'all'.")
        return PatternQuery(self.criteria, self._runner, weights)

    def limit(self, rows: int | None) -> PatternQuery:
        """Return the query bounded to this many rows; None for no bound."""
        return PatternQuery(self.criteria.limited(rows), self._runner, self._over)

    def in_models(self, at_least: int, *, by: str, max_q: float = 0.05) -> PatternQuery:
        """Return the matches that several models have, by analogous features called ``by``.

        See :meth:`circuitkb.queries.patterns.pattern.Pattern.in_models`.
        """
        pattern = self.criteria.in_models(at_least, by=by, max_q=max_q)
        return PatternQuery(pattern, self._runner, self._over)

    def run(self, *, timeout: float = DEFAULT_TIMEOUT) -> Result:
        """Run the query; a note says over which weights.

        Raises
        ------
        NotFoundError
            A name that the pattern asks for is not there.
        QueryTimeoutError
            It ran longer than ``timeout`` seconds.
        """
        if self._weights() == "all":
            return self._runner.matches(self.criteria, timeout=timeout)
        found = super().run(timeout=timeout)
        columns = found.columns or self.criteria.columns
        return replace(found, columns=columns, notes=(*found.notes, self._runner.kept_note()))

    def count(self, *, timeout: float = DEFAULT_TIMEOUT) -> int:
        """Return how many matches there are, whatever the bound on rows."""
        if self._weights() == "all":
            return self._runner.count(self.criteria, timeout=timeout)
        return len(
            self._runner(
                self.limit(None).to_cypher(),
                self.criteria.mentions(),
                timeout=timeout,
                limit=None,
            )
        )

    def count_permuted(
        self, draws: int = 20, *, seed: int = 0, timeout: float = DEFAULT_TIMEOUT
    ) -> PermutedCount:
        """Return how many matches there are over all weights, beside the null of permuted weights.

        See :mod:`circuitkb.patterns.permuted` for what is permuted. What relates features beside
        weights, and what a feature must be, stays.

        Parameters
        ----------
        draws, seed
            How often weights are permuted, and the seed of that.

        Raises
        ------
        QueryError
            No draws.
        QueryTimeoutError
            All counts together took longer than ``timeout`` seconds.
        """
        if draws < 1:
            raise QueryError(f"draws is {draws}: weights are permuted once or more.")
        return self._runner.count_permuted(self.criteria, draws=draws, seed=seed, timeout=timeout)

    def explain(self) -> str:
        """Return the plan of the engine that would answer; nothing is joined for it."""
        if self._weights() == "all":
            return self._runner.plan(self.criteria, timeout=DEFAULT_TIMEOUT)
        return super().explain()

    def _weights(self) -> Over:
        return self._over or self._runner.best_over(self.criteria)
