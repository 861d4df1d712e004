"""Composed kernels are exact at every position that is claimed, borders included, or are listed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from circuitkb.loaders.composed import Composition
from circuitkb.loaders.composition import compose

from .networks import image
from .proof import LayerProof, prove
from .linear_networks import RandomNetwork


class _Behind(nn.Module):
    """Features (a ReLU of the image), then what is tried."""

    def __init__(self, tried: Callable[[Tensor], Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.tried = tried
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        return self.tried(torch.relu(x))


def _ones(into: int, out: int, padding: int) -> nn.Conv2d:
    layer = nn.Conv2d(into, out, 3, padding=padding, bias=False)
    nn.init.ones_(layer.weight)
    return layer


def _answer_to_ones(found: Composition, size: int) -> float:
    """The single output for an image of ones: bias and kernels, by the definition of both."""
    last = found.layers[-1]
    assert last.bias is not None
    into = [connection for connection in found.connections if connection.target == last.name]
    # Each kernel covers the whole map, so that every value of it meets a one.
    assert all(c.kernel.shape[3:] == (size, size) or c.pooling == ("mean",) for c in into)
    return float(last.bias[0] + sum(float(c.kernel.sum()) for c in into))


def test_a_mean_over_two_padded_convolutions_sees_their_border() -> None:
    both = nn.Sequential(_ones(1, 1, 1), _ones(1, 1, 1))
    network = _Behind(lambda x: both(x).mean((2, 3)), both).eval()
    found = compose(network, torch.ones(1, 1, 2, 2))
    assert found.not_composed == ()
    assert _answer_to_ones(found, 2) == pytest.approx(16)
    assert float(network(torch.ones(1, 1, 2, 2))) == pytest.approx(16)


def test_inside_two_padded_convolutions_the_kernel_holds_and_the_margin_says_where() -> None:
    torch.manual_seed(0)
    both = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 2, 3, padding=1))
    found, proofs = prove(_Behind(both, both).eval(), image(9, 2), whole=True)
    (edge,) = [c for c in found.connections if c.source == "relu"]
    assert edge.kernel.shape == (1, 2, 2, 5, 5)
    assert edge.margin == found.layers[-1].margin == (1, 1, 1, 1)
    assert [proof.positions for proof in proofs] == [81, 49]
    assert max(proof.error for proof in proofs) < 1e-5


def test_a_pooling_that_does_not_count_padding_is_a_mean_of_what_is_there() -> None:
    pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    found = compose(_Behind(lambda x: pool(x).mean((2, 3)), pool).eval(), torch.ones(1, 1, 2, 2))
    assert found.not_composed == ()
    (edge,) = [c for c in found.connections if c.source == "relu"]
    # Every window holds the whole map of 2x2, so that each position weighs a quarter.
    np.testing.assert_allclose(edge.kernel.ravel(), [0.25] * 4)
    assert _answer_to_ones(found, 2) == pytest.approx(1)


POOLINGS = [
    nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    nn.AvgPool2d(2, 2, ceil_mode=True),
    nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
    nn.AvgPool2d(2, 1, divisor_override=3),
    nn.AdaptiveAvgPool2d((4, 5)),
    nn.AdaptiveAvgPool2d((3, 1)),
    nn.AdaptiveAvgPool2d(9),
]


@pytest.mark.parametrize("pool", POOLINGS, ids=repr)
@pytest.mark.parametrize("mean", [False, True])
def test_a_pooling_whose_divisor_changes_is_exact_where_it_is_claimed(
    pool: nn.Module, mean: bool
) -> None:
    torch.manual_seed(0)
    mix = nn.Conv2d(2, 3, 1)

    def tried(x: Tensor) -> Tensor:
        x = mix(pool(x))
        return x.mean((2, 3)) if mean else x

    found, proofs = prove(_Behind(tried, mix).eval(), image(7, 2), whole=True)
    assert found.not_composed == ()
    assert max(proof.error for proof in proofs) < 1e-5


def _gates(x: Tensor) -> Tensor:
    return x.mean((2, 3), keepdim=True) * x.mean(1, keepdim=True)


SPREAD: dict[str, Callable[[Tensor], Tensor]] = {
    "a mean times a map of ones": lambda x: x.mean((2, 3), keepdim=True) * torch.ones(1, 1, 4, 4),
    "a map of ones times a mean": lambda x: torch.ones(1, 1, 4, 4) * x.mean((2, 3), keepdim=True),
    "a mean added to a map": lambda x: x + x.mean((2, 3), keepdim=True),
    "a map less its mean over channels": lambda x: x - x.mean(1, keepdim=True),
    "a mean over columns spread": lambda x: x.mean(3, keepdim=True) + 0.5 * x,
    "a mean expanded": lambda x: x.mean((2, 3), keepdim=True).expand(-1, -1, 4, 4),
    "one channel for all": lambda x: torch.ones(1, 3, 1, 1) * x[:, :1],
    "a map of constants": lambda x: x * torch.arange(16.0).view(1, 1, 4, 4),
    "divided by a map": lambda x: x / torch.arange(1, 17.0).view(1, 1, 4, 4),
    "a channel gate times a spatial gate": _gates,
    "a spatial gate times a channel gate": lambda x: x.mean(1, keepdim=True) * x.mean((2, 3), True),
    "divided by its own mean": lambda x: x / (x.mean((1, 2, 3), keepdim=True) + 5),
}


@pytest.mark.parametrize("name", SPREAD)
def test_tensors_spread_over_each_other_keep_all_channels_and_are_exact(name: str) -> None:
    torch.manual_seed(0)
    last = nn.Conv2d(2 if name != "one channel for all" else 3, 3, 3, padding=1)
    if name in ("a mean over channels",):
        last = nn.Conv2d(1, 3, 3, padding=1)
    network = _Behind(lambda x: torch.relu(last(SPREAD[name](x))), last).eval()
    found, proofs = prove(network, image(4, 2), whole=True)
    assert found.not_composed == ()
    assert {c.source for c in found.connections if c.target == "relu_1"} == {"relu"}
    assert max(proof.error for proof in proofs) < 1e-5
    shapes = {layer.name: (layer.channels, layer.height) for layer in found.layers}
    assert shapes["relu_1"] == (3, 4)


def _focus(x: Tensor) -> Tensor:
    return torch.cat(
        [x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1
    )


@pytest.mark.parametrize("slices", [_focus, lambda x: F.pixel_unshuffle(x, 2)])
def test_focus_slicing_is_a_kernel_of_stride_two_at_all_positions(
    slices: Callable[[Tensor], Tensor],
) -> None:
    torch.manual_seed(0)
    last = nn.Conv2d(12, 4, 3, padding=1)
    found, proofs = prove(_Behind(lambda x: last(slices(x)), last).eval(), image(12), whole=True)
    edges = [c for c in found.connections if c.source == "relu"]
    assert {(c.stride, c.margin) for c in edges} == {((2, 2), (0, 0, 0, 0))}
    assert [proof.positions for proof in proofs] == [144, 36]
    assert max(proof.error for proof in proofs) < 1e-5


RESIZED: dict[str, Callable[[Tensor], Tensor]] = {
    "nearest": lambda x: F.interpolate(x, scale_factor=2, mode="nearest"),
    "bilinear": lambda x: F.interpolate(x, size=(9, 11), mode="bilinear"),
    "corners": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
    "bicubic": lambda x: F.interpolate(x, scale_factor=0.7, mode="bicubic"),
    "from one place": lambda x: F.interpolate(x.mean((2, 3), keepdim=True), (4, 4)),
    "pixel shuffle": lambda x: F.pixel_shuffle(x, 2).repeat(1, 4, 1, 1),
    "transposed": lambda x: F.conv_transpose2d(x, torch.arange(64.0).view(4, 4, 2, 2), stride=2),
    "reflected": lambda x: F.pad(x, (1, 2, 2, 1), mode="reflect"),
    "beside": lambda x: torch.cat([x, x.flip(3)], 3),
}


@pytest.mark.parametrize("name", RESIZED)
@pytest.mark.parametrize("head", ["map", "mean"])
def test_a_resized_map_is_exact_at_its_centre_and_in_its_mean(name: str, head: str) -> None:
    torch.manual_seed(0)
    last = nn.Conv2d(4, 3, 3, padding=1)

    def tried(x: Tensor) -> Tensor:
        x = last(RESIZED[name](x))
        return x.mean((2, 3)) if head == "mean" else x

    found, proofs = prove(_Behind(tried, last).eval(), image(6, 4), whole=True)
    assert found.not_composed == ()
    assert max(proof.error for proof in proofs) < 1e-5
    if name == "from one place":
        assert {c.pooling for c in found.connections if c.source == "relu"} == {("mean",)}


HEADS: dict[str, Callable[[Tensor, nn.Linear], Tensor]] = {
    "softmax": lambda x, last: torch.softmax(last(x.flatten(1)), 1),
    "log_softmax": lambda x, last: F.log_softmax(last(x.flatten(1)), 1),
    "sigmoid": lambda x, last: torch.sigmoid(last(x.flatten(1))),
    "row column channel": lambda x, last: last(x.permute(0, 2, 3, 1).flatten(1)),
    "column row channel": lambda x, last: torch.softmax(last(x.permute(0, 3, 2, 1).flatten(1)), 1),
    "halves": lambda x, last: last(torch.cat([x[:, :1].flatten(1), x[:, 1:].flatten(1)], 1)),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_class_head_has_units_with_edges_into_their_logits(name: str) -> None:
    torch.manual_seed(0)
    last = nn.Linear(18, 5)
    network = _Behind(lambda x: HEADS[name](x, last), last).eval()
    found, proofs = prove(network, image(3, 2), whole=True)
    assert found.not_composed == ()
    assert found.layers[-1].channels == 5
    (edge,) = [c for c in found.connections if c.target == found.layers[-1].name]
    assert edge.kernel.shape == (1, 5, 2, 3, 3)
    assert max(proof.error for proof in proofs) < 1e-5


def test_a_head_over_positions_has_a_unit_for_each_class_and_not_for_each_place() -> None:
    torch.manual_seed(0)
    maps = [nn.Conv2d(2, 7, 1), nn.Conv2d(2, 7, 1, stride=2)]

    def tried(x: Tensor) -> Tensor:
        return torch.sigmoid(torch.cat([part(x).flatten(2) for part in maps], 2))

    found, proofs = prove(_Behind(tried, *maps).eval(), image(6, 2), whole=True)
    last = found.layers[-1]
    assert (last.name, last.channels, last.height, last.width) == ("sigmoid", 7, 36 + 9, 1)
    assert found.not_composed == ()
    assert max(proof.error for proof in proofs) < 1e-5


def test_a_tensor_whose_axes_are_not_certain_has_no_units_and_is_listed() -> None:
    network = _Behind(lambda x: torch.relu(torch.cumsum(x, 1).flatten(2).sort(-1)[0]))
    found = compose(network.eval(), image(6, 2))
    assert [layer.channels for layer in found.layers] == [2, 2, 0]
    assert any("relu of a tensor without a channel axis" in path for path in found.not_composed)


NORMS: dict[str, tuple[Callable[[Tensor, nn.Module], Tensor], nn.Module]] = {
    "group": (lambda x, norm: norm(x), nn.GroupNorm(2, 4)),
    "instance": (lambda x, norm: norm(x), nn.InstanceNorm2d(4, affine=True)),
    "layer": (lambda x, norm: norm(x.movedim(1, -1)).movedim(-1, 1), nn.LayerNorm(4)),
}


@pytest.mark.parametrize("name", NORMS)
def test_norms_with_computed_statistics_are_gated_and_exact_on_the_reference(name: str) -> None:
    torch.manual_seed(0)
    apply, norm = NORMS[name]
    first, last = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 3, 3, padding=1)
    network = _Behind(lambda x: last(apply(first(x), norm)), first, norm, last).eval()
    found, proofs = prove(network, image(8, 2), whole=True)
    assert found.not_composed == ()
    assert {c.path for c in found.connections if c.source == "relu"} == {"gated"}
    assert found.linearisation is not None
    assert ("group and instance norms" in found.linearisation) is (name != "layer")
    assert max(proof.error for proof in proofs) < 1e-5
    _, elsewhere = prove(network, image(8, 2), image=image(8, 2) * 3, whole=True)
    assert max(proof.error for proof in elsewhere if proof.gated) > 1e-3


def test_a_batch_norm_over_a_list_of_positions_is_exact() -> None:
    """LeViT norms a matrix of (position, channel); its statistics are fixed."""
    torch.manual_seed(0)
    first, norm = nn.Linear(2, 4, bias=False), nn.BatchNorm1d(4)
    norm.running_mean, norm.running_var = torch.randn(4), torch.rand(4) + 0.5

    def tried(x: Tensor) -> Tensor:
        x = first(x.flatten(2).transpose(1, 2))
        return F.hardswish(norm(x.flatten(0, 1)).reshape_as(x))

    found, proofs = prove(_Behind(tried, first, norm).eval(), image(4, 2), whole=True)
    assert found.not_composed == ()
    assert [proof.positions for proof in proofs] == [16, 16]
    assert max(proof.error for proof in proofs) < 1e-5


def test_what_a_backward_pass_would_take_too_long_for_is_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from circuitkb.loaders import backward_pass, linear_form

    last = nn.Conv2d(2, 3, 3, padding=1)
    network = _Behind(lambda x: last(F.interpolate(x, scale_factor=2)), last).eval()
    monkeypatch.setattr(backward_pass, "MOST_MULTIPLICATIONS", 10)
    slow = compose(network, image(4, 2))
    monkeypatch.undo()
    monkeypatch.setattr(linear_form, "LARGEST_COMPOSED", 10)
    large = compose(network, image(4, 2))
    for found, why in ((slow, "would take too long to find"), (large, "have more than 10 values")):
        assert {c.target for c in found.connections} == {"relu"}
        assert found.layers[-1].bias is None
        assert len(found.not_composed) == 1
        assert why in found.not_composed[0]


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_are_exact_wherever_they_claim_to_be(seed: int) -> None:
    picture = image(7 + seed % 4)
    network = RandomNetwork(seed, picture)
    found, proofs = prove(network, picture, whole=True)
    assert found.not_composed == ()
    assert {proof.layer for proof in proofs} == {layer.name for layer in found.layers[1:]}
    assert _worst(proofs) < 2e-5, network.names


def _worst(proofs: list[LayerProof]) -> float:
    return max(proof.error for proof in proofs)
