"""What a search found in one model, whatever it read, and what it could not test."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from circuitkb.motifs.motif import Pairs
from circuitkb.schema.ids import circuit_id, content_hash

if TYPE_CHECKING:
    from circuitkb.motifs.by_responses.asymmetry import Asymmetry
    from circuitkb.motifs.by_responses.pair_nulls import PairCount
    from circuitkb.motifs.by_responses.tuning_shape import Tuning

Counts = Mapping[str, int]
"""Pairs at targets that fulfil every criterion (``hits``); by responses the distinct ``units`` and
``pairs`` in them too, and the hits of each shape by its name."""


@dataclass(frozen=True)
class Case:
    """One of the two inputs of a circuit.

    Attributes
    ----------
    feature, role, side
        Its id, its role in the motif, and 1 or 2. By responses the inputs of side 1 respond more to
        the first members of the couples of stimuli, or to the stimuli that are said to be of side
        1; by kernels their positive mass lies further left (or up).
    weight
        Mass of its kernel into the target, of its role's sign; by responses over all connections.
    figures
        What else was measured of it. By responses: ``rank`` (place among the target's inputs by
        mass times spread, from 1), ``z`` (how the target responds to the stimuli that it responds
        to most, in standard deviations) and ``spread`` (standard deviation of its responses to the
        stimuli that the transform changes).
    connection
        Key of the connection whose kernel was compared; None for all of them.
    parallel
        Other connections that join the same units (figures may repeat an edge), each with the
        correlation of its kernel with the one that was compared.
    """

    feature: str
    role: str
    side: int
    weight: float
    figures: Mapping[str, float] = field(default_factory=dict)
    connection: str | None = None
    parallel: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class FoundCircuit:
    """Two inputs that the transform relates, at one target.

    Attributes
    ----------
    cases
        That of side 1, then that of side 2.
    corr_image, corr
        Correlation of the image of one with the other, and of both as they are: of responses, or
        of kernels.
    q
        By responses: share of hits as good that chance explains, by the worse of the two controls.
        By kernels: ``p`` corrected for all pairs of the target's strongest inputs.
    figures
        By responses ``score``: place of the weaker input among the target's inputs, as a share, and
        ``stability``: share of the deletions of a tenth of the stimuli that it survives. By
        kernels ``p``: share of random pairs of strong inputs that match at least as well.
    tuning
        By responses: the target's tuning between the cases, where the motif asks for a shape and
        the stimuli can tell.
    """

    cases: tuple[Case, Case]
    corr_image: float
    corr: float
    q: float
    figures: Mapping[str, float]
    tuning: Tuning | None = None

    @property
    def shape(self) -> str | None:
        """The shape of the target's tuning; None where it was not tested."""
        return self.tuning.shape if self.tuning else None

    @property
    def ends(self) -> frozenset[str]:
        """Both cases, whichever side each stands on."""
        return frozenset(case.feature for case in self.cases)


@dataclass(frozen=True)
class Null:
    """One null of one target: what the count of hits is there, and how it came about."""

    method: str
    p: float
    mean: float
    draws: int


@dataclass(frozen=True)
class FoundTarget:
    """One target with hits.

    Attributes
    ----------
    target
        Its id.
    inputs, strongest
        How many inputs it has, and how many of them count as strongest.
    hits
        Pairs of them that fulfil every criterion, whatever their q.
    nulls
        What chance gives, in each way that was asked; the larger p decides.
    q
        By responses the smallest of its circuits; by kernels the deciding p, corrected for false
        discovery over all tests.
    circuits
        The pairs that passed, best first.
    invariance
        By responses: corr(target on transformed stimuli, target).
    grid
        By kernels: rows and columns of the kernels compared, without empty rings.
    """

    target: str
    inputs: int
    strongest: int
    hits: int
    nulls: tuple[Null, ...]
    q: float
    circuits: tuple[FoundCircuit, ...]
    invariance: float | None = None
    grid: tuple[int, int] | None = None

    @property
    def null(self) -> Null:
        """The null that decides: the one that explains the count best."""
        return max(self.nulls, key=lambda null: null.p)

    @property
    def p(self) -> float:
        """The larger p-value."""
        return self.null.p

    @property
    def cases(self) -> dict[str, Case]:
        """The cases of its circuits, by feature."""
        return {case.feature: case for circuit in self.circuits for case in circuit.cases}


