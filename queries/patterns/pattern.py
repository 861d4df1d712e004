"""Motif patterns: features joined by signed weights, transforms and analogies, as values.

A pattern says what is wanted; the graph's engine answers its Cypher over the weights that the
graph keeps, and :mod:`circuitkb.patterns` the same pattern over every weight of a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

from circuitkb.queries.lists.conditions import DEFAULT_LIMIT, Condition, Mention
from circuitkb.queries.lists.edges import Edges
from circuitkb.queries.lists.features import Features
from circuitkb.queries.lists.predicates import as_predicate, at_most
from circuitkb.queries.lists.reaching import transform_properties
from circuitkb.queries.patterns.conditions import (
    compared,
    narrowed_feature,
    narrowed_weight,
)
from circuitkb.queries.patterns.language import Comparison, Parsed, Step, parse
from circuitkb.queries.patterns.symmetry import Fact, symmetric_pairs
from circuitkb.schema.definition import did_you_mean, relation_type
from circuitkb.schema.errors import QueryError

MAX_Q = 0.05
"""False discovery rate up to which transforms and analogies count."""

_TAKEN = ("edges", "where", "unordered", "may_coincide", "limit")

Pairs = Iterable[tuple[str, str]]


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
    fulfils the conditions is enough, and the match is given once, with the best rank of those
    that do.

    Parameters
    ----------
    text
        The pattern, in the language of :mod:`circuitkb.queries.patterns.language`.
    edges
        What every weight must be, or a mapping from arrows as written (``"a -> u"``) to what
        that weight must be, or to the transform that joins two features.
    where
        Properties that are compared, as ``("a.orientation", ">", "b.orientation")``: of features,
        or of weights that ``as`` names in the text. What has no value fulfils no comparison.
    unordered
        Pairs of names that stand for the same part: each such pair is given once. True: each set
        of features once, whatever the symmetries of the pattern with all its conditions.
    may_coincide
        Pairs of names that may stand for one feature; True for all.
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
    >>> chain = Pattern(
    ...     "a -> b as ab; b -> c as bc; ab.l1 > bc.l1", where=[("a.bias", ">", "b.bias")]
    ... )
    >>> [str(c) for c in chain.comparisons]
    ['a -> b.l1 > b -> c.l1', 'a.bias > b.bias']
    >>> Pattern("a -> u <- b; c -> u", unordered=True).unordered
    (('a', 'b'), ('a', 'c'), ('b', 'c'))
    >>> Pattern("a -> u", x=Features())
    Traceback (most recent call last):
    circuitkb.schema.errors.QueryError: The pattern 'a -> u' has no feature 'x'. Known: a, u.
    """

    text: str
    parsed: Parsed
    features: tuple[tuple[str, Features], ...]
    on_steps: tuple[tuple[Step, Edges | tuple[Condition, ...]], ...]
    comparisons: tuple[Comparison, ...]
    unordered: tuple[tuple[str, str], ...]
    may_coincide: bool | tuple[tuple[str, str], ...]
    counterparts: Counterparts | None
    limit: int | None

    def __init__(
        self,
        text: str,
        *,
        edges: Edges | Mapping[str, Any] | None = None,
        where: Iterable[tuple[str, str, str]] = (),
        unordered: Pairs | bool = (),
        may_coincide: Pairs | bool = (),
        limit: int | None = DEFAULT_LIMIT,
        **features: Features,
    ) -> None:
        parsed = parse(text)
        steps, present = parsed.present + parsed.absent, len(parsed.present)
        names = tuple(dict.fromkeys((*parsed.names, *(n for step in steps for n in step.ends))))
        for name, wanted in features.items():
            self._known(name, names, text)
            if not isinstance(wanted, Features):
                raise QueryError(f"{name} is {wanted!r}: write feature(label='curve').")
        for taken in _TAKEN:
            if taken in names:
                raise QueryError(f"The pattern {text!r}: no feature can be called {taken!r}.")
        if unordered is True and may_coincide:
            raise QueryError(
                "unordered=True is about different features; where some may_coincide, name the "
                "pairs, as in unordered=[('a', 'b')]."
            )
        given = {
            "text": text,
            "parsed": parsed,
            "features": tuple(
                (name, narrowed_feature(features.get(name, Features()), name, parsed.bounds))
                for name in names
            ),
            "on_steps": tuple(
                (step, narrowed_weight(wanted, step, parsed.bounds, absent=place >= present))
                for place, (step, wanted) in enumerate(
                    zip(steps, _on_steps(steps, edges, text), strict=True)
                )
            ),
            "comparisons": compared(parsed, where),
            "unordered": () if unordered is True else self._pairs(unordered, parsed.names, text),
            "may_coincide": may_coincide is True or self._pairs(may_coincide, names, text),
            "counterparts": None,
            "limit": Features(limit=limit).limit,
        }
        for name, value in given.items():
            object.__setattr__(self, name, value)
        if unordered is True:
            others = [name for name in names if name not in parsed.names]
            pairs = symmetric_pairs(parsed.names, others, self._facts())
            object.__setattr__(self, "unordered", pairs)

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
        return self._by_name[name]

    def apart(self, one: str, other: str) -> tuple[str, str, str] | None:
        """Return how the ids of two features must compare, as (name, operator, name), or None."""
        same = self.may_coincide is True or frozenset((one, other)) in self._coincident
        pair = self._in_order.get(frozenset((one, other)))
        if pair is not None:
            return pair[0], "<=" if same else "<", pair[1]
        return None if same else (one, "<>", other)

    @cached_property
    def _by_name(self) -> dict[str, Features]:
        return dict(self.features)

    @cached_property
    def _in_order(self) -> dict[frozenset[str], tuple[str, str]]:
        return {frozenset(pair): pair for pair in self.unordered}

    @cached_property
    def _coincident(self) -> set[frozenset[str]]:
        pairs = () if isinstance(self.may_coincide, bool) else self.may_coincide
        return {frozenset(pair) for pair in pairs}

    def _facts(self) -> list[Fact]:
        """Return all that tells the names apart."""
        found: list[Fact] = [
            (("feature", *_in_any_order(replace(wanted, limit=None)), name in self.names), (name,))
            for name, wanted in self.features
        ]
        for place, (step, wanted) in enumerate(self.on_steps):
            asked = place < len(self.present), step.relation, step.sign, *_in_any_order(wanted)
            found.append((asked, step.ends))
            if step.relation != "WEIGHT":  # these hold in both directions
                found.append((asked, step.ends[::-1]))
        for comparison in self.comparisons:
            for said in (comparison, comparison.turned):
                what = said.left.name, said.operator, said.right.name, len(said.left.ends)
                found.append((what, (*said.left.ends, *said.right.ends)))
        return found

    def _with(self, **changed: Any) -> Self:
        made = object.__new__(type(self))
        for name in self.__dataclass_fields__:
            object.__setattr__(made, name, changed.get(name, getattr(self, name)))
        return made

    def _pairs(self, given: Any, names: Iterable[str], text: str) -> tuple[tuple[str, str], ...]:
        """Return pairs of names, each of which is known and differs from the other."""
        pairs = () if given is False else tuple(tuple(pair) for pair in given)
        for pair in pairs:
            if len(pair) != 2 or pair[0] == pair[1]:
                raise QueryError(f"{pair!r} is no pair of names: write ('a', 'b').")
            for name in pair:
                self._known(name, names, text)
        return pairs

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


def _in_any_order(wanted: Any) -> tuple[Any, frozenset[Condition]]:
    """Return what must hold with its conditions as a set: their order says nothing."""
    if isinstance(wanted, tuple):
        return None, frozenset(wanted)
    return replace(wanted, conditions=()), frozenset(wanted.conditions)


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
