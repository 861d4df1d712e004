"""What an edit changes, from kernels and stored responses alone, without the network.

The direct effect on a target is the difference of kernels times the response of the source. The
total effect goes through all kernels, layer by layer: what changes in a layer's sources, times its
kernels, changes its pre-activations, and its nonlinearity at the stored pre-activation says what
that does to its features.

Responses are kept at one place of each map. Kernels of one position are exact for it. What larger
kernels see beside that place is not kept: it is taken to be :data:`BESIDE` times what the place
itself is. Where a unit has one source alone, as after a depthwise convolution, the stored
responses tell what its kernel makes of that source at each stimulus: exact for what takes that edge
away or scales it, and a better guess than the kernel of what is made of a change that comes from
further up (the less so, the smaller the response that it is read from; see :data:`HELD`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.activations.editing.runs import Indices, KernelChange
from circuitkb.schema.errors import TrialError
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from circuitkb.trials.changes import Kernels, another
from circuitkb.trials.edits import Edit
from circuitkb.trials.pointwise import Array, nonlinearity
from circuitkb.trials.single_changes import Ablate

COLUMNS = 512
"""Pairs of an edit and a stimulus that go through the layers together: a number for each unit."""

BESIDE = 0.3
"""What stands beside the place whose responses are kept, in terms of that place.

This number and the next one are guesses that did well on 120 deletions in EfficientNet-Lite0; what
they get wrong is in the intervals.
"""

HELD = 0.5
"""A response counts as much as the kernel where its square is so much of the unit's mean square."""

Side = Literal["before", "after"]


class Wanted(NamedTuple):
    """An edit, the stimuli, and the units whose change is asked for, by layer."""

    edit: Edit
    stimuli: Indices
    read: Mapping[str, Indices]


class _Change(NamedTuple):
    """A change of a kernel, and what part of the old one it is."""

    of: KernelChange
    share: float | None


class Effect(NamedTuple):
    """Changes before and after the nonlinearity, axes (stimulus, unit)."""

    before: Array
    after: Array


@dataclass(frozen=True, eq=False)
class _Sums:
    """A connection whose kernels are summed: ``sums`` (group, out, in).

    ``l1`` bounds what a unit with one source can make of it.
    """

    source: str
    targets: NDArray[np.int32]
    sources: NDArray[np.int32]
    sums: Array
    l1: Array
    spatial: bool
    gated: bool

    @property
    def single(self) -> bool:
        """Whether each target has one source here, seen at several positions."""
        return self.spatial and self.sums.shape[1:] == (1, 1)


