"""An edited network answers as the network whose weights were changed by hand, at every place read.

Networks are small and random, with strides, paddings, residual additions, pooling and batch norm;
convolution weights are changed in torch and the module is run as it is. Costs about 15 s.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from circuitkb.loaders.activations.editing.network import EditedNetwork
from circuitkb.loaders.activations.editing.runs import EditedRun, Readings, Replacement
from circuitkb.loaders.activations.editing.saving import save_edited
from circuitkb.loaders.composition.compose import compose
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.receptive_fields.views import View
from circuitkb.schema.errors import TrialError
from circuitkb.trials.changes import Kernels
from circuitkb.trials.edits import Edit
from tests.loaders.networks import with_live_batch_norms

Array = NDArray[np.float32]

SIDE = 21
COUNT = 70


class Residual(nn.Module):
    """A stem with a stride, a bottleneck beside a way through, pooling, and two heads' worth."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Conv2d(3, 6, 4, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.act1 = nn.ReLU()
        self.deep = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.act2 = nn.SiLU()
        self.wide = nn.Conv2d(6, 8, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(8)
        self.act3 = nn.ReLU6()
        self.back = nn.Conv2d(8, 6, 1)
        self.act4 = nn.ReLU()
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.last = nn.Conv2d(6, 5, (2, 3), stride=(1, 2), padding=(1, 0))
        self.act5 = nn.ReLU()
        self.head = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.norm(self.stem(x)))
        y = self.act2(self.deep(x))
        y = self.act3(self.norm2(self.wide(y)))
        x = self.act4(x + self.back(y))
        x = self.act5(self.last(self.pool(x)))
        found: Tensor = self.head(x.mean((2, 3)))
        return found


LAYERS = {"act1": 6, "act2": 6, "act3": 8, "act4": 6, "act5": 5, "head": 4}
EVERYTHING = {name: np.arange(count) for name, count in LAYERS.items()}


@cache
def made() -> tuple[Residual, EditedNetwork, Kernels]:
    module = Residual()
    with_live_batch_norms(module)
    module.norm2.bias.data.abs_().add_(0.5)  # or some units never answer
    module.last.bias.data.add_(0.5)  # type: ignore[union-attr]
    example = torch.zeros(1, 3, SIDE, SIDE)
    return module, EditedNetwork(network_of(module)), Kernels(compose(module, example).connections)


def network_of(module: Residual) -> Network:
    example = torch.zeros(1, 3, SIDE, SIDE)
    return Network(module, example, "made up", "random", "m", "m", "MIT", "nobody", "f")


def shown(view: View, which: NDArray[np.intp]) -> Array:
    every = np.random.default_rng(0).standard_normal((COUNT, 3, view.rows, view.columns))
    return every.astype(np.float32)[which]


@torch.no_grad()
def by_hand(
    change: Callable[[Residual], None],
    hooks: Mapping[str, Callable[[Tensor, Tensor], Tensor]] | None = None,
    which: NDArray[np.intp] | None = None,
) -> dict[str, tuple[Array, Array]]:
    """Return what each layer of a changed module answers at the places of the views."""
    original, edited, _ = made()
    module = copy.deepcopy(original)
    change(module)
    kept: dict[str, tuple[Tensor, Tensor]] = {}
    images: Tensor
    for name in LAYERS:
        part = module.get_submodule(name)

        def hook(_: nn.Module, given: tuple[Tensor], found: Tensor, name: str = name) -> Tensor:
            now = hooks[name](images, found) if hooks and name in hooks else found
            kept[name] = (found if name == "head" else given[0].clone(), now.clone())
            return now

        part.register_forward_hook(hook)
    answers = {}
    for view in edited.views:
        images = torch.from_numpy(shown(view, np.arange(COUNT) if which is None else which))
        module(images)
        for name in LAYERS.keys() & view.places.keys():
            place = view.places[name]
            early, late = kept[name]
            before = place.index if place.before is None else place.before
            answers[name] = (
                at(early, before),
                at(late, place.index),
            )
    return answers


def at(value: Tensor, place: tuple[int, ...]) -> Array:
    found: Array = (value[:, :, place[0], place[1]] if place else value).numpy()
    return found


def run(text: str, read: Mapping[str, NDArray[np.intp]], images: NDArray[np.intp]) -> Readings:
    _, edited, kernels = made()
    edit = Edit.parse(text)
    replacements = [Replacement(one.unit.layer, one.unit.unit, 0.0) for one in edit.ablated]
    wanted = EditedRun(kernels.changed(edit).kernels, replacements, images, read)
    (found,) = edited.run([wanted], shown)
    return found


