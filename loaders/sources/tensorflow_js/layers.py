"""Networks that Keras describes layer by layer (TensorFlow.js's *layers models*), as ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from circuitkb.loaders.sources.tensorflow_js.manifest import Weights
from circuitkb.loaders.sources.tensorflow_js.written import Operators, Unsupported


@dataclass(frozen=True)
class _Layer:
    """One layer, with what it reads."""

    name: str
    config: Mapping[str, Any]
    values: Sequence[str]
    weights: Weights
    into: Operators

    def weight(self, name: str) -> NDArray[Any]:
        return self.weights[f"{self.name}/{name}"]

    def bias(self) -> NDArray[Any] | None:
        return self.weight("bias") if self.config["use_bias"] else None

    @property
    def value(self) -> str:
        (only,) = self.values
        return only

    def activated(self, compute: Callable[[str], str]) -> str:
        """Compute a value, and the nonlinearity that the layer has beside it."""
        kind = self.config.get("activation", "linear")
        if kind == "linear":
            return compute(self.name)
        return self.into.activation(self.name, compute(f"{self.name}/linear"), kind)


def _convolution(layer: _Layer, *, each: bool) -> str:
    kernel = layer.weight("depthwise_kernel" if each else "kernel")
    return layer.activated(
        lambda name: layer.into.convolution(
            name,
            layer.value,
            kernel,
            layer.bias(),
            each=each,
            strides=layer.config["strides"],
            dilations=layer.config["dilation_rate"],
            padding=layer.config["padding"],
        )
    )


def _dense(layer: _Layer) -> str:
    kernel = layer.weight("kernel")
    return layer.activated(lambda name: layer.into.dense(name, layer.value, kernel, layer.bias()))


def _batch_norm(layer: _Layer) -> str:
    _check_axis(layer, layer.config["axis"])
    mean = layer.weight("moving_mean")
    factors = {
        "gamma": layer.weight("gamma") if layer.config["scale"] else np.ones_like(mean),
        "beta": layer.weight("beta") if layer.config["center"] else np.zeros_like(mean),
        "moving_mean": mean,
        "moving_variance": layer.weight("moving_variance"),
    }
    stored = [layer.into.constant(f"{layer.name}/{name}", a) for name, a in factors.items()]
    return layer.into.add(
        layer.name,
        "BatchNormalization",
        [layer.value, *stored],
        epsilon=float(layer.config["epsilon"]),
    )


def _relu(layer: _Layer) -> str:
    if layer.config.get("negative_slope") or layer.config.get("threshold"):
        raise Unsupported("a slope or a threshold")
    most = layer.config.get("max_value")
    if most is None:
        return layer.into.activation(layer.name, layer.value, "relu")
    return layer.into.clip(layer.name, layer.value, float(most))


def _padding(layer: _Layer) -> str:
    (above, below), (left, right) = layer.config["padding"]
    widths = np.array([0, 0, above, left, 0, 0, below, right], np.int64)
    stored = layer.into.constant(f"{layer.name}/widths", widths)
    return layer.into.add(layer.name, "Pad", [layer.value, stored])


def _max_pool(layer: _Layer) -> str:
    return layer.into.pool(layer.name, layer.value, "MaxPool", **_window(layer))


def _average_pool(layer: _Layer) -> str:
    return layer.into.pool(layer.name, layer.value, "AveragePool", **_window(layer))


def _window(layer: _Layer) -> dict[str, Any]:
    config = layer.config
    return {"size": config["pool_size"], "strides": config["strides"], "padding": config["padding"]}


def _mean_of_all(layer: _Layer) -> str:
    mean = layer.into.add(f"{layer.name}/mean", "GlobalAveragePool", [layer.value])
    return layer.into.add(layer.name, "Flatten", [mean], axis=1, axes=2)


def _concatenation(layer: _Layer) -> str:
    _check_axis(layer, layer.config["axis"])
    return layer.into.add(layer.name, "Concat", layer.values, axis=1)


def _sum(layer: _Layer) -> str:
    return layer.into.add(layer.name, "Add" if len(layer.values) == 2 else "Sum", layer.values)


def _check_axis(layer: _Layer, axis: int) -> None:
    if axis not in (-1, layer.into.axes(layer.values[0]) - 1):
        raise Unsupported(f"the axis {axis}")


_CLASSES: Mapping[str, Callable[[_Layer], str]] = {
    "InputLayer": lambda layer: layer.into.image(layer.name, layer.config["batch_input_shape"]),
    "Conv2D": lambda layer: _convolution(layer, each=False),
    "DepthwiseConv2D": lambda layer: _convolution(layer, each=True),
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "ReLU": _relu,
    "Activation": lambda layer: layer.activated(lambda name: layer.value),
    "ZeroPadding2D": _padding,
    "MaxPooling2D": _max_pool,
    "AveragePooling2D": _average_pool,
    "GlobalAveragePooling2D": _mean_of_all,
    "Concatenate": _concatenation,
    "Add": _sum,
    "Flatten": lambda layer: layer.into.flat(layer.name, layer.value),
    "Dropout": lambda layer: layer.value,
}


def layers_model(described: Mapping[str, Any], weights: Weights) -> ModelProto:
    """Return a network as ONNX.

    Parameters
    ----------
    described
        The ``model_config`` of a ``model.json``.
    weights
        Arrays, each under the name of its layer.

    Raises
    ------
    Unsupported
        It has a layer, or an option of one, that is not known.
    """
    kind = described["class_name"]
    if kind not in ("Model", "Functional"):
        raise Unsupported(f"a network of the class {kind}")
    config = described["config"]
    layers = {layer["config"]["name"]: layer for layer in config["layers"]}
    reads = {name: _read_by(name, layer["inbound_nodes"]) for name, layer in layers.items()}
    into, made = Operators(), dict[str, str]()
    for name in TopologicalSorter(reads).static_order():
        kind = layers[name]["class_name"]
        values = [made[source] for source in reads[name]]
        if kind not in _CLASSES:
            raise Unsupported(f"the layer {name!r} of the class {kind}")
        if layers[name]["config"].get("data_format", "channels_last") != "channels_last":
            raise Unsupported(f"the layer {name!r}, whose channels come first")
        layer = _Layer(name, layers[name]["config"], values, weights, into)
        try:
            made[name] = _CLASSES[kind](layer)
        except Unsupported as error:
            raise Unsupported(f"{error} of the layer {name!r} ({kind})") from error
    return into.model([made[name] for name, *_ in config["output_layers"]])


def _read_by(name: str, inbound: Sequence[Any]) -> list[str]:
    """Return the layers that one reads, each once."""
    if len(inbound) > 1:
        raise Unsupported(f"the layer {name!r}, which is used more than once")
    return [source for source, *_ in inbound[0]] if inbound else []
