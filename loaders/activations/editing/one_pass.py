"""One pass of images through a network, leaving it where edits begin to differ from it.

The unedited network runs once for each distinct image. Where a run of edits reads its targets
alone, what they answer is computed from the sources at the place that is read. Otherwise the
values that later steps need are set aside, and as soon as a batch of them is together the rest of
the network is run on it, edited.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import Node
from torch.utils._pytree import tree_map_only

from circuitkb.loaders.activations.editing.maps import (
    after_pooling,
    as_maps,
    position,
    sums_on,
    windows,
)
from circuitkb.loaders.activations.editing.plan import NEVER, Group, Plan, Spread, groups_of
from circuitkb.loaders.activations.editing.runs import EditedRun, Images, Indices, KernelChange
from circuitkb.loaders.activations.editing.steps import Steps
from circuitkb.schema.progress import Progress, parts

LARGEST_HELD = 2**28
"""Bytes of other images' maps that are held for replacements, if a single edit needs no more."""

LARGEST_ROWS = 2**22
"""Numbers of target layers that are looked at together where targets alone are read."""

Values = dict[Node, Any]
Donors = Mapping[tuple[str, int, int], Tensor]


def run_in_view(
    steps: Steps, runs: Sequence[EditedRun], images: Images, progress: Progress
) -> Iterator[tuple[int, dict[str, NDArray[np.float32]]]]:
    """Yield the place of each run, and what was read of each layer.

    Arrays have the axes (side, image, unit); the sides are before and after the nonlinearity of
    the edited network, then of the unedited one.
    """
    chosen = _parts(steps, runs)
    for places, tell in zip(chosen, parts(progress, len(chosen)), strict=True):
        plan = Plan.of(steps, [runs[place] for place in places])
        results = _Pass(plan, images).results(tell)
        for place, one, start, width in zip(places, plan.runs, plan.start, plan.width, strict=True):
            stop = start + width * len(one.images)
            whole = results[:, start:stop].reshape(4, len(one.images), width)
            ends = np.cumsum([len(units) for units in one.read.values()])[:-1]
            yield place, dict(zip(one.read, np.split(whole, ends, axis=2), strict=True))


def _parts(steps: Steps, runs: Sequence[EditedRun]) -> list[list[int]]:
    """Divide runs that replace maps by those of other images, so that few are held at once."""
    found: list[list[int]] = [[]]
    held = 0
    for place, one in enumerate(runs):
        own = sum(
            4
            * steps.sites[each.layer].rows
            * steps.sites[each.layer].columns
            * len(np.unique(each.value))
            for each in one.replacements
            if isinstance(each.value, np.ndarray)
        )
        if held and held + own > LARGEST_HELD:
            found.append([])
            held = 0
        found[-1].append(place)
        held += own
    return found if runs else []


@dataclass(eq=False)
class _Slot:
    """One image of one run, waiting for the rest of the network.

    ``state`` is what later steps read; ``maps`` what the sources of a group of changes gave.
    """

    pair: int
    run: int
    state: Values
    maps: dict[Group, Tensor]


