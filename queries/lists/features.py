"""Lists of features."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from circuitkb.queries.lists.conditions import Criteria, Mention, Parameters, exists, where_clause
from circuitkb.queries.lists.predicates import Predicate, as_predicate
from circuitkb.queries.lists.statement import Statement
from circuitkb.schema.definition import node_type
from circuitkb.schema.errors import QueryError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.properties import Property

LABEL = (
    "<-[{about}:ANNOTATES WHERE {about}.role IS NULL]-"
    "(:Annotation {{kind: 'label', state: 'live'}})-[:USES]->({word}:Label)"
)
"""From a feature to its labels: those of an edge are not those of its ends."""

_TEXT = Property("label", "string", "text of a label")


def labels_of(variable: str) -> str:
    """Return the Cypher for the labels of a feature, in order of their text."""
    label = LABEL.format(about="about", word="word")
    return (
        f"COLLECT {{ MATCH ({variable}){label} RETURN DISTINCT word.text AS text ORDER BY text }}"
    )


class Origin(Protocol):
    """Where features were reached from, by a step through the graph."""

    def anchor(self, variable: str, parameters: Parameters) -> str:
        """Return clauses that end with each feature reached, once, as ``variable``."""

    def condition(self, variable: str, parameters: Parameters) -> str:
        """Return the condition that ``variable`` is reached."""

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the step relies on."""


@dataclass(frozen=True)
class Listed:
    """Features named one by one."""

    ids: tuple[str, ...]

    def anchor(self, variable: str, parameters: Parameters) -> str:
        """Return clauses that look each id up."""
        listed = parameters.bind("ids", list(self.ids))
        id = parameters.variable("id")
        return (
            f"UNWIND {listed} AS {id}\nMATCH ({variable}:Feature {{id: {id}}})\n"
            f"WITH DISTINCT {variable}\n"
        )

    def condition(self, variable: str, parameters: Parameters) -> str:
        """Return the condition that the feature is one of them."""
        return f"{variable}.id IN {parameters.bind('ids', list(self.ids))}"

    def mentions(self) -> tuple[Mention, ...]:
        """Return them."""
        return tuple(Mention("feature", id) for id in self.ids)


