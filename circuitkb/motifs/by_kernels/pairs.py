"""The circuits of a unit that passed: its matching pairs, one by one, and their edges."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circuitkb.loaders.composition.summaries import edges_between, kernel_statistics
from circuitkb.motifs.by_kernels.candidates import Candidates, Pool
from circuitkb.motifs.by_kernels.findings import Case, UnionCircuit, UnionTest
from circuitkb.motifs.by_kernels.sides import two_sides
from circuitkb.motifs.by_kernels.similarity import Match, blocks, similarities, standardise
from circuitkb.motifs.transforms import Transform
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.tables import relation_schema

_PAIRS = 1_000_000
"""Random pairs that are enough to tell how well chance pairs match."""


def matching_pairs(
    item: Candidates,
    unit: int,
    pool: Pool,
    *,
    model: str,
    transform: Transform,
    match: Match,
    fdr: float,
    rng: np.random.Generator,
) -> tuple[UnionCircuit, ...]:
    """Return the matching pairs of one unit that chance pairs rarely equal, best first.

    A unit that passed as a whole may hold a chance pair too. Each pair is compared with random
    pairs of the pool, at the same false discovery rate over all pairs of the unit.

    Parameters
    ----------
    item, unit
        The unit's set of candidates, and its place there.
    pool
        What chance deals from.
    """
    from scipy.stats import false_discovery_control

    vectors, turned = item.vectors[unit], item.turned[unit]
    across, plain = similarities(vectors, turned)
    one, other = np.triu_indices(item.k, 1)
    matched = match(vectors, turned)[one, other]
    p = np.ones(len(one))
    p[matched] = _chance(pool, across[one, other][matched], match, rng)
    q = false_discovery_control(p)
    kept = np.flatnonzero(matched & (q < fdr)).tolist()
    if not kept:
        return ()
    inputs, edges = item.inputs, item.edges[unit]
    lean = kernel_statistics(inputs.kernels(edges))[transform.across].tolist()
    features = [
        str(FeatureId(model, inputs.connections[connection].source, source))
        for connection, source in zip(
            inputs.connection[edges].tolist(), inputs.source[edges].tolist(), strict=True
        )
    ]
    place = {feature: index for index, feature in enumerate(features)}
    pairs = {(features[one[i]], features[other[i]]): i for i in kept}
    sides = two_sides(list(pairs), dict(zip(features, lean, strict=True)))
    found = []
    for pair, i in pairs.items():
        first, second = (
            _case(item, int(edges[place[feature]]), feature, side)
            for side, feature in enumerate(sides[pair], start=1)
        )
        ends = one[i], other[i]
        figures = float(across[ends]), float(plain[ends]), float(p[i]), float(q[i])
        found.append(UnionCircuit((first, second), *figures))
    return tuple(sorted(found, key=lambda circuit: -circuit.mirrored))


def _case(item: Candidates, edge: int, feature: str, side: int) -> Case:
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
    return Case(feature, side, float(inputs.positive[edge]), connection.key, tuple(parallel))


def _chance(
    pool: Pool, values: Floats, match: Match, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return for each correlation how often two kernels of the pool match at least as well."""
    size = len(pool.vectors)
    if size * (size - 1) // 2 <= _PAIRS:
        one, other = np.triu_indices(size, 1)
    else:
        one, step = rng.integers(0, size, _PAIRS), rng.integers(1, size, _PAIRS)
        other = (one + step) % size
    found = []
    for part in blocks(len(one), 4 * pool.vectors.shape[1]):
        a, b = pool.vectors[one[part], None], pool.vectors[other[part], None]
        across = np.einsum("ijk,ijk->i", pool.turned[one[part], None], b)
        plain = np.einsum("ijk,ijk->i", a, b)
        found.append(across[match.holds(across, plain)])
    chance = np.sort(np.concatenate(found))
    # Rounding must not make a pair of the pool better than itself.
    above = len(chance) - np.searchsorted(chance, values - 1e-6)
    return np.asarray(np.minimum(1.0, (1 + above) / (1 + len(one))))


def case_weights(
    tests: Iterable[UnionTest], connections: Sequence[Connection], model: str
) -> pa.Table:
    """Return the ``WEIGHT`` rows from all cases to their unions, kept by the graph or not."""
    edges: dict[str, dict[tuple[int, int], None]] = {}
    for test in tests:
        target = FeatureId.parse(test.target).unit
        for circuit in test.circuits:
            for case in circuit.cases:
                source = FeatureId.parse(case.feature).unit
                edges.setdefault(case.connection, {})[source, target] = None
    return weight_rows(edges, connections, model)


def weight_rows(
    edges: Mapping[str, Collection[tuple[int, int]]], connections: Sequence[Connection], model: str
) -> pa.Table:
    """Return the ``WEIGHT`` rows of edges, given by connection as (source unit, target unit)."""
    tables = [relation_schema("WEIGHT").empty_table()]
    for connection in connections:
        if not edges.get(connection.key):
            continue
        sources, targets = zip(*edges[connection.key], strict=True)
        # Published kernels have the scale of their figure, and are ranked within it.
        ranked = [connection] if connection.origin else connections
        tables.append(edges_between(ranked, connection.key, sources, targets, model=model))
    return pa.concat_tables(tables)
