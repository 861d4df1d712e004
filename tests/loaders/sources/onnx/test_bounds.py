"""ONNX files that ask for too much, or are damaged: a line or two, and no memory or time."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from circuitkb.loaders import open_source
from circuitkb.loaders.sources.onnx.files import read_onnx
from circuitkb.schema.errors import CircuitKBError, SourceError
from tests.loaders.onnx_networks import integers, model, save, two_branches, values

node = helper.make_node

HUGE = 2**40


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """Whatever asks for 8 GB more than there is now fails."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**33, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def refused(file: Path, said: str) -> None:
    started = time.process_time()
    with pytest.raises(SourceError, match=said) as error:
        read_onnx(file)
    assert len(str(error.value).splitlines()) <= 2
    assert time.process_time() - started < 10


def chain(*nodes: Any, stored: dict[str, Any] | None = None) -> ModelProto:
    return model(list(nodes), stored or {}, inputs=[("image", (1, 3, 8, 8))])


def big_image(rows: int) -> ModelProto:
    return model([node("Relu", ["image"], ["out"])], {}, inputs=[("image", (1, 3, rows, 8))])


def constant(operator: str, *sizes: Any, **options: Any) -> ModelProto:
    """A tensor that is known without the image, and added to it."""
    stored = {f"s{number}": np.asarray(value) for number, value in enumerate(sizes)}
    return chain(
        node(operator, [*stored], ["much"], name="much", **options),
        node("ReduceMean", ["much"], ["one"], name="mean"),
        node("Add", ["image", "one"], ["out"], name="add"),
        stored=stored,
    )


def of_image(operator: str, *others: Any, **options: Any) -> ModelProto:
    stored = {f"s{number}": np.asarray(value) for number, value in enumerate(others)}
    return chain(
        node(operator, ["image", *stored], ["much"], name="much", **options),
        node("Relu", ["much"], ["out"], name="act"),
        stored=stored,
    )


def weights(*shape: int) -> Any:
    return values(*shape)


