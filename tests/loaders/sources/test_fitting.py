"""Checkpoints as training programs leave them: fitted where it is clear how, else refused."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from circuitkb.loaders.sources.checkpoints import Candidate, read_candidates
from circuitkb.loaders.sources.fitting import Fitted, fit
from circuitkb.loaders.sources.opening import open_network
from circuitkb.schema.errors import CheckpointError


class Net(nn.Module):
    """Two convolutions, a batch norm, an index that is an integer, and a head."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.body = nn.Conv2d(4, 4, 1)
        self.register_buffer("relative_position_index", torch.arange(4))
        self.fc = nn.Linear(4, classes)


def build(classes: int | None) -> nn.Module:
    torch.manual_seed(1)
    return (Net() if classes is None else Net(classes)).eval()


def state(classes: int = 1000, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return dict(Net(classes).state_dict())


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def fitted(tmp_path: Path, content: Any) -> Fitted:
    file = tmp_path / "w.pt"
    torch.save(content, file)
    return fit(build, read_candidates(file), file=file, architecture="lib:net")


def check_holds(found: Fitted, expected: Mapping[str, Tensor]) -> None:
    held = found.module.state_dict()
    assert held.keys() == expected.keys()
    assert all(torch.equal(held[name], expected[name]) for name in expected)


OPTIMISER = {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}


@pytest.mark.parametrize(
    "key", ["state_dict_ema", "model_ema", "ema", "model", "params", "ema.module", "a.b.c"]
)
def test_tensors_are_found_under_any_key(tmp_path: Path, key: str) -> None:
    content: Any = state()
    for name in reversed(key.split(".")):
        content = {name: content}
    found = fitted(tmp_path, content | {"optimizer": OPTIMISER, "lr_scheduler": OPTIMISER})
    check_holds(found, state())
    assert found.notes == ()


@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "_orig_mod.",
        "model.",
        "net.",
        "backbone.",
        "encoder.",
        "module._orig_mod.model.",
        "model.net._orig_mod.",
        "student.backbone.",
    ],
)
def test_any_prefix_is_taken_off(tmp_path: Path, prefix: str) -> None:
    check_holds(fitted(tmp_path, {"state_dict": under(prefix, state())}), state())


def test_wrappers_inside_of_names_are_taken_off(tmp_path: Path) -> None:
    inner = {
        name.replace("stem.", "stem.module.").replace("body.", "body._orig_mod."): tensor
        for name, tensor in state().items()
    }
    check_holds(fitted(tmp_path, under("model.", inner)), state())


def test_of_weights_and_their_running_mean_the_mean_is_taken_and_said(tmp_path: Path) -> None:
    mean = under("module.", state(seed=7)) | {"n_averaged": torch.tensor(9)}
    found = fitted(tmp_path, {"model": state(), "model_ema": mean, "optimizer": OPTIMISER})
    check_holds(found, state(seed=7))
    assert found.notes == (
        "w.pt holds several sets of tensors (model_ema, model): model_ema was taken.",
    )


def test_a_running_mean_that_does_not_fit_leaves_the_weights(tmp_path: Path) -> None:
    mean = {"stem.0.weight": torch.ones(4, 3, 3, 3)}
    found = fitted(tmp_path, {"model": state(), "ema": mean})
    check_holds(found, state())
    assert "model was taken" in found.notes[0]


def test_what_lightning_keeps_beside_the_network_is_left_out_and_said(tmp_path: Path) -> None:
    beside = {"loss.weight": torch.ones(3), "metric.total": torch.tensor(3)}
    found = fitted(tmp_path, {"state_dict": under("model.", state()) | beside, "loops": {}})
    check_holds(found, state())
    assert found.notes == (
        "w.pt: what stands under model. was taken, 2 other tensors left out "
        "(loss.weight, metric.total).",
    )


@pytest.mark.parametrize("first", ["", "student."])
def test_two_networks_that_fit_are_refused_rather_than_guessed(tmp_path: Path, first: str) -> None:
    both = under(first, state()) | under("teacher.", state(seed=7))
    with pytest.raises(CheckpointError, match=r"several networks that fit \(.*teacher\."):
        fitted(tmp_path, both)


def test_a_head_for_another_number_of_classes_is_built_and_said(tmp_path: Path) -> None:
    found = fitted(tmp_path, {"model": under("module.", state(10))})
    check_holds(found, state(10))
    assert found.notes == ("w.pt has 10 classes instead of 1000, and so its network.",)


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_networks_of_libraries_are_built_with_the_classes_of_the_checkpoint(
    tmp_path: Path, library: str
) -> None:
    name = {"torchvision": "squeezenet1_1", "timm": "mobilenetv3_small_050"}[library]
    if library == "timm":
        import timm

        original = timm.create_model(name, num_classes=7)
    else:
        original = torchvision.models.get_model(name, num_classes=7)
    save_file(original.state_dict(), tmp_path / "w.safetensors")
    found = open_network(str(tmp_path / "w.safetensors"), architecture=f"{library}:{name}")
    with torch.no_grad():
        torch.testing.assert_close(found.module(found.example), original.eval()(found.example))
    assert len(found.notes) == 1


