"""Lists of a knowledge base that run when their rows are wanted, and the steps between them.

Each wraps a value of :mod:`circuitkb.queries.lists.criteria`; narrowing one gives a new one, and
a step leads to a list of another kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from circuitkb.lists.running import Runner
from circuitkb.queries.lists.conditions import Mention
from circuitkb.queries.lists.criteria import (
    MEMBER,
    Annotations,
    Circuits,
    CommonEnds,
    Criteria,
    Edges,
    Features,
    Models,
    Nodes,
    Paths,
    Sign,
    Trials,
    as_features,
    come_and_go,
)
from circuitkb.queries.lists.features import Origin
from circuitkb.queries.lists.reaching import Annotated, Ends, Inside, Members, Partners
from circuitkb.queries.lists.statement import Statement
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

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""

    def limited(self, limit: int | None) -> Self:
        """Return the value bounded to this many rows."""


W = TypeVar("W", bound=Wanted)
C = TypeVar("C", bound=Criteria)


class Selection(ABC, Generic[W]):
    """Rows that are wanted; nothing runs until they are asked for."""

    def __init__(self, criteria: W, runner: Runner) -> None:
        self.criteria = criteria
        self._runner = runner

    def __repr__(self) -> str:
        statement = self.to_cypher()
        return f"{statement.text}\n{dict(statement.parameters)}"

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.run())

    @abstractmethod
    def to_cypher(self) -> Statement:
        """Return the Cypher text and its parameters."""

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
            self.limit(None).to_cypher(), self.criteria.mentions(), timeout=timeout, rows=rows
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


class ListQuery(Selection[C]):
    """Rows of one kind of thing."""

    def to_cypher(self) -> Statement:
        """Return the Cypher text and its parameters."""
        return self.criteria.to_cypher()

    def _reached(self, origin: Origin) -> FeatureQuery:
        """Return the features that a step from here leads to; the bound on rows goes with it."""
        return FeatureQuery(Features(origin=origin, limit=self.criteria.limit), self._runner)


class CriteriaQuery(ListQuery[C]):
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
        return type(self)(self.criteria.where(name, operator, value, **properties), self._runner)


class NodeQuery(CriteriaQuery[Nodes]):
    """Nodes of one kind of a knowledge base."""


class ModelQuery(CriteriaQuery[Models]):
    """Models of a knowledge base."""

    def features(self, **conditions: Any) -> FeatureQuery:
        """Return their features; conditions as those of ``kb.features``."""
        features = Features.of(**{"limit": self.criteria.limit, **conditions})
        return FeatureQuery(replace(features, origin=Inside(self.criteria)), self._runner)


class EdgeQuery(CriteriaQuery[Edges]):
    """Weights of a knowledge base."""

    def sources(self) -> FeatureQuery:
        """Return the features that they come from, each once."""
        return self._reached(Ends(self.criteria, "source"))

    def targets(self) -> FeatureQuery:
        """Return the features that they lead to, each once."""
        return self._reached(Ends(self.criteria, "target"))


class CommonQuery(ListQuery[CommonEnds]):
    """Features that several features have in common as inputs or outputs."""


class PathQuery(ListQuery[Paths]):
    """Chains of weights from some features to others."""

    def shortest(self) -> PathQuery:
        """Return, of the paths between the same two features, the shortest alone."""
        return PathQuery(replace(self.criteria, shortest=True), self._runner)


class AnnotationQuery(CriteriaQuery[Annotations]):
    """What people and tools say."""

    def features(self) -> FeatureQuery:
        """Return the features that they speak of, each once, ends of annotated edges apart."""
        return self._reached(Annotated(self.criteria))


class TrialQuery(CriteriaQuery[Trials]):
    """Trials of a knowledge base."""


class CircuitQuery(CriteriaQuery[Circuits]):
    """Circuits of a knowledge base."""

    def members(self, *, role: str | None = None, side: int | None = None) -> FeatureQuery:
        """Return the features that take part in them, or those with a role or on a side."""
        return self._reached(Members(self.criteria, role, side))

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
        notes = come_and_go(found["stability"]) if "stability" in found.columns else ()
        return replace(found, rows=tuple(rows), notes=(*found.notes, *notes))


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

        Parameters
        ----------
        sign
            ``"+"`` or ``"-"``: of the kernel's sum.
        top
            How many edges of each feature, strongest first, of those that fulfil the rest.
        min_rank, max_rank
            Bounds of the rank among all inputs of the feature.
        properties
            Of the weight, with values or predicates.
        """
        edges = Edges(
            target=self.criteria,
            sign=sign,
            top=top,
            min_rank=min_rank,
            max_rank=max_rank,
            limit=self.criteria.limit,
        )
        return EdgeQuery(edges.where(**properties), self._runner)

    def outputs(
        self,
        *,
        sign: Sign | None = None,
        top: int | None = None,
        min_rank: int | None = None,
        max_rank: int | None = None,
        **properties: Any,
    ) -> EdgeQuery:
        """Return the edges out of them; the rank is among the target's inputs.

        ``top`` counts, for each of these features, from its largest ``l1`` on.
        """
        edges = Edges(
            source=self.criteria,
            sign=sign,
            top=top,
            per="source",
            min_rank=min_rank,
            max_rank=max_rank,
            limit=self.criteria.limit,
        )
        return EdgeQuery(edges.where(**properties), self._runner)

    def common_inputs(self, *, at_least: int = 2, **edges: Any) -> CommonQuery:
        """Return the features that feed at least so many of them; ``edges`` as :meth:`inputs`."""
        return self._common(self.inputs(**edges), at_least)

    def common_outputs(self, *, at_least: int = 2, **edges: Any) -> CommonQuery:
        """Return the features that at least so many of them feed."""
        return self._common(self.outputs(**edges), at_least)

    def _common(self, edges: EdgeQuery, at_least: int) -> CommonQuery:
        ends = CommonEnds(edges=edges.criteria, at_least=at_least, limit=self.criteria.limit)
        return CommonQuery(ends, self._runner)

    def paths(self, target: Any, *, max_length: int = 2, **edges: Any) -> PathQuery:
        """Return the paths to other features, of at most so many weights (1 to 4).

        Parameters
        ----------
        target
            A feature, several ids, or a list of features.
        edges
            What each weight must be: ``sign``, ``max_rank``, or its properties.
        """
        paths = Paths(
            source=self.criteria,
            target=chosen(target),
            max_length=max_length,
            edges=Edges.of(**edges),
            limit=self.criteria.limit,
        )
        return PathQuery(paths, self._runner)

    def circuits(self, *, motif: str | None = None, origin: str | None = None) -> CircuitQuery:
        """Return the circuits that any of them takes part in."""
        circuits = Circuits(
            feature=self.criteria, motif=motif, origin=origin, limit=self.criteria.limit
        )
        return CircuitQuery(circuits, self._runner)

    def annotations(self, **conditions: Any) -> AnnotationQuery:
        """Return what is said of them."""
        given = {"limit": self.criteria.limit, **conditions, "feature": self.criteria}
        return AnnotationQuery(Annotations.of(**given), self._runner)

    def analogous(self, *, max_q: float = 0.05, **properties: Any) -> FeatureQuery:
        """Return the features of other models that answer alike, at most ``max_q`` by chance."""
        return self._reached(Partners.analogous(self.criteria, max_q, properties))

    def transforms(self, by: Any = None, *, max_q: float = 0.05, **properties: Any) -> FeatureQuery:
        """Return their partners under a transform such as ``mirror("left-right")``, or any."""
        return self._reached(Partners.transformed(self.criteria, by, max_q, properties))

    def __and__(self, other: FeatureQuery) -> FeatureQuery:
        return FeatureQuery(self.criteria & chosen(other), self._runner)

    def __or__(self, other: FeatureQuery) -> FeatureQuery:
        return FeatureQuery(self.criteria | chosen(other), self._runner)

    def __sub__(self, other: FeatureQuery) -> FeatureQuery:
        return FeatureQuery(self.criteria - chosen(other), self._runner)


def chosen(given: Any) -> Features:
    """Return features given by an id, by several ids, or as a list of a knowledge base."""
    return given.criteria if isinstance(given, FeatureQuery) else as_features(given)
