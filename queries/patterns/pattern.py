"""Motif patterns: features joined by signed weights, transforms and analogies, as values.

A pattern says what is wanted; the graph's engine answers its Cypher over the weights that the
graph keeps, and :mod:`circuitkb.patterns` the same pattern over every weight of a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from circuitkb.queries.lists.conditions import DEFAULT_LIMIT, Condition, Mention
from circuitkb.queries.lists.edges import Edges
from circuitkb.queries.lists.features import Features
from circuitkb.queries.lists.predicates import as_predicate, at_most
from circuitkb.queries.lists.reaching import transform_properties
from circuitkb.queries.patterns.language import Parsed, Step, parse
from circuitkb.schema.definition import did_you_mean, relation_type
from circuitkb.schema.errors import QueryError

MAX_Q = 0.05
"""False discovery rate up to which transforms and analogies count."""

_TAKEN = ("edges", "unordered", "limit")


@dataclass(frozen=True)
class Counterparts:
    """How many models must have a match, by analogous features for ``name``."""

    name: str
    least: int
    max_q: float


@dataclass(frozen=True, init=False)
class Pattern:
    """Features joined in a certain way; different names are different features.

    A match is one set of features. Where several parallel weights join two of them, one that
    fulfils the conditions is enough, and the match is given once, with the best rank.

    Parameters
    ----------
    text
        The pattern, in the language of :mod:`circuitkb.queries.patterns.language`.
    edges
        What every weight must be, or a mapping from arrows as written (``"a -> u"``) to what
        that weight must be, or to the transform that joins two features.
    unordered
        Pairs of names that stand for the same part: each such pair is given once.
    limit
        Rows to return at most.
    features
        What each feature must be, by its name in the pattern.

    Raises
    ------
    QueryError
        A pattern that cannot be read, or a condition on something that it does not have.

    Examples
    --------
    >>> from circuitkb.queries.lists.predicates import near
    >>> oriented = feature(orientation=near(45, 15))
    >>> pattern = Pattern("a +> u <+ b; not a -> b", edges=edge(max_rank=8), a=oriented)
    >>> pattern.columns
    ('a', 'u', 'b', 'rank_a_u', 'rank_b_u')
    >>> Pattern("a -> u", x=Features())
    Traceback (most recent call last):
    circuitkb.schema.errors.QueryError: The pattern 'a -> u' has no feature 'x'. Known: a, u.
    """

    text: str
    parsed: Parsed
    features: tuple[tuple[str, Features], ...]
    on_steps: tuple[tuple[Step, Edges | tuple[Condition, ...]], ...]
    unordered: tuple[tuple[str, str], ...]
    counterparts: Counterparts | None
    limit: int | None

    def __init__(
        self,
        text: str,
        *,
        edges: Edges | Mapping[str, Any] | None = None,
        unordered: Iterable[tuple[str, str]] = (),
        limit: int | None = DEFAULT_LIMIT,
        **features: Features,
    ) -> None:
        parsed = parse(text)
        steps = parsed.present + parsed.absent
        names = tuple(dict.fromkeys((*parsed.names, *(n for step in steps for n in step.ends))))
        for name, wanted in features.items():
            self._known(name, names, text)
            if not isinstance(wanted, Features):
                raise QueryError(f"{name} is {wanted!r}: write feature(label='curve').")
        for taken in _TAKEN:
            if taken in names:
                raise QueryError(f"The pattern {text!r}: no feature can be called {taken!r}.")
        pairs = tuple((one, other) for one, other in unordered)
        for name in (n for pair in pairs for n in pair):
            self._known(name, parsed.names, text)
        given = {
            "text": text,
            "parsed": parsed,
            "features": tuple((name, features.get(name, Features())) for name in names),
            "on_steps": tuple(zip(steps, _on_steps(steps, edges, text), strict=True)),
            "unordered": pairs,
            "counterparts": None,
            "limit": Features(limit=limit).limit,
        }
        for name, value in given.items():
            object.__setattr__(self, name, value)

    @property
    def names(self) -> tuple[str, ...]:
        """Features that a match names, in order."""
        return self.parsed.names

    @property
    def present(self) -> tuple[tuple[Step, Any], ...]:
        """The arrows that must be there, with what must hold of each."""
        return self.on_steps[: len(self.parsed.present)]

    @property
    def absent(self) -> tuple[tuple[Step, Any], ...]:
        """The arrows that must not be there."""
        return self.on_steps[len(self.parsed.present) :]

    @property
    def columns(self) -> tuple[str, ...]:
        """The features by name, then the best rank of each weight."""
        ranks = (
            f"rank_{step.source}_{step.target}"
            for step in self.parsed.present
            if step.relation == "WEIGHT"
        )
        return (*self.names, *dict.fromkeys(ranks))

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        return tuple(m for _, features in self.features for m in features.mentions())

    def limited(self, limit: int | None) -> Self:
        """Return the pattern with at most ``limit`` rows, or any number for None."""
        return self._with(limit=Features(limit=limit).limit)

    def in_models(self, at_least: int, *, by: str, max_q: float = MAX_Q) -> Self:
        """Return the pattern with those matches alone that several models have.

        A match counts where the feature called ``by`` has analogous features (``ANALOGOUS_TO``,
        at most ``max_q`` of such by chance) that stand in a match themselves, so that with its
        own at least ``at_least`` models have one.

        Raises
        ------
        QueryError
            No such feature, or fewer than one model.
        """
        self._known(by, self.names, self.text)
        if isinstance(at_least, bool) or at_least < 1:
            raise QueryError(f"at_least is {at_least!r}: it is a number of models from 1.")
        return self._with(counterparts=Counterparts(by, at_least, max_q))

    def feature(self, name: str) -> Features:
        """Return what the feature of this name must be."""
        return dict(self.features)[name]

    def _with(self, **changed: Any) -> Self:
        made = object.__new__(type(self))
        for name in self.__dataclass_fields__:
            object.__setattr__(made, name, changed.get(name, getattr(self, name)))
        return made

    def _known(self, name: str, names: Iterable[str], text: str) -> None:
        if name not in names:
            raise QueryError(
                f"The pattern {text!r} has no feature {name!r}.{did_you_mean(name, names)}"
            )


def edge(**conditions: Any) -> Edges:
    """Return what a weight must be: ``sign``, ``max_rank``, ``min_rank``, or its properties.

    Examples
    --------
    >>> from circuitkb.queries.lists.predicates import above
    >>> edge(max_rank=5, positive=above(0.1)).max_rank
    5
    """
    return Edges.of(**conditions)


def feature(id: Any = None, **conditions: Any) -> Features:
    """Return what a feature must be: ``model``, ``layer``, ``label``, or its properties.

    Examples
    --------
    >>> from circuitkb.queries.lists.predicates import near
    >>> feature(model="efficientnet_lite0", orientation=near(45, 15)).model
    'efficientnet_lite0'
    """
    return Features.of(id=id, **conditions)


def on_analogy(max_q: float) -> tuple[Condition, ...]:
    """Return what an analogy must be so that at most ``max_q`` of such are by chance."""
    return (Condition(relation_type("ANALOGOUS_TO").property("q"), at_most(max_q)),)


def _on_steps(
    steps: tuple[Step, ...], given: Edges | Mapping[str, Any] | None, text: str
) -> list[Edges | tuple[Condition, ...]]:
    every = given if isinstance(given, Edges) else Edges()
    by_step: dict[Step, Any] = {}
    if isinstance(given, Mapping):
        for arrow, wanted in given.items():
            (step,) = parse(arrow).present
            fits = [s for s in steps if s.ends == step.ends and s.relation == step.relation]
            if not fits:
                raise QueryError(
                    f"The pattern {text!r} has no arrow {arrow!r}."
                    f"{did_you_mean(str(step), map(str, steps))}"
                )
            by_step.update(dict.fromkeys(fits, wanted))
    elif given is not None and not isinstance(given, Edges):
        raise QueryError(f"edges is {given!r}: write edge(max_rank=5), or a mapping from arrows.")
    return [_on_step(step, by_step.get(step), every) for step in steps]


def _on_step(step: Step, wanted: Any, every: Edges) -> Edges | tuple[Condition, ...]:
    if step.relation != "WEIGHT":
        owner = relation_type(step.relation)
        if wanted is not None and step.relation == "ANALOGOUS_TO":
            raise QueryError(f"'{step}' takes no transform.")
        return tuple(
            Condition(owner.property(name), as_predicate(value))
            for name, value in {"q": at_most(MAX_Q), **transform_properties(wanted)}.items()
        )
    edges = every if wanted is None else wanted
    if not isinstance(edges, Edges):
        raise QueryError(f"'{step}' is {wanted!r}: write edge(max_rank=5).")
    if any(part is not None for part in (edges.source, edges.target, edges.model, edges.top)):
        raise QueryError(f"'{step}': of an edge in a pattern only the weight can be asked about.")
    if (
        step.sign
        and edges.sign
        and step.sign != {"positive": "+", "negative": "-"}.get(edges.sign, edges.sign)
    ):
        raise QueryError(f"'{step}' asks for two signs at once.")
    return replace(edges, sign=step.sign) if step.sign else edges  # type: ignore[arg-type]
