"""Looking at a network: responses are what the module itself gives at the places to be read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from circuitkb.loaders.activations.reading import LARGEST_BATCH, Onlooker, look
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.receptive_fields.views import View, plan_views
from circuitkb.schema.errors import ObservationError

Array = NDArray[np.float32]


def network_of(module: nn.Module, side: int = 32, channels: int = 3) -> Network:
    example = torch.zeros(1, channels, side, side)
    return Network(module.eval(), example, "made up", "random", "m", "m", "MIT", "nobody", "f")


def looks_at(network: Network) -> list[Onlooker]:
    return [look(network, view) for view in plan_views(network.module, network.example)]


def noise(count: int, view: View, channels: int = 3, seed: int = 0) -> Array:
    shape = count, channels, view.rows, view.columns
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


class Uneven(nn.Module):
    """A stride of three, then one of two, and paddings that differ from side to side."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 5, 4, stride=3)
        self.second = nn.Conv2d(5, 6, 3, stride=2)
        self.norm = nn.BatchNorm2d(6)
        self.act = nn.SiLU()
        self.pool = nn.MaxPool2d(3, 1, 1)
        self.head = nn.Conv2d(6, 4, 1)
        self.first_sides, self.second_sides = (0, 1, 0, 1), (1, 0, 1, 2)
        self.norm.running_mean = torch.rand(6)
        self.norm.running_var = torch.rand(6) + 0.5

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(functional.pad(x, self.first_sides)))
        x = self.act(self.norm(self.second(functional.pad(x, self.second_sides))))
        found: Tensor = self.head(self.pool(x))
        return found


@torch.no_grad()
def hooked(module: nn.Module, images: Array, names: Mapping[str, str]) -> dict[str, Array]:
    """Return what parts of a module put out for images shown one by one, by another name each."""
    kept: dict[str, list[Tensor]] = {name: [] for name in names.values()}
    handles = [
        module.get_submodule(part).register_forward_hook(
            lambda _part, _given, found, name=name: kept[name].append(found.clone())
        )
        for part, name in names.items()
    ]
    for image in torch.from_numpy(images):
        module(image[None])
    for handle in handles:
        handle.remove()
    return {name: torch.cat(found).numpy() for name, found in kept.items()}


def by_layer(onlooker: Onlooker, responses: Array) -> dict[str, Array]:
    ends = np.cumsum(list(onlooker.units.values()))[:-1]
    return dict(zip(onlooker.units, np.split(responses, ends, axis=1), strict=True))


def test_answers_are_those_of_the_module_at_the_places_of_its_view() -> None:
    network = network_of(Uneven())
    (onlooker,) = looks_at(network)
    places = onlooker.view.places
    images = noise(7, onlooker.view)
    maps = hooked(network.module, images, {"first": "relu", "norm": "act", "head": "head"})
    before, after = (by_layer(onlooker, found) for found in onlooker.responses(images))
    assert list(onlooker.units) == ["input", "relu", "act", "head"]
    for layer, function in (("relu", functional.relu), ("act", functional.silu), ("head", None)):
        here, early = places[layer].index, places[layer].before
        assert early is not None
        expected = maps[layer][:, :, early[0], early[1]]
        np.testing.assert_allclose(before[layer], expected, atol=2e-5)
        last = maps[layer][:, :, here[0], here[1]]
        expected = last if function is None else function(torch.from_numpy(last)).numpy()
        np.testing.assert_allclose(after[layer], expected, atol=2e-5)
    row, column = places["input"].index
    for side in (before, after):
        np.testing.assert_array_equal(side["input"], images[:, :, row, column])


