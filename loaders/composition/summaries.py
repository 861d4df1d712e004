"""What the graph says of an edge: the kernel in a few numbers, and which edges it keeps.

A network has tens of millions of nonzero edges. The graph keeps the strongest inputs of each
unit and writes on the unit how much was left out, so nothing vanishes without account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from circuitkb.loaders.composition.ranking import RankedEdges, rank_inputs
from circuitkb.schema.kernels import Connection, Floats, Integers
from circuitkb.schema.tables import relation_schema, relation_table

_BLOCK = 1 << 21
"""Kernel values that are widened to double precision at a time (16 MB for each copy)."""

_Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UnitInputs:
    """What flows into the units of one layer, and how much of it the graph does not keep.

    All arrays have one value for each unit in ``unit``, which is sorted and lists the units that
    some connection reaches, even with zero kernels only.
    """

    unit: Integers
    inputs: NDArray[np.int64]
    input_l1: _Doubles
    input_l2_squared: _Doubles
    left_out_l1: _Doubles
    left_out_l2_squared: _Doubles


@dataclass(frozen=True, eq=False)
class EdgeSummary:
    """The kept edges as a ``WEIGHT`` table, and by target layer what each unit gets in all."""

    weights: pa.Table
    layers: Mapping[str, UnitInputs]

    @property
    def edges(self) -> int:
        """Nonzero edges in all, kept or not."""
        return sum(int(layer.inputs.sum()) for layer in self.layers.values())


def kernel_statistics(kernel: Floats) -> dict[str, Floats]:
    """Return the numbers that a ``WEIGHT`` says of its kernel, under the names it uses.

    Parameters
    ----------
    kernel
        float32, axes (..., row, column).

    Returns
    -------
    dict
        Arrays with the leading axes of ``kernel``: ``sum``, ``positive`` and ``negative`` (mass
        of each sign; negative is at most 0), ``l1``, ``l2``, ``max_abs``, and the centroids
        ``positive_dy``, ``positive_dx``, ``negative_dy``, ``negative_dx`` in rows and columns
        from the kernel's centre ((rows - 1) / 2, (columns - 1) / 2): dy grows downwards, dx to
        the right. A centroid without mass is NaN. Sums are taken in double precision.

    Examples
    --------
    >>> k = np.array([[0, 3], [0, -1]], np.float32)
    >>> found = kernel_statistics(k)
    >>> {name: float(found[name]) for name in ("sum", "positive", "negative", "l1", "max_abs")}
    {'sum': 2.0, 'positive': 3.0, 'negative': -1.0, 'l1': 4.0, 'max_abs': 3.0}
    >>> float(found["positive_dy"]), float(found["positive_dx"])
    (-0.5, 0.5)
    """
    *lead, rows, columns = kernel.shape
    flat = kernel.reshape(-1, rows * columns)
    down, right = np.meshgrid(
        np.arange(rows) - (rows - 1) / 2, np.arange(columns) - (columns - 1) / 2, indexing="ij"
    )
    moments = np.stack([np.ones(rows * columns), down.ravel(), right.ravel()], axis=1)
    found = {name: np.empty(len(flat), np.float32) for name in _STATISTICS}
    step = max(1, _BLOCK // max(1, rows * columns))
    for start in range(0, len(flat), step):
        for name, values in _block_statistics(flat[start : start + step], moments).items():
            found[name][start : start + step] = values
    return {name: values.reshape(lead) for name, values in found.items()}


_STATISTICS = (
    "sum",
    "positive",
    "negative",
    "l1",
    "l2",
    "max_abs",
    "positive_dy",
    "positive_dx",
    "negative_dy",
    "negative_dx",
)


def _block_statistics(flat: Floats, moments: _Doubles) -> dict[str, _Doubles]:
    values = flat.astype(np.float64)
    above = np.maximum(values, 0)
    below = values - above
    positive, positive_dy, positive_dx = (above @ moments).T
    negative, negative_dy, negative_dx = (below @ moments).T
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "sum": positive + negative,
            "positive": positive,
            "negative": negative,
            "l1": positive - negative,
            "l2": np.sqrt(np.einsum("ij,ij->i", values, values)),
            "max_abs": np.maximum(above, -below).max(axis=1, initial=0),
            "positive_dy": np.where(positive > 0, positive_dy / positive, np.nan),
            "positive_dx": np.where(positive > 0, positive_dx / positive, np.nan),
            "negative_dy": np.where(negative < 0, negative_dy / negative, np.nan),
            "negative_dx": np.where(negative < 0, negative_dx / negative, np.nan),
        }


def strongest_inputs(connections: Sequence[Connection], *, model: str, keep: int) -> EdgeSummary:
    """Keep the strongest inputs of each unit and account for the rest.

    All edges into a unit compete, whatever layer they come from: they are ranked by ``l1``, from
    1 for the largest; ties go to the connection that stands first, then to the place in it. A
    kernel of zeros is no edge. Two connections between the same units give two edges.

    Parameters
    ----------
    connections
        All connections of a model, or all that lead into some of its layers.
    model
        Name of the model, for the ids.
    keep
        Edges to keep into each unit, at least 1.

    Returns
    -------
    EdgeSummary
        Its rows are ordered by target layer (as the connections bring them), target unit, rank.

    Examples
    --------
    >>> units = np.array([[0, 1]], np.int32)
    >>> kernel = np.array([[5, -1], [0, 2]], np.float32).reshape(1, 2, 2, 1, 1)
    >>> edge = Connection("c0", "a", "b", "direct", units, units, kernel)
    >>> summary = strongest_inputs([edge], model="m", keep=1)
    >>> summary.weights.select(["source", "target", "sum", "rank"]).to_pylist()
    [{'source': 'm/a:0', 'target': 'm/b:0', 'sum': 5.0, 'rank': 1},
     {'source': 'm/a:1', 'target': 'm/b:1', 'sum': 2.0, 'rank': 1}]
    >>> summary.layers["b"].left_out_l1.tolist(), summary.edges
    ([1.0, 0.0], 3)
    """
    if keep < 1:
        raise ValueError(f"keep={keep}: at least one input of each unit is kept.")
    found: list[dict[str, Any]] = []
    layers = {}
    for target, into in _by_target(connections).items():
        edges = rank_inputs(into, keep)
        found.append(_columns(into, edges, model))
        layers[target] = _account(into, edges, _squared(found[-1]["l2"]))
    if not found:
        return EdgeSummary(relation_schema("WEIGHT").empty_table(), layers)
    # One table of all is made at once: a table of each, and all of them copied, take twice as much.
    columns = {name: _joined([each.pop(name) for each in found]) for name in list(found[0])}
    return EdgeSummary(relation_table("WEIGHT", columns).combine_chunks(), layers)


def _joined(pieces: Sequence[Any]) -> NDArray[Any] | pa.ChunkedArray:
    if isinstance(pieces[0], pa.Array):
        return pa.chunked_array(pieces)
    joined: NDArray[Any] = np.concatenate(pieces)
    return joined


def edges_between(
    connections: Sequence[Connection],
    key: str,
    source_units: Sequence[int] | Integers,
    target_units: Sequence[int] | Integers,
    *,
    model: str,
) -> pa.Table:
    """Return the ``WEIGHT`` rows of given pairs, also where the graph did not keep them.

    Parameters
    ----------
    connections
        All connections of the model, as ranks count every input of a target.
    key
        The connection that the pairs stand in.
    source_units, target_units
        The pairs, one beside the other; repeated ones count once.

    Returns
    -------
    pyarrow.Table
        Ordered by target unit and rank. Pairs whose kernel is zero, or that the connection does
        not hold, are no edges and have no row.

    Raises
    ------
    KeyError
        No connection has this key.

    Examples
    --------
    >>> units = np.array([[0, 1]], np.int32)
    >>> kernel = np.array([[5, -1], [0, 2]], np.float32).reshape(1, 2, 2, 1, 1)
    >>> edge = Connection("c0", "a", "b", "direct", units, units, kernel)
    >>> edges_between([edge], "c0", [1, 0], [0, 1], model="m").select(
    ...     ["source", "target", "sum", "rank"]).to_pylist()
    [{'source': 'm/a:1', 'target': 'm/b:0', 'sum': -1.0, 'rank': 2}]
    """
    target = {connection.key: connection.target for connection in connections}[key]
    into = [connection for connection in connections if connection.target == target]
    place = [connection.key for connection in into].index(key)
    wanted = _pair(np.asarray(target_units), np.asarray(source_units))
    asked = np.unique(np.asarray(target_units, dtype=np.int32))
    tables = [relation_schema("WEIGHT").empty_table()]
    for start in range(0, len(asked), 256):
        edges = rank_inputs(into, None, only=asked[start : start + 256])
        pairs = _pair(edges.target_unit, edges.source_unit)
        chosen = (edges.connection == place) & np.isin(pairs, wanted)
        columns = _columns(into, edges.take(np.flatnonzero(chosen)), model)
        tables.append(relation_table("WEIGHT", columns))
    return pa.concat_tables(tables).combine_chunks()


def _pair(target: NDArray[Any], source: NDArray[Any]) -> NDArray[np.int64]:
    return (target.astype(np.int64) << 32) | source.astype(np.int64)


def _by_target(connections: Sequence[Connection]) -> dict[str, list[Connection]]:
    found: dict[str, list[Connection]] = {}
    for connection in connections:
        found.setdefault(connection.target, []).append(connection)
    return found


def _columns(into: Sequence[Connection], edges: RankedEdges, model: str) -> dict[str, Any]:
    """Return the columns of a ``WEIGHT`` table of the edges."""
    count = len(edges.rank)
    statistics: dict[str, Any] = {name: np.empty(count, np.float32) for name in _STATISTICS}
    for place, connection in enumerate(into):
        here = np.flatnonzero(edges.connection == place)
        groups, out, inputs, *window = connection.kernel.shape
        flat = connection.kernel.reshape(groups * out, inputs, *window)
        step = max(1, 4 * _BLOCK // max(1, int(np.prod(window))))
        for start in range(0, len(here), step):
            part = here[start : start + step]
            for name, values in kernel_statistics(
                flat[edges.row[part], edges.column[part]]
            ).items():
                statistics[name][part] = values
    statistics["l1"] = edges.l1
    return statistics | {
        "source": _feature_ids(model, [c.source for c in into], edges, edges.source_unit),
        "target": _feature_ids(model, [c.target for c in into], edges, edges.target_unit),
        "rank": edges.rank,
        "path": _text([c.path for c in into], edges),
        "connection": _text([c.key for c in into], edges),
        "origin": _text([c.origin for c in into], edges),
    }


def _squared(values: Floats) -> _Doubles:
    squared: _Doubles = values.astype(np.float64) ** 2
    return squared


def _text(values: Sequence[str | None], edges: RankedEdges) -> pa.Array:
    return pa.array(values, pa.string()).take(pa.array(edges.connection))


def _feature_ids(
    model: str, layers: Sequence[str], edges: RankedEdges, units: Integers
) -> pa.Array:
    prefixes = _text([f"{model}/{layer}:" for layer in layers], edges)
    return pc.binary_join_element_wise(prefixes, pa.array(units).cast(pa.string()), "")


def _account(
    into: Sequence[Connection], edges: RankedEdges, kept_l2_squared: _Doubles
) -> UnitInputs:
    unit = np.unique(np.concatenate([connection.target_units.ravel() for connection in into]))
    totals = {name: values[unit] for name, values in edges.totals.items()}
    size = int(unit.max(initial=-1)) + 1

    def left(total: _Doubles, kept: NDArray[Any]) -> _Doubles:
        # Where all is kept, rounding must not leave a trace of something left out.
        rest = total - np.bincount(edges.target_unit, kept, size)[unit]
        return np.where(whole, 0.0, np.maximum(rest, 0.0))

    whole = np.bincount(edges.target_unit, minlength=size)[unit] == totals["inputs"]
    return UnitInputs(
        unit=unit,
        inputs=totals["inputs"],
        input_l1=totals["l1"],
        input_l2_squared=totals["l2_squared"],
        left_out_l1=left(totals["l1"], edges.l1),
        left_out_l2_squared=left(totals["l2_squared"], kept_l2_squared),
    )