@pytest.mark.parametrize("how", ["rows", "inner"])
def test_other_shapes_are_no_other_number_of_classes(tmp_path: Path, how: str) -> None:
    content = state(10)
    if how == "rows":
        content["body.weight"] = torch.ones(7, 4, 1, 1)
    else:
        content["fc.weight"] = torch.ones(10, 5)
    with pytest.raises(CheckpointError, match="different") as error:
        fitted(tmp_path, content)
    assert str(error.value).splitlines()[1] == (
        "Of another network? Load it as an .onnx file, or build it: --arch FILE.py:FUNCTION."
    )


def test_a_head_that_the_file_only_claims_costs_no_memory(tmp_path: Path) -> None:
    content = state(10)
    content["fc.weight"] = torch.zeros(1, 4).expand(10**9, 4)
    content["fc.bias"] = torch.zeros(1).expand(10**9)
    with pytest.raises(CheckpointError):
        fitted(tmp_path, content)


@pytest.mark.parametrize(
    "dtype",
    [
        torch.int8,
        torch.uint8,
        torch.int64,
        torch.bool,
        torch.complex64,
        torch.float8_e4m3fn,
        torch.float8_e5m2,
    ],
)
def test_numbers_that_are_not_the_weights_are_refused(tmp_path: Path, dtype: torch.dtype) -> None:
    content = {
        name: (127 * t).to(dtype) if t.is_floating_point() else t for name, t in state().items()
    }
    kind = str(dtype).removeprefix("torch.")
    with pytest.raises(CheckpointError, match=rf"w\.pt: .* holds {kind} numbers") as error:
        fitted(tmp_path, content)
    assert "save it as float16, bfloat16, float32 or float64" in str(error.value)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_one_tensor_of_integers_is_enough_to_be_refused(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"w{suffix}"
    content = state() | {"body.weight": torch.ones(4, 4, 1, 1, dtype=torch.int8)}
    torch.save(content, file) if suffix == ".pt" else save_file(content, file)
    with pytest.raises(CheckpointError, match=r"body\.weight holds int8 numbers"):
        fit(build, read_candidates(file), file=file, architecture="lib:net")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floating_point_numbers_of_any_width_from_16_are_weights(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    content = {name: t.to(dtype) if t.is_floating_point() else t for name, t in state().items()}
    found = fitted(tmp_path, content).module.state_dict()
    assert all(torch.equal(found[name], content[name].to(found[name].dtype)) for name in content)


def test_integers_stay_integers_where_the_network_counts_with_them(tmp_path: Path) -> None:
    content = state() | {"relative_position_index": torch.tensor([3, 2, 1, 0], dtype=torch.int32)}
    found = fitted(tmp_path, content).module.state_dict()["relative_position_index"]
    assert (found.dtype, found.tolist()) == (torch.int64, [3, 2, 1, 0])
    content["relative_position_index"] = torch.tensor([0.5, 1.0, 2.0, 3.0])
    with pytest.raises(CheckpointError, match=r"relative_position_index holds float32 numbers"):
        fitted(tmp_path, content)


def test_a_hundred_thousand_keys_are_answered_soon(tmp_path: Path) -> None:
    one = torch.zeros(1)
    many = {f"{place}.relative_position_index": one for place in range(100_000)}
    start = time.process_time()
    with pytest.raises(CheckpointError, match="does not fit lib:net") as error:
        fit(build, [Candidate("", many)], file=tmp_path / "w.pt", architecture="lib:net")
    assert time.process_time() - start < 20
    assert len(str(error.value)) < 600


def test_names_of_any_length_and_kind_stay_short_and_plain_in_messages(tmp_path: Path) -> None:
    content = state() | {"x" * 10_000: torch.ones(1), "\x1b[2Jy": torch.ones(1)}
    with pytest.raises(CheckpointError, match="2 keys unexpected") as error:
        fitted(tmp_path, content)
    assert len(str(error.value)) < 600
    assert "\x1b" not in str(error.value)


def test_a_file_without_tensors_shows_its_keys(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "optimizer": OPTIMISER}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"no named tensors \(its keys: epoch, optimizer\)"):
        read_candidates(tmp_path / "w.pt")


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless"])
def test_what_is_no_regular_file_is_not_read(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "w.pt"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match="is no file: a checkpoint is a regular file"):
        read_candidates(file)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_files_are_named_or_refused_and_nothing_else_comes_of_them(
    tmp_path: Path, seed: int
) -> None:
    file = tmp_path / ("w.pt" if seed % 2 else "w.safetensors")
    torch.save(state(), file) if seed % 2 else save_file(state(), file)
    content = bytearray(file.read_bytes())
    random = torch.Generator().manual_seed(seed)
    head = min(len(content), 2_000)
    for place in torch.randint(head, (1 + seed,), generator=random).tolist():
        content[place] ^= 1 << (seed % 8)
    file.write_bytes(content)
    said = ""
    try:
        fit(build, read_candidates(file), file=file, architecture="lib:net")
    except CheckpointError as error:
        said = str(error)
    assert len(said.splitlines()) <= 2
