"""What a search for groups of units found in one model, layer by layer and beside its null."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from circuitkb.motifs.findings import SearchFindings
from circuitkb.schema.ids import circuit_id

LayerCounts = Mapping[str, Mapping[str, float]]
"""For each layer its counts, and what chance gives there, by name."""


@dataclass(frozen=True)
class Member:
    """One unit of a group: its id, its role, its side if there are two, and its figures.

    ``weight`` is the positive mass of its edge to the unit that it feeds; ``facing`` says in words
    what it answers to.
    """

    feature: str
    role: str
    side: int | None = None
    weight: float | None = None
    facing: str | None = None


@dataclass(frozen=True)
class FoundGroup:
    """One circuit that passed, with its null.

    Attributes
    ----------
    members
        Each feature once.
    score
        How well it fits the motif.
    value, null_mean, null_count, p, q
        The statistic that was tested, and what chance gives.
    figures
        What else was measured, as JSON can hold it.
    stability
        Share of deletions of a tenth of the stimuli that it survives; None where it was not asked.
    ties
        The layer that its units are in: ``Circuit.group`` without the name of the motif.
    """

    members: tuple[Member, ...]
    score: float
    value: float
    null_mean: float
    null_count: int
    p: float
    q: float
    figures: Mapping[str, Any]
    ties: str
    stability: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupFindings(SearchFindings):
    """What a search for groups found in one model.

    Attributes
    ----------
    groups
        The circuits that passed, smallest q first.
    layers
        Counts of each layer in which something was tested.
    """

    groups: tuple[FoundGroup, ...]
    layers: LayerCounts = field(default_factory=dict)

    @property
    def found(self) -> tuple[FoundGroup, ...]:
        """The circuits that passed."""
        return self.groups

    def members(self) -> Iterator[tuple[str, list[tuple[str, str, int | None]]]]:
        """Yield the id of each circuit that passed, and its members: feature, role, side."""
        for group in self.groups:
            found = [(one.feature, one.role, one.side) for one in group.members]
            yield circuit_id(self.motif.name, self.model, found), found

    @property
    def circuits(self) -> int:
        """How many circuits passed."""
        return len(self.groups)

    @property
    def around(self) -> int:
        """How many layers the circuits are in."""
        return len({group.ties for group in self.groups})

    @property
    def q_max(self) -> float | None:
        """The largest q of the circuits that passed."""
        return max((group.q for group in self.groups), default=None)

    @property
    def more(self) -> Mapping[str, Any]:
        """What the search's Import says besides: counts and nulls layer by layer."""
        return {"at": "layer", "layers": {name: dict(own) for name, own in self.layers.items()}}
