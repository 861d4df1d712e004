"""The circuits of a unit that passed: its matching pairs, one by one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.composition.summaries import kernel_statistics
from circuitkb.motifs.by_kernels.candidates import Candidates, NullPool
from circuitkb.motifs.by_kernels.similarity import Match, blocks, similarities, standardise
from circuitkb.motifs.findings import Case, FoundCircuit
from circuitkb.motifs.members import two_sides
from circuitkb.motifs.pairs import KernelPairMotif
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Floats

_PAIRS = 1_000_000
"""Random pairs that are enough to tell how well chance pairs match."""


def matching_pairs(
    item: Candidates,
    unit: int,
    null_pool: NullPool,
    *,
    model: str,
    motif: KernelPairMotif,
    match: Match,
    rng: np.random.Generator,
) -> tuple[FoundCircuit, ...]:
    """Return the matching pairs of one unit that chance pairs rarely equal, best first.

    A unit that passed as a whole may hold a chance pair too. Each pair is compared with random
    pairs of the pool, at the same false discovery rate over all pairs of the unit.

    Parameters
    ----------
    item, unit
        The unit's set of candidates, and its place there.
    null_pool
        What chance draws from.
    """
    from scipy.stats import false_discovery_control

    vectors, images = item.vectors[unit], item.images[unit]
    across, plain = similarities(vectors, images)
    one, other = np.triu_indices(item.k, 1)
    matched = match(vectors, images)[one, other]
    p = np.ones(len(one))
    p[matched] = _chance(null_pool, across[one, other][matched], match, rng)
    q = false_discovery_control(p)
    kept = np.flatnonzero(matched & (q < motif.fdr)).tolist()
    if not kept:
        return ()
    inputs, edges = item.inputs, item.edges[unit]
    side_score = kernel_statistics(inputs.kernels(edges))[motif.of.across].tolist()
    features = [
        str(FeatureId(model, inputs.connections[connection].source, source))
        for connection, source in zip(
            inputs.connection[edges].tolist(), inputs.source[edges].tolist(), strict=True
        )
    ]
    place = {feature: index for index, feature in enumerate(features)}
    pairs = {(features[one[i]], features[other[i]]): i for i in kept}
    sides = two_sides(list(pairs), dict(zip(features, side_score, strict=True)))
    found = []
    for pair, i in pairs.items():
        first, second = (
            _case(item, int(edges[place[feature]]), feature, motif.roles[side - 1].name, side)
            for side, feature in enumerate(sides[pair], start=1)
        )
        ends = one[i], other[i]
        corr_image, corr = float(across[ends]), float(plain[ends])
        found.append(
            FoundCircuit((first, second), corr_image, corr, float(q[i]), {"p": float(p[i])})
        )
    return tuple(sorted(found, key=lambda circuit: -circuit.corr_image))


def _case(item: Candidates, edge: int, feature: str, role: str, side: int) -> Case:
    inputs = item.inputs
    connection = inputs.connections[inputs.connection[edge]]
    row, column = int(inputs.row[edge]), int(inputs.column[edge])
    target = int(connection.target_units.ravel()[row])
    source = int(connection.source_units[row // connection.target_units.shape[1], column])
    own = standardise(inputs.kernels(np.array(edge)))
    parallel = []
    for more in inputs.connections:
        if more is not connection and more.source == connection.source:
            kernel = more.find(source, target)
            if kernel is not None:
                parallel.append((more.key, round(float(standardise(kernel) @ own), 6)))
    return Case(
        feature,
        role,
        side,
        float(inputs.positive[edge]),
        connection=connection.key,
        parallel=tuple(parallel),
    )


def _chance(
    null_pool: NullPool, values: Floats, match: Match, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return for each correlation how often two kernels of the pool match at least as well."""
    size = len(null_pool.vectors)
    if size * (size - 1) // 2 <= _PAIRS:
        one, other = np.triu_indices(size, 1)
    else:
        one, step = rng.integers(0, size, _PAIRS), rng.integers(1, size, _PAIRS)
        other = (one + step) % size
    found = []
    for part in blocks(len(one), 4 * null_pool.vectors.shape[1]):
        a, b = null_pool.vectors[one[part], None], null_pool.vectors[other[part], None]
        across = np.einsum("ijk,ijk->i", null_pool.images[one[part], None], b)
        plain = np.einsum("ijk,ijk->i", a, b)
        found.append(across[match.holds(across, plain)])
    chance = np.sort(np.concatenate(found))
    # Rounding must not make a pair of the pool better than itself.
    above = len(chance) - np.searchsorted(chance, values - 1e-6)
    return np.asarray(np.minimum(1.0, (1 + above) / (1 + len(one))))
