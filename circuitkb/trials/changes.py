"""What an edit changes: differences of kernels, and what it leaves in place.

All kernels are looked at, not only those of edges that the graph keeps; where several connections
lead from one unit to another, all of them are edited.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from circuitkb.loaders.activations.editing.runs import (
    EditedRun,
    Geometry,
    Indices,
    KernelChange,
    Replacement,
)
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import TrialError
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.responses import Responses
from circuitkb.trials.edits import Edit
from circuitkb.trials.single_changes import Ablate, Put, Swap, Unit

NAMED = 4
"""So many layers are named in a note or an error; the others are counted."""


@dataclass(frozen=True, eq=False)
class Changed:
    """What an edit changes in a model's kernels.

    Attributes
    ----------
    kernels
        New kernels less the old ones.
    notes
        What the edit leaves in place, and where its kernels are not exact; a sentence each.
    shares
        For each, what part of the old kernel it is: -1 where that is taken away; None where it is
        no multiple of it.
    exact
        Whether no kernel is gated: one that is holds near a reference image only.
    """

    kernels: tuple[KernelChange, ...]
    shares: tuple[float | None, ...]
    notes: tuple[str, ...]
    exact: bool


@dataclass(frozen=True, eq=False)
class _Found:
    connection: Connection
    kernel: Floats

    @property
    def geometry(self) -> Geometry:
        rows, columns = self.kernel.shape
        one = self.connection
        return Geometry(rows, columns, one.stride or (1, 1), one.offset or (0, 0), one.pooling)


class Kernels:
    """The connections of a model, to be edited.

    Parameters
    ----------
    connections
        All of them, as a store gives them.

    Examples
    --------
    >>> units = np.array([[0, 1]], np.int32)
    >>> kernel = np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1, 1)
    >>> kernels = Kernels([Connection("c0", "a", "b", "direct", units, units, kernel)])
    >>> (change,) = kernels.changed(Edit.parse("scale a:0 by 0.5", "b:1")).kernels
    >>> change.kernel.tolist()
    [[-1.0]]
    >>> kernels.changed(Edit.parse("remove a:7", "b:1"))
    Traceback (most recent call last):
    circuitkb.schema.errors.TrialError: There is no edge from a:7 to b:1. The nearest is from a:1.
    """

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._between: dict[tuple[str, str], list[Connection]] = defaultdict(list)
        for one in connections:
            self._between[one.source, one.target].append(one)

    def changed(self, edit: Edit) -> Changed:
        """Return what an edit changes.

        Raises
        ------
        TrialError
            An edge is not there, or a kernel cannot be changed so.
        """
        changes: list[KernelChange] = []
        shares: list[float | None] = []
        notes: dict[str, None] = {}
        exact = True
        for change in edit.changes:
            if isinstance(change, Ablate):
                continue
            found = {source: self._found(source, target) for source, target in change.edges}
            if isinstance(change, Swap):
                new = _swapped(change, found)
            elif isinstance(change, Put):
                new = [_put(change, found[change.source])]
            else:
                new = [[change.apply(one.kernel) for one in found[change.source]]]
            for (source, some), kernels in zip(found.items(), new, strict=True):
                for one, kernel in zip(some, kernels, strict=True):
                    changes.append(_difference(source, change.target, one, kernel))
                    shares.append(_share(one.kernel, changes[-1].kernel))
                notes |= dict.fromkeys(self._notes(source, change.target, some))
                exact &= all(one.connection.path != "gated" for one in some)
        return Changed(tuple(changes), tuple(shares), tuple(notes), exact)

    def _found(self, source: Unit, target: Unit) -> list[_Found]:
        found = []
        for one in self._between.get((source.layer, target.layer), ()):
            kernel = one.find(source.unit, target.unit)
            if kernel is not None:
                found.append(_Found(one, np.asarray(kernel, np.float32)))
        if not found:
            raise TrialError(
                f"There is no edge from {source} to {target}. {self._nearest(source, target)}"
            )
        return found

    def _nearest(self, source: Unit, target: Unit) -> str:
        into = [found for pair, found in self._between.items() if pair[1] == target.layer]
        reading = {
            layer: units
            for layer, units in (_sources_of(target.unit, found) for found in into)
            if len(units)
        }
        if not reading:
            targets = sorted({layer for _, layer in self._between})
            return f"No edges lead into it.{did_you_mean(target.layer, targets)}"
        if source.layer in reading:
            units = reading[source.layer]
            nearest = int(units[np.abs(units - source.unit).argmin()])
            return f"The nearest is from {source.layer}:{nearest}."
        layers = list(reading)
        meant = did_you_mean(source.layer, layers)
        return f"Edges into it come from {_listed(layers)}.{meant}"

    def _notes(self, source: Unit, target: Unit, found: Sequence[_Found]) -> list[str]:
        edge = f"{source} to {target}"
        notes = []
        for one in found:
            connection = one.connection
            if connection.path == "gated":
                notes.append(
                    f"the edge from {edge} is gated: its kernel is the linear part near a "
                    "reference image, and what the gate makes of the source otherwise stays"
                )
            if connection.pooling:
                notes.append(
                    f"the edge from {edge} reads the source after pooling "
                    f"({', '.join(connection.pooling)})"
                )
            if any(connection.margin):
                top, bottom, left, right = connection.margin
                notes.append(
                    f"the edge from {edge} is edited with one kernel at all positions; the network "
                    f"has others at the border ({top} rows above, {bottom} below, {left} columns "
                    f"left, {right} right)"
                )
        between = self._layers_between(source.layer, target.layer)
        if between:
            notes.append(
                f"{source} still reaches {target} through {_listed(between)}: the edit changes the "
                "direct edge alone"
            )
        return notes

    @cached_property
    def _targets(self) -> dict[str, list[str]]:
        """For each layer, those that read it."""
        found: dict[str, list[str]] = defaultdict(list)
        for source, target in self._between:
            found[source].append(target)
        return found

    @cached_property
    def _reached(self) -> dict[str, frozenset[str]]:
        return {}

    def _reaches(self, layer: str) -> frozenset[str]:
        """Return all layers that a layer reaches."""
        if layer not in self._reached:
            found: set[str] = set()
            pending = [layer]
            while pending:
                for target in self._targets.get(pending.pop(), ()):
                    if target not in found:
                        found.add(target)
                        pending.append(target)
            self._reached[layer] = frozenset(found)
        return self._reached[layer]

    def _layers_between(self, source: str, target: str) -> list[str]:
        """Return the layers that read a layer, and lead to another one."""
        return [
            layer
            for layer in self._targets.get(source, ())
            if layer != target and target in self._reaches(layer)
        ]


def _sources_of(unit: int, connections: Sequence[Connection]) -> tuple[str, Indices]:
    """Return the layer and the units that some connections from one layer lead to a unit from."""
    units = [
        one.source_units[(one.target_units == unit).any(axis=1)].reshape(-1) for one in connections
    ]
    return connections[0].source, np.unique(np.concatenate(units)).astype(np.intp)


def _swapped(change: Swap, found: Mapping[Unit, list[_Found]]) -> list[list[Floats]]:
    first, second = (
        sorted(found[unit], key=lambda one: repr(one.geometry))
        for unit in (change.first, change.second)
    )
    if [one.geometry for one in first] != [one.geometry for one in second]:
        raise TrialError(
            f"The kernels of {change.first} and {change.second} into {change.target} lie "
            "differently on their sources' maps: they cannot be swapped."
        )
    pairs = list(zip(first, second, strict=True))
    other = {id(a): b.kernel for a, b in [*pairs, *((b, a) for a, b in pairs)]}
    return [[other[id(one)] for one in found[unit]] for unit in (change.first, change.second)]


def _put(change: Put, found: Sequence[_Found]) -> list[Floats]:
    """Put a kernel into the largest of several parallel connections; the others are emptied."""
    largest = max(found, key=lambda one: one.kernel.size)
    return [
        change.apply(one.kernel) if one is largest else np.zeros_like(one.kernel) for one in found
    ]


def _difference(source: Unit, target: Unit, found: _Found, new: Floats) -> KernelChange:
    kernel = np.ascontiguousarray(new - found.kernel)
    return KernelChange(
        source.layer, source.unit, target.layer, target.unit, kernel, found.geometry
    )


def _share(old: Floats, difference: Floats) -> float | None:
    """Return which multiple of a kernel another one is, None where it is none."""
    place = np.unravel_index(int(np.abs(old).argmax()), old.shape)
    if old[place] == 0:
        return None
    share = float(difference[place]) / float(old[place])
    with np.errstate(over="ignore"):
        return share if np.allclose(difference, share * old, rtol=1e-5, atol=1e-12) else None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def replacements_of(edit: Edit, responses: Responses, images: Indices) -> list[Replacement]:
    """Return what an edit puts in the place of ablated features' maps.

    Parameters
    ----------
    responses
        Of the model to the battery: means are over all its stimuli, of the response where the
        unit looks, and stand at every position of the map.
    images
        Stimuli that the edited network will be run on. Resampling gives each the map of another
        one of the whole battery; which one depends on the seed and the unit, not on the others.

    Raises
    ------
    NotFoundError
        A feature was not observed.
    """
    found = []
    for one in edit.ablated:
        value: float | Indices = 0.0
        if one.by == "mean":
            layer = responses.rows.get(one.unit.layer, slice(0, 0))
            if one.unit.unit >= layer.stop - layer.start:
                raise TrialError(f"{one.unit} was not observed: it has no mean.")
            value = float(
                np.asarray(responses.after[layer.start + one.unit.unit], np.float64).mean()
            )
        elif one.by == "resampling":
            value = another(len(responses.stimuli), one)[images]
        found.append(Replacement(one.unit.layer, one.unit.unit, value))
    return found


def another(count: int, ablation: Ablate) -> Indices:
    """Return for each of so many stimuli another one: none its own, each once."""
    draw = np.random.default_rng([ablation.seed, zlib.crc32(str(ablation.unit).encode())])
    order = draw.permutation(count)
    found = np.empty(count, np.intp)
    found[order] = np.roll(order, -1)
    return found


def run_of(
    edit: Edit,
    kernels: Kernels,
    responses: Responses,
    images: Indices,
    read: Mapping[str, Indices],
    *,
    shown: Indices | None = None,
) -> EditedRun:
    """Return an edit as a running network takes it.

    Parameters
    ----------
    images
        Stimuli, by their place in the battery.
    read
        For each layer that is to be read, the units.
    shown
        Numbers of the images that are shown in the place of these stimuli, if others are.

    Raises
    ------
    TrialError
        It cannot be made.
    """
    return EditedRun(
        kernels.changed(edit).kernels,
        replacements_of(edit, responses, images),
        images if shown is None else shown,
        read,
    )
