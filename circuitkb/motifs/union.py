"""Unions: units that are excited by two mirrored cases, each from its own side.

Where a model was observed, the answers of its units show it
(:mod:`~circuitkb.motifs.by_responses.find`). Where kernels are all that is known, they show it:
kernel(A -> U) is the mirror image of kernel(B -> U). That criterion reads the positive mass of a
spatial kernel, never its net sign, which may well be negative where people found the union.
``docs/discovery.md`` has the criteria, the nulls and what was measured.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_kernels.candidates import Candidates, Pool, find_candidates, pools
from circuitkb.motifs.by_kernels.findings import NullFigures, UnionCircuit, UnionFindings, UnionTest
from circuitkb.motifs.by_kernels.pairs import case_weights, matching_pairs
from circuitkb.motifs.by_kernels.permutation import Null, among_all_units, among_own_inputs
from circuitkb.motifs.by_kernels.similarity import Match, blocks, count_matches, turn
from circuitkb.motifs.motif import Between, PairMotif, Role
from circuitkb.motifs.transforms import Mirror, Transform
from circuitkb.schema.errors import QueryError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, silent

VERSION = "1"

LEAST_OTHERS = 20
"""Further inputs from which a unit's own inputs are a pool to deal from."""

LEAST_DRAWS = 10_000
"""Draws that no test needs to go beyond in a small model."""

SHUFFLES = 20
"""Times that the kernels of the whole model are dealt anew, as a control."""


@dataclass(frozen=True, kw_only=True)
class Union:
    """The motif: one unit that mirrored cases excite.

    Attributes
    ----------
    of
        What turns one case into the other.
    mirrored, same, opposed
        Two inputs match where corr(mirror(kernel of A), kernel of B) > ``mirrored`` and
        ``opposed`` < corr(kernel of A, kernel of B) < ``same``: they are neither one case twice
        nor one kernel with both signs.
    share, at_least
        Inputs that are compared: the top ``share`` by positive mass, and ``at_least`` so many.
    fdr
        False discovery rate, over all tested units of a model.
    draws
        Most draws from the null for one unit; if None, as many as let one unit alone pass. Of
        the search by kernels alone.
    answers, invariant
        Of the search by responses alone: the unit's mean answer to the stimuli that a case
        answers to most, in standard deviations from its mean, is above ``answers``, and
        corr(unit on mirrored stimuli, unit) is above ``invariant``.
    permutations
        Draws from each of the two controls of the search by responses.
    seed
        Seed of the draws.

    Raises
    ------
    QueryError
        A threshold out of its range.

    Examples
    --------
    >>> Union(of=Mirror("left-right")).mirrored
    0.8
    """

    name: ClassVar[str] = "union"

    of: Transform = field(default_factory=lambda: Mirror("left-right"))
    mirrored: float = 0.8
    same: float = 0.5
    opposed: float = -0.8
    share: float = 0.05
    at_least: int = 4
    fdr: float = 0.05
    draws: int | None = None
    answers: float = 1.0
    invariant: float = 0.8
    permutations: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        ranges = [(name, -1, 1) for name in ("mirrored", "same", "opposed", "invariant")]
        for name, low, high in (*ranges, ("share", 0, 1)):
            if not low <= getattr(self, name) <= high:
                raise QueryError(f"Union({name}={getattr(self, name)}): between {low} and {high}.")
        if not 0 < self.fdr < 1:
            raise QueryError(f"Union(fdr={self.fdr}): between 0 and 1.")
        if self.at_least < 2:
            raise QueryError(f"Union(at_least={self.at_least}): a pair needs 2 inputs or more.")
        if self.permutations < 1:
            raise QueryError(f"Union(permutations={self.permutations}): 1 or more.")
        if self.draws is not None and self.draws < 1:
            raise QueryError(f"Union(draws={self.draws}): 1 or more.")

    @property
    def match(self) -> Match:
        """When two inputs match."""
        return Match(self.mirrored, self.same, self.opposed)

    def settings(self) -> dict[str, Any]:
        """Return the settings of the search by kernels as JSON can hold them."""
        return {
            "of": self.of.name,
            "mirrored": self.mirrored,
            "same": self.same,
            "opposed": self.opposed,
            "share": self.share,
            "at_least": self.at_least,
            "fdr": self.fdr,
        }

    def by_responses(self) -> PairMotif:
        """Return the motif as the search by responses reads it.

        Examples
        --------
        >>> motif = Union().by_responses()
        >>> motif.target, [role.name for role in motif.roles], motif.turned.low
        ('union', ['case', 'case'], 0.8)
        """
        case = Role(name="case", answer=Between(low=self.answers))
        return PairMotif(
            name=self.name,
            of=self.of,
            roles=(case, case),
            target="union",
            turned=Between(low=self.mirrored),
            same=Between(high=self.same),
            invariance=Between(low=self.invariant),
            share=self.share,
            at_least=self.at_least,
            fdr=self.fdr,
            permutations=self.permutations,
        )


