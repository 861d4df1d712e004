"""Planted networks as ONNX files."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import torch
from torch import nn

from circuitkb.loaders.planted.networks import Planted
from circuitkb.loaders.sources.extras import require


def write_onnx(planted: Planted, path: str | Path, *, any_size: bool = True) -> Path:
    """Write a planted network as an ONNX file, operators of version 17.

    Loaded again, its layers have the names that they have in the module: ``filters``,
    ``detectors``, ``targets``.

    Parameters
    ----------
    planted
        What :func:`planted_network` made.
    path
        File to write; one that is there is replaced.
    any_size
        Leave rows and columns of the input open. ``circuitkb load`` then takes 224; otherwise they
        are those of ``planted.input_shape``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    MissingExtraError
        The package onnx is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from circuitkb.loaders import open_source
    >>> from circuitkb.loaders.planted.networks import planted_network
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = write_onnx(planted_network(), Path(folder) / "planted.onnx")
    ...     open_source(str(file)).name
    'planted'
    """
    return write_module(planted.module, path, planted.input_shape, any_size=any_size)


def write_module(
    module: nn.Module, path: str | Path, input_shape: tuple[int, int, int], *, any_size: bool
) -> Path:
    """Write the module of a planted network, as :func:`write_onnx` does."""
    onnx = require("onnx", extra="onnx", what="Writing an ONNX file")
    sizes = {2: "rows", 3: "columns"} if any_size else {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        exported = Path(folder) / "planted.onnx"
        # The exporter that torch recommends needs one more package, onnxscript.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module,
            (torch.zeros(1, *input_shape),),
            exported,
            dynamo=False,
            opset_version=17,
            input_names=["image"],
            output_names=["map"],
            dynamic_axes={"image": {0: "batch", **sizes}, "map": {0: "batch", **sizes}},
        )
        model = onnx.load(exported)
    for node in model.graph.node:
        # The exporter calls them by module and operator, as in /detectors/Relu.
        node.name = node.name.strip("/").rpartition("/")[0]
    onnx.save(model, path)
    return Path(path)
