"""The search for a motif of measured responses over all edges of a model, layer by layer.

For each pair of source layers, both correlations of all units are two matrix products; for each
target layer, the strongest inputs are one partition of a matrix of masses. Loops run over layers.

Memory: the responses in single precision, the masses of those targets that passed on their own
(invariance and number of inputs), and for one layer at a time a few matrices of its targets and
sources and two of its source layers' pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_kernels.similarity import blocks
from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, Rows
from circuitkb.motifs.by_responses.input_masses import (
    LEAST_INPUTS,
    InputMasses,
    most_inputs,
    read_masses,
    usable,
)
from circuitkb.motifs.motif import Sign
from circuitkb.motifs.pairs import PairMotif
from circuitkb.schema.kernels import Connection, Floats, by_target
from circuitkb.schema.progress import Progress, silent

NEVER = "never answered to the battery"
WEAKLY = "answered too weakly to be measured"
FEW = f"fewer than {LEAST_INPUTS} inputs that answer"
UNSEEN = "their layer was not observed"

_Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of units: rows of both, corr(one transformed, other), corr(one, other)."""

    one: Rows
    other: Rows
    corr_image: Floats
    corr: Floats

    def __len__(self) -> int:
        return len(self.one)

    def take(self, chosen: NDArray[Any]) -> Pairs:
        """Return some of them."""
        return Pairs(*(getattr(self, name)[chosen] for name in _PAIR))

    @classmethod
    def join(cls, parts: Sequence[Pairs]) -> Pairs:
        """Return all of them in one."""
        measured = ("corr_image", "corr")
        columns = {
            name: _concatenate([getattr(part, name) for part in parts], name in measured)
            for name in _PAIR
        }
        return cls(**columns)


_PAIR = ("one", "other", "corr_image", "corr")


