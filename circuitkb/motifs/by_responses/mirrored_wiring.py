"""Two units of a layer that a transform relates, and whether it relates their wiring as well.

What units answer decides which pairs are asked: U on the images of the stimuli answers as V does.
Then the weights of U from inputs that the transform changes are laid beside the weights of V from
the images of these inputs. Two nulls, the larger p counts:

- *exchanged*: V, and then U, gives way to every unit of the layer that is not the other's image.
  This keeps what weights of the layer have in common.
- *permuted*: the partners of the inputs are permuted. This keeps both units.

Memory: the responses in single precision, and for one layer at a time two matrices of its units,
and its weights from asymmetric inputs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, Rows, couples
from circuitkb.motifs.by_responses.input_masses import usable
from circuitkb.motifs.by_responses.related_wiring import Related, Wiring, partners, related
from circuitkb.motifs.by_responses.stability import DELETIONS, draw_kept
from circuitkb.motifs.group_findings import FoundGroup, GroupFindings, Member
from circuitkb.motifs.members import weights_between
from circuitkb.motifs.mirrored_targets import INPUT, MirroredWiring
from circuitkb.observation.kept import images_under
from circuitkb.observation.measures.nulls import corrected
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import Responses

FEW = "fewer than {} inputs that have a mirrored partner"
BEYOND = 0.05
"""p up to which a pair is a hit."""

REPETITIONS = 20
"""Times that the other unit of every pair is exchanged, as a control of the whole model."""

Doubles = NDArray[np.float64]


def find_in_model(
    connections: Sequence[Connection],
    responses: Responses,
    motif: MirroredWiring,
    *,
    model: str,
    seed: int | None = None,
    progress: Progress = silent,
) -> GroupFindings:
    """Search an observed model for mirrored targets with mirrored wiring, with both nulls.

    Parameters
    ----------
    connections, responses
        All kernels of the model, and what its units answer.
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
    first, second = couples(
        images_under(responses, motif.of.name), len(responses.stimuli), motif.of.name
    )
    coupled = CoupledResponses.of(responses.after, responses.rows, first, second)
    shuffled = CoupledResponses.of(responses.shuffled_after, responses.rows, first, second)
    mirrored = {name: related(coupled, motif, name) for name in coupled.layers}
    partner = partners(coupled, mirrored.values())
    layers, too_few = [], 0
    for place, name in enumerate(coupled.layers):
        progress(f"{model}: comparing units and their wiring", 0.9 * place / len(coupled.layers))
        pairs = mirrored[name]
        into = usable([one for one in connections if one.target == name], coupled)
        some = len(pairs.one) > 0
        wiring = Wiring.of(into, coupled, mirrored, partner, name, motif) if some else None
        told = pairs if wiring is None else pairs.where(wiring.told)
        too_few += len(pairs.one) - (0 if wiring is None else len(told.one))
        if wiring is not None and len(told.one):
            chance = len(related(shuffled, motif, name).one)
            layers.append(_Layer.of(name, told, wiring, motif, rng, chance))
    p = np.concatenate([np.empty(0), *(layer.p for layer in layers)])
    q = corrected(p)
    groups = _groups(layers, q, coupled, motif, model, connections, rng)
    edges = [edge for _, edge in groups]
    weights = weights_between((ends for edge in edges for ends in edge), connections, model)
    progress(f"{model}: searched", 1.0)
    found = tuple(sorted((group for group, _ in groups), key=lambda one: (one.q, -one.value)))
    return GroupFindings(
        motif=motif,
        model=model,
        seed=seed,
        battery=responses.battery,
        tested=len(p),
        tests=len(p),
        not_tested={FEW.format(motif.least): too_few} if too_few else {},
        counts={"hits": int((p <= BEYOND).sum()), "pairs": len(p)},
        controls={
            "exchanged": tuple(
                {"hits": sum(int(layer.exchanged[draw]) for layer in layers)}
                for draw in range(REPETITIONS)
            ),
            "shuffled": ({"pairs": sum(layer.shuffled for layer in layers)},),
        },
        weights=weights,
        groups=found,
        layers=_by_layer(layers, q, motif.fdr),
        seconds=time.perf_counter() - started,
    )


