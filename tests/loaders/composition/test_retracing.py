"""A trace for other images is the one that tracing gives, made anew only where it has to be."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.utils._pytree import tree_leaves

from circuitkb.loaders.composition import retracing
from circuitkb.loaders.composition.retracing import traced_for
from circuitkb.loaders.composition.tracing import TracedNetwork, trace
from circuitkb.schema.errors import TraceError


class Usual(nn.Module):
    """What networks for images are made of: a norm, a gate, two branches, a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4)
        self.act, self.gate = nn.ReLU(inplace=True), nn.Conv2d(4, 4, 1)
        self.second, self.drop, self.head = nn.Conv2d(4, 4, 3, 1, 1), nn.Dropout(), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.first(x)))
        x = x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        x = torch.cat([x, self.second(x)], 1).amax((2, 3))
        found: Tensor = self.head(self.drop(x.view(x.shape[0], -1)))
        return found


class Switching(Usual):
    """Another part for larger images, and an output that does not tell one from the other."""

    def __init__(self) -> None:
        super().__init__()
        self.small, self.large = nn.ReLU(), nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = self.small(x) if x.shape[2] < 10 else self.large(x)
        return torch.sign(x).amax((1, 2, 3))


class Cropping(Usual):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[:, :, : min(x.shape[2], 40) - 3])


class Stubborn(Usual):
    """Takes the images of a batch for one wide image."""

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.act(self.first(x)).reshape(1, 4, -1)
        return found


def described(network: TracedNetwork) -> list[tuple[object, ...]]:
    """Say of every node what it is, what it reads, and what shape comes of it."""
    return [
        (node.name, node.op, str(node.target), str(node.args), str(node.kwargs), shape(node),
         network.module_path(node) if node.op == "call_function" else "")
        for node in network.graph.nodes
        if node.op != "output"
    ]  # fmt: skip


def shape(node: Node) -> list[tuple[object, ...]]:
    return [(*value.shape, value.dtype) for value in tree_leaves(node.meta["val"])]


@cache
def first_trace(kind: type[Usual]) -> TracedNetwork:
    return trace(kind().eval(), torch.randn(1, 3, 16, 16))


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes of the images that a network was traced for anew; what tracing gives is the first."""
    shapes: list[tuple[int, ...]] = []

    def counted(module: nn.Module, images: Tensor) -> TracedNetwork:
        shapes.append(tuple(images.shape))
        return first_trace(type(module))

    monkeypatch.setattr(retracing, "trace", counted)
    return shapes


@pytest.mark.parametrize("size", [(1, 3, 24, 30), (5, 3, 16, 16)], ids=["larger", "a batch"])
def test_the_shapes_of_a_usual_network_are_those_of_a_new_trace(
    traced: list[tuple[int, ...]], size: tuple[int, ...]
) -> None:
    module, images = Usual().eval(), torch.randn(size)
    first = first_trace(Usual)
    before = described(first)
    found = traced_for(first, module, images)
    assert traced == []
    expected = trace(module, images)
    assert described(found) == described(expected)
    assert found.example is images
    outputs = [network.run(images, network.outputs.__contains__) for network in (found, expected)]
    for one, other in zip(*(values.values() for values in outputs), strict=True):
        assert torch.equal(one, other)
    assert described(first) == before


@pytest.mark.parametrize(
    ("kind", "size"),
    [(Switching, (1, 3, 31, 31)), (Cropping, (1, 3, 60, 31)), (Stubborn, (2, 3, 16, 16))],
)
def test_a_network_that_computes_otherwise_for_other_images_is_traced_anew(
    traced: list[tuple[int, ...]], kind: type[Usual], size: tuple[int, ...]
) -> None:
    found = traced_for(first_trace(kind), kind().eval(), torch.randn(size))
    assert traced == [size]
    assert found is first_trace(kind)


def test_images_that_a_network_does_not_take_are_refused_as_by_tracing() -> None:
    module = Usual().eval()
    first = first_trace(Usual)
    with pytest.raises(TraceError, match="first"):
        traced_for(first, module, torch.randn(1, 1, 20, 20))
