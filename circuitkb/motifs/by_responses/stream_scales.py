"""What comes along a residual stream and what a block adds to it, compared at two sizes.

Of the connections along residual paths into a layer, those of the latest source layer are what the
block adds; the others are the stream. The stream's part of a unit's pre-activation is a product of
weights and responses (kernels of a single place), the block's part what is left of it.

Memory: three matrices of the responses of one layer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.by_responses.coupled_responses import WEAKEST, Rows
from circuitkb.motifs.group_findings import GroupFindings, Member
from circuitkb.motifs.scale_union import StreamAndBlock
from circuitkb.motifs.tested_layers import Described, LayerTest, Statistic, findings_of
from circuitkb.observation.kept import battery_of
from circuitkb.observation.measures.responsiveness import is_responsive
from circuitkb.observation.stimuli.stimulus import Stimulus, stimulus
from circuitkb.schema.errors import QueryError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import KeptArray, Responses

NO_STREAM = "no residual stream of single places comes to their layer"
WEAK = "answered too weakly to stimuli of two sizes"
FACTOR = 2
_SIZES = ("wavelength", "radius")
_KINDS = ("grating", "checkerboard", "arc", "curved edge", "spot", "ring")

_Flags = NDArray[np.bool_]


def doubled(item: Stimulus) -> Stimulus | None:
    """Return the stimulus at twice its size; None for one without a size.

    Examples
    --------
    >>> doubled(stimulus("arc", direction=30, radius=10, polarity=-1)).id
    'arc 30 radius 20 dark'
    """
    if item.kind not in _KINDS:
        return None
    size = {name: FACTOR * item.number(name) for name in _SIZES if name in item.parameters}
    return stimulus(item.kind, **{**item.parameters, **size})


class Sizes(NamedTuple):
    """Places of the stimuli that were shown at twice their size too, and of those."""

    small: Rows
    large: Rows

    @classmethod
    def of(cls, stimuli: Sequence[Stimulus]) -> Sizes:
        """Return them of a battery; none of them raises :class:`QueryError`."""
        place = {item.id: index for index, item in enumerate(stimuli)}
        ends = [
            (index, place[twice.id])
            for index, item in enumerate(stimuli)
            if (twice := doubled(item)) is not None and twice.id in place
        ]
        if not ends:
            raise QueryError("No stimulus of this observation was shown at twice its size.")
        small, large = np.array(ends, np.intp).T
        return cls(small, large)


def find_in_model(
    connections: Sequence[Connection],
    responses: Responses,
    motif: StreamAndBlock,
    *,
    model: str,
    seed: int | None = None,
    progress: Progress = silent,
) -> GroupFindings:
    """Search an observed model for scale unions, with both nulls.

    Parameters
    ----------
    connections
        All kernels of the model; those along residual paths are read.
    responses, motif, model
        What units answer, what to look for, and the model's name, for the ids.
    seed
        Seed of the draws instead of the motif's own. The same seed gives the same findings.
    progress
        Called with how far the search is.

    Raises
    ------
    QueryError
        No stimulus was shown at two sizes.
    """
    started = time.perf_counter()
    seed = motif.seed if seed is None else seed
    rng = np.random.default_rng(seed)
    sizes = Sizes.of(battery_of(responses).stimuli)
    streams = _streams(connections, responses)
    reasons = {
        NO_STREAM: sum(units for name, units in responses.layers if name not in streams),
        WEAK: 0,
    }
    tests = []
    for place, (layer, (stream, block)) in enumerate(streams.items()):
        progress(f"{model}: parting streams from blocks", 0.95 * place / len(streams))
        parts = _Parts.of(stream, responses, layer, sizes)
        reasons[WEAK] += int((~parts.held).sum())
        tests.append(parts.test(layer, stream, block, sizes, motif, rng, model))
    progress(f"{model}: searched", 1.0)
    return findings_of(
        motif,
        tests,
        connections,
        model=model,
        seed=seed,
        started=started,
        battery=responses.battery,
        not_tested=reasons,
    )


def _streams(
    connections: Sequence[Connection], responses: Responses
) -> dict[str, tuple[list[Connection], list[Connection]]]:
    """Return for each layer that a residual stream comes to its stream and its block."""
    order = {name: place for place, (name, _) in enumerate(responses.layers)}
    found: dict[str, tuple[list[Connection], list[Connection]]] = {}
    for layer in order:
        into = [c for c in connections if c.target == layer and c.path == "residual"]
        names = sorted({c.source for c in into if c.source in order}, key=order.__getitem__)
        stream = [c for c in into if names and c.source != names[-1]]
        if stream and all(c.source in order and not c.spatial for c in stream):
            found[layer] = stream, [c for c in into if c.source == names[-1]]
    return found


class _Parts(NamedTuple):
    """Both parts of the pre-activations of a layer's units, and of those in the shuffled copy."""

    stream: Floats
    block: Floats
    held: _Flags
    shuffled: tuple[Floats, Floats, _Flags]

    @classmethod
    def of(
        cls, stream: Sequence[Connection], responses: Responses, layer: str, sizes: Sizes
    ) -> _Parts:
        real = _split(stream, responses, layer, responses.before, responses.after, sizes)
        null = _split(
            stream, responses, layer, responses.shuffled_before, responses.shuffled_after, sizes
        )
        return cls(*real, null)

    def test(
        self,
        layer: str,
        stream: Sequence[Connection],
        block: Sequence[Connection],
        sizes: Sizes,
        motif: StreamAndBlock,
        rng: np.random.Generator,
        model: str,
    ) -> LayerTest:
        """Compare the parts, with the block's part of other units, and in the shuffled copy."""
        unit = np.flatnonzero(self.held)
        own = self.stream[unit], self.block[unit]
        measured = _measured(*own, sizes)
        spread = own[1].std(axis=1)

        def exchanged() -> Statistic:
            other = rng.permutation(len(unit))
            # As strong a part as the unit's own, around the same mean.
            scale = (spread / np.maximum(spread[other], 1e-9))[:, None]
            given = (own[1][other] - own[1][other].mean(axis=1, keepdims=True)) * scale
            block = given + own[1].mean(axis=1, keepdims=True)
            return motif_statistic(_measured(own[0], block, sizes), motif)

        streams, blocks, held = self.shuffled
        null = _measured(streams[held], blocks[held], sizes)

        def describe(place: int) -> Described:
            target = int(unit[place])
            said = str(FeatureId(model, layer, target))
            ends = [
                (role, end)
                for role, into in (("smaller", stream), ("larger", block))
                if (end := strongest_source(into, target)) is not None
            ]
            named = [(role, str(FeatureId(model, *end))) for role, end in ends]
            return Described(
                (Member(said, motif.target), *(Member(name, role) for role, name in named)),
                [(name, said) for _, name in named],
                {name: round(float(own[place]), 4) for name, own in measured._asdict().items()},
            )

        return LayerTest(
            layer,
            motif_statistic(measured, motif),
            {
                "exchanged": Statistic.draws(exchanged() for _ in range(motif.draws)),
                "shuffled": Statistic.draws([motif_statistic(null, motif)]),
            },
            describe,
        )


