"""What several features have in common: the inputs that feed them, or the outputs they feed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from circuitkb.queries.lists.conditions import Criteria, Mention, Parameters
from circuitkb.queries.lists.edges import Edges
from circuitkb.queries.lists.features import labels_of
from circuitkb.queries.lists.statement import Statement
from circuitkb.schema.definition import relation_type
from circuitkb.schema.errors import QueryError


@dataclass(frozen=True, kw_only=True)
class CommonEnds(Criteria):
    """Features at the far end of edges of at least so many of some features.

    By how many they share, then the strongest rank, then their id. After
    ``fetch_common_connectivity`` of neuprint-python.

    Attributes
    ----------
    edges
        The edges into the features (for common inputs) or out of them (for common outputs).
    at_least
        How many of the features.
    """

    edges: Edges
    at_least: int = 2

    owner: ClassVar[Any] = relation_type("WEIGHT")

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.at_least, bool) or self.at_least < 1:
            raise QueryError(f"at_least is {self.at_least!r}: it is a number from 1.")

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        return self.edges.mentions()

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""
        parameters = Parameters()
        names = parameters.variable("s"), parameters.variable("w"), parameters.variable("t")
        far, own = ("s", "t") if self.edges.per == "target" else ("t", "s")
        return Statement(
            f"{self.edges.clauses(names, parameters)}"
            f"WITH {far} AS f, {own}.id AS shared, min(w.rank) AS rank, sum(w.sum) AS net\n"
            "ORDER BY shared\n"
            "WITH f, collect(shared) AS features, collect(rank) AS ranks, collect(net) AS sums,\n"
            "  min(rank) AS best\n"
            f"WHERE size(features) >= {parameters.bind('at_least', self.at_least)}\n"
            f"RETURN f.id AS feature, {labels_of('f')} AS labels, size(features) AS count,\n"
            "  features, ranks, sums\n"
            f"ORDER BY count DESC, best, feature{self.row_bound(parameters)}",
            parameters,
        )