class _Pass:
    def __init__(self, plan: Plan, images: Images) -> None:
        self._plan = plan
        self._steps = plan.steps
        self._images = images
        self._results = np.empty((4, int((plan.width * _shown(plan)).sum())), np.float32)
        self._before: dict[int, list[str]] = defaultdict(list)
        self._after: dict[int, list[str]] = defaultdict(list)
        for layer, step in plan.steps.before.items():
            self._before[step].append(layer)
        for layer, step in plan.steps.after.items():
            self._after[step].append(layer)
        self._groups = [
            [] if quick else groups_of(one.kernels)
            for one, quick in zip(plan.runs, plan.quick, strict=True)
        ]
        self._quick = self._quick_groups()

    @torch.inference_mode()
    def results(self, progress: Progress) -> NDArray[np.float32]:
        """Run everything; return what was read, axes (side, reading)."""
        plan, steps = self._plan, self._steps
        branches, sources = {*plan.first.tolist()}, plan.sources()
        self._donors = self._given()
        waiting: dict[tuple[int, int], list[_Slot]] = defaultdict(list)
        held: dict[str, Tensor] = {}
        for start, step, values in self._unedited(plan.shown, plan.until):
            if step == 0:
                progress("Running edited networks", start / len(plan.shown))
                low, high = np.searchsorted(plan.slot, [start, start + steps.batch])
                pairs = np.arange(low, high)
                slots = plan.slot[low:high] - start
                first, quick = plan.first[plan.run[pairs]], plan.quick[plan.run[pairs]]
            value = values[steps.nodes[step]]
            for side, layers in ((0, self._before[step]), (1, self._after[step])):
                for layer in layers:
                    same = first > step
                    self._read(side + 2, layer, side, value, slots, pairs)
                    self._read(side, layer, side, value, slots[same], pairs[same])
            for layer in self._after[step]:
                if layer in sources:
                    held[layer] = value
            if step in branches:
                here = first == step
                self._at_targets(step, value, held, slots[here & quick], pairs[here & quick])
                there = here & ~quick
                self._leave(step, values, held, slots[there], pairs[there], waiting)
                held = {n: kept for n, kept in held.items() if sources[n] > step}
        for (step, end), left in waiting.items():
            self._edited(left, step, end)
        progress("Running edited networks", 1.0)
        return self._results

    @cached_property
    def _fixed(self) -> Values:
        """What does not depend on the image."""
        network = self._steps.network
        fixed: Values = dict(network.constants)
        for node in network.operations():
            if node not in network.dynamic:
                fixed[node] = network.value_of(node, fixed.__getitem__)
        return fixed

    def _unedited(self, which: Indices, until: Indices) -> Iterator[tuple[int, int, Values]]:
        """Run the network as it is; yield where a batch starts, each step, and what is known."""
        steps = self._steps
        for start in range(0, len(which), steps.batch):
            given = self._images(steps.view, which[start : start + steps.batch])
            image = torch.from_numpy(np.ascontiguousarray(given))
            missing = steps.batch - len(image)
            if missing:
                image = torch.cat([image, image[-1:].expand(missing, -1, -1, -1)])
            image = image.contiguous(memory_format=torch.channels_last)
            values = {**self._fixed, steps.nodes[0]: image}
            for step in range(int(until[start : start + steps.batch].max()) + 1):
                if step:
                    self._step(step, values, values.__getitem__)
                yield start, step, values
                self._let_go(step, values)

    def _step(self, step: int, values: Values, arguments: Any) -> None:
        node = self._steps.nodes[step]
        values[node] = self._steps.network.value_of(node, arguments)

    def _let_go(self, step: int, values: Values) -> None:
        network, node = self._steps.network, self._steps.nodes[step]
        for read in node.all_input_nodes:
            if network.last_use[read] is node and read in network.dynamic:
                values.pop(read, None)

    def _read(
        self, row: int, layer: str, side: int, value: Tensor, slots: Indices, pairs: Indices
    ) -> None:
        """Keep what is read of a layer: pair ``pairs[i]`` was computed in ``slots[i]``."""
        if layer in self._plan.reads and len(pairs):
            units = self._steps.sites[layer].units(value, self._place(layer, side))
            self._write([row], layer, units, slots, pairs)

    def _place(self, layer: str, side: int) -> tuple[int, ...]:
        place = self._steps.view.places[layer]
        return place.before if side == 0 and place.before is not None else place.index

    def _write(
        self, rows: Sequence[int], layer: str, units: Tensor, slots: Indices, pairs: Indices
    ) -> None:
        plan = self._plan
        reads = plan.reads[layer]
        place, item = reads.spread.expand(plan.run[pairs])
        found = units.numpy()[slots[place], reads.units[item]]
        where = plan.row[pairs[place]] + reads.columns[item]
        for row in rows:
            self._results[row, where] = found

    # Where targets alone are read

    def _quick_groups(self) -> dict[str, list[tuple[Spread, Group]]]:
        """Return the changes of all runs that read their targets alone, by target layer."""
        found: dict[tuple[Any, ...], list[tuple[int, KernelChange]]] = defaultdict(list)
        for place in np.flatnonzero(self._plan.quick).tolist():
            for change in self._plan.runs[place].kernels:
                key = change.source, change.target, change.geometry
                found[key].append((place, change))
        groups: dict[str, list[tuple[Spread, Group]]] = defaultdict(list)
        for key, some in found.items():
            owners = np.array([place for place, _ in some])
            spread = Spread.of(owners, len(self._plan.runs))
            groups[key[1]].append((spread, Group.of([change for _, change in some])))
        return groups

    def _at_targets(
        self,
        step: int,
        value: Tensor,
        held: Mapping[str, Tensor],
        slots: Indices,
        pairs: Indices,
    ) -> None:
        """Compute what targets answer at the places that are read."""
        for layer in self._before[step] if len(pairs) else ():
            if layer not in self._quick:
                continue
            chosen = self._plan.target[self._plan.run[pairs]] == layer
            before = self._steps.sites[layer].units(value, self._place(layer, 0))
            seen = [self._seen(group, held) for _, group in self._quick[layer]]
            most = max(1, LARGEST_ROWS // before.shape[1])
            places, those = slots[chosen], pairs[chosen]
            for low in range(0, len(those), most):
                some, which = places[low : low + most], those[low : low + most]
                rows = before[torch.from_numpy(some)]
                for (spread, group), window in zip(self._quick[layer], seen, strict=True):
                    place, item = map(torch.from_numpy, spread.expand(self._plan.run[which]))
                    looked = window[torch.from_numpy(some)[place], item]
                    moved = (looked * group.kernels[item]).sum((1, 2))
                    rows.index_put_((place, group.target_units[item]), moved, accumulate=True)
                every = np.arange(len(which))
                self._write([0], layer, rows, every, which)
                self._write([1], layer, self._responded(layer, rows), every, which)

    def _seen(self, group: Group, held: Mapping[str, Tensor]) -> Tensor:
        """Return what each kernel of a group sees, axes (slot, edge, row, column)."""
        maps = as_maps(held[group.source], self._steps.sites[group.source])
        place = position(self._steps.sites[group.target], self._place(group.target, 0))
        if not group.geometry.pooling:
            return windows(maps, group.geometry, place)[:, group.source_units]
        units, back = torch.unique(group.source_units, return_inverse=True)
        pooled = after_pooling(maps[:, units], group.geometry.pooling)
        return windows(pooled, group.geometry, place)[:, back]

    def _responded(self, layer: str, rows: Tensor) -> Tensor:
        """Return what a pointwise nonlinearity makes of rows of a layer's units."""
        steps = self._steps
        if not steps.chains[layer]:
            return rows
        site = steps.sites[layer]
        shape = [{"n": len(rows), "c": rows.shape[1]}.get(axis, 1) for axis in site.layout]
        values: Values = {**self._fixed, steps.nodes[steps.before[layer]]: rows.clone().view(shape)}
        for step in range(steps.before[layer] + 1, steps.after[layer] + 1):
            if steps.nodes[step] in steps.chains[layer]:
                self._step(step, values, values.__getitem__)
        found: Tensor = values[steps.nodes[steps.after[layer]]]
        return found.reshape(len(rows), -1)

    # Where what comes after the targets is read

    def _leave(
        self,
        step: int,
        values: Values,
        held: Mapping[str, Tensor],
        slots: Indices,
        pairs: Indices,
        waiting: dict[tuple[int, int], list[_Slot]],
    ) -> None:
        """Set aside what the rest of the network needs; run it for each full batch."""
        plan, steps = self._plan, self._steps
        live = self._live(step) if len(pairs) else ()
        touched = set()
        for slot, pair in zip(slots.tolist(), pairs.tolist(), strict=True):
            run = int(plan.run[pair])
            state = {node: _sliced(values[node], slot) for node in live}
            maps = {
                group: as_maps(held[group.source], steps.sites[group.source])[
                    slot, group.source_units
                ]
                for group in self._groups[run]
                if steps.after[group.source] < step
            }
            key = step, int(plan.end[run])
            touched.add(key)
            waiting[key].append(_Slot(pair, run, state, maps))
            if len(waiting[key]) == steps.batch:
                self._edited(waiting.pop(key), *key)
        for key in touched & waiting.keys():  # they outlive the batch that they came from
            for one in waiting[key]:
                one.state = tree_map_only(Tensor, torch.clone, one.state)

    def _live(self, step: int) -> tuple[Node, ...]:
        if step not in self._lives:
            self._lives[step] = self._steps.live(step)
        return self._lives[step]

    @cached_property
    def _lives(self) -> dict[int, tuple[Node, ...]]:
        return {}

    def _edited(self, slots: list[_Slot], first: int, end: int) -> None:
        """Run the rest of the network, edited for each slot as its run says."""
        steps = self._steps
        values = dict(self._fixed)
        filled = [*slots, *[slots[-1]] * (steps.batch - len(slots))]
        for node in slots[0].state:
            values[node] = _joined([one.state[node] for one in filled])
        apart: Values = {}
        pairs = np.array([one.pair for one in slots])
        for step in range(first, end + 1):
            node = steps.nodes[step]
            if step > first:
                self._step(step, values, _arguments(values, apart.get(node, {})))
            for layer in self._before[step]:
                value = self._with_kernels(layer, values[node], slots)
                self._read(0, layer, 0, value, np.arange(len(slots)), pairs)
                if set(node.users) <= steps.chains[layer] or steps.after[layer] == step:
                    values[node] = value
                elif value is not values[node]:
                    for inside in steps.chains[layer]:
                        apart.setdefault(inside, {})[node] = value
            for layer in self._after[step]:
                values[node] = value = self._replaced(layer, values[node], slots)
                self._read(1, layer, 1, value, np.arange(len(slots)), pairs)
                self._capture(layer, value, slots)
            self._let_go(step, values)

    def _with_kernels(self, layer: str, value: Tensor, slots: Sequence[_Slot]) -> Tensor:
        """Return a pre-activation to which the changes of kernels are added."""
        changed = [
            (place, group, one.maps[group])
            for place, one in enumerate(slots)
            for group in self._groups[one.run]
            if group.target == layer
        ]
        if not changed:
            return value
        value = value.clone()
        maps = as_maps(value, self._steps.sites[layer])
        size = maps.shape[2], maps.shape[3]
        for place, group, seen in changed:
            given = after_pooling(seen[None], group.geometry.pooling)[0]
            moved = sums_on(given, group.kernels, group.geometry, size)
            maps[place].index_add_(0, group.target_units, moved)
        return value

    def _replaced(self, layer: str, value: Tensor, slots: Sequence[_Slot]) -> Tensor:
        found = [
            (place, one.pair, each)
            for place, one in enumerate(slots)
            for each in self._plan.runs[one.run].replacements
            if each.layer == layer
        ]
        if not found:
            return value
        value = value.clone()
        maps = as_maps(value, self._steps.sites[layer])
        for place, pair, each in found:
            given = each.value
            if isinstance(given, np.ndarray):
                image = int(given[self._plan.place[pair]])
                maps[place, each.unit] = self._donors[layer, each.unit, image]
            else:
                maps[place, each.unit] = float(given)
        return value

    def _capture(self, layer: str, value: Tensor, slots: Sequence[_Slot]) -> None:
        """Keep the maps of sources that changes further on read, as they are in the edited run."""
        for place, one in enumerate(slots):
            for group in self._groups[one.run]:
                if group.source == layer:
                    maps = as_maps(value, self._steps.sites[layer])
                    one.maps[group] = maps[place, group.source_units]

    def _given(self) -> Donors:
        """Return the maps of other images that replace those of a unit."""
        wanted: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for one, first in zip(self._plan.runs, self._plan.first.tolist(), strict=True):
            for each in one.replacements if first != NEVER else ():
                if isinstance(each.value, np.ndarray):
                    for image in np.unique(each.value).tolist():
                        wanted[image].append((each.layer, each.unit))
        found: dict[tuple[str, int, int], Tensor] = {}
        if not wanted:
            return found
        steps, shown = self._steps, np.array(sorted(wanted))
        last = max(steps.after[layer] for some in wanted.values() for layer, _ in some)
        for start, step, values in self._unedited(shown, np.full(len(shown), last)):
            for layer in self._after[step]:
                maps = as_maps(values[steps.nodes[step]], steps.sites[layer])
                for slot, image in enumerate(shown[start : start + steps.batch].tolist()):
                    for name, unit in wanted[image]:
                        if name == layer:
                            found[layer, unit, image] = maps[slot, unit].clone()
        return found


def _shown(plan: Plan) -> Indices:
    return np.array([len(one.images) for one in plan.runs])


def _sliced(value: Any, slot: int) -> Any:
    return tree_map_only(Tensor, lambda tensor: tensor[slot : slot + 1], value)


def _joined(values: list[Any]) -> Any:
    if isinstance(values[0], Tensor):
        joined = torch.cat(values)
        channels_last = joined.ndim == 4
        return joined.contiguous(memory_format=torch.channels_last) if channels_last else joined
    return type(values[0])(_joined(list(part)) for part in zip(*values, strict=True))


def _arguments(values: Values, instead: Values) -> Any:
    return lambda node: instead[node] if node in instead else values[node]