@dataclass(frozen=True, eq=False)
class Hits:
    """Pairs at targets that fulfil every criterion; one value for each hit.

    Attributes
    ----------
    target, one, other
        Rows of the three units.
    corr_image, corr
        Of the pair.
    rank_one, rank_other
        Places among the target's inputs by strength, from 1.
    inputs
        How many inputs the target has.
    response_one, response_other
        How the target responds to what either input responds to most.
    """

    target: Rows
    one: Rows
    other: Rows
    corr_image: Floats
    corr: Floats
    rank_one: Rows
    rank_other: Rows
    inputs: Rows
    response_one: Floats
    response_other: Floats

    def __len__(self) -> int:
        return len(self.target)

    def take(self, chosen: NDArray[Any]) -> Hits:
        """Return some of them."""
        return Hits(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @property
    def score(self) -> NDArray[np.float64]:
        """Place of the weaker input among the target's inputs, as a share; smaller is better."""
        return np.maximum(self.rank_one, self.rank_other) / np.maximum(1, self.inputs)

    @classmethod
    def join(cls, parts: Sequence[Hits]) -> Hits:
        """Return all of them in one."""
        measured = ("corr_image", "corr", "response_one", "response_other")
        columns = {
            name: _concatenate([getattr(part, name) for part in parts], name in measured)
            for name in cls.__dataclass_fields__
        }
        return cls(**columns)


class Found(NamedTuple):
    """Hits, and for each the place of its target and of its pair among those that were tried."""

    hits: Hits
    place: Rows
    pair: Rows


def _concatenate(arrays: Sequence[NDArray[Any]], measured: bool) -> NDArray[Any]:
    """Return figures or rows in one array, whose type is right even where there are none."""
    return np.concatenate([np.empty(0, np.float32 if measured else np.intp), *arrays])


@dataclass(frozen=True, eq=False)
class LayerSearch:
    """One target layer, ready to be searched, as it is or with its masses permuted.

    Attributes
    ----------
    inputs
        Of those targets that passed on their own.
    spread
        Of each source.
    strongest
        For each target, how many inputs count as strongest.
    """

    motif: PairMotif
    inputs: InputMasses
    spread: Floats
    strongest: Rows

    def columns(self, rows: Rows) -> Rows:
        """Return the places of units, given as rows, among the sources."""
        order = np.argsort(self.inputs.sources)
        found: Rows = order[np.searchsorted(self.inputs.sources, rows, sorter=order)]
        return found

    def strengths(self, targets: Rows, order: Rows | None = None) -> dict[Sign, Floats]:
        """Return mass times spread, axes (target, source), by sign.

        ``order``, of the same axes, says which mass takes each place.
        """
        found: dict[Sign, Floats] = {}
        for sign, mass in self.inputs.mass.items():
            own = mass[targets]
            found[sign] = (own if order is None else np.take_along_axis(own, order, 1)) * (
                self.spread
            )
        return found

    def find(
        self, responses: CoupledResponses, pairs: Pairs, targets: Rows, order: Rows | None = None
    ) -> Found:
        """Return the hits among these pairs at these targets.

        Parameters
        ----------
        responses
            Of the whole model.
        pairs
            Of sources of this layer, in the order of the roles.
        targets
            Places in ``inputs.targets``; one may stand there often.
        order
            As for :meth:`strengths`; axes (place in ``targets``, source).
        """
        ends = self.columns(pairs.one), self.columns(pairs.other)
        used, place = np.unique(np.concatenate(ends), return_inverse=True)
        one, other = np.split(place, 2)
        own, back = np.unique(targets, return_inverse=True)
        response = responses.response_to(self.inputs.targets[own], self.inputs.sources[used])
        strengths = self.strengths(targets, order)
        both = []
        for role, end in zip(self.motif.roles, (one, other), strict=True):
            strength = strengths[role.sign]
            least = kth_largest(strength, self.strongest[targets])
            here = strength[:, used]
            fits = (here >= least[:, None]) & (here > 0) & role.response(response)[back]
            both.append((fits, end))
        target, pair = _both(*both[0], *both[1])
        ranks = [
            _rank(strengths[role.sign], target, end[pair])
            for role, end in zip(self.motif.roles, ends, strict=True)
        ]
        held = targets[target]
        hits = Hits(
            self.inputs.targets[held],
            pairs.one[pair],
            pairs.other[pair],
            pairs.corr_image[pair],
            pairs.corr[pair],
            ranks[0],
            ranks[1],
            self.inputs.count[held],
            response[back[target], one[pair]],
            response[back[target], other[pair]],
        )
        return Found(hits, target, pair)


def kth_largest(strength: Floats, k: Rows) -> Floats:
    """Return the k-th largest value of each row, with a k for each."""
    if not len(k):
        return np.empty(0, np.float32)
    place = strength.shape[1] - k
    parted = np.partition(strength, np.unique(place), axis=1)
    found: Floats = parted[np.arange(len(k)), place]
    return found


def _both(fits: _Flags, one: Rows, too: _Flags, other: Rows) -> tuple[Rows, Rows]:
    """Return targets and pairs of which both ends fit, by target, then by pair."""
    found = [(np.empty(0, np.intp), np.empty(0, np.intp))]
    for part in blocks(len(fits), len(one)):
        target, pair = np.nonzero(fits[part][:, one] & too[part][:, other])
        found.append((target + part.start, pair))
    targets, pairs = zip(*found, strict=True)
    return np.concatenate(targets), np.concatenate(pairs)


def _rank(strength: Floats, target: Rows, column: Rows) -> Rows:
    found = np.empty(len(target), np.intp)
    for part in blocks(len(target), strength.shape[1]):
        own = strength[target[part], column[part]]
        found[part] = 1 + (strength[target[part]] > own[:, None]).sum(axis=1)
    return found


class PairFinder:
    """Pairs that a motif's transform relates, by pair of layers; each block is compared once."""

    def __init__(self, motif: PairMotif, responses: CoupledResponses) -> None:
        self.motif, self.responses = motif, responses
        self._found: dict[tuple[str, str], Pairs] = {}

    def block(self, one: str, other: str) -> tuple[Rows, Rows, Floats, Floats]:
        """Return both layers' units and the two correlations of all pairs, each pair once."""
        mine, theirs = self.responses.measurable_rows(one), self.responses.measurable_rows(other)
        corr_image, corr = self.responses.compare(mine, theirs)
        if one == other:
            # A pair and its reverse are one, and no unit is its own partner.
            corr_image[np.tril_indices(len(mine))] = np.nan
        return mine, theirs, corr_image, corr

    def between(self, one: str, other: str) -> Pairs:
        """Return the related pairs of two layers; the first unit of each pair is of ``one``."""
        if (one, other) not in self._found:
            mine, theirs, corr_image, corr = self.block(one, other)
            place = np.nonzero(self.motif.corr_image(corr_image) & self.motif.corr(corr))
            self._found[one, other] = Pairs(
                mine[place[0]], theirs[place[1]], corr_image[place], corr[place]
            )
        return self._found[one, other]

    def of(self, layer: LayerSearch) -> dict[tuple[str, str], Pairs]:
        """Return the pairs that some target of a layer may have as inputs, by block."""
        names = _layers(self.responses.layers, layer.inputs.sources)
        found = {}
        for place, one in enumerate(names):
            for other in names[place:]:
                pairs = self.between(one, other)
                chosen = feed_together(layer, pairs)
                if chosen.any():
                    found[one, other] = pairs.take(chosen)
        return found


def both_ways(pairs: Pairs, motif: PairMotif) -> Pairs:
    """Return the pairs in the order of the roles: reversed ones too, where the roles differ."""
    if not motif.ordered:
        return pairs
    return Pairs.join([pairs, Pairs(pairs.other, pairs.one, pairs.corr_image, pairs.corr)])


def feed_together(layer: LayerSearch, pairs: Pairs) -> _Flags:
    """Return which pairs have a common target: in a grouped layer only those of one group do."""
    edge = layer.inputs.edge
    if edge.all():
        return np.ones(len(pairs), bool)
    found = np.zeros(len(pairs), bool)
    one, other = layer.columns(pairs.one), layer.columns(pairs.other)
    for part in blocks(len(pairs), len(edge)):
        found[part] = (edge[:, one[part]] & edge[:, other[part]]).any(axis=0)
    return found


def _layers(layers: Mapping[str, slice], rows: Rows) -> list[str]:
    """Return the layers of rows, in the model's order."""
    return [name for name, own in layers.items() if ((rows >= own.start) & (rows < own.stop)).any()]


@dataclass(frozen=True, eq=False)
class Searched:
    """What one search saw: its layers with their pairs, its hits, what it could not test."""

    layers: tuple[tuple[LayerSearch, Mapping[tuple[str, str], Pairs]], ...]
    hits: Hits
    tested: int
    not_tested: Mapping[str, int]


def search(
    connections: Sequence[Connection],
    responses: CoupledResponses,
    motif: PairMotif,
    progress: Progress = silent,
) -> Searched:
    """Search all edges of a model for a motif, without controls; each kernel is read once."""
    finder = PairFinder(motif, responses)
    invariant = motif.invariance(responses.invariance)
    layered = by_target(connections)
    layers, hits, tested = [], [], 0
    not_tested: Counter[str] = Counter()
    for place, (target, into) in enumerate(layered.items()):
        progress(f"searching {target}", place / len(layered))
        units = np.unique(np.concatenate([c.target_units.ravel() for c in into]))
        if target not in responses.layers:
            not_tested[UNSEEN] += len(units)
            continue
        rows = responses.layers[target].start + units
        not_tested[NEVER] += int((~responses.is_responsive[rows]).sum())
        not_tested[WEAKLY] += int(
            (responses.is_responsive[rows] & ~responses.measurable[rows]).sum()
        )
        measurable = int(responses.measurable[rows].sum())
        into = usable(into, responses)
        if most_inputs(into) < LEAST_INPUTS:
            not_tested[FEW] += measurable
            continue
        inputs = read_masses(into, responses, motif.signs)
        enough = inputs.count >= LEAST_INPUTS
        tested += int(enough.sum())
        not_tested[FEW] += measurable - int(enough.sum())
        layer = _layer(motif, inputs.take(enough & invariant[inputs.targets]), responses)
        pairs = finder.of(layer) if len(layer.inputs.targets) else {}
        if pairs:
            everything = both_ways(Pairs.join(list(pairs.values())), motif)
            everywhere = np.arange(len(layer.inputs.targets))
            hits.append(layer.find(responses, everything, everywhere).hits)
            layers.append((layer, pairs))
    reasons = sorted((item for item in not_tested.items() if item[1]), key=lambda r: (-r[1], r[0]))
    return Searched(tuple(layers), Hits.join(hits), tested, dict(reasons))


def _layer(motif: PairMotif, inputs: InputMasses, responses: CoupledResponses) -> LayerSearch:
    strongest = count_strongest(motif, inputs.count)
    return LayerSearch(motif, inputs, responses.spread[inputs.sources], strongest)


def count_strongest(motif: PairMotif, inputs: Rows) -> Rows:
    """Return how many inputs count as strongest, for targets with so many."""
    top = np.maximum(motif.at_least, np.floor(motif.share * inputs).astype(np.intp))
    found: Rows = np.minimum(top, inputs)
    return found
