"""The two sides of a target's circuits: which cases belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


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
