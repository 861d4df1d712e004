"""What a search for unions found, and what it tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

if TYPE_CHECKING:
    from circuitkb.motifs.union import Union


@dataclass(frozen=True)
class Case:
    """One of the two cases that a union joins.

    Attributes
    ----------
    feature
        Its id.
    side
        1 or 2: on side 1 the positive mass lies further left (or up).
    weight
        Positive mass of its kernel into the union.
    connection
        Key of the connection that holds the kernel.
    parallel
        Other connections that join the same units (figures may repeat an edge), each with the
        correlation of its kernel with the one that was compared.
    """

    feature: str
    side: int
    weight: float
    connection: str
    parallel: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class UnionCircuit:
    """One pair of mirrored cases that feed one unit.

    Attributes
    ----------
    cases
        The case of side 1, then that of side 2.
    mirrored, same
        Correlation of one kernel's mirror image with the other kernel, and of both as they are.
    p
        Share of random pairs of strong inputs that match at least as well.
    q
        The same, corrected for all pairs of the unit's strongest inputs.
    """

    cases: tuple[Case, Case]
    mirrored: float
    same: float
    p: float
    q: float


@dataclass(frozen=True)
class NullFigures:
    """One null of one unit: the mean chance count, and how it came about."""

    method: str
    p: float
    mean: float
    draws: int


@dataclass(frozen=True)
class UnionTest:
    """One tested unit that has matching pairs at all.

    Attributes
    ----------
    target
        Id of the unit.
    grid
        Rows and columns of the kernels compared, without empty rings.
    inputs, strongest
        How many inputs it has on this grid, and how many of them were compared.
    hits
        Matching pairs among them.
    nulls
        What chance gives, in each way that was asked; the larger p decides.
    q
        The deciding p, corrected for false discovery over all tests.
    circuits
        The matching pairs, where the unit's ``q`` passed: those that chance pairs rarely equal.
    """

    target: str
    grid: tuple[int, int]
    inputs: int
    strongest: int
    hits: int
    nulls: tuple[NullFigures, ...]
    q: float
    circuits: tuple[UnionCircuit, ...]

    @property
    def null(self) -> NullFigures:
        """The null that decides: the one that explains the count best."""
        return max(self.nulls, key=lambda null: null.p)

    @property
    def p(self) -> float:
        """The larger p-value."""
        return self.null.p


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings:
    """What every search says of one model.

    Attributes
    ----------
    model, seed
        What was searched, and the seed of the draws.
    tested
        Units that could be tested.
    not_tested
        Units that could not be, by reason.
    weights
        ``WEIGHT`` rows of the edges between the members found.
    seconds
        How long it took.
    """

    model: str
    seed: int
    tested: int
    not_tested: Mapping[str, int]
    weights: pa.Table
    seconds: float

    @property
    def not_testable(self) -> int:
        """Units that could not be tested."""
        return sum(self.not_tested.values())

    @property
    def why(self) -> str:
        """Why units could not be tested, in one line; empty if all could."""
        return "; ".join(f"{count:,}: {reason}" for reason, count in self.not_tested.items())


@dataclass(frozen=True, eq=False, kw_only=True)
class UnionFindings(Findings):
    """What a search of kernels found in one model, and what it could not test.

    Attributes
    ----------
    motif
        What was searched for.
    tests
        Tests on the units that could be tested (a unit with kernels on two grids has two).
    hits, shuffled
        Matching pairs in the whole model, and in each of the shuffles in which the kernels were
        dealt anew among all the slots of their pool.
    units
        Tests with at least one matching pair, smallest q first.
    """

    by: ClassVar[str] = "kernels"

    motif: Union
    tests: int
    hits: int
    shuffled: tuple[int, ...]
    units: tuple[UnionTest, ...]

    @property
    def found(self) -> tuple[UnionTest, ...]:
        """Units that are unions of mirrored inputs, as far as kernels can tell."""
        return tuple(unit for unit in self.units if unit.circuits)

    @property
    def circuits(self) -> int:
        """Pairs of cases in all, one circuit each."""
        return sum(len(unit.circuits) for unit in self.units)

    def figures(self) -> dict[str, float]:
        """Return the matching pairs of the whole model, and what chance gives, by name."""
        found = {"hits": float(self.hits)}
        if self.shuffled:
            found["shuffled_hits_mean"] = fmean(self.shuffled)
            found["shuffled_hits_max"] = float(max(self.shuffled))
        return found
