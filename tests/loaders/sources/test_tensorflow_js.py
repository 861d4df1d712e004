"""Networks of TensorFlow.js, against NumPy; and files that say what they should not.

Three seconds: most of it imports onnx and torch.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from circuitkb.loaders.sources.opening import open_network
from circuitkb.schema.errors import CheckpointError, TraceError

Array = NDArray[Any]
RNG = np.random.default_rng(0)
IMAGE = RNG.random((1, 9, 9, 3)).astype(np.float32)


def padded(value: Array, size: int, stride: int, fill: float = 0.0) -> Array:
    """TensorFlow's padding ``same``: the place that is over stands behind."""
    widths = []
    for length in value.shape[1:3]:
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        widths.append((total // 2, total - total // 2))
    return np.pad(value, ((0, 0), *widths, (0, 0)), constant_values=fill)


def windows(value: Array, size: int, stride: int) -> Array:
    found = np.lib.stride_tricks.sliding_window_view(value, (size, size), (1, 2))
    return found[:, ::stride, ::stride]


def convolved(value: Array, kernel: Array, stride: int, same: bool) -> Array:
    size = len(kernel)
    value = padded(value, size, stride) if same else value
    return np.einsum("nrcixy,xyio->nrco", windows(value, size, stride), kernel)


def each_convolved(value: Array, kernel: Array, stride: int) -> Array:
    size = len(kernel)
    shown = windows(padded(value, size, stride), size, stride)
    found = np.einsum("nrcixy,xyim->nrcim", shown, kernel)
    return found.reshape(*found.shape[:3], -1)


def averaged(value: Array, size: int, stride: int) -> Array:
    shown = windows(padded(value, size, stride, np.nan), size, stride)
    return np.nanmean(shown, axis=(4, 5))


def softmax(value: Array) -> Array:
    grown = np.exp(value - value.max(-1, keepdims=True))
    return grown / grown.sum(-1, keepdims=True)


def write(
    folder: Path,
    topology: dict[str, Any],
    arrays: dict[str, Array],
    *,
    types: Sequence[str] = ("uint8", "uint16", "float16", ""),
    cut: float = 0.3,
) -> dict[str, Array]:
    """Write a ``model.json`` and two files of weights; return the values that these stand for."""
    entries, content, kept = [], b"", {}
    for number, (name, array) in enumerate(arrays.items()):
        entry: dict[str, Any] = {"name": name, "shape": list(array.shape), "dtype": "float32"}
        stored = types[number % len(types)]
        if not stored:
            kept[name] = array.astype(np.float32)
            content += kept[name].tobytes()
        elif stored == "float16":
            entry["quantization"] = {"dtype": stored}
            content += array.astype(np.float16).tobytes()
            kept[name] = array.astype(np.float16).astype(np.float32)
        else:
            least = float(array.min())
            scale = float(np.ptp(array)) / (255 if stored == "uint8" else 65535) or 1.0
            numbers = np.rint((array - least) / scale).astype(stored)
            entry["quantization"] = {"dtype": stored, "min": least, "scale": scale}
            content += numbers.tobytes()
            kept[name] = (numbers.astype(np.float64) * scale + least).astype(np.float32)
        entries.append(entry)
    folder.mkdir(parents=True, exist_ok=True)
    middle = int(len(content) * cut)
    (folder / "group1-shard1of2").write_bytes(content[:middle])
    (folder / "group1-shard2of2").write_bytes(content[middle:])
    manifest = [{"paths": ["group1-shard1of2", "group1-shard2of2"], "weights": entries}]
    model = {"modelTopology": topology, "weightsManifest": manifest}
    (folder / "model.json").write_text(json.dumps(model))
    return kept


def layer(kind: str, name: str, reads: Sequence[str], **config: Any) -> dict[str, Any]:
    inbound = [[[source, 0, 0, {}] for source in reads]] if reads else []
    config = {"name": name, "data_format": "channels_last", **config}
    return {"name": name, "class_name": kind, "config": config, "inbound_nodes": inbound}


def window(size: int, stride: int, padding: str) -> dict[str, Any]:
    return {"pool_size": [size] * 2, "strides": [stride] * 2, "padding": padding}


def convolution(stride: int, padding: str, bias: bool, activation: str) -> dict[str, Any]:
    return {
        "strides": [stride] * 2,
        "dilation_rate": [1, 1],
        "padding": padding,
        "use_bias": bias,
        "activation": activation,
    }


LAYERS = [
    layer("InputLayer", "image", [], batch_input_shape=[None, 9, 9, 3]),
    layer("ZeroPadding2D", "pad", ["image"], padding=[[0, 1], [1, 0]]),
    layer("Conv2D", "conv", ["pad"], **convolution(2, "valid", False, "linear")),
    layer("BatchNormalization", "norm", ["conv"], axis=-1, epsilon=0.01, scale=True, center=False),
    layer("ReLU", "relu", ["norm"], max_value=6, negative_slope=0, threshold=0),
    layer("DepthwiseConv2D", "each", ["relu"], **convolution(1, "same", True, "relu")),
    layer("AveragePooling2D", "mean", ["relu"], **window(3, 1, "same")),
    layer("Add", "sum", ["each", "mean"]),
    layer("Activation", "act", ["sum"], activation="tanh"),
    layer("Concatenate", "both", ["act", "relu"], axis=3),
    layer("MaxPooling2D", "pool", ["both"], **window(2, 2, "valid")),
    layer("Flatten", "flat", ["pool"]),
    layer("Dropout", "drop", ["flat"], rate=0.5),
    layer("Dense", "head", ["drop"], use_bias=True, activation="softmax"),
]


def topology_of(layers: list[dict[str, Any]]) -> dict[str, Any]:
    config = {"layers": layers, "input_layers": [], "output_layers": [["head", 0, 0]]}
    return {"model_config": {"class_name": "Model", "config": config}}


def weights_of_layers() -> dict[str, Array]:
    return {
        "conv/kernel": RNG.normal(0, 0.5, (3, 3, 3, 4)),
        "norm/gamma": RNG.normal(1, 0.2, 4),
        "norm/moving_mean": RNG.normal(0, 0.2, 4),
        "norm/moving_variance": RNG.uniform(0.1, 1, 4),
        "each/depthwise_kernel": RNG.normal(0, 0.5, (3, 3, 4, 1)),
        "each/bias": RNG.normal(0, 0.2, 4),
        "head/kernel": RNG.normal(0, 0.5, (32, 5)),
        "head/bias": RNG.normal(0, 0.2, 5),
    }


def layers_by_hand(weights: dict[str, Array]) -> Array:
    value = np.pad(IMAGE, ((0, 0), (0, 1), (1, 0), (0, 0)))
    value = convolved(value, weights["conv/kernel"], 2, same=False)
    value = (value - weights["norm/moving_mean"]) / np.sqrt(weights["norm/moving_variance"] + 0.01)
    relu = np.clip(value * weights["norm/gamma"], 0, 6)
    each = each_convolved(relu, weights["each/depthwise_kernel"], 1) + weights["each/bias"]
    act = np.tanh(np.maximum(each, 0) + averaged(relu, 3, 1))
    pool = windows(np.concatenate([act, relu], 3), 2, 2).max((4, 5))
    return softmax(pool.reshape(1, -1) @ weights["head/kernel"] + weights["head/bias"])


def operation(kind: str, name: str, reads: Sequence[str], **given: Any) -> dict[str, Any]:
    return {"op": kind, "name": name, "input": list(reads), "attr": given}


def word(text: str) -> dict[str, Any]:
    return {"s": base64.b64encode(text.encode()).decode()}


def words(*texts: str) -> dict[str, Any]:
    return {"list": {"s": [word(text)["s"] for text in texts]}}


def numbers(*items: int) -> dict[str, Any]:
    return {"list": {"i": [str(item) for item in items]}}


def moved(stride: int, padding: str) -> dict[str, Any]:
    return {
        "strides": numbers(1, stride, stride, 1),
        "dilations": numbers(1, 1, 1, 1),
        "padding": word(padding),
        "data_format": word("NHWC"),
    }


OPERATIONS = [
    operation("Identity", "out", ["soft"]),
    operation(
        "Placeholder",
        "image",
        [],
        shape={"shape": {"dim": [{"size": s} for s in ["-1", "9", "9", "3"]]}},
    ),
    *(operation("Const", name, []) for name in ("two", "half", "w0", "b0", "w1", "b1", "w2", "b2")),
    operation("Mul", "scaled", ["two", "image"]),
    operation("Sub", "shifted", ["scaled:0", "half", "^image"]),
    operation(
        "_FusedConv2D",
        "conv",
        ["shifted", "w0", "b0"],
        fused_ops=words("BiasAdd", "Relu6"),
        **moved(2, "SAME"),
    ),
    operation(
        "FusedDepthwiseConv2dNative",
        "each",
        ["conv", "w1", "b1"],
        fused_ops=words("BiasAdd"),
        **moved(1, "SAME"),
    ),
    operation("AddV2", "sum", ["each", "conv"]),
    operation(
        "AvgPool",
        "mean",
        ["sum"],
        ksize=numbers(1, 5, 5, 1),
        strides=numbers(1, 1, 1, 1),
        padding=word("VALID"),
    ),
    operation("Squeeze", "flat", ["mean"], squeeze_dims=numbers(1, 2)),
    operation(
        "_FusedMatMul",
        "head",
        ["flat", "w2", "b2"],
        fused_ops=words("BiasAdd"),
        transpose_a={"b": False},
    ),
    operation("Softmax", "soft", ["head"]),
]


def weights_of_operations() -> dict[str, Array]:
    return {
        "two": np.array(2.0),
        "w0": RNG.normal(0, 0.5, (3, 3, 3, 4)),
        "b0": RNG.normal(0, 0.2, 4),
        "half": np.array([0.5, 0.4, 0.3]),
        "w1": RNG.normal(0, 0.5, (3, 3, 4, 1)),
        "b1": RNG.normal(0, 0.2, 4),
        "w2": RNG.normal(0, 0.5, (4, 5)),
        "b2": RNG.normal(0, 0.2, 5),
    }


def operations_by_hand(weights: dict[str, Array]) -> Array:
    value = IMAGE * weights["two"] - weights["half"]
    conv = np.clip(convolved(value, weights["w0"], 2, same=True) + weights["b0"], 0, 6)
    summed = each_convolved(conv, weights["w1"], 1) + weights["b1"] + conv
    return softmax(summed.mean((1, 2)) @ weights["w2"] + weights["b2"])


def given(folder: Path) -> Array:
    network = open_network(str(folder / "model.json"))
    assert tuple(network.example.shape) == (1, 3, 9, 9)
    with torch.no_grad():
        found = network.module(torch.from_numpy(IMAGE.transpose(0, 3, 1, 2).copy()))
    return np.asarray(found)


@pytest.mark.parametrize("start", range(4))
def test_a_network_of_layers_gives_what_its_layers_say(tmp_path: Path, start: int) -> None:
    types = ["uint8", "uint16", "float16", ""]
    kept = write(
        tmp_path / "net",
        topology_of(LAYERS),
        weights_of_layers(),
        types=types[start:] + types[:start],
    )
    np.testing.assert_allclose(given(tmp_path / "net"), layers_by_hand(kept), atol=2e-6)
    assert open_network(str(tmp_path / "net/model.json")).suggested_name == "net"


def test_a_network_of_operations_gives_what_these_say(tmp_path: Path) -> None:
    kept = write(tmp_path / "net", {"node": OPERATIONS}, weights_of_operations())
    np.testing.assert_allclose(given(tmp_path / "net"), operations_by_hand(kept), atol=2e-6)


def test_the_order_in_which_layers_stand_does_not_matter(tmp_path: Path) -> None:
    kept = write(tmp_path / "net", topology_of(LAYERS[::-1]), weights_of_layers())
    np.testing.assert_allclose(given(tmp_path / "net"), layers_by_hand(kept), atol=2e-6)


def first_array(model: Any) -> Any:
    return model["weightsManifest"][0]["weights"][0]


def paths(model: Any) -> list[str]:
    found: list[str] = model["weightsManifest"][0]["paths"]
    return found


HOSTILE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a path that leads out": (lambda m: paths(m).__setitem__(0, "../secret"), "outside of its"),
    "an absolute path": (lambda m: paths(m).__setitem__(0, "/etc/passwd"), "outside of its folder"),
    "a link that leads out": (lambda m: paths(m).__setitem__(0, "link"), "outside of its folder"),
    "the folder itself": (lambda m: paths(m).__setitem__(0, "."), "outside of its folder"),
    "a zero in a path": (lambda m: paths(m).__setitem__(0, "a\0b"), "outside of its folder"),
    "a file that is not there": (lambda m: paths(m).__setitem__(0, "none"), "'none' beside it"),
    "a file too few": (lambda m: paths(m).pop(), r"take [\d,]+ bytes.* hold [\d,]+"),
    "a file twice": (lambda m: paths(m).append(paths(m)[0]), r"take [\d,]+ bytes.* hold [\d,]+"),
    "a shape too large": (lambda m: first_array(m)["shape"].append(3), r"take [\d,]+ bytes"),
    "more than can be loaded": (
        lambda m: first_array(m)["shape"].extend([10**9, 10**9]),
        "a network of at most",
    ),
    "a negative size": (lambda m: first_array(m)["shape"].append(-3), r"shape\.4"),
    "a size that is no number": (lambda m: first_array(m)["shape"].append("3"), r"shape\.4"),
    "an unknown type": (lambda m: first_array(m).update(dtype="complex64"), "dtype"),
    "texts": (lambda m: first_array(m).update(dtype="string"), "dtype"),
    "an unknown quantisation": (
        lambda m: first_array(m)["quantization"].update(dtype="uint4"),
        r"quantization\.dtype",
    ),
    "a scale that is no number": (
        lambda m: first_array(m)["quantization"].update(scale=float("nan")),
        r"quantization\.scale",
    ),
    "two names alike": (lambda m: first_array(m).update(name="head/bias"), "alike"),
    "a name that nobody reads": (lambda m: first_array(m).update(name="x"), "no 'conv/kernel'"),
    "no list of weights": (lambda m: m.pop("weightsManifest"), "no weightsManifest"),
    "a list that is none": (lambda m: m.update(weightsManifest=3), "weightsManifest"),
    "no network": (lambda m: m.update(modelTopology={}), "no 'model_config'"),
    "layers of another shape": (
        lambda m: m["modelTopology"]["model_config"].update(config=[1, 2]),
        "no valid network",
    ),
    "a layer that reads itself": (
        lambda m: config_of(m, 4, inbound_nodes=[[["relu", 0, 0, {}]]]),
        "goes round",
    ),
    "a layer that is not there": (
        lambda m: config_of(m, 4, inbound_nodes=[[["none", 0, 0, {}]]]),
        "no 'none'",
    ),
}


def config_of(model: Any, place: int, **changes: Any) -> None:
    model["modelTopology"]["model_config"]["config"]["layers"][place].update(changes)


def changed(tmp_path: Path, change: Callable[[Any], Any]) -> Path:
    (tmp_path / "secret").write_bytes(b"0" * 9)
    write(tmp_path / "net", topology_of(LAYERS), weights_of_layers())
    (tmp_path / "net/link").symlink_to(tmp_path / "secret")
    file = tmp_path / "net/model.json"
    model = json.loads(file.read_text())
    change(model)
    file.write_text(json.dumps(model))
    return file


@pytest.mark.parametrize("what", HOSTILE)
def test_what_a_file_should_not_say_is_refused_in_a_line(tmp_path: Path, what: str) -> None:
    change, message = HOSTILE[what]
    file = changed(tmp_path, change)
    with pytest.raises(CheckpointError, match=message) as refused:
        open_network(str(file))
    assert str(refused.value).startswith("model.json")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("place", "changes", "message"),
    [
        (4, {"class_name": "Lambda"}, "the layer 'relu' of the class Lambda"),
        (
            10,
            {"config": {"name": "pool"} | window(2, 2, "causal")},
            "the padding causal of the layer",
        ),
        (8, {"config": {"name": "act", "activation": "gelu"}}, "the activation gelu of the layer"),
        (9, {"config": {"name": "both", "axis": 1}}, "the axis 1 of the layer 'both'"),
        (4, {"config": {"name": "relu", "negative_slope": 0.1}}, "a slope or a threshold"),
        (8, {"config": {"name": "act", "data_format": "channels_first"}}, "channels come first"),
    ],
)
def test_what_is_not_known_is_named(
    tmp_path: Path, place: int, changes: dict[str, Any], message: str
) -> None:
    file = changed(tmp_path, lambda model: config_of(model, place, **changes))
    with pytest.raises(TraceError, match=rf"{message}.* not supported"):
        open_network(str(file))


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"[]", b"\xff\xfe", b"{}"])
def test_a_file_that_is_none_of_tensorflow_js_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.json is no"):
        open_network(str(tmp_path / "model.json"))


def test_an_operation_that_is_not_known_is_named(tmp_path: Path) -> None:
    nodes = [node | {"op": "Erf"} if node["name"] == "soft" else node for node in OPERATIONS]
    write(tmp_path / "net", {"node": nodes}, weights_of_operations())
    with pytest.raises(TraceError, match=r"the operation Erf \('soft'\) is not supported"):
        open_network(str(tmp_path / "net/model.json"))
