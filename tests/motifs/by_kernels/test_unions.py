"""Unions found in kernels: against a naive search, on planted cases and traps, and by chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, pearsonr

from circuitkb.errors import QueryError
from circuitkb.motifs.transforms import Mirror, mirror
from circuitkb.motifs.union import Union
from circuitkb.schema.kernels import Connection
from tests.motifs.kernel_families import (
    find_unions,
    found_pairs,
    layer,
    noise,
    one_sided,
    plant,
)

Grid = np.ndarray[Any, Any]


def naive_hits(connections: list[Connection], motif: Union) -> dict[tuple[str, int], int]:
    """Count matching pairs with plain loops over targets, inputs and pairs."""
    found: dict[tuple[str, int], int] = {}
    targets = {(c.target, int(u)) for c in connections for u in c.target_units.ravel()}
    for layer_name, unit in targets:
        inputs: dict[tuple[str, int], Grid] = {}
        for connection in connections:
            if connection.target != layer_name:
                continue
            for source in sorted({int(u) for u in connection.source_units.ravel()}):
                kernel = connection.find(source, unit)
                if kernel is not None and kernel.any():
                    inputs.setdefault((connection.source, source), kernel.astype(float))
        ranked = sorted(inputs.values(), key=lambda k: -k.clip(min=0).sum())
        count = max(motif.at_least, int(motif.share * len(ranked)))
        strongest = [k for k in ranked[:count] if k.max() > 0]
        hits = 0
        for place, one in enumerate(strongest):
            for other in strongest[place + 1 :]:
                turned = one[:, ::-1] if motif.of == Mirror("left-right") else one[::-1]
                across = pearsonr(turned.ravel(), other.ravel()).statistic
                plain = pearsonr(one.ravel(), other.ravel()).statistic
                hits += across > motif.mirrored and motif.opposed < plain < motif.same
        found[layer_name, unit] = hits
    return {unit: hits for unit, hits in found.items() if hits}


@pytest.mark.parametrize("axis", ["left-right", "up-down"])
@pytest.mark.parametrize("seed", range(6))
def test_matching_pairs_are_those_of_a_naive_double_loop(axis: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    connections = []
    for index, (source, target) in enumerate([("a", "c"), ("b", "c"), ("a", "d")]):
        kernels = noise(rng, "smooth", 40, 12, 3)
        kernels[rng.random(kernels.shape[:2]) < 0.1] = 0
        plant(rng, kernels, planted=4, cases=2, error=0.3)
        connections.append(layer(kernels, f"c{index}", source, target))
    motif = Union(of=mirror(axis), mirrored=0.6, share=0.1)
    findings = find_unions(connections, motif, model="m")
    expected = naive_hits(connections, motif)
    assert sum(expected.values()) > 10
    found = {tuple(test.target.split("/")[1].split(":")): test.hits for test in findings.targets}
    assert found == {(name, str(unit)): hits for (name, unit), hits in expected.items()}
    assert findings.hits == sum(expected.values())


def test_grouped_connections_are_read_group_by_group() -> None:
    rng = np.random.default_rng(3)
    kernel = rng.normal(size=(2, 8, 8, 3, 3)).astype(np.float32)
    kernel[1, 2, 5] = kernel[1, 2, 3, :, ::-1] = 5 * rng.normal(size=(3, 3))
    units = np.arange(16, dtype=np.int32).reshape(2, 8)
    grouped = Connection("c0", "a", "b", "direct", units, units, kernel)
    motif = Union(mirrored=0.6)
    findings = find_unions([grouped], motif, model="m")
    expected = naive_hits([grouped], motif)
    assert expected["b", 10] >= 1
    assert findings.hits == sum(expected.values())


# Planted unions


@pytest.mark.parametrize(("cases", "side"), [(1, 5), (2, 5), (2, 3)])
def test_planted_unions_are_found_and_nothing_else(cases: int, side: int) -> None:
    recalled = false_units = wrong = pairs = told = 0
    for seed in range(3):
        rng = np.random.default_rng(seed)
        kernels = noise(rng, "independent", 64, 64, side)
        truth = plant(rng, kernels, planted=6, cases=cases, error=0.2)
        found = found_pairs(find_unions([layer(kernels)], model="m", seed=seed))
        recalled += len(found.keys() & truth.keys())
        false_units += len(found.keys() - truth.keys())
        wrong += sum(len(those - truth.get(unit, frozenset())) for unit, those in found.items())
        told += sum(map(len, found.values()))
        pairs += sum(map(len, truth.values()))
    assert recalled == 18
    assert false_units == 0
    assert wrong == 0
    assert told >= 0.95 * pairs


def planted_pair(change: Callable[[Grid], Grid]) -> dict[int, set[Any]]:
    """Search a layer in which units 0 to 5 get two strong inputs: a kernel and what it becomes."""
    rng = np.random.default_rng(11)
    kernels = noise(rng, "independent", 64, 64, 5)
    for unit in range(6):
        shape = one_sided(rng, 5)
        for source, image in ((10, shape), (20, change(shape))):
            kernels[unit, source] = 4 * image
    return found_pairs(find_unions([layer(kernels)], model="m"))


def test_a_mirrored_pair_is_found() -> None:
    found = planted_pair(lambda shape: shape[:, ::-1])
    assert found == {unit: {frozenset((10, 20))} for unit in range(6)}


@pytest.mark.parametrize(
    "change",
    [
        lambda shape: shape,
        lambda shape: shape[::-1],
        lambda shape: -shape,
        lambda shape: np.rot90(shape),
        lambda shape: np.roll(shape, 1, axis=1),
    ],
    ids=["one-sided", "up-down", "negative", "quarter-turn", "shifted"],
)
def test_what_only_resembles_a_mirrored_pair_is_not_found(change: Callable[[Grid], Grid]) -> None:
    assert planted_pair(change) == {}


def test_two_symmetric_kernels_are_one_case_not_two() -> None:
    rng = np.random.default_rng(5)
    kernels = noise(rng, "independent", 64, 64, 5)
    for unit in range(6):
        shape = rng.normal(size=(5, 5))
        kernels[unit, [10, 20]] = 5 * (shape + shape[:, ::-1])
    assert find_unions([layer(kernels)], model="m").found == ()


def test_a_union_whose_net_weights_are_negative_is_found() -> None:
    rng = np.random.default_rng(7)
    kernels = noise(rng, "independent", 64, 64, 5)
    for unit in range(6):
        shape = 4 * rng.normal(size=(5, 5)) + 6 * np.array([1, 1, 0, -1, -1]) - 3
        assert shape.sum() < 0
        kernels[unit, 10], kernels[unit, 20] = shape, shape[:, ::-1]
    found = found_pairs(find_unions([layer(kernels)], model="m"))
    assert found == {unit: {frozenset((10, 20))} for unit in range(6)}


def test_a_mirrored_pair_of_weak_inputs_is_not_looked_at() -> None:
    rng = np.random.default_rng(9)
    kernels = noise(rng, "independent", 64, 64, 5)
    kernels[:, [10, 20]] *= 0.2
    kernels[:, 20] = kernels[:, 10, :, ::-1]
    findings = find_unions([layer(kernels)], model="m")
    assert findings.hits == 0


def test_other_mirrors_are_other_motifs() -> None:
    rng = np.random.default_rng(13)
    kernels = noise(rng, "independent", 64, 64, 5)
    truth = plant(rng, kernels, planted=6, cases=2, error=0.1)
    upright = layer(kernels.swapaxes(2, 3))
    assert find_unions([upright], Union(of=mirror("left-right")), model="m").found == ()
    found = found_pairs(find_unions([upright], Union(of=mirror("up-down")), model="m"))
    assert found == {unit: set(pairs) for unit, pairs in truth.items()}


def test_side_1_holds_the_cases_whose_positive_mass_lies_to_the_left() -> None:
    rng = np.random.default_rng(17)
    kernels = noise(rng, "independent", 64, 64, 5)
    plant(rng, kernels, planted=6, cases=2, error=0.1)
    findings = find_unions([layer(kernels)], model="m")
    assert len(findings.found) == 6
    rows = findings.weights.to_pylist()
    lean = {(row["source"], row["target"]): row["positive_dx"] for row in rows}
    for test in findings.found:
        sides: dict[int, dict[str, float]] = {1: {}, 2: {}}
        for circuit in test.circuits:
            for case in circuit.cases:
                sides[case.side][case.feature] = lean[case.feature, test.target]
        assert not sides[1].keys() & sides[2].keys()
        assert np.mean(list(sides[1].values())) < np.mean(list(sides[2].values()))


# What cannot be tested


def test_single_place_kernels_are_counted_as_not_testable() -> None:
    rng = np.random.default_rng(0)
    one_by_one = layer(rng.normal(size=(30, 20, 1, 1)), "c0", "a", "b")
    depthwise = Connection(
        "c1",
        "b",
        "c",
        "direct",
        np.arange(30, dtype=np.int32)[:, None],
        np.arange(30, dtype=np.int32)[:, None],
        rng.normal(size=(30, 1, 1, 3, 3)).astype(np.float32),
        (1, 1),
        (-1, -1),
    )
    findings = find_unions([one_by_one, depthwise], model="m")
    assert findings.tested == findings.tests == 0
    assert findings.not_testable == 60
    assert sorted(findings.not_tested.values()) == [30, 30]
    assert "single place" in findings.why
    assert "fewer than two inputs" in findings.why
    assert findings.targets == ()


def test_a_column_cannot_show_left_and_right_but_a_row_can() -> None:
    rng = np.random.default_rng(0)
    column = layer(rng.normal(size=(30, 20, 7, 1)))
    assert find_unions([column], model="m").tested == 0
    assert find_unions([column], Union(of=mirror("up-down")), model="m").tested == 30


def test_empty_borders_do_not_make_kernels_alike() -> None:
    rng = np.random.default_rng(2)
    small = noise(rng, "independent", 64, 64, 3)
    plant(rng, small, planted=6, cases=2, error=0.3)
    framed = np.zeros((64, 64, 5, 5))
    framed[:, :, 1:4, 1:4] = small
    plain, bordered = (find_unions([layer(k)], model="m") for k in (small, framed))
    assert {test.grid for test in bordered.targets} == {(3, 3)}
    assert bordered.hits == plain.hits
    assert found_pairs(bordered) == found_pairs(plain)
    single = np.zeros((64, 64, 5, 5))
    single[:, :, 2, 2] = small[:, :, 1, 1]
    assert find_unions([layer(single)], model="m").not_testable == 64


def test_parallel_edges_count_once_and_the_other_reading_is_told() -> None:
    rng = np.random.default_rng(4)
    kernels = noise(rng, "independent", 64, 64, 5)
    plant(rng, kernels, planted=6, cases=1, error=0.1)
    again = kernels.copy()
    again[:, :, 0, 0] += 1
    twice = [layer(kernels, "c0"), layer(again, "c1")]
    once, both = find_unions(twice[:1], model="m"), find_unions(twice, model="m")
    assert both.hits == once.hits
    assert found_pairs(both) == found_pairs(once) != {}
    case = both.found[0].circuits[0].cases[0]
    ((key, correlation),) = case.parallel
    assert case.connection == "c0"
    assert key == "c1"
    assert 0.9 < correlation < 1
    assert both.found[0].inputs == 64


def test_a_model_without_kernels_has_nothing_to_find() -> None:
    findings = find_unions([], model="m")
    assert (findings.tested, findings.hits, findings.circuits) == (0, 0, 0)
    assert findings.why == ""


# Chance


@pytest.mark.parametrize(
    ("kind", "side"),
    [
        ("independent", 3),
        ("smooth", 3),
        ("smooth", 5),
        ("own shapes", 3),
        ("strong shapes", 3),
        ("own strong shapes 1", 3),
    ],
)
def test_kernels_without_unions_rarely_give_one(kind: str, side: int) -> None:
    runs, some, hits = 25, 0, 0
    for seed in range(runs):
        kernels = noise(np.random.default_rng(1000 + seed), kind, 128, 64, side)
        findings = find_unions([layer(kernels)], model="m", seed=seed)
        some += bool(findings.found)
        hits += findings.hits
    assert hits > 0
    # Where every finding is false, the false discovery rate is the share of runs with one.
    assert some <= binom.ppf(0.99, runs, 0.05)


def test_the_whole_model_control_matches_chance_and_not_a_planted_model() -> None:
    rng = np.random.default_rng(1)
    kernels = noise(rng, "smooth", 128, 64, 3)
    chance = find_unions([layer(kernels)], model="m")
    drawn = [draw["hits"] for draw in chance.controls["shuffled"]]
    assert min(drawn) <= chance.hits <= max(drawn)
    plant(rng, kernels, planted=20, cases=2, error=0.1)
    planted = find_unions([layer(kernels)], model="m")
    assert planted.hits > 2 * max(draw["hits"] for draw in planted.controls["shuffled"])


def test_the_same_seed_gives_the_same_findings_and_another_nearly_the_same() -> None:
    rng = np.random.default_rng(6)
    kernels = noise(rng, "smooth", 64, 64, 3)
    truth = plant(rng, kernels, planted=6, cases=2, error=0.2)
    one, same, other = (find_unions([layer(kernels)], model="m", seed=seed) for seed in (1, 1, 2))
    assert one.targets == same.targets
    assert one.controls == same.controls
    assert one.weights.equals(same.weights)
    assert one.targets != other.targets
    assert found_pairs(one).keys() == found_pairs(other).keys() >= truth.keys()


def test_the_search_tells_how_far_it_is() -> None:
    said: list[float] = []
    kernels = noise(np.random.default_rng(0), "smooth", 64, 32, 3)
    find_unions([layer(kernels)], model="m", progress=lambda doing, done: said.append(done))
    assert said == sorted(said)
    assert said[-1] == 1.0


@pytest.mark.parametrize(
    "settings",
    [{"mirrored": 1.5}, {"share": -0.1}, {"fdr": 0.0}, {"at_least": 1}, {"draws": 0}],
)
def test_thresholds_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    (name,) = settings
    with pytest.raises(QueryError, match=name):
        Union(**settings)


def test_an_unknown_mirror_is_refused_with_the_known_ones() -> None:
    with pytest.raises(QueryError, match="Known: left-right, up-down"):
        mirror("diagonal")
