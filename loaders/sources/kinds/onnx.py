"""A SOURCE that is an ONNX file, which holds a network and its weights."""

from __future__ import annotations

from pathlib import Path

from circuitkb.loaders.sources.built import BuiltNetwork
from circuitkb.loaders.sources.extras import require
from circuitkb.loaders.sources.source import OpenOptions, Source, SourceKind, take_file


def _open(source: Source, options: OpenOptions) -> BuiltNetwork:
    for package in ("torch", "onnx", "onnx2torch"):
        require(package, extra="onnx", what=source.text)
    from circuitkb.loaders.sources.onnx.files import read_onnx

    file = Path(source.name)
    found = read_onnx(file)
    producer = f", written by {found.producer}" if found.producer else ""
    return BuiltNetwork(
        module=found.module,
        input_shape=found.input_shape,
        name=file.stem,
        architecture=file.name,
        tag=file.stem,
        attribution=f"weights of the file {file.name}{producer}",
        computation=found.computation,
    )


KIND = SourceKind(
    "onnx",
    "an .onnx file",
    lambda text: take_file(text, "onnx", (".onnx",)),
    _open,
    help="a .onnx file",
    is_path=True,
    files="an .onnx file",
)