@dataclass(frozen=True)
class RelatedPair:
    """Two features that the transform relates.

    Attributes
    ----------
    one, other, score, same
        Both, the correlation of the image of one with the other, and that of both as they are.
    null_mean, null_count, p, q
        What best partners in the network with shuffled weights give.
    count
        How many targets it excites together, against its own null.
    asymmetry
        What makes the two differ; None where the stimuli do not tell.
    """

    one: str
    other: str
    score: float
    same: float
    null_mean: float
    null_count: int
    p: float
    q: float
    count: PairCount
    asymmetry: Asymmetry | None = None

    @property
    def ends(self) -> frozenset[str]:
        """Both features."""
        return frozenset((self.one, self.other))

    def facing(self, feature: str) -> str | None:
        """Return what one of the two answers to more than to its mirror image, in words."""
        if self.asymmetry is None:
            return None
        return self.asymmetry.facing[0 if feature == self.one else 1]


class Chance(NamedTuple):
    """What one control gives: its name, what was counted, the mean by chance, draws, and p."""

    control: str
    hits: int
    mean: float
    draws: int
    p: float


@dataclass(frozen=True, eq=False, kw_only=True)
class SearchFindings(ABC):
    """What all searches of one model say, whatever their circuits are.

    Attributes
    ----------
    motif
        What was searched for, and how.
    model, seed, battery
        What was searched, the seed of the draws, and the stimuli that were shown, if any.
    tested, tests
        Candidates that could be tested, and tests on them (by kernels a unit with kernels on two
        grids has two).
    not_tested
        Candidates that could not be, by reason.
    counts
        Of the whole model.
    controls
        The same in each repetition of each control.
    weights
        ``WEIGHT`` rows of the edges between the members found.
    seconds, control_seconds
        How long it took, and the part of it that the controls and p-values took.
    """

    motif: Pairs
    model: str
    seed: int
    tested: int
    tests: int
    not_tested: Mapping[str, int]
    counts: Counts
    controls: Mapping[str, Sequence[Counts]]
    weights: pa.Table
    seconds: float
    control_seconds: float = 0.0
    battery: str | None = None

    @property
    def not_testable(self) -> int:
        """Units that could not be tested."""
        return sum(self.not_tested.values())

    @property
    def why(self) -> str:
        """Why units could not be tested, in one line; empty if all could."""
        return "; ".join(f"{count:,}: {reason}" for reason, count in self.not_tested.items())

    @property
    def hits(self) -> int:
        """What fulfils every criterion, whatever its q."""
        return self.counts["hits"]

    def figures(self) -> dict[str, float]:
        """Return the counts of the whole model, and what the controls give, by name."""
        found = {what: float(count) for what, count in self.counts.items()}
        for name, draws in self.controls.items():
            if draws:
                for what in draws[0]:
                    found[f"{name}_{what}_mean"] = fmean(draw[what] for draw in draws)
                if "hits" in draws[0]:
                    found[f"{name}_hits_max"] = float(max(draw["hits"] for draw in draws))
        return found

    @property
    @abstractmethod
    def found(self) -> Sequence[Any]:
        """What passed."""

    @abstractmethod
    def members(self) -> Iterator[tuple[str, list[tuple[str, str, int | None]]]]:
        """Yield the id of each circuit that passed, and its members: feature, role, side."""

    @property
    @abstractmethod
    def circuits(self) -> int:
        """How many circuits passed."""

    @property
    @abstractmethod
    def around(self) -> int:
        """How many targets, or layers, the circuits have."""

    @property
    @abstractmethod
    def q_max(self) -> float | None:
        """The largest q of what passed; None where nothing did."""

    @property
    def chance(self) -> Chance | None:
        """What the control gives that gives most; None where there is none."""
        found = []
        for name, draws in self.controls.items():
            counted = [what for what in ("hits", *self.counts) if draws and what in draws[0]]
            for what in counted[:1]:
                real = self.counts[what]
                reached = sum(draw[what] >= real for draw in draws)
                mean = fmean(draw[what] for draw in draws)
                p = (1 + reached) / (1 + len(draws))
                found.append(Chance(name, real, mean, len(draws), p))
        return max(found, key=lambda one: one.mean / max(one.hits, 1), default=None)

    @property
    def shapes(self) -> Mapping[str, int]:
        """How many of its circuits have each shape; empty where none was tested."""
        return {}

    @property
    def more(self) -> Mapping[str, Any]:
        """What the search's Import says besides."""
        return {}

    @property
    def search(self) -> str:
        """What tells this search from others for the same thing, with another seed, say."""
        motif = self.motif
        settings = [motif.method, motif.version, motif.settings(), self.battery, self.seed]
        return content_hash([*settings, self.model, self.tested, self.figures()])


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings(SearchFindings):
    """What a search for pairs of inputs found in one model.

    ``controls``: ``permuted`` weights and ``matched`` pairs by responses; by kernels ``shuffled``
    among all the slots of their pool.

    Attributes
    ----------
    targets
        Targets with hits (by responses: with circuits), smallest q first.
    related
        By responses: the distinct pairs of the circuits.
    """

    targets: tuple[FoundTarget, ...]
    related: tuple[RelatedPair, ...] | None = None

    @property
    def found(self) -> tuple[FoundTarget, ...]:
        """Targets with a pair that passed."""
        return tuple(target for target in self.targets if target.circuits)

    def members(self) -> Iterator[tuple[str, list[tuple[str, str, int | None]]]]:
        """Yield the id of each circuit that passed, and its members: feature, role, side."""
        for target in self.found:
            for circuit in target.circuits:
                yield self.members_of(target, circuit)

    def members_of(
        self, target: FoundTarget, circuit: FoundCircuit
    ) -> tuple[str, list[tuple[str, str, int | None]]]:
        """Return the id of one circuit, and its members: its cases and its target."""
        found: list[tuple[str, str, int | None]] = [
            (case.feature, case.role, case.side) for case in circuit.cases
        ]
        found.append((target.target, self.motif.target, None))
        return circuit_id(self.motif.name, self.model, found), found

    @property
    def around(self) -> int:
        """How many targets the circuits have."""
        return len({target.target for target in self.found})

    @property
    def circuits(self) -> int:
        """Pairs at targets that passed, one circuit each."""
        return sum(len(target.circuits) for target in self.targets)

    @property
    def q_max(self) -> float | None:
        """The largest q of the targets that passed, and of their circuits."""
        return max(
            (q for each in self.found for q in (each.q, *(one.q for one in each.circuits))),
            default=None,
        )

    def figures(self) -> dict[str, float]:
        """Return the counts of the whole model, and what the controls give, by name."""
        found = super().figures()
        if self.related is not None:
            found["found_pairs"] = float(len(self.related))
        for shape, count in self.shapes.items():
            found[f"found_{shape.replace(' ', '_')}"] = float(count)
        return found

    def pair(self, circuit: FoundCircuit) -> RelatedPair | None:
        """Return the pair of a circuit's cases; None by kernels."""
        return self._pairs.get(circuit.ends)

    @cached_property
    def _pairs(self) -> dict[frozenset[str], RelatedPair]:
        return {pair.ends: pair for pair in self.related or ()}

    @property
    def shapes(self) -> dict[str, int]:
        """How many of its circuits have each shape; empty where none was tested."""
        test = self.motif.shape
        tested = Counter(c.shape for target in self.targets for c in target.circuits if c.shape)
        return {shape: tested[shape] for shape in test.shapes} if test and tested else {}
