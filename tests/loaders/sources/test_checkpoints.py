"""Checkpoints: read whole, or refused in a line that says why; never run."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from circuitkb.loaders.sources.checkpoints import read_tensors
from circuitkb.loaders.sources.fitting import fill
from circuitkb.loaders.sources.opening import open_network
from circuitkb.schema.errors import CheckpointError, UnknownSourceError

STATE = {"conv.weight": torch.randn(4, 3, 3, 3), "conv.bias": torch.randn(4)}


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.file,))


def network() -> nn.Module:
    module = nn.Module()
    module.conv = nn.Conv2d(3, 4, 3)
    return module


def in_few_lines(error: pytest.ExceptionInfo[CheckpointError]) -> str:
    message = str(error.value)
    assert len(message.splitlines()) <= 2
    return message


def check_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".safetensors"])
def test_every_format_gives_the_tensors_that_were_saved(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"w{suffix}"
    if suffix == ".safetensors":
        save_file(STATE, file)
    else:
        torch.save(STATE, file)
    check_equal(read_tensors(file), STATE)


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model", "net", "weights"])
def test_tensors_are_found_beside_what_a_training_program_saved(
    tmp_path: Path, wrapper: str
) -> None:
    optimiser = {"state": {}, "param_groups": [{"lr": 0.1}]}
    torch.save({"epoch": 3, wrapper: STATE, "optimizer": optimiser}, tmp_path / "w.pt")
    check_equal(read_tensors(tmp_path / "w.pt"), STATE)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_the_prefix_of_a_wrapped_network_is_taken_off(tmp_path: Path, prefix: str) -> None:
    module = network()
    given = {prefix + name: tensor for name, tensor in STATE.items()}
    fill(module, given, file=tmp_path / "w.pt", architecture="net")
    check_equal(dict(module.state_dict()), STATE)


def test_a_prefix_that_the_network_itself_has_stays(tmp_path: Path) -> None:
    module = nn.Module()
    module.model = network()
    given = {f"model.{name}": tensor for name, tensor in STATE.items()}
    fill(module, given, file=tmp_path / "w.pt", architecture="net")
    check_equal(dict(module.state_dict()), given)


@pytest.mark.parametrize("how", ["torch", "torch_legacy", "pickle"])
def test_a_pickle_that_wants_code_is_refused_and_nothing_of_it_runs(
    tmp_path: Path, how: str
) -> None:
    mark, file = tmp_path / "ran", tmp_path / "evil.pt"
    content = {"weight": torch.ones(2), "trap": Trap(mark)}
    if how == "pickle":
        file.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(CheckpointError, match=r"evil\.pt is refused.*run code") as error:
        read_tensors(file)
    assert "safetensors" in in_few_lines(error)
    assert not mark.exists()
    # The trap is armed: what is refused here does make the file when it is unpickled.
    pickle.loads(pickle.dumps(Trap(mark)))
    assert mark.exists()


def test_a_whole_pickled_network_is_refused_with_the_class_it_wants(tmp_path: Path) -> None:
    torch.save(nn.Sequential(nn.ReLU()), tmp_path / "whole.pt")
    with pytest.raises(CheckpointError, match=r"torch\.nn\.modules\.container\.Sequential"):
        read_tensors(tmp_path / "whole.pt")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_file_is_named(tmp_path: Path, suffix: str, share: float) -> None:
    file = tmp_path / f"half{suffix}"
    if suffix == ".pt":
        torch.save(STATE, file)
    else:
        save_file(STATE, file)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=rf"half\{suffix} .*truncated") as error:
        read_tensors(file)
    in_few_lines(error)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_an_empty_file_is_named(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"none{suffix}"
    file.touch()
    with pytest.raises(CheckpointError, match=rf"none\{suffix} is empty"):
        read_tensors(file)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_text_is_no_checkpoint(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"text{suffix}"
    file.write_text("These are not the weights you are looking for.\n" * 40)
    with pytest.raises(CheckpointError, match=rf"text\{suffix} is not a"):
        read_tensors(file)


@pytest.mark.parametrize("content", [{"epoch": 3}, [torch.ones(2)], torch.ones(2), {}])
def test_a_file_without_named_tensors_says_so(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="holds no named tensors"):
        read_tensors(tmp_path / "w.pt")


def test_tensors_without_values_are_named(tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.empty(3, device="meta")}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"conv\.weight has no values"):
        read_tensors(tmp_path / "w.pt")


def test_sparse_tensors_are_named(tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.eye(3).to_sparse()}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"conv\.weight is sparse"):
        read_tensors(tmp_path / "w.pt")


def test_weights_of_another_network_are_refused_with_the_keys(tmp_path: Path) -> None:
    given = {f"layer{number}.weight": torch.ones(1) for number in range(5)}
    given["conv.weight"] = torch.ones(4, 3, 5, 5)
    module = network()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(CheckpointError) as error:
        fill(module, given, file=tmp_path / "w.pt", architecture="torchvision:tiny")
    message = in_few_lines(error)
    assert message.startswith("w.pt does not fit torchvision:tiny: ")
    assert "1 key missing (conv.bias)" in message
    assert "5 keys unexpected (layer0.weight, layer1.weight, layer2.weight, ...)" in message
    assert "1 shape different (conv.weight is 4x3x5x5 instead of 4x3x3x3)" in message
    check_equal(dict(module.state_dict()), before)


def test_a_checkpoint_loads_into_the_architecture_that_the_user_names(tmp_path: Path) -> None:
    original = open_network("torchvision:squeezenet1_1@none")
    torch.save({"state_dict": original.module.state_dict()}, tmp_path / "My Net.pth")
    found = open_network(str(tmp_path / "My Net.pth"), architecture="torchvision:squeezenet1_1")
    assert found.fingerprint == original.fingerprint
    assert found.weights == "trained"
    assert found.architecture == "torchvision:squeezenet1_1"
    assert found.suggested_name == "my-net"
    assert found.license == "NOASSERTION"


def test_a_checkpoint_for_timm_loads(tmp_path: Path) -> None:
    original = open_network("timm:resnet18@none")
    save_file(original.module.state_dict(), tmp_path / "w.safetensors")
    found = open_network(str(tmp_path / "w.safetensors"), architecture="timm:resnet18")
    assert found.fingerprint == original.fingerprint


def test_auxiliary_classifiers_in_a_checkpoint_are_left_out(tmp_path: Path) -> None:
    original = open_network("torchvision:googlenet@none")
    state = dict(original.module.state_dict())
    assert not any(name.startswith("aux") for name in state)
    state["aux1.fc2.weight"] = torch.zeros(1000, 1024)
    torch.save(state, tmp_path / "googlenet.pth")
    found = open_network(str(tmp_path / "googlenet.pth"), architecture="torchvision:googlenet")
    assert found.fingerprint == original.fingerprint


def test_the_old_names_of_published_densenets_are_understood(tmp_path: Path) -> None:
    original = open_network("torchvision:densenet121@none")
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", name): tensor
        for name, tensor in original.module.state_dict().items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "densenet.pth")
    found = open_network(str(tmp_path / "densenet.pth"), architecture="torchvision:densenet121")
    assert found.fingerprint == original.fingerprint


def test_a_network_whose_format_has_versions_loads(tmp_path: Path) -> None:
    original = open_network("torchvision:mnasnet1_0@none")
    save_file(original.module.state_dict(), tmp_path / "m.safetensors")
    found = open_network(str(tmp_path / "m.safetensors"), architecture="torchvision:mnasnet1_0")
    assert found.fingerprint == original.fingerprint


def test_a_checkpoint_alone_asks_for_its_architecture(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="--arch torchvision:"):
        open_network(str(tmp_path / "w.pt"))


def test_an_unknown_architecture_has_near_matches(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "w.pt")
    with pytest.raises(UnknownSourceError, match="torchvision:squeezenet1_1"):
        open_network(str(tmp_path / "w.pt"), architecture="torchvision:squeezenet11")
    with pytest.raises(UnknownSourceError, match="write torchvision:NAME or timm:NAME"):
        open_network(str(tmp_path / "w.pt"), architecture="resnet18")
