"""Lists of models, features, edges and circuits as values that compose and become Cypher.

A value says what is wanted; ``to_cypher()`` gives the text and the parameters. Nothing here
runs a query. Values go in as parameters, names are checked against the definition of the graph.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from circuitkb.schema.definition import node_type, relation_type
from circuitkb.schema.errors import QueryError
from circuitkb.schema.ids import FeatureId

from .conditions import Criteria, Mention, Parameters, where_clause
from .statement import Statement

Sign = Literal["positive", "negative"]


def labels_of(variable: str) -> str:
    """Return the Cypher for the labels of a feature, in order of their text."""
    return (
        f"COLLECT {{ MATCH ({variable})<-[about:ANNOTATES WHERE about.role IS NULL]-"
        "(:Annotation {kind: 'label', state: 'live'})"
        "-[:USES]->(word:Label) RETURN DISTINCT word.text AS text ORDER BY text }"
    )


@dataclass(frozen=True, kw_only=True)
class Models(Criteria):
    """Models, by name."""

    owner: ClassVar[Any] = node_type("Model")

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        return ()

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""
        parameters = Parameters()
        where = where_clause(self.compare("m", parameters))
        return Statement(
            f"MATCH (m:Model)\n{where}"
            "RETURN m.id AS model, m.architecture AS architecture, m.weights AS weights,\n"
            "  COUNT { MATCH (:Layer)-[:IN_MODEL]->(m) } AS layers, m.features AS features,\n"
            "  m.edges AS edges, m.edges_kept AS edges_kept, m.keep AS keep,\n"
            "  COUNT { MATCH (c:Circuit) WHERE c.model = m.id } AS circuits,\n"
            "  m.source AS source, m.fingerprint AS fingerprint\n"
            f"ORDER BY model{self.row_bound(parameters)}",
            parameters,
        )


@dataclass(frozen=True, kw_only=True)
class Features(Criteria):
    """Features, by model, order of the layer, and unit.

    Attributes
    ----------
    model, layer, id
        Exact names; a layer is its module path without the model.
    label
        Part of a label, in any case.

    Examples
    --------
    >>> curves = Features(model="inceptionv1", layer="mixed3b", label="curve")
    >>> print(curves.to_cypher().text.splitlines()[1])
    WHERE f.model = $model
    >>> curves.inputs(max_rank=5).to_cypher().parameters
    {'target_model': 'inceptionv1', 'target_layer': 'mixed3b', 'target_label': 'curve',
     'max_rank': 5, 'limit': 10000}
    """

    model: str | None = None
    layer: str | None = None
    label: str | None = None
    id: str | None = None

    owner: ClassVar[Any] = node_type("Feature")

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        found = []
        if self.model is not None:
            found.append(Mention("model", self.model))
        if self.layer is not None:
            found.append(Mention("layer", self.layer, self.model))
        if self.id is not None:
            found.append(Mention("feature", self.id))
        if self.label is not None:
            found.append(Mention("label", self.label))
        return tuple(found)

    def inputs(self, *, min_rank: int | None = None, max_rank: int | None = None) -> Edges:
        """Return the edges into these features; rank 1 is the strongest input of each."""
        return Edges(target=self, min_rank=min_rank, max_rank=max_rank, limit=self.limit)

    def outputs(self, *, min_rank: int | None = None, max_rank: int | None = None) -> Edges:
        """Return the edges out of these features; the rank is among the target's inputs."""
        return Edges(source=self, min_rank=min_rank, max_rank=max_rank, limit=self.limit)

    def circuits(self, *, motif: str | None = None, origin: str | None = None) -> Circuits:
        """Return the circuits that any of these features takes part in."""
        return Circuits(feature=self, motif=motif, origin=origin, limit=self.limit)

    def matches(self, variable: str, parameters: Parameters, prefix: str = "") -> list[str]:
        """Return the conditions on the feature called ``variable``."""
        found = [
            f"{variable}.{name} = {parameters.bind(prefix + name, value)}"
            for name, value in (("model", self.model), ("layer", self.layer), ("id", self.id))
            if value is not None
        ]
        if self.label is not None:
            found.append(
                f"EXISTS {{ MATCH ({variable})<-[about:ANNOTATES WHERE about.role IS NULL]-"
                "(:Annotation {kind: 'label', state: 'live'})"
                "-[:USES]->(word:Label)\n    WHERE toLower(word.text) CONTAINS "
                f"toLower({parameters.bind(prefix + 'label', self.label)}) }}"
            )
        return found + self.compare(variable, parameters)

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""
        parameters = Parameters()
        order = "ORDER BY f.model, y.position, coalesce(f.basis, ''), f.unit, f.id"
        where = where_clause(self.matches("f", parameters))
        return Statement(
            f"MATCH (f:Feature)-[:IN_LAYER]->(y:Layer)\n{where}"
            f"WITH f, y {order}{self.row_bound(parameters)}\n"
            "RETURN f.id AS feature, f.model AS model, f.layer AS layer, f.unit AS unit,\n"
            f"  f.basis AS basis, {labels_of('f')} AS labels,\n"
            "  f.inputs AS inputs, f.bias AS bias, f.input_l1 AS input_l1,\n"
            "  f.left_out_l1 AS left_out_l1\n"
            f"{order}",
            parameters,
        )