class Effects:
    """Predicts what edits of a model change.

    Parameters
    ----------
    connections
        All kernels of the model.
    responses
        Of the model to the battery.
    kinds
        Kind of each layer, in order of computation.
    biases
        Constant part of each unit's pre-activation, by layer; only layers where it is known.
    """

    def __init__(
        self,
        connections: Sequence[Connection],
        responses: Responses,
        kinds: Mapping[str, str],
        biases: Mapping[str, Array] | None = None,
    ) -> None:
        self.connections = connections
        self.kernels = Kernels(connections)
        self.responses = responses
        self._order = {layer: place for place, layer in enumerate(kinds)}
        self._kinds = kinds
        self._biases = biases or {}
        self._into: dict[str, list[_Sums]] = defaultdict(list)
        for one in connections:
            self._into[one.target].append(_summed(one))
        self._functions = {
            layer: nonlinearity(kind, *self._stored(layer))
            for layer, kind in kinds.items()
            if layer in responses.rows
        }

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers that were observed, in order of computation."""
        return tuple(self._functions)

    def place(self, layer: str) -> int:
        """Return the number of an observed layer among :attr:`layers`.

        Raises
        ------
        TrialError
            It was not observed.
        """
        if layer not in self._functions:
            raise TrialError(f"{layer!r} was not observed: nothing can be predicted of it.")
        return self.layers.index(layer)

    def units(self, layer: str) -> int:
        """Return how many units an observed layer has."""
        return dict(self.responses.layers)[layer]

    def stored(self, layer: str, unit: int) -> Array:
        """Return what a unit answered to the battery, after its nonlinearity."""
        self._check(layer, unit)
        row = self.responses.rows[layer].start + unit
        found: Array = self.responses.after[row].astype(np.float32)
        return found

    def _stored(self, layer: str) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        rows = self.responses.rows[layer]
        return self.responses.before[rows], self.responses.after[rows]

    def direct(self, edit: Edit, stimuli: Indices) -> dict[tuple[str, int], Effect]:
        """Return what an edit does to each of its targets at once, through no other feature.

        Effects have the axes (stimulus,). Kernels of one position are exact up to the precision
        of the responses.

        Raises
        ------
        TrialError
            An edge is not there, or a unit was not observed.
        """
        moved: dict[tuple[str, int], Array] = {}
        for change in self._changes(edit):
            target = change.of.target, change.of.target_unit
            by = self._given(change, stimuli)
            moved[target] = moved[target] + by if target in moved else by
        found = {}
        for (layer, unit), by in moved.items():
            row = self.responses.rows[layer].start + unit
            found[layer, unit] = Effect(by, self._moved(layer, unit, row, stimuli, by))
        return found

    def is_exact(self, edit: Edit) -> bool:
        """Whether the direct effect follows from the responses kept: no kernel sees beside them."""
        changed = self.kernels.changed(edit)
        return changed.exact and all(
            self._contribution(change) is not None
            or (change.of.kernel.size == 1 and not change.of.geometry.pooling)
            for change in self._changes(edit)
        )

    def _changes(self, edit: Edit) -> list[_Change]:
        changed = self.kernels.changed(edit)
        found = [_Change(*both) for both in zip(changed.kernels, changed.shares, strict=True)]
        for change in found:
            self._check(change.of.source, change.of.source_unit)
            self._check(change.of.target, change.of.target_unit)
        return found

    def _given(self, change: _Change, stimuli: Indices) -> Array:
        """Return what the change of a kernel gives its target, as far as responses tell."""
        whole = self._contribution(change)
        if whole is not None and change.share is not None:
            found: Array = np.float32(change.share) * whole[stimuli]
            return found
        row = self.responses.rows[change.of.source].start + change.of.source_unit
        seen: Array = _weight(change.of) * self.responses.after[row, stimuli].astype(np.float32)
        return seen

    def _contribution(self, change: _Change) -> Array | None:
        """Return what a target's one source gives it at each stimulus; None if it has others."""
        layer, unit = change.of.target, change.of.target_unit
        if change.share is None or layer not in self._biases:
            return None
        into = self._into[layer]
        if len(into) > 1 or into[0].gated or into[0].sums.shape[2] > 1:
            return None
        if int((into[0].targets == unit).sum()) > 1:
            return None
        row = self.responses.rows[layer].start + unit
        found: Array = self.responses.before[row].astype(np.float32) - self._biases[layer][unit]
        return found

    def _moved(self, layer: str, unit: int, row: int, stimuli: Indices, by: Array) -> Array:
        function = self._functions[layer]
        if self._kinds[layer] == "softmax":
            before = self.responses.before[self.responses.rows[layer]][:, stimuli].astype(
                np.float32
            )
            now = before.copy()
            now[unit] += by
            changed: Array = (function(now) - function(before))[unit]
            return changed
        before = self.responses.before[row, stimuli].astype(np.float32)
        return function(before + by) - function(before)

    def _check(self, layer: str, unit: int) -> None:
        rows = self.responses.rows.get(layer, slice(0, 0))
        if unit >= rows.stop - rows.start:
            raise TrialError(f"{layer}:{unit} was not observed: nothing can be predicted of it.")

    def total(self, wanted: Sequence[Wanted]) -> list[Effect]:
        """Return what edits change through all paths.

        Memory is a number for each unit of the model and each of :data:`COLUMNS` pairs of an edit
        and a stimulus.

        Raises
        ------
        TrialError
            An edge is not there, or a unit was not observed.
        """
        found = []
        for low, high in _together([len(one.stimuli) for one in wanted]):
            found += self._swept(wanted[low:high])
        return found

    def _swept(self, wanted: Sequence[Wanted]) -> list[Effect]:
        stimuli = np.concatenate([one.stimuli for one in wanted])
        ends = np.cumsum([len(one.stimuli) for one in wanted])
        columns = [
            np.arange(end - len(one.stimuli), end) for one, end in zip(wanted, ends, strict=True)
        ]
        changes: dict[str, list[tuple[Indices, _Change]]] = defaultdict(list)
        fixed: dict[str, list[tuple[Indices, int, Array]]] = defaultdict(list)
        for one, where in zip(wanted, columns, strict=True):
            for change in self._changes(one.edit):
                changes[change.of.target].append((where, change))
            for ablation in one.edit.ablated:
                self._check(ablation.unit.layer, ablation.unit.unit)
                row = self.responses.rows[ablation.unit.layer].start + ablation.unit.unit
                every = self.responses.after[row].astype(np.float32)
                moved = _instead(ablation, every, one.stimuli) - every[one.stimuli]
                fixed[ablation.unit.layer].append((where, ablation.unit.unit, moved))
        first = min(self._order[layer] for layer in (*changes, *fixed))
        last = max(self._order[layer] for one in wanted for layer in one.read)
        before: dict[str, Array] = {}
        after: dict[str, Array] = {}
        for layer, place in self._order.items():
            if first <= place <= last and layer in self.responses.rows:
                self._layer(layer, stimuli, changes[layer], fixed[layer], before, after)
        return [
            Effect(*(self._read(side, one, where) for side in (before, after)))
            for one, where in zip(wanted, columns, strict=True)
        ]

    def _read(self, side: Mapping[str, Array], one: Wanted, where: Indices) -> Array:
        for layer, units in one.read.items():
            self._check(layer, int(np.max(units, initial=0)))
        return np.concatenate(
            [
                side[layer][np.ix_(units, where)].T
                if layer in side
                else np.zeros((len(where), len(units)), np.float32)
                for layer, units in one.read.items()
            ],
            axis=1,
        )

    def _layer(
        self,
        layer: str,
        stimuli: Indices,
        changes: Sequence[tuple[Indices, _Change]],
        fixed: Sequence[tuple[Indices, int, Array]],
        before: dict[str, Array],
        after: dict[str, Array],
    ) -> None:
        """Work out how a layer changes, from how its sources do."""
        rows = self.responses.rows[layer]
        moved = np.zeros((rows.stop - rows.start, len(stimuli)), np.float32)
        touched = False
        for one in self._into[layer]:
            if one.source in after:
                touched = True
                self._add(one, layer, stimuli, after[one.source], moved)
        for where, change in changes:
            touched = True
            by = self._given(change, stimuli[where])
            if change.of.source in after:
                more = after[change.of.source][change.of.source_unit, where]
                by = by + _weight(change.of) * more
            moved[change.of.target_unit, where] += by
        if not touched and not fixed:
            return
        stored = self.responses.before[rows][:, stimuli].astype(np.float32)
        function = self._functions[layer]
        before[layer] = moved
        after[layer] = function(stored + moved) - function(stored)
        for where, unit, value in fixed:
            after[layer][unit, where] = value

    def _add(self, one: _Sums, layer: str, stimuli: Indices, source: Array, moved: Array) -> None:
        if one.single:
            gain = self._gains(one, layer, stimuli)
            _add_to(moved, one.targets.reshape(-1), gain * source[one.sources.reshape(-1)])
            return
        for targets, sources, sums in zip(one.targets, one.sources, one.sums, strict=True):
            _add_to(moved, targets, sums @ source[sources])

    def _gains(self, one: _Sums, layer: str, stimuli: Indices) -> Array:
        """Return what units with one source make of it, axes (unit, stimulus)."""
        sums = one.sums[:, 0, 0][:, None]
        bias = self._biases.get(layer)
        if bias is None or one.gated or len(self._into[layer]) > 1:
            return np.broadcast_to(sums, (len(sums), len(stimuli)))
        targets, sources = one.targets.reshape(-1), one.sources.reshape(-1)
        given = self.responses.before[self.responses.rows[layer]][np.ix_(targets, stimuli)]
        given = given.astype(np.float32) - bias[targets][:, None]
        every = self.responses.after[self.responses.rows[one.source]][sources].astype(np.float32)
        held = HELD * (every**2).mean(axis=1, keepdims=True) + np.finfo(np.float32).tiny
        seen = every[:, stimuli]
        bound = one.l1[:, 0, 0][:, None]
        gains: Array = ((given * seen + held * sums) / (seen**2 + held)).clip(-bound, bound)
        return gains


