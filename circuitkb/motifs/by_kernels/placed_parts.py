"""Units whose strongest inputs lie on both sides of an axis, by the places of positive masses.

Memory: four numbers for each kernel of one layer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_kernels.similarity import blocks
from circuitkb.motifs.group_findings import GroupFindings, Member
from circuitkb.motifs.parts_in_places import PlacedParts
from circuitkb.motifs.tested_layers import Described, LayerTest, Statistic, findings_of
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection, by_target
from circuitkb.schema.progress import Progress, silent

NO_EXTENT = "their kernels have a single row or column"
FEW = "fewer than two inputs have positive weight"
LEAST = 2

SIDES = (("above", "below"), ("left", "right"))
"""Of the vertical axis and of the horizontal one: the smaller places first."""

Doubles = NDArray[np.float64]
Rows = NDArray[np.intp]


def find_in_model(
    connections: Sequence[Connection],
    responses: object,
    motif: PlacedParts,
    *,
    model: str,
    seed: int | None = None,
    progress: Progress = silent,
) -> GroupFindings:
    """Search all kernels of a model, observed or not, for parts in places, with both nulls.

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
    into = by_target(connections)
    reasons = {NO_EXTENT: 0, FEW: 0}
    tests = []
    for place, (layer, every) in enumerate(into.items()):
        progress(f"{model}: finding the places of inputs", 0.95 * place / len(into))
        spatial = [one for one in every if min(one.kernel.shape[3:]) > 1]
        units = {unit for one in every for unit in np.unique(one.target_units).tolist()}
        reach = {unit for one in spatial for unit in np.unique(one.target_units).tolist()}
        reasons[NO_EXTENT] += len(units - reach)
        if spatial:
            parts = Parts.of(spatial, motif)
            reasons[FEW] += len(reach) - len(parts.unit)
            if len(parts.unit):
                tests.append(_test(layer, spatial, parts, motif, model, rng))
    progress(f"{model}: searched", 1.0)
    return findings_of(
        motif, tests, connections, model=model, seed=seed, started=started, not_tested=reasons
    )


class Parts(NamedTuple):
    """The strongest inputs of each unit; the axes are (unit, input) but for ``unit``.

    Attributes
    ----------
    unit
        Numbers of the units.
    mass
        Positive masses, largest first, 0 after the last one.
    place
        Centres of positive mass, (unit, input, axis): down and to the right, in half sizes.
    connection, source
        Which connection and which unit each comes from.
    """

    unit: Rows
    mass: Doubles
    place: Doubles
    connection: Rows
    source: Rows

    @classmethod
    def of(cls, connections: Sequence[Connection], motif: PlacedParts) -> Parts:
        """Read all kernels into one layer."""
        rows = [_read(place, one) for place, one in enumerate(connections)]
        target, mass, down, right, connection, source = (
            np.concatenate(column) for column in zip(*rows, strict=True)
        )
        order = np.lexsort((-mass, target))
        order = order[mass[order] > 0]
        unit, start, count = np.unique(target[order], return_index=True, return_counts=True)
        k = np.maximum(motif.at_least, np.floor(motif.share * count).astype(np.intp))
        k = np.where(count >= LEAST, np.minimum(k, count), 0)
        held = k > 0
        unit, start, k = unit[held], start[held], k[held]
        if not len(unit):
            order = np.zeros(1, np.intp)
        width = int(k.max(initial=0))
        column = np.arange(width)
        taken = order[np.minimum(start[:, None] + column, len(order) - 1)]
        some = column < k[:, None]
        return cls(
            unit,
            np.where(some, mass[taken], 0),
            np.stack([down[taken], right[taken]], axis=2),
            connection[taken],
            source[taken],
        )


def _read(place: int, one: Connection) -> tuple[NDArray[np.generic], ...]:
    """Return target, mass, both places, connection and source of every kernel."""
    shape = one.kernel.shape
    mass, down, right = np.zeros((3, *shape[:3]))
    halves = [(size - 1) / 2 for size in shape[3:]]
    rows, columns = (
        np.arange(size) / half - 1 for size, half in zip(shape[3:], halves, strict=True)
    )
    for part in blocks(shape[0], int(np.prod(shape[1:]))):
        positive = np.maximum(one.kernel[part], 0).astype(np.float64)
        total = positive.sum(axis=(3, 4))
        some = np.where(total > 0, total, 1)
        mass[part] = total
        down[part] = np.einsum("goirc,r->goi", positive, rows) / some
        right[part] = np.einsum("goirc,c->goi", positive, columns) / some
    target = np.broadcast_to(one.target_units[:, :, None], shape[:3])
    source = np.broadcast_to(one.source_units[:, None, :], shape[:3])
    which = np.full(mass.size, place, np.intp)
    flat = [own.ravel() for own in (target, mass, down, right)]
    return (*flat, which, source.ravel())


