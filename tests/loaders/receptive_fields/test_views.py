"""Views: every layer is read where its units look, at a size that puts this in the middle."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.nn import functional

from circuitkb.loaders.composition.compose import Composer, find_sites
from circuitkb.loaders.composition.rules.context import NONLINEARITIES, operation_name, shape_of
from circuitkb.loaders.composition.tracing import TracedNetwork, trace
from circuitkb.loaders.receptive_fields.views import (
    MOST_VIEWS,
    View,
    ViewPlace,
    plan_views,
    sites_in,
)
from circuitkb.loaders.sources.onnx.files import read_onnx
from circuitkb.schema.errors import TraceError
from tests.loaders import onnx_networks
from tests.loaders.networks import build, image


def generic_values(network: TracedNetwork) -> tuple[Tensor, dict[Node, Any]]:
    """Run a network whose every weight is positive and whose nonlinearities do nothing.

    So a gradient is zero only where no path is: no value cancels, saturates or loses a maximum.
    """
    pixels = torch.ones_like(network.example, dtype=torch.float64).requires_grad_()
    values: dict[Node, Any] = {network.input: pixels}
    for node, constant in network.constants.items():
        values[node] = constant.double().abs() + 0.1 if constant.is_floating_point() else constant
    for node in network.operations():
        if operation_name(node) in NONLINEARITIES:
            values[node] = values[node.all_input_nodes[0]]
        elif operation_name(node) == "max_pool2d":
            _, *sizes = node.args
            values[node] = functional.avg_pool2d(values[node.all_input_nodes[0]], *sizes)  # type: ignore[arg-type]
        else:
            values[node] = network.value_of(node, values.__getitem__)
    return pixels, values


def extent(gradient: Tensor) -> list[list[int]]:
    """Return first and last row and column of what is not zero."""
    changed = gradient[0].abs().sum(0)
    return [
        [int(found[0]), int(found[-1])]
        for found in (changed.sum(1).nonzero(), changed.sum(0).nonzero())
    ]


def pieces(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*layers).eval()


def conv(size: int, stride: int = 1, padding: int = 0, *, into: int = 2) -> nn.Conv2d:
    return nn.Conv2d(into, 2, size, stride, padding)


def places(views: list[View]) -> dict[str, ViewPlace]:
    return {layer: place for view in views for layer, place in view.places.items()}


@pytest.mark.parametrize(
    ("name", "size", "layers"),
    [
        ("lite0", 255, ["_swish", "_blocks.3._swish_1", "_blocks.7._swish"]),
        ("resnet18", 257, ["relu", "layer2.1.relu_1", "layer3.1.relu"]),
    ],
)
def test_one_image_shows_a_whole_network_at_its_middle(
    name: str, size: int, layers: list[str]
) -> None:
    (view,) = plan_views(*build(name))
    assert (view.rows, view.columns) == (size, size)
    assert view.centre == ((size - 1) / 2, (size - 1) / 2)
    assert {place.off_centre for place in view.places.values()} == {0}
    pixels, values = generic_values(view.network)
    for layer in layers:
        site, place = view.sites[layer], view.places[layer]
        unit = site.units(values[site.after], place.index).sum()
        (gradient,) = torch.autograd.grad(unit, pixels, retain_graph=True)
        rows, columns = extent(gradient)
        assert (sum(rows) / 2, sum(columns) / 2) == view.centre
        assert rows[1] - rows[0] + 1 == columns[1] - columns[0] + 1 == place.side


def _odd_strides() -> nn.Module:
    return pieces(conv(5, 3, 1, into=1), nn.ReLU(), conv(3, 2), nn.ReLU(), conv(3, 1, 1), nn.ReLU())


def test_odd_strides_share_a_centre_in_the_smallest_image_that_has_one() -> None:
    (view,) = plan_views(_odd_strides(), image(40, 1))
    # Centres: 3p + 1 and 6p + 4; the middle of 40 pixels is 19.5, and the next 6p + 4 is 22.
    assert (view.rows, view.centre) == (45, (22.0, 22.0))
    assert [place.index for place in view.places.values()] == [(22, 22), (7, 7), (3, 3), (3, 3)]


def test_rows_and_columns_are_planned_apart() -> None:
    (view,) = plan_views(_odd_strides(), torch.zeros(1, 1, 45, 30))
    assert (view.rows, view.columns, view.centre) == (45, 33, (22.0, 16.0))
    assert places([view])["5"].index == (3, 2)


@pytest.mark.parametrize("layer", ["1", "3"])
def test_mirroring_the_image_is_mirroring_the_stimulus(layer: str) -> None:
    network = _odd_strides()
    (view,) = plan_views(network, image(40, 1))
    mirrored = _odd_strides()
    for part in mirrored.modules():
        if isinstance(part, nn.Conv2d):
            part.weight.data = part.weight.data.flip(-1)
    stimulus = image(45, 1)
    answers = []
    for module, shown in ((network, stimulus), (mirrored, stimulus.flip(-1))):
        traced = trace(module, shown)
        site = sites_in(traced, view.sites)[layer]
        value = traced.run(shown, {site.after}.__contains__)[site.after]
        answers.append(site.units(value, view.places[layer].index))
    torch.testing.assert_close(answers[0], answers[1])


def _halvings(count: int) -> nn.Module:
    layers: list[nn.Module] = [conv(3, 1, 1), nn.ReLU()]
    for _ in range(count):
        layers += [nn.MaxPool2d(2), conv(3, 1, 1), nn.ReLU()]
    return pieces(*layers)


def test_grids_without_a_common_centre_take_several_views_deepest_first() -> None:
    views = plan_views(_halvings(3), image(32, 2))
    assert [list(view.places) for view in views] == [["10"], ["7"], ["4"], ["input", "1"]]
    # Centres: 8p + 3.5, 4p + 1.5, 2p + 0.5, p; the middle of 32 pixels is 15.5.
    assert [view.centre[0] for view in views] == [19.5, 17.5, 16.5, 16.0]
    assert [view.rows for view in views] == [40, 36, 34, 33]
    assert {place.off_centre for place in places(views).values()} == {0}


def test_layers_past_the_last_view_are_read_nearby_and_say_how_far() -> None:
    network = _halvings(7)
    views = plan_views(network, image(128, 2))
    assert len(views) == MOST_VIEWS
    found = places(views)
    assert set(found) == set(find_sites(trace(network, image(128, 2))))
    # The two shallowest grids, p and 2p + 0.5, lie half a pixel off in both directions.
    off = {layer: place.off_centre for layer, place in found.items() if place.off_centre}
    assert off == pytest.approx({"input": 0.5**0.5, "1": 0.5**0.5, "4": 0.5**0.5 * 2})


class _Flattened(nn.Module):
    """Takes one size only; or, as ``pieces``, takes a larger image for several small ones."""

    def __init__(self, *, pieces: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(conv(5, 3, 1), nn.ReLU(), conv(7 if pieces else 1))
        self.head = nn.Linear(2 if pieces else 98, 3)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.body(x))
        return self.head(x.permute(0, 2, 3, 1).reshape(-1, 2) if self.pieces else x.flatten(1))


@pytest.mark.parametrize("pieces", [False, True])
def test_a_network_of_one_size_is_looked_at_near_its_middle(pieces: bool) -> None:
    (view,) = plan_views(_Flattened(pieces=pieces).eval(), image(22, 2))
    # Centres 3p + 1; the middle is 10.5.
    assert (view.rows, view.centre) == (22, (10.0, 10.0))
    assert view.places["body.1"] == ViewPlace((3, 3), (3, 3), 0.0, 5)
    assert view.places["head"] == ViewPlace((), (), 0.0, 23 if pieces else None)


def test_a_native_size_is_kept_when_asked_for() -> None:
    (view,) = plan_views(_odd_strides(), image(40, 1), sizes="native")
    assert (view.rows, view.centre) == (40, (22.0, 22.0))


class _DynamicSame(nn.Module):
    """'SAME' padding computed from the size, as TensorFlow does it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Conv2d(2, 2, 3, 2) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            over = max((-(-x.shape[-1] // 2) - 1) * 2 + 3 - x.shape[-1], 0)
            sides = (over // 2, over - over // 2)
            x = torch.relu(layer(functional.pad(x, (*sides, *sides))))
        return x


def test_padding_that_follows_the_size_is_met_at_a_size_where_it_is_even() -> None:
    (view,) = plan_views(_DynamicSame().eval(), image(32, 2))
    assert (view.rows, view.centre) == (33, (16.0, 16.0))
    assert [place.off_centre for place in view.places.values()] == [0, 0, 0, 0]


class _Vision(nn.Module):
    """Tokens with a class token before them, which attend to each other."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.token = nn.Conv2d(2, 8, 4, 4), nn.Parameter(torch.rand(1, 1, 8))
        self.place = nn.Parameter(torch.rand(1, 17, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.expand, self.act, self.head = nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.place
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return self.head(self.act(self.expand(x))[:, 0])


def test_a_token_is_read_at_its_own_patch() -> None:
    (view,) = plan_views(_Vision().eval(), image(16, 2))
    assert (view.rows, view.centre) == (16, (5.5, 5.5))
    assert view.places["act"] == ViewPlace((1 + 4 + 1,), (6,), 0.0, None)
    assert view.places["head"] == ViewPlace((), (), 0.0, None)
    assert view.places["input"].off_centre == pytest.approx(0.5**0.5)


def test_a_pooling_that_makes_features_has_its_pre_activation_on_a_finer_grid() -> None:
    views = plan_views(pieces(conv(3, 1, 1), nn.MaxPool2d(3, 2, 1)), image(16, 2))
    (view,) = views
    assert view.places["1"] == ViewPlace((4, 4), (8, 8), 0.0, 5)
    site = view.sites["1"]
    assert (view.rows, shape_of(site.after)[2], shape_of(site.before)[2]) == (17, 9, 17)  # type: ignore[arg-type]


def test_a_layer_whose_field_is_unknown_is_read_in_the_middle_of_its_map() -> None:
    network = pieces(conv(3, 2, 1), nn.ReLU(), nn.ReflectionPad2d(1), conv(3, 1), nn.ReLU())
    (view,) = plan_views(network, image(16, 2))
    assert view.places["1"].off_centre == 0
    unknown = view.places["4"]
    assert (unknown.index, unknown.side) == ((4, 4), None)
    assert math.isnan(unknown.off_centre)


def test_a_network_without_any_map_has_one_view() -> None:
    (view,) = plan_views(pieces(nn.Flatten(), nn.Linear(128, 3), nn.ReLU()), image(8, 2))
    assert (view.rows, view.centre) == (8, (3.5, 3.5))
    assert list(view.places) == ["input", "2"]


def test_an_onnx_file_of_fixed_shapes_is_looked_at_in_its_own_size(tmp_path: Path) -> None:
    file = onnx_networks.save(onnx_networks.two_branches(), tmp_path / "net.onnx")
    found = read_onnx(file)
    views = plan_views(found.module, torch.zeros(1, *found.input_shape))
    assert {place.off_centre for place in places(views).values()} == {0}
    assert len(views) == 2
    assert [view.rows for view in views] == [18, 17]


@pytest.mark.parametrize(
    "network",
    [_odd_strides(), _halvings(2), _Flattened(), _DynamicSame(), _Vision()],
)
def test_every_layer_stands_in_one_view_in_the_order_of_the_walk(network: nn.Module) -> None:
    size = {_Flattened: 22, _Vision: 16}.get(type(network), 40)
    channels = 1 if isinstance(network, nn.Sequential) and network[0].in_channels == 1 else 2
    native = trace(network.eval(), image(size, channels))
    composer = Composer(native)
    composer.compose()
    order = list(composer.sites)
    assert find_sites(native) == composer.sites
    views = plan_views(network, image(size, channels))
    listed = [layer for view in views for layer in view.places]
    assert sorted(listed) == sorted(order)
    for view in views:
        assert list(view.places) == sorted(view.places, key=order.index) == list(view.sites)


def test_sites_are_found_again_in_a_trace_with_a_larger_batch() -> None:
    (view,) = plan_views(_Vision().eval(), image(16, 2))
    images = torch.randn(5, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    batched = trace(_Vision().eval(), images)
    sites = sites_in(batched, view.sites)
    assert list(sites) == list(view.sites)
    site, place = sites["act"], view.places["act"]
    together = batched.run(images, {site.after}.__contains__)[site.after]
    for number, one in enumerate(images):
        after = view.sites["act"].after
        alone = view.network.run(one[None], {after}.__contains__)[after]
        torch.testing.assert_close(
            site.units(together, place.index)[number], alone[0, place.index[0]]
        )


def test_sites_are_refused_in_a_trace_of_another_network() -> None:
    (view,) = plan_views(_odd_strides(), image(40, 1))
    with pytest.raises(TraceError, match="is missing there"):
        sites_in(trace(pieces(conv(3)), image(8, 2)), view.sites)


def test_units_are_read_from_any_layout() -> None:
    value = torch.arange(2 * 3 * 4 * 5).view(2, 3, 4, 5)
    network = trace(pieces(conv(3)), image(8, 2))
    site = find_sites(network)["input"]
    np.testing.assert_array_equal(site.units(value, (1, 2)), value[:, :, 1, 2])
