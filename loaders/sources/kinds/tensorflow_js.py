"""A SOURCE that is a network of TensorFlow.js: a ``model.json`` with its weights beside it."""

from __future__ import annotations

from pathlib import Path

from circuitkb.loaders.sources.built import BuiltNetwork
from circuitkb.loaders.sources.extras import require
from circuitkb.loaders.sources.source import OpenOptions, Source, SourceKind, take_file


def _open(source: Source, options: OpenOptions) -> BuiltNetwork:
    for package in ("torch", "onnx", "onnx2torch"):
        require(package, extra="onnx", what=source.text)
    from circuitkb.loaders.sources.tensorflow_js.network import read_tensorflow_js_network

    file = Path(source.name)
    found = read_tensorflow_js_network(file)
    # All such files have one name; their folders are what tells them apart.
    name = file.resolve().parent.name if file.stem == "model" else file.stem
    return BuiltNetwork(
        module=found.module,
        input_shape=found.input_shape,
        name=name,
        architecture=f"{name}, TensorFlow.js",
        tag=name,
        attribution=f"weights of {name}/{file.name}",
        computation=found.computation,
    )


KIND = SourceKind(
    "tensorflow_js",
    "a model.json of TensorFlow.js",
    lambda text: take_file(text, "tensorflow_js", (".json",)),
    _open,
    is_path=True,
    files="a model.json of TensorFlow.js",
)
