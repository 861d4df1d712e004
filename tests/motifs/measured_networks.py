"""Small networks of random weights with made-up answers, and a search of them by plain loops.

Units that are each other's mirror image, units whose answers are invariant, and weights are made
independently, so that nothing but chance (or planting) brings them together. Run as a program it
counts the networks without unions in which something is found; ``docs/discovery.md`` shows them:

    python -m tests.motifs.measured_networks RUNS
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from itertools import combinations, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.find import find_by_responses
from circuitkb.motifs.pairs import PairMotif
from circuitkb.motifs.union import Union
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses

Array = NDArray[Any]

STILL = 3
"""Stimuli at the end of the battery that are their own mirror images."""


def mirror_of(couples: int) -> Array:
    """Return a permutation in which 2n and 2n + 1 are a couple, and the last ones stay."""
    return np.concatenate([np.arange(2 * couples) ^ 1, 2 * couples + np.arange(STILL)])


def answers_of_pairs(rng: np.random.Generator, units: int, couples: int, error: float) -> Array:
    """Return answers of which units 2n and 2n + 1 are noisy mirror images of each other."""
    image = mirror_of(couples)
    one = rng.normal(size=(units // 2, len(image))).clip(0) ** 2
    both = np.stack([one, one[:, image]], axis=1).reshape(-1, len(image))
    return (both + error * rng.normal(size=both.shape)).clip(0)


def answers_to_pairs(
    rng: np.random.Generator, sources: Array, units: int, couples: int, error: float
) -> tuple[Array, Array]:
    """Return answers that each unite one of the pairs, and which pair that is."""
    pair = rng.integers(0, len(sources) // 2, units)
    whole = sources[2 * pair] + sources[2 * pair + 1]
    even = whole + whole[:, mirror_of(couples)]
    return even + error * rng.normal(size=even.shape), pair


def responses_of(layers: dict[str, Array], shuffled: dict[str, Array] | None = None) -> Responses:
    """Return answers of layers as responses; the shuffled network's are the same unless given."""
    after = np.concatenate(list(layers.values())).astype(np.float32)
    null = np.concatenate(list((shuffled or layers).values())).astype(np.float32)
    stimuli = tuple(f"stimulus {place}" for place in range(after.shape[1]))
    sizes = tuple((name, len(own)) for name, own in layers.items())
    return Responses("toy 1", stimuli, sizes, after, after, null, null, {})


def dense(
    kernels: Array, key: str = "c0", source: str = "a", target: str = "b", path: Any = "direct"
) -> Connection:
    """Return kernels with axes (target, source, row, column), or (target, source), as one group."""
    if kernels.ndim == 2:
        kernels = kernels[:, :, None, None]
    units = (np.arange(size, dtype=np.int32)[None] for size in kernels.shape[:2])
    return Connection(key, source, target, path, *units, kernels[None].astype(np.float32))


Hit = tuple[str, int, tuple[str, int], tuple[str, int]]
"""Target layer and unit, and the two inputs in the order of their roles."""


class NaiveSearch:
    """The criteria, one target and one pair at a time, in double precision.

    ``hits`` gives for each hit its ranks; ``tested`` lists the targets that could be tested.
    """

    def __init__(
        self,
        connections: Sequence[Connection],
        responses: Responses,
        image: Array,
        motif: PairMotif,
    ) -> None:
        self.connections, self.responses, self.motif = connections, responses, motif
        first = [s for s in range(len(image)) if s < image[s]]
        self.stimuli = np.array([*first, *(image[s] for s in first)])
        self.image = image
        # Plain loops ask for the same figures again and again.
        self.spread = cache(self._spread)
        self.silent = cache(self._silent)
        self.correlation = cache(self._correlation)
        self.tested: list[tuple[str, int]] = []
        self.hits: dict[Hit, tuple[int, int]] = {}
        for layer in dict.fromkeys(c.target for c in connections):
            units = {int(u) for c in connections if c.target == layer for u in c.target_units.flat}
            for unit in sorted(units):
                self._target(layer, unit)

    def answers(self, layer: str, unit: int, stimuli: Array | None = None) -> Array:
        row = self.responses.rows[layer].start + unit
        found: Array = self.responses.after[row].astype(float)
        return found[self.stimuli if stimuli is None else stimuli]

    def turned(self, layer: str, unit: int) -> Array:
        return self.answers(layer, unit, self.image[self.stimuli])

    def _spread(self, layer: str, unit: int) -> float:
        return float(self.answers(layer, unit).std())

    def _silent(self, layer: str, unit: int) -> bool:
        size = dict(self.responses.layers)[layer]
        squares = [self.spread(layer, other) ** 2 for other in range(size)]
        return self.spread(layer, unit) <= 0.05 * np.sqrt(np.mean(squares))

    def _correlation(self, one: tuple[str, int], other: tuple[str, int], turned: bool) -> float:
        left = self.turned(*one) if turned else self.answers(*one)
        return float(np.corrcoef(left, self.answers(*other))[0, 1])

    def masses(self, layer: str, unit: int) -> dict[tuple[str, int], dict[str, float]]:
        found: dict[tuple[str, int], dict[str, float]] = {}
        for c in self.connections:
            if c.target != layer or c.source == "input":
                continue
            for group, row in zip(*np.nonzero(c.target_units == unit), strict=True):
                for column, source in enumerate(c.source_units[group].tolist()):
                    kernel = c.kernel[group, row, column].astype(float)
                    if not kernel.any() or self.silent(c.source, source):
                        continue
                    own = found.setdefault((c.source, source), {"excites": 0.0, "inhibits": 0.0})
                    own["excites"] += kernel.clip(min=0).sum()
                    own["inhibits"] -= kernel.clip(max=0).sum()
        return found

    def _target(self, layer: str, unit: int) -> None:
        motif = self.motif
        inputs = self.masses(layer, unit)
        if self.silent(layer, unit) or len(inputs) < 10:
            return
        self.tested.append((layer, unit))
        own = self.answers(layer, unit)
        if not within(motif.invariance, self.correlation((layer, unit), (layer, unit), True)):
            return
        count = max(motif.at_least, int(motif.share * len(inputs)))
        fitting: list[dict[tuple[str, int], int]] = []
        for role in motif.roles:
            strength = {name: mass[role.sign] * self.spread(*name) for name, mass in inputs.items()}
            fitting.append({})
            for source, value in strength.items():
                rank = 1 + sum(more > value for more in strength.values())
                z = (top_mean(self.answers(*source), own) - own.mean()) / own.std()
                if value > 0 and rank <= count and within(role.response, z):
                    fitting[-1][source] = rank
        order = permutations if motif.ordered else combinations
        for one, other in order(inputs, 2):
            if (
                one in fitting[0]
                and other in fitting[1]
                and within(motif.corr, self.correlation(one, other, False))
                and within(motif.corr_image, self.correlation(one, other, True))
            ):
                self.hits[layer, unit, one, other] = fitting[0][one], fitting[1][other]