def _as_features(chosen: str | FeatureId | Features | None) -> Features | None:
    if chosen is None or isinstance(chosen, Features):
        return chosen
    return Features(id=str(FeatureId.parse(chosen) if isinstance(chosen, str) else chosen))


@dataclass(frozen=True, kw_only=True)
class Edges(Criteria):
    """Weights between features, by target, then rank.

    Attributes
    ----------
    model
        Model of the target.
    source, target
        A feature, its id, or :class:`Features` that hold for that end.
    min_rank, max_rank
        Bounds of the rank among the target's inputs, from 1, both included.
    sign
        Of the kernel's sum: the net sign, which is not the meaning of a spatial kernel.
    """

    model: str | None = None
    source: str | FeatureId | Features | None = None
    target: str | FeatureId | Features | None = None
    min_rank: int | None = None
    max_rank: int | None = None
    sign: Sign | None = None
    _ends: tuple[Features | None, Features | None] = field(init=False, repr=False, compare=False)

    owner: ClassVar[Any] = relation_type("WEIGHT")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sign not in (None, "positive", "negative"):
            raise QueryError(f"sign is {self.sign!r}: it is 'positive' or 'negative'.")
        ends = _as_features(self.source), _as_features(self.target)
        object.__setattr__(self, "_ends", ends)

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        own = () if self.model is None else (Mention("model", self.model),)
        return own + tuple(m for end in self._ends if end for m in end.mentions())

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""
        parameters = Parameters()
        source, target = self._ends
        conditions = []
        if self.model is not None:
            conditions.append(f"t.model = {parameters.bind('model', self.model)}")
        if source:
            conditions += source.matches("s", parameters, "source_")
        if target:
            conditions += target.matches("t", parameters, "target_")
        if self.min_rank is not None:
            conditions.append(f"w.rank >= {parameters.bind('min_rank', self.min_rank)}")
        if self.max_rank is not None:
            conditions.append(f"w.rank <= {parameters.bind('max_rank', self.max_rank)}")
        if self.sign:
            conditions.append("w.sum > 0" if self.sign == "positive" else "w.sum < 0")
        conditions += self.compare("w", parameters)
        order = (
            "ORDER BY t.model, y.position, coalesce(t.basis, ''), t.unit, t.id, "
            "w.rank, w.connection, s.id"
        )
        return Statement(
            "MATCH (s:Feature)-[w:WEIGHT]->(t:Feature)-[:IN_LAYER]->(y:Layer)\n"
            f"{where_clause(conditions)}"
            f"WITH s, w, t, y {order}{self.row_bound(parameters)}\n"
            f"RETURN s.id AS source, {labels_of('s')} AS source_labels,\n"
            f"  t.id AS target, {labels_of('t')} AS target_labels,\n"
            "  w.rank AS rank, w.sum AS sum, w.positive AS positive, w.negative AS negative,\n"
            "  w.l1 AS l1, w.positive_dy AS positive_dy, w.positive_dx AS positive_dx,\n"
            "  w.path AS path, w.connection AS connection, w.origin AS origin, w.flag AS flag\n"
            f"{order}",
            parameters,
        )