def _test(
    layer: str,
    connections: Sequence[Connection],
    parts: Parts,
    motif: PlacedParts,
    model: str,
    rng: np.random.Generator,
) -> LayerTest:
    held = parts.mass > 0
    pool = np.flatnonzero(held)

    def dealt() -> Statistic:
        # As many kernels as before, of any unit of the layer.
        order = np.zeros(held.shape, np.intp)
        order[held] = rng.permutation(pool)
        place = parts.place.reshape(-1, 2)[order]
        return statistic(np.where(held, parts.mass.ravel()[order], 0), place, motif)[0]

    def turned() -> Statistic:
        signs = rng.choice([-1.0, 1.0], parts.place.shape)
        place = parts.place * signs
        swap = rng.random(held.shape)[..., None] < 0.5
        return statistic(parts.mass, np.where(swap, place[..., ::-1], place), motif)[0]

    real, axis = statistic(parts.mass, parts.place, motif)

    def describe(place: int) -> Described:
        whole = str(FeatureId(model, layer, int(parts.unit[place])))
        members = [Member(whole, motif.target)]
        lies = parts.place[place, :, axis[place]]
        for side, (sign, name) in enumerate(zip((-1, 1), SIDES[axis[place]], strict=True), 1):
            there = np.flatnonzero(motif.aside(sign * lies) & held[place])
            for one in there[: motif.named].tolist():
                source = connections[int(parts.connection[place, one])].source
                feature = str(FeatureId(model, source, int(parts.source[place, one])))
                if feature not in {member.feature for member in members}:
                    mass = float(parts.mass[place, one])
                    members.append(Member(feature, motif.roles[0].name, side, mass, name))
        figures = {"axis": " and ".join(SIDES[axis[place]]), "parts": int(held[place].sum())}
        score = float(real.value[place] / np.sqrt(held[place].sum()))
        edges = [(one.feature, whole) for one in members[1:]]
        return Described(tuple(members), edges, figures, score)

    return LayerTest(
        layer,
        real,
        {
            "turned": Statistic.draws(turned() for _ in range(motif.draws)),
            "dealt": Statistic.draws(dealt() for _ in range(motif.draws)),
        },
        describe,
    )


def statistic(mass: Doubles, place: Doubles, motif: PlacedParts) -> tuple[Statistic, Rows]:
    """Return how much more the places vary along the better axis, the hits, and the axis.

    Examples
    --------
    >>> from circuitkb.motifs.parts_in_places import PARTS_IN_PLACES
    >>> place = np.array([[[-0.8, 0.0], [0.8, 0.0]], [[0.5, 0.5], [0.5, 0.5]]])
    >>> found, axis = statistic(np.ones((2, 2)), place, PARTS_IN_PLACES)
    >>> found.value.round(2).tolist(), found.fits.tolist(), axis.tolist()
    ([1.41, 0.0], [True, False], [0, 0])
    """
    share = (mass / mass.sum(axis=1, keepdims=True))[..., None]
    centre = (share * place).sum(axis=1, keepdims=True)
    variance = (share * np.square(place - centre)).sum(axis=1)
    whole = (share * np.square(place)).sum(axis=(1, 2))
    difference = variance[:, 0] - variance[:, 1]
    axis: Rows = np.where(difference >= 0, 0, 1)
    contrast = np.divide(np.abs(difference), whole, out=np.zeros_like(whole), where=whole > 0)
    lies = np.take_along_axis(place, axis[:, None, None], axis=2)[..., 0]
    some = mass > 0
    ends = [np.any(motif.aside(sign * lies) & some, axis=1) for sign in (-1, 1)]
    fits: NDArray[np.bool_] = np.all(ends, axis=0)
    return Statistic(contrast * np.sqrt(some.sum(axis=1)), fits), axis