def find_unions(
    connections: Sequence[Connection],
    motif: Union | None = None,
    *,
    model: str,
    seed: int | None = None,
    progress: Progress = silent,
) -> UnionFindings:
    """Search all kernels of a model for units with mirrored inputs, against a null.

    Parameters
    ----------
    connections
        All kernels of the model; nothing is kept of them.
    motif
        What to look for; left-right mirrors unless given.
    model
        Name of the model, for the ids.
    seed
        Seed of the draws instead of the motif's own. The same seed gives the same findings.
    progress
        Told how far the search is.

    Returns
    -------
    UnionFindings
        With the units that pass at the motif's false discovery rate, and all figures.

    Examples
    --------
    Kernel 1 is the mirror image of kernel 0; four inputs are too few to show it, so this is a
    match but no finding:

    >>> kernel = np.random.default_rng(0).normal(size=(1, 1, 4, 3, 3)).astype(np.float32)
    >>> kernel[0, 0, 1] = kernel[0, 0, 0, :, ::-1]
    >>> units = np.zeros((1, 1), np.int32), np.arange(4, dtype=np.int32)[None]
    >>> c = Connection("c0", "a", "b", "direct", *units, kernel)
    >>> findings = find_unions([c], model="m")
    >>> findings.tested, findings.hits, findings.circuits
    (1, 1, 0)
    """
    started = time.perf_counter()
    motif = motif or Union()
    seed = motif.seed if seed is None else seed
    rng = np.random.default_rng(seed)
    progress(f"{model}: comparing inputs", 0.0)
    candidates, not_tested, tested = find_candidates(
        connections, motif.of, motif.match, share=motif.share, at_least=motif.at_least
    )
    tests = sum(len(item.place) for item in candidates)
    search = _Search(motif, candidates, rng, _limit(motif, tests))
    everywhere = pools(candidates)
    for place, pool in enumerate(everywhere):
        progress(f"{model}: dealing anew", 0.1 + 0.8 * place / len(everywhere))
        search.test(pool)
    units = search.findings(model)
    progress(f"{model}: searched", 1.0)
    return UnionFindings(
        model=model,
        motif=motif,
        seed=seed,
        tested=tested,
        tests=tests,
        not_tested=not_tested,
        hits=int(sum(item.hits.sum() for item in candidates)),
        shuffled=tuple(search.shuffled.tolist()),
        units=units,
        weights=case_weights(units, connections, model),
        seconds=time.perf_counter() - started,
    )


def _limit(motif: Union, tests: int) -> int:
    """Return the draws after which the least p, alone among all tests, is below the rate."""
    return motif.draws or max(LEAST_DRAWS, ceil(tests / motif.fdr) + 1)


