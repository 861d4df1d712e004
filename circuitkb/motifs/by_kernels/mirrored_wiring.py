"""Two units of a layer whose kernels are mirror images of one another's, by kernels alone.

The statistic of a pair is the sum of the mirrored correlations of matching kernels, each kernel
counted once: the smaller of the sums over U's kernels and over V's. Two nulls, the larger p counts:

- *dealt*: as many of the strongest kernels of all units of the layer (of the model where the layer
  has few) instead of one unit's. Asked of either unit, where there are kernels enough to deal.
- *moved*: the same kernels, each shifted around its grid, turned and mirrored at random. A pair of
  smooth blobs matches after many of these, a pair that only the mirror relates after few.

Memory: the strongest kernels of one layer, and the matches of one unit with all of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.composition.summaries import kernel_statistics
from circuitkb.motifs.by_kernels.inputs import LayerInputs, layer_inputs
from circuitkb.motifs.by_kernels.similarity import standardise
from circuitkb.motifs.group_findings import FoundGroup, GroupFindings, Member
from circuitkb.motifs.members import weights_between
from circuitkb.motifs.mirrored_targets import INPUT, MirroredKernels
from circuitkb.observation.measures.nulls import corrected
from circuitkb.observation.stimuli.symmetry import SYMMETRIES
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.progress import Progress, silent

NO_EXTENT = "their kernels have a single place on the axis of the mirror"
FEW = "fewer than two inputs have positive weight"
LEAST_KERNELS = 20
"""Kernels of other units from which they can be dealt."""

LEAST_MATCHES = 2
"""Matching kernels of a hit: a single one is a pair of kernels, no wiring."""

LEAST_DRAWS = 10_000
MOST_DRAWS = 200_000
"""Draws of either null: the first stops after ``LEAST_DRAWS`` where they tell enough."""

BATCH = 2_000
"""Draws that are made at once."""

ENOUGH = 50
"""Draws as good as the best partner's kernels after which no more are made."""

SHUFFLES = 20
"""Times that all kernels are dealt anew among the units, as a control of the whole model."""

Doubles = NDArray[np.float64]
Rows = NDArray[np.intp]


def find_in_model(
    connections: Sequence[Connection],
    responses: object,
    motif: MirroredKernels,
    *,
    model: str,
    seed: int | None = None,
    progress: Progress = silent,
) -> GroupFindings:
    """Search all kernels of a model, observed or not, for mirrored targets, with both nulls.

    Parameters
    ----------
    connections
        All kernels of the model.
    responses
        Not read.
    motif, model
        What to look for, and the model's name, for the ids.
    seed
        Seed of the draws instead of the motif's own. The same seed gives the same findings.
    progress
        Called with how far the search is.
    """
    started = time.perf_counter()
    seed = motif.seed if seed is None else seed
    rng = np.random.default_rng(seed)
    spatial = [one for one in connections if motif.of.changes(*one.kernel.shape[3:])]
    units = [
        unit for inputs in layer_inputs(spatial) for unit in _layers(inputs, motif) if len(unit.k)
    ]
    told = {(layer.inputs.target, unit) for layer in units for unit in layer.unit.tolist()}
    every = {(c.target, unit) for c in connections for unit in np.unique(c.target_units).tolist()}
    reach = {(c.target, unit) for c in spatial for unit in np.unique(c.target_units).tolist()}
    reasons = {NO_EXTENT: len(every - reach), FEW: len(reach - told)}
    tests = sum(len(layer.k) for layer in units)
    limit = motif.draws or MOST_DRAWS
    for place, layer in enumerate(units):
        progress(f"{model}: comparing units by their kernels", 0.9 * place / len(units))
        layer.test(_pool(layer, units), limit, rng)
    for layer, (pair, q) in zip(units, _best(units), strict=True):
        # The larger p decides, so a pair that fails already needs no second null.
        layer.move(np.unique(pair[q <= motif.fdr]), min(limit, LEAST_DRAWS), rng)
    groups: list[FoundGroup] = []
    edges: list[tuple[str, str]] = []
    layers: dict[str, dict[str, float]] = {}
    for layer, (pair, q) in zip(units, _best(units), strict=True):
        passed = {
            one: float(q[pair == one].min())
            for one in np.unique(pair[q <= motif.fdr]).tolist()
            if layer.matches[one] >= LEAST_MATCHES
        }
        for one, least in passed.items():
            group, ends = layer.group(one, least, motif, model)
            groups.append(group)
            edges += ends
        before = layers.get(layer.inputs.target, {})
        counts = {
            "pairs": len(layer.p),
            "hits": int((layer.matches >= LEAST_MATCHES).sum()),
            "found": len(passed),
            "dealt": round(float(layer.dealt.mean()), 2),
        }
        layers[layer.inputs.target] = {
            name: before.get(name, 0) + count for name, count in counts.items()
        }
    progress(f"{model}: searched", 1.0)
    return GroupFindings(
        motif=motif,
        model=model,
        seed=seed,
        tested=tests,
        tests=tests,
        not_tested={reason: count for reason, count in reasons.items() if count},
        counts={
            "hits": sum(int((layer.matches >= LEAST_MATCHES).sum()) for layer in units),
            "pairs": sum(len(layer.p) for layer in units),
        },
        controls={
            "dealt": tuple(
                {"hits": sum(int(layer.dealt[draw]) for layer in units)} for draw in range(SHUFFLES)
            )
        },
        weights=weights_between(edges, connections, model),
        groups=tuple(sorted(groups, key=lambda one: (one.q, -one.value))),
        layers=layers,
        seconds=time.perf_counter() - started,
    )