def top_mean(source: Array, target: Array) -> float:
    """Return the target's mean answer to the source's top ten; those that tie share a place."""
    total, places = 0.0, 10
    for value in sorted(set(source.tolist()), reverse=True):
        alike = target[source == value]
        taken = min(places, len(alike))
        total += taken * alike.mean()
        places -= taken
    return total / 10


def within(between: Any, value: float) -> bool:
    return bool(between.low < value < between.high)


KINDS = ("independent", "loud pairs", "clusters", "layers")


def null_network(
    rng: np.random.Generator,
    kind: str,
    *,
    sources: int = 120,
    targets: int = 240,
    couples: int = 24,
) -> tuple[list[Connection], Responses]:
    """Return a network whose targets unite pairs in their answers, and whose weights do not.

    ``independent``: weights of one spread. ``loud pairs``: paired units answer more than others.
    ``clusters``: targets come in groups of 12 with the same weights and nearly the same answers,
    so that hits do too. ``layers``: two source layers, of which one has the larger weights.
    """
    pairs = answers_of_pairs(rng, sources // 2, couples, 0.1)
    image = mirror_of(couples)
    others = rng.normal(size=(sources // 2, len(image))).clip(0) ** 2
    own = np.concatenate([pairs, others])
    groups = targets // 12 if kind == "clusters" else targets
    whole, _ = answers_to_pairs(rng, pairs, groups, couples, 0.2)
    weights = rng.normal(size=(groups, sources))
    if kind == "clusters":
        whole = np.repeat(whole, 12, axis=0) + 0.05 * rng.normal(size=(targets, len(image)))
        weights = np.repeat(weights, 12, axis=0)
    if kind == "loud pairs":
        own[: sources // 2] *= 2
    if kind != "layers":
        return [dense(weights)], responses_of({"a": own, "b": whole})
    far = answers_of_pairs(rng, sources // 2, couples, 0.1)
    weak = 0.4 * rng.normal(size=(groups, len(far)))
    layers = {"far": far, "a": own, "b": whole}
    return [dense(weights), dense(weak, "c1", "far")], responses_of(layers)


def plant(
    rng: np.random.Generator, weights: Array, sources: Array, targets: Array, chosen: Sequence[int]
) -> dict[int, frozenset[int]]:
    """Let some targets unite a pair: two strong weights, and answers to both, unlike any other.

    Sources 2n and 2n + 1 are pairs. ``weights`` and ``targets`` are changed in place.
    """
    truth = {}
    for target in chosen:
        one = 2 * int(rng.integers(0, len(sources) // 2))
        weights[target, [one, one + 1]] = 1.5 * np.abs(weights).max()
        targets[target] = sources[one] + sources[one + 1]
        truth[target] = frozenset((one, one + 1))
    return truth


def main(runs: int) -> None:
    motif = Union(share=0.1).by_responses()
    for kind in KINDS:
        some, hits, permuted = 0, 0, 0.0
        for seed in range(runs):
            connections, responses = null_network(np.random.default_rng(1000 + seed), kind)
            image = mirror_of((len(responses.stimuli) - STILL) // 2)
            found = find_by_responses(connections, responses, image, motif, model="m", seed=seed)
            some += bool(found.found)
            hits += found.hits
            permuted += found.figures()["permuted_hits_mean"]
        print(  # noqa: T201
            f"{kind:12} {some} of {runs} runs find something; "
            f"{hits / runs:.2f} hits a run, {permuted / runs:.2f} with permuted weights"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]))
