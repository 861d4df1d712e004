"""Steps through the graph that lead to features, each an ``Origin`` of a list of them.

They are ends of weights, members of circuits, what is annotated, features of models, partners.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from circuitkb.queries.lists.annotations import Annotations
from circuitkb.queries.lists.circuits import Circuits
from circuitkb.queries.lists.conditions import Condition, Mention, Parameters, exists, where_clause
from circuitkb.queries.lists.edges import Edges
from circuitkb.queries.lists.features import Features
from circuitkb.queries.lists.models import Models
from circuitkb.queries.lists.predicates import as_predicate, at_most
from circuitkb.schema.definition import relation_type
from circuitkb.schema.errors import QueryError


@dataclass(frozen=True)
class Ends:
    """One end of some edges."""

    edges: Edges
    end: Literal["source", "target"]

    def anchor(self, variable: str, parameters: Parameters) -> str:
        """Return clauses that bind the end of each edge, once."""
        names = self._names(variable, parameters)
        return f"{self.edges.clauses(names, parameters)}WITH DISTINCT {variable}\n"

    def condition(self, variable: str, parameters: Parameters) -> str:
        """Return the condition that the feature is an end of one of the edges."""
        names = self._names(variable, parameters)
        s, w, t = names
        inner = self.edges.matches(names, parameters) + self.edges.within_top(names, parameters)
        return exists(f"({s}:Feature)-[{w}:WEIGHT]->({t}:Feature)", inner)

    def mentions(self) -> tuple[Mention, ...]:
        """Return those of the edges."""
        return self.edges.mentions()

    def _names(self, variable: str, parameters: Parameters) -> tuple[str, str, str]:
        weight = parameters.variable("w")
        if self.end == "source":
            return variable, weight, parameters.variable("t")
        return parameters.variable("s"), weight, variable


@dataclass(frozen=True)
class Inside:
    """The features of some models."""

    models: Models

    def anchor(self, variable: str, parameters: Parameters) -> str:
        """Return clauses that bind each feature."""
        model, layer = parameters.variable("m"), parameters.variable("y")
        where = where_clause(self.models.matches(model, parameters))
        return (
            f"MATCH ({model}:Model)<-[:IN_MODEL]-({layer}:Layer)<-[:IN_LAYER]-({variable}:Feature)"
            f"\n{where}WITH DISTINCT {variable}\n"
        )

    def condition(self, variable: str, parameters: Parameters) -> str:
        """Return the condition that a feature is in one of the models."""
        model, layer = parameters.variable("m"), parameters.variable("y")
        pattern = f"({variable})-[:IN_LAYER]->({layer}:Layer)-[:IN_MODEL]->({model}:Model)"
        return exists(pattern, self.models.matches(model, parameters))

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the models rely on."""
        return self.models.mentions()


@dataclass(frozen=True)
class Members:
    """The members of some circuits, or those with a role or on a side."""

    circuits: Circuits
    role: str | None = None
    side: int | None = None

    def anchor(self, variable: str, parameters: Parameters) -> str:
        """Return clauses that bind each member, once."""
        circuit, member = parameters.variable("c"), parameters.variable("b")
        conditions = self._conditions(member, parameters)
        return (
            f"{self.circuits.clauses(circuit, parameters)}"
            f"MATCH ({variable}:Feature)-[{member}:MEMBER_OF]->({circuit})\n"
            f"{where_clause(conditions)}WITH DISTINCT {variable}\n"
        )

    def condition(self, variable: str, parameters: Parameters) -> str:
        """Return the condition that the feature is a member."""
        circuit, member = parameters.variable("c"), parameters.variable("b")
        conditions = self._conditions(member, parameters)
        conditions += self.circuits.matches(circuit, parameters)
        return exists(f"({variable})-[{member}:MEMBER_OF]->({circuit}:Circuit)", conditions)

    def mentions(self) -> tuple[Mention, ...]:
        """Return those of the circuits."""
        return self.circuits.mentions()

    def _conditions(self, member: str, parameters: Parameters) -> list[str]:
        return [
            f"{member}.{name} = {parameters.bind(name, value)}"
            for name, value in (("role", self.role), ("side", self.side))
            if value is not None
        ]