def _instead(ablation: Ablate, every: Array, stimuli: Indices) -> Array:
    """Return what stands in the place of a feature's responses to some stimuli."""
    if ablation.by == "resampling":
        found: Array = every[another(len(every), ablation)[stimuli]]
        return found
    return np.full(len(stimuli), every.mean() if ablation.by == "mean" else 0, np.float32)


def _summed(one: Connection) -> _Sums:
    kernel = np.asarray(one.kernel)
    return _Sums(
        one.source,
        one.target_units,
        one.source_units,
        _as_one_place(kernel, one.pooling),
        np.abs(kernel).sum(axis=(3, 4)),
        one.spatial,
        one.path == "gated",
    )


def _weight(change: KernelChange) -> np.float32:
    return np.float32(_as_one_place(change.kernel, change.geometry.pooling))


def _as_one_place(kernel: Array, pooling: Sequence[str]) -> Array:
    """Return what kernels, axes (..., row, column), make of the place whose responses are kept."""
    middle = kernel[..., kernel.shape[-2] // 2, kernel.shape[-1] // 2]
    found: Array = middle + np.float32(BESIDE) * (kernel.sum(axis=(-2, -1)) - middle)
    return found * np.float32(BESIDE) if "mean" in pooling else found


def _add_to(rows: Array, places: NDArray[np.int32], values: Array) -> None:
    if len(np.unique(places)) == len(places):
        rows[places] += values
    else:
        np.add.at(rows, places, values)


def _together(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Cut a list of things of so many columns into parts of about :data:`COLUMNS`."""
    parts: list[tuple[int, int]] = []
    low, held = 0, 0
    for place, count in enumerate(counts):
        if held and held + count > COLUMNS:
            parts.append((low, place))
            low, held = place, 0
        held += count
    return [*parts, (low, len(counts))] if counts else []
