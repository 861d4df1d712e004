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
    """Weights and responses of the network in a file; units of a block count on from detectors."""

    def __init__(self, path: Path) -> None:
        model = onnx.load(path)
        arrays = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        names = [f"{name}_convolution.weight" for name in ("stream", "targets")]
        parts = [arrays[name].astype(float) for name in names if name in arrays]
        self.weights = np.concatenate(parts, axis=1)
        self.last = parts[0].shape[1]
        self._inputs = []
        for node in model.graph.node:
            if node.name in ("detectors", "block"):
                self._inputs.append(node.output[0])
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
        names = [self._session.get_outputs()[0].name, *self._inputs]
        maps = self._session.run(names, {self._name: np.ascontiguousarray(images)})
        found = [each[:, :, each.shape[2] // 2, each.shape[3] // 2] for each in maps]
        return np.concatenate(found[1:], axis=1).astype(float), found[0].astype(float)

    def columns(self, units: Sequence[str]) -> list[int]:
        """Return the places of inputs of the targets among all."""
        return [
            int(number) + (self.last if layer == "block" else 0)
            for layer, number in (unit.split(":") for unit in units)
        ]

    @property
    def strongest(self) -> NDArray[np.intp]:
        """Inputs of each target, the one of most weight first."""
        return np.argsort(-abs(self.weights).sum(axis=(2, 3)), axis=1)

    def best(self, detector: int, forms: Sequence[Form] = ()) -> Shape:
        """Return the shape, of these forms or of any, that a detector answers to most."""
        held = [not forms or each.form in forms for each in self.drawn]
        return self.drawn[int(np.where(held, self.detectors[:, detector], -1).argmax())]


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


def waves(side: int) -> tuple[list[Shape], NDArray[np.float32]]:
    """Return waves of three sizes in all directions, and their images."""
    made = [
        Shape(form, 0, size, sign).facing(float(direction))
        for form, sign, whole in (("steps", 1, 360), ("stripes", 1, 180), ("stripes", -1, 180))
        for size in (4.0, 8.0, 16.0)
        for direction in range(0, whole, 15)
    ]
    return made, np.array([draw(each, side=side, channels=1) for each in made], np.float32)


def numbers(units: Sequence[str]) -> list[int]:
    """Return the numbers of units."""
    return [int(unit.rpartition(":")[2]) for unit in units]


def turn(shape: Shape) -> int:
    """Return the nearest of the eight turns."""
    return int(np.argmin([abs((shape.direction - each + 180) % 360 - 180) for each in TURNS]))


def corr(one: Array, other: Array) -> float:
    return float(np.corrcoef(one, other)[0, 1])
