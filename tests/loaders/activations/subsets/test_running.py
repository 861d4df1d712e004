"""A network run with some of its edges: all are the network, none its means.

The reference for some edges adds up kernels place by place in NumPy. Costs about 5 s.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from circuitkb.loaders.activations.subsets.attribution import attribute
from circuitkb.loaders.activations.subsets.running import SubNetwork
from circuitkb.loaders.composition.compose import compose
from circuitkb.loaders.composition.composed import Composition
from circuitkb.loaders.receptive_fields.views import whole_view
from circuitkb.loaders.sources.opening import open_module
from circuitkb.loaders.verification.kernel_sums import Sums, pooled
from tests.loaders.networks import with_live_batch_norms

Array = NDArray[np.float32]

SIDE, IMAGES = 14, 9


class Plain(nn.Module):
    """Strides, groups, a way through, poolings and a head: kernels tell all."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem, self.norm = nn.Conv2d(3, 6, 4, stride=2, padding=1), nn.BatchNorm2d(6)
        self.deep = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.narrow, self.wide = nn.Conv2d(6, 3, 1), nn.Conv2d(6, 6, 1)
        self.paired = nn.Conv2d(6, 4, 3, padding=1, groups=2)
        self.act1, self.act2, self.act3 = nn.ReLU(), nn.SiLU(), nn.PReLU(6)
        self.act4, self.pool, self.head = nn.ReLU6(), nn.MaxPool2d(3, 2, 1), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.norm(self.stem(x)))
        x = self.act3(self.wide(x + torch.cat([2 * self.narrow(self.act2(self.deep(x)))] * 2, 1)))
        return self.head(self.act4(self.paired(self.pool(x))).mean((2, 3)))


