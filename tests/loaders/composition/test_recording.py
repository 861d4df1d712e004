"""A network that is recorded as it runs has the graph that ``torch.export`` gives, name by name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from circuitkb.loaders.composition import tracing
from circuitkb.loaders.composition.recording import recorded
from circuitkb.loaders.composition.tracing import TracedNetwork, trace


class _Everything(nn.Module):
    """Every operation that is recorded, among them those that write over what they read."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 3, padding=1)
        self.b = nn.BatchNorm2d(4)
        self.c = nn.Conv2d(8, 3, 1, bias=False)
        self.Last = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(12, 5), nn.ReLU6(True))
        self.calls = nn.ReLU(inplace=True)
        self.more = nn.Sequential(
            nn.ELU(),
            nn.ELU(inplace=True),
            nn.GELU(),
            nn.Hardsigmoid(),
            nn.Hardsigmoid(inplace=True),
            nn.Hardswish(),
            nn.Hardswish(inplace=True),
            nn.LeakyReLU(0.2),
            nn.LeakyReLU(inplace=True),
            nn.Dropout(inplace=True),
        )

    def forward(self, Image: Tensor) -> Tensor:
        value = self.b(self.a(Image))
        gated = functional.silu(value) * torch.sigmoid(value)
        value = self.more(value)
        value = self.c(torch.cat([gated, functional.relu(value)], 1))
        value += Image
        value = self.calls(value) + 1
        value = self.calls(functional.max_pool2d(value, 2))
        value = functional.pad(functional.avg_pool2d(value, 2, stride=1), (1, 1, 0, 0))
        means = value.mean((2, 3), keepdim=True)
        value = functional.adaptive_avg_pool2d(functional.silu(value * means, inplace=True), 2)
        result: Tensor = self.Last(value.view(1, 3, -1, 2))
        return result


def exported(module: nn.Module, image: Tensor, patch: pytest.MonkeyPatch) -> TracedNetwork:
    with patch.context() as given:
        given.setattr(tracing, "recorded", lambda *_: None)
        return trace(module, image)


def rows(network: TracedNetwork) -> list[tuple[Any, ...]]:
    found = []
    for node in network.graph.nodes:
        value = node.meta.get("val")
        about = (tuple(value.shape), value.dtype) if isinstance(value, Tensor) else None
        target = str(node.target) if node.op == "call_function" else node.op
        found.append(
            (node.name, target, f"{node.args} {node.kwargs}", about, network.module_path(node))
        )
    return found


def assert_the_same(module: nn.Module, image: Tensor, patch: pytest.MonkeyPatch) -> None:
    assert recorded(module, image) is not None
    quick, slow = trace(module, image), exported(module, image, patch)
    assert rows(quick) == rows(slow)
    for mine, theirs in zip(quick.constants.items(), slow.constants.items(), strict=True):
        assert mine[0].name == theirs[0].name
        assert torch.equal(mine[1], theirs[1])
    assert [node.name for node in quick.outputs] == [node.name for node in slow.outputs]
    assert quick.input.name == slow.input.name
    assert quick.leaf_modules == slow.leaf_modules


def test_every_operation_is_noted_as_it_is_exported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # .7 s
    assert_the_same(_Everything().eval(), torch.rand(1, 3, 8, 8), monkeypatch)


@pytest.mark.parametrize("name", ["densenet121", "googlenet", "mobilenet_v2", "resnet18"])
def test_networks_of_torchvision_are_noted_as_they_are_exported(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:  # 2 to 8 s each
    models = pytest.importorskip("torchvision.models")
    more = {"init_weights": False} if name == "googlenet" else {}
    module = models.get_model(name, weights=None, **more).eval()
    assert_the_same(module, torch.rand(1, 3, 64, 64), monkeypatch)


class _Forward(nn.Module):
    def __init__(self, forward: Callable[[nn.Module, Tensor], Any]) -> None:
        super().__init__()
        self.part = nn.Conv2d(3, 3, 1)
        self.run = forward

    def forward(self, image: Tensor) -> Any:
        return self.run(self.part, image)


@pytest.mark.parametrize(
    "forward",
    [
        lambda part, x: part(x) if x.sum() > 0 else x,
        lambda part, x: part(x) * x.tolist()[0][0][0][0],
        lambda part, x: part(x) + torch.ones(1),
        lambda part, x: part(x) + torch.rand_like(x),
        lambda part, x: part(x.relu_()),
        lambda part, x: part(part(x).view(1, 3, -1, 4).relu_().view(1, 3, 4, 4)),
        lambda part, x: part(x).relu_().view(1, -1),
        lambda part, x: (part(x), x),
        lambda part, x: part(x) + part(x).detach(),
        lambda part, x: part(x).permute(0, 2, 3, 1).reshape(1, -1),
        lambda part, x: functional.relu(part(x)) if part(x) is not x else x,
    ],
    ids=[
        "an if over a value",
        "a look at a value",
        "a constant",
        "chance",
        "the image written over",
        "a view written over",
        "a view of what was written over",
        "two outputs",
        "another operation",
        "a reshape of what lies otherwise",
        "what nobody reads",
    ],
)
def test_what_is_not_known_for_certain_is_left_to_the_export(forward: Any) -> None:
    image = torch.linspace(-1, 1, 48).reshape(1, 3, 4, 4)
    before = image.clone()
    module = _Forward(forward).eval()
    assert recorded(module, image) is None
    assert torch.equal(image, before)
    assert not module._forward_hooks
    assert not module.part._forward_pre_hooks


def test_shared_parts_and_unsaved_buffers_are_left_to_the_export() -> None:
    shared = nn.ReLU()
    assert (
        recorded(nn.Sequential(nn.Conv2d(3, 3, 1), shared, shared), torch.rand(1, 3, 4, 4)) is None
    )
    module = nn.Sequential(nn.Conv2d(3, 3, 1))
    module.register_buffer("unsaved", torch.zeros(1), persistent=False)
    assert recorded(module.eval(), torch.rand(1, 3, 4, 4)) is None


def test_a_plain_network_is_traced_without_the_compilers_of_torch() -> None:  # 2 s
    script = (
        "import sys, torch\n"
        "from torch import nn\n"
        "from circuitkb.loaders.composition.tracing import trace\n"
        "trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval(), torch.zeros(1, 3, 8, 8))\n"
        "print({'torch._dynamo', 'torch._inductor', 'sympy'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
