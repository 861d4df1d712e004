"""The members of found circuits: on which side each case stands, and the edges to the target."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import pyarrow as pa

from circuitkb.loaders.composition.summaries import edges_between
from circuitkb.motifs.findings import FoundTarget
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection
from circuitkb.schema.tables import relation_schema


def two_sides(
    pairs: Sequence[tuple[str, str]], side_score: Mapping[str, float]
) -> dict[tuple[str, str], tuple[str, str]]:
    """Return each pair as (case of side 1, case of side 2).

    Cases that are mirror images stand on different sides: within each connected set of pairs the
    graph is coloured with two colours, and the side whose positive mass lies further left (or
    up) on average is side 1. Where no such colouring exists, since three cases are each other's
    mirror images, each pair is split by the place of its own mass.

    Parameters
    ----------
    pairs
        Mirrored cases.
    side_score
        For each case, where its positive mass lies across the mirror's axis.

    Examples
    --------
    >>> side_score = {"a": -0.3, "b": -0.5, "c": 0.4, "d": 0.35}
    >>> two_sides([("a", "c"), ("d", "a"), ("b", "d")], side_score)
    {('a', 'c'): ('a', 'c'), ('d', 'a'): ('a', 'd'), ('b', 'd'): ('b', 'd')}
    >>> triangle = [("a", "c"), ("c", "b"), ("a", "b")]
    >>> two_sides(triangle, side_score)
    {('a', 'c'): ('a', 'c'), ('c', 'b'): ('b', 'c'), ('a', 'b'): ('b', 'a')}
    """
    import networkx as nx

    graph = nx.Graph(pairs)
    first: dict[str, bool] = {}
    for part in map(graph.subgraph, nx.connected_components(graph)):
        if not nx.is_bipartite(part):
            continue
        one, other = nx.bipartite.sets(part)
        mean = [sum(side_score[case] for case in side) / len(side) for side in (one, other)]
        if (mean[1], min(other)) < (mean[0], min(one)):
            one, other = other, one
        first |= dict.fromkeys(one, True) | dict.fromkeys(other, False)

    def order(a: str, b: str) -> tuple[str, str]:
        swap = not first[a] if a in first else (side_score[b], b) < (side_score[a], a)
        return (b, a) if swap else (a, b)

    return {pair: order(*pair) for pair in pairs}


def case_weights(
    targets: Iterable[FoundTarget], connections: Sequence[Connection], model: str
) -> pa.Table:
    """Return the ``WEIGHT`` rows from all cases to their targets, kept by the graph or not."""
    edges: dict[str, dict[tuple[int, int], None]] = {}
    for found in targets:
        target = FeatureId.parse(found.target)
        for case in found.cases.values():
            source = FeatureId.parse(case.feature)
            ends = source.layer, target.layer
            for connection in connections:
                # By responses no kernel is chosen: all that join the two are written.
                if connection.key == case.connection or (
                    case.connection is None and (connection.source, connection.target) == ends
                ):
                    edges.setdefault(connection.key, {})[source.unit, target.unit] = None
    return _weight_rows(edges, connections, model)


def weights_between(
    ends: Iterable[tuple[str, str]], connections: Sequence[Connection], model: str
) -> pa.Table:
    """Return the ``WEIGHT`` rows of edges given by feature ids, kept by the graph or not."""
    edges: dict[str, dict[tuple[int, int], None]] = {}
    for one, other in ends:
        source, target = FeatureId.parse(one), FeatureId.parse(other)
        for connection in connections:
            if (connection.source, connection.target) == (source.layer, target.layer):
                edges.setdefault(connection.key, {})[source.unit, target.unit] = None
    return _weight_rows(edges, connections, model)


def _weight_rows(
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
