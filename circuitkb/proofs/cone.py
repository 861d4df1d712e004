"""All that one target reads, some layers back: affine maps and what cuts off between them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.proofs.wiring import LayerShape, Values, Wiring
from circuitkb.schema.errors import ProofError
from circuitkb.schema.kernels import Connection

if TYPE_CHECKING:
    from scipy import sparse

Indices = NDArray[np.int64]

MOST_WEIGHTS = 20_000_000
"""Weights that are encoded at most: 240 MB, and as much again while they are put together."""

Place = tuple[str, int, int, int]
"""Layer, unit, row and column."""


class Made(NamedTuple):
    """What places are made of before the nonlinearity.

    ``matrix`` has the weights of all earlier variables, axes (place, variable); ``bias`` is the
    constant part.
    """

    matrix: sparse.csr_matrix
    bias: Values


@dataclass(frozen=True, eq=False)
class Part:
    """Some places of a layer: variables of the cone.

    Attributes
    ----------
    layer
        Its name.
    index
        Unit, row and column of each, as one number: ``(unit * rows + row) * columns + column``.
    start
        Number of the first variable.
    made
        What they are made of; None where the box lies over them.
    low, high
        Between which numbers the nonlinearity cuts off.
    """

    layer: str
    shape: LayerShape
    index: Indices
    start: int
    made: Made | None = None
    low: float = -math.inf
    high: float = math.inf

    @property
    def stop(self) -> int:
        """Number after that of the last variable."""
        return self.start + len(self.index)

    @property
    def units(self) -> Indices:
        """The unit of each variable."""
        found: Indices = self.index // (self.shape.rows * self.shape.columns)
        return found

    @property
    def rows(self) -> Indices:
        """The row of each variable."""
        found: Indices = self.index // self.shape.columns % self.shape.rows
        return found

    @property
    def columns(self) -> Indices:
        """The column of each variable."""
        found: Indices = self.index % self.shape.columns
        return found


@dataclass(frozen=True, eq=False)
class Cone:
    """What a target reads.

    Attributes
    ----------
    target
        Its place.
    parts
        Variables in the order of computation.
    weights, bias
        The target before its nonlinearity: a weight for each variable, and the constant part.
    """

    target: Place
    parts: tuple[Part, ...]
    weights: Values
    bias: float

    @property
    def size(self) -> int:
        """Number of variables."""
        return self.parts[-1].stop if self.parts else 0

    @cached_property
    def in_box(self) -> NDArray[np.bool_]:
        """Whether the box lies over a variable."""
        found = np.zeros(self.size, bool)
        for part in self.boxed:
            found[part.start : part.stop] = True
        return found

    @property
    def boxed(self) -> Iterator[Part]:
        """The parts over which the box lies."""
        return (part for part in self.parts if part.made is None)

    @property
    def computed(self) -> Iterator[tuple[Part, Made]]:
        """The parts that are computed from earlier ones, and what they are made of."""
        return ((part, part.made) for part in self.parts if part.made is not None)

    def find(self, place: Place) -> int | None:
        """Return the number of the variable at a place, if it is read."""
        layer, unit, row, column = place
        for part in self.parts:
            if part.layer == layer:
                wanted = (unit * part.shape.rows + row) * part.shape.columns + column
                at = int(np.searchsorted(part.index, wanted))
                if at < len(part.index) and part.index[at] == wanted:
                    return part.start + at
        return None

    def values(self, box: Values) -> tuple[Values, float]:
        """Return all variables and the target, given what stands in the box.

        Parameters
        ----------
        box
            A number for each variable; those that are computed are not read.
        """
        found = box.astype(np.float64, copy=True)
        for part, made in self.computed:
            pre = made.matrix @ found[: part.start] + made.bias
            found[part.start : part.stop] = np.clip(pre, part.low, part.high)
        return found, float(self.weights @ found + self.bias)


def cone_of(
    wiring: Wiring, target: Place, *, layers: float, watched: Collection[Place] = ()
) -> Cone:
    """Return what a target reads.

    Parameters
    ----------
    layers
        So many layers are computed, the target's own counted; the box lies over what these read.
        Infinity goes back to the input.
    watched
        Places that are read besides.

    Raises
    ------
    ProofError
        A layer cannot be encoded, or all of it is too large.
    """
    shapes = wiring.layers
    wanted: dict[str, list[Indices]] = {}
    for layer, unit, row, column in watched:
        shape = shapes[layer]
        one = np.array([(unit * shape.rows + row) * shape.columns + column], np.int64)
        wanted.setdefault(layer, []).append(one)
    name, unit, row, column = target
    own = np.array([(unit * shapes[name].rows + row) * shapes[name].columns + column], np.int64)
    room = MOST_WEIGHTS
    last = _Read.of(wiring, name, own, room)
    read: dict[str, tuple[Indices, _Read | None]] = {}
    room -= sum(len(entry) for entry in last.entries)
    _want(wanted, last)
    count = 1
    while wanted:
        layer = max(wanted, key=lambda one: shapes[one].position)
        index = np.unique(np.concatenate(wanted.pop(layer)))
        if shapes[layer].kind == "input" or count >= layers:
            read[layer] = index, None
            continue
        wiring.clip(layer)
        found = _Read.of(wiring, layer, index, room)
        room -= sum(len(entry) for entry in found.entries)
        _want(wanted, found)
        read[layer] = index, found
        count += 1
    return _numbered(wiring, target, read, last)


@dataclass(frozen=True, eq=False)
class _Read:
    """What some places of a layer read: for each connection, which place reads what, and how."""

    bias: Values
    sources: list[str]
    readers: list[Indices]
    entries: list[Indices]
    weights: list[Values]

    @classmethod
    def of(cls, wiring: Wiring, layer: str, index: Indices, room: int) -> _Read:
        shape = wiring.layers[layer]
        units, places = np.divmod(index, shape.rows * shape.columns)
        biases = wiring.biases(layer)[units]
        if not np.isfinite(biases).all():
            raise ProofError(
                f"{wiring.model}/{layer}: not all that leads into it is linear, so its bias is not "
                "known and nothing can be proved of it."
            )
        found = cls(biases, [], [], [], [])
        for one in wiring.into(layer):
            rows, columns = np.divmod(places, shape.columns)
            readers, entries, weights = _edges(
                one, units, rows, columns, shape, wiring.layers[one.source], room
            )
            room -= len(entries)
            found.sources.append(one.source)
            found.readers.append(readers)
            found.entries.append(entries)
            found.weights.append(weights)
        return found


def _want(wanted: dict[str, list[Indices]], read: _Read) -> None:
    for source, entries in zip(read.sources, read.entries, strict=True):
        if len(entries):
            wanted.setdefault(source, []).append(np.unique(entries))


def _edges(
    one: Connection,
    units: Indices,
    rows: Indices,
    columns: Indices,
    shape: LayerShape,
    source: LayerShape,
    room: int,
) -> tuple[Indices, Indices, Values]:
    """Return which of some places read what of a connection's source, and with which weights."""
    targets = one.target_units.reshape(-1)
    order = np.argsort(targets, kind="stable")
    first = np.searchsorted(targets[order], units, "left")
    counts = np.searchsorted(targets[order], units, "right") - first
    readers = np.repeat(np.arange(len(units)), counts)
    within = np.arange(len(readers)) - np.repeat(np.cumsum(counts) - counts, counts)
    pairs = order[np.repeat(first, counts) + within]
    _check_margin(one, rows[readers], columns[readers], shape)
    groups, outs = np.divmod(pairs, one.target_units.shape[1])
    into, high, wide = one.kernel.shape[2:]
    spread = source.rows * source.columns if one.pooling else 1
    if len(pairs) * into * high * wide * spread > room:
        raise ProofError(
            f"It is too large to encode: more than {MOST_WEIGHTS:,} weights. Compute fewer layers "
            "(--box 'layers 2'), or none (--box range)."
        )
    kernels = np.asarray(one.kernel)[groups, outs].astype(np.float64)
    stride, offset = one.stride, one.offset
    assert stride is not None, "Wiring.into refuses these"
    assert offset is not None, "Wiring.into refuses these"
    sources = one.source_units[groups].astype(np.int64)
    if one.pooling:  # the mean over the map
        every = np.arange(spread)
        entries = (sources[:, :, None] * spread + every).reshape(len(pairs), -1)
        weights = np.repeat(kernels.sum(axis=(3, 4)), spread, axis=1) / spread
        return np.repeat(readers, entries.shape[1]), entries.reshape(-1), weights.reshape(-1)
    ys = stride[0] * rows[readers, None] + offset[0] + np.arange(high)
    xs = stride[1] * columns[readers, None] + offset[1] + np.arange(wide)
    down, across = (ys >= 0) & (ys < source.rows), (xs >= 0) & (xs < source.columns)
    inside = down[:, None, :, None] & across[:, None, None, :]
    used = inside & (kernels != 0)
    entries = (sources[:, :, None, None] * source.rows + ys[:, None, :, None]) * source.columns
    entries = entries + xs[:, None, None, :]
    each = np.broadcast_to(readers[:, None, None, None], used.shape)
    return each[used], np.broadcast_to(entries, used.shape)[used], kernels[used]


