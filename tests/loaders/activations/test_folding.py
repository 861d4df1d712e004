"""Folding and shuffling: the same values, or the same moments, by another way."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from circuitkb.loaders.activations.folding import fold
from circuitkb.loaders.activations.shuffling import WEIGHTED, shuffle
from circuitkb.loaders.composition.compose import find_sites
from circuitkb.loaders.composition.rules.context import operation_name
from circuitkb.loaders.composition.tracing import TracedNetwork, trace
from tests.loaders.networks import build, large_ones_long, with_live_batch_norms


class Parts(nn.Module):
    """Everything that folding looks at, and everything that it must leave alone."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.shared = nn.Conv2d(6, 6, 3, padding=1)
        self.read_twice = nn.BatchNorm2d(6)
        self.plain = nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 4)

    def forward(self, image: Tensor) -> Tensor:
        image = nn.functional.pad(image, (0, 1, 0, 1))
        first = torch.relu(self.norm(self.first(image)))
        once = self.shared(nn.functional.pad(first, (1, 1, 1, 1)))
        again = self.shared(nn.functional.pad(first, (1, 1, 1, 1), value=0.5))
        both = self.read_twice(once) + once + nn.functional.relu6(self.plain(again))
        pooled: Tensor = torch.sigmoid(both).mean((2, 3))
        return self.head(pooled)


def values_at(network: TracedNetwork, names: set[str], image: Tensor) -> dict[str, Tensor]:
    parts = [
        {n.name: v.clone() for n, v in network.values(batch) if n.name in names}
        for batch in torch.split(image, len(network.example))
    ]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def image(side: int = 40, images: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(images, 3, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "name",
    large_ones_long(
        ["parts", "lite0", "resnet18", "densenet121", "googlenet", "mobilenet_v3_small"]
    ),
)
def test_a_folded_network_gives_the_values_of_every_site(name: str) -> None:
    network = with_live_batch_norms(Parts()) if name == "parts" else build(name)[0]
    shown = image(40 if name == "parts" else 96)
    traced = trace(network, shown)
    folded = fold(traced)
    single = {node.name for node in trace(network, shown[:1]).operations()}
    sites = find_sites(trace(network, shown[:1]))
    assert single == {node.name for node in traced.operations()}, "a batch changes no names"
    wanted = {node.name for site in sites.values() for node in (site.after, site.before) if node}
    lost = wanted - set(folded.names)
    assert not lost
    expected = values_at(traced, wanted, shown)
    found = values_at(folded.network, {folded.names[w] for w in wanted}, shown)
    for where, value in expected.items():
        error = (found[folded.names[where]] - value).abs().max() / value.abs().max()
        assert error < 2e-5, where


def test_a_node_that_is_called_as_a_builtin_of_python_keeps_its_name() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
    traced = trace(network, image())
    assert traced.input.name == "input"
    folded = fold(traced)
    assert folded.network.input.name == folded.names["input"] == "input"
    assert shuffle(folded.network, image(), seed=0).input.name == "input"


@pytest.mark.parametrize(("side", "stays"), [(40, 2), (41, 1)])
def test_batch_norms_and_paddings_are_gone_and_others_stay(side: int, stays: int) -> None:
    network = with_live_batch_norms(Parts())
    folded = fold(trace(network, image(side)))
    names = [operation_name(node) for node in folded.network.operations()]
    assert names.count("_native_batch_norm_legit_no_training") == 1, "what it reads is read twice"
    # One that does not pad with zeros; of an even side one whose last row is read by a window.
    assert names.count("pad") == stays


class Padded(nn.Module):
    """A convolution with paddings of its own and of another operation."""

    def __init__(self, sizes: tuple[int, ...], kernel: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.sizes = sizes
        self.inner = nn.Conv2d(3, 4, kernel, stride, (1, 0), dilation)

    def forward(self, image: Tensor) -> Tensor:
        found: Tensor = self.inner(nn.functional.pad(image, self.sizes))
        return found


@pytest.mark.parametrize("sizes", [(0, 1, 0, 1), (1, 0, 2, 2), (1, 2, 0, 3), (2, 2, 1, 1)])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 2, 1), (5, 2, 1), (3, 1, 1), (4, 3, 1), (2, 2, 2)]
)
def test_a_padding_is_folded_where_that_gives_as_many_places_and_then_the_same(
    sizes: tuple[int, ...], kernel: int, stride: int, dilation: int
) -> None:
    for side in (11, 12):
        network = Padded(sizes, kernel, stride, dilation).eval()
        shown = image(side)
        traced = trace(network, shown)
        folded = fold(traced).network
        expected = network(shown)
        (output,) = folded.outputs
        found = values_at(folded, {output.name}, shown)[output.name]
        assert torch.allclose(found, expected, atol=1e-6)
        left, _, top, _ = sizes
        alike = network.inner(nn.functional.pad(shown, (left, left, top, top)))
        gone = "pad" not in map(operation_name, folded.operations())
        assert gone == (alike.shape == expected.shape)


