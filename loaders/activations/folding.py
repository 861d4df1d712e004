"""The same network with fewer operations, for running it many times.

Folding changes how a traced network computes, not what: values of the nodes that stay agree up to
rounding. Composition reads the network as it was traced; only observation folds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from operator import getitem
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, Node

from circuitkb.loaders.composition.rules.context import argument, operation_name, pair
from circuitkb.loaders.composition.tracing import TracedNetwork, copied

_IN_PLACE = ("relu", "relu6", "hardtanh", "silu", "hardswish", "leaky_relu", "elu", "clamp")


@dataclass(frozen=True, eq=False)
class Folded:
    """A folded network.

    Attributes
    ----------
    network
        Its graph has fewer nodes.
    names
        For each node of the network as it was, the name of the one that gives its value now.
        What a batch norm read, and what a padding gave, is not there any more.
    """

    network: TracedNetwork
    names: Mapping[str, str]


@torch.no_grad()
def fold(network: TracedNetwork) -> Folded:
    """Return a network whose batch norms and paddings are part of its convolutions.

    A nonlinearity that is the only reader of its input overwrites it, so whoever reads values on
    the way must copy them at once. Weights of convolutions are laid out channels last, which CPUs
    run faster; values stay the same up to rounding.

    Parameters
    ----------
    network
        Is not changed.

    Examples
    --------
    >>> from torch import nn
    >>> from circuitkb.loaders.composition.tracing import trace
    >>> layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
    >>> folded = fold(trace(layers, torch.zeros(1, 3, 8, 8)))
    >>> [str(node.target) for node in folded.network.operations()]
    ['aten.conv2d.default', 'aten.relu_.default']
    """
    network = copied(network)
    graph, constants = network.graph, network.constants
    names = {node.name: node.name for node in graph.nodes}
    for node in list(graph.nodes):
        if operation_name(node) in ("_native_batch_norm_legit_no_training", "batch_norm"):
            names |= _fold_norm(graph, constants, node)
    for node in list(graph.nodes):
        if node.op == "call_function" and operation_name(node) in ("pad", "constant_pad_nd"):
            _fold_padding(graph, constants, node)
        elif node.op == "call_function" and operation_name(node) in _IN_PLACE:
            _overwrite(node)
    for node, value in constants.items():
        if value.ndim == 4:
            constants[node] = value.contiguous(memory_format=torch.channels_last)
    left = {node.name for node in graph.nodes}
    names = {before: now for before, now in names.items() if now in left}
    return Folded(replace(network), names)  # replace works out anew who reads what last


def until(network: TracedNetwork, names: Collection[str]) -> TracedNetwork:
    """Return a network that ends with the last of some nodes: no step that comes after is run.

    Parameters
    ----------
    network
        Is not changed; constants that no step reads any more are let go.
    names
        Of nodes that are there; none of them leaves the network as it is.

    Examples
    --------
    >>> from torch import nn
    >>> from circuitkb.loaders.composition.tracing import trace
    >>> layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)).eval()
    >>> traced = trace(layers, torch.zeros(1, 3, 8, 8))
    >>> [node.name for node in until(traced, ["relu"]).operations()]
    ['conv2d', 'relu']
    """
    network = copied(network)
    graph, nodes = network.graph, list(network.graph.nodes)
    last = max((place for place, node in enumerate(nodes) if node.name in names), default=None)
    if last is None:
        return network
    for node in reversed(nodes[last + 1 :]):
        if node.op != "placeholder":
            graph.erase_node(node)
    graph.output(nodes[last])
    constants = {node: value for node, value in network.constants.items() if node.users}
    return replace(network, constants=constants, outputs=(nodes[last],))


def _fold_norm(graph: Graph, constants: dict[Node, Tensor], norm: Node) -> dict[str, str]:
    """Scale the kernels of the convolution that a batch norm reads; drop the batch norm.

    Returns the name of the convolution for each node that it takes the place of.
    """
    whole = operation_name(norm) == "batch_norm"
    args: list[Any] = list(norm.args)
    read, results = args[0], list(norm.users)
    if (
        not isinstance(read, Node)
        or operation_name(read) != "conv2d"
        or len(read.users) > 1
        or (whole and args[5])  # in training it computes its own statistics
        or not (whole or all(r.target is getitem and r.args[1] == 0 for r in results))
    ):
        return {}
    inner: list[Any] = [*read.args, None][:3]
    if not {*args[1:5], *inner[1:]} <= {None, *constants}:
        return {}
    kernel, bias = constants[inner[1]], constants.get(inner[2])
    scale, shift, mean, variance = (constants.get(name) for name in args[1:5])
    if mean is None or variance is None:
        return {}
    factor = torch.rsqrt(variance + args[7 if whole else 6])
    factor = factor if scale is None else factor * scale
    moved = -mean * factor if bias is None else (bias - mean) * factor
    moved = moved if shift is None else moved + shift
    set_weights(graph, constants, read, kernel * factor[:, None, None, None], moved)
    normalised = [norm] if whole else results
    for result in normalised:
        result.replace_all_uses_with(read)
        graph.erase_node(result)
    if not whole:
        graph.erase_node(norm)
    # What the convolution gave before is not there any more.
    return {read.name: ""} | {result.name: read.name for result in normalised}


def set_weights(
    graph: Graph, constants: dict[Node, Tensor], node: Node, kernel: Tensor, bias: Tensor
) -> None:
    """Give a convolution or linear operation weights of its own, with a bias."""
    # New placeholders, since other operations may read the same tensors.
    with graph.inserting_before(next(iter(graph.nodes))):
        kernel_node = graph.placeholder(f"{node.name}_kernel")
        bias_node = graph.placeholder(f"{node.name}_bias")
    constants[kernel_node], constants[bias_node] = kernel, bias
    node.args = (node.args[0], kernel_node, bias_node, *node.args[3:])


def _fold_padding(graph: Graph, constants: Mapping[Node, Tensor], padding: Node) -> None:
    """Let the convolutions that read a padding with zeros do it themselves.

    They pad both ends of an axis alike. Where the padding does not, that is the same so long as it
    gives as many places: with strides the last rows of a padding are often read by no window.
    """
    source: Any = padding.args[0]
    sizes: Any = padding.args[1]
    if operation_name(padding) == "pad":
        mode, value = argument(padding.args, 2, "constant"), argument(padding.args, 3)
    else:
        mode, value = "constant", argument(padding.args, 2, 0)
    if (
        mode != "constant"
        or value not in (None, 0, 0.0)
        or not isinstance(sizes, list | tuple)
        or len(sizes) != 4
        or min(sizes) < 0
    ):
        return
    found: dict[Node, tuple[Any, ...]] = {}
    for user in padding.users:
        args: list[Any] = [*user.args]
        args += [None, (1, 1), (0, 0), (1, 1)][len(args) - 2 :]
        if (
            operation_name(user) != "conv2d"
            or args[0] is not padding
            or args[1] not in constants
            or isinstance(args[4], str)
        ):
            return
        kernel, stride, own, apart = constants[args[1]].shape[2:], *map(pair, args[3:6])
        size = source.meta["val"].shape[2:]
        for axis, (low, high) in enumerate((sizes[2:], sizes[:2])):
            rest = size[axis] + 2 * own[axis] + low - apart[axis] * (kernel[axis] - 1) - 1
            if (rest + low) // stride[axis] != (rest + high) // stride[axis]:
                return
        args[0], args[4] = source, [own[0] + sizes[2], own[1] + sizes[0]]
        found[user] = tuple(args)
    for user, changed in found.items():
        user.args = changed
    graph.erase_node(padding)


def _overwrite(node: Node) -> None:
    """Let a nonlinearity put its values where its input stands, if nothing else reads that."""
    before = node.all_input_nodes[0]
    name = operation_name(node)
    packet = getattr(torch.ops.aten, f"{name}_", None)
    overload = getattr(node.target, "_overloadname", "default")
    if (
        packet is None
        or not hasattr(packet, overload)
        or len(before.users) > 1
        or before.op != "call_function"
        or operation_name(before) not in ("conv2d", "add", "linear", "batch_norm")
    ):
        return
    node.target = getattr(packet, overload)
