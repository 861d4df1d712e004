"""Lists of trials: what was predicted, what the edited network gave, how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.queries.lists.conditions import Criteria, Mention, Parameters, exists, where_clause
from circuitkb.queries.lists.features import Features, as_features
from circuitkb.queries.lists.predicates import Predicate, as_predicate
from circuitkb.queries.lists.statement import Statement
from circuitkb.schema.definition import node_type
from circuitkb.schema.errors import QueryError

OUTCOMES = ("held", "failed", "undecided")


@dataclass(frozen=True, kw_only=True)
class Trials(Criteria):
    """Trials with what they are about, by model, kind, q, p and id.

    Attributes
    ----------
    model, kind, outcome
        Names, or predicates; ``kind`` is ``edit`` or a motif, ``outcome`` ``held``, ``failed`` or
        ``undecided``.
    circuit
        The id of the circuit that they are about.
    feature
        A feature, its id, several ids, or :class:`Features` of which they are about one.

    Examples
    --------
    >>> Trials(outcome="held", model="alexnet").to_cypher().parameters["outcome"]
    'held'
    >>> Trials(outcome="won")
    Traceback (most recent call last):
    circuitkb.schema.errors.QueryError: outcome is 'won': it is 'held', 'failed' or 'undecided'.
    """

    model: str | Predicate | None = None
    kind: str | Predicate | None = None
    outcome: str | Predicate | None = None
    circuit: str | Predicate | None = None
    feature: Any = None
    _about: Features | None = field(init=False, repr=False, compare=False)

    owner: ClassVar[Any] = node_type("Trial")

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.outcome, str) and self.outcome not in OUTCOMES:
            raise QueryError(f"outcome is {self.outcome!r}: it is 'held', 'failed' or 'undecided'.")
        about = None if self.feature is None else as_features(self.feature)
        object.__setattr__(self, "_about", about)

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        own = (Mention("model", self.model),) if isinstance(self.model, str) else ()
        return (*own, *(self._about.mentions() if self._about else ()))

    def matches(self, trial: str, parameters: Parameters) -> list[str]:
        """Return the conditions on the trial of this name."""
        names = {"network": self.model, "kind": self.kind, "outcome": self.outcome}
        found = self.named(names, trial, parameters)
        if self.circuit is not None:
            circuit = parameters.variable("y")
            id_ = node_type("Circuit").property("id")
            text = as_predicate(self.circuit).text(
                f"{circuit}.id", id_, parameters.binder("circuit")
            )
            found.append(exists(f"({trial})-[:ABOUT]->({circuit}:Circuit)", [text]))
        if self._about:
            about = parameters.variable("x")
            conditions = self._about.matches(about, parameters, "feature_")
            found.append(exists(f"({trial})-[:ABOUT]->({about}:Feature)", conditions))
        return found + self.compare(trial, parameters)

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""
        parameters = Parameters()
        for name in ("t", "f", "c"):  # taken by the text below
            parameters.variable(name)
        conditions = where_clause(self.matches("t", parameters))
        order = "ORDER BY t.network, t.kind, coalesce(t.q, 1), coalesce(t.p, 1), t.id"
        return Statement(
            f"MATCH (t:Trial)\n{conditions}"
            f"WITH t {order}{self.row_bound(parameters)}\n"
            "RETURN t.id AS trial, t.kind AS kind, t.network AS model, t.outcome AS outcome,\n"
            "  head(COLLECT { MATCH (t)-[:ABOUT]->(c:Circuit) RETURN c.id AS id ORDER BY id })"
            " AS circuit,\n"
            "  head(COLLECT { MATCH (t)-[about:ABOUT]->(f:Feature) WHERE about.role = 'target'\n"
            "    RETURN f.id AS id ORDER BY id }) AS target,\n"
            "  t.edit AS edit, t.measure AS measure, t.inputs AS inputs,\n"
            "  t.predicted AS predicted,\n"
            "  t.low AS low, t.high AS high, t.measured AS measured, t.null_mean AS null_mean,\n"
            "  t.null_count AS null_count, t.null_method AS null_method, t.p AS p, t.q AS q,\n"
            "  t.tested AS tested, t.seed AS seed, t.seconds AS seconds, t.created AS created,\n"
            "  t.detail AS detail\n"
            f"{order}",
            parameters,
        )
