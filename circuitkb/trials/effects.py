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

All of it is made of tensors that gradients flow through: of stimuli that are not kept, what units
answer to them can be given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.activations.editing.runs import Indices, KernelChange
from circuitkb.schema.errors import TrialError
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses
from circuitkb.trials.changes import Kernels, another
from circuitkb.trials.edits import Edit
from circuitkb.trials.one_place import Sums, summed, weight
from circuitkb.trials.single_changes import Ablate

if TYPE_CHECKING:
    from torch import Tensor

COLUMNS = 512
"""Pairs of an edit and a stimulus that go through the layers together: a number for each unit."""

HELD = 0.5
"""A response counts as much as the kernel where its square is so much of the unit's mean square."""

Side = Literal["before", "after"]

Array = NDArray[np.float32]


class Answers(NamedTuple):
    """What the unedited network answers to stimuli that are not kept, axes (unit, stimulus).

    By layer; layers that are missing are not asked for.
    """

    before: Mapping[str, Tensor]
    after: Mapping[str, Tensor]


class Wanted(NamedTuple):
    """An edit, the stimuli, and the units whose change is asked for, by layer.

    ``answers`` are to the images that are shown in the place of these stimuli, if others are.
    """

    edit: Edit
    stimuli: Indices
    read: Mapping[str, Indices]
    answers: Answers | None = None


class _Change(NamedTuple):
    """A change of a kernel, and what part of the old one it is."""

    of: KernelChange
    share: float | None


class Effect(NamedTuple):
    """Changes before and after the nonlinearity, axes (stimulus, unit)."""

    before: Tensor
    after: Tensor


