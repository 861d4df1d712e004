"""Composed kernels reproduce what the network computes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuitkb.loaders.composition.compose import compose, linear_form
from circuitkb.schema.errors import TraceError
from tests.loaders.networks import build, image, large_ones_long, with_live_batch_norms
from tests.loaders.proof import prove

EXACT = [
    "alexnet",
    "vgg11_bn",
    "googlenet",
    "inception_v3",
    "resnet18",
    "resnet50",
    "densenet121",
    "mobilenet_v2",
    "mnasnet1_0",
    "shufflenet_v2_x1_0",
    "squeezenet1_0",
    "lite0",
    "lite1",
    "lite2",
]
SQUEEZE_EXCITE = ["efficientnet_b0", "mobilenet_v3_small", "regnet_y_400mf"]
PARTLY = ["convnext_tiny", "vit_b_16", "swin_t"]


@pytest.mark.parametrize("name", large_ones_long(EXACT))
def test_every_pre_activation_is_reproduced_by_the_kernels_into_it(name: str) -> None:
    composition, proofs = prove(*build(name))
    assert composition.not_composed == ()
    assert composition.linearisation is None
    assert {proof.layer for proof in proofs} == {
        layer.name for layer in composition.layers if layer.kind != "input"
    }
    assert max(proof.error for proof in proofs) < 1e-5


@pytest.mark.parametrize("name", large_ones_long(SQUEEZE_EXCITE))
def test_a_gated_path_is_exact_on_the_reference_image_and_marked(name: str) -> None:
    module, reference = build(name)
    composition, proofs = prove(module, reference)
    gated = [proof for proof in proofs if proof.gated]
    assert composition.not_composed == ()
    assert composition.linearisation is not None
    assert gated
    assert max(proof.error for proof in proofs) < 1e-5
    _, elsewhere = prove(module, reference, image=image(reference.shape[-1]) * 2 + 0.5)
    assert max(proof.error for proof in elsewhere if not proof.gated) < 1e-5
    assert max(proof.error for proof in elsewhere if proof.gated) > 1e-3


@pytest.mark.parametrize("name", large_ones_long(PARTLY))
def test_what_attention_and_size_keep_from_composing_is_listed(name: str) -> None:
    composition, proofs = prove(*build(name))
    assert composition.not_composed
    assert composition.connections
    assert all(proof.error < 1e-5 for proof in proofs if not proof.gated)
    assert all(connection.kernel.size <= 2**24 for connection in composition.connections)
    if name == "vit_b_16":
        assert any("encoder_layer_3.self_attention" in path for path in composition.not_composed)
        assert {c.path for c in composition.connections} == {"gated"}


class _Mlp(nn.Module):
    """A residual stream with layer norms and no attention: all of it can be made linear."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 2, stride=2)
        self.norms = nn.ModuleList(nn.LayerNorm(16) for _ in range(3))
        self.expand = nn.ModuleList(nn.Linear(16, 24) for _ in range(3))
        self.project = nn.ModuleList(nn.Linear(24, 16) for _ in range(3))
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        stream = self.embed(x).permute(0, 2, 3, 1)
        for norm, expand, project in zip(self.norms, self.expand, self.project, strict=True):
            stream = stream + project(self.act(expand(norm(stream))))
        return stream.mean((1, 2))


def test_layer_norms_on_a_residual_stream_are_exact_at_the_centre_of_the_reference() -> None:
    torch.manual_seed(0)
    composition, proofs = prove(_Mlp().eval(), image(10))
    assert composition.not_composed == ()
    assert {proof.layer for proof in proofs if proof.gated} == {"act", "act_1", "act_2"}
    assert max(proof.error for proof in proofs) < 1e-5
    assert {(c.source, c.path) for c in composition.connections if c.target == "act_2"} == {
        ("input", "gated"),
        ("act", "gated"),
        ("act_1", "gated"),
    }


