"""A plain network has the graph that ``torch.export`` gives, name by name, or is left to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from circuitkb.loaders.composition.plain_tracing import plain_graph
from circuitkb.loaders.composition.tracing import TracedNetwork, exported, trace


class _Everything(nn.Module):
    """Every function that is known, among them those that write over what they read."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 3, padding=1)
        self.b = nn.BatchNorm2d(4)
        self.c = nn.Conv2d(8, 3, 1, bias=False)
        self.Last = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(12, 5), nn.ReLU6(True))
        self.calls = nn.ReLU(inplace=True)
        self.more = nn.Sequential(
            nn.ELU(),
            nn.ELU(0.5, inplace=True),
            nn.GELU(),
            nn.Hardsigmoid(),
            nn.Hardsigmoid(inplace=True),
            nn.Hardtanh(),
            nn.Hardtanh(-1, 1, inplace=True),
            nn.Hardswish(),
            nn.Hardswish(inplace=True),
            nn.LeakyReLU(0.2),
            nn.LeakyReLU(inplace=True),
            nn.Dropout(inplace=True),
        )

    def forward(self, Image: Tensor) -> Tensor:
        value = self.b(self.a(Image))
        gated = F.silu(value) * torch.sigmoid(value)
        b = self.b
        gated = F.batch_norm(gated, b.running_mean, b.running_var, b.weight, b.bias)
        value = self.more(value.view(value.size(0), value.shape[1], 8, 8))
        value = self.c(torch.cat([gated, F.relu(value)], 1))
        value += Image
        value = torch.add(self.calls(value), value.relu().sigmoid())
        value = torch.mul(torch.relu(value), value.mul(value.add(value)))
        value = self.calls(F.max_pool2d(value, 2, ceil_mode=True))
        value = F.pad(F.avg_pool2d(value, (2, 2), stride=1), (1, 1, 0, 0))
        means = value.mean((2, 3), keepdim=True) * torch.mean(value, 3, keepdim=True)
        value = F.adaptive_avg_pool2d(F.silu(value * means, inplace=True), 2)
        value = F.dropout(value.view(value.size(0), value.shape[1], -1, 2), training=False)
        result: Tensor = self.Last(torch.flatten(value, 2).flatten(1) + value.flatten(1))
        return result


def rows(network: TracedNetwork) -> list[tuple[Any, ...]]:
    found = []
    for node in network.graph.nodes:
        value = node.meta.get("val")
        values = value if isinstance(value, tuple | list) else [value]
        about = [(tuple(one.shape), one.stride(), one.dtype) for one in values if one is not None]
        target = str(node.target) if node.op == "call_function" else node.op
        place = network.module_path(node) if node.op == "call_function" else ""
        found.append((node.name, target, f"{node.args} {node.kwargs}", about, place))
    return found


def assert_the_same(module: nn.Module, image: Tensor) -> None:
    assert plain_graph(module, image) is not None
    quick, slow = trace(module, image), exported(module, image)
    assert rows(quick) == rows(slow)
    for mine, theirs in zip(quick.constants.items(), slow.constants.items(), strict=True):
        assert mine[0].name == theirs[0].name
        assert torch.equal(mine[1], theirs[1])
    assert [node.name for node in quick.outputs] == [node.name for node in slow.outputs]
    assert quick.input.name == slow.input.name
    assert quick.leaf_modules == slow.leaf_modules


def test_every_function_that_is_known_becomes_what_is_exported() -> None:  # 4.2 s
    assert_the_same(_Everything().eval(), torch.rand(1, 3, 8, 8))


@pytest.mark.parametrize(
    "name", ["densenet121", "googlenet", "inception_v3", "mobilenet_v2", "regnet_y_400mf", "vgg11"]
)
def test_networks_of_torchvision_become_what_is_exported(name: str) -> None:  # 2 to 8 s each
    models = pytest.importorskip("torchvision.models")
    more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    module = models.get_model(name, weights=None, **more).eval()
    size = 80 if name == "inception_v3" else 64
    assert_the_same(module, torch.rand(1, 3, size, size))


class _Forward(nn.Module):
    def __init__(self, forward: Callable[[nn.Module, Tensor], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)  # with which some of what it gives is below zero
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
        lambda part, x: part(F.relu(x, inplace=True)),
        lambda part, x: part(F.relu(part(x).view(1, 3, -1, 2), inplace=True).view(1, 3, 4, 4)),
        lambda part, x: F.relu(part(x), inplace=True).view(1, -1),
        lambda part, x: (part(x), x),
        lambda part, x: part(x) + part(x).detach(),
        lambda part, x: part(x).permute(0, 2, 3, 1).reshape(1, -1),
        lambda part, x: (part(x), F.relu(part(x)))[1],
        lambda part, x: part(x) if isinstance(x, Tensor) else F.relu(part(x)),
        lambda part, x: part(x) + 1,
        lambda part, x: F.gelu(part(x), approximate="tanh"),
        lambda part, x: F.dropout(part(x)),
        lambda part, x: F.max_pool2d(part(x), 2, return_indices=True)[0],
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
        "other code for what is no tensor",
        "a number added",
        "another way to compute it",
        "a dropout that drops",
        "places of the largest",
    ],
)
def test_what_is_not_known_for_certain_is_left_to_the_export(forward: Any) -> None:
    image = torch.linspace(-1, 1, 48).reshape(1, 3, 4, 4)
    before = image.clone()
    module = _Forward(forward).eval()
    assert plain_graph(module, image) is None
    assert torch.equal(image, before)


def test_shared_parts_unsaved_buffers_and_hooks_that_change_are_left_to_the_export() -> None:
    image = torch.rand(1, 3, 4, 4)
    shared = nn.ReLU()
    assert plain_graph(nn.Sequential(nn.Conv2d(3, 3, 1), shared, shared).eval(), image) is None
    module = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).eval()
    assert plain_graph(module, image) is not None
    hook = module[1].register_forward_hook(lambda part, given, found: 2 * found)
    assert plain_graph(module, image) is None
    hook.remove()
    module[1].train()
    assert plain_graph(module, image) is None
    module[1].eval().register_buffer("unsaved", torch.zeros(1), persistent=False)
    assert plain_graph(module, image) is None


def test_a_plain_network_is_traced_without_the_compilers_of_torch() -> None:  # 2 s
    script = (
        "import sys, torch\n"
        "from torch import nn\n"
        "from circuitkb.loaders.composition.tracing import trace\n"
        "trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval(), torch.zeros(1, 3, 8, 8))\n"
        "print({'torch._dynamo', 'torch._inductor', 'triton'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
