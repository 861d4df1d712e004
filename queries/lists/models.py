"""Lists of models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from circuitkb.queries.lists.conditions import Criteria, Mention, Parameters, where_clause
from circuitkb.queries.lists.predicates import Predicate
from circuitkb.queries.lists.statement import Statement
from circuitkb.schema.definition import node_type


@dataclass(frozen=True, kw_only=True)
class Models(Criteria):
    """Models, by name.

    Attributes
    ----------
    id
        Name of the model, or what it must be.
    """

    id: str | Predicate | None = None

    owner: ClassVar[Any] = node_type("Model")

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        return (Mention("model", self.id),) if isinstance(self.id, str) else ()

    def matches(self, model: str, parameters: Parameters) -> list[str]:
        """Return the conditions on the model of this name."""
        own = self.named({"id": self.id}, model, parameters, "model_")
        return own + self.compare(model, parameters, "model_")

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""
        parameters = Parameters()
        conditions = self.named({"id": self.id}, "m", parameters) + self.compare("m", parameters)
        return Statement(
            f"MATCH (m:Model)\n{where_clause(conditions)}"
            "RETURN m.id AS model, m.architecture AS architecture, m.weights AS weights,\n"
            "  COUNT { MATCH (:Layer)-[:IN_MODEL]->(m) } AS layers, m.features AS features,\n"
            "  m.edges AS edges, m.edges_kept AS edges_kept, m.keep AS keep,\n"
            "  m.without_inputs AS without_inputs,\n"
            "  COUNT { MATCH (c:Circuit) WHERE c.model = m.id } AS circuits,\n"
            "  m.source AS source, m.fingerprint AS fingerprint\n"
            f"ORDER BY model{self.row_bound(parameters)}",
            parameters,
        )