def test_before_a_pooling_that_makes_features_is_read_on_the_finer_grid() -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.conv, self.pool = nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(3, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.pool(self.conv(x))
            return found

    network = network_of(Pooled(), side=16)
    (onlooker,) = looks_at(network)
    images = noise(3, onlooker.view)
    maps = hooked(network.module, images, {"conv": "conv", "pool": "pool"})
    before, after = (by_layer(onlooker, found) for found in onlooker.responses(images))
    middle = onlooker.view.rows // 2
    np.testing.assert_allclose(before["pool"], maps["conv"][:, :, middle, middle], atol=1e-5)
    fine = maps["conv"][:, :, middle - 1 : middle + 2, middle - 1 : middle + 2]
    np.testing.assert_allclose(after["pool"], fine.max((2, 3)), atol=1e-5)


def hump(size: int) -> Tensor:
    """Binomial weights, largest in the middle, adding up to 1."""
    line = torch.ones(1)
    for _ in range(size - 1):
        line = torch.nn.functional.pad(line, (0, 1)) + torch.nn.functional.pad(line, (1, 0))
    return torch.outer(line, line) / line.sum() ** 2


class Humps(nn.Module):
    """Units that answer most to a dot in the middle of their receptive field."""

    def __init__(self, sizes: tuple[tuple[int, int, tuple[int, int, int, int]], ...]) -> None:
        super().__init__()
        self.sides = [sides for _, _, sides in sizes]
        self.convs = nn.ModuleList(
            nn.Conv2d(1, 1, size, stride, bias=False) for size, stride, _ in sizes
        )
        for conv in self.convs:
            conv.weight.data = hump(conv.kernel_size[0])[None, None]

    def forward(self, x: Tensor) -> Tensor:
        for conv, sides in zip(self.convs, self.sides, strict=True):
            x = torch.relu(conv(functional.pad(x, sides)))
        return x


@pytest.mark.parametrize(
    "sizes",
    [
        ((3, 1, (1, 1, 1, 1)), (3, 1, (1, 1, 1, 1))),
        ((5, 3, (2, 2, 2, 2)), (3, 2, (1, 1, 1, 1))),
        ((4, 2, (0, 1, 2, 0)), (3, 1, (2, 0, 0, 2))),
        ((3, 2, (0, 1, 0, 1)), (3, 2, (0, 1, 0, 1)), (3, 2, (0, 1, 0, 1))),
    ],
    ids=["no stride", "odd strides", "uneven padding", "SAME of even sizes"],
)
def test_a_unit_is_read_where_a_dot_in_the_middle_of_the_view_excites_it_most(
    sizes: tuple[tuple[int, int, tuple[int, int, int, int]], ...],
) -> None:
    network = network_of(Humps(sizes), channels=1)
    seen = []
    for onlooker in looks_at(network):
        view = onlooker.view
        dots = np.eye(view.rows * view.columns, dtype=np.float32)
        _, after = onlooker.responses(dots.reshape(-1, 1, view.rows, view.columns))
        for layer, responses in by_layer(onlooker, after).items():
            weight = responses[:, 0].reshape(view.rows, view.columns).astype(np.float64)
            weight /= weight.sum()
            centroid = [
                (weight.sum(1 - axis) * np.arange(len(weight.sum(1 - axis)))).sum()
                for axis in (0, 1)
            ]
            off = np.hypot(*(np.array(centroid) - view.centre))
            assert off == pytest.approx(view.places[layer].off_centre, abs=1e-5), layer
            best = np.unravel_index(weight.argmax(), weight.shape)
            # The middle of an even field lies between four pixels, which excite alike.
            assert np.abs(np.array(best) - view.centre).max() <= 0.5
            if layer != "input":
                assert off == pytest.approx(0, abs=1e-5)
                seen.append(layer)
    assert len(seen) == len(sizes)


def test_a_mirrored_network_answers_to_mirrored_images_as_the_network_to_plain_ones() -> None:
    plain, mirrored = Uneven(), Uneven()
    for sides in ("first_sides", "second_sides"):
        left, right, top, bottom = getattr(plain, sides)
        setattr(mirrored, sides, (right, left, top, bottom))
    for part in (mirrored.first, mirrored.second):
        part.weight.data = part.weight.data.flip(-1)
    (one,), (other,) = looks_at(network_of(plain)), looks_at(network_of(mirrored))
    scenes = np.random.default_rng(0).standard_normal((5, 3, 80, 80)).astype(np.float32)
    expected = one.responses(around_centre(scenes, one.view))
    responses = other.responses(around_centre(scenes[:, :, :, ::-1], other.view))
    for found, wanted in zip(responses, expected, strict=True):
        for layer, values in by_layer(one, wanted).items():
            if layer != "input":  # read half a pixel beside the middle
                np.testing.assert_allclose(by_layer(other, found)[layer], values, atol=1e-5)
                assert values.std() > 0.01


def around_centre(scenes: Array, view: View) -> Array:
    """Cut out what a view shows of larger images, whose middle comes to its centre."""
    row, column = ((scenes.shape[2] - 1) / 2 - place for place in view.centre)
    assert row.is_integer()
    assert column.is_integer()
    return scenes[:, :, int(row) : int(row) + view.rows, int(column) : int(column) + view.columns]


class Halvings(nn.Module):
    """Convolutions and poolings of two, as in VGG: no two grids share a centre."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convs = nn.ModuleList(nn.Conv2d(3 if i == 0 else 4, 4, 3, 1, 1) for i in range(3))
        self.acts = nn.ModuleList(nn.ReLU() for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        for place, (conv, act) in enumerate(zip(self.convs, self.acts, strict=True)):
            x = act(conv(x if place == 0 else functional.max_pool2d(x, 2)))
        return x


def test_several_views_together_read_every_layer_once_and_rightly() -> None:
    network = network_of(Halvings())
    looks = looks_at(network)
    assert len(looks) == 3
    layers = [layer for onlooker in looks for layer in onlooker.units]
    assert sorted(layers) == ["acts.0", "acts.1", "acts.2", "input"]
    for onlooker in looks:
        images = noise(3, onlooker.view)
        maps = hooked(network.module, images, {f"convs.{i}": f"acts.{i}" for i in range(3)})
        before, after = (by_layer(onlooker, found) for found in onlooker.responses(images))
        for layer in set(onlooker.units) - {"input"}:
            row, column = onlooker.view.places[layer].index
            expected = maps[layer][:, :, row, column]
            np.testing.assert_allclose(before[layer], expected, atol=1e-5)
            np.testing.assert_allclose(after[layer], expected.clip(min=0), atol=1e-5)


def test_only_the_layers_asked_for_are_read_and_nothing_after_them_runs() -> None:
    network = network_of(Uneven())
    (view,) = plan_views(network.module, network.example)
    images = noise(4, view)
    whole, part = look(network, view), look(network, view, layers=["relu"])
    assert list(part.units) == ["relu"]
    for found, expected in zip(part.responses(images), whole.responses(images), strict=True):
        np.testing.assert_array_equal(found, by_layer(whole, expected)["relu"])
    network.module.get_submodule("second").weight.data.fill_(float("inf"))  # type: ignore[union-attr]
    look(network, view, layers=["relu"]).responses(images)


@pytest.mark.parametrize("count", [1, LARGEST_BATCH, LARGEST_BATCH + 1, 2 * LARGEST_BATCH + 3])
def test_any_number_of_images_is_answered_each_by_itself(count: int) -> None:
    network = network_of(Uneven())
    (onlooker,) = looks_at(network)
    assert onlooker.batch == LARGEST_BATCH
    images = noise(count, onlooker.view)
    together = onlooker.responses(images)
    chosen = sorted({0, count // 2, count - 1})
    alone = onlooker.responses(images[chosen])
    for found, expected in zip(together, alone, strict=True):
        assert len(found) == count
        np.testing.assert_allclose(found[chosen], expected, atol=1e-5)


def test_a_network_whose_code_holds_on_to_a_batch_of_one_is_shown_images_one_by_one() -> None:
    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.first(x))
            found: Tensor = self.second(x.reshape(1, 4, *x.shape[2:]))
            return found

    network = network_of(Stubborn(), side=17)
    (onlooker,) = looks_at(network)
    assert onlooker.batch == 1
    images = noise(3, onlooker.view)
    maps = hooked(network.module, images, {"first": "relu", "second": "second"})
    before = by_layer(onlooker, onlooker.responses(images)[0])
    for layer, values in maps.items():
        row, column = onlooker.view.places[layer].index
        np.testing.assert_allclose(before[layer], values[:, :, row, column], atol=1e-5)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_answer_that_is_no_number_is_refused_with_its_layer(value: float) -> None:
    network = network_of(Uneven())
    (onlooker,) = looks_at(network)
    images = noise(3, onlooker.view)
    row, column = onlooker.view.places["relu"].index
    # A pixel that 'relu' reads at its place, and 'input' does not.
    images[1, :, 3 * row, 3 * column] = value
    with pytest.raises(ObservationError, match=r"'relu' responds with NaN or infinity"):
        onlooker.responses(images)


def test_a_shuffled_copy_has_the_same_places_and_other_answers() -> None:
    network = network_of(Uneven())
    (onlooker,) = looks_at(network)
    images = noise(40, onlooker.view)
    one, same, other = onlooker.shuffled(images[:32], seeds=[1, 1, 2])
    plain = by_layer(onlooker, onlooker.responses(images)[0])
    found = [by_layer(copy, copy.responses(images)[0]) for copy in (one, same, other)]
    for layer in ("relu", "act", "head"):
        np.testing.assert_array_equal(found[0][layer], found[1][layer])
        for a, b in ((found[0], plain), (found[2], plain), (found[0], found[2])):
            assert np.abs(a[layer] - b[layer]).max() > 0.01
    np.testing.assert_array_equal(found[0]["input"], plain["input"])
    again = by_layer(onlooker, onlooker.responses(images)[0])
    for layer, values in plain.items():
        np.testing.assert_array_equal(again[layer], values)


def test_a_map_that_is_flattened_is_flattened_in_the_order_of_the_module() -> None:
    class Flattened(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.head = nn.Conv2d(3, 4, 5, 3), nn.Linear(4 * 6 * 6, 3)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.head(torch.relu(self.first(x)).flatten(1))
            return found

    network = network_of(Flattened(), side=22)
    (onlooker,) = looks_at(network)
    assert onlooker.batch > 1
    images = noise(5, onlooker.view)
    maps = hooked(network.module, images, {"head": "head"})
    for responses in onlooker.responses(images):
        np.testing.assert_allclose(by_layer(onlooker, responses)["head"], maps["head"], atol=1e-5)
    onlooker.shuffled(images, seeds=[0])[0].responses(images)