TOO_MUCH: dict[str, Callable[[], ModelProto]] = {
    "image": lambda: big_image(10**9),
    "image of int64": lambda: big_image(2**62),
    "ConstantOfShape": lambda: constant("ConstantOfShape", integers(HUGE)),
    "Range": lambda: constant("Range", np.array(0), np.array(HUGE), np.array(1)),
    "Expand": lambda: constant("Expand", weights(1), integers(HUGE)),
    "Tile": lambda: constant("Tile", weights(4), integers(HUGE)),
    "OneHot": lambda: constant("OneHot", integers(1), np.array(HUGE), weights(2)),
    "EyeLike": lambda: constant("MatMul", weights(1 << 17, 1), weights(1, 1 << 17)),
    "Expand of the image": lambda: of_image("Expand", integers(HUGE, 1, 1, 1)),
    "Tile of the image": lambda: of_image("Tile", integers(1, 1, HUGE, 1)),
    "Pad": lambda: of_image("Pad", integers(0, 0, 0, 0, 0, 0, HUGE, 0)),
    "Resize": lambda: of_image("Resize", weights(0), np.array([1, 1, 1e12, 1], np.float32)),
    "Conv": lambda: of_image("Conv", weights(2, 3, 1, 1), pads=[0, 0, HUGE, 0]),
    "ConvTranspose": lambda: of_image("ConvTranspose", weights(3, 2, 1, 1), strides=[HUGE, 1]),
    "MaxPool": lambda: of_image("MaxPool", kernel_shape=[1, 1], pads=[0, 0, HUGE, 0]),
    "broadcast": lambda: of_image("Add", weights(1 << 22, 1, 1, 1)),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_takes_too_much_memory_is_refused_before_it_does(tmp_path: Path, what: str) -> None:
    refused(save(TOO_MUCH[what](), tmp_path / "net.onnx"), r"^net\.onnx")


NONSENSE: dict[str, Callable[[], ModelProto]] = {
    "kernel_shape": lambda: of_image("Conv", weights(2, 3, 1, 1), kernel_shape=[HUGE, HUGE]),
    "negative kernel": lambda: of_image("MaxPool", kernel_shape=[-1, 2]),
    "no stride": lambda: of_image("Conv", weights(2, 3, 1, 1), strides=[0, 0]),
    "negative pads": lambda: of_image("MaxPool", kernel_shape=[2, 2], pads=[-9, 0, 0, 0]),
    "cropped away": lambda: of_image("Pad", integers(0, 0, -9, 0, 0, 0, -9, 0)),
    "groups": lambda: of_image("Conv", weights(2, 3, 1, 1), group=10**9),
    "no groups": lambda: of_image("Conv", weights(2, 3, 1, 1), group=0),
    "Reshape": lambda: of_image("Reshape", integers(1, -7, HUGE)),
    "negative Tile": lambda: of_image("Tile", integers(1, 1, -1, 1)),
    "Split": lambda: of_image("Split", integers(-1, 4), axis=1),
    "Resize": lambda: of_image("Resize", weights(0), np.array([1, 1, -1, np.nan], np.float32)),
    "axis": lambda: of_image("Concat", weights(1, 3, 8, 8), axis=77),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_sizes_without_sense_are_refused(tmp_path: Path, what: str) -> None:
    refused(save(NONSENSE[what](), tmp_path / "net.onnx"), r"^net\.onnx")


def test_too_many_nodes_are_refused(tmp_path: Path) -> None:
    nodes = [node("Relu", [f"t{n}"], [f"t{n + 1}"]) for n in range(60_000)]
    network = model(nodes, {}, inputs=[("t0", (1, 3, 8, 8))], outputs=["t60000"])
    refused(save(network, tmp_path / "net.onnx"), "has 60,000 nodes")


def test_functions_that_call_each_other_many_times_are_refused(tmp_path: Path) -> None:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
    network = model([node("f9", ["image"], ["out"], domain="f")], {}, domains=["f"])
    for number in range(10):
        called = f"f{number - 1}" if number else "Relu"
        body = [
            node(called, [f"x{n}"], [f"x{n + 1}"], domain="f" if number else "") for n in range(10)
        ]
        network.functions.append(
            helper.make_function("f", f"f{number}", ["x0"], ["x10"], body, opsets)
        )
    refused(save(network, tmp_path / "net.onnx"), "has 11,111,111,111 nodes")
    network.functions[0].node[0].op_type, network.functions[0].node[0].domain = "f9", "f"
    refused(save(network, tmp_path / "net.onnx"), "a function calls itself")


def beside(file: Path, location: str, **told: str) -> Path:
    network = two_branches()
    for tensor in network.graph.initializer:
        if tensor.name == "w1":
            tensor.data_location = TensorProto.EXTERNAL
            tensor.ClearField("raw_data")
            for key, value in {"location": location, **told}.items():
                tensor.external_data.add(key=key, value=value)
    file.write_bytes(network.SerializeToString())
    return file


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"length": "-5"}, "cannot be read"),
        ({"offset": "-1"}, "cannot be read"),
        ({"offset": "x"}, "cannot be read"),
        ({"length": str(HUGE)}, "cannot be read"),
        ({"offset": str(2**70)}, "cannot be read"),
        ({"offset": "8"}, "shorter than"),
    ],
)
def test_places_of_weights_without_sense_are_refused(
    tmp_path: Path, told: dict[str, str], said: str
) -> None:
    (tmp_path / "data").write_bytes(bytes(5 * 8 * 3 * 3 * 4))
    refused(beside(tmp_path / "net.onnx", "data", **told), said)


def test_what_is_no_plain_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "zero.onnx").symlink_to("/dev/zero")
    (tmp_path / "folder.onnx").mkdir()
    for name in ("pipe.onnx", "zero.onnx", "folder.onnx"):
        refused(tmp_path / name, "is not a plain file")
    refused(beside(tmp_path / "net.onnx", "pipe"), "is not a plain file")
    refused(beside(tmp_path / "net.onnx", "a\0b"), "point outside")
    refused(beside(tmp_path / "net.onnx", "a\n\x1b[31mb"), "which is not there")


def test_a_file_of_more_than_2_gb_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "net.onnx").open("wb") as file:
        file.truncate(2**31)
    refused(tmp_path / "net.onnx", "larger than the 2 GB")