class _Layer(NamedTuple):
    """The pairs of one layer with their wiring, and what both nulls give."""

    name: str
    pairs: Related
    wiring: Wiring
    value: Doubles
    p: Doubles
    null_mean: Doubles
    null_count: Rows
    exchanged: Rows
    shuffled: int

    @classmethod
    def of(
        cls,
        name: str,
        pairs: Related,
        wiring: Wiring,
        motif: MirroredWiring,
        rng: np.random.Generator,
        shuffled: int,
    ) -> _Layer:
        held = wiring.told[wiring.rows]
        place = np.full(len(wiring.told), -1, np.intp)
        place[wiring.rows] = np.arange(len(wiring.rows))
        one, other = place[pairs.one], place[pairs.other]
        every = wiring.correlations()
        value = every[one, other].astype(np.float64)
        images = np.zeros(every.shape, bool)
        images[one, other] = images[other, one] = True
        np.fill_diagonal(images, True)
        instead = held & ~images
        p, mean, count = np.ones(len(one)), np.zeros(len(one)), np.zeros(len(one), np.intp)
        exchanged = np.zeros(REPETITIONS, np.intp)
        for pair, ends in enumerate(zip(one.tolist(), other.tolist(), strict=True)):
            null = np.concatenate([every[end][instead[end]] for end in ends])
            if not len(null):
                continue
            p[pair] = (1 + (null >= value[pair]).sum()) / (1 + len(null))
            mean[pair], count[pair] = null.mean(), len(null)
            drawn = null[rng.integers(0, len(null), REPETITIONS)]
            ranks = (1 + (null >= drawn[:, None]).sum(axis=1)) / (1 + len(null))
            exchanged += ranks <= BEYOND
        mixed = _permuted(wiring, one, other, value, motif.draws, rng)
        worse = mixed > p
        mean, count = np.where(worse, 0.0, mean), np.where(worse, motif.draws, count)
        return cls(
            name, pairs, wiring, value, np.maximum(p, mixed), mean, count, exchanged, shuffled
        )


def _permuted(
    wiring: Wiring, one: Rows, other: Rows, value: Doubles, draws: int, rng: np.random.Generator
) -> Doubles:
    """Return how often permuted partners of the inputs give each pair as much."""
    own, image = wiring.own, wiring.mirrored
    above = np.zeros(len(one), np.intp)
    size = own.shape[1]
    # Products of every input of the one with every partner of the other, once for each pair.
    products = np.einsum("psk,ptk->pst", own[one], image[other], optimize=True)
    products += np.einsum("psk,ptk->pst", own[other], image[one], optimize=True)
    places = np.arange(size)
    for _ in range(draws):
        above += products[:, places, rng.permutation(size)].sum(axis=1) / 2 >= value - 1e-6
    found: Doubles = (1 + above) / (1 + draws)
    return found


def _by_layer(
    layers: Sequence[_Layer], q: Doubles, fdr: float
) -> Mapping[str, Mapping[str, float]]:
    found, start = {}, 0
    for layer in layers:
        own = q[start : start + len(layer.p)]
        start += len(own)
        found[layer.name] = {
            "pairs": len(own),
            "hits": int((layer.p <= BEYOND).sum()),
            "found": int((own <= fdr).sum()),
            "exchanged": round(float(layer.exchanged.mean()), 2),
            "shuffled_pairs": layer.shuffled,
            "inputs": len(layer.wiring.sources),
            "wiring": round(float(np.median(layer.value)), 4),
            "wiring_null": round(float(layer.null_mean.mean()), 4),
        }
    return found