class Measured(NamedTuple):
    """Correlations of both parts at two sizes, and of their sum with itself.

    ``scaled`` is of the stream with the block at twice the size, ``reversed`` the other way round,
    ``plain`` at one size; ``invariance`` of what the unit answers with itself at twice the size.
    """

    scaled: Floats
    reversed: Floats
    plain: Floats
    invariance: Floats


def motif_statistic(measured: Measured, motif: StreamAndBlock) -> Statistic:
    """Return the scaled correlation, and which units fulfil every criterion."""
    fits = (
        motif.scaled(measured.scaled)
        & (measured.scaled > measured.reversed)
        & motif.plain(measured.plain)
        & motif.invariance(measured.invariance)
    )
    return Statistic(measured.scaled.astype(np.float64), fits)


def _split(
    stream: Sequence[Connection],
    responses: Responses,
    layer: str,
    before: KeptArray,
    after: KeptArray,
    sizes: Sizes,
) -> tuple[Floats, Floats, _Flags]:
    """Return what the stream gives, what is left, and which units answer to both sizes."""
    whole = before[responses.rows[layer]].astype(np.float32)
    given = np.zeros_like(whole)
    for connection in stream:
        source = after[responses.rows[connection.source]].astype(np.float32)
        for group, kernel in enumerate(connection.kernel[..., 0, 0]):
            given[connection.target_units[group]] += kernel @ source[connection.source_units[group]]
    answer = np.maximum(whole[:, np.union1d(*sizes)], 0).std(axis=1)
    usual = np.sqrt(np.mean(answer.astype(np.float64) ** 2)) if len(answer) else 0.0
    block = whole - given
    held = is_responsive(whole) & (answer > WEAKEST * usual)
    # A unit without a stream, or without a block, has nothing to compare.
    held &= np.minimum(given.std(axis=1), block.std(axis=1)) > WEAKEST * whole.std(axis=1)
    return given, block, held


def _measured(stream: Floats, block: Floats, sizes: Sizes) -> Measured:
    small, large = sizes
    both = np.union1d(small, large)
    answer = np.maximum(stream + block, 0)
    return Measured(
        _correlation(stream[:, small], block[:, large]),
        _correlation(stream[:, large], block[:, small]),
        _correlation(stream[:, both], block[:, both]),
        _correlation(answer[:, small], answer[:, large]),
    )


def _correlation(one: Floats, other: Floats) -> Floats:
    one = one - one.mean(axis=1, keepdims=True)
    other = other - other.mean(axis=1, keepdims=True)
    shared = np.einsum("ij,ij->i", one, other)
    length = np.sqrt(np.einsum("ij,ij->i", one, one) * np.einsum("ij,ij->i", other, other))
    found: Floats = np.divide(shared, length, out=np.zeros_like(shared), where=length > 0)
    return found


def strongest_source(into: Sequence[Connection], target: int) -> tuple[str, int] | None:
    """Return the source that excites a unit most, by positive mass: its layer and its number."""
    best: tuple[float, tuple[str, int]] | None = None
    for connection in into:
        for group, out in np.argwhere(connection.target_units == target).tolist():
            mass = np.maximum(connection.kernel[group, out], 0).sum(axis=(-2, -1))
            place = int(mass.argmax())
            if mass[place] > (best[0] if best else 0):
                unit = int(connection.source_units[group, place])
                best = float(mass[place]), (connection.source, unit)
    return best[1] if best else None