def test_weights_of_many_values_or_below_none_are_refused(tmp_path: Path) -> None:
    for dims, said in (([HUGE], "weights; a network of at most"), ([-1, 3], "size below 0")):
        network = two_branches()
        network.graph.initializer[0].dims[:] = dims
        refused(save(network, tmp_path / "net.onnx"), said)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_weights_that_are_not_finite_or_overflow_are_refused(tmp_path: Path, value: float) -> None:
    nodes = [
        node("Conv", ["image", "w"], ["c"], name="conv"),
        node("Conv", ["c", "w2"], ["d"], name="second"),
        node("Relu", ["d"], ["out"], name="act"),
    ]
    stored = {"w": np.full((4, 3, 1, 1), value, np.float32), "w2": values(2, 4, 1, 1)}
    stored["w2"][:] = 9
    file = save(model(nodes, stored, inputs=[("image", (1, 3, 4, 4))]), tmp_path / "net.onnx")
    with pytest.raises(CircuitKBError) as error:
        open_source(str(file), name="m").rows()
    assert len(str(error.value).splitlines()) <= 2


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Change some bytes, or cut out, double or blow up a piece."""
    found = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(found)))
        kind, size = int(rng.integers(4)), int(rng.integers(1, 9))
        if kind == 0:
            found[place] = int(rng.integers(256))
        elif kind == 1:
            del found[place : place + size]
        elif kind == 2:
            found[place:place] = found[place : place + size]
        else:
            found[place : place + size] = bytes([255] * size)
    return bytes(found)


def change_a_field(network: ModelProto, rng: np.random.Generator) -> None:
    """Give one field of one node, tensor or input an extreme value."""
    extreme = [0, -1, 1, 2, 7, 255, 2**31, 2**40, 2**63 - 1, -(2**63)]
    value = extreme[int(rng.integers(len(extreme)))]
    graph = network.graph
    item = graph.node[int(rng.integers(len(graph.node)))]
    kind = int(rng.integers(6))
    if kind == 0 and item.attribute:
        attribute = item.attribute[int(rng.integers(len(item.attribute)))]
        if attribute.ints:
            attribute.ints[int(rng.integers(len(attribute.ints)))] = value
        else:
            attribute.i = value
    elif kind == 1:
        sized = [tensor for tensor in graph.initializer if tensor.dims]
        tensor = sized[int(rng.integers(len(sized)))]
        tensor.dims[int(rng.integers(len(tensor.dims)))] = value
    elif kind == 2:
        tensor = graph.initializer[int(rng.integers(len(graph.initializer)))]
        tensor.data_type = int(rng.integers(0, 30))
    elif kind == 3:
        graph.input[0].type.tensor_type.shape.dim[int(rng.integers(4))].dim_value = value
    elif kind == 4:
        names = ["", "image", "out", *(t.name for t in graph.initializer)]
        item.input[int(rng.integers(len(item.input)))] = names[int(rng.integers(len(names)))]
    else:
        item.op_type = ["Loop", "Reshape", "Tile", "Expand", "Gemm", "Pad"][int(rng.integers(6))]


def small() -> ModelProto:
    """Many kinds of fields in few bytes."""
    nodes = [
        node("Pad", ["image", "pads"], ["p"], name="pad"),
        node("Conv", ["p", "w", "b"], ["c"], name="conv", strides=[1, 1], pads=[0, 1, 1, 0]),
        node("Clip", ["c", "low"], ["r"], name="clip"),
        node("MaxPool", ["r"], ["m"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Resize", ["m", "", "scales"], ["u"], name="resize", mode="nearest"),
        node("Reshape", ["u", "to"], ["f"], name="reshape"),
        node("Gemm", ["f", "w2"], ["out"], name="head"),
    ]
    stored = {
        "pads": integers(0, 0, 1, 1, 0, 0, 0, 0),
        "w": values(2, 3, 2, 2),
        "b": values(2),
        "low": np.zeros((), np.float32),
        "scales": np.array([1, 1, 2, 1], np.float32),
        "to": integers(1, -1),
        "w2": values(36, 3),
    }
    return model(nodes, stored, inputs=[("image", (1, 3, 6, 6))])


RUNS = int(os.environ.get("ONNX_FUZZ_RUNS", "60"))


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_load_or_are_refused_in_a_line_or_two(tmp_path: Path) -> None:
    content = small().SerializeToString()
    file = tmp_path / "net.onnx"
    said: list[str] = []
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        if seed % 2:
            file.write_bytes(mutated(content, rng))
        else:
            network = onnx.load_from_string(content)
            change_a_field(network, rng)
            file.write_bytes(network.SerializeToString())
        try:
            read_onnx(file)
        except SourceError as error:
            said.append(str(error))
    assert [text for text in said if len(text.splitlines()) > 2] == []
    assert RUNS // 10 < len(said) < RUNS - RUNS // 10
