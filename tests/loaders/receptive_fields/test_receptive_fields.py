"""Receptive fields against brute force: pixels are perturbed, and what changes is compared."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from circuitkb.loaders.composition.tracing import trace
from circuitkb.loaders.receptive_fields.fields import (
    AxisField,
    ReceptiveField,
    along_axes,
    centres,
    longest_side,
    pixels,
    receptive_fields,
)


def positive(network: nn.Module) -> nn.Module:
    """Make a network strictly monotone in each pixel it sees: no effect can cancel or hide."""
    torch.manual_seed(0)
    network = copy.deepcopy(network).double().eval()
    for parameter in network.parameters():
        parameter.data = torch.rand_like(parameter) + 0.1
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
    return network


@torch.no_grad()
def perturbed(
    network: nn.Module, rows: int, columns: int, *, by: float = 100.0, layout: str = "ncyx"
) -> Tensor:
    """Return which pixel changes which position, bool (row, column, *positions) of the output."""
    image = torch.rand(1, 2, rows, columns, dtype=torch.float64) + 0.5
    images = image.repeat(rows * columns, 1, 1, 1)
    number = torch.arange(rows * columns)
    images[number, :, number // columns, number % columns] += by
    changed = (network(images) != network(image)).any(layout.index("c"))
    return changed.unflatten(0, (rows, columns))


def box_of(changed: Tensor) -> NDArray[np.int64]:
    """Return the first and last row and column of what is true in (row, column): (2, 2)."""
    rows, columns = changed.any(1).nonzero(), changed.any(0).nonzero()
    return np.array([[int(rows[0]), int(rows[-1])], [int(columns[0]), int(columns[-1])]])


def field_of(network: nn.Module, rows: int, columns: int) -> ReceptiveField | None:
    traced = trace(copy.deepcopy(network).float().eval(), torch.zeros(1, 2, rows, columns))
    return receptive_fields(traced)[traced.outputs[0]]


def known(field: ReceptiveField | None) -> ReceptiveField:
    assert field is not None
    return field


def _at(axis: AxisField, position: int) -> tuple[float, float]:
    """Return a position's field from its definition."""
    start = axis.stride * position if position else 0.0
    return start + axis.low, start + axis.high


def assert_sees_what_changes_it(network: nn.Module, rows: int, columns: int) -> ReceptiveField:
    """Compare pixels, and where nothing is cut off by the border the field, with brute force."""
    network = positive(network)
    changed = perturbed(network, rows, columns)
    field = known(field_of(network, rows, columns))
    found, middles = pixels(field, "ncyx"), centres(field, "ncyx")
    axes = along_axes(field)
    inside = 0
    for y, x in np.ndindex(*found.shape[:2]):
        truth = box_of(changed[:, :, y, x])
        assert found[y, x].tolist() == truth.tolist()
        theory = np.array([_at(axis, place) for axis, place in zip(axes, (y, x), strict=True)])
        assert middles[y, x].tolist() == theory.mean(1).tolist()
        if (theory[:, 0] >= 0).all() and (theory[:, 1] < (rows, columns)).all():
            assert theory.tolist() == truth.tolist()
            inside += 1
    assert inside
    return field


def conv(
    size: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] | str = 0,
    *,
    dilation: int = 1,
    groups: int = 1,
) -> nn.Conv2d:
    return nn.Conv2d(2, 2, size, stride, padding, dilation, groups)


STACKS = {
    "odd and even kernels": [conv(3, 1, 1), conv(2, 2), conv(5, 1, 2), conv(4, 1, 1)],
    "odd strides": [conv(5, 3, 2), nn.ReLU(), conv(3, 3, 1), conv(2)],
    "strides 2 and 3": [conv(3, 2, 1), conv(3, 3, 1), conv(3, 1, 1)],
    "a stride past its kernel": [conv(1, 2), conv(3, 1, 1)],
    "dilation": [conv(3, 1, 2, dilation=2), conv(3, 2, 3, dilation=3)],
    "groups": [conv(3, 2, 1, groups=2), nn.BatchNorm2d(2), conv(3, 1, 1)],
    "sizes that differ": [conv((3, 1), (2, 1), (1, 0)), conv((1, 4), (1, 3), (0, 1))],
    "padding by name": [conv(4, 1, "same"), conv(3, 1, "same", dilation=2), conv(3, 2, "valid")],
    "static same padding": [
        nn.ZeroPad2d((0, 1, 0, 1)),
        conv(3, 2),
        nn.ZeroPad2d((1, 2, 1, 2)),
        conv(5, 2),
    ],
    "cropping": [conv(3, 1, 1), nn.ZeroPad2d((-1, -2, -3, 0)), conv(3, 2)],
    "max pools in ceiling mode": [
        conv(3, 2, 1),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.MaxPool2d(2, 2, ceil_mode=True),
    ],
    "dilated max pool": [nn.MaxPool2d(2, 1, dilation=3), conv(3, 2, 1)],
    "average pools": [conv(3, 1, 1), nn.AvgPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(2)],
    "adaptive pool that divides": [nn.AdaptiveAvgPool2d((7, 5)), conv(1)],
}