class _Branches(nn.Module):
    """Strides, dilation, groups, shuffles, uneven padding and a pooled and a direct path."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 5, stride=2, padding=(1, 2))
        self.depthwise = nn.Conv2d(12, 12, 3, padding=2, dilation=2, groups=12)
        self.norm = nn.BatchNorm2d(12)
        self.grouped = nn.Conv2d(12, 8, 3, padding=1, groups=4)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.mix = nn.Conv2d(20, 6, 3, stride=2)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.stem(nn.functional.pad(x, (0, 1, 0, 1))))
        shuffled = x.view(1, 3, 4, *x.shape[2:]).transpose(1, 2).reshape(x.shape)
        linear = self.norm(self.depthwise(shuffled)) - 0.5 * x.flip(1)
        joined = torch.cat([self.grouped(linear), self.pool(x)], dim=1)
        return self.act(self.mix(joined))


def test_odd_strides_groups_shuffles_and_parallel_paths_are_exact() -> None:
    torch.manual_seed(0)
    composition, proofs = prove(with_live_batch_norms(_Branches()), image(37))
    assert max(proof.error for proof in proofs) < 1e-5
    into = [c for c in composition.connections if c.target == "act_1"]
    assert {(c.source, c.path) for c in into} == {("act", "residual"), ("act", "pooled")}


def test_two_linear_paths_between_the_same_layers_are_one_edge() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 4, 1)
            self.spatial = nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.first(x))
            return torch.relu(x + self.spatial(x))

    torch.manual_seed(0)
    network = Skip().eval()
    found = compose(network, image(9))
    (connection,) = [c for c in found.connections if c.source == "relu"]
    expected = network.spatial.weight.detach().clone()
    expected[range(4), range(4), 1, 1] += 1
    assert connection.path == "residual"
    np.testing.assert_allclose(connection.kernel[0], expected.numpy(), rtol=1e-6)


def test_a_sum_that_would_grow_too_large_stays_two_edges_and_exact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Reversed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.wide = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.first(x))
            return torch.relu(torch.relu(x + x.flip(1)) + self.wide(x) + x)

    torch.manual_seed(0)
    network = Reversed().eval()
    monkeypatch.setattr(linear_form, "LARGEST_COMPOSED", 10)
    found, proofs = prove(network, image(9))
    assert [c.kernel.size for c in found.connections if c.target == "relu_1"] == [8, 8]
    # A weight of the network that is large itself takes up the identity all the same.
    assert [c.kernel.size for c in found.connections if c.target == "relu_2"] == [8, 8 * 8 * 9]
    assert max(proof.error for proof in proofs) < 1e-5


def test_depthwise_kernels_are_stored_one_to_one() -> None:
    found = compose(nn.Sequential(nn.Conv2d(6, 6, 3, groups=6), nn.ReLU()).eval(), image(9, 6))
    assert [c.kernel.shape for c in found.connections] == [(6, 1, 1, 3, 3)]


def test_a_reused_activation_gives_a_layer_for_each_use_named_as_torchvision_does() -> None:
    found = compose(*build("resnet50"))
    names = [layer.name for layer in found.layers]
    assert names[:5] == ["input", "relu", "layer1.0.relu", "layer1.0.relu_1", "layer1.0.relu_2"]
    assert names[-1] == "fc"
    assert (found.layers[-1].kind, found.layers[-1].channels) == ("output", 1000)


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        (lambda x: x * torch.sigmoid(x), "silu"),
        (lambda x: torch.sigmoid(x) * x, "silu"),
        (lambda x: x * nn.functional.relu6(x + 3) / 6, "hardswish"),
        (lambda x: x * torch.clamp(x / 6 + 0.5, 0, 1), "hardswish"),
        (lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5)), "gelu"),
        (lambda x: x * torch.tanh(nn.functional.softplus(x)), "mish"),
        (lambda x: x * torch.sqrt(torch.exp(x)), "x*sqrt"),
    ],
)
def test_a_nonlinearity_that_is_written_out_is_one_layer(
    operation: Callable[[Tensor], Tensor], kind: str
) -> None:
    class Written(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(operation(self.first(x)))

    found, proofs = prove(Written().eval(), image(5))
    assert [layer.kind for layer in found.layers] == ["input", kind, "output"]
    assert {c.path for c in found.connections} == {"direct"}
    assert [proof.error < 1e-5 for proof in proofs] == [True, True]


def test_a_gate_that_others_read_too_stays_a_layer_of_its_own() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            gate = torch.sigmoid(x)
            return self.last(x * gate + gate)

    found, proofs = prove(Shared().eval(), image(5))
    assert [layer.kind for layer in found.layers] == ["input", "sigmoid", "output"]
    assert {(c.source, c.path) for c in found.connections if c.target == "last"} == {
        ("input", "gated"),
        ("sigmoid", "residual"),
    }
    assert max(proof.error for proof in proofs) < 1e-5


def test_pooling_before_the_nonlinearity_makes_features_of_its_own() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.ReLU()).eval()
    found, proofs = prove(network, image(9))
    assert [(layer.name, layer.kind) for layer in found.layers] == [
        ("input", "input"),
        ("1", "max_pool"),
        ("2", "relu"),
    ]
    assert [proof.error < 1e-5 for proof in proofs if proof.layer == "2"] == [True]


def test_a_product_of_two_branches_has_edges_from_both_exact_on_the_reference() -> None:
    class Bilinear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(self.one(torch.tanh(x)) * self.other(x))

    torch.manual_seed(0)
    network, reference = Bilinear().eval(), image(5)
    found, proofs = prove(network, reference, whole=True)
    assert {(c.source, c.target, c.path) for c in found.connections} == {
        ("input", "tanh", "direct"),
        ("input", "relu", "gated"),
        ("tanh", "relu", "gated"),
    }
    assert found.not_composed == ()
    assert found.linearisation is not None
    assert "each factor of a product of two branches" in found.linearisation
    assert max(proof.error for proof in proofs) < 1e-5
    (edge,) = [c for c in found.connections if (c.source, c.target) == ("tanh", "relu")]
    held = network.other(reference)[0, :, 2, 2]
    expected = network.one.weight[:, :, 0, 0] * held[:, None]
    np.testing.assert_allclose(edge.kernel[0, :, :, 0, 0], expected.detach().numpy(), rtol=1e-5)


def test_a_network_that_cannot_be_traced_names_the_module_and_the_reason() -> None:
    class Branching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    network = nn.Sequential(nn.Conv2d(3, 4, 1), Branching()).eval()
    with pytest.raises(TraceError, match=r"module '1' \(Branching\)"):
        compose(network, image(5))


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        (lambda x: torch.clip(x, 0, 6), "relu6"),
        (lambda x: torch.clamp(x, min=0), "relu"),
        (lambda x: torch.clamp(x / 6 + 0.5, 0, 1), "clamp"),
        (nn.functional.hardtanh, "hardtanh"),
        (nn.functional.relu6, "relu6"),
    ],
)
def test_bounds_written_in_other_words_are_the_same_nonlinearity(
    operation: Callable[[Tensor], Tensor], kind: str
) -> None:
    class Bounded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return operation(self.conv(x))

    found, proofs = prove(Bounded().eval(), image(5))
    assert [layer.kind for layer in found.layers] == ["input", kind]
    assert [proof.error < 1e-5 for proof in proofs] == [True]
