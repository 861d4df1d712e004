"""What several networks have: sets that are analogous two by two, beside what chance gives.

A set has one feature (or circuit) of each of three networks or more, and every two of them are
analogous. Sets that are merely *joined*, one match leading to the next, are counted too: chance
joins as many, so they say no more than the pairs do. ``docs/matching.md`` has the nulls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from circuitkb.matching.responses import Rows
from circuitkb.results.match_reports import FEWEST

DRAWS = 99


@dataclass(frozen=True, slots=True)
class Analogous:
    """Two things of two networks that are analogous, where they stand, and their score."""

    one: str
    other: str
    networks: tuple[str, str]
    layers: tuple[str, str]
    score: float


@dataclass(frozen=True, slots=True)
class Count:
    """Sets of at least so many networks that hold a thing of one network, beside both nulls.

    Attributes
    ----------
    network, at_least
        The network, and how many there are in a set, its own counted.
    found
        Such sets.
    shuffled
        The same with the weights of this network shuffled; None where that was not kept.
    exchanged, exchanged_max
        The same, mean and most, where the partners of this network are exchanged within its layers,
        for each other network anew.
    p
        Share of these draws that give as many, counting what is.
    q
        Share of such sets that the null explains: the larger null's.
    """

    network: str
    at_least: int
    found: int
    shuffled: int | None
    exchanged: float
    exchanged_max: int
    p: float
    q: float

    @property
    def null_mean(self) -> float:
        """What the null gives that gives more."""
        return max(self.exchanged, self.shuffled or 0)


@dataclass(frozen=True, eq=False)
class Several:
    """What is in several networks.

    Attributes
    ----------
    networks
        All that were compared, by name.
    pairs
        How many things are analogous, two by two networks.
    sets
        Those of three networks or more, largest first; each a thing of each network.
    shared
        For each choice of networks how many sets are of exactly these, most first.
    joined, split
        For each number of networks, sets of at least so many that matches join, and those among
        them that have several things of one network.
    joined_exchanged
        The first where the partners of every network are exchanged: the mean.
    counts
        For each network and number of networks, the sets with their nulls.
    draws, seed
        Of the exchanged partners.
    """

    networks: tuple[str, ...]
    pairs: int
    sets: tuple[tuple[str, ...], ...]
    shared: Mapping[tuple[str, ...], int]
    joined: Mapping[int, int]
    split: Mapping[int, int]
    joined_exchanged: Mapping[int, float]
    counts: tuple[Count, ...]
    draws: int
    seed: int

    @property
    def sizes(self) -> dict[int, int]:
        """For each number of networks, the sets of at least so many."""
        return _at_least([len(found) for found in self.sets], len(self.networks))

    @cached_property
    def largest(self) -> dict[tuple[str, str], int]:
        """Networks in the largest set that both of two things are in; those of no set are not."""
        sizes: dict[tuple[str, str], int] = {}
        for found in self.sets:  # largest first
            for pair in combinations(sorted(found), 2):
                sizes.setdefault(pair, len(found))
        return sizes


def in_several(
    analogous: Iterable[Analogous],
    networks: Sequence[str],
    *,
    shuffled: Mapping[str, Iterable[Analogous] | None],
    draws: int = DRAWS,
    seed: int = 0,
) -> Several:
    """Return which things of networks are analogous two by two, and what chance gives.

    Parameters
    ----------
    analogous
        The pairs found, of any two of the networks. A thing has one partner in a network: where
        there are two (networks matched both ways round), the best scores count.
    networks
        The networks, by name.
    shuffled
        For each network, what is analogous to its copy with shuffled weights (whose things may
        have names of its own); None where that is not known.
    draws, seed
        How often partners are exchanged, and the seed of that.

    Examples
    --------
    >>> def pair(*ids):
    ...     return Analogous(*ids, networks=tuple(i[0] for i in ids), layers=("x", "x"), score=0.9)
    >>> names = ["a1-b1", "b1-c1", "a1-c1", "a2-b2", "b2-c2"]
    >>> given = [pair(*name.split("-")) for name in names]
    >>> found = in_several(given, "abc", shuffled={})
    >>> found.sets, found.joined
    ((('a1', 'b1', 'c1'),), {3: 2})
    """
    given = list(analogous)
    graph = _Graph.of(given, networks)
    sets = sorted(graph.sets(), key=lambda found: (-len(found), found))
    shared = Counter(
        tuple(networks[number] for number in np.sort(graph.network[list(found)])) for found in sets
    )
    counts: list[Count] = []
    for number, network in enumerate(networks):
        own = [len(found) for found in sets if number in graph.network[list(found)]]
        exchanged = [
            _at_least(graph.exchanged((number,), [seed, number, turn]).sizes(number), len(networks))
            for turn in range(draws if own else 0)
        ]
        counts += _counts(
            network,
            _at_least(own, len(networks)),
            exchanged,
            _with_shuffled(given, networks, network, shuffled.get(network)),
        )
    joined, split = graph.joined()
    everywhere = [
        graph.exchanged(range(len(networks)), [seed, len(networks), turn]).joined()[0]
        for turn in range(draws)
    ]
    return Several(
        networks=tuple(networks),
        pairs=graph.pairs.shape[1],
        sets=tuple(tuple(graph.names[thing] for thing in found) for found in sets),
        shared=dict(shared.most_common()),
        joined=joined,
        split=split,
        joined_exchanged={
            size: float(np.mean([one[size] for one in everywhere])) if everywhere else 0.0
            for size in joined
        },
        counts=tuple(counts),
        draws=draws,
        seed=seed,
    )


def _counts(
    network: str,
    found: Mapping[int, int],
    exchanged: Sequence[Mapping[int, int]],
    shuffled: Mapping[int, int] | None,
) -> list[Count]:
    rows = []
    for size, count in found.items():
        draws = [one[size] for one in exchanged] or [0]
        copy = None if shuffled is None else shuffled[size]
        # As for pairs: one more than chance gave, for as many as were found.
        chance = max(1 / len(draws) + float(np.mean(draws)), 0 if copy is None else 1 + copy)
        rows.append(
            Count(
                network=network,
                at_least=size,
                found=count,
                shuffled=copy,
                exchanged=float(np.mean(draws)),
                exchanged_max=max(draws),
                p=(1 + sum(one >= count for one in draws)) / (1 + len(draws)) if count else 1.0,
                q=min(1.0, chance / count) if count else 1.0,
            )
        )
    return rows


def _with_shuffled(
    analogous: Iterable[Analogous],
    networks: Sequence[str],
    network: str,
    shuffled: Iterable[Analogous] | None,
) -> dict[int, int] | None:
    """Return the sets that a network with shuffled weights is in, in its own place."""
    if shuffled is None:
        return None
    kept = [pair for pair in analogous if network not in pair.networks]
    graph = _Graph.of([*kept, *shuffled], networks)
    return _at_least(graph.sizes(networks.index(network)), len(networks))


def _at_least(sizes: Iterable[int], networks: int) -> dict[int, int]:
    """Return for each number of networks how many sets have at least so many."""
    given = np.fromiter(sizes, np.intp)
    return {size: int(np.count_nonzero(given >= size)) for size in range(FEWEST, networks + 1)}


@dataclass(frozen=True, eq=False)
class _Graph:
    """Things by number: their names, networks and layers, and the pairs that are analogous.

    ``pairs`` has the axes (end, pair); a thing has one partner in a network at most.
    """

    names: Sequence[str]
    network: Rows
    layer: Rows
    pairs: Rows
    networks: int

    @classmethod
    def of(cls, analogous: Sequence[Analogous], networks: Sequence[str]) -> _Graph:
        """Return the graph of some pairs, each thing with its best partner in each network."""
        number = {name: place for place, name in enumerate(networks)}
        things: dict[str, int] = {}
        network, layers = [], []
        pairs = np.zeros((2, len(analogous)), np.intp)
        # The best is written last, and stays.
        for place, pair in enumerate(sorted(analogous, key=lambda one: one.score)):
            for end, name in enumerate((pair.one, pair.other)):
                if name not in things:
                    things[name] = len(things)
                    network.append(number[pair.networks[end]])
                    layers.append((pair.networks[end], pair.layers[end]))
                pairs[end, place] = things[name]
        layer = {name: place for place, name in enumerate(dict.fromkeys(layers))}
        graph = cls(
            list(things),
            np.array(network, np.intp),
            np.array([layer[name] for name in layers], np.intp),
            pairs,
            len(networks),
        )
        return graph._with(graph._both_ways())

    def _with(self, pairs: Rows) -> _Graph:
        return _Graph(self.names, self.network, self.layer, pairs, self.networks)

    def _both_ways(self) -> Rows:
        """Return the pairs of which each is the other's last partner, each once."""
        one, other = self.pairs
        table = self._partners
        both = (table[one, self.network[other]] == other) & (table[other, self.network[one]] == one)
        kept: Rows = np.unique(np.sort(self.pairs[:, both], axis=0), axis=1)
        return kept

    @cached_property
    def _partners(self) -> Rows:
        """The partner of each thing in each network; -1 where there is none."""
        table = np.full((len(self.names), self.networks), -1, np.intp)
        one, other = self.pairs
        table[one, self.network[other]] = other
        table[other, self.network[one]] = one
        return table

    def _triangles(self, through: int | None) -> Rows:
        """Return threes that are analogous two by two, axes (member, three)."""
        table = self._partners
        found = [np.zeros((3, 0), np.intp)]
        for first, second in combinations(range(self.networks), 2):
            # Each three once: from its thing of the given network, or of the first.
            apex = self.network == through if through is not None else self.network < first
            thing = np.flatnonzero(apex & (table[:, first] >= 0) & (table[:, second] >= 0))
            thing = thing[table[table[thing, first], second] == table[thing, second]]
            found.append(np.stack([thing, table[thing, first], table[thing, second]]))
        return np.concatenate(found, axis=1)

    def sets(self, through: int | None = None) -> list[tuple[int, ...]]:
        """Return the largest sets that are analogous two by two, or those with one network."""
        import networkx as nx

        threes = self._triangles(through)
        graph: nx.Graph[int] = nx.Graph()
        for one, other in combinations(range(3), 2):
            graph.add_edges_from(threes[[one, other]].T.tolist())
        found = (tuple(sorted(clique)) for clique in nx.find_cliques(graph))
        return [
            clique
            for clique in found
            if len(clique) >= FEWEST and (through is None or through in self.network[list(clique)])
        ]

    def sizes(self, through: int) -> list[int]:
        """Return how many networks are in each set that holds a thing of one network."""
        return [len(found) for found in self.sets(through)]

    def joined(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return the sets that matches join, of at least so many networks, and those split."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        things = len(self.names)
        one, other = self.pairs
        links = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(things, things))
        _, part = connected_components(links, directed=False)
        held = np.unique(part * self.networks + self.network) // self.networks
        networks, members = np.bincount(held, minlength=1), np.bincount(part, minlength=1)
        several = networks >= FEWEST
        return (
            _at_least(networks[several], self.networks),
            _at_least(networks[several & (members > networks)], self.networks),
        )

    def exchanged(self, numbers: Iterable[int], seed: Sequence[int]) -> _Graph:
        """Return the graph with partners of some networks exchanged, each within its layer.

        For each other network anew: a pair keeps its layers, and leads to another unit.
        """
        rng = np.random.default_rng(seed)
        pairs = self.pairs.copy()
        for number in numbers:
            at = self.network[pairs] == number
            own = np.where(at[0], pairs[0], pairs[1])
            theirs = np.where(at[0], pairs[1], pairs[0])
            here = np.flatnonzero(at.any(axis=0))
            group = self.layer[own[here]] * self.networks + self.network[theirs[here]]
            places = np.argsort(group, kind="stable")
            drawn = np.lexsort((rng.random(len(here)), group))
            exchanged = own.copy()
            exchanged[here[places]] = own[here[drawn]]
            pairs[:, here] = np.stack([exchanged[here], theirs[here]])
        return self._with(pairs)