@dataclass(frozen=True, kw_only=True)
class Features(Criteria):
    """Features, by model, order of the layer, and unit.

    Values combine: ``one & other`` are features of both, ``one | other`` of either, and
    ``one - other`` those of the first that are not of the second.

    Attributes
    ----------
    model, layer, id
        Names, or predicates; a layer is its module path without the model.
    label
        Part of a label, in any case; or a predicate that the text of a label fulfils.
    labelled
        Whether anybody labelled it.
    origin
        Where it was reached from.
    either, both, without
        What ``|``, ``&`` and ``-`` added.

    Examples
    --------
    >>> curves = Features(model="inceptionv1", layer="mixed3b", label="curve")
    >>> print(curves.to_cypher().text.splitlines()[1])
    WHERE toLower(word.text) CONTAINS toLower($label)
    >>> curves.to_cypher().parameters
    {'label': 'curve', 'model': 'inceptionv1', 'layer': 'mixed3b', 'limit': 10000}
    """

    model: str | Predicate | None = None
    layer: str | Predicate | None = None
    label: str | Predicate | None = None
    id: str | Predicate | None = None
    labelled: bool | None = None
    origin: Origin | None = None
    either: tuple[Features, ...] = ()
    both: tuple[Features, ...] = ()
    without: tuple[Features, ...] = ()

    owner: ClassVar[Any] = node_type("Feature")

    @classmethod
    def parameters(cls) -> set[str]:
        """Return what the list takes by name beside properties."""
        return {"model", "layer", "label", "id", "labelled", "limit"}

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        model = self.model if isinstance(self.model, str) else None
        named = (("model", self.model), ("layer", self.layer), ("feature", self.id))
        found = [
            Mention(kind, name, model if kind == "layer" else None)
            for kind, name in (*named, ("label", self.label))
            if isinstance(name, str)
        ]
        for part in (self.origin, *self.either, *self.both, *self.without):
            found += part.mentions() if part else ()
        return tuple(found)

    def __and__(self, other: Features) -> Features:
        return replace(self, both=(*self.both, self._other(other)))

    def __or__(self, other: Features) -> Features:
        return Features(either=(self, self._other(other)), limit=self.limit)

    def __sub__(self, other: Features) -> Features:
        return replace(self, without=(*self.without, self._other(other)))

    def matches(
        self, variable: str, parameters: Parameters, prefix: str = "", *, anchored: bool = False
    ) -> list[str]:
        """Return the conditions on the feature called ``variable``.

        ``anchored`` says that the clauses of :meth:`anchor` stand before.
        """
        names = {"model": self.model, "layer": self.layer, "id": self.id}
        found = self.named(names, variable, parameters, prefix)
        if self.label is not None and not (anchored and self._anchored_by_label):
            found.append(self._label(variable, parameters, prefix))
        if self.labelled is not None:
            label = LABEL.format(about=parameters.variable("about"), word="")
            found.append(f"{'' if self.labelled else 'NOT '}{exists(f'({variable}){label}')}")
        found += self.compare(variable, parameters, prefix)
        if self.origin is not None and not anchored:
            found.append(self.origin.condition(variable, parameters))
        for other in self.both:
            found += other.matches(variable, parameters, prefix)
        if self.either:
            found.append(_any(f.matches(variable, parameters, prefix) for f in self.either))
        for other in self.without:
            # A condition on what has no value is null, and so would be its negation.
            inner = _all(other.matches(variable, parameters, prefix))
            found.append(f"CASE WHEN {inner} THEN false ELSE true END")
        return found

    def anchor(self, variable: str, parameters: Parameters, prefix: str = "") -> str:
        """Return clauses that bind ``variable`` to a few features, or nothing.

        They are those that the origin reaches, or those with the label: to look at every feature
        for its labels takes a hundred times as long.
        """
        if self.origin is not None:
            return self.origin.anchor(variable, parameters)
        if not self._anchored_by_label:
            return ""
        word, about = parameters.variable("word"), parameters.variable("about")
        return (
            f"MATCH ({word}:Label)<-[:USES]-(:Annotation {{kind: 'label', state: 'live'}})"
            f"-[{about}:ANNOTATES WHERE {about}.role IS NULL]->({variable}:Feature)\n"
            f"WHERE {self._on_word(word, parameters, prefix)}\nWITH DISTINCT {variable}\n"
        )

    @property
    def is_anchored(self) -> bool:
        """Whether :meth:`anchor` gives clauses."""
        return self.origin is not None or self._anchored_by_label

    @property
    def _anchored_by_label(self) -> bool:
        return self.label is not None and self.origin is None and not isinstance(self.id, str)

    @property
    def selectivity(self) -> int:
        """How far the value narrows features down: 3 to few of them, 0 not at all."""
        if isinstance(self.id, str) or self.is_anchored:
            return 3
        if self.conditions or self.both or self.either or self.label is not None:
            return 2
        return 1 if self.layer is not None or self.model is not None else 0

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""
        parameters = Parameters()
        feature, layer = parameters.variable("f"), parameters.variable("y")
        order = "ORDER BY f.model, y.position, coalesce(f.basis, ''), f.unit, f.id"
        anchor = self.anchor(feature, parameters)
        start = "(f)" if anchor else "(f:Feature)"
        where = where_clause(self.matches(feature, parameters, anchored=True))
        return Statement(
            f"{anchor}MATCH {start}-[:IN_LAYER]->({layer}:Layer)\n{where}"
            f"WITH f, y {order}{self.row_bound(parameters)}\n"
            "RETURN f.id AS feature, f.model AS model, f.layer AS layer, f.unit AS unit,\n"
            f"  f.basis AS basis, {labels_of('f')} AS labels,\n"
            "  f.inputs AS inputs, f.bias AS bias, f.input_l1 AS input_l1,\n"
            "  f.left_out_l1 AS left_out_l1\n"
            f"{order}",
            parameters,
        )

    def _label(self, variable: str, parameters: Parameters, prefix: str) -> str:
        word = parameters.variable("word")
        label = LABEL.format(about=parameters.variable("about"), word=word)
        return exists(f"({variable}){label}", [self._on_word(word, parameters, prefix)])

    def _on_word(self, word: str, parameters: Parameters, prefix: str) -> str:
        bind = parameters.binder(f"{prefix}label")
        if isinstance(self.label, str):
            return f"toLower({word}.text) CONTAINS toLower({bind(self.label)})"
        return as_predicate(self.label).text(f"{word}.text", _TEXT, bind)

    def _other(self, other: Any) -> Features:
        if isinstance(other, Features):
            return other
        raise QueryError(f"{other!r} is no list of features: only such lists combine.")


def as_features(chosen: str | FeatureId | Iterable[str | FeatureId] | Features) -> Features:
    """Return features given by an id, by several ids, or as a value.

    Examples
    --------
    >>> as_features("m/a:0").id
    'm/a:0'
    >>> as_features(["m/a:0", "m/a:1"]).origin
    Listed(ids=('m/a:0', 'm/a:1'))
    """
    if isinstance(chosen, Features):
        return chosen
    if isinstance(chosen, str | FeatureId):
        return Features(id=_id(chosen))
    return Features(origin=Listed(tuple(_id(item) for item in chosen)))


def _id(given: str | FeatureId) -> str:
    return str(FeatureId.parse(given) if isinstance(given, str) else given)


def _all(conditions: list[str]) -> str:
    return " AND ".join(conditions) if conditions else "true"


def _any(parts: Iterable[list[str]]) -> str:
    return "(" + " OR ".join(f"({_all(conditions)})" for conditions in parts) + ")"
