"""Lists of circuits with their members and the null of their evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.queries.lists.conditions import Criteria, Mention, Parameters, exists, where_clause
from circuitkb.queries.lists.features import Features, as_features, labels_of
from circuitkb.queries.lists.predicates import Predicate
from circuitkb.queries.lists.statement import Statement
from circuitkb.schema.definition import node_type
from circuitkb.schema.errors import QueryError

ORIGINS = ("found", "published", "annotated")

MEMBER = ("feature", "role", "side", "facing", "weight", "labels")
"""What a row of a list of circuits tells of each member; the maps of a query have no order."""

STEADY = 0.9
"""Stability of a found circuit below which it is said to come and go."""

_MEMBERS = (
    "COLLECT { MATCH (f:Feature)-[b:MEMBER_OF]->(c)\n"
    "    WITH f, b ORDER BY coalesce(b.side, 9), b.role, f.id\n"
    "    RETURN {feature: f.id, role: b.role, side: b.side, facing: b.facing, weight: b.weight,\n"
    f"      labels: {labels_of('f')}}} }}"
)

# Without coalesce, Neo4j 5.26 may look this CONTAINS up in an index that cannot answer it.
_TWINS = (
    "COLLECT { MATCH (c)<-[:MEMBER_OF]-(:Feature)-[:MEMBER_OF]->(p:Circuit {origin: 'published'})\n"
    "    WHERE c.origin = 'found' AND coalesce(p.motif, '') CONTAINS split(c.group, ':')[0]\n"
    "      AND NOT EXISTS { MATCH (f:Feature)-[:MEMBER_OF]->(c)\n"
    "        WHERE NOT EXISTS { MATCH (f)-[:MEMBER_OF]->(p) } }\n"
    "    RETURN DISTINCT p.id AS id ORDER BY id }"
)


def come_and_go(stabilities: Iterable[float | None]) -> tuple[str, ...]:
    """Return what to say of circuits that come and go, if any do.

    Examples
    --------
    >>> come_and_go([1.0, 0.84, None])
    ('1 of 3 circuits comes and goes: without a tenth of the stimuli it is there less than 90% of the time (stability).',)
    >>> come_and_go([0.9, None])
    ()
    """  # noqa: E501
    every = list(stabilities)
    some = sum(share is not None and share < STEADY for share in every)
    if not some:
        return ()
    verb, they = ("comes and goes", "it is") if some == 1 else ("come and go", "they are")
    return (
        f"{some:,} of {len(every):,} circuits {verb}: without a tenth of the stimuli {they} there "
        f"less than {STEADY:.0%} of the time (stability).",
    )


_ONE_OF_A_PAIR = (
    "WITH c ORDER BY coalesce(-c.stability, 0), c.id\n"
    "WITH coalesce(c.pair, c.id) AS pair, c.shape AS shape, collect(c) AS held\n"
    "WITH head(held) AS c, size(held) AS targets"
)


@dataclass(frozen=True, kw_only=True)
class Circuits(Criteria):
    """Circuits with their members and the null of their evidence, by model, motif and group.

    ``published_as`` names published circuits of the same kind that hold all members of a found
    one.

    Attributes
    ----------
    model, motif, origin
        Names, or predicates; ``origin`` is ``found``, ``published`` or ``annotated``.
    feature
        A feature, its id, several ids, or :class:`Features` of which one must be a member.
    by_pair
        One row for each pair of cases and shape, with the steadiest of its circuits, instead of one
        for each circuit; ``targets`` says how many circuits, at one target each, it stands for.
    """

    model: str | Predicate | None = None
    motif: str | Predicate | None = None
    origin: str | Predicate | None = None
    feature: Any = None
    by_pair: bool = False
    _member: Features | None = field(init=False, repr=False, compare=False)

    owner: ClassVar[Any] = node_type("Circuit")

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.origin, str) and self.origin not in ORIGINS:
            raise QueryError(
                f"origin is {self.origin!r}: it is 'found', 'published' or 'annotated'."
            )
        member = None if self.feature is None else as_features(self.feature)
        object.__setattr__(self, "_member", member)

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        own = [
            Mention(kind, name)
            for kind, name in (("model", self.model), ("motif", self.motif))
            if isinstance(name, str)
        ]
        return (*own, *(self._member.mentions() if self._member else ()))

    def matches(self, circuit: str, parameters: Parameters, *, anchored: bool = False) -> list[str]:
        """Return the conditions on the circuit called ``circuit``."""
        names = {"model": self.model, "motif": self.motif, "origin": self.origin}
        found = self.named(names, circuit, parameters)
        if self._member and not anchored:
            member = parameters.variable("x")
            conditions = self._member.matches(member, parameters, "feature_")
            found.append(exists(f"({member}:Feature)-[:MEMBER_OF]->({circuit})", conditions))
        return found + self.compare(circuit, parameters)

    def clauses(self, circuit: str, parameters: Parameters) -> str:
        """Return clauses that bind each circuit, once."""
        if self._member and self._member.selectivity == 3:
            member = parameters.variable("x")
            anchor = self._member.anchor(member, parameters, "feature_")
            conditions = self._member.matches(member, parameters, "feature_", anchored=True)
            conditions += self.matches(circuit, parameters, anchored=True)
            return (
                f"{anchor}MATCH ({member}{'' if anchor else ':Feature'})-[:MEMBER_OF]->"
                f"({circuit}:Circuit)\n"
                f"{where_clause(conditions)}WITH DISTINCT {circuit}\n"
            )
        return f"MATCH ({circuit}:Circuit)\n{where_clause(self.matches(circuit, parameters))}"

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""
        parameters = Parameters()
        for name in ("c", "e", "f", "b", "p"):  # taken by the text below
            parameters.variable(name)
        order = (
            "ORDER BY c.model, c.origin, coalesce(c.pair_q, 2), coalesce(-c.pair_targets, 0),\n"
            "  c.motif, coalesce(c.group, ''), c.id"
        )
        return Statement(
            f"{self.clauses('c', parameters)}"
            f"{_ONE_OF_A_PAIR if self.by_pair else 'WITH c, 1 AS targets'}\n"
            f"{order}{self.row_bound(parameters)}\n"
            "OPTIONAL MATCH (e:Evidence)-[:ABOUT|SUPPORTS]->(c)\n"
            "WITH c, targets, e ORDER BY e.q, e.id\n"
            "WITH c, targets, head(collect(e)) AS e\n"
            "RETURN c.id AS circuit, c.motif AS motif, c.model AS model, c.origin AS origin,\n"
            "  c.shape AS shape, targets, c.asymmetry AS asymmetry,\n"
            "  c.pair_targets AS pair_targets,\n"
            "  c.pair_null AS pair_null, c.pair_p AS pair_p, c.pair_q AS pair_q,\n"
            "  c.score AS score, c.stability AS stability, c.group AS group,\n"
            f"  {_MEMBERS} AS members,\n"
            "  e.null_mean AS null_mean, e.null_count AS null_count, e.p AS p, e.q AS q,\n"
            "  coalesce(c.trial, 'untried') AS trial, c.trial_q AS trial_q,\n"
            f"  {_TWINS} AS published_as, c.claim AS claim\n"
            f"{order}",
            parameters,
        )