@pytest.mark.filterwarnings("ignore:Using padding")
@pytest.mark.parametrize("name", STACKS)
def test_a_unit_sees_the_pixels_that_change_it(name: str) -> None:
    torch.manual_seed(0)
    assert_sees_what_changes_it(nn.Sequential(*STACKS[name]), 28, 25)


class _Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 2, 1)
        self.left, self.right = conv(5, 1, 2), nn.MaxPool2d(3, 1, 1)
        self.shrink, self.skip = nn.Conv2d(4, 2, 3, 2, 1), nn.Conv2d(4, 2, 1, 2)
        self.shift = conv(2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = torch.cat([self.left(x), self.right(x)], 1)
        x = self.shrink(x) + self.skip(x)
        shuffled = x.view(-1, 2, 1, *x.shape[2:]).transpose(1, 2).reshape(x.shape)
        return shuffled[:, :, 1:, :-1] + self.shift(x)


def test_residual_and_concatenated_branches_see_the_union_of_their_boxes() -> None:
    torch.manual_seed(0)
    field = assert_sees_what_changes_it(_Branches(), 28, 28)
    rows, columns = along_axes(field)
    assert rows.stride == columns.stride == 4
    assert (rows.centre, columns.centre) == (2.0, 2.0)


@st.composite
def _layers(draw: st.DrawFn) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 4))):
        size, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        kind = draw(st.sampled_from(["conv", "max", "mean", "pad"]))
        if kind == "conv":
            layers.append(
                conv(size, stride, draw(st.integers(0, 2)), dilation=draw(st.integers(1, 2)))
            )
        elif kind == "pad":
            layers.append(nn.ZeroPad2d(draw(st.tuples(*[st.integers(0, 2)] * 4))))
        else:
            pool = nn.MaxPool2d if kind == "max" else nn.AvgPool2d
            around = draw(st.integers(0, size // 2))
            layers.append(pool(size, stride, around, ceil_mode=draw(st.booleans())))
    return layers


@settings(max_examples=15, deadline=None)
@given(_layers())
def test_random_stacks_of_layers_see_what_changes_them(layers: list[nn.Module]) -> None:
    network = positive(nn.Sequential(*layers))
    try:
        changed = perturbed(network, 16, 15)
    except RuntimeError:
        return  # The map shrank to nothing.
    found = pixels(known(field_of(network, 16, 15)), "ncyx")
    for y, x in np.ndindex(*found.shape[:2]):
        if changed[:, :, y, x].any():
            assert found[y, x].tolist() == box_of(changed[:, :, y, x]).tolist()
        else:
            assert (found[y, x][:, 0] > found[y, x][:, 1]).any()


class _Gated(nn.Module):
    """A squeeze-excite gate between two convolutions; ``mixing`` 0 opens it for good."""

    def __init__(self, mixing: float) -> None:
        super().__init__()
        self.first, self.second = conv(3, 2, 1), conv(3, 2, 1)
        self.squeeze = conv(1)
        self.register_buffer("mixing", torch.tensor(mixing))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        gate = torch.sigmoid(self.squeeze(functional.adaptive_avg_pool2d(x, 1)))
        return self.second(x * (gate * self.mixing + 0.5))


class _Tokens(nn.Module):
    """A vision transformer's block with a class token, its attention fused or written out."""

    def __init__(self, mixing: float, *, fused: bool = True) -> None:
        super().__init__()
        self.patches = nn.Conv2d(2, 8, 4, 4)
        self.token = nn.Parameter(torch.rand(1, 1, 8))
        self.place = nn.Parameter(torch.rand(1, 13, 8))
        self.norm, self.project, self.out = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8)
        self.register_buffer("mixing", torch.tensor(mixing))
        self.fused = fused

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.place
        heads = self.project(self.norm(x)).view(len(x), 13, 3, 2, 4).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(0)
        if self.fused:
            seen = functional.scaled_dot_product_attention(query, key, value)
        else:
            seen = torch.softmax(query @ key.transpose(-2, -1), -1) @ value
        return x + self.mixing * self.out(seen.transpose(1, 2).flatten(2))


class _Windows(nn.Module):
    """A Swin block: attention within shifted windows of 2x2 tokens, then patches merged."""

    def __init__(self, mixing: float) -> None:
        super().__init__()
        self.patches, self.project = nn.Conv2d(2, 4, 2, 2), nn.Linear(4, 12)
        self.norm, self.merge = nn.LayerNorm(4), nn.Linear(16, 4)
        self.register_buffer("mixing", torch.tensor(mixing))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).permute(0, 2, 3, 1)
        n, rows, columns, c = x.shape
        shifted = torch.roll(self.norm(x), (-1, -1), (1, 2))
        windows = shifted.view(n, rows // 2, 2, columns // 2, 2, c).permute(0, 1, 3, 2, 4, 5)
        query, key, value = self.project(windows.reshape(-1, 4, c)).chunk(3, -1)
        seen = torch.softmax(torch.einsum("wic,wjc->wij", query, key), -1) @ value
        seen = seen.view(n, rows // 2, columns // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5)
        x = x + self.mixing * torch.roll(seen.reshape(n, rows, columns, c), (1, 1), (1, 2))
        corners = [x[:, top::2, left::2] for left in (0, 1) for top in (0, 1)]
        return self.merge(torch.cat(corners, -1))


MIXED = {
    "squeeze-excite": (_Gated, "ncyx", {}),
    "attention": (_Tokens, "ntc", {}),
    "attention written out": (_Tokens, "ntc", {"fused": False}),
    "attention in shifted windows": (_Windows, "nyxc", {}),
}


@pytest.mark.parametrize("name", MIXED)
def test_what_mixes_positions_widens_what_a_unit_sees_but_leaves_its_place(name: str) -> None:
    kind, layout, options = MIXED[name]
    torch.manual_seed(0)
    mixing = kind(1.0, **options).double().eval()
    alone = kind(0.0, **options).double().eval()
    alone.load_state_dict({**mixing.state_dict(), "mixing": torch.tensor(0.0)})
    seen = perturbed(mixing, 12, 16, by=1.0, layout=layout)
    own = perturbed(alone, 12, 16, by=1.0, layout=layout)
    field = known(field_of(mixing, 12, 16))
    found, middles = pixels(field, layout), centres(field, layout)
    for position in np.ndindex(*middles.shape[:-1]):
        at = (slice(None), slice(None), *position)
        assert found[position].tolist() == box_of(seen[at]).tolist()
        if not own[at].any():
            assert np.isnan(middles[position]).all()  # the class token
        elif min(position) > 0:  # where padding cuts nothing off
            assert middles[position].tolist() == box_of(own[at]).mean(1).tolist()
    whole = name != "attention in shifted windows"
    assert [axis.whole for axis in along_axes(field)] == [whole, whole]
    assert (longest_side(field) is None) == whole


def test_a_mean_over_the_map_sees_the_whole_image_and_has_no_place() -> None:
    for last in (nn.AdaptiveAvgPool2d(1), nn.Sequential(nn.Flatten(), nn.Linear(2 * 36, 2))):
        field = known(field_of(nn.Sequential(conv(3, 2, 1), last), 12, 12))
        rows, columns = along_axes(field)
        assert (rows.whole, columns.whole) == (True, True)
        assert (rows.placed, columns.placed) == (False, False)
        assert longest_side(field) is None


def test_a_mean_over_a_part_of_the_map_sees_that_part() -> None:
    class Part(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :, 4:8, 2:7].mean((2, 3))

    field = known(field_of(nn.Sequential(conv(3, 1, 1), Part()), 12, 12))
    rows, columns = along_axes(field)
    assert (rows.low, rows.high, columns.low, columns.high) == (3, 8, 1, 7)
    assert not rows.whole
    assert longest_side(field) == 7


@pytest.mark.parametrize("norm", [nn.GroupNorm(1, 2), nn.LayerNorm((2, 6, 6))])
def test_a_norm_over_the_map_leaves_its_grid_and_sees_the_whole_image(norm: nn.Module) -> None:
    field = known(field_of(nn.Sequential(conv(3, 2, 1), norm), 12, 12))
    assert along_axes(field)[0] == AxisField(2.0, -1.0, 1.0, True)


class _Sorted(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sort(x, dim=-1).values


@pytest.mark.parametrize(
    "strange",
    [_Sorted(), nn.ConvTranspose2d(2, 2, 3), nn.ReflectionPad2d(1), nn.Upsample(scale_factor=2)],
)
def test_what_has_no_rule_is_unknown_and_so_is_all_behind_it(strange: nn.Module) -> None:
    assert field_of(strange, 12, 12) is None
    assert field_of(nn.Sequential(conv(3), strange, nn.ReLU(), conv(1)), 12, 12) is None


def test_windows_past_the_border_of_an_uneven_grid_are_unknown() -> None:
    uneven = nn.AdaptiveAvgPool2d(5)
    assert np.isnan(along_axes(known(field_of(uneven, 12, 12)))[0].stride)
    assert field_of(nn.Sequential(uneven, conv(3, 1, 1)), 12, 12) is None


def test_the_stride_of_a_grid_with_one_position_is_remembered() -> None:
    network = nn.Sequential(conv(13, 6), conv(3, 3), conv(3, 1, 1))
    one, larger = (along_axes(known(field_of(network, size, size)))[0] for size in (28, 64))
    assert one == larger == AxisField(18.0, -18.0, 42.0, False)


@pytest.mark.parametrize(("rows", "columns"), [(12, 9), (9, 12)])
def test_rows_and_columns_are_told_apart_in_any_order_of_axes(rows: int, columns: int) -> None:
    class Turned(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.transpose(2, 3)

    network = nn.Sequential(conv((3, 1), (3, 1)), Turned(), conv((1, 3)))
    found = along_axes(known(field_of(network, rows, columns)))
    assert found == (AxisField(3.0, 0.0, 8.0, False), AxisField(1.0, 0.0, 0.0, False))
