"""Edge summaries against loops over every edge."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitkb.loaders.composition.summaries import (
    edges_between,
    kernel_statistics,
    strongest_inputs,
)
from circuitkb.schema.kernels import Connection, Floats
from circuitkb.schema.tables import relation_schema

STATISTICS = {
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
}


def statistics_by_loop(kernel: Floats) -> dict[str, float]:
    """What the definition of the graph says of each number, one value at a time."""
    rows, columns = kernel.shape
    mass = {+1: 0.0, -1: 0.0}
    moment = {+1: [0.0, 0.0], -1: [0.0, 0.0]}
    squares = largest = 0.0
    for row in range(rows):
        for column in range(columns):
            value = float(kernel[row, column])
            squares += value * value
            largest = max(largest, abs(value))
            if value:
                sign = 1 if value > 0 else -1
                mass[sign] += value
                moment[sign][0] += value * (row - (rows - 1) / 2)
                moment[sign][1] += value * (column - (columns - 1) / 2)

    def centroid(sign: int, axis: int) -> float:
        return moment[sign][axis] / mass[sign] if mass[sign] else math.nan

    return {
        "sum": mass[1] + mass[-1],
        "positive": mass[1],
        "negative": mass[-1],
        "l1": mass[1] - mass[-1],
        "l2": math.sqrt(squares),
        "max_abs": largest,
        "positive_dy": centroid(1, 0),
        "positive_dx": centroid(1, 1),
        "negative_dy": centroid(-1, 0),
        "negative_dx": centroid(-1, 1),
    }


@dataclass(frozen=True)
class Edge:
    connection: Connection
    source: int
    target: int
    kernel: Floats


def edges_by_loop(connections: Sequence[Connection], target_layer: str) -> Iterator[Edge]:
    for connection in connections:
        if connection.target != target_layer:
            continue
        groups, out, into = connection.kernel.shape[:3]
        for g in range(groups):
            for o in range(out):
                for i in range(into):
                    kernel = connection.kernel[g, o, i]
                    if np.any(kernel != 0):
                        source = int(connection.source_units[g, i])
                        target = int(connection.target_units[g, o])
                        yield Edge(connection, source, target, kernel)


def ranked_by_loop(connections: Sequence[Connection], layer: str, unit: int) -> list[Edge]:
    edges = [edge for edge in edges_by_loop(connections, layer) if edge.target == unit]
    return sorted(edges, key=lambda edge: -np.float32(statistics_by_loop(edge.kernel)["l1"]))


def connect(
    key: str,
    kernel: Any,
    *,
    source: str = "a",
    target: str = "b",
    path: Any = "direct",
    origin: str | None = None,
    seed: int = 0,
) -> Connection:
    """Join units drawn without repetition, so that units are not simply counted through."""
    groups, out, into = kernel.shape[:3]
    rng = np.random.default_rng(seed)
    targets = rng.permutation(groups * out + 2)[: groups * out].reshape(groups, out)
    sources = rng.permutation(groups * into + 2)[: groups * into].reshape(groups, into)
    return Connection(
        key,
        source,
        target,
        path,
        targets.astype(np.int32),
        sources.astype(np.int32),
        np.asarray(kernel, np.float32),
        origin=origin,
    )


# Small integers make ties and zero kernels common, and sums exact.
@st.composite
def networks(draw: st.DrawFn) -> list[Connection]:
    found = []
    for number in range(draw(st.integers(1, 4))):
        shape = tuple(draw(st.integers(1, high)) for high in (3, 3, 4, 3, 3))
        rng = np.random.default_rng(draw(st.integers(0, 10_000)))
        kernel = rng.integers(-2, 3, shape) * (rng.random(shape[:3]) < 0.8)[..., None, None]
        found.append(
            connect(
                f"c{number}",
                kernel,
                source=draw(st.sampled_from(["a", "b"])),
                target=draw(st.sampled_from(["c", "d"])),
                path=draw(st.sampled_from(["direct", "residual", "pooled", "gated"])),
                origin=draw(st.sampled_from([None, "figure 1"])),
                seed=draw(st.integers(0, 5)),
            )
        )
    return found


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 2), (5, 4), (1, 3)])
def test_kernel_statistics_agree_with_a_loop_over_the_values(shape: tuple[int, int]) -> None:
    kernels = np.random.default_rng(1).standard_normal((2, 6, *shape)).astype(np.float32)
    kernels[0, 0] = 0
    kernels[0, 1] = np.abs(kernels[0, 1])
    kernels[0, 2] = -np.abs(kernels[0, 2])
    found = kernel_statistics(kernels)
    assert set(found) == STATISTICS
    for place in np.ndindex(2, 6):
        expected = statistics_by_loop(kernels[place])
        got = {name: float(values[place]) for name, values in found.items()}
        assert got == pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True)


def test_down_and_right_are_positive() -> None:
    kernel = np.zeros((3, 5), np.float32)
    kernel[2, 4] = 1
    kernel[0, 1] = -2
    found = {name: float(value) for name, value in kernel_statistics(kernel).items()}
    assert (found["positive_dy"], found["positive_dx"]) == (1, 2)
    assert (found["negative_dy"], found["negative_dx"]) == (-1, -1)


def test_sums_do_not_lose_small_values_beside_large_ones() -> None:
    kernel = np.full((200, 200), 1e-4, np.float32)
    kernel[0, 0] = 1e4
    kernel[0, 1] = -1e4
    assert float(kernel_statistics(kernel)["sum"]) == pytest.approx(39_998 * 1e-4, rel=1e-5)


def test_many_kernels_are_read_in_blocks_that_join_without_a_seam(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernels = np.random.default_rng(2).standard_normal((50, 3, 3)).astype(np.float32)
    whole = kernel_statistics(kernels)
    monkeypatch.setattr("circuitkb.loaders.composition.summaries._BLOCK", 9 * 7)
    for name, values in kernel_statistics(kernels).items():
        np.testing.assert_array_equal(values, whole[name])


@settings(deadline=None, max_examples=60)
@given(connections=networks(), keep=st.integers(1, 9))
def test_the_graph_keeps_the_strongest_inputs_of_each_unit(
    connections: list[Connection], keep: int
) -> None:
    summary = strongest_inputs(connections, model="m", keep=keep)
    rows = summary.weights.to_pylist()
    expected = []
    for layer in dict.fromkeys(connection.target for connection in connections):
        for unit in sorted({edge.target for edge in edges_by_loop(connections, layer)}):
            for rank, edge in enumerate(ranked_by_loop(connections, layer, unit)[:keep], 1):
                fixed: dict[str, Any] = {
                    "source": f"m/{edge.connection.source}:{edge.source}",
                    "target": f"m/{layer}:{unit}",
                    "rank": rank,
                    "path": edge.connection.path,
                    "connection": edge.connection.key,
                    "origin": edge.connection.origin,
                    "strength": None,
                    "flag": None,
                }
                expected.append(fixed | statistics_by_loop(edge.kernel))
    assert summary.weights.schema == relation_schema("WEIGHT")
    assert len(rows) == len(expected)
    for got, want in zip(rows, expected, strict=True):
        for name, value in want.items():
            if name in STATISTICS and not math.isnan(value):
                assert got[name] == pytest.approx(value, rel=1e-6, abs=1e-6)
            else:
                assert got[name] == (None if name in STATISTICS else value)


@settings(deadline=None, max_examples=60)
@given(connections=networks(), keep=st.integers(1, 9))
def test_what_is_kept_and_what_is_left_out_make_the_whole(
    connections: list[Connection], keep: int
) -> None:
    summary = strongest_inputs(connections, model="m", keep=keep)
    rows = summary.weights.to_pylist()
    everything = 0
    for layer, units in summary.layers.items():
        edges = list(edges_by_loop(connections, layer))
        everything += len(edges)
        reached = {int(u) for c in connections if c.target == layer for u in c.target_units.flat}
        assert units.unit.tolist() == sorted(reached)
        for place, unit in enumerate(units.unit.tolist()):
            into = [statistics_by_loop(edge.kernel) for edge in edges if edge.target == unit]
            kept = [row for row in rows if row["target"] == f"m/{layer}:{unit}"]
            l1, l2_squared = units.input_l1[place], units.input_l2_squared[place]
            assert units.inputs[place] == len(into)
            assert l1 == pytest.approx(sum(one["l1"] for one in into))
            assert l2_squared == pytest.approx(sum(one["l2"] ** 2 for one in into))
            assert sum(row["l1"] for row in kept) + units.left_out_l1[place] == pytest.approx(l1)
            assert sum(row["l2"] ** 2 for row in kept) + units.left_out_l2_squared[
                place
            ] == pytest.approx(l2_squared)
            if len(kept) == len(into):
                assert units.left_out_l1[place] == units.left_out_l2_squared[place] == 0
    assert summary.edges == everything


def test_two_connections_between_the_same_units_are_two_edges() -> None:
    straight = connect("straight", np.full((1, 1, 1, 1, 1), 2.0))
    around = connect("around", np.full((1, 1, 1, 3, 3), -1.0), path="residual")
    rows = strongest_inputs([straight, around], model="m", keep=5).weights.to_pylist()
    assert [(row["connection"], row["path"], row["rank"]) for row in rows] == [
        ("around", "residual", 1),
        ("straight", "direct", 2),
    ]
    assert rows[0]["source"] == rows[1]["source"]
    assert rows[0]["target"] == rows[1]["target"]


def test_equally_strong_inputs_keep_their_order_wherever_the_line_is_drawn() -> None:
    first = connect("first", np.full((1, 2, 40, 1, 1), 1.0))
    second = connect("second", np.full((1, 2, 40, 1, 1), -1.0))
    whole = strongest_inputs([first, second], model="m", keep=80).weights.to_pylist()
    for keep in (1, 7, 39, 40, 41, 79):
        rows = strongest_inputs([first, second], model="m", keep=keep).weights.to_pylist()
        assert rows == [row for row in whole if row["rank"] <= keep]


def test_a_kernel_of_zeros_is_no_edge() -> None:
    summary = strongest_inputs([connect("c", np.zeros((1, 3, 4, 3, 3)))], model="m", keep=2)
    assert summary.weights.num_rows == 0
    assert summary.edges == 0
    assert summary.layers["b"].inputs.tolist() == [0, 0, 0]


def test_no_connections_give_an_empty_table() -> None:
    summary = strongest_inputs([], model="m", keep=2)
    assert summary.weights.schema == relation_schema("WEIGHT")
    assert summary.weights.num_rows == summary.edges == 0


def test_large_layers_are_ranked_in_blocks_that_join_without_a_seam(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    connections = [
        connect("dense", rng.standard_normal((1, 30, 20, 3, 3)), seed=1),
        connect("grouped", rng.standard_normal((10, 3, 4, 1, 1)), seed=2),
    ]
    whole = strongest_inputs(connections, model="m", keep=6)
    monkeypatch.setattr("circuitkb.loaders.composition.ranking._BLOCK", 500)
    parts = strongest_inputs(connections, model="m", keep=6)
    assert parts.weights.equals(whole.weights)
    np.testing.assert_allclose(parts.layers["b"].input_l1, whole.layers["b"].input_l1)


@settings(deadline=None, max_examples=40)
@given(connections=networks(), data=st.data())
def test_edges_asked_for_by_name_carry_the_numbers_of_the_whole_graph(
    connections: list[Connection], data: st.DataObject
) -> None:
    connection = data.draw(st.sampled_from(connections))
    units = st.integers(0, 8)
    pairs = data.draw(st.lists(st.tuples(units, units), min_size=1, max_size=12))
    whole = strongest_inputs(connections, model="m", keep=10_000).weights.to_pylist()
    wanted = {
        (f"m/{connection.source}:{source}", f"m/{connection.target}:{target}")
        for source, target in pairs
    }
    expected = [
        row
        for row in whole
        if row["connection"] == connection.key and (row["source"], row["target"]) in wanted
    ]
    sources, targets = zip(*pairs, strict=True)
    found = edges_between(connections, connection.key, sources, targets, model="m")
    assert found.schema == relation_schema("WEIGHT")
    assert found.to_pylist() == expected
