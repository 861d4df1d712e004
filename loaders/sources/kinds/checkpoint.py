"""A SOURCE that is a checkpoint: a file of weights, for a network that the user names."""

from __future__ import annotations

from pathlib import Path

from circuitkb.loaders.sources.architectures import LIBRARIES, Architecture
from circuitkb.loaders.sources.built import BuiltNetwork
from circuitkb.loaders.sources.extras import require
from circuitkb.loaders.sources.kinds.own import build, own_source
from circuitkb.loaders.sources.quiet import quiet
from circuitkb.loaders.sources.source import (
    OpenOptions,
    Source,
    SourceKind,
    shape_refused,
    take_file,
)
from circuitkb.schema.errors import CheckpointError

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
"""How the name of a checkpoint file ends."""


def _open(source: Source, options: OpenOptions) -> BuiltNetwork:
    file, architecture = Path(source.name), options.architecture
    own = own_source(architecture or "")
    if own is not None:
        return _fill_own(own, source, options)
    if options.shape is not None:
        raise shape_refused(source.text)
    if architecture is None:
        raise CheckpointError(
            f"{file.name} holds weights only: name their network, as in --arch "
            "torchvision:resnet18, --arch timm:resnet18 or, of your own, --arch FILE.py:FUNCTION; "
            "or export it as an .onnx file."
        )
    with quiet():
        wanted = Architecture.parse(architecture)
        require("torch", extra=LIBRARIES[wanted.library], what=source.text)
        from circuitkb.loaders.sources.checkpoints import read_candidates

        return wanted.build_from(read_candidates(file), file=file)


def _fill_own(own: Source, source: Source, options: OpenOptions) -> BuiltNetwork:
    file = Path(source.name)
    built = build(own, options)
    with quiet():
        from circuitkb.loaders.sources.checkpoints import read_candidates
        from circuitkb.loaders.sources.fitting import fit

        fitted = fit(
            lambda _: built.module, read_candidates(file), file=file, architecture=own.text
        )
    return BuiltNetwork(
        module=built.module,
        input_shape=built.shape,
        name=file.stem,
        architecture=own.text,
        tag=file.stem,
        attribution=f"weights of the file {file.name}",
        notes=fitted.notes,
        is_own=True,
    )


KIND = SourceKind(
    "checkpoint",
    "a checkpoint file",
    lambda text: take_file(text, "checkpoint", SUFFIXES),
    _open,
    help="a checkpoint (.safetensors, .pt) with --arch",
    is_path=True,
    files=f"a checkpoint ({', '.join(SUFFIXES)})",
    options=frozenset({"architecture", "shape"}),
    heard=True,
)