def test_folding_leaves_the_traced_network_and_its_module_as_they_were() -> None:
    network = with_live_batch_norms(Parts())
    shown = image()
    before = network(shown)
    traced = trace(network, shown)
    listed = [str(node) for node in traced.graph.nodes]
    folded = fold(traced)
    shuffle(folded.network, shown, seed=0)
    assert [str(node) for node in traced.graph.nodes] == listed
    assert torch.equal(network(shown), before)
    output = traced.outputs[0]
    assert torch.allclose(values_at(traced, {output.name}, shown)[output.name], before, atol=1e-6)


def weighted(network: TracedNetwork) -> dict[str, tuple[Tensor, Tensor]]:
    return {
        node.name: (network.constants[node.args[1]], network.constants[node.args[2]])  # type: ignore[index]
        for node in network.operations()
        if operation_name(node) in WEIGHTED
    }


def test_a_shuffled_unit_keeps_its_weights_up_to_scale_in_another_order() -> None:
    network = fold(trace(build("resnet18")[0], image(64))).network
    shuffled = shuffle(network, image(64), seed=3)
    for name, (kernel, _) in weighted(network).items():
        mixed = weighted(shuffled)[name][0]
        one, other = (
            torch.sort(w.flatten(1) / w.flatten(1).norm(dim=1, keepdim=True))[0]
            for w in (kernel, mixed)
        )
        assert torch.allclose(one, other, atol=1e-5), name
        assert not torch.allclose(kernel / kernel.norm(), mixed / mixed.norm(), atol=1e-3), name


def test_each_channel_of_a_shuffled_network_has_the_moments_of_the_network_itself() -> None:
    shown = image(64, images=4)
    network = fold(trace(build("lite0")[0], shown[:2])).network
    shuffled = shuffle(network, shown, seed=1)
    network, shuffled = (fold(trace(build("lite0")[0], shown)).network, shuffled)
    names = set(weighted(network))
    for (name, one), other in zip(
        values_at(network, names, shown).items(),
        values_at(shuffled, names, shown).values(),
        strict=True,
    ):
        axes = tuple(i for i in range(one.ndim) if i != (1 if one.ndim == 4 else one.ndim - 1))
        spread = one.std(axes)
        # A channel that reads one other alone is dead where the shuffled other is.
        alive = (spread > 1e-5) & (other.std(axes) > 1e-5)
        assert int(alive.sum()) >= 0.8 * int((spread > 1e-5).sum()), name
        apart = (one.mean(axes) - other.mean(axes)).abs()
        assert (apart[alive] / spread[alive]).sum() < 0.1, name
        assert (other.std(axes)[alive] / spread[alive] - 1).abs().sum() < 0.1, name


def test_the_same_seed_shuffles_alike_and_another_does_not() -> None:
    shown = image(48)
    network = fold(trace(build("resnet18")[0], shown)).network
    one, same, other = (weighted(shuffle(network, shown, seed=seed)) for seed in (5, 5, 6))
    assert all(torch.equal(one[name][0], same[name][0]) for name in one)
    assert not any(torch.equal(one[name][0], other[name][0]) for name in one)
