"""Circuits by their parts: which units correspond, and how well two circuits agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np

from circuitkb.matching.nearest import Nearest, mutual_nearest, rows_at_once
from circuitkb.matching.responses import Floats, Rows, UnitResponses
from circuitkb.schema.errors import NotFoundError, ObservationError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.responses import Responses

PartName = tuple[str, int]
"""A role, and the side that it is on; 0 for none."""


@dataclass(frozen=True, slots=True)
class PartedCircuit:
    """A found circuit: its id, and the feature ids of each part.

    Parts of one name are compared with each other. The first is the target, where there is one.
    """

    id: str
    parts: Mapping[PartName, tuple[str, ...]]

    @classmethod
    def two_sided(cls, id: str, target: str, side_1: str, side_2: str) -> Self:
        """Return a circuit of a target and one case on each side.

        Examples
        --------
        >>> PartedCircuit.two_sided("u", "m/b:0", "m/a:1", "m/a:2").parts["case", 2]
        ('m/a:2',)
        """
        return cls(id, {("target", 0): (target,), ("case", 1): (side_1,), ("case", 2): (side_2,)})

    @property
    def is_pair(self) -> bool:
        """Whether it is two cases of one target, and no group of units."""
        return [len(units) for units in self.parts.values()] == [1, 1, 1]


@dataclass(frozen=True, eq=False)
class Parts:
    """Where the members of each part stand in an array with the axes (circuit, member).

    ``slots`` has the columns of each part, for as many members as some circuit has; ``swapped``
    the part that each is compared with where sides are exchanged.
    """

    names: tuple[PartName, ...]
    slots: tuple[range, ...]
    pairs: bool

    @classmethod
    def of(cls, circuits: Sequence[PartedCircuit]) -> Parts:
        """Return the parts that some circuits have, in the order in which they first stand."""
        sizes: dict[PartName, int] = {}
        for each in circuits:
            for name, units in each.parts.items():
                sizes[name] = max(sizes.get(name, 0), len(units))
        ends = np.cumsum([0, *sizes.values()]).tolist()
        slots = tuple(range(*two) for two in pairwise(ends))
        return cls(tuple(sizes), slots, all(each.is_pair for each in circuits))

    @property
    def lead(self) -> int | None:
        """How many members come first that have one role, the target's; None if all have it."""
        roles = [name[0] for name in self.names]
        led = sum(len(of) for role, of in zip(roles, self.slots, strict=True) if role == roles[0])
        return led if len(set(roles)) > 1 else None

    @property
    def as_labelled(self) -> tuple[int, ...]:
        """Each part compared with its own."""
        return tuple(range(len(self.names)))

    @property
    def swapped(self) -> tuple[int, ...]:
        """Each part compared with that of the other side."""
        return tuple(map(self._across, self.names))

    def _across(self, name: PartName) -> int:
        role, side = name
        other = [each for each in self.names if side and each[1] == 3 - side]
        same = [each for each in other if each[0] == role]
        return self.names.index((same or other or [name])[0])

    def filled(self, parts: Mapping[PartName, tuple[str, ...]]) -> list[str | None]:
        """Return the members of a circuit, None where another one has more."""
        found: list[str | None] = []
        for name, slots in zip(self.names, self.slots, strict=True):
            units = parts.get(name, ())
            found += [*units, *([None] * (len(slots) - len(units)))]
        return found


@dataclass(frozen=True, eq=False)
class Members:
    """Circuits that can be compared: ids, and places of their units, axes (circuit, member).

    A place is -1 where another circuit has more members.
    """

    ids: tuple[str, ...]
    units: Rows
    left_out: int


def members_of(
    responses: Responses, units: UnitResponses, circuits: Sequence[PartedCircuit], parts: Parts
) -> Members:
    """Return the circuits of which every member can be compared.

    Raises
    ------
    ObservationError
        A member was not observed.
    """
    width = sum(map(len, parts.slots))
    members = [parts.filled(each.parts) for each in circuits]
    rows = np.array(
        [[-1 if id_ is None else row_of(responses, id_) for id_ in ids] for ids in members], np.intp
    ).reshape(-1, width)
    places = np.where(rows < 0, -1, units.places(np.maximum(rows, 0)))
    comparable = np.flatnonzero(((places >= 0) | (rows < 0)).all(axis=1))
    compared = tuple(circuits[place].id for place in comparable.tolist())
    return Members(compared, places[comparable], len(circuits) - len(compared))


def row_of(responses: Responses, feature: str) -> int:
    """Return the row of a feature in the responses of its model.

    Raises
    ------
    ObservationError
        It was not observed.
    """
    try:
        return responses.row(feature)
    except NotFoundError as error:
        model = FeatureId.parse(feature).model
        raise ObservationError(
            f"{feature} was not observed: observe {model} again, then search it again."
        ) from error