def assert_same(found: Readings, expected: Mapping[str, tuple[Array, Array]], read: object) -> None:
    assert isinstance(read, Mapping)
    before = np.concatenate([expected[name][0][:, units] for name, units in read.items()], axis=1)
    after = np.concatenate([expected[name][1][:, units] for name, units in read.items()], axis=1)
    np.testing.assert_allclose(found.before, before, atol=2e-5, rtol=1e-4)
    np.testing.assert_allclose(found.after, after, atol=2e-5, rtol=1e-4)


def scale(part: str, out: int, into: int, by: float) -> Callable[[Residual], None]:
    def change(module: Residual) -> None:
        weight = module.get_submodule(part).weight
        assert isinstance(weight, Tensor)
        weight.data[out, into] *= by

    return change


def mirror(module: Residual) -> None:
    module.wide.weight.data[5, 2] = module.wide.weight.data[5, 2].flip(1)


def rotate(module: Residual) -> None:
    module.deep.weight.data[4, 0] = torch.rot90(module.deep.weight.data[4, 0], 1)


def swap(module: Residual) -> None:
    first, second = module.wide.weight.data[5, 2].clone(), module.wide.weight.data[5, 0].clone()
    module.wide.weight.data[5, 2], module.wide.weight.data[5, 0] = second, first


def put(module: Residual) -> None:
    written = torch.tensor([[0.5, 0.0, -1.0], [0.0, 2.0, 0.0], [0.0, 0.25, 0.0]])
    assert module.norm2.running_var is not None
    factor = module.norm2.weight / torch.sqrt(module.norm2.running_var + module.norm2.eps)
    module.wide.weight.data[5, 2] = written / factor[5]


def several(module: Residual) -> None:
    """Changes one after the other along one way, so that each reads what the one before changed."""
    scale("stem", 3, 1, -2.0)(module)
    scale("deep", 3, 0, 0.25)(module)
    scale("wide", 1, 3, 0.0)(module)
    scale("back", 2, 1, 3.0)(module)
    scale("last", 4, 2, 0.0)(module)
    scale("head", 1, 4, -1.0)(module)


