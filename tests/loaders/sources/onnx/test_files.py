"""ONNX files: the module made of one computes what onnxruntime computes, or a line says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, TensorProto, helper

from circuitkb.loaders import open_source
from circuitkb.loaders.composition.compose import compose
from circuitkb.loaders.composition.reference_image import pink_image
from circuitkb.loaders.sources.onnx.files import read_onnx
from circuitkb.loaders.sources.opening import open_network
from circuitkb.schema.errors import CheckpointError, TraceError
from circuitkb.schema.ids import LayerId
from tests.loaders.networks import large_ones_long
from tests.loaders.onnx_networks import Array, integers, model, run, save, two_branches, values

node = helper.make_node


def check_same(file: Path, network: ModelProto, tolerance: float = 1e-5) -> None:
    """Compare with onnxruntime, before and after tracing."""
    found = read_onnx(file)
    image = pink_image(*found.input_shape)
    expected = run(network, image.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(found.module(image).numpy(), expected, tolerance, tolerance)
        exported = torch.export.export(found.module, (image,), strict=False)
        np.testing.assert_allclose(exported.module()(image).numpy(), expected, tolerance, tolerance)


def message(error: pytest.ExceptionInfo[Any]) -> str:
    assert len(str(error.value).splitlines()) <= 2
    return str(error.value)


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 18, 20, 21, 22])
def test_a_network_computes_what_onnxruntime_computes(tmp_path: Path, opset: int) -> None:
    network = two_branches(opset=opset)
    check_same(save(network, tmp_path / "net.onnx"), network)


def test_layers_keep_the_names_of_the_onnx_nodes(tmp_path: Path) -> None:
    network = open_network(str(save(two_branches(), tmp_path / "Two Branches.onnx")))
    found = compose(network.module, network.example)
    assert [layer.name for layer in found.layers] == [
        "input",
        "stem/Relu",
        "left/Relu",
        "right/Relu",
        "head/Gemm",
    ]
    assert found.not_composed == ()
    assert network.suggested_name == "two-branches"
    assert network.architecture == "Two Branches.onnx"
    assert network.weights == "trained"
    assert "tests" in network.attribution


def test_names_keep_across_a_change_of_opset(tmp_path: Path) -> None:
    names = []
    for opset in (17, 21):
        found = read_onnx(save(two_branches(opset=opset), tmp_path / f"{opset}.onnx"))
        names.append(list(found.module.names.values()))
    assert names[0] == names[1]


def test_kernels_of_an_onnx_file_are_those_of_its_convolutions(tmp_path: Path) -> None:
    network = two_branches()
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in network.graph.initializer}
    opened = open_network(str(save(network, tmp_path / "net.onnx")))
    kernels = {c.target: c for c in compose(opened.module, opened.example).connections}
    scale = stored["scale"] / np.sqrt(stored["var"] + 1e-5)
    stem = kernels["stem/Relu"]
    np.testing.assert_allclose(
        stem.kernel[0], stored["w0"] * scale[:, None, None, None], rtol=1e-5, atol=1e-6
    )
    right = kernels["right/Relu"]
    assert right.path == "pooled"
    np.testing.assert_allclose(right.kernel, stored["w2"].reshape(2, 3, 4, 3, 3), rtol=1e-6)


def test_names_that_no_feature_could_have_are_made_fit(tmp_path: Path) -> None:
    names = ["a b@c", "", "", "x.y", "x/y", "forward", "image", "ü" * 200]
    nodes = [
        node("Relu", [f"t{number}"], [f"t{number + 1}"], name=name)
        for number, name in enumerate(names)
    ]
    network = model(nodes, {}, inputs=[("t0", (1, 3, 8, 8))], outputs=[f"t{len(names)}"])
    found = read_onnx(save(network, tmp_path / "names.onnx"))
    made = list(found.module.names.values())
    assert made[:7] == ["a_b_c", "Relu", "Relu_1", "x/y", "x/y_1", "forward_1", "image"]
    assert len(set(made)) == len(names)
    for name in made:
        LayerId("m", name)
    check_same(tmp_path / "names.onnx", network)


@pytest.mark.parametrize(
    ("batch", "size", "shape"),
    [
        (1, 16, (3, 16, 16)),
        ("n", 16, (3, 16, 16)),
        (8, 20, (3, 20, 20)),
        ("n", "s", (3, 224, 224)),
        (0, 0, (3, 224, 224)),
    ],
)
def test_sizes_that_the_file_leaves_open_are_set(
    tmp_path: Path, batch: int | str, size: int | str, shape: tuple[int, ...]
) -> None:
    file = save(two_branches(batch, size), tmp_path / "net.onnx")
    assert read_onnx(file).input_shape == shape
    opened = open_network(str(file))
    assert opened.example.shape == (1, *shape)
    expected = run(two_branches("n", "s"), opened.example.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(opened.module(opened.example), expected, 1e-4, 1e-5)


def test_a_network_that_takes_channels_last_gets_its_image_transposed(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", ["image"], ["t"], name="t", perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], ["c"], name="conv"),
        node("Relu", ["c"], ["out"], name="relu"),
    ]
    weights = values(4, 3, 3, 3)
    network = model(nodes, {"w": weights}, inputs=[("image", ("n", 10, 12, 3))])
    opened = open_network(str(save(network, tmp_path / "net.onnx")))
    assert opened.example.shape == (1, 3, 10, 12)
    with torch.no_grad():
        found = opened.module(opened.example).numpy()
    expected = run(network, opened.example.numpy().transpose(0, 2, 3, 1))
    np.testing.assert_allclose(found, expected, 1e-5, 1e-5)
    (connection,) = compose(opened.module, opened.example).connections
    np.testing.assert_array_equal(connection.kernel[0], weights)


def test_a_size_that_the_network_works_out_while_it_runs_is_known_before(tmp_path: Path) -> None:
    """What exporters write for ``x.view(x.size(0), -1)``."""
    nodes = [
        node("Relu", ["image"], ["r"], name="relu"),
        node("Shape", ["r"], ["s"], name="shape"),
        node("Constant", [], ["zero"], value=onnx.numpy_helper.from_array(np.array(0))),
        node("Gather", ["s", "zero"], ["n"], name="gather", axis=0),
        node("Unsqueeze", ["n", "axis"], ["n1"], name="unsqueeze"),
        node("Concat", ["n1", "rest"], ["shape2"], name="concat", axis=0),
        node("Reshape", ["r", "shape2"], ["flat"], name="reshape"),
        node("Identity", ["w"], ["w2"], name="same"),
        node("Gemm", ["flat", "w2"], ["out"], name="head"),
    ]
    stored = {"axis": integers(0), "rest": integers(-1), "w": values(192, 5)}
    network = model(nodes, stored, inputs=[("image", ("n", 3, 8, 8))], opset=19)
    file = save(network, tmp_path / "net.onnx")
    check_same(file, network)
    found = read_onnx(file)
    assert list(found.module.names.values()) == ["relu", "reshape", "head"]
    assert compose(found.module, pink_image(3, 8, 8)).not_composed == ()


OPERATORS: dict[str, tuple[dict[str, Array], dict[str, Any]]] = {
    "Reshape": ({"to": integers(0, -1, 8)}, {}),
    "Slice": ({"start": integers(1), "end": integers(3), "axes": integers(1)}, {}),
    "Pad": ({"pads": integers(0, 0, 1, 1, 0, 0, 1, 2)}, {}),
    "Resize": (
        {"": integers(), "scales": np.array([1, 1, 2, 2], np.float32)},
        {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        },
    ),
    "Expand": ({"to": integers(1, 3, 8, 8)}, {}),
    "Gather": ({"at": np.array(1)}, {"axis": 2}),
    "Squeeze": ({"axes": integers(0)}, {}),
    "Unsqueeze": ({"axes": integers(1)}, {}),
    "Tile": ({"times": integers(1, 1, 2, 1)}, {}),
    "ReduceSum": ({"axes": integers(2, 3)}, {"keepdims": 0}),
    "Clip": ({"low": np.array(0, np.float32), "high": np.array(6, np.float32)}, {}),
    "Pow": ({"to": np.array(2, np.float32)}, {}),
    "Mul": ({"by": values(1, 3, 1, 1)}, {}),
    "MatMul": ({"by": values(8, 5)}, {}),
}


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_that_read_stored_tensors_can_be_traced(tmp_path: Path, operator: str) -> None:
    stored, options = OPERATORS[operator]
    network = model(
        [node(operator, ["image", *stored], ["out"], name="it", **options)],
        {name: array for name, array in stored.items() if name},
        inputs=[("image", (1, 3, 8, 8))],
    )
    check_same(save(network, tmp_path / "net.onnx"), network)


def test_an_operator_with_several_outputs_can_be_traced(tmp_path: Path) -> None:
    nodes = [
        node("Split", ["image", "sizes"], ["a", "b"], name="split", axis=1),
        node("Concat", ["b", "a"], ["out"], name="turned", axis=1),
    ]
    network = model(nodes, {"sizes": integers(1, 2)})
    check_same(save(network, tmp_path / "net.onnx"), network)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", large_ones_long(["resnet18", "shufflenet_v2_x0_5"]))
def test_what_torch_exports_composes_as_the_original_does(tmp_path: Path, name: str) -> None:
    original = open_network(f"torchvision:{name}@none")
    torch.onnx.export(
        original.module,
        (original.example,),
        tmp_path / "net.onnx",
        dynamo=False,
        opset_version=20,
        input_names=["image"],
        dynamic_axes={"image": {0: "batch"}},
    )
    opened = open_network(str(tmp_path / "net.onnx"))
    expected = compose(original.module, original.example)
    found = compose(opened.module, opened.example)
    assert len(found.layers) == len(expected.layers)
    assert len(found.connections) == len(expected.connections)
    for one, other in zip(found.connections, expected.connections, strict=True):
        assert one.path == other.path
        scale = np.abs(other.kernel).max()
        np.testing.assert_allclose(one.kernel, other.kernel, atol=1e-4 * scale)


def test_two_inputs_are_refused(tmp_path: Path) -> None:
    inputs = [("image", (1, 3, 8, 8)), ("mask", (1, 3, 8, 8))]
    network = model([node("Add", ["image", "mask"], ["out"])], {}, inputs=inputs)
    with pytest.raises(CheckpointError, match=r"takes 2 inputs \(image, mask\)") as error:
        read_onnx(save(network, tmp_path / "net.onnx"))
    message(error)


@pytest.mark.parametrize(
    ("shape", "kind", "said"),
    [
        ((1, 128), TensorProto.FLOAT, "float tensor of 2 axes"),
        ((1, 3, 8, 8), TensorProto.UINT8, "uint8 tensor of 4 axes"),
    ],
)
def test_an_input_that_is_no_image_is_refused(
    tmp_path: Path, shape: tuple[int, ...], kind: int, said: str
) -> None:
    network = model(
        [node("Identity", ["image"], ["out"])], {}, inputs=[("image", shape)], kind=kind
    )
    network.graph.output[0].type.tensor_type.elem_type = kind
    with pytest.raises(CheckpointError, match=said) as error:
        read_onnx(save(network, tmp_path / "net.onnx"))
    message(error)


@pytest.mark.parametrize(
    ("operator", "opset"),
    [("GlobalLpPool", 17), ("MeanVarianceNormalization", 20), ("Shrink", 18)],
)
def test_an_operator_that_is_not_supported_is_named(
    tmp_path: Path, operator: str, opset: int
) -> None:
    network = model([node(operator, ["image"], ["out"], name="/act/it")], {}, opset=opset)
    with pytest.raises(TraceError, match=f"operator {operator}") as error:
        read_onnx(save(network, tmp_path / "net.onnx"))
    message(error)


def test_a_custom_operator_is_named(tmp_path: Path) -> None:
    custom = node("Frobnicate", ["image"], ["out"], name="f", domain="my.domain")
    network = model([custom], {}, domains=["my.domain"])
    with pytest.raises(TraceError, match=r"operator Frobnicate \(node 'f'\) is not supported"):
        read_onnx(save(network, tmp_path / "net.onnx"))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_named(tmp_path: Path, share: float) -> None:
    file = save(two_branches(), tmp_path / "half.onnx")
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r"^half\.onnx ") as error:
        read_onnx(file)
    message(error)


@pytest.mark.parametrize("content", [b"", b"\0", b"This is a text.\n" * 10])
def test_what_is_no_onnx_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "no.onnx").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"no\.onnx (is not an ONNX file|holds no network)"):
        read_onnx(tmp_path / "no.onnx")


def test_a_graph_that_breaks_the_rules_is_named(tmp_path: Path) -> None:
    network = model([node("Relu", ["nowhere"], ["out"], name="r")], {})
    with pytest.raises(CheckpointError, match=r"bad\.onnx is not valid ONNX") as error:
        read_onnx(save(network, tmp_path / "bad.onnx"))
    message(error)


def with_external_weights(file: Path, location: str) -> None:
    network = two_branches()
    for tensor in network.graph.initializer:
        if tensor.name == "w1":
            tensor.data_location = TensorProto.EXTERNAL
            tensor.ClearField("raw_data")
            tensor.external_data.add(key="location", value=location)
    file.write_bytes(network.SerializeToString())


def test_weights_in_a_file_beside_it_are_read(tmp_path: Path) -> None:
    onnx.save(
        two_branches(),
        tmp_path / "net.onnx",
        save_as_external_data=True,
        size_threshold=0,
        location="net.data",
    )
    assert (tmp_path / "net.data").stat().st_size > 1000
    check_same(tmp_path / "net.onnx", two_branches())


@pytest.mark.parametrize("place", ["../secret", "sub/../../secret", "link", "absolute", "", "."])
def test_weights_outside_of_the_folder_are_refused(tmp_path: Path, place: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(values(5, 8, 3, 3).tobytes())
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    if place == "link":
        (folder / "link").symlink_to(secret)
    location = str(secret) if place == "absolute" else place
    with_external_weights(folder / "net.onnx", location)
    with pytest.raises(CheckpointError, match=r"net\.onnx is refused.*outside") as error:
        read_onnx(folder / "net.onnx")
    message(error)


def test_an_external_tensor_hidden_in_an_attribute_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(values(1, 3, 16, 16).tobytes())
    (tmp_path / "folder").mkdir()
    hidden = onnx.numpy_helper.from_array(values(1, 3, 16, 16), "hidden")
    hidden.data_location = TensorProto.EXTERNAL
    hidden.ClearField("raw_data")
    hidden.external_data.add(key="location", value="../secret")
    network = model(
        [node("Constant", [], ["c"], value=hidden), node("Add", ["image", "c"], ["out"])], {}
    )
    (tmp_path / "folder" / "net.onnx").write_bytes(network.SerializeToString())
    with pytest.raises(CheckpointError, match=r"'hidden' point outside"):
        read_onnx(tmp_path / "folder" / "net.onnx")


def test_a_missing_file_of_weights_is_named(tmp_path: Path) -> None:
    with_external_weights(tmp_path / "net.onnx", "net.data")
    with pytest.raises(CheckpointError, match=r"needs the file 'net\.data' beside it"):
        read_onnx(tmp_path / "net.onnx")


def test_a_short_file_of_weights_is_named(tmp_path: Path) -> None:
    (tmp_path / "net.data").write_bytes(b"1234")
    with_external_weights(tmp_path / "net.onnx", "net.data")
    with pytest.raises(CheckpointError, match=r"^net\.onnx"):
        read_onnx(tmp_path / "net.onnx")


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    weights = values(4, 3, 3, 3).astype(np.float16)
    nodes = [node("Conv", ["image", "w"], ["c"], name="conv"), node("Relu", ["c"], ["out"])]
    network = model(nodes, {"w": weights}, kind=TensorProto.FLOAT16)
    network.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    found = read_onnx(save(network, tmp_path / "net.onnx"))
    assert {tensor.dtype for tensor in found.module.state_dict().values()} == {torch.float32}


def test_a_network_fixed_to_a_batch_that_it_cannot_leave_says_so(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["image", "shape"], ["out"], name="reshape")]
    network = model(nodes, {"shape": integers(8, -1, 3, 7)}, inputs=[("image", (8, 3, 7, 7))])
    with pytest.raises(TraceError, match="does not run on one image of 3x7x7") as error:
        read_onnx(save(network, tmp_path / "net.onnx"))
    message(error)


def test_a_size_left_open_that_the_network_does_not_run_on_says_so(tmp_path: Path) -> None:
    """A reader of lines of text wants them 48 rows high, which its file does not say."""
    nodes = [
        node("AveragePool", ["image"], ["p"], name="pool", kernel_shape=[16, 1], strides=[16, 1]),
        node("Reshape", ["p", "shape"], ["out"], name="line"),
    ]
    network = model(nodes, {"shape": integers(1, 3, 3, 224)}, inputs=[("image", (1, 3, "h", "w"))])
    file = save(network, tmp_path / "net.onnx")
    said = r"operator Reshape \(node 'line'\).*\nIt leaves its rows or columns open"
    with pytest.raises(TraceError, match=said) as error:
        read_onnx(file)
    message(error)
    assert read_onnx(file, open_size=(48, 224)).input_shape == (3, 48, 224)


def test_an_onnx_file_becomes_rows(tmp_path: Path) -> None:
    file = save(two_branches(), tmp_path / "net.onnx")
    rows = open_source(str(file), name="mine").rows(keep=3)
    assert rows.nodes["Layer"]["id"].to_pylist()[1] == "mine/stem/Relu"
    assert rows.nodes["Model"]["source"].to_pylist() == [str(file)]
    assert rows.counts()["WEIGHT"] == 3 * (8 + 5 + 6 + 4)


def test_the_same_file_has_the_same_fingerprint_and_another_has_another(tmp_path: Path) -> None:
    one = open_source(str(save(two_branches(), tmp_path / "one.onnx"))).fingerprint
    assert open_source(str(save(two_branches("n"), tmp_path / "two.onnx"))).fingerprint == one
    changed = two_branches()
    changed.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(values(8, 3, 3, 3), "w0"))
    assert open_source(str(save(changed, tmp_path / "three.onnx"))).fingerprint != one
