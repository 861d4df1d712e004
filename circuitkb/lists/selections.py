"""Lists of a knowledge base that run when their rows are wanted.

Each wraps a value of :mod:`circuitkb.queries.lists.criteria`; narrowing one gives a new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, Self, TypeVar

from circuitkb.lists.running import Runner
from circuitkb.queries.lists.conditions import Mention
from circuitkb.queries.lists.criteria import (
    MEMBER,
    Annotations,
    Circuits,
    CommonEnds,
    Edges,
    Features,
    Models,
    Paths,
    Sign,
    as_features,
)
from circuitkb.queries.lists.statement import Statement
from circuitkb.queries.patterns.pattern import Pattern
from circuitkb.stores.base import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    import pyarrow as pa
    from matplotlib.axes import Axes

    from circuitkb.results.result import Result


class Wanted(Protocol):
    """A value that says which rows are wanted."""

    @property
    def limit(self) -> int | None:
        """Rows at most."""

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""

    def limited(self, limit: int | None) -> Self:
        """Return the value bounded to this many rows."""


W = TypeVar("W", bound=Wanted)
Over = Literal["graph", "all"]


class Selection(Generic[W]):
    """Rows that are wanted; nothing runs until they are asked for."""

    def __init__(self, criteria: W, runner: Runner) -> None:
        self.criteria = criteria
        self._runner = runner

    def __repr__(self) -> str:
        statement = self.to_cypher()
        return f"{statement.text}\n{dict(statement.parameters)}"

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.run())

    def to_cypher(self) -> Statement:
        """Return the Cypher text and its parameters."""
        return self.criteria.to_cypher()

    def explain(self) -> str:
        """Return the plan of the store's engine for the query, which does not run."""
        return self._runner.explain(self.to_cypher())

    def limit(self, rows: int | None) -> Self:
        """Return the list bounded to this many rows; None for no bound."""
        return type(self)(self.criteria.limited(rows), self._runner)

    def run(self, *, timeout: float = DEFAULT_TIMEOUT) -> Result:
        """Run the query.

        Raises
        ------
        NotFoundError
            A model, layer, feature, label or motif that the list asks for is not there.
        QueryTimeoutError
            It ran longer than ``timeout`` seconds.
        """
        return self._runner(
            self.to_cypher(),
            self.criteria.mentions(),
            timeout=timeout,
            limit=self.criteria.limit,
        )

    def stream(self, rows: int = 10_000, *, timeout: float = DEFAULT_TIMEOUT) -> Iterator[Result]:
        """Give all rows, ``rows`` at a time, in bounded memory; no bound on rows applies.

        ``timeout`` is for all of them together, with what is done in between.
        """
        return self._runner.stream(
            self.criteria.limited(None).to_cypher(),
            self.criteria.mentions(),
            timeout=timeout,
            rows=rows,
        )

    def to_dicts(self) -> list[dict[str, Any]]:
        """Run, and return one dictionary for each row."""
        return self.run().to_dicts()

    def to_json(self, indent: int | None = None) -> str:
        """Run, and return JSON."""
        return self.run().to_json(indent)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Run, and return CSV; see :meth:`circuitkb.results.result.Result.to_csv`."""
        return self.run().to_csv(path)

    def to_arrow(self) -> pa.Table:
        """Run, and return an Arrow table."""
        return self.run().to_arrow()

    def to_pandas(self) -> pd.DataFrame:
        """Run, and return a pandas data frame."""
        return self.run().to_pandas()

    def to_polars(self) -> Any:
        """Run, and return a polars data frame."""
        return self.run().to_polars()

    def to_networkx(self, source: str = "source", target: str = "target") -> nx.MultiDiGraph[Any]:
        """Run, and return a directed graph with one edge for each row."""
        return self.run().to_networkx(source, target)

    def to_pyg(self, source: str = "source", target: str = "target") -> Any:
        """Run, and return a graph for PyTorch Geometric; see :meth:`Result.to_pyg`."""
        return self.run().to_pyg(source, target)

    def plot(self, value: str | None = None, label: str | None = None) -> Axes:
        """Run, and draw one bar for each row."""
        return self.run().plot(value, label)


class CriteriaQuery(Selection[W]):
    """Rows that conditions on properties can narrow."""

    def where(
        self,
        name: str | None = None,
        operator: str | None = None,
        value: Any = None,
        /,
        **properties: Any,
    ) -> Self:
        """Return the list narrowed by conditions on properties.

        See :meth:`circuitkb.queries.lists.conditions.Criteria.where`.
        """
        criteria: Any = self.criteria
        return type(self)(criteria.where(name, operator, value, **properties), self._runner)


class ModelQuery(CriteriaQuery[Models]):
    """Models of a knowledge base."""

    def features(self, **conditions: Any) -> FeatureQuery:
        """Return their features; conditions as those of ``kb.features``."""
        return FeatureQuery(self.criteria.features(**conditions), self._runner)


class EdgeQuery(CriteriaQuery[Edges]):
    """Weights of a knowledge base."""

    def sources(self) -> FeatureQuery:
        """Return the features that they come from, each once."""
        return FeatureQuery(self.criteria.sources(), self._runner)

    def targets(self) -> FeatureQuery:
        """Return the features that they lead to, each once."""
        return FeatureQuery(self.criteria.targets(), self._runner)


class CommonQuery(Selection[CommonEnds]):
    """Features that several features have in common as inputs or outputs."""


class PathQuery(Selection[Paths]):
    """Chains of weights from some features to others."""

    def shortest(self) -> PathQuery:
        """Return, of the paths between the same two features, the shortest alone."""
        return PathQuery(replace(self.criteria, shortest=True), self._runner)


class AnnotationQuery(CriteriaQuery[Annotations]):
    """What people and tools say."""

    def features(self) -> FeatureQuery:
        """Return the features that they speak of, each once."""
        return FeatureQuery(self.criteria.features(), self._runner)


class CircuitQuery(CriteriaQuery[Circuits]):
    """Circuits of a knowledge base."""

    def members(self, *, role: str | None = None, side: int | None = None) -> FeatureQuery:
        """Return the features that take part in them, or those with a role or on a side."""
        return FeatureQuery(self.criteria.members(role=role, side=side), self._runner)

    def run(self, *, timeout: float = DEFAULT_TIMEOUT) -> Result:
        """Run the query; see :meth:`Selection.run`."""
        found = super().run(timeout=timeout)
        if "members" not in found.columns:
            return found
        place = found.columns.index("members")
        rows = (
            (
                *row[:place],
                [{name: member[name] for name in MEMBER} for member in row[place]],
                *row[place + 1 :],
            )
            for row in found.rows
        )
        return replace(found, rows=tuple(rows))


class FeatureQuery(CriteriaQuery[Features]):
    """Features of a knowledge base.

    Lists combine: ``one & other`` has the features of both, ``one | other`` those of either,
    ``one - other`` those of the first that are not in the second. The bound on rows does not
    choose features: it goes over to what is reached from them.
    """

    def inputs(
        self,
        *,
        sign: Sign | None = None,
        top: int | None = None,
        min_rank: int | None = None,
        max_rank: int | None = None,
        **properties: Any,
    ) -> EdgeQuery:
        """Return the edges into them; rank 1 is the strongest input of each feature.

        See :meth:`circuitkb.queries.lists.features.Features.inputs`.
        """
        edges = self.criteria.inputs(
            sign=sign, top=top, min_rank=min_rank, max_rank=max_rank, **properties
        )
        return EdgeQuery(edges, self._runner)

    def outputs(
        self,
        *,
        sign: Sign | None = None,
        top: int | None = None,
        min_rank: int | None = None,
        max_rank: int | None = None,
        **properties: Any,
    ) -> EdgeQuery:
        """Return the edges out of them; the rank is among the target's inputs."""
        edges = self.criteria.outputs(
            sign=sign, top=top, min_rank=min_rank, max_rank=max_rank, **properties
        )
        return EdgeQuery(edges, self._runner)

    def common_inputs(self, *, at_least: int = 2, **edges: Any) -> CommonQuery:
        """Return the features that feed at least so many of them; ``edges`` as :meth:`inputs`."""
        return CommonQuery(self.criteria.common_inputs(at_least=at_least, **edges), self._runner)

    def common_outputs(self, *, at_least: int = 2, **edges: Any) -> CommonQuery:
        """Return the features that at least so many of them feed."""
        return CommonQuery(self.criteria.common_outputs(at_least=at_least, **edges), self._runner)

    def paths(self, target: Any, *, max_length: int = 2, **edges: Any) -> PathQuery:
        """Return the paths to other features, of at most so many weights (1 to 4).

        Parameters
        ----------
        target
            A feature, several ids, or a list of features.
        edges
            What each weight must be: ``sign``, ``max_rank``, or its properties.
        """
        paths = self.criteria.paths(chosen(target), max_length=max_length, **edges)
        return PathQuery(paths, self._runner)

    def circuits(self, *, motif: str | None = None, origin: str | None = None) -> CircuitQuery:
        """Return the circuits that any of them takes part in."""
        return CircuitQuery(self.criteria.circuits(motif=motif, origin=origin), self._runner)

    def annotations(self, **conditions: Any) -> AnnotationQuery:
        """Return what is said of them."""
        return AnnotationQuery(self.criteria.annotations(**conditions), self._runner)

    def analogous(self, *, max_q: float = 0.05, **properties: Any) -> FeatureQuery:
        """Return the features of other models that answer alike."""
        return FeatureQuery(self.criteria.analogous(max_q=max_q, **properties), self._runner)

    def transforms(self, by: Any = None, *, max_q: float = 0.05, **properties: Any) -> FeatureQuery:
        """Return their partners under a transform such as ``mirror("left-right")``."""
        return FeatureQuery(self.criteria.transforms(by, max_q=max_q, **properties), self._runner)

    def __and__(self, other: FeatureQuery) -> FeatureQuery:
        return FeatureQuery(self.criteria & chosen(other), self._runner)

    def __or__(self, other: FeatureQuery) -> FeatureQuery:
        return FeatureQuery(self.criteria | chosen(other), self._runner)

    def __sub__(self, other: FeatureQuery) -> FeatureQuery:
        return FeatureQuery(self.criteria - chosen(other), self._runner)


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

    def over(self, weights: Over) -> PatternQuery:
        """Return the query over the weights of the ``"graph"``, or over ``"all"``."""
        if weights not in ("graph", "all"):
            from circuitkb.schema.errors import QueryError

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
                self.criteria.limited(None).to_cypher(),
                self.criteria.mentions(),
                timeout=timeout,
                limit=None,
            )
        )

    def explain(self) -> str:
        """Return the plan of the engine that would answer; nothing is joined for it."""
        if self._weights() == "all":
            return self._runner.plan(self.criteria, timeout=DEFAULT_TIMEOUT)
        return super().explain()

    def _weights(self) -> Over:
        return self._over or self._runner.best_over(self.criteria)


def chosen(given: Any) -> Features:
    """Return features given by an id, by several ids, or as a list of a knowledge base."""
    return given.criteria if isinstance(given, FeatureQuery) else as_features(given)