class Gated(Plain):
    """The same with a gate and a border that kernels do not tell."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.twice = nn.Conv2d(6, 6, 1), nn.Conv2d(6, 6, 3, padding=1)
        self.gate.weight.data *= 30

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.norm(self.stem(x)))
        y = self.act2(self.deep(x))
        y = y * torch.sigmoid(self.gate(y.mean((2, 3), keepdim=True)))
        x = self.act3(
            self.wide(
                x
                + self.twice(functional.pad(self.narrow(y), (1, 1, 1, 1)).repeat(1, 2, 1, 1))[
                    :, :, 1:-1, 1:-1
                ]
            )
        )
        return self.head(self.act4(self.paired(self.pool(x))).mean((2, 3))).softmax(1)


NETWORKS = {"plain": Plain, "gated": Gated}


@cache
def made(name: str) -> tuple[nn.Module, Composition, Array, SubNetwork]:
    module = with_live_batch_norms(NETWORKS[name]())
    images = np.random.default_rng(1).normal(size=(IMAGES, 3, SIDE, SIDE)).astype(np.float32)
    network = open_module(module, shape=(3, SIDE, SIDE))
    found = compose(module, network.example)
    view = whole_view(module, network.example)
    which = np.arange(IMAGES)
    return (
        module,
        found,
        images,
        SubNetwork(network, view, found.connections, images.__getitem__, which),
    )


@torch.no_grad()
def own_logits(name: str) -> Array:
    module, _, images, _ = made(name)
    logits: list[Tensor] = []
    module.head.register_forward_hook(lambda *given: logits.append(given[2]))  # type: ignore[union-attr, operator]
    module(torch.from_numpy(images))
    return logits[-1].numpy()


@pytest.mark.parametrize("name", NETWORKS)
def test_all_edges_are_the_network(name: str) -> None:
    sub = made(name)[3]
    assert sub.parts.whole == (name == "plain")
    given = sub.outputs(sub.edges.all(), np.arange(IMAGES))
    assert np.abs(given - own_logits(name)).max() < 1e-5 * np.abs(given).max()


def test_no_edges_are_the_means() -> None:
    sub = made("plain")[3]
    given = sub.outputs(sub.edges.none(), np.arange(IMAGES))
    assert np.allclose(given, own_logits("plain").mean(0), atol=1e-6)
    assert sub.prepare(sub.edges.none()).edges == 0


@pytest.mark.parametrize("share", [0.15, 0.6])
def test_some_edges_give_what_their_kernels_say(share: float) -> None:
    _, composition, images, sub = made("plain")
    chosen = sub.edges.all() & (np.random.default_rng(4).random(sub.edges.pairs) < share)
    given = sub.outputs(chosen, np.arange(IMAGES))
    assert np.allclose(given, reference(sub, composition, images, chosen), atol=1e-5)
    everything = sub.outputs(sub.edges.all(), np.arange(IMAGES))
    assert np.abs(given - everything).max() > 0.01 * np.abs(everything).max()


def reference(sub: SubNetwork, composition: Composition, images: Array, chosen: Any) -> Array:
    """Each unit that the input reaches is its mean and what its chosen kernels see above means."""
    acts = {"act1": nn.ReLU(), "act2": nn.SiLU(), "act3": made("plain")[0].act3, "act4": nn.ReLU6()}
    masks = [mask for _, mask in sub.edges.masks(chosen)]
    means, rows = sub.parts.means, []
    for image in images:
        maps, live = {"input": image}, {"input": np.ones(3, bool)}
        for layer in composition.layers[1:]:
            before = means.before[layer.name].numpy()
            sums = Sums.of_bias(np.zeros(layer.channels, np.float32), *before.shape[1:])
            alive = np.zeros(layer.channels, bool)
            for one, mask in zip(composition.connections, masks, strict=True):
                if one.target == layer.name:
                    kept = mask & live[one.source][one.source_units][:, None, :]
                    np.logical_or.at(alive, one.target_units, kept.any(2))
                    own = replace(one, kernel=one.kernel * kept[..., None, None], pooling=())
                    seen = pooled(maps[one.source], one.pooling)
                    seen = seen - means.after[one.source, one.pooling].numpy()
                    sums.add(own, seen, *(np.arange(size) for size in before.shape[1:]))
            value = before + sums.values
            if layer.name in acts:
                value = acts[layer.name](torch.from_numpy(value)[None])[0].detach().numpy()
            maps[layer.name], live[layer.name] = value, alive
        rows.append(value[:, 0, 0])
    return np.stack(rows)


def test_what_is_missed_is_the_variance_that_chosen_edges_do_not_give() -> None:
    sub = made("plain")[3]
    every, none = sub.edges.all(), sub.edges.none()
    half = every & (np.random.default_rng(0).random(len(every)) < 0.5)
    total, (all_, nothing, some) = sub.missed([every, none, half], np.arange(IMAGES))
    assert all(all_[name] < 1e-9 * total[name] for name in total)
    assert nothing == total
    assert all(some[name] / total[name] > 0.01 for name in total)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_edge_is_worth_what_a_small_part_of_it_changes(name: str) -> None:
    _, composition, _, sub = made(name)
    goals = np.zeros((IMAGES, 5), np.float32)
    goals[:, 0], goals[:, 3] = 1, -1
    found = attribute(sub, goals, np.arange(IMAGES), sub.edges.none())
    every = np.arange(IMAGES)
    whole = (sub.outputs(sub.edges.all(), every) * goals).sum() / IMAGES
    random, errors, sizes = np.random.default_rng(0), [], []
    for pair in random.choice(np.flatnonzero(found.edges), 25, replace=False):
        place = next(p for p in range(len(composition.connections)) if pair < sub.edges.of(p).stop)
        kernel = composition.connections[place].kernel
        flat = kernel.reshape(sub.edges.of(place).stop - sub.edges.of(place).start, -1)
        row = pair - sub.edges.of(place).start
        held = flat[row].copy()
        flat[row] *= 0.98
        less = (sub.outputs(sub.edges.all(), every) * goals).sum() / IMAGES
        flat[row] = held
        errors.append(abs(abs(whole - less) / 0.02 - found.edges[pair]))
        sizes.append(found.edges[pair])
    assert np.median(errors) < 0.02 * max(sizes)
    assert max(errors) < 0.1 * max(sizes)


def test_a_unit_is_worth_what_its_slope_says() -> None:
    sub = made("plain")[3]
    goals = np.zeros((IMAGES, 5), np.float32)
    goals[:, 2] = 1
    found = attribute(sub, goals, np.arange(IMAGES), sub.edges.none())
    # The head reads the mean over the map: a unit's effect is its weight times what it is above it.
    head = made("plain")[0].head.weight.detach().numpy()[2]  # type: ignore[union-attr, operator]
    last = [layer.name for layer in sub.parts.layers][-2]
    real = [
        sub.real.read(batch).after[last, ()][:, :count]
        for _, batch, count in sub.real.batches(np.arange(IMAGES))
    ]
    maps = torch.cat(real, 1).mean((2, 3)).numpy()
    wanted = np.abs(head[:, None] * (maps - maps.mean(1, keepdims=True))).mean(1)
    assert np.allclose(found.units[last], wanted, atol=1e-5)
    assert found.rest[last].values.shape == found.rest[last].slopes.shape
