"""What edges explain of the variance around them, beside plain loops on small networks. 1 s."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from circuitkb.motifs.explained import explained
from circuitkb.schema.kernels import Connection
from circuitkb.schema.responses import Responses

SOURCES, UNITS, STIMULI = 9, 7, 40

Edges = dict[int, list[int]]


def network(seed: int, **others: object) -> tuple[list[Connection], Responses]:
    """A rectified layer, one that reads it through two convolutions of 1 x 1, and one beside it."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    read, unread = nn.Linear(SOURCES, UNITS), nn.Linear(SOURCES, 3)
    first = random.standard_normal((STIMULI, SOURCES)).astype(np.float32)
    shown = torch.relu(torch.from_numpy(first))
    with torch.no_grad():
        layers = [shown, 3 * read(shown), unread(shown)]
    before = np.concatenate([torch.from_numpy(first).T, *(x.T for x in layers[1:])])
    after = np.concatenate([x.numpy().T for x in (layers[0], *map(torch.relu, layers[1:]))])
    weights = read.weight.detach().numpy()
    units = np.arange(UNITS, dtype=np.int32)[None], np.arange(SOURCES, dtype=np.int32)[None]
    kernels = [
        Connection(key, "a", "b", "direct", *units, (part * weights)[None, :, :, None, None])
        for key, part in (("c0", np.float32(1)), ("c1", np.float32(2)))
    ]
    sizes = ("a", SOURCES), ("b", UNITS), ("c", 3)
    stimuli = tuple(map(str, range(STIMULI)))
    return kernels, Responses("b1", stimuli, sizes, before, after, before, after, {})


def left_by(kernels: list[Connection], shown: Responses, edges: Edges) -> float:
    """The same in plain loops."""
    left, whole = 0.0, 0.0
    for unit in range(UNITS):
        before = shown.before[SOURCES + unit].astype(float)
        told = np.zeros(STIMULI)
        for source in edges.get(SOURCES + unit, ()):
            for one in kernels:
                kernel = one.find(source, unit)
                assert kernel is not None
                told += float(kernel.sum()) * shown.after[source].astype(float)
        whole += before.var()
        left += (before - told).var()
    return left / whole


@pytest.mark.parametrize("seed", range(3))
def test_what_edges_leave_is_the_variance_of_what_their_sum_misses(seed: int) -> None:
    kernels, shown = network(seed)
    edges = {SOURCES: [0, 3], SOURCES + 4: [1, 2, 8]}
    found = explained(kernels, shown, edges)
    assert found is not None
    assert found.unexplained == pytest.approx(left_by(kernels, shown, edges), abs=1e-5)
    assert found.layers == {"b": pytest.approx(found.unexplained)}
    assert (found.units, found.targets, found.edges, found.left_out) == (UNITS, 2, 5, 0)


def test_all_edges_of_all_units_leave_nothing_and_none_leave_all() -> None:
    kernels, shown = network(5)
    every = {SOURCES + unit: range(SOURCES) for unit in range(UNITS)}
    found = explained(kernels, shown, every)
    assert found is not None
    assert found.unexplained == pytest.approx(0, abs=1e-5)
    none = explained(kernels, shown, {SOURCES: []})
    assert none is not None
    assert none.unexplained == 1


def test_the_null_takes_edges_of_the_same_ranks_of_other_units() -> None:
    kernels, shown = network(1)
    weights = sum(one.kernel[0, :, :, 0, 0] for one in kernels)
    strength = np.maximum(weights, 0) * shown.after[:SOURCES].std(axis=1)
    order = [sorted(range(SOURCES), key=lambda s, u=u: -strength[u, s]) for u in range(UNITS)]  # type: ignore[misc]
    strongest = order[2][:2]
    found = explained(kernels, shown, {SOURCES + 2: strongest}, draws=50)
    assert found is not None
    possible = [left_by(kernels, shown, {SOURCES + u: order[u][:2]}) for u in range(UNITS)]
    assert len(found.null) == 50
    drawn = {min(range(UNITS), key=lambda u: abs(possible[u] - value)) for value in found.null}
    assert all(min(abs(value - one) for one in possible) < 1e-5 for value in found.null)
    assert drawn == set(range(UNITS))
    assert found.null == explained(kernels, shown, {SOURCES + 2: strongest}, draws=50).null  # type: ignore[union-attr]


def test_layers_where_responses_do_not_tell_are_left_out() -> None:
    kernels, shown = network(2)
    wide = np.zeros((1, 3, SOURCES, 3, 3), np.float32)
    units = np.arange(3, dtype=np.int32)[None], np.arange(SOURCES, dtype=np.int32)[None]
    several = [*kernels, Connection("c2", "a", "c", "direct", *units, wide)]
    both = {SOURCES: [0], SOURCES + UNITS: [1]}
    found, alone = explained(several, shown, both), explained(kernels, shown, {SOURCES: [0]})
    assert found is not None
    assert alone is not None
    assert (found.left_out, found.targets, found.unexplained) == (1, 1, alone.unexplained)
    assert explained(several, shown, {SOURCES + UNITS: [1]}) is None