def _check_margin(one: Connection, rows: Indices, columns: Indices, shape: LayerShape) -> None:
    top, bottom, left, right = one.margin
    if len(rows) and (
        rows.min() < top
        or rows.max() >= shape.rows - bottom
        or columns.min() < left
        or columns.max() >= shape.columns - right
    ):
        raise ProofError(
            f"The kernels from {one.source} into {one.target} are not exact at the border, which "
            "would be read: compute fewer layers, as in --box 'layers 2'."
        )


def _numbered(
    wiring: Wiring, target: Place, read: dict[str, tuple[Indices, _Read | None]], last: _Read
) -> Cone:
    """Give every place that is read its number, and make matrices of what reads it."""
    layers = sorted(read, key=lambda one: wiring.layers[one].position)
    starts = np.cumsum([0, *(len(read[layer][0]) for layer in layers)])
    start = dict(zip(layers, starts.tolist(), strict=False))
    parts = []
    for layer in layers:
        index, found = read[layer]
        part = Part(layer, wiring.layers[layer], index, start[layer])
        if found is not None:
            matrix = _matrix(found, len(index), start[layer], read, start)
            part = Part(
                layer, part.shape, index, part.start, Made(matrix, found.bias), *wiring.clip(layer)
            )
        parts.append(part)
    weights = _matrix(last, 1, int(starts[-1]), read, start).toarray()[0]
    return Cone(target, tuple(parts), weights, float(last.bias[0]))


def _matrix(
    found: _Read,
    rows: int,
    columns: int,
    read: dict[str, tuple[Indices, _Read | None]],
    start: dict[str, int],
) -> sparse.csr_matrix:
    from scipy import sparse

    at = [
        start[source] + np.searchsorted(read[source][0], entries)
        if len(entries)
        else np.empty(0, np.int64)
        for source, entries in zip(found.sources, found.entries, strict=True)
    ]
    # What stands twice is added up.
    return sparse.csr_matrix(
        (
            np.concatenate(found.weights),
            (np.concatenate(found.readers), np.concatenate(at)),
        ),
        shape=(rows, columns),
    )