@dataclass(frozen=True)
class Annotated:
    """The features that some annotations speak of, ends of annotated edges not among them."""

    annotations: Annotations

    def anchor(self, variable: str, parameters: Parameters) -> str:
        """Return clauses that bind each of them, once."""
        annotation, about = parameters.variable("n"), parameters.variable("about")
        return (
            f"{self.annotations.clauses(annotation, parameters)}"
            f"MATCH ({annotation})-[{about}:ANNOTATES]->({variable}:Feature)\n"
            f"WHERE {about}.role IS NULL\nWITH DISTINCT {variable}\n"
        )

    def condition(self, variable: str, parameters: Parameters) -> str:
        """Return the condition that one of the annotations speaks of the feature."""
        annotation, about = parameters.variable("n"), parameters.variable("about")
        conditions = [f"{about}.role IS NULL", *self.annotations.matches(annotation, parameters)]
        pattern = f"({variable})<-[{about}:ANNOTATES]-({annotation}:Annotation)"
        return exists(pattern, conditions)

    def mentions(self) -> tuple[Mention, ...]:
        """Return those of the annotations."""
        return self.annotations.mentions()


@dataclass(frozen=True)
class Partners:
    """Features joined to others by a relation that holds in both directions."""

    relation: Literal["ANALOGOUS_TO", "TRANSFORMS_TO"]
    features: Features
    conditions: tuple[Condition, ...] = field(default=())

    @classmethod
    def analogous(cls, features: Features, max_q: float, properties: Mapping[str, Any]) -> Partners:
        """Return the partners in other models; ``properties`` are those of the relation."""
        given = {"q": at_most(max_q), **properties}
        return cls("ANALOGOUS_TO", features, _conditions("ANALOGOUS_TO", given))

    @classmethod
    def transformed(
        cls, features: Features, by: Any, max_q: float, properties: Mapping[str, Any]
    ) -> Partners:
        """Return the partners under a transform: anything with a ``group`` and a ``parameter``."""
        given = {"q": at_most(max_q), **transform_properties(by), **properties}
        return cls("TRANSFORMS_TO", features, _conditions("TRANSFORMS_TO", given))

    def anchor(self, variable: str, parameters: Parameters) -> str:
        """Return clauses that bind each partner, once."""
        other, relation = parameters.variable("x"), parameters.variable("r")
        start = self.features.anchor(other, parameters, "of_")
        conditions = self.features.matches(other, parameters, "of_", anchored=True)
        conditions += on_relation(self.conditions, relation, parameters)
        return (
            f"{start}MATCH ({other}{'' if start else ':Feature'})-[{relation}:{self.relation}]-"
            f"({variable}:Feature)\n{where_clause(conditions)}WITH DISTINCT {variable}\n"
        )

    def condition(self, variable: str, parameters: Parameters) -> str:
        """Return the condition that the feature is a partner of one of them."""
        other, relation = parameters.variable("x"), parameters.variable("r")
        conditions = self.features.matches(other, parameters, "of_")
        conditions += on_relation(self.conditions, relation, parameters)
        return exists(f"({variable})-[{relation}:{self.relation}]-({other}:Feature)", conditions)

    def mentions(self) -> tuple[Mention, ...]:
        """Return those of the features."""
        return self.features.mentions()


def transform_properties(by: Any) -> dict[str, Any]:
    """Return what ``TRANSFORMS_TO`` says of a transform such as ``mirror("left-right")``.

    Raises
    ------
    QueryError
        It is no transform.
    """
    if by is None:
        return {}
    if not hasattr(by, "group") or not hasattr(by, "parameter"):
        raise QueryError(f"{by!r} is no transform: write mirror('left-right').")
    return {"group": by.group, "parameter": float(by.parameter)}


def _conditions(relation: str, properties: Mapping[str, Any]) -> tuple[Condition, ...]:
    owner = relation_type(relation)
    found = tuple(
        Condition(owner.property(name), as_predicate(wanted)) for name, wanted in properties.items()
    )
    for condition in found:
        condition.wanted.text("x", condition.owner, lambda _: "$x")
    return found


def on_relation(
    conditions: tuple[Condition, ...], variable: str, parameters: Parameters
) -> list[str]:
    """Return conditions on the properties of a relation."""
    return [
        # `group` is a word of Cypher's own in some dialects; quoted it is a name in all.
        wanted.text(f"{variable}.`{owner.name}`", owner, parameters.binder(owner.name))
        for owner, wanted in conditions
    ]
