"""Motifs of pairs found by the kernels of a model alone, against a null.

:func:`find_by_kernels` reads no response. A motif's transform relates two kernels into one unit:
kernel(A -> U) is the image of kernel(B -> U). ``docs/discovery.md`` has the criteria, the nulls and
what was measured.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_kernels.candidates import Candidates, NullPool, find_candidates, null_pools
from circuitkb.motifs.by_kernels.pairs import matching_pairs
from circuitkb.motifs.by_kernels.permutation import Draws, among_all_units, among_own_inputs
from circuitkb.motifs.by_kernels.similarity import Match, blocks, count_matches, with_images
from circuitkb.motifs.findings import Findings, FoundCircuit, FoundTarget, Null
from circuitkb.motifs.members import case_weights
from circuitkb.motifs.pairs import KernelPairMotif
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, silent

LEAST_OTHERS = 20
"""Further inputs from which a unit's own inputs are a pool to draw from."""

LEAST_DRAWS = 10_000
"""Draws that no test needs to go beyond in a small model."""

SHUFFLES = 20
"""Times that the kernels of the whole model are shuffled, as a control."""


def find_in_model(
    connections: Sequence[Connection], responses: object, motif: KernelPairMotif, **settings: Any
) -> Findings:
    """Search a model, observed or not; see :func:`find_by_kernels`."""
    return find_by_kernels(connections, motif, **settings)


def find_by_kernels(
    connections: Sequence[Connection],
    motif: KernelPairMotif,
    *,
    model: str,
    seed: int | None = None,
    progress: Progress = silent,
) -> Findings:
    """Search all kernels of a model for units with related inputs, against a null.

    Parameters
    ----------
    connections
        All kernels of the model; nothing is kept of them.
    motif
        What to look for.
    model
        Name of the model, for the ids.
    seed
        Seed of the draws instead of the motif's own. The same seed gives the same findings.
    progress
        Called with how far the search is.

    Returns
    -------
    Findings
        With the units that pass at the motif's false discovery rate, and all figures.

    Examples
    --------
    Kernel 1 is the mirror image of kernel 0; four inputs are too few to show it, so this is a
    match but no finding:

    >>> from circuitkb.motifs.union import Union
    >>> kernel = np.random.default_rng(0).normal(size=(1, 1, 4, 3, 3)).astype(np.float32)
    >>> kernel[0, 0, 1] = kernel[0, 0, 0, :, ::-1]
    >>> units = np.zeros((1, 1), np.int32), np.arange(4, dtype=np.int32)[None]
    >>> c = Connection("c0", "a", "b", "direct", *units, kernel)
    >>> findings = find_by_kernels([c], Union().by_kernels(), model="m")
    >>> findings.tested, findings.hits, findings.circuits
    (1, 1, 0)
    """
    started = time.perf_counter()
    seed = motif.seed if seed is None else seed
    rng = np.random.default_rng(seed)
    match = Match(motif.mirrored, motif.same, motif.opposed)
    progress(f"{model}: comparing inputs", 0.0)
    candidates, not_tested, tested = find_candidates(
        connections, motif.of, match, share=motif.share, at_least=motif.at_least
    )
    tests = sum(len(item.place) for item in candidates)
    search = _Search(motif, match, candidates, rng, _limit(motif, tests))
    everywhere = null_pools(candidates)
    for place, null_pool in enumerate(everywhere):
        progress(f"{model}: shuffling kernels", 0.1 + 0.8 * place / len(everywhere))
        search.test(null_pool)
    targets = search.targets(model)
    progress(f"{model}: searched", 1.0)
    return Findings(
        motif=motif,
        model=model,
        seed=seed,
        tested=tested,
        tests=tests,
        not_tested=not_tested,
        counts={"hits": int(sum(item.hits.sum() for item in candidates))},
        controls={"shuffled": tuple({"hits": count} for count in search.shuffled.tolist())},
        targets=targets,
        weights=case_weights(targets, connections, model),
        seconds=time.perf_counter() - started,
    )


def _limit(motif: KernelPairMotif, tests: int) -> int:
    """Return the draws after which the least p, alone among all tests, is below the rate."""
    return motif.draws or max(LEAST_DRAWS, ceil(tests / motif.fdr) + 1)


