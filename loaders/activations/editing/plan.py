"""What a pass over images has to do for a list of edits, worked out before it begins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from circuitkb.loaders.activations.editing.runs import EditedRun, Geometry, Indices, KernelChange
from circuitkb.loaders.activations.editing.steps import Steps

NEVER = 2**31


@dataclass(frozen=True, eq=False)
class Group:
    """Changed kernels from one layer to another that lie alike: ``kernels`` (edge, row, column)."""

    source: str
    target: str
    geometry: Geometry
    source_units: Tensor
    target_units: Tensor
    kernels: Tensor

    @classmethod
    def of(cls, changes: Sequence[KernelChange]) -> Group:
        """Return changes of one group together."""
        one = changes[0]
        return cls(
            one.source,
            one.target,
            one.geometry,
            torch.tensor([change.source_unit for change in changes]),
            torch.tensor([change.target_unit for change in changes]),
            torch.from_numpy(np.stack([change.kernel for change in changes])),
        )


def groups_of(changes: Iterable[KernelChange]) -> list[Group]:
    """Return changes in as few groups as can be."""
    found: dict[tuple[str, str, Geometry], list[KernelChange]] = defaultdict(list)
    for change in changes:
        found[change.source, change.target, change.geometry].append(change)
    return [Group.of(some) for some in found.values()]


@dataclass(frozen=True, eq=False)
class Spread:
    """Items of some runs: those of run ``j`` are ``starts[j]`` to ``starts[j] + counts[j]``."""

    starts: Indices
    counts: Indices

    @classmethod
    def of(cls, owners: Indices, runs: int) -> Spread:
        """Return where items stand that are in the order of the runs they belong to."""
        counts = np.bincount(owners, minlength=runs)
        return cls(np.cumsum(counts) - counts, counts)

    def expand(self, runs: Indices) -> tuple[Indices, Indices]:
        """Return, for each item of each of some runs, the place of the run and the item."""
        counts = self.counts[runs]
        place = np.repeat(np.arange(len(runs)), counts)
        first = np.cumsum(counts) - counts
        return place, np.arange(len(place)) - np.repeat(first - self.starts[runs], counts)


@dataclass(frozen=True, eq=False)
class Reads:
    """What is read of one layer: units, and the columns of a run's results that they go to."""

    spread: Spread
    columns: Indices
    units: Indices


@dataclass(frozen=True, eq=False)
class Plan:
    """Edits laid out for a pass.

    Attributes
    ----------
    first, end
        For each run, the step of its first change and the last one that is read after it; first
        is :data:`NEVER` where nothing that is read comes after it.
    quick
        Runs whose only changed reading is that of their targets, at one place.
    target
        For each run, the layer of its first change of a kernel.
    reads
        By layer.
    width, start
        For each run, units read, and where its results begin among all.
    shown, until
        The distinct images, and the last step that each is run to in the unedited network: those
        that end early first, so that they are run together.
    run, slot, place, row
        For each image of each run, in the order of ``shown``: the run, the image's place there and
        among those of the run, and where its row of results begins.
    """

    runs: Sequence[EditedRun]
    steps: Steps
    first: Indices
    end: Indices
    quick: NDArray[np.bool_]
    target: NDArray[np.str_]
    reads: Mapping[str, Reads]
    width: Indices
    start: Indices
    shown: Indices
    until: Indices
    run: Indices
    slot: Indices
    place: Indices
    row: Indices

    @classmethod
    def of(cls, steps: Steps, runs: Sequence[EditedRun]) -> Plan:
        """Lay out some runs."""
        spans = [_span(steps, one) for one in runs]
        first, end, quick = (np.array(column) for column in zip(*spans, strict=True))
        width = np.array([sum(map(len, one.read.values())) for one in runs])
        shown = np.array([len(one.images) for one in runs])
        start = np.cumsum(width * shown) - width * shown
        run = np.repeat(np.arange(len(runs)), shown)
        place = np.arange(len(run)) - np.repeat(np.cumsum(shown) - shown, shown)
        images, slot = np.unique(np.concatenate([one.images for one in runs]), return_inverse=True)
        reached = np.array([max((steps.after[n] for n in one.read), default=0) for one in runs])
        until = np.zeros(len(images), np.intp)
        np.maximum.at(until, slot, reached[run])
        early = np.argsort(until, kind="stable")
        slot = np.argsort(early)[slot]
        order = np.argsort(slot, kind="stable")
        run, place, slot = run[order], place[order], slot[order]
        row = start[run] + place * width[run]
        reads = _reads(runs)
        target = np.array([next((c.target for c in one.kernels), "") for one in runs])
        return cls(
            runs,
            steps,
            first,
            end,
            quick,
            target,
            reads,
            width,
            start,
            images[early],
            until[early],
            run,
            slot,
            place,
            row,
        )

    def sources(self) -> dict[str, int]:
        """Return the layers whose maps are held in the unedited network, and until which step."""
        until: dict[str, int] = {}
        for one, first in zip(self.runs, self.first.tolist(), strict=True):
            for change in one.kernels if first != NEVER else ():
                if self.steps.after[change.source] < first:
                    until[change.source] = max(until.get(change.source, 0), first)
        return until


def _span(steps: Steps, run: EditedRun) -> tuple[int, int, bool]:
    changed = {steps.before[one.target] for one in run.kernels}
    changed |= {steps.after[one.layer] for one in run.replacements}
    first = min(changed, default=NEVER)
    later = {layer for layer in run.read if steps.after[layer] >= first}
    if not later:
        return NEVER, 0, False
    targets = {one.target for one in run.kernels}
    alone = len(targets) == 1 and targets == later and targets <= steps.pointwise
    quick = alone and not run.replacements
    return first, max(steps.after[layer] for layer in later), quick


def _reads(runs: Sequence[EditedRun]) -> dict[str, Reads]:
    found: dict[str, list[tuple[int, int, Indices]]] = defaultdict(list)
    for place, one in enumerate(runs):
        column = 0
        for layer, units in one.read.items():
            found[layer].append((place, column, np.asarray(units, np.intp)))
            column += len(units)
    reads = {}
    for layer, some in found.items():
        owners = np.repeat([place for place, _, _ in some], [len(units) for _, _, units in some])
        columns = [np.arange(column, column + len(units)) for _, column, units in some]
        reads[layer] = Reads(
            Spread.of(owners, len(runs)),
            np.concatenate(columns),
            np.concatenate([units for _, _, units in some]),
        )
    return reads
