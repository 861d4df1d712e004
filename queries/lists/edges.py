"""Lists of weights between features."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from circuitkb.queries.lists.conditions import Criteria, Mention, Parameters, where_clause
from circuitkb.queries.lists.features import Features, as_features, labels_of
from circuitkb.queries.lists.statement import Statement
from circuitkb.schema.definition import relation_type
from circuitkb.schema.errors import QueryError

Sign = Literal["positive", "negative", "+", "-"]

_SIGNS = {"positive": "> 0", "+": "> 0", "negative": "< 0", "-": "< 0"}


@dataclass(frozen=True, kw_only=True)
class Edges(Criteria):
    """Weights between features, by target, then rank.

    Attributes
    ----------
    model
        Model of the target.
    source, target
        A feature, its id, several ids, or :class:`Features` that hold for that end.
    min_rank, max_rank
        Bounds of the rank among the target's inputs, from 1, both included.
    sign
        ``"+"`` or ``"-"``, of the kernel's sum: the net sign, which is not the meaning of a
        spatial kernel.
    top, per
        How many of those edges for each ``"target"`` (by rank) or each ``"source"`` (by l1).
    """

    model: str | None = None
    source: Any = None
    target: Any = None
    min_rank: int | None = None
    max_rank: int | None = None
    sign: Sign | None = None
    top: int | None = None
    per: Literal["target", "source"] = "target"
    _ends: tuple[Features, Features] = field(init=False, repr=False, compare=False)

    owner: ClassVar[Any] = relation_type("WEIGHT")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sign is not None and self.sign not in _SIGNS:
            raise QueryError(f"sign is {self.sign!r}: it is '+' ('positive') or '-' ('negative').")
        if self.top is not None and (isinstance(self.top, bool) or self.top < 1):
            raise QueryError(f"top is {self.top!r}: it is a number of edges from 1.")
        ends = tuple(
            Features() if e is None else as_features(e) for e in (self.source, self.target)
        )
        object.__setattr__(self, "_ends", ends)

    @classmethod
    def parameters(cls) -> set[str]:
        """Return what the list takes by name beside properties."""
        return super().parameters() - {"per"}

    @property
    def ends(self) -> tuple[Features, Features]:
        """What holds for the source, and for the target."""
        return self._ends

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        own = () if self.model is None else (Mention("model", self.model),)
        return own + tuple(m for end in self._ends for m in end.mentions())

    def on_weight(self, weight: str, parameters: Parameters) -> list[str]:
        """Return the conditions on the weight itself."""
        found = []
        if self.min_rank is not None:
            found.append(f"{weight}.rank >= {parameters.bind('min_rank', self.min_rank)}")
        if self.max_rank is not None:
            found.append(f"{weight}.rank <= {parameters.bind('max_rank', self.max_rank)}")
        if self.sign:
            found.append(f"{weight}.sum {_SIGNS[self.sign]}")
        return found + self.compare(weight, parameters)

    def matches(
        self, names: tuple[str, str, str], parameters: Parameters, anchored: str | None = None
    ) -> list[str]:
        """Return all conditions on a source, a weight and a target with these names.

        ``anchored`` is the end that the clauses of its :meth:`Features.anchor` bind.
        """
        s, w, t = names
        source, target = self._ends
        found = []
        if self.model is not None:
            found.append(f"{t}.model = {parameters.bind('model', self.model)}")
        found += source.matches(s, parameters, "source_", anchored=anchored == "source")
        found += target.matches(t, parameters, "target_", anchored=anchored == "target")
        return found + self.on_weight(w, parameters)

    def clauses(self, names: tuple[str, str, str], parameters: Parameters) -> str:
        """Return clauses that bind each edge as a source, a weight and a target."""
        s, w, t = names
        source, target = self._ends
        # The engine goes from the left, so what is known best stands there.
        anchored: Literal["source", "target"] = (
            "source" if source.selectivity > target.selectivity else "target"
        )
        start = {"source": source, "target": target}[anchored]
        text = start.anchor(s if anchored == "source" else t, parameters, f"{anchored}_")
        bound = "" if text else ":Feature"
        text += (
            f"MATCH ({s}{bound})-[{w}:WEIGHT]->({t}:Feature)\n"
            if anchored == "source"
            else f"MATCH ({t}{bound})<-[{w}:WEIGHT]-({s}:Feature)\n"
        )
        text += where_clause(self.matches(names, parameters, anchored))
        return text if self.top is None else text + self._strongest(names, parameters)

    def _strongest(self, names: tuple[str, str, str], parameters: Parameters) -> str:
        s, w, t = names
        own, far = (t, s) if self.per == "target" else (s, t)
        order = f"{w}.rank" if self.per == "target" else f"{w}.l1 DESC"
        # Lists of pairs, since a subquery with its own LIMIT finds nothing in one of the engines.
        pair = parameters.variable("pair")
        return (
            f"WITH {s}, {w}, {t} ORDER BY {order}, {w}.connection, {far}.id\n"
            f"WITH {own}, collect([{far}, {w}])[..{parameters.bind('top', self.top)}] AS {pair}s\n"
            f"UNWIND {pair}s AS {pair}\n"
            f"WITH {own}, {pair}[0] AS {far}, {pair}[1] AS {w}\n"
        )

    def within_top(self, names: tuple[str, str, str], parameters: Parameters) -> list[str]:
        """Return the condition that an edge is among the strongest of its own end."""
        if self.top is None:
            return []
        s, w, t = names
        other = parameters.variable("w")
        if self.per == "target":
            far = parameters.variable("s")
            ends, mine, key = (far, other, t), s, "rank"
            better = f"{other}.rank < {w}.rank"
        else:
            far = parameters.variable("t")
            ends, mine, key = (s, other, far), t, "l1"
            better = f"{other}.l1 > {w}.l1"
        inner = " AND ".join([*self.matches(ends, parameters), "true"])
        return [
            f"COUNT {{ MATCH ({ends[0]}:Feature)-[{other}:WEIGHT]->({ends[2]}:Feature)\n"
            f"    WITH * WHERE {inner} AND ({better} OR ({other}.{key} = {w}.{key}\n"
            f"      AND ({other}.connection < {w}.connection OR ({other}.connection = "
            f"{w}.connection AND {far}.id < {mine}.id))))\n"
            f"    RETURN {other} }} < {parameters.bind('top', self.top)}"
        ]

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""
        parameters = Parameters()
        names = parameters.variable("s"), parameters.variable("w"), parameters.variable("t")
        layer = parameters.variable("y")
        order = (
            "ORDER BY t.model, y.position, coalesce(t.basis, ''), t.unit, t.id, "
            "w.rank, w.connection, s.id"
        )
        return Statement(
            f"{self.clauses(names, parameters)}"
            f"MATCH (t)-[:IN_LAYER]->({layer}:Layer)\n"
            f"WITH s, w, t, y {order}{self.row_bound(parameters)}\n"
            f"RETURN s.id AS source, {labels_of('s')} AS source_labels,\n"
            f"  t.id AS target, {labels_of('t')} AS target_labels,\n"
            "  w.rank AS rank, w.sum AS sum, w.positive AS positive, w.negative AS negative,\n"
            "  w.l1 AS l1, w.positive_dy AS positive_dy, w.positive_dx AS positive_dx,\n"
            "  w.path AS path, w.connection AS connection, w.origin AS origin, w.flag AS flag\n"
            f"{order}",
            parameters,
        )