def _groups(
    layers: Sequence[_Layer],
    q: Doubles,
    coupled: CoupledResponses,
    motif: MirroredWiring,
    model: str,
    connections: Sequence[Connection],
    rng: np.random.Generator,
) -> list[tuple[FoundGroup, list[tuple[str, str]]]]:
    """Return the circuits that passed, each with its edges."""
    kept = draw_kept(coupled.even.shape[1], DELETIONS, rng)
    sides = np.ones(len(coupled.even[0]), np.float32)
    found, start = [], 0
    for layer in layers:
        passed = np.flatnonzero(q[start : start + len(layer.p)] <= motif.fdr)
        stable = _stability(coupled, motif, layer.pairs, passed, kept)
        for pair, stays in zip(passed.tolist(), stable.tolist(), strict=True):
            one, other = int(layer.pairs.one[pair]), int(layer.pairs.other[pair])
            score = coupled.side_score(np.array([one, other]), sides)
            if score[1] < score[0]:
                one, other = other, one
            members, edges = _members(layer.wiring, coupled, motif, model, one, other)
            corr_image = float(layer.pairs.corr_image[pair])
            figures = {
                "mirrored": round(corr_image, 4),
                "same": round(float(layer.pairs.corr[pair]), 4),
                "wiring": round(float(layer.value[pair]), 4),
                "inputs": len(layer.wiring.sources),
            }
            group = FoundGroup(
                members,
                corr_image,
                float(layer.value[pair]),
                float(layer.null_mean[pair]),
                int(layer.null_count[pair]),
                float(layer.p[pair]),
                float(q[start + pair]),
                figures,
                layer.name,
                stays,
            )
            found.append((group, edges))
        start += len(layer.p)
    return found


def _members(
    wiring: Wiring, coupled: CoupledResponses, motif: MirroredWiring, model: str, one: int, two: int
) -> tuple[tuple[Member, ...], list[tuple[str, str]]]:
    """Return both targets, and of all mirrored inputs those that excite them most, the one each."""

    def feature(row: int) -> str:
        return str(FeatureId(model, *coupled.unit_of(row)))

    gain = [wiring.gain[np.searchsorted(wiring.rows, row)] for row in (one, two)]
    sides = [feature(one), feature(two)]
    members = [Member(name, motif.target, side) for side, name in enumerate(sides, start=1)]
    both = np.minimum(*(own[end] for own, end in zip(gain, wiring.ends, strict=True)))
    edges: list[tuple[str, str]] = []
    used = {one, two}
    for pair in np.argsort(-both, kind="stable").tolist():
        if len(edges) >= 2 * motif.named or both[pair] <= 0:
            break
        places = wiring.ends[:, pair].tolist()
        rows = [int(wiring.sources[place]) for place in places]
        if used.isdisjoint(rows):
            used.update(rows)
            for side, (place, row) in enumerate(zip(places, rows, strict=True), start=1):
                weight = float(gain[side - 1][place] / coupled.spread[row])
                members.append(Member(feature(row), INPUT, side, weight))
                edges.append((feature(row), sides[side - 1]))
    return tuple(members), edges


def _stability(
    coupled: CoupledResponses, motif: MirroredWiring, pairs: Related, chosen: Rows, kept: Rows
) -> Doubles:
    """Return how often the responses relate each chosen pair without a tenth of the stimuli."""
    one, other = pairs.one[chosen], pairs.other[chosen]
    parts = [coupled.even[one], coupled.odd[one], coupled.even[other], coupled.odd[other]]
    stays = np.zeros(len(chosen))
    for first in kept:
        even, odd, even_2, odd_2 = (part[:, first].astype(np.float64) for part in parts)
        even = even - even.mean(axis=1, keepdims=True)
        even_2 = even_2 - even_2.mean(axis=1, keepdims=True)
        length = np.sqrt((even**2 + odd**2).sum(axis=1) * (even_2**2 + odd_2**2).sum(axis=1))
        shared, opposed = (even * even_2).sum(axis=1), (odd * odd_2).sum(axis=1)
        scale = np.where(length > 0, length, 1)
        stays += motif.corr_image((shared - opposed) / scale)
        stays -= motif.corr_image((shared - opposed) / scale) & ~motif.corr(
            (shared + opposed) / scale
        )
    found: Doubles = stays / len(kept)
    return found