WRITTEN = "[[0.5, 0, -1], [0, 2, 0], [0, 0.25, 0]]"
CASES = {
    "a stride at the input": ("remove input:1 into act1:4", scale("stem", 4, 1, 0.0)),
    "a depthwise kernel": ("flip act1:2 into act2:2", scale("deep", 2, 0, -1.0)),
    "through a batch norm": ("scale act2:2 into act3:5 by 0.5", scale("wide", 5, 2, 0.5)),
    "mirrored": ("mirror act2:2 into act3:5 left-right", mirror),
    "rotated": ("rotate act1:4 into act2:4 by 90", rotate),
    "swapped": ("swap act2:0 and act2:2 into act3:5", swap),
    "written by hand": (f"set act2:2 into act3:5 to {WRITTEN}", put),
    "beside a way through": ("remove act3:6 into act4:2", scale("back", 2, 6, 0.0)),
    "after max pooling": ("remove act4:1 into act5:3", scale("last", 3, 1, 0.0)),
    "after a mean, at the logits": ("scale act5:3 into head:2 by 4", scale("head", 2, 3, 4.0)),
    "one after the other": (
        "scale input:1 into act1:3 by -2; scale act1:3 into act2:3 by 0.25; "
        "remove act2:3 into act3:1; scale act3:1 into act4:2 by 3; remove act4:2 into act5:4; "
        "flip act5:4 into head:1",
        several,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_layer_answers_as_with_weights_changed_by_hand(case: str) -> None:
    text, change = CASES[case]
    found = run(text, EVERYTHING, np.arange(COUNT))
    expected = by_hand(change)
    assert_same(found, expected, EVERYTHING)
    unchanged = by_hand(lambda module: None)
    base = Readings(found.base_before, found.base_after, found.base_before, found.base_after)
    assert_same(base, unchanged, EVERYTHING)
    assert np.abs(found.after - found.base_after).max() > 1e-3


@pytest.mark.parametrize("case", [name for name in CASES if name != "one after the other"])
def test_a_target_read_alone_answers_the_same(case: str) -> None:
    text, change = CASES[case]
    _, target = Edit.parse(text).edges[0]
    read = {target.layer: np.array([target.unit])}
    assert_same(run(text, read, np.arange(COUNT)), by_hand(change), read)


@pytest.mark.parametrize("case", CASES)
def test_saved_weights_do_what_the_edit_does(case: str, tmp_path: Path) -> None:
    text, change = CASES[case]
    module, _, kernels = made()
    where = tmp_path / "edited.safetensors"
    save_edited(network_of(module), kernels.changed(Edit.parse(text)).kernels, where)

    def load(part: Residual) -> None:
        part.load_state_dict(load_file(where))

    expected, found = by_hand(change), by_hand(load)
    for name, sides in expected.items():
        for one, other in zip(sides, found[name], strict=True):
            np.testing.assert_allclose(other, one, atol=2e-5, rtol=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["edited.safetensors"]


def test_an_edge_that_is_no_convolution_is_not_saved(tmp_path: Path) -> None:
    module, _, kernels = made()
    changes = kernels.changed(Edit.parse("remove act1:2 into act4:2")).kernels  # the way through
    with pytest.raises(TrialError, match="act1:2 to act4:2 is not one convolution"):
        save_edited(network_of(module), changes, tmp_path / "edited.safetensors")
    assert not list(tmp_path.iterdir())


def test_many_edits_in_one_pass_answer_as_each_alone() -> None:
    _, edited, kernels = made()
    random = np.random.default_rng(1)
    wanted = []
    for number in range(60):
        text, _ = list(CASES.values())[number % len(CASES)]
        edit = Edit.parse(text)
        images = random.choice(COUNT, random.integers(1, 5), replace=False)
        target = edit.edges[0][1]
        read = {target.layer: np.array([target.unit])} if number % 2 else {"head": np.arange(4)}
        wanted.append(EditedRun(kernels.changed(edit).kernels, [], images, read))
    together = edited.run(wanted, shown)
    for one, found in zip(wanted, together, strict=True):
        (alone,) = edited.run([one], shown)
        for side in ("before", "after", "base_before", "base_after"):
            np.testing.assert_allclose(getattr(found, side), getattr(alone, side), atol=1e-5)


def test_an_edit_is_run_in_the_views_alone_that_show_what_it_reads() -> None:
    module, edited, kernels = made()
    (view,) = edited.views
    late = {name: view.places[name] for name in ("act5", "head")}
    early = {name: place for name, place in view.places.items() if name not in late}
    apart = EditedNetwork(network_of(module), [replace(view, places=p) for p in (early, late)])
    edits = ("remove act1:3 into act2:3", "act2"), ("remove act4:1 into act5:3", "act5")
    wanted = [
        EditedRun(kernels.changed(Edit.parse(text)).kernels, [], np.arange(4), {read: np.arange(5)})
        for text, read in edits
    ]
    for one, other in zip(apart.run(wanted, shown), edited.run(wanted, shown), strict=True):
        np.testing.assert_allclose(one.after, other.after, atol=1e-5)
        np.testing.assert_allclose(one.base_after, other.base_after, atol=1e-5)


def test_ablation_replaces_what_a_layer_puts_out() -> None:
    def zeroed(_: Tensor, found: Tensor) -> Tensor:
        found[:, 3] = 0
        return found

    found = run("ablate act2:3", EVERYTHING, np.arange(COUNT))
    assert_same(found, by_hand(lambda module: None, {"act2": zeroed}), EVERYTHING)


def test_ablation_by_other_images_takes_their_maps() -> None:
    original, edited, _ = made()
    others = np.roll(np.arange(COUNT), 7)
    which = np.array([3, 50, 11])

    def resampled(images: Tensor, found: Tensor) -> Tensor:
        part = copy.deepcopy(original)
        kept: list[Tensor] = []
        part.act3.register_forward_hook(lambda *given: kept.append(given[2].clone()))
        view = next(v for v in edited.views if images.shape[2:] == (v.rows, v.columns))
        part(torch.from_numpy(shown(view, others[which])))
        found[:, 2] = kept[0][:, 2]
        return found

    wanted = EditedRun([], [Replacement("act3", 2, others[which])], which, EVERYTHING)
    (found,) = edited.run([wanted], shown)
    assert_same(found, by_hand(lambda module: None, {"act3": resampled}, which), EVERYTHING)


def test_what_explodes_or_is_not_there_is_one_line() -> None:
    _, edited, kernels = made()
    found = run("scale act4:1 into act5:3 by 3e38", {"head": np.arange(4)}, np.arange(3))
    with pytest.raises(TrialError, match="NaN or infinity"):
        found.check("scale act4:1 into act5:3 by 3e38")
    with pytest.raises(TrialError, match="no layer 'nowhere'"):
        edited.run([EditedRun([], [], np.arange(2), {"nowhere": np.arange(1)})], shown)
    for text, why in (
        ("remove act1:2 into act2:3", "The nearest is from act1:3"),
        ("remove act5:0 into act1:0", "Edges into it come from input"),
        ("remove act1:0 into act9:0", "No edges lead into it"),
        ("mirror act3:6 into act4:2 up-down", "its mirror image up-down is itself"),
        ("set act2:2 into act3:5 to [[1]]", "is 3 x 3, the one that is to be put in 1 x 1"),
        ("swap act2:2 and act2:9 into act3:5", "There is no edge from act2:9 to act3:5"),
    ):
        with pytest.raises(TrialError, match=why):
            kernels.changed(Edit.parse(text))
