"""Planted kinds: truth is in files, decoys fool the naive criterion alone (5 s; long: 25 s)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from circuitkb.loaders.planted.benchmark.dials import Dials
from circuitkb.loaders.planted.benchmark.kinds import KINDS
from circuitkb.loaders.planted.benchmark.network import Described, PlantedNetwork, plant
from circuitkb.loaders.planted.onnx_files import write_module
from circuitkb.loaders.planted.shapes import Shape
from circuitkb.schema.errors import SourceError
from tests.loaders.planted.planted_files import PlantedFile, corr, numbers, turn, waves

Criterion = Callable[[PlantedFile, Described], bool]


def mirrors(file: PlantedFile, one: int, other: int) -> bool:
    return corr(file.mirrored_detectors[:, one], file.detectors[:, other]) > 0.8


def invariant(file: PlantedFile, found: Described) -> bool:
    (unit,) = numbers(found.units)
    return corr(file.mirrored_targets[:, unit], file.targets[:, unit]) > 0.7


def has_mirrored_inputs(file: PlantedFile, found: Described) -> bool:
    members = numbers(found.members)
    return all(
        any(
            mirrors(file, one, other)
            and corr(file.detectors[:, one], file.detectors[:, other]) < 0.5
            for other in members
        )
        for one in members
    )


def targets_mirror(file: PlantedFile, found: Described) -> bool:
    one, other = numbers(found.units)
    return corr(file.mirrored_targets[:, one], file.targets[:, other]) > 0.7


def wiring_mirrors(file: PlantedFile, found: Described) -> bool:
    one, other = (set(file.strongest[unit, :2].tolist()) for unit in numbers(found.units))
    likeness = np.corrcoef(file.mirrored_detectors.T, file.detectors.T)[: len(file.weights[0])]
    partner = likeness[:, len(file.weights[0]) :].argmax(axis=1)
    return {int(partner[unit]) for unit in one} == other


def face_all_ways(file: PlantedFile, found: Described) -> bool:
    return len({turn(file.best(unit)) for unit in numbers(found.units)}) >= 7


def of_one_form(file: PlantedFile, found: Described) -> bool:
    return len({(file.best(unit).form, file.best(unit).sign) for unit in numbers(found.units)}) == 1


def opposed_and_asymmetric(file: PlantedFile, found: Described) -> bool:
    weights = file.weights[numbers(found.units)[0], numbers(found.members), 0, 0]
    asymmetric = not any(mirrors(file, unit, unit) for unit in numbers(found.members))
    return weights.max() > 0 > weights.min() and asymmetric


def inhibits_the_mirror_image(file: PlantedFile, found: Described) -> bool:
    return mirrors(file, *numbers(found.members))


def best_waves(file: PlantedFile, found: Described) -> list[Shape]:
    shown, images = waves(file.side)
    inputs, _ = file.responses(images)
    return [shown[int(inputs[:, unit].argmax())] for unit in file.columns(found.members)]


def alike_and_one_way(file: PlantedFile, found: Described) -> bool:
    one, other = best_waves(file, found)
    whole = 180 if one.form == "stripes" else 360
    apart = abs((one.direction - other.direction + whole / 2) % whole - whole / 2)
    return (one.form, one.sign) == (other.form, other.sign) and apart <= 15


def of_two_sizes(file: PlantedFile, found: Described) -> bool:
    small, added = (each.size for each in best_waves(file, found))
    return small == 4 and added >= 8


def tuned(file: PlantedFile, found: Described) -> bool:
    (unit,) = numbers(found.units)
    curves = [place for place, each in enumerate(file.drawn) if each.form == "curve"]
    answers = file.targets[curves, unit]
    return answers.max() - answers.min() > 3 * answers.std() and answers.min() == 0


def pointing_one_way(file: PlantedFile, found: Described) -> bool:
    (unit,) = numbers(found.units)
    weights = file.weights[unit, :, 0, 0]
    turns = [turn(file.best(member)) for member in numbers(found.members)]
    points = weights[numbers(found.members)] @ np.exp(2j * np.pi * np.array(turns) / 8)
    return abs(points) > 0.5 * abs(weights[numbers(found.members)]).sum()


def tuned_by_borders_and_edges(file: PlantedFile, found: Described) -> bool:
    (unit,) = numbers(found.units)
    forms = sorted(file.best(member).form for member in file.strongest[unit, :6].tolist())
    return forms == ["edge"] * 3 + ["texture"] * 3


def facing_one_way(file: PlantedFile, found: Described) -> bool:
    """The mean turns of both cues are less than 45 degrees apart."""
    points = {"edge": 0j, "texture": 0j}
    for member in numbers(found.members):
        points[file.best(member).form] += np.exp(2j * np.pi * turn(file.best(member)) / 8)
    return abs(np.angle(points["edge"] / points["texture"])) < np.pi / 4


def opposite_and_of_most_mass(file: PlantedFile, found: Described) -> bool:
    kernels = file.weights[numbers(found.units)[0]].clip(0)
    strongest = np.argsort(-kernels.sum(axis=(1, 2)))[: len(found.members)]
    sides = [_side(kernel) for kernel in kernels[strongest]]
    opposite = all(sides.count(one) == sides.count(3 - one) for one in range(4))
    return set(strongest.tolist()) == set(numbers(found.members)) and opposite


def on_one_axis(file: PlantedFile, found: Described) -> bool:
    kernels = file.weights[numbers(found.units)[0], numbers(found.members)].clip(0)
    return len({_side(kernel) in (0, 3) for kernel in kernels}) == 1


def _side(kernel: np.ndarray) -> int:  # type: ignore[type-arg]
    """Above 0, left 1, right 2, below 3: a side and the opposite one make 3."""
    above, middle, below = kernel.sum(axis=1)
    left, _, right = kernel.sum(axis=0)
    del middle
    return int(np.argmax([above, left, right, below]))


def strong_in_nine(file: PlantedFile, found: Described) -> bool:
    (unit,) = numbers(found.units)
    return int((file.strongest[:, :3] == unit).any(axis=1).sum()) >= 9


def beside_others(file: PlantedFile, found: Described) -> bool:
    (unit,) = numbers(found.units)
    pairs = file.strongest[numbers(found.members), :2].tolist()
    mains = [one for pair in pairs for one in pair if one != unit]
    return all(abs(corr(file.detectors[:, main], file.detectors[:, unit])) < 0.5 for main in mains)


def of_both_polarities(file: PlantedFile, found: Described) -> bool:
    weights = file.weights[numbers(found.units)[0], numbers(found.members), 0, 0]
    signs = {file.best(unit, ("line", "curve")).sign for unit in numbers(found.members)}
    return weights.max() > 0 > weights.min() and len(signs) == 2


def inverted(file: PlantedFile, found: Described) -> bool:
    one, other = numbers(found.members)
    return corr(file.inverted_detectors[:, one], file.detectors[:, other]) > 0.8


CRITERIA: dict[str, tuple[Criterion, Criterion]] = {
    "union": (invariant, has_mirrored_inputs),
    "mirrored-targets": (targets_mirror, wiring_mirrors),
    "family": (face_all_ways, of_one_form),
    "cross-inhibition": (opposed_and_asymmetric, inhibits_the_mirror_image),
    "scale-union": (alike_and_one_way, of_two_sizes),
    "curve-assembly": (tuned, pointing_one_way),
    "boundary": (tuned_by_borders_and_edges, facing_one_way),
    "parts-in-places": (opposite_and_of_most_mass, on_one_axis),
    "superposition": (strong_in_nine, beside_others),
    "opponency": (of_both_polarities, inverted),
}
"""The naive criterion of each kind, and what makes the circuit."""


@pytest.fixture(scope="module", params=sorted(KINDS))
def network(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[PlantedNetwork, PlantedFile]:
    made = plant(request.param, Dials(noise=0.1), seed=5, count=8)
    path = tmp_path_factory.mktemp("planted") / "network.onnx"
    return made, PlantedFile(write_module(made.module, path, made.input_shape, any_size=False))


def test_circuits_and_decoys_fulfil_the_naive_criterion_and_circuits_alone_the_other(
    network: tuple[PlantedNetwork, PlantedFile],
) -> None:
    made, file = network
    naive, true = CRITERIA[made.kind.name]
    assert len(made.circuits) >= 2
    assert len(made.decoys) >= 2
    told = {
        (what, which): np.mean([criterion(file, each) for each in some])
        for which, some in (("circuits", made.circuits), ("decoys", made.decoys))
        for what, criterion in (("naive", naive), ("true", true))
    }
    assert told["naive", "circuits"] >= 0.75
    assert told["naive", "decoys"] >= 0.75
    assert told["true", "circuits"] >= 0.75
    assert told["true", "decoys"] == 0


def test_planted_inputs_have_the_largest_weights_and_no_unit_is_planted_twice(
    network: tuple[PlantedNetwork, PlantedFile],
) -> None:
    made, file = network
    every = (*made.circuits, *made.decoys)
    assert len({each.units for each in every}) == len(every)
    assert all(len(each.units) == made.kind.units for each in every)
    for found in every if "detectors" in made.kind.members else ():
        each = len(found.members) // made.kind.units
        named = {int(one) for unit in numbers(found.units) for one in file.strongest[unit, :each]}
        assert named == set(file.columns(found.members))


def test_the_same_seed_makes_the_same_network_and_another_does_not() -> None:
    one, same, other = (plant("scale-union", seed=seed, count=2) for seed in (1, 1, 2))
    weights = [
        each.module.get_parameter("targets_convolution.weight") for each in (one, same, other)
    ]
    assert bool((weights[0] == weights[1]).all())
    assert not bool((weights[0] == weights[2]).all())
    assert one.circuits == same.circuits


@pytest.mark.parametrize("without", ["shuffled", "random"])
def test_an_empty_network_has_the_spread_of_weights_and_no_circuit(without: str) -> None:
    full = plant("union", seed=3, count=4)
    empty = plant("union", seed=3, count=4, without=without)  # type: ignore[arg-type]
    assert (empty.circuits, empty.decoys) == ((), ())
    spreads = [
        float(each.module.get_parameter("targets_convolution.weight").detach().std())
        for each in (full, empty)
    ]
    assert abs(spreads[0] / spreads[1] - 1) < 0.1


def test_dials_do_what_they_say() -> None:
    def kernel(dials: Dials) -> tuple[np.ndarray, PlantedNetwork]:  # type: ignore[type-arg]
        made = plant("cross-inhibition", dials, seed=3, count=4)
        weight = made.module.get_parameter("targets_convolution.weight").detach().numpy()
        return abs(weight[:, :, 0, 0]), made

    strong, made = kernel(Dials(noise=0, strength=8))
    superposed, _ = kernel(Dials(noise=0, strength=8, superposition=0.5))
    (unit,) = numbers(made.circuits[0].units)
    ordered = np.sort(strong[unit])[::-1]
    np.testing.assert_allclose(ordered[:5] / ordered[2], [8, 8, 1, 1, 1], rtol=1e-5)
    assert not ordered[5:].any()
    ordered = np.sort(superposed[unit])[::-1]
    np.testing.assert_allclose(ordered[2] / np.hypot(*ordered[:2]), 0.5, rtol=1e-5)


@pytest.mark.parametrize("name", ["noise", "strength", "superposition"])
def test_dials_out_of_range_are_refused_by_name(name: str) -> None:
    for value in (-1, 1e9, float("nan")):
        with pytest.raises(SourceError, match=f"{name} is .*: it goes from"):
            Dials(**{name: value})


def test_an_exported_network_reads_as_it_was_made(tmp_path: Path) -> None:
    made = plant("scale-union", seed=2, count=2)
    file = PlantedFile(
        write_module(made.module, tmp_path / "a.onnx", made.input_shape, any_size=False)
    )
    weights = [
        made.module.get_parameter(f"{name}_convolution.weight").detach().numpy()
        for name in ("stream", "targets")
    ]
    np.testing.assert_array_equal(file.weights, np.concatenate(weights, axis=1))
    drawn = torch.from_numpy(file.images[::7])
    with torch.no_grad():
        maps = made.module(drawn).numpy()
    centre = maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]
    np.testing.assert_allclose(file.targets[::7], centre, atol=1e-4)
