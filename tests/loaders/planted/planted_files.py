"""A planted network read from its ONNX file, by onnxruntime and without our loaders."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

from circuitkb.loaders.planted.benchmark.parts import TURNS
from circuitkb.loaders.planted.shapes import Form, Shape, draw

Array = NDArray[np.float64]

FORMS: tuple[tuple[Form, int], ...] = (
    ("line", 1),
    ("line", -1),
    ("edge", 1),
    ("curve", 1),
    ("curve", -1),
    ("corner", 1),
    ("corner", -1),
    ("texture", 1),
    ("red-green edge", 1),
    ("blue-yellow edge", 1),
)
SIZES: dict[Form, tuple[float, ...]] = {
    "line": (1.2, 2.9),
    "edge": (1.0,),
    "curve": (5.0, 12.0),
    "corner": (75.0,),
    "texture": (4.0,),
    "red-green edge": (1.0,),
    "blue-yellow edge": (1.0,),
}


class PlantedFile:
    """Weights and responses of the network in a file."""

    def __init__(self, path: Path) -> None:
        model = onnx.load(path)
        arrays = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        self.weights = arrays["targets_convolution.weight"].astype(float)
        for node in model.graph.node:
            if node.name == "detectors":
                self._detectors = node.output[0]
                model.graph.output.append(onnx.ValueInfoProto(name=node.output[0]))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # more would wait for one another, and spin
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._name = self._session.get_inputs()[0].name
        self.channels, self.side = self._session.get_inputs()[0].shape[1:3]
        self.drawn, self.images = shapes(self.channels, self.side)
        self.detectors, self.targets = self.responses(self.images)
        self.mirrored_detectors, self.mirrored_targets = self.responses(self.images[..., ::-1])
        self.inverted_detectors, _ = self.responses(-self.images)

    def responses(self, images: NDArray[np.float32]) -> tuple[Array, Array]:
        """Return responses at the centre, axes (image, unit), of detectors and of targets."""
        names = [self._detectors, self._session.get_outputs()[0].name]
        maps = self._session.run(names, {self._name: np.ascontiguousarray(images)})
        found = [each[:, :, each.shape[2] // 2, each.shape[3] // 2] for each in maps]
        return found[0].astype(float), found[1].astype(float)

    @property
    def strongest(self) -> NDArray[np.intp]:
        """Inputs of each target, the one of most weight first."""
        return np.argsort(-abs(self.weights).sum(axis=(2, 3)), axis=1)

    def best(self, detector: int) -> Shape:
        """Return the shape that a detector answers to most."""
        return self.drawn[int(self.detectors[:, detector].argmax())]


@cache
def shapes(channels: int, side: int) -> tuple[list[Shape], NDArray[np.float32]]:
    """Return shapes of all forms, sizes and directions, and their images."""
    directions = np.arange(0, 360, 11.25)
    forms = [each for each in FORMS if channels == 3 or "-" not in each[0]]
    made = [
        Shape(form, 0, size, sign).facing(float(direction))
        for form, sign in forms
        for size in SIZES[form]
        for direction in directions
    ]
    images = [draw(each, side=side, channels=channels) for each in made]
    return made, np.array(images, np.float32)


def numbers(units: Sequence[str]) -> list[int]:
    """Return the numbers of units."""
    return [int(unit.rpartition(":")[2]) for unit in units]


def turn(shape: Shape) -> int:
    """Return the nearest of the eight turns."""
    return int(np.argmin([abs((shape.direction - each + 180) % 360 - 180) for each in TURNS]))


def corr(one: Array, other: Array) -> float:
    return float(np.corrcoef(one, other)[0, 1])
