"""Composed kernels are exact at every position that is claimed, borders included, or are listed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from circuitkb.loaders.composition import backward_pass, linear_form
from circuitkb.loaders.composition.compose import compose
from circuitkb.loaders.composition.composed import Composition
from tests.loaders.linear_networks import RandomNetwork
from tests.loaders.networks import image
from tests.loaders.proof import LayerProof, prove

Tried = Callable[[Tensor], Tensor]


class _Behind(nn.Module):
    """Features (a ReLU of the image), then what is tried, each of it an output of its own."""

    def __init__(self, tried: Sequence[Tried], parts: Sequence[nn.Module] = ()) -> None:
        super().__init__()
        self.tried = tried
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = torch.relu(x)
        return [tried(x) for tried in self.tried]


def _proven(
    tried: Sequence[Tried], picture: Tensor, parts: Sequence[nn.Module] = ()
) -> tuple[Composition, list[LayerProof]]:
    """Compose all at once; every layer is to be composed, and exact wherever that is claimed."""
    found, proofs = prove(_Behind(tried, parts).eval(), picture, whole=True)
    assert found.not_composed == ()
    assert {proof.layer for proof in proofs} == {layer.name for layer in found.layers[1:]}
    assert {proof.layer for proof in proofs if not proof.error < 1e-5} == set()
    return found, proofs


def _ones(padding: int) -> nn.Conv2d:
    layer = nn.Conv2d(1, 1, 3, padding=padding, bias=False)
    nn.init.ones_(layer.weight)
    return layer


def test_a_mean_sees_the_border_of_two_padded_convolutions_and_of_a_pooling() -> None:
    both = nn.Sequential(_ones(1), _ones(1))
    pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    tried = [lambda x: both(x).mean((2, 3)), lambda x: pool(x).mean((2, 3))]
    found, _ = _proven(tried, torch.ones(1, 1, 2, 2), [both])
    kernels = [c.kernel.ravel().tolist() for c in found.connections if c.source == "relu"]
    # Ones give 4 at each position after the first convolution, 16 after the second; a mean of
    # ones is 1. Each kernel covers the map of 2x2.
    assert kernels == [[4.0] * 4, [0.25] * 4]
    assert [layer.bias.tolist() for layer in found.layers[2:] if layer.bias is not None] == [
        [0.0],
        [0.0],
    ]


def test_inside_two_padded_convolutions_the_kernel_holds_and_the_margin_says_where() -> None:
    torch.manual_seed(0)
    both = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 2, 3, padding=1))
    found, proofs = _proven([both], image(9, 2), [both])
    (edge,) = [c for c in found.connections if c.source == "relu"]
    assert edge.kernel.shape == (1, 2, 2, 5, 5)
    assert edge.margin == found.layers[-1].margin == (1, 1, 1, 1)
    assert [proof.positions for proof in proofs] == [81, 49]


POOLINGS = (
    nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    nn.AvgPool2d(2, 2, ceil_mode=True),
    nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
    nn.AvgPool2d(2, 1, divisor_override=3),
    nn.AdaptiveAvgPool2d((4, 5)),
    nn.AdaptiveAvgPool2d((3, 1)),
    nn.AdaptiveAvgPool2d(9),
)


def test_poolings_whose_divisor_changes_are_exact_where_they_are_claimed() -> None:
    torch.manual_seed(0)
    mix = nn.Conv2d(2, 3, 1)
    _proven([lambda x, pool=pool: mix(pool(x)) for pool in POOLINGS], image(7, 2), [mix])
    _proven(
        [lambda x, pool=pool: mix(pool(x)).mean((2, 3)) for pool in POOLINGS], image(7, 2), [mix]
    )


SPREAD: dict[str, Tried] = {
    "a mean times a map of ones": lambda x: x.mean((2, 3), keepdim=True) * torch.ones(1, 1, 4, 4),
    "a map of ones times a mean": lambda x: torch.ones(1, 1, 4, 4) * x.mean((2, 3), keepdim=True),
    "a mean added to a map": lambda x: x + x.mean((2, 3), keepdim=True),
    "a map less its mean over channels": lambda x: x - x.mean(1, keepdim=True),
    "a mean over columns spread": lambda x: x.mean(3, keepdim=True) + 0.5 * x,
    "a mean expanded": lambda x: x.mean((2, 3), keepdim=True).expand(-1, -1, 4, 4),
    "one channel for both": lambda x: torch.ones(1, 2, 1, 1) * x[:, :1],
    "a map of constants": lambda x: x * torch.arange(16.0).view(1, 1, 4, 4),
    "divided by a map": lambda x: x / torch.arange(1, 17.0).view(1, 1, 4, 4),
    "channel by spatial": lambda x: x.mean((2, 3), keepdim=True) * x.mean(1, keepdim=True),
    "spatial by channel": lambda x: x.mean(1, keepdim=True) * x.mean((2, 3), keepdim=True),
    "divided by its own mean": lambda x: x / (x.mean((1, 2, 3), keepdim=True) + 5),
}


def test_tensors_spread_over_each_other_keep_all_channels_and_are_exact() -> None:
    torch.manual_seed(0)
    last = nn.Conv2d(2, 3, 3, padding=1)
    tried = [lambda x, spread=spread: torch.relu(last(spread(x))) for spread in SPREAD.values()]
    found, _ = _proven(tried, image(4, 2), [last])
    assert [(layer.channels, layer.height, layer.width) for layer in found.layers[2:]] == [
        (3, 4, 4)
    ] * len(SPREAD)
    # Both factors have edges: together they are the derivative at the reference image.
    features = torch.relu(image(4, 2))
    edges = {c.target: c for c in found.connections if c.path == "gated"}
    assert len(edges) == 3
    for (name, edge), spread in zip(edges.items(), list(SPREAD.values())[-3:], strict=True):
        slope = torch.autograd.functional.jacobian(
            lambda x, spread=spread: last(spread(x))[0, :, 2, 2], features
        )[:, 0]
        assert edge.offset is not None
        top, left = (2 + start for start in edge.offset)
        rows, columns = edge.kernel.shape[3:]
        kernel = torch.zeros_like(slope)
        kernel[:, :, top : top + rows, left : left + columns] = torch.tensor(edge.kernel[0])
        torch.testing.assert_close(kernel, slope, rtol=1e-5, atol=1e-6, msg=name)


def _focus(x: Tensor) -> Tensor:
    return torch.cat(
        [x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1
    )


def test_focus_slicing_is_a_kernel_of_stride_two_at_all_positions() -> None:
    torch.manual_seed(0)
    last = nn.Conv2d(12, 4, 3, padding=1)
    tried = [lambda x: last(_focus(x)), lambda x: last(F.pixel_unshuffle(x, 2))]
    found, proofs = _proven(tried, image(12), [last])
    edges = [c for c in found.connections if c.source == "relu"]
    assert {(c.stride, c.margin) for c in edges} == {((2, 2), (0, 0, 0, 0))}
    assert [proof.positions for proof in proofs] == [144, 36, 36]


RESIZED: dict[str, Tried] = {
    "nearest": lambda x: F.interpolate(x, scale_factor=2, mode="nearest"),
    "bilinear": lambda x: F.interpolate(x, size=(9, 11), mode="bilinear"),
    "corners": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
    "bicubic": lambda x: F.interpolate(x, scale_factor=0.7, mode="bicubic"),
    "pixel shuffle": lambda x: F.pixel_shuffle(x, 2).repeat(1, 4, 1, 1),
    "transposed": lambda x: F.conv_transpose2d(x, torch.arange(64.0).view(4, 4, 2, 2), stride=2),
    "reflected": lambda x: F.pad(x, (1, 2, 2, 1), mode="reflect"),
    "beside": lambda x: torch.cat([x, x.flip(3)], 3),
}


def test_resized_maps_are_exact_at_their_centre_and_in_their_mean() -> None:
    torch.manual_seed(0)
    last = nn.Conv2d(4, 3, 3, padding=1)
    maps = [lambda x, resized=resized: last(resized(x)) for resized in RESIZED.values()]
    _proven(maps, image(6, 4), [last])
    _proven([lambda x, whole=whole: whole(x).mean((2, 3)) for whole in maps], image(6, 4), [last])


def test_channels_picked_by_a_constant_index_or_repeated_keep_their_edges() -> None:
    order = torch.tensor([3, 0, 0, 2])
    tried = [
        lambda x: torch.relu(x.index_select(1, order)),
        lambda x: torch.relu(x[:, order]),
        lambda x: torch.relu(x[:, :1].repeat(1, 4, 1, 1)),
    ]
    found, proofs = _proven(tried, image(3, 4))
    assert [proof.positions for proof in proofs] == [9, 9, 9, 9]
    given = {
        c.target: c.source_units.ravel()[np.argsort(c.target_units.ravel())].tolist()
        for c in found.connections
        if c.source == "relu" and c.kernel.size == 4
    }
    assert list(given.values())[:2] == [order.tolist()] * 2


def test_a_long_stream_of_linear_branches_stays_one_kernel_for_each_layer() -> None:
    torch.manual_seed(0)
    mix = nn.Conv2d(2, 2, 1)

    def tried(x: Tensor) -> Tensor:
        for _ in range(20):  # a million parts, if each sum kept its own
            x = 0.5 * x + 0.1 * mix(x)
        return x

    found, _ = _proven([tried], image(3, 2), [mix])
    assert len([c for c in found.connections if c.source == "relu"]) == 1


def test_weights_that_are_computed_are_listed_and_none_is_dropped() -> None:
    weight = torch.ones(2, 2, 1, 1)
    network = _Behind(
        [
            lambda x: F.conv2d(x, weight, x.mean((0, 2, 3))),
            lambda x: F.linear(x.mean((2, 3)), weight[:, :, 0, 0], x.mean((0, 2, 3))),
            lambda x: F.layer_norm(x.movedim(1, -1), (2,), x.mean((0, 2, 3))),
        ]
    )
    found = compose(network.eval(), image(4, 2))
    assert {c.target for c in found.connections} == {"relu"}
    assert [layer.bias is None for layer in found.layers[2:]] == [True] * 3
    assert sorted(path.partition("(")[2].partition(")")[0] for path in found.not_composed) == [
        "conv2d: its weights are computed",
        "layer_norm: its factors are computed",
        "linear: with weights that are computed",
    ]


def test_a_mean_that_is_resized_to_a_map_is_a_pooled_edge_at_all_positions() -> None:
    found, proofs = _proven(
        [lambda x: F.interpolate(x.mean((2, 3), keepdim=True), (4, 4))], image(6, 4)
    )
    (edge,) = [c for c in found.connections if c.source == "relu"]
    assert (edge.pooling, edge.stride, edge.margin) == (("mean",), (0, 0), (0, 0, 0, 0))
    assert proofs[-1].positions == 16


HEADS: dict[str, Callable[[Tensor, nn.Module], Tensor]] = {
    "softmax": lambda x, last: torch.softmax(last(x.flatten(1)), 1),
    "log_softmax": lambda x, last: F.log_softmax(last(x.flatten(1)), 1),
    "sigmoid": lambda x, last: torch.sigmoid(last(x.flatten(1))),
    "row column channel": lambda x, last: last(x.permute(0, 2, 3, 1).flatten(1)),
    "column row channel": lambda x, last: torch.softmax(last(x.permute(0, 3, 2, 1).flatten(1)), 1),
    "halves": lambda x, last: last(torch.cat([x[:, :1].flatten(1), x[:, 1:].flatten(1)], 1)),
}


def test_class_heads_have_units_with_edges_into_their_logits() -> None:
    torch.manual_seed(0)
    last = nn.Linear(18, 5)
    tried = [lambda x, head=head: head(x, last) for head in HEADS.values()]
    found, _ = _proven(tried, image(3, 2), [last])
    heads = found.layers[2:]
    assert sorted(layer.kind for layer in heads) == [
        "log_softmax",
        "output",
        "output",
        "sigmoid",
        "softmax",
        "softmax",
    ]
    assert {layer.channels for layer in heads} == {5}
    shapes = [c.kernel.shape for c in found.connections if c.source == "relu"]
    assert shapes == [(1, 5, 2, 3, 3)] * len(heads)


def test_a_head_over_positions_has_a_unit_for_each_class_and_not_for_each_place() -> None:
    torch.manual_seed(0)
    maps = [nn.Conv2d(2, 7, 1), nn.Conv2d(2, 7, 1, stride=2)]
    found, _ = _proven(
        [lambda x: torch.sigmoid(torch.cat([part(x).flatten(2) for part in maps], 2))],
        image(6, 2),
        maps,
    )
    last = found.layers[-1]
    assert (last.name, last.channels, last.height, last.width) == ("sigmoid", 7, 36 + 9, 1)


def test_a_tensor_whose_axes_are_not_certain_has_no_units_and_is_listed() -> None:
    network = _Behind([lambda x: torch.relu(x.flatten(2).sort(-1)[0].transpose(1, 2) ** 2)])
    found = compose(network.eval(), image(6, 2))
    assert [layer.channels for layer in found.layers] == [2, 2, 0]
    assert any("relu of a tensor whose channel axis" in path for path in found.not_composed)


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
    parts = [first, norm, last]
    network = _Behind([lambda x: last(apply(first(x), norm))], parts).eval()
    found, proofs = prove(network, image(8, 2), whole=True)
    assert found.not_composed == ()
    assert {c.path for c in found.connections if c.source == "relu"} == {"gated"}
    assert found.linearisation is not None
    assert ("group and instance norms" in found.linearisation) is (name != "layer")
    assert max(proof.error for proof in proofs) < 1e-5
    if name == "group":
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

    _, proofs = _proven([tried], image(4, 2), [first, norm])
    assert [proof.positions for proof in proofs] == [16, 16]


def test_what_a_backward_pass_would_take_too_long_for_is_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last = nn.Conv2d(2, 3, 3, padding=1)
    network = _Behind([lambda x: last(F.interpolate(x, scale_factor=2))], [last]).eval()
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


@pytest.mark.parametrize("seed", [0, 2, 5])
def test_random_networks_are_exact_wherever_they_claim_to_be(seed: int) -> None:
    picture = image(7 + seed % 4)
    network = RandomNetwork(seed, picture)
    found, proofs = prove(network, picture, whole=True)
    assert found.not_composed == ()
    assert {proof.layer for proof in proofs} == {layer.name for layer in found.layers[1:]}
    assert max(proof.error for proof in proofs) < 2e-5, network.names