@dataclass(frozen=True, eq=False)
class CircuitSearch:
    """Comparisons of the first model's circuits with others."""

    values: Floats
    circuits: Rows
    other_values: Floats
    parts: Parts
    block: int

    def nearest(self, others: Rows, against: tuple[int, ...] | None = None) -> Nearest:
        """Return the mutual nearest among circuits of the second model.

        ``against``: the part of theirs that each part is compared with; its own if not given.
        """
        one, other = (self.values, self.circuits), (self.other_values, others)
        shape = len(self.circuits), len(others)
        return mutual_nearest(self._scores(one, other, against), shape)

    def best_among(self, drawn: Rows, found: Rows) -> Floats:
        """Return the highest score of each of some circuits among others, in the second model."""
        best = np.full(len(drawn), -np.inf, np.float32)
        one, other = (self.other_values, drawn), (self.other_values, found)
        for start, scores in self._scores(one, other, None):
            best[start : start + len(scores)] = scores.max(axis=1)
        return best

    def _scores(
        self,
        one: tuple[Floats, Rows],
        other: tuple[Floats, Rows],
        against: tuple[int, ...] | None,
    ) -> Iterator[tuple[int, Floats]]:
        """Give the score of the part that agrees least, some circuits at a time.

        ``one`` and ``other``: the responses of all units, and circuits by the places of their
        units.
        """
        slots = self.parts.slots
        theirs = self.parts.as_labelled if against is None else against
        parts = [
            _Part.of((one[0], one[1][:, mine]), (other[0], other[1][:, slots[place]]))
            for mine, place in zip(slots, theirs, strict=True)
        ]
        step = rows_at_once(len(other[1]), self.block)
        for start in range(0, len(one[1]), step):
            here = slice(start, start + step)
            scores: Floats = np.minimum.reduce([part.agreement(here) for part in parts])
            yield start, scores


@dataclass(frozen=True, eq=False)
class _Part:
    """One part of the circuits of two models: correlations of its units, and where they stand.

    Attributes
    ----------
    matrix
        Axes (unit, unit of the other); each correlation is made once, since circuits share many
        of their members. The last row and column stand for no unit.
    rows, columns
        Of the members of each circuit, axes (circuit, member).
    """

    matrix: Floats
    rows: Rows
    columns: Rows

    @classmethod
    def of(cls, one: tuple[Floats, Rows], other: tuple[Floats, Rows]) -> _Part:
        (unit, rows), (other_unit, columns) = map(_numbered, (one[1], other[1]))
        matrix = np.full((len(unit) + 1, len(other_unit) + 1), -np.inf, np.float32)
        matrix[:-1, :-1] = one[0][unit] @ other[0][other_unit].T
        return cls(matrix, rows, columns)

    def agreement(self, here: slice) -> Floats:
        """Return the lowest correlation of a member with its best partner, both ways.

        Where neither circuit has such members they agree; where one has, they do not.
        """
        rows = self.rows[here]
        if rows.shape[1] == self.columns.shape[1] == 1 and self._full:
            both: Floats = self.matrix[rows[:, 0]][:, self.columns[:, 0]]
            return both
        lowest = np.ones((len(rows), len(self.columns)), np.float32)
        for member in rows.T:
            np.minimum(lowest, self._best_of_theirs[member], out=lowest)
        best = np.full((len(rows), self.matrix.shape[1]), -np.inf, np.float32)
        for member in rows.T:
            np.maximum(best, self.matrix[member], out=best)
        best[:, -1] = np.inf
        for member in self.columns.T:
            np.minimum(lowest, best[:, member], out=lowest)
        return lowest

    @cached_property
    def _best_of_theirs(self) -> Floats:
        """For each unit its best partner in each of the other circuits; no unit needs one."""
        best = np.full((len(self.matrix), len(self.columns)), -np.inf, np.float32)
        for member in self.columns.T:
            np.maximum(best, self.matrix[:, member], out=best)
        best[-1] = np.inf
        return best

    @cached_property
    def _full(self) -> bool:
        """Whether every circuit has all its members."""
        last, last_column = (size - 1 for size in self.matrix.shape)
        return bool((self.rows < last).all() and (self.columns < last_column).all())


def _numbered(places: Rows) -> tuple[Rows, Rows]:
    """Return the distinct units of some members, and each member by its number; no unit is last."""
    unit = np.unique(places[places >= 0])
    number = np.where(places >= 0, np.searchsorted(unit, places), len(unit))
    return unit, number
