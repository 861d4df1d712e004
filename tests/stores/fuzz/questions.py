"""Random questions: a motif, and a shape of what is asked about it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.stores.fuzz import calls, optional_parts, paths, projections, subqueries, variable_length
from tests.stores.fuzz.clauses import Aggregate, Clause, Projection, Query
from tests.stores.fuzz.motifs import MOTIFS
from tests.stores.fuzz.needs import Need
from tests.stores.fuzz.patterns import Match
from tests.stores.fuzz.worlds import World
from tests.stores.fuzz.writer import Writer

SHAPES: dict[str, Callable[[Writer, str], Sequence[Clause]]] = {
    "rows": projections.rows,
    "whole nodes and edges": projections.whole,
    "totals": projections.total,
    "distinct": projections.distinct,
    "groups": projections.groups,
    "many": projections.many,
    "page": projections.page,
    "strongest": projections.strongest,
    "first ones": projections.first_ones,
    "two parts": projections.two_parts,
    "there": subqueries.there,
    "also": subqueries.also,
    "beside": subqueries.beside,
    "optional rows": optional_parts.optional_rows,
    "optional groups": optional_parts.optional_groups,
    "missing": optional_parts.missing,
    "reach": variable_length.reach,
    "lists": variable_length.lists,
    "path": paths.path,
    "either motif": calls.either_motif,
    "for each": calls.for_each,
    "given features": calls.given_features,
}
"""What is asked; each says so in its docstring."""


@dataclass(frozen=True)
class Question:
    """A query, and what it is made of."""

    motif: str
    shape: str
    query: Query
    needs: frozenset[Need] = frozenset()

    @property
    def edges(self) -> int:
        """Relations in the motif; what is asked besides may have more."""
        return sum(len(chain) // 2 for chain in MOTIFS[self.motif])


def random_question(rng: random.Random, world: World, number: int) -> Question:
    """Return a question with values that occur in a world.

    The number chooses motif and shape: one after the other, until each was asked in each shape.
    """
    motif = list(MOTIFS)[number % len(MOTIFS)]
    shape = list(SHAPES)[number % len(SHAPES)]
    writer = Writer(rng, world)
    clauses = SHAPES[shape](writer, motif)
    if _counts_loops(clauses):
        writer.needs.add(Need.COUNTED_LOOPS)
    return Question(motif, shape, Query(clauses, writer.parameters), frozenset(writer.needs))


def _counts_loops(clauses: Sequence[Clause]) -> bool:
    """Whether a query counts relations of a node to itself and does nothing else."""
    match, returned = clauses[0], clauses[-1]
    return (
        len(clauses) == 2
        and isinstance(match, Match)
        and isinstance(returned, Projection)
        and len(match.steps) == 1
        and match.steps[0].source == match.steps[0].target
        and all(
            column.value.text.startswith("count(")
            for column in returned.columns
            if isinstance(column.value, Aggregate)
        )
    )