class _Search:
    """The tests of one model, array by array."""

    def __init__(
        self,
        motif: Union,
        candidates: Sequence[Candidates],
        rng: np.random.Generator,
        limit: int,
    ) -> None:
        self.motif, self.candidates, self.rng, self.limit = motif, candidates, rng, limit
        self.p = [np.ones(len(item.place)) for item in candidates]
        self.nulls: dict[tuple[int, int], list[NullFigures]] = {}
        self.pool: dict[int, Pool] = {}
        self.shuffled = np.zeros(SHUFFLES, np.int64)

    def test(self, pool: Pool) -> None:
        """Test the units of a pool, and count what its kernels give when they are shuffled."""
        for index in pool.members:
            self.pool[index] = pool
            item = self.candidates[index]
            # A unit without a matching pair has p = 1, whatever the null.
            (hit,) = np.nonzero(item.hits)
            if len(hit):
                self._among_all_units(index, hit, pool)
                # The larger p decides, so one above the rate needs no second null.
                self._among_own_inputs(index, hit[self.p[index][hit] <= self.motif.fdr])
        self._shuffle(pool)

    def _among_all_units(self, index: int, hit: NDArray[np.intp], pool: Pool) -> None:
        item = self.candidates[index]
        null = among_all_units(
            item.hits[hit],
            pool.vectors,
            pool.turned,
            item.k,
            match=self.motif.match,
            limit=self.limit,
            rng=self.rng,
        )
        method = f"as many of the strongest inputs of all units of {pool.of}, dealt at random"
        self._keep(index, hit, method, null)

    def _among_own_inputs(self, index: int, hit: NDArray[np.intp]) -> None:
        item = self.candidates[index]
        count = item.inputs.count[item.place[hit]]
        for inputs in np.unique(count[count >= item.k + LEAST_OTHERS]).tolist():
            for part in blocks(int((count == inputs).sum()), inputs * inputs):
                units = hit[count == inputs][part]
                start = item.inputs.start[item.place[units]]
                kernels = item.inputs.kernels(start[:, None] + np.arange(inputs), item.rings)
                vectors, turned = turn(kernels, self.motif.of)
                null = among_own_inputs(
                    item.hits[units],
                    vectors,
                    turned,
                    item.k,
                    match=self.motif.match,
                    limit=self.limit,
                    rng=self.rng,
                )
                method = "as many of all inputs of the same unit, dealt at random"
                self._keep(index, units, method, null)

    def _keep(self, index: int, units: NDArray[np.intp], method: str, null: Null) -> None:
        for unit, p, mean, draws in zip(
            units.tolist(), null.p.tolist(), null.mean.tolist(), null.draws.tolist(), strict=True
        ):
            self.nulls.setdefault((index, unit), []).append(NullFigures(method, p, mean, draws))
            self.p[index][unit] = max(figures.p for figures in self.nulls[index, unit])

    def _shuffle(self, pool: Pool) -> None:
        """Deal a pool's kernels anew among its slots, and count matching pairs."""
        sizes = [self.candidates[index].edges.shape for index in pool.members]
        slots = sum(units * k for units, k in sizes)
        for shuffle in range(SHUFFLES):
            order, start = self.rng.permutation(len(pool.vectors))[:slots], 0
            for units, k in sizes:
                dealt = order[start : start + units * k].reshape(units, k)
                start += units * k
                self.shuffled[shuffle] += count_matches(
                    pool.vectors[dealt], pool.turned[dealt], self.motif.match
                ).sum()

    def findings(self, model: str) -> tuple[UnionTest, ...]:
        """Return every test with a matching pair, smallest q first."""
        from scipy.stats import false_discovery_control

        sizes = [len(p) for p in self.p]
        if not sizes:
            return ()
        q = np.split(false_discovery_control(np.concatenate(self.p)), np.cumsum(sizes)[:-1])
        units: list[UnionTest] = []
        for (index, unit), nulls in self.nulls.items():
            item = self.candidates[index]
            layer, number = item.inputs.target, int(item.inputs.unit[item.place[unit]])
            passed = q[index][unit] < self.motif.fdr
            units.append(
                UnionTest(
                    target=str(FeatureId(model, layer, number)),
                    grid=item.grid,
                    inputs=int(item.inputs.count[item.place[unit]]),
                    strongest=item.k,
                    hits=int(item.hits[unit]),
                    nulls=tuple(nulls),
                    q=float(q[index][unit]),
                    circuits=self._circuits(model, index, unit) if passed else (),
                )
            )
        units.sort(key=lambda test: (test.q, test.p, -test.hits, test.target))
        return tuple(units)

    def _circuits(self, model: str, index: int, unit: int) -> tuple[UnionCircuit, ...]:
        return matching_pairs(
            self.candidates[index],
            unit,
            self.pool[index],
            model=model,
            transform=self.motif.of,
            match=self.motif.match,
            fdr=self.motif.fdr,
            rng=self.rng,
        )