MEMBER = ("feature", "role", "side", "weight", "labels")
"""What a row of a list of circuits tells of each member; the maps of a query have no order."""

_MEMBERS = (
    "COLLECT { MATCH (f:Feature)-[b:MEMBER_OF]->(c)\n"
    "    WITH f, b ORDER BY coalesce(b.side, 9), b.role, f.id\n"
    "    RETURN {feature: f.id, role: b.role, side: b.side, weight: b.weight,\n"
    f"      labels: {labels_of('f')}}} }}"
)

# Without coalesce, Neo4j 5.26 may look this CONTAINS up in an index that cannot answer it.
_TWINS = (
    "COLLECT { MATCH (c)<-[:MEMBER_OF]-(:Feature)-[:MEMBER_OF]->(p:Circuit {origin: 'published'})\n"
    "    WHERE c.origin = 'found' AND coalesce(p.motif, '') CONTAINS c.motif\n"
    "      AND NOT EXISTS { MATCH (f:Feature)-[:MEMBER_OF]->(c)\n"
    "        WHERE NOT EXISTS { MATCH (f)-[:MEMBER_OF]->(p) } }\n"
    "    RETURN DISTINCT p.id AS id ORDER BY id }"
)


@dataclass(frozen=True, kw_only=True)
class Circuits(Criteria):
    """Circuits with their members and the null of their evidence, by model, motif and group.

    ``published_as`` names published circuits of the same kind that hold all members of a found
    one.

    Attributes
    ----------
    model, motif, origin
        Exact names; ``origin`` is ``found`` or ``published``.
    feature
        A feature, its id, or :class:`Features` of which one must be a member.
    """

    model: str | None = None
    motif: str | None = None
    origin: str | None = None
    feature: str | FeatureId | Features | None = None
    _member: Features | None = field(init=False, repr=False, compare=False)

    owner: ClassVar[Any] = node_type("Circuit")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.origin not in (None, "found", "published"):
            raise QueryError(f"origin is {self.origin!r}: it is 'found' or 'published'.")
        object.__setattr__(self, "_member", _as_features(self.feature))

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        own = [
            Mention(kind, name)
            for kind, name in (("model", self.model), ("motif", self.motif))
            if name is not None
        ]
        return (*own, *(self._member.mentions() if self._member else ()))

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""
        parameters = Parameters()
        conditions = [
            f"c.{name} = {parameters.bind(name, value)}"
            for name, value in (
                ("model", self.model),
                ("motif", self.motif),
                ("origin", self.origin),
            )
            if value is not None
        ]
        if self._member:
            inner = " AND ".join(self._member.matches("x", parameters, "feature_"))
            inner = f" WHERE {inner}" if inner else ""
            conditions.append(f"EXISTS {{ MATCH (x:Feature)-[:MEMBER_OF]->(c){inner} }}")
        conditions += self.compare("c", parameters)
        order = "ORDER BY c.model, c.origin, c.motif, coalesce(c.group, ''), c.id"
        return Statement(
            f"MATCH (c:Circuit)\n{where_clause(conditions)}"
            f"WITH c {order}{self.row_bound(parameters)}\n"
            "OPTIONAL MATCH (e:Evidence)-[:ABOUT|SUPPORTS]->(c)\n"
            "WITH c, e ORDER BY e.q, e.id\n"
            "WITH c, head(collect(e)) AS e\n"
            "RETURN c.id AS circuit, c.motif AS motif, c.model AS model, c.origin AS origin,\n"
            f"  c.score AS score, c.group AS group,\n  {_MEMBERS} AS members,\n"
            "  e.null_mean AS null_mean, e.null_count AS null_count, e.p AS p, e.q AS q,\n"
            f"  {_TWINS} AS published_as, c.claim AS claim\n"
            f"{order}",
            parameters,
        )
