"""Lists of a knowledge base that run when their rows are wanted.

Each wraps a value of :mod:`circuitkb.queries.criteria`; narrowing one gives a new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from circuitkb.queries.conditions import Criteria, Mention
from circuitkb.queries.criteria import MEMBER, Circuits, Edges, Features, Models
from circuitkb.queries.statement import Statement
from circuitkb.stores.base import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    import pyarrow as pa
    from matplotlib.axes import Axes

    from circuitkb.results import Result

C = TypeVar("C", bound=Criteria)


class Runner(Protocol):
    """Runs a statement; where no row comes, says which of the mentioned names is unknown."""

    def __call__(
        self,
        statement: Statement,
        mentions: Sequence[Mention],
        *,
        timeout: float,
        limit: int | None,
    ) -> Result:
        """Run it."""


class Selection(Generic[C]):
    """Rows that are wanted; nothing runs until they are asked for."""

    def __init__(self, criteria: C, runner: Runner) -> None:
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

    def where(self, name: str, operator: str, value: Any) -> Self:
        """Return the list narrowed by a condition on a property.

        See :meth:`circuitkb.queries.conditions.Criteria.where`.
        """
        return type(self)(self.criteria.where(name, operator, value), self._runner)

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

    def to_dicts(self) -> list[dict[str, Any]]:
        """Run, and return one dictionary for each row."""
        return self.run().to_dicts()

    def to_json(self, indent: int | None = None) -> str:
        """Run, and return JSON."""
        return self.run().to_json(indent)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Run, and return CSV; see :meth:`circuitkb.results.Result.to_csv`."""
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

    def plot(self, value: str | None = None, label: str | None = None) -> Axes:
        """Run, and draw one bar for each row."""
        return self.run().plot(value, label)


class ModelQuery(Selection[Models]):
    """Models of a knowledge base."""


class EdgeQuery(Selection[Edges]):
    """Weights of a knowledge base."""


class CircuitQuery(Selection[Circuits]):
    """Circuits of a knowledge base."""

    def run(self, *, timeout: float = DEFAULT_TIMEOUT) -> Result:
        """Run the query; see :meth:`Selection.run`."""
        found = super().run(timeout=timeout)
        if "members" not in found.columns:
            return found
        place = found.columns.index("members")
        rows = (
            (*row[:place], [{name: member[name] for name in MEMBER} for member in row[place]],
             *row[place + 1 :])
            for row in found.rows
        )  # fmt: skip
        return replace(found, rows=tuple(rows))


class FeatureQuery(Selection[Features]):
    """Features of a knowledge base."""

    def inputs(self, *, min_rank: int | None = None, max_rank: int | None = None) -> EdgeQuery:
        """Return the edges into them; rank 1 is the strongest input of each feature.

        The bound on rows goes over to the edges: it does not choose features.
        """
        return EdgeQuery(self.criteria.inputs(min_rank=min_rank, max_rank=max_rank), self._runner)

    def outputs(self, *, min_rank: int | None = None, max_rank: int | None = None) -> EdgeQuery:
        """Return the edges out of them; the rank is among the target's inputs."""
        return EdgeQuery(self.criteria.outputs(min_rank=min_rank, max_rank=max_rank), self._runner)

    def circuits(self, *, motif: str | None = None, origin: str | None = None) -> CircuitQuery:
        """Return the circuits that any of them takes part in."""
        return CircuitQuery(self.criteria.circuits(motif=motif, origin=origin), self._runner)