def _best(units: Sequence[_Layer]) -> list[tuple[Rows, Doubles]]:
    """Return for each unit of each layer its best pair, and its q over all units of the model.

    Of a unit with n partners the best one counts, at 1 - (1 - p) ** n.
    """
    pairs = [layer.best() for layer in units]
    p = [layer.of_units(pair) for layer, pair in zip(units, pairs, strict=True)]
    q = corrected(np.concatenate([np.empty(0), *p]))
    stops = np.cumsum([len(own) for own in p])
    return list(zip(pairs, np.split(q, stops[:-1]), strict=True)) if units else []


@dataclass(eq=False)
class _Layer:
    """Units of one layer with kernels on one grid, and what was found out about their pairs.

    ``kernels`` has the axes (unit, input, row, column), zeros after the ``k`` of each unit; ``one``
    and ``other`` are places of units, each pair once.
    """

    inputs: LayerInputs
    motif: MirroredKernels
    unit: Rows
    edges: Rows
    k: Rows
    kernels: Floats

    def __post_init__(self) -> None:
        self.vectors = standardise(self.kernels)
        self.images = standardise(self.motif.of.apply(self.kernels))
        self.one, self.other = np.triu_indices(len(self.k), 1)
        size = len(self.one)
        self.value, self.matches = np.zeros(size), np.zeros(size, np.intp)
        self.p, self.null_mean = np.ones(size), np.zeros(size)
        self.null_count = np.zeros(size, np.intp)
        self.dealt = np.zeros(SHUFFLES, np.intp)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the kernels."""
        rows, columns = self.kernels.shape[2:]
        return rows, columns

    def strongest(self) -> tuple[Floats, Floats]:
        """Return all kernels and their images, axes (kernel, place)."""
        held = np.arange(self.kernels.shape[1]) < self.k[:, None]
        return self.vectors[held], self.images[held]

    def matched(self, unit: int, vectors: Floats) -> Floats:
        """Return the mirrored correlations of a unit's kernels with others, 0 where none match."""
        k = self.k[unit]
        return _matched(self.images[unit, :k], self.vectors[unit, :k], vectors, self.motif)

    def test(self, pool: tuple[Floats, int], limit: int, rng: np.random.Generator) -> None:
        """Compare all pairs, and deal kernels of the pool instead of either unit's."""
        units, width = self.vectors.shape[:2]
        flat = self.vectors.reshape(units * width, -1)
        order = [rng.permutation(units * width) for _ in range(SHUFFLES)]
        worst = np.zeros(len(self.one))
        deals = _Deals(pool[1], limit, rng)
        for unit in range(units):
            match = self.matched(unit, flat).reshape(-1, units, width)
            value, matches = _sums(match)
            pairs = np.flatnonzero((self.one == unit) | (self.other == unit))
            others = np.where(self.one[pairs] == unit, self.other[pairs], self.one[pairs])
            upper = self.one[pairs] == unit
            self.value[pairs[upper]] = value[others[upper]]
            self.matches[pairs[upper]] = matches[others[upper]]
            for draw, mixed in enumerate(order):
                drawn = match.reshape(-1, units * width)[:, mixed].reshape(-1, units, width)
                self.dealt[draw] += (_sums(drawn)[1][unit + 1 :] >= LEAST_MATCHES).sum()
            some = matches[others] >= 1
            if pool[1] < LEAST_KERNELS or not some.any():
                continue
            among = self.matched(unit, pool[0])
            for k in np.unique(self.k[others[some]]).tolist():
                here = pairs[some & (self.k[others] == k)]
                best = float(self._values(here, unit, value).max())
                null = deals.sums(among, k, best)
                reached = len(null) - np.searchsorted(null, self._values(here, unit, value) - 1e-6)
                chance = (1 + reached) / (1 + len(null))
                worse = chance > worst[here]
                worst[here] = np.where(worse, chance, worst[here])
                self.null_mean[here[worse]] = null.mean()
                self.null_count[here[worse]] = len(null)
        # Without a pool the other null alone decides; without a match the p is 1.
        some = self.matches >= 1
        self.p[some] = worst[some] if pool[1] >= LEAST_KERNELS else 0.0

    def best(self) -> Rows:
        """Return for each unit the pair with its best partner: least p, then largest value."""
        place = np.empty(len(self.p), np.intp)
        place[np.lexsort((-self.value, self.p))] = np.arange(len(self.p))
        units = np.arange(len(self.k))[:, None]
        held = np.where((self.one == units) | (self.other == units), place, len(self.p))
        found: Rows = held.argmin(axis=1)
        return found

    def of_units(self, pairs: Rows) -> Doubles:
        """Return the p of units with their best pairs, as the best of all their partners."""
        found: Doubles = -np.expm1(
            (len(self.k) - 1) * np.log1p(-np.minimum(self.p[pairs], 1 - 1e-12))
        )
        return found

    def _values(self, pairs: Rows, unit: int, value: Doubles) -> Doubles:
        others = np.where(self.one[pairs] == unit, self.other[pairs], self.one[pairs])
        return value[others]

    def move(self, pairs: Rows, limit: int, rng: np.random.Generator) -> None:
        """Shift, turn and mirror one unit's kernels at random, and ask how often they match."""
        for pair in pairs.tolist():
            unit, other = int(self.one[pair]), int(self.other[pair])
            own = self.kernels[other, : self.k[other]]
            moved = standardise(_moved(own)).reshape(len(own), -1, self.vectors.shape[2])
            match = self.matched(unit, moved.reshape(-1, moved.shape[2]))
            match = match.reshape(-1, len(own), moved.shape[1])
            drawn = rng.integers(0, moved.shape[1], (limit, len(own)))
            sums = np.concatenate(
                [
                    _sums(match[:, np.arange(len(own)), part])[0]
                    for part in np.array_split(drawn, max(1, limit // 2000))
                ]
            )
            p = (1 + (sums >= self.value[pair] - 1e-6).sum()) / (1 + limit)
            if p >= self.p[pair]:
                self.p[pair], self.null_mean[pair] = p, sums.mean()
                self.null_count[pair] = limit

    def group(
        self, pair: int, q: float, motif: MirroredKernels, model: str
    ) -> tuple[FoundGroup, list[tuple[str, str]]]:
        """Return a pair that passed as a circuit, and its edges."""
        ends = int(self.one[pair]), int(self.other[pair])
        match = self.matched(ends[0], self.vectors[ends[1], : self.k[ends[1]]])
        pairs = _one_to_one(match)
        lean = [
            float(kernel_statistics(self.kernels[end, place])[motif.of.across])
            for end, place in zip(ends, pairs[0], strict=True)
        ]
        turned = lean[1] < lean[0]
        sides = {ends[0]: 2 if turned else 1, ends[1]: 1 if turned else 2}
        layer = self.inputs.target
        names = {end: str(FeatureId(model, layer, int(self.unit[end]))) for end in ends}
        members = [Member(names[end], motif.target, sides[end]) for end in ends]
        edges: list[tuple[str, str]] = []
        said: dict[str, None] = {}
        matched = []
        for own, theirs in pairs:
            sources = [self._source(ends[0], own, model), self._source(ends[1], theirs, model)]
            matched.append(
                {
                    "inputs": sources,
                    "mirrored": round(float(match[own, theirs]), 4),
                    "same": round(
                        float(self.vectors[ends[0], own] @ self.vectors[ends[1], theirs]), 4
                    ),
                }
            )
            for end, source in zip(ends, sources, strict=True):
                edges.append((source, names[end]))
                if source not in said:
                    said[source] = None
                    # An input that feeds both is on neither side.
                    side = sides[end] if sources[0] != sources[1] else None
                    members.append(Member(source, INPUT, side))
        figures: dict[str, Any] = {"kernels": matched, "grid": list(self.grid)}
        group = FoundGroup(
            tuple(sorted(members, key=lambda one: (one.role != motif.target, one.side or 3))),
            float(np.mean([match[place] for place in pairs])),
            float(self.value[pair]),
            float(self.null_mean[pair]),
            int(self.null_count[pair]),
            float(self.p[pair]),
            q,
            figures,
            layer,
        )
        return group, edges

    def _source(self, unit: int, place: int, model: str) -> str:
        edge = self.edges[unit, place]
        source = self.inputs.connections[self.inputs.connection[edge]].source
        return str(FeatureId(model, source, int(self.inputs.source[edge])))


def _layers(inputs: LayerInputs, motif: MirroredKernels) -> list[_Layer]:
    """Return the units of a layer's inputs, by the empty rings around their kernels."""
    strongest = inputs.strongest(share=motif.share, at_least=motif.at_least)
    rows, columns = inputs.grid
    found = []
    for rings in np.unique(inputs.rings).tolist():
        place = np.flatnonzero((inputs.rings == rings) & (strongest >= 2))
        if len(place) < 2 or not motif.of.changes(rows - 2 * rings, columns - 2 * rings):
            continue
        k = strongest[place]
        width = np.arange(int(k.max()))
        edges = inputs.start[place, None] + np.minimum(width, k[:, None] - 1)
        kernels = inputs.kernels(edges, rings) * (width < k[:, None])[..., None, None]
        found.append(_Layer(inputs, motif, inputs.unit[place].astype(np.intp), edges, k, kernels))
    return found


def _pool(layer: _Layer, units: Sequence[_Layer]) -> tuple[Floats, int]:
    """Return what is dealt: the layer's strongest kernels, or the model's where they are few."""
    own, _ = layer.strongest()
    if len(own) < LEAST_KERNELS:
        own = np.concatenate([one.strongest()[0] for one in units if one.grid == layer.grid])
    return own, len(own)


def _matched(images: Floats, plain: Floats, vectors: Floats, motif: MirroredKernels) -> Floats:
    across, same = images @ vectors.T, plain @ vectors.T
    return np.where((across > motif.mirrored) & (same < motif.same), across, 0).astype(np.float32)


def _sums(match: Floats) -> tuple[Doubles, Rows]:
    """Return the sum and the number of matches, each kernel once; axes (own, set, kernel)."""
    own, theirs = match.max(axis=2), match.max(axis=0)
    value = np.minimum(own.sum(axis=0), theirs.sum(axis=1)).astype(np.float64)
    count = np.minimum((own > 0).sum(axis=0), (theirs > 0).sum(axis=1))
    return value, count


class _Deals:
    """Sets of kernels of a pool, without repetition in a set: the same ones for all units."""

    def __init__(self, size: int, limit: int, rng: np.random.Generator) -> None:
        self.size, self.limit, self.rng = size, limit, rng
        self.made: dict[int, list[Rows]] = {}

    def _batch(self, k: int, place: int) -> Rows:
        made = self.made.setdefault(k, [])
        if place == len(made):
            mixed = self.rng.random((BATCH, self.size))
            made.append(mixed.argpartition(min(k, self.size - 1), axis=1)[:, :k])
        return made[place]

    def sums(self, match: Floats, k: int, best: float) -> Doubles:
        """Return in order the sums of sets of ``k``; fewer where many are as good as ``best``."""
        found: list[Doubles] = []
        reached = 0
        while (draws := BATCH * len(found)) < self.limit and (
            draws < LEAST_DRAWS or reached < ENOUGH
        ):
            found.append(_sums(match[:, self._batch(k, len(found))])[0])
            reached += int((found[-1] >= best - 1e-6).sum())
        return np.sort(np.concatenate(found))


def _moved(kernels: Floats) -> Floats:
    """Return kernels turned, mirrored and shifted around their grid; axes (kernel, way, ...)."""
    rows, columns = kernels.shape[1:]
    turned = [
        by.apply(kernels) for by in SYMMETRIES.values() if rows == columns or not by.transposes
    ]
    return np.stack(
        [
            np.roll(one, (down, right), axis=(1, 2))
            for one in turned
            for down in range(rows)
            for right in range(columns)
        ],
        axis=1,
    )


def _one_to_one(match: Floats) -> list[tuple[int, int]]:
    """Return which kernels match which, each at most once, best first."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-match)
    pairs = [(int(a), int(b)) for a, b in zip(rows, columns, strict=True) if match[a, b] > 0]
    return sorted(pairs, key=lambda place: -match[place])
