"""Operators of an ONNX graph as torch modules, ready for tracing.

An ONNX operator gets a shape that it is to make, the axes or the indices as tensors, and the
module made from it looks at their values, which a tracer does not know. So every operator is run
once on an example, and one that reads stored tensors becomes the torch functions that it called.
"""

from __future__ import annotations

import inspect
import operator
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper
from onnx2torch.node_converters import get_converter
from onnx2torch.onnx_graph import OnnxGraph
from onnx2torch.onnx_node import OnnxNode
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode

from circuitkb.loaders.sources.onnx.bounds import check_results
from circuitkb.loaders.sources.onnx.call import OnnxCall, options_of
from circuitkb.loaders.sources.onnx.names import opset_of
from circuitkb.loaders.sources.onnx.operators import OPERATORS
from circuitkb.loaders.sources.stepwise import ModuleStep, Stepwise

_WORDS = re.compile(r"[\w .,>-]*", re.ASCII)
"""The texts that torch's own functions take: modes, and the letters of an einsum."""


def is_known(node: NodeProto, version: int) -> bool:
    """Whether there is a way to bring a node to torch, in a version of the operators."""
    if node.op_type in OPERATORS:
        return True
    try:
        get_converter(node.op_type, version)
    except NotImplementedError:
        return False
    return True


class NodeError(Exception):
    """A node cannot be brought to torch.

    Attributes
    ----------
    node
        Its made-up name.
    known
        Whether there is a way to bring its operator to torch at all.
    converted
        Whether it was brought there, and did not run.
    """

    def __init__(self, node: NodeProto, *, known: bool = True, converted: bool = False) -> None:
        super().__init__(node.name)
        self.node = node
        self.known = known
        self.converted = converted


@torch.no_grad()
def convert(
    model: ModelProto, names: Mapping[str, str], example: Tensor, *, version: int
) -> Stepwise:
    """Make a network of torch modules that computes what an ONNX graph computes.

    Parameters
    ----------
    model
        With made-up names and one input; no operator depends on stored tensors alone.
    names
        What people call each node, by its made-up name.
    example
        One image of the shape that will be traced.
    version
        Of the operators in :data:`OPERATORS`, which keep the one that the file is written in.

    Raises
    ------
    NodeError
        A node is not supported or does not run on the example; its cause says why.
    """
    return _Conversion(model, names, version).run(example)


class _Conversion:
    def __init__(self, model: ModelProto, names: Mapping[str, str], version: int) -> None:
        self._own_version = version
        self._model = onnx.shape_inference.infer_shapes(model)
        self._graph = OnnxGraph(self._model.graph)
        self._version = opset_of(model)
        self._shapes: dict[str, ValueInfoProto] = dict(self._graph.value_info)
        vars(self._graph)["_value_info"] = self._shapes
        self._names = names
        self._stored = {
            name: _single(tensor.to_torch()) for name, tensor in self._graph.initializers.items()
        }
        self._protos = {tensor.name: tensor for tensor in self._model.graph.initializer}
        self._numbers: dict[str, int] = {}
        self._values: dict[int, Tensor] = {}
        self._given = 0

    def run(self, example: Tensor) -> Stepwise:
        graph = self._model.graph
        (image,) = (value.name for value in graph.input if value.name not in self._stored)
        self._numbers[image], self._values[0] = 0, example
        nodes = _used(graph)
        last = {name: node.name for node in nodes for name in node.input}
        last |= {value.name: "" for value in graph.output}
        parts, steps = dict[str, nn.Module](), list[ModuleStep]()
        for node in nodes:
            parts[node.name], step = self._step(node)
            steps.append(step)
            for name in {*node.input, *node.output}:
                if last.get(name, node.name) == node.name and name in self._numbers:
                    self._values.pop(self._numbers[name], None)
        outputs = list(dict.fromkeys(self._numbers[value.name] for value in graph.output))
        return Stepwise(parts, self._names, steps, outputs)

    def _step(self, node: NodeProto) -> tuple[nn.Module, ModuleStep]:
        module, wanted = self._module(node)
        reads = [self._numbers[name] for name in wanted if name in self._numbers]
        try:
            self._check(node)
            arguments = [self._value(name) for name in wanted]
            if len(reads) < len(arguments):
                reads = list(dict.fromkeys(reads))
                inputs = [self._values[number] for number in reads]
                positional, named = _call(module, arguments)
                module, result = record(module, inputs, positional, named)
            else:
                result = module(*arguments)
            several = not isinstance(result, Tensor)
            gives = []
            for name, value in zip(node.output, result if several else [result], strict=False):
                self._given += 1
                gives.append(self._given)
                if name:
                    self._numbers[name] = self._given
                    self._values[self._given] = value
                    # Converters look sizes up, which inference does not always find.
                    self._shapes[name] = helper.make_tensor_value_info(
                        name, TensorProto.FLOAT, list(value.shape)
                    )
        except Exception as error:  # Whatever its operators may raise.
            raise NodeError(node, converted=True) from error
        return module, ModuleStep(node.name, tuple(reads), tuple(gives), several)

    def _check(self, node: NodeProto) -> None:
        """Refuse a node that would take too much memory, before it is run."""
        if node.op_type not in OPERATORS:
            values = {name: self._value(name) for name in node.input if name}
            shapes = {
                name: tuple(value.shape) for name, value in values.items() if value is not None
            }
            check_results(node, shapes, self._protos, self._version)

    def _module(self, node: NodeProto) -> tuple[nn.Module, Sequence[str]]:
        """Return the module of a node, and the names of the tensors that it takes."""
        try:
            own = self._own_module(node)
        except Exception as error:  # What a stranger wrote into its options may be anything.
            raise NodeError(node) from error
        if own is not None:
            return own.eval(), [name for name in node.input if name in self._numbers]
        try:
            converter = get_converter(node.op_type, self._version)
        except NotImplementedError as error:
            raise NodeError(node, known=False) from error
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = converter(OnnxNode(node, node.name), self._graph)
        except Exception as error:  # Converters raise what they like on what they do not know.
            raise NodeError(node) from error
        return found.torch_module.eval().float(), found.onnx_mapping.inputs

    def _own_module(self, node: NodeProto) -> nn.Module | None:
        maker = OPERATORS.get(node.op_type)
        if maker is None:
            return None
        call = OnnxCall(
            kind=node.op_type,
            options=options_of(node),
            arguments=[self._value(name) for name in node.input],
            stored=[name in self._stored for name in node.input],
            version=self._own_version,
            outputs=sum(1 for name in node.output if name),
        )
        return maker(call)

    def _value(self, name: str) -> Tensor | None:
        if not name:
            return None
        return self._stored[name] if name in self._stored else self._values[self._numbers[name]]


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _used(graph: onnx.GraphProto) -> list[NodeProto]:
    """Return the nodes that the outputs depend on, in order."""
    wanted = {value.name for value in graph.output}
    found = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            found.append(node)
            wanted.update(node.input)
    return found[::-1]


