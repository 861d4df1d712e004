"""The symmetries of a pattern, and the comparisons that give each set of features once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from circuitkb.schema.errors import QueryError

Fact = tuple[Any, tuple[str, ...]]
"""Something that is said of the parts of a pattern, and the names that it is said of."""

MOST_STEPS = 200_000
"""Names that a search for symmetries tries at most."""


def symmetric_pairs(
    names: Sequence[str], others: Sequence[str], facts: Iterable[Fact]
) -> tuple[tuple[str, str], ...]:
    """Return pairs of names whose features, held in order, give each set of features once.

    A name is compared with each that a symmetry brings to its place while all names before it
    stay (Grochow and Kellis 2007). So of all matches that differ by a symmetry just one is left,
    whatever the group; different names must stand for different features.

    Parameters
    ----------
    names
        Those of a match, in order.
    others
        Those that may move too, but are not part of a match.
    facts
        All that tells the names apart: a symmetry turns facts into facts.

    Raises
    ------
    QueryError
        There are too many possibilities to look at.

    Examples
    --------
    >>> ring = [("->", ("a", "b")), ("->", ("b", "c")), ("->", ("c", "a"))]
    >>> symmetric_pairs(["a", "b", "c"], [], ring)
    (('a', 'b'), ('a', 'c'))
    """
    search = _Search.over((*names, *others), facts)
    return tuple(
        (one, other)
        for place, one in enumerate(names)
        for other in names[place + 1 :]
        if search.moves(place, other)
    )


@dataclass
class _Search:
    """A search for a symmetry that fixes the first names."""

    order: Sequence[str]
    facts: frozenset[Fact]
    touching: Mapping[str, list[Fact]]
    colours: Mapping[str, Any]
    steps: int = field(default=0)

    @classmethod
    def over(cls, order: Sequence[str], facts: Iterable[Fact]) -> _Search:
        every = frozenset(facts)
        touching: dict[str, list[Fact]] = {name: [] for name in order}
        for fact in every:
            for name in set(fact[1]):
                touching[name].append(fact)
        return cls(order, every, touching, _colours(order, touching))

    def moves(self, place: int, other: str) -> bool:
        """Whether a symmetry fixes all names before ``place`` and moves that one to another."""
        one = self.order[place]
        if self.colours[one] != self.colours[other]:
            return False
        swapped = {name: name for name in self.order} | {one: other, other: one}
        if all(self._holds(fact, swapped) for n in (one, other) for fact in self.touching[n]):
            return True
        image = {name: name for name in self.order[:place]} | {one: other}
        return self._fits(one, image) and self._extends(image, place + 1)

    def _extends(self, image: dict[str, str], start: int) -> bool:
        """Whether the images of the first names can be made those of all."""
        choices = [iter(self._choices(image, start))] if start < len(self.order) else []
        while choices:
            place = start + len(choices) - 1
            name = self.order[place]
            image.pop(name, None)
            for chosen in choices[-1]:
                image[name] = chosen
                if self._fits(name, image):
                    if place + 1 == len(self.order):
                        return True
                    choices.append(iter(self._choices(image, place + 1)))
                    break
                del image[name]
            else:
                choices.pop()
        return start == len(self.order)

    def _choices(self, image: Mapping[str, str], place: int) -> list[str]:
        name, taken = self.order[place], set(image.values())
        return [n for n in self.order if n not in taken and self.colours[n] == self.colours[name]]

    def _fits(self, name: str, image: Mapping[str, str]) -> bool:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise QueryError(
                "The pattern has too many parts alike to tell its symmetries: name the pairs, as "
                "in unordered=[('a', 'b')]."
            )
        return all(
            self._holds(fact, image)
            for fact in self.touching[name]
            if all(part in image for part in fact[1])
        )

    def _holds(self, fact: Fact, image: Mapping[str, str]) -> bool:
        return (fact[0], tuple(image[name] for name in fact[1])) in self.facts


def _colours(order: Sequence[str], touching: Mapping[str, list[Fact]]) -> dict[str, int]:
    """Return what tells names apart by their facts, those of their neighbours, and so on."""
    colours = dict.fromkeys(order, 0)
    while True:
        seen: dict[Any, int] = {}
        found = {}
        for name in order:
            marks = Counter(
                (what, tuple((colours[n], n == name) for n in parts))
                for what, parts in touching[name]
            )
            key = colours[name], frozenset(marks.items())
            found[name] = seen.setdefault(key, len(seen))
        if len(seen) == len(set(colours.values())):
            return found
        colours = found
