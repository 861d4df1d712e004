"""Patterns, and everything that fits them: the brute force.

Every node and every edge is tried. What Cypher says of a MATCH clause is said here once more:
edges of one clause are all different, also those in lists; a clause that is optional and fits
nowhere leaves its row, with nulls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.stores.fuzz.logic import Expression, Row
from tests.stores.fuzz.worlds import Edge, Node, World

LARGEST = 1_000
"""Rows that a clause may give; a query that has more is not asked."""

MOST_TRIED = 10_000
"""Beginnings of a fit that one clause may try."""


class TooManyRowsError(Exception):
    """A query whose answer by brute force would take too long."""


@dataclass(frozen=True)
class Step:
    """One relation of a pattern.

    ``length`` None stands for one edge; (1, 3) for a list of one to three of them, in the order
    of the text: from the target back to the source if the arrow was written ``backwards``.
    """

    name: str
    kinds: tuple[str, ...]
    source: str
    target: str
    directed: bool = True
    length: tuple[int, int] | None = None
    backwards: bool = False

    def bound(self, walk: tuple[Edge, ...]) -> Edge | list[Edge]:
        if self.length is None:
            return walk[0]
        return list(reversed(walk) if self.backwards else walk)


@dataclass(frozen=True)
class Pattern:
    """Relations, the label of each variable that stands for a node, and conditions."""

    steps: tuple[Step, ...]
    labels: Mapping[str, str | None]
    conditions: tuple[Expression, ...] = ()


class Search:
    """Looks for everything that fits a pattern in a world."""

    def __init__(self, world: World, pattern: Pattern) -> None:
        self.world = world
        self.pattern = pattern
        self.tried = 0
        ends = {name for step in pattern.steps for name in (step.source, step.target)}
        self.alone = [name for name in pattern.labels if name not in ends]

    def fitting(self, row: Row) -> Iterator[Row]:
        """Give each way in which the pattern fits, as ``row`` with its variables added."""
        if self._allowed({}, row):
            yield from self._place(self.alone, self.pattern.steps, row, frozenset())

    def _place(
        self, alone: Sequence[str], steps: Sequence[Step], row: Row, used: frozenset[Edge]
    ) -> Iterator[Row]:
        """Try every node for those that stand alone, then every walk for each relation."""
        self.tried += 1
        if self.tried > MOST_TRIED:
            raise TooManyRowsError
        if alone:
            name, *others = alone
            for node in [row[name]] if name in row else self.world.nodes:
                found = {**row, name: node}
                if node is not None and self._allowed(row, found):
                    yield from self._place(others, steps, found, used)
        elif steps:
            step, *rest = steps
            for start in [row[step.source]] if step.source in row else self.world.nodes:
                for walk, end in walks(self.world, step, start, used):
                    if step.target in row and row[step.target] is not end:
                        continue
                    if step.target == step.source and start is not end:
                        continue
                    bound = {step.source: start, step.target: end, step.name: step.bound(walk)}
                    found = {**row, **bound}
                    if self._allowed(row, found):
                        yield from self._place([], rest, found, used | set(walk))
        else:
            yield row

    def _allowed(self, before: Row, after: Row) -> bool:
        """Whether labels and conditions hold that were not known before."""
        return all(
            label is None or name in before or name not in after or _is(after[name], label)
            for name, label in self.pattern.labels.items()
        ) and all(
            condition.value(self.world, after) is True
            for condition in self.pattern.conditions
            if condition.names <= after.keys() and not (before and condition.names <= before.keys())
        )


def _is(node: Node | None, label: str) -> bool:
    return node is not None and node.label == label


def walks(
    world: World, step: Step, start: Node | None, used: frozenset[Edge]
) -> Iterator[tuple[tuple[Edge, ...], Node]]:
    """Give each walk along a relation that takes no edge twice and none of ``used``."""
    least, most = step.length or (1, 1)
    found: list[tuple[tuple[Edge, ...], Node]] = [] if start is None else [((), start)]
    for length in range(most + 1):
        if length >= least:
            yield from found
        found = [
            ((*walk, edge), end)
            for walk, at in found
            for edge in world.touching[at]
            if edge.kind in step.kinds and edge not in used and edge not in walk
            for end in _ends(edge, at, directed=step.directed)
        ]


def _ends(edge: Edge, at: Node, *, directed: bool) -> list[Node]:
    """Where an edge leads from here; an edge from a node to itself leads there once."""
    if edge.source is at:
        return [edge.target]
    return [] if directed else [edge.source]


@dataclass(frozen=True)
class Match:
    """A MATCH clause: the texts of its patterns, and what they mean.

    ``inline`` conditions stand within the patterns, as in ``(a:Feature {unit: 1})``.
    """

    texts: Sequence[str]
    steps: tuple[Step, ...]
    labels: Mapping[str, str | None]
    inline: tuple[Expression, ...] = ()
    where: tuple[Expression, ...] = ()
    optional: bool = False

    @property
    def text(self) -> str:
        where = " AND ".join(condition.text for condition in self.where)
        word = "OPTIONAL MATCH" if self.optional else "MATCH"
        return f"{word} {', '.join(self.texts)}" + (f" WHERE {where}" if where else "")

    def follow(self, world: World, rows: list[Row]) -> list[Row]:
        """Return the rows after this clause."""
        pattern = Pattern(self.steps, self.labels, (*self.inline, *self.where))
        search = Search(world, pattern)
        nothing = dict.fromkeys([*self.labels, *(step.name for step in self.steps)])
        made: list[Row] = []
        for row in rows:
            before = len(made)
            for found in search.fitting(row):
                made.append(found)
                if len(made) > LARGEST:
                    raise TooManyRowsError
            if self.optional and len(made) == before:
                made.append({**nothing, **row})
        return made
