"""Lists of what people and tools say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.queries.lists.conditions import Criteria, Mention, Parameters, exists, where_clause
from circuitkb.queries.lists.features import Features, as_features
from circuitkb.queries.lists.predicates import Predicate, as_predicate
from circuitkb.queries.lists.statement import Statement
from circuitkb.schema.definition import node_type
from circuitkb.schema.errors import QueryError

STATES = ("live", "superseded", "retracted", "contested", "pending")

_ID = node_type("Annotator").property("id")
_TYPE = node_type("Annotator").property("type")


@dataclass(frozen=True, kw_only=True)
class Annotations(Criteria):
    """Annotations with their author and what they speak of, by target, then label, then author.

    Attributes
    ----------
    author, author_type
        Who says it: an id, or a predicate on it; ``human``, ``group``, ``model`` or ``tool``.
    label
        Part of the label that it gives, in any case; or a predicate on the text.
    kind
        ``label``, ``role``, ``claim``, ``comment``, ``review`` or ``retraction``.
    state
        ``live`` if not given; None for all of them.
    feature
        A feature, its id, several ids, or :class:`Features` of which it speaks of one.
    """

    author: str | Predicate | None = None
    author_type: str | Predicate | None = None
    label: str | Predicate | None = None
    kind: str | Predicate | None = None
    state: str | Predicate | None = "live"
    feature: Any = None
    _target: Features | None = field(init=False, repr=False, compare=False)

    owner: ClassVar[Any] = node_type("Annotation")

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.state, str) and self.state not in STATES:
            raise QueryError(
                f"state is {self.state!r}: it is {', '.join(STATES)}, or None for all."
            )
        target = None if self.feature is None else as_features(self.feature)
        object.__setattr__(self, "_target", target)

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        own = (Mention("label", self.label),) if isinstance(self.label, str) else ()
        return own + (self._target.mentions() if self._target else ())

    def matches(
        self, annotation: str, parameters: Parameters, *, anchored: bool = False
    ) -> list[str]:
        """Return the conditions on the annotation of this name."""
        found = self.named({"kind": self.kind, "state": self.state}, annotation, parameters)
        for name, owner, wanted in (
            ("author", _ID, self.author),
            ("author_type", _TYPE, self.author_type),
        ):
            if wanted is not None:
                who = parameters.variable("who")
                text = as_predicate(wanted).text(
                    f"{who}.{owner.name}", owner, parameters.binder(name)
                )
                found.append(exists(f"({annotation})-[:BY]->({who}:Annotator)", [text]))
        if self.label is not None:
            word = parameters.variable("word")
            bind = parameters.binder("label")
            text = (
                f"toLower({word}.text) CONTAINS toLower({bind(self.label)})"
                if isinstance(self.label, str)
                else as_predicate(self.label).text(
                    f"{word}.text", node_type("Label").property("text"), bind
                )
            )
            found.append(exists(f"({annotation})-[:USES]->({word}:Label)", [text]))
        if self._target and not anchored:
            target = parameters.variable("x")
            conditions = self._target.matches(target, parameters, "feature_")
            found.append(exists(f"({annotation})-[:ANNOTATES]->({target}:Feature)", conditions))
        return found + self.compare(annotation, parameters)

    def clauses(self, annotation: str, parameters: Parameters) -> str:
        """Return clauses that bind each annotation, once."""
        if self._target:
            target = parameters.variable("x")
            conditions = self._target.matches(target, parameters, "feature_", anchored=True)
            conditions += self.matches(annotation, parameters, anchored=True)
            anchor = self._target.anchor(target, parameters, "feature_")
            return (
                f"{anchor}MATCH ({annotation}:Annotation)-[:ANNOTATES]->"
                f"({target}{'' if anchor else ':Feature'})\n"
                f"{where_clause(conditions)}WITH DISTINCT {annotation}\n"
            )
        conditions = self.matches(annotation, parameters)
        return f"MATCH ({annotation}:Annotation)\n{where_clause(conditions)}"

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""
        parameters = Parameters()
        for name in ("n", "t", "l", "who", "about"):  # taken by the text below
            parameters.variable(name)
        order = "ORDER BY targets, label, author, annotation"
        return Statement(
            f"{self.clauses('n', parameters)}"
            "WITH n,\n"
            "  COLLECT { MATCH (n)-[about:ANNOTATES]->(t) WITH t, about "
            "ORDER BY coalesce(about.role, ''), t.id\n    RETURN t.id AS id } AS targets,\n"
            "  head(COLLECT { MATCH (n)-[:USES]->(l:Label) RETURN l.text AS text "
            "ORDER BY text }) AS label,\n"
            "  head(COLLECT { MATCH (n)-[:BY]->(who:Annotator) RETURN who.id AS id "
            "ORDER BY id }) AS author\n"
            "RETURN n.id AS annotation, n.kind AS kind, targets, label, n.text AS text, author,\n"
            "  n.method AS method, n.verdict AS verdict, n.confidence AS confidence,\n"
            "  n.state AS state, n.created AS created, n.source AS source, n.license AS license\n"
            f"{order}{self.row_bound(parameters)}",
            parameters,
        )
