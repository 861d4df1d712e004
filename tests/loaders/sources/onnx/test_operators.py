"""Operators in all their forms: the module computes what onnxruntime computes, and composes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import ModelProto, helper

from circuitkb.loaders.composition.compose import compose
from circuitkb.loaders.composition.reference_image import pink_image
from circuitkb.loaders.sources.onnx.files import read_onnx
from circuitkb.schema.errors import SourceError
from tests.loaders.onnx_networks import Array, integers, model, run, save, values

node = helper.make_node

SHAPE = (1, 3, 9, 10)


def compare(network: ModelProto, folder: Path, expected: Array | None = None) -> None:
    """Hold the module of a network against onnxruntime."""
    found = read_onnx(save(network, folder / "net.onnx"))
    image = pink_image(*found.input_shape)
    expected = run(network, image.numpy()) if expected is None else expected
    with torch.no_grad():
        np.testing.assert_allclose(found.module(image).numpy(), expected, 1e-4, 1e-5)


def one(operator: str, stored: dict[str, Array], opset: int, **options: Any) -> ModelProto:
    names = ["" if name.startswith("_") else name for name in stored]
    return model(
        [node(operator, ["image", *names], ["out"], name="it", **options)],
        {name: array for name, array in stored.items() if not name.startswith("_")},
        inputs=[("image", SHAPE)],
        opset=opset,
    )


NONE = {"_": np.zeros(0, np.float32)}


@pytest.mark.parametrize("opset", [9, 11, 13, 18, 19, 21])
@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_padding_in_every_version_is_exact(tmp_path: Path, opset: int, mode: str) -> None:
    for pads in ((0, 0, 1, 2, 0, 0, 0, 1), (0, 0, -1, 0, 0, 0, 1, -2), (0, 0, 0, 0, 0, 0, 1, 0)):
        for value in (0.0, 1.5):
            if opset < 11:
                network = one("Pad", {}, opset, pads=pads, value=value, mode=mode)
            else:
                stored = {"pads": integers(*pads), "value": np.array(value, np.float32)}
                network = one("Pad", stored, opset, mode=mode)
            compare(network, tmp_path)


def test_padding_of_chosen_axes_is_exact(tmp_path: Path) -> None:
    stored = {"pads": integers(1, 2, 0, 1), **NONE, "axes": integers(-1, 2)}
    compare(one("Pad", stored, 18), tmp_path)
    compare(one("Pad", {"pads": integers(0, 1, 0, 0, 0, 2, 0, 0)}, 13), tmp_path)


@pytest.mark.parametrize("value", [None, 0.0])
def test_a_padding_with_zeros_composes(tmp_path: Path, value: float | None) -> None:
    """For an image of ones each unit sums the pixels of its window that are there."""
    stored = {"pads": integers(0, 0, 0, 0, 0, 0, 1, 1), "w": np.ones((1, 1, 3, 3), np.float32)}
    read = ["image", "pads"]
    if value is not None:
        stored["value"] = np.array(value, np.float32)
        read.append("value")
    nodes = [
        node("Pad", read, ["p"], name="pad"),
        node("Conv", ["p", "w"], ["c"], name="conv", strides=[2, 2]),
        node("Relu", ["c"], ["out"], name="act"),
    ]
    network = model(nodes, stored, inputs=[("image", (1, 1, 4, 4))])
    found = read_onnx(save(network, tmp_path / "net.onnx"))
    composed = compose(found.module, pink_image(1, 4, 4))
    (edge,) = composed.connections
    assert (edge.source, edge.target, composed.not_composed) == ("input", "act", ())
    there = np.ones((4, 4))
    sums = [
        float(
            (edge.kernel[0, 0, 0] * there[rows : rows + 3, columns : columns + 3].sum() / 9).sum()
            if rows + 3 <= 4 and columns + 3 <= 4
            else edge.kernel[0, 0, 0][: 4 - rows, : 4 - columns].sum()
        )
        for rows in (edge.offset[0], edge.offset[0] + edge.stride[0])
        for columns in (edge.offset[1], edge.offset[1] + edge.stride[1])
    ]
    assert sums == [9.0, 6.0, 6.0, 4.0]
    with torch.no_grad():
        given = found.module(torch.ones(1, 1, 4, 4))
    assert given.flatten().tolist() == [9.0, 6.0, 6.0, 4.0]


@pytest.mark.parametrize("how", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("operator", ["Conv", "MaxPool", "AveragePool", "ConvTranspose"])
def test_padding_that_is_worked_out_is_exact(tmp_path: Path, how: str, operator: str) -> None:
    for size in (1, 2, 3, 4):
        for stride in range(1, size + 1):
            options = {"kernel_shape": [size, 3], "strides": [stride, 2], "auto_pad": how}
            stored: dict[str, Array] = {}
            if "Conv" in operator:
                shape = (4, 3) if operator == "Conv" else (3, 2)
                stored = {"w": values(*shape, size, 3)}
            network = one(operator, stored, 17, **options)
            compare(network, tmp_path)
            if operator == "AveragePool":
                compare(one(operator, {}, 11, **options, count_include_pad=1), tmp_path)


def test_a_convolution_with_padding_worked_out_composes(tmp_path: Path) -> None:
    stored = {"w": np.ones((1, 1, 2, 2), np.float32)}
    nodes = [
        node("Conv", ["image", "w"], ["c"], name="conv", strides=[2, 2], auto_pad="SAME_UPPER"),
        node("Relu", ["c"], ["out"], name="act"),
    ]
    network = model(nodes, stored, inputs=[("image", (1, 1, 3, 3))])
    found = read_onnx(save(network, tmp_path / "net.onnx"))
    (edge,) = compose(found.module, pink_image(1, 3, 3)).connections
    assert (edge.kernel.shape, edge.stride, edge.offset) == ((1, 1, 1, 2, 2), (2, 2), (0, 0))
    with torch.no_grad():
        given = found.module(torch.ones(1, 1, 3, 3))
    assert given.flatten().tolist() == [4.0, 2.0, 2.0, 1.0]


def test_a_max_pool_of_features_with_padding_worked_out_makes_no_layer(tmp_path: Path) -> None:
    nodes = [
        node("Relu", ["image"], ["r"], name="first"),
        node(
            "MaxPool",
            ["r"],
            ["p"],
            name="pool",
            kernel_shape=[3, 3],
            strides=[2, 2],
            auto_pad="SAME_UPPER",
        ),
        node("Conv", ["p", "w"], ["c"], name="conv"),
        node("Relu", ["c"], ["out"], name="act"),
    ]
    network = model(nodes, {"w": values(4, 3, 1, 1)}, inputs=[("image", (1, 3, 8, 8))])
    found = read_onnx(save(network, tmp_path / "net.onnx"))
    composed = compose(found.module, pink_image(3, 8, 8))
    assert [layer.name for layer in composed.layers] == ["input", "first", "act"]
    assert composed.connections[-1].pooling == ("max 3x3 stride 2x2 pad 0x0 dilation 1x1 ceil",)


WAYS = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resizing_in_every_way_is_exact_or_refused(tmp_path: Path, way: str, mode: str) -> None:
    opset = 19 if way == "half_pixel_symmetric" else 13
    for rounding in ("round_prefer_floor", "ceil") if mode == "nearest" else ("floor",):
        for rows, columns in ((2, 2), (1.5, 3), (0.5, 0.7)):
            options = {
                "mode": mode,
                "coordinate_transformation_mode": way,
                "nearest_mode": rounding,
            }
            scales = np.array([1, 1, rows, columns], np.float32)
            network = one("Resize", {**NONE, "scales": scales}, opset, **options)
            whole = all(float(n * by).is_integer() for n, by in ((9, rows), (10, columns)))
            if mode == "cubic" and (way == "asymmetric" or (not whole and way != "align_corners")):
                with pytest.raises(SourceError, match="it is cubic, with coordinates"):
                    read_onnx(save(network, tmp_path / "net.onnx"))
            else:
                compare(network, tmp_path)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_upsampling_of_old_versions_is_exact(tmp_path: Path, mode: str) -> None:
    scales = np.array([1, 1, 2, 3], np.float32)
    compare(one("Upsample", {}, 7, mode=mode, scales=scales.tolist()), tmp_path)
    compare(one("Upsample", {"s": scales}, 9, mode=mode), tmp_path)
    compare(one("Resize", {"s": scales}, 10, mode=mode), tmp_path)


@pytest.mark.parametrize("opset", [18, 20, 21, 22])
def test_operators_that_only_newer_versions_have_are_exact(tmp_path: Path, opset: int) -> None:
    image = pink_image(*SHAPE[1:])
    compare(one("Mish", {}, opset), tmp_path, torch.nn.functional.mish(image).numpy())
    compare(one("GlobalMaxPool", {}, opset), tmp_path)
    if opset >= 21:  # before, ONNX itself calls it deprecated
        factors = {name: np.full(3, 0.5, np.float32) for name in ("s", "b")}
        compare(one("GroupNormalization", factors, opset, num_groups=1), tmp_path)
    if opset >= 20:
        for how in ("none", "tanh"):
            compare(one("Gelu", {}, opset, approximate=how), tmp_path)
    split = [
        node("Split", ["image"], ["a", "b"], name="split", axis=1, num_outputs=2),
        node("Concat", ["b", "a"], ["out"], name="turned", axis=1),
    ]
    compare(model(split, {}, inputs=[("image", SHAPE)], opset=opset), tmp_path)


def test_a_transposed_convolution_with_uneven_pads_is_exact(tmp_path: Path) -> None:
    stored = {"w": values(3, 2, 3, 3), "b": values(2)}
    for options in (
        {"pads": [0, 1, 1, 0]},
        {"pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        {"output_shape": [18, 20]},
    ):
        compare(one("ConvTranspose", stored, 13, strides=[2, 2], **options), tmp_path)


def test_slices_of_every_other_pixel_are_exact(tmp_path: Path) -> None:
    """What exporters write for the first layer of some detectors (Focus)."""
    starts = {f"s{number}": integers(number % 2, number // 2) for number in range(4)}
    stored = {"end": integers(2**31, 2**31), "axes": integers(2, 3), "steps": integers(2, 2)}
    nodes = [
        node("Slice", ["image", name, "end", "axes", "steps"], [f"f{name}"], name=name)
        for name in starts
    ]
    nodes.append(node("Concat", [f"f{name}" for name in starts], ["out"], name="join", axis=1))
    network = model(nodes, {**starts, **stored}, inputs=[("image", (1, 3, 8, 8))])
    compare(network, tmp_path)


@pytest.mark.parametrize("opset", [7, 9, 13, 20])
def test_rearranging_operators_are_exact(tmp_path: Path, opset: int) -> None:
    square = [("image", (1, 8, 4, 6))]
    for operator, options in (
        ("DepthToSpace", {"blocksize": 2}),
        ("SpaceToDepth", {"blocksize": 2}),
        ("Flatten", {"axis": 0}),
        ("Flatten", {"axis": -1}),
    ):
        nodes = [node(operator, ["image"], ["out"], name="it", **options)]
        if opset >= 11 or options.get("axis") != -1:
            compare(model(nodes, {}, inputs=square, opset=opset), tmp_path)
    split = [
        node(
            "Split",
            ["image", *(["sizes"] if opset >= 13 else [])],
            ["a", "b"],
            name="split",
            axis=1,
            **({} if opset >= 13 else {"split": [3, 5]}),
        ),
        node("Concat", ["b", "a"], ["out"], name="turned", axis=1),
    ]
    stored = {"sizes": integers(3, 5)} if opset >= 13 else {}
    compare(model(split, stored, inputs=square, opset=opset), tmp_path)


def test_a_dropout_that_also_gives_its_mask_passes_its_input_on(tmp_path: Path) -> None:
    nodes = [
        node("Dropout", ["image"], ["d", "mask"], name="drop"),
        node("Relu", ["d"], ["out"], name="act"),
    ]
    compare(model(nodes, {}, inputs=[("image", SHAPE)], opset=10), tmp_path)


@pytest.mark.parametrize("opset", [7, 11, 13, 18])
@pytest.mark.parametrize(
    "bounds", [(0.0, None), (-0.5, None), (None, 0.5), (0.0, 6.0), (None, None)]
)
def test_a_clip_with_a_bound_left_out_is_exact(
    tmp_path: Path, bounds: tuple[float | None, float | None], opset: int
) -> None:
    names = ("min", "max")
    if opset < 11:
        given = {k: v for k, v in zip(names, bounds, strict=True) if v is not None}
        network = one("Clip", {}, opset, **given)
    else:
        stored = {
            name if bound is not None else f"_{name}": np.array(bound or 0, np.float32)
            for name, bound in zip(names, bounds, strict=True)
        }
        network = one("Clip", stored, opset)
    compare(network, tmp_path)