class _Search:
    """The tests of one model, array by array."""

    def __init__(
        self,
        motif: KernelPairMotif,
        match: Match,
        candidates: Sequence[Candidates],
        rng: np.random.Generator,
        limit: int,
    ) -> None:
        self.motif, self.match, self.candidates = motif, match, candidates
        self.rng, self.limit = rng, limit
        self.p = [np.ones(len(item.place)) for item in candidates]
        self.nulls: dict[tuple[int, int], list[Null]] = {}
        self.null_pool: dict[int, NullPool] = {}
        self.shuffled = np.zeros(SHUFFLES, np.int64)

    def test(self, null_pool: NullPool) -> None:
        """Test the units of a pool, and count what its kernels give when they are shuffled."""
        for index in null_pool.members:
            self.null_pool[index] = null_pool
            item = self.candidates[index]
            # A unit without a matching pair has p = 1, whatever the null.
            (hit,) = np.nonzero(item.hits)
            if len(hit):
                self._among_all_units(index, hit, null_pool)
                # The larger p decides, so one above the rate needs no second null.
                self._among_own_inputs(index, hit[self.p[index][hit] <= self.motif.fdr])
        self._shuffle(null_pool)

    def _among_all_units(self, index: int, hit: NDArray[np.intp], null_pool: NullPool) -> None:
        item = self.candidates[index]
        null = among_all_units(
            item.hits[hit],
            null_pool.vectors,
            null_pool.images,
            item.k,
            match=self.match,
            limit=self.limit,
            rng=self.rng,
        )
        method = f"as many of the strongest inputs of all units of {null_pool.of}, dealt at random"
        self._keep(index, hit, method, null)

    def _among_own_inputs(self, index: int, hit: NDArray[np.intp]) -> None:
        item = self.candidates[index]
        count = item.inputs.count[item.place[hit]]
        for inputs in np.unique(count[count >= item.k + LEAST_OTHERS]).tolist():
            for part in blocks(int((count == inputs).sum()), inputs * inputs):
                units = hit[count == inputs][part]
                start = item.inputs.start[item.place[units]]
                kernels = item.inputs.kernels(start[:, None] + np.arange(inputs), item.rings)
                vectors, images = with_images(kernels, self.motif.of)
                null = among_own_inputs(
                    item.hits[units],
                    vectors,
                    images,
                    item.k,
                    match=self.match,
                    limit=self.limit,
                    rng=self.rng,
                )
                method = "as many of all inputs of the same unit, dealt at random"
                self._keep(index, units, method, null)

    def _keep(self, index: int, units: NDArray[np.intp], method: str, null: Draws) -> None:
        for unit, p, mean, draws in zip(
            units.tolist(), null.p.tolist(), null.mean.tolist(), null.draws.tolist(), strict=True
        ):
            self.nulls.setdefault((index, unit), []).append(Null(method, p, mean, draws))
            self.p[index][unit] = max(figures.p for figures in self.nulls[index, unit])

    def _shuffle(self, null_pool: NullPool) -> None:
        """Shuffle a pool's kernels among its slots, and count matching pairs."""
        sizes = [self.candidates[index].edges.shape for index in null_pool.members]
        slots = sum(units * k for units, k in sizes)
        for shuffle in range(SHUFFLES):
            order, start = self.rng.permutation(len(null_pool.vectors))[:slots], 0
            for units, k in sizes:
                drawn = order[start : start + units * k].reshape(units, k)
                start += units * k
                self.shuffled[shuffle] += count_matches(
                    null_pool.vectors[drawn], null_pool.images[drawn], self.match
                ).sum()

    def targets(self, model: str) -> tuple[FoundTarget, ...]:
        """Return every target with a matching pair, smallest q first."""
        from scipy.stats import false_discovery_control

        sizes = [len(p) for p in self.p]
        if not sizes:
            return ()
        q = np.split(false_discovery_control(np.concatenate(self.p)), np.cumsum(sizes)[:-1])
        found: list[FoundTarget] = []
        for (index, unit), nulls in self.nulls.items():
            item = self.candidates[index]
            layer, number = item.inputs.target, int(item.inputs.unit[item.place[unit]])
            passed = q[index][unit] < self.motif.fdr
            found.append(
                FoundTarget(
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
        found.sort(key=lambda test: (test.q, test.p, -test.hits, test.target))
        return tuple(found)

    def _circuits(self, model: str, index: int, unit: int) -> tuple[FoundCircuit, ...]:
        return matching_pairs(
            self.candidates[index],
            unit,
            self.null_pool[index],
            model=model,
            motif=self.motif,
            match=self.match,
            rng=self.rng,
        )