class _Shown(NamedTuple):
    """Kept stimuli, by their places, and what units answer to others shown in their place."""

    stimuli: Indices
    answers: Answers | None


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
        from circuitkb.loaders.activations.pointwise import nonlinearity

        self.connections = connections
        self.kernels = Kernels(connections)
        self.responses = responses
        self._order = {layer: place for place, layer in enumerate(kinds)}
        self._kinds = kinds
        self._biases = biases or {}
        self._into: dict[str, list[Sums]] = defaultdict(list)
        for one in connections:
            self._into[one.target].append(summed(one))
        self._squares: dict[str, Tensor] = {}
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

    def direct(
        self, edit: Edit, stimuli: Indices, answers: Answers | None = None
    ) -> dict[tuple[str, int], Effect]:
        """Return what an edit does to each of its targets at once, through no other feature.

        Effects have the axes (stimulus,). Kernels of one position are exact up to the precision
        of the responses.

        Parameters
        ----------
        answers
            To the images that are shown in the place of these stimuli, if others are.

        Raises
        ------
        TrialError
            An edge is not there, or a unit was not observed.
        """
        shown = _Shown(stimuli, answers)
        moved: dict[tuple[str, int], Tensor] = {}
        for change in self._changes(edit):
            target = change.of.target, change.of.target_unit
            by = self._given(change, shown)
            moved[target] = moved[target] + by if target in moved else by
        return {
            (layer, unit): Effect(by, self._moved(layer, unit, shown, by))
            for (layer, unit), by in moved.items()
        }

    def is_exact(self, edit: Edit) -> bool:
        """Whether the direct effect follows from the responses kept: no kernel sees beside them."""
        changed = self.kernels.changed(edit)
        return changed.exact and all(
            self._is_whole(change)
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

    def _at(self, side: Side, layer: str, units: Indices | int | None, shown: _Shown) -> Tensor:
        """Return what units of a layer, or all, answer to what is shown."""
        import torch

        if shown.answers is not None:
            found: Tensor = getattr(shown.answers, side)[layer]
            return found if units is None else found[units]
        rows = self.responses.rows[layer]
        kept = getattr(self.responses, side)
        if units is None:
            chosen = kept[rows][:, shown.stimuli]
        elif isinstance(units, int):
            chosen = kept[rows.start + units, shown.stimuli]
        else:
            chosen = kept[rows.start + units][:, shown.stimuli]
        return torch.from_numpy(chosen.astype(np.float32))

    def _given(self, change: _Change, shown: _Shown) -> Tensor:
        """Return what the change of a kernel gives its target, as far as responses tell."""
        if self._is_whole(change):
            assert change.share is not None
            layer, unit = change.of.target, change.of.target_unit
            whole = self._at("before", layer, unit, shown) - float(self._biases[layer][unit])
            return change.share * whole
        source = self._at("after", change.of.source, change.of.source_unit, shown)
        return weight(change.of) * source

    def _is_whole(self, change: _Change) -> bool:
        """Whether all that a target gets comes from one source, which its own responses tell."""
        layer, unit = change.of.target, change.of.target_unit
        if change.share is None or layer not in self._biases:
            return False
        into = self._into[layer]
        if len(into) > 1 or into[0].gated or into[0].sums.shape[2] > 1:
            return False
        return int((into[0].targets == unit).sum()) <= 1

    def _moved(self, layer: str, unit: int, shown: _Shown, by: Tensor) -> Tensor:
        function = self._functions[layer]
        if self._kinds[layer] == "softmax":
            before = self._at("before", layer, None, shown)
            now = before.clone()
            now[unit] += by
            return (function(now) - function(before))[unit]
        before = self._at("before", layer, unit, shown)
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
        kept = [one for one in wanted if one.answers is None]
        found = iter(
            [
                effect
                for low, high in _together([len(one.stimuli) for one in kept])
                for effect in self._swept(kept[low:high], None)
            ]
        )
        return [
            next(found) if one.answers is None else self._swept([one], one.answers)[0]
            for one in wanted
        ]

    def _swept(self, wanted: Sequence[Wanted], answers: Answers | None) -> list[Effect]:
        shown = _Shown(np.concatenate([one.stimuli for one in wanted]), answers)
        ends = np.cumsum([len(one.stimuli) for one in wanted])
        columns = [
            slice(end - len(one.stimuli), end)
            for one, end in zip(wanted, ends.tolist(), strict=True)
        ]
        changes: dict[str, list[tuple[slice, _Change]]] = defaultdict(list)
        fixed: dict[str, list[tuple[slice, int, Tensor]]] = defaultdict(list)
        for one, where in zip(wanted, columns, strict=True):
            for change in self._changes(one.edit):
                changes[change.of.target].append((where, change))
            own = _Shown(one.stimuli, one.answers)
            for ablation in one.edit.ablated:
                layer, unit = ablation.unit.layer, ablation.unit.unit
                moved = self._instead(ablation, one.stimuli) - self._at("after", layer, unit, own)
                fixed[layer].append((where, unit, moved))
        first = min(self._order[layer] for layer in (*changes, *fixed))
        last = max(self._order[layer] for one in wanted for layer in one.read)
        before: dict[str, Tensor] = {}
        after: dict[str, Tensor] = {}
        for layer, place in self._order.items():
            if first <= place <= last and layer in self.responses.rows:
                self._layer(layer, shown, changes[layer], fixed[layer], before, after)
        return [
            Effect(*(self._read(side, one, where) for side in (before, after)))
            for one, where in zip(wanted, columns, strict=True)
        ]

    def _read(self, side: Mapping[str, Tensor], one: Wanted, where: slice) -> Tensor:
        import torch

        for layer, units in one.read.items():
            self._check(layer, int(np.max(units, initial=0)))
        return torch.cat(
            [
                side[layer][units, where].T
                if layer in side
                else torch.zeros(len(one.stimuli), len(units))
                for layer, units in one.read.items()
            ],
            dim=1,
        )

    def _layer(
        self,
        layer: str,
        shown: _Shown,
        changes: Sequence[tuple[slice, _Change]],
        fixed: Sequence[tuple[slice, int, Tensor]],
        before: dict[str, Tensor],
        after: dict[str, Tensor],
    ) -> None:
        """Work out how a layer changes, from how its sources do."""
        import torch

        moved = torch.zeros(self.units(layer), len(shown.stimuli))
        touched = False
        for one in self._into[layer]:
            if one.source in after:
                touched = True
                self._add(one, layer, shown, after[one.source], moved)
        for where, change in changes:
            touched = True
            by = self._given(change, _Shown(shown.stimuli[where], shown.answers))
            if change.of.source in after:
                more = after[change.of.source][change.of.source_unit, where]
                by = by + weight(change.of) * more
            moved[change.of.target_unit, where] += by
        if not touched and not fixed:
            return
        stored = self._at("before", layer, None, shown)
        function = self._functions[layer]
        before[layer] = moved
        after[layer] = function(stored + moved) - function(stored)
        for where, unit, value in fixed:
            after[layer][unit, where] = value

    def _add(self, one: Sums, layer: str, shown: _Shown, source: Tensor, moved: Tensor) -> None:
        if one.single:
            gain = self._gains(one, layer, shown)
            _add_to(
                moved,
                one.targets.reshape(-1),
                gain * source[one.sources.reshape(-1).astype(np.intp)],
            )
            return
        for targets, sources, sums in zip(one.targets, one.sources, one.sums, strict=True):
            _add_to(moved, targets, sums @ source[sources.astype(np.intp)])

    def _gains(self, one: Sums, layer: str, shown: _Shown) -> Tensor:
        """Return what units with one source make of it, axes (unit, stimulus)."""
        import torch

        sums = one.sums[:, 0, 0][:, None]
        bias = self._biases.get(layer)
        if bias is None or one.gated or len(self._into[layer]) > 1:
            return sums.expand(-1, len(shown.stimuli))
        targets = one.targets.reshape(-1).astype(np.intp)
        sources = one.sources.reshape(-1).astype(np.intp)
        given = self._at("before", layer, targets, shown)
        given = given - torch.from_numpy(bias[targets])[:, None]
        held = self._mean_squares(one.source)[sources][:, None] * HELD
        held = held + torch.finfo(torch.float32).tiny
        seen = self._at("after", one.source, sources, shown)
        bound = one.l1[:, 0, 0][:, None]
        return ((given * seen + held * sums) / (seen**2 + held)).clamp(-bound, bound)

    def _mean_squares(self, layer: str) -> Tensor:
        """Return the mean square of what each unit of a layer answers to what is kept."""
        import torch

        if layer not in self._squares:
            every = self.responses.after[self.responses.rows[layer]].astype(np.float32)
            self._squares[layer] = torch.from_numpy((every**2).mean(axis=1))
        return self._squares[layer]

    def _instead(self, ablation: Ablate, stimuli: Indices) -> Tensor:
        """Return what stands in the place of a feature's responses to some stimuli."""
        import torch

        every = self.stored(ablation.unit.layer, ablation.unit.unit)
        if ablation.by == "resampling":
            return torch.from_numpy(every[another(len(every), ablation)[stimuli]])
        return torch.full((len(stimuli),), float(every.mean()) if ablation.by == "mean" else 0.0)


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


def _add_to(rows: Tensor, places: NDArray[np.int32], values: Tensor) -> None:
    import torch

    rows.index_add_(0, torch.from_numpy(places.astype(np.intp)), values)
