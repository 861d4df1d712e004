"""The chosen edges of a network as a network of its own: no other weight is in it.

What all other edges give on average is part of each layer's constant, so a pre-activation is that
constant plus kernels times features.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from circuitkb.loaders.activations.editing.maps import after_pooling, fitted
from circuitkb.loaders.activations.editing.runs import Geometry
from circuitkb.loaders.activations.subsets.edges import Chosen
from circuitkb.loaders.activations.subsets.kernels import ChosenKernels, Source
from circuitkb.loaders.activations.subsets.layers import Layer
from circuitkb.loaders.activations.subsets.parts import Prepared
from circuitkb.loaders.activations.subsets.running import SubNetwork
from circuitkb.loaders.sources.extras import require
from circuitkb.schema.errors import TrialError

OPSET = 17

_SAME = 1e-5
"""Share of a constant's size by which it may change over a map and still be one number."""


class Rebuilt(nn.Module):
    """A network of chosen edges.

    Parameters
    ----------
    sub, chosen
        The network, and the edges.

    Attributes
    ----------
    prepared
        The edges on a path from the input to the output, and the units that they need.

    Raises
    ------
    TrialError
        None of them is on a path, or kernels do not tell all of the network.
    """

    def __init__(self, sub: SubNetwork, chosen: Chosen) -> None:
        super().__init__()
        parts = sub.parts
        strange = [
            layer.name
            for layer in parts.layers
            if layer.name not in parts.told or not (layer.apart and layer.site.layout in _LAYOUTS)
        ]
        if strange:
            raise TrialError(
                f"Kernels do not tell all of what goes into {len(strange)} layers, as "
                f"{strange[0]}: the network cannot be rebuilt from edges (circuitkb coverage "
                "measures it)."
            )
        self._parts = parts
        self.prepared: Prepared = sub.prepare(chosen)
        if not self.prepared.edges:
            raise TrialError(
                f"None of these {int(chosen.sum()):,} edges lies on a path of them from the input "
                "to the output: alone they answer the same to every image, and there is nothing to "
                "rebuild. circuitkb coverage says how much else they explain."
            )
        for layer in parts.layers:
            if self._is_needed(layer):
                self._keep(layer)

    def _is_needed(self, layer: Layer) -> bool:
        return layer is self._parts.output or len(self.prepared.units[layer.name]) > 0

    def _keep(self, layer: Layer) -> None:
        """Keep a layer's kernels and its constant, which holds what all else gives on average."""
        parts, units = self._parts, self.prepared.units[layer.name]
        constant = parts.means.before[layer.name][units][:, None]
        for number, one in enumerate(self.prepared.kernels.get(layer.name, ())):
            if one.targets is not None and len({*one.targets.tolist()}) < len(one.targets):
                raise TrialError(
                    f"A unit of {layer.name} stands in several groups of a connection."
                )
            mean = parts.means.after[one.source][self.prepared.units[one.source[0]]][:, None]
            constant = one.add_to(constant, -mean)
            weight = one.weight.to_dense() if one.weight.layout is torch.sparse_csr else one.weight
            if weight.ndim == 2:
                weight = weight[:, :, None, None]
            self.register_parameter(
                kernel_name(layer.name, number), nn.Parameter(weight.clone(), requires_grad=False)
            )
        middle = constant.mean((2, 3), keepdim=True)
        if float((constant - middle).abs().max()) <= _SAME * float(constant.abs().max()):
            constant = middle
        self.register_buffer(constant_name(layer.name), constant.transpose(0, 1).clone())

    def stored_as(self, name: str) -> str:
        """Return the name that a file has a tensor under: equal ones are stored once."""
        held = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        return next(other for other, value in held.items() if torch.equal(value, held[name]))

    def forward(self, image: Tensor) -> Tensor:
        """Return what the last layer's units get before a softmax, axes (image, output)."""
        parts = self._parts
        seen: dict[Source, Tensor] = dict(self._read(parts.input, image))
        for layer in parts.layers:
            if not self._is_needed(layer):
                continue
            size = parts.means.before[layer.name].shape[1:]
            before: Tensor = getattr(self, constant_name(layer.name))
            for number, one in enumerate(self.prepared.kernels.get(layer.name, ())):
                kernel: Tensor = getattr(self, kernel_name(layer.name, number))
                units = len(self.prepared.units[layer.name])
                before = before + _given(one, kernel, seen[one.source], units, (size[0], size[1]))
            if layer is parts.output:
                return before.flatten(1)
            value = layer.run(layer.value(before.transpose(0, 1)), parts.fixed)
            seen |= self._read(layer.name, layer.maps(value).transpose(0, 1))
        raise TrialError("The network has no last layer.")

    def _read(self, layer: str, maps: Tensor) -> Iterator[tuple[Source, Tensor]]:
        wanted = {one.source for some in self.prepared.kernels.values() for one in some}
        for key in sorted(wanted):
            if key[0] == layer:
                yield key, after_pooling(maps, key[1])


_LAYOUTS = ("ncyx", "nc")


def kernel_name(layer: str, number: int) -> str:
    """Return the name of the kernels of a layer's connection."""
    return f"kernels_into_{_plain(layer)}_{number}"


def constant_name(layer: str) -> str:
    """Return the name of a layer's constant."""
    return f"constant_of_{_plain(layer)}"


def _plain(layer: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in layer)


def _given(
    one: ChosenKernels, kernel: Tensor, maps: Tensor, units: int, size: tuple[int, int]
) -> Tensor:
    """Return what kernels give at every place, axes (image, unit, row, column)."""
    maps = maps if one.sources is None else maps.index_select(1, one.sources)
    lies = one.geometry
    stride = max(1, lies.stride[0]), max(1, lies.stride[1])
    once = size[0] if lies.stride[0] else 1, size[1] if lies.stride[1] else 1
    padded = fitted(maps, Geometry(lies.rows, lies.columns, stride, lies.offset), once)
    found = functional.conv2d(padded, kernel, stride=stride, groups=one.groups)
    if one.targets is None:
        return found
    # Units that these kernels do not reach get the zero that stands behind the others.
    place = torch.full((units,), found.shape[1])
    place[one.targets] = torch.arange(found.shape[1])
    return functional.pad(found, (0, 0, 0, 0, 0, 1)).index_select(1, place)


@dataclass(frozen=True)
class Written:
    """A rebuilt network in a file: bytes, and weights in its kernels and constants."""

    size: int
    weights: int
    constants: int


def write(rebuilt: Rebuilt, image: Tensor, file: Path) -> Written:
    """Write a rebuilt network as an ONNX file: whole, or not at all.

    Parameters
    ----------
    image
        One that it takes, axes (1, channel, row, column).

    Raises
    ------
    MissingExtraError
        The package onnx is not installed.
    """
    require("onnx", extra="onnx", what="Writing an ONNX file")
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            made = Path(folder) / "rebuilt.onnx"
            # The exporter that torch recommends needs one more package, onnxscript.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                rebuilt.eval(),
                (image,),
                made,
                input_names=["image"],
                output_names=["answer"],
                dynamic_axes={"image": {0: "images"}, "answer": {0: "images"}},
                opset_version=OPSET,
                dynamo=False,
            )
            unfinished.write_bytes(made.read_bytes())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    weights = sum(int(torch.count_nonzero(value)) for value in rebuilt.parameters())
    constants = sum(value.numel() for value in rebuilt.buffers())
    return Written(file.stat().st_size, weights, constants)
