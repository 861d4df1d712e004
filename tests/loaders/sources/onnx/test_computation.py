"""What an ONNX file computes, whatever its names and its order are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper

from circuitkb.loaders.sources.onnx.computation import onnx_computation
from circuitkb.loaders.sources.onnx.files import read_onnx
from circuitkb.loaders.sources.opening import open_network
from tests.loaders.onnx_networks import model, save, two_branches, values


def small(activation: str = "Relu", *, stride: int = 1, low: float = 0.0) -> ModelProto:
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "w0"], ["c0"], name="first"),
        node(activation, ["c0"], ["r0"], name="act"),
        node("Conv", ["r0", "w1"], ["c1"], name="second", strides=[stride, stride]),
        node("Clip", ["c1", "low"], ["out"], name="last"),
    ]
    stored = {"w0": values(4, 3, 3, 3, seed=1), "w1": values(2, 4, 3, 3, seed=2)}
    return model(nodes, stored | {"low": np.array(low, np.float32)})


def test_another_activation_or_stride_with_the_same_tensors_is_another(tmp_path: Path) -> None:
    files = [
        save(small(*given, stride=stride), tmp_path / f"{place}.onnx")
        for place, (given, stride) in enumerate([((), 1), (("LeakyRelu",), 1), ((), 2)])
    ]
    networks = [open_network(str(file)) for file in files]
    assert len({network.fingerprint for network in networks}) == 1
    assert len({network.computation for network in networks}) == 3
    assert networks[0].computation == onnx_computation(small())


def test_a_constant_that_no_tensor_of_the_network_holds_counts() -> None:
    assert onnx_computation(small(low=0.5)) != onnx_computation(small())


@pytest.mark.parametrize("how", ["order", "names", "packing", "constants", "documentation"])
def test_names_of_values_and_the_order_of_nodes_do_not_count(how: str) -> None:
    network = two_branches()
    expected = onnx_computation(network)
    graph = network.graph
    if how == "order":  # the two branches, one before the other
        left, right = list(graph.node[4:6]), list(graph.node[6:8])
        rest = list(graph.node[8:])
        del graph.node[4:]
        graph.node.extend([*right, *left, *rest])
    elif how == "names":
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [f"value {name}" for name in names]
        for named in (*graph.initializer, *graph.input, *graph.output):
            named.name = f"value {named.name}"
    elif how == "packing":
        for tensor in graph.initializer:
            unpacked = numpy_helper.to_array(tensor).ravel().tolist()
            tensor.ClearField("raw_data")
            tensor.float_data.extend(unpacked)
    elif how == "constants":
        (weights,) = (tensor for tensor in graph.initializer if tensor.name == "w2")
        graph.initializer.remove(weights)
        graph.node.insert(0, helper.make_node("Constant", [], ["w2"], value=weights))
    else:
        network.producer_name, graph.doc_string = "another", "says something else"
        network.metadata_props.add(key="made", value="today")
    onnx.checker.check_model(network)
    assert onnx_computation(network) == expected


def test_the_names_of_nodes_count_since_layers_are_called_after_them() -> None:
    network = small()
    network.graph.node[1].name = "another"
    assert onnx_computation(network) != onnx_computation(small())


def test_what_is_joined_with_what_counts() -> None:
    network = two_branches()
    (join,) = (node for node in network.graph.node if node.op_type == "Concat")
    join.input[:] = list(reversed(join.input))
    assert onnx_computation(network) != onnx_computation(two_branches())


def test_values_and_weights_of_older_stores_last(tmp_path: Path) -> None:
    # Stores hold both: another one here makes every model that is loaded again a conflict.
    file = save(two_branches(), tmp_path / "net.onnx")
    assert read_onnx(file).computation.startswith("onnx1:2deba91dba95e12c")
    assert open_network(str(file)).fingerprint.startswith("60ea4719f7a3e240")