def _call(
    module: nn.Module, arguments: Sequence[Tensor | None]
) -> tuple[Sequence[Tensor | None], dict[str, Tensor]]:
    """Return arguments as a call takes them: what follows one that is left out goes by name."""
    left_out = next((n for n, a in enumerate(arguments) if a is None), len(arguments))
    parameters = list(inspect.signature(module.forward).parameters)[left_out:]
    rest = zip(parameters, arguments[left_out:], strict=False)
    return arguments[:left_out], {name: value for name, value in rest if value is not None}


def record(
    module: nn.Module, inputs: Iterable[Tensor], args: Iterable[Any], keywords: Mapping[str, Any]
) -> tuple[fx.GraphModule, Any]:
    """Return a module of ``inputs`` alone that repeats a call, and the call's result."""
    recorder = _Recorder(inputs)
    with recorder:
        result = module(*args, **keywords)
    recorder.graph.output(recorder.argument(result))
    return fx.GraphModule(recorder.constants, recorder.graph), result


class _Recorder(TorchFunctionMode):
    """Writes down the torch functions that are called on some tensors and on what comes of them.

    Everything else is computed as ever, so decisions on the values of stored tensors are made
    once and do not show.
    """

    def __init__(self, inputs: Iterable[Tensor]) -> None:
        super().__init__()
        self.graph = fx.Graph()
        self.constants = nn.Module()
        # Tensors are kept, as another one could take the number of one that is gone.
        self._known: dict[int, tuple[Tensor, fx.Node]] = {}
        for number, value in enumerate(inputs):
            self._know(value, self.graph.placeholder(f"input_{number}"))

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        keywords = kwargs or {}
        if func is Tensor.__getitem__ and isinstance(args[1], list):
            # A list of slices was once read as a tuple, and later torches read it otherwise.
            args = (args[0], tuple(args[1]))
        result = func(*args, **keywords)
        if self._depends((args, keywords)) and self._holds_tensors(result):
            node = self.graph.call_function(func, self.argument(args), self.argument(keywords))
            self._know(result, node)
        return result

    def argument(self, value: object) -> Any:
        """Return a value as the graph writes it: tensors as nodes or as stored constants."""
        if isinstance(value, Tensor):
            if id(value) in self._known:
                return self._known[id(value)][1]
            is_integer = not (value.is_floating_point() or value.is_complex())
            return int(value) if is_integer and value.ndim == 0 else self._store(value)
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, str) and not _WORDS.fullmatch(value):
            raise ValueError(f"an option is no word: {value!r}")
        if isinstance(value, torch.Size):
            return tuple(int(size) for size in value)
        if isinstance(value, slice):
            return slice(*map(self.argument, (value.start, value.stop, value.step)))
        if isinstance(value, list | tuple):
            return type(value)(self.argument(item) for item in value)
        if isinstance(value, dict):
            return {key: self.argument(item) for key, item in value.items()}
        return value

    def _store(self, value: Tensor) -> fx.Node:
        name = f"constant_{sum(1 for _ in self.constants.buffers())}"
        self.constants.register_buffer(name, value)
        return self.graph.get_attr(name)

    def _know(self, value: Any, node: fx.Node) -> None:
        if isinstance(value, Tensor):
            self._known[id(value)] = (value, node)
        else:
            for number, item in enumerate(value):
                self._know(item, self.graph.call_function(operator.getitem, (node, number)))

    def _depends(self, value: object) -> bool:
        if isinstance(value, Tensor):
            return id(value) in self._known
        if isinstance(value, list | tuple):
            return any(self._depends(item) for item in value)
        return isinstance(value, dict) and any(self._depends(item) for item in value.values())

    def _holds_tensors(self, value: object) -> bool:
        if isinstance(value, list | tuple):
            return bool(value) and all(isinstance(item, Tensor) for item in value)
        return isinstance(value, Tensor)
