"""Modules that came from ONNX operators, made ready for tracing."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode


@torch.no_grad()
def bake_constants(converted: fx.GraphModule, example: Tensor) -> fx.GraphModule:
    """Write stored arguments into the modules that read them.

    An ONNX operator gets a shape that it is to make, the axes or the indices as tensors, and the
    module made from it looks at their values, which a tracer does not know. Each such module is
    replaced, under its name, by the torch functions that it calls on the example.

    Parameters
    ----------
    converted
        As onnx2torch makes it: every node calls one module, named as the ONNX node. It is
        changed.
    example
        One image of the shape that will be traced.
    """
    _Baker(converted).run(example)
    converted.graph.eliminate_dead_code()
    converted.delete_all_unused_submodules()
    converted.recompile()
    return converted


class _Baker(fx.Interpreter):
    def run_node(self, n: fx.Node) -> Any:
        stored = [argument for argument in n.all_input_nodes if argument.op == "get_attr"]
        if n.op != "call_module" or not stored:
            return super().run_node(n)
        inputs = [argument for argument in n.all_input_nodes if argument not in stored]
        args, keywords = self.fetch_args_kwargs_from_env(n)
        values = [self.env[argument] for argument in inputs]
        module = self.submodules[str(n.target)]
        baked, result = _record(module, values, args, keywords)
        setattr(self.module, str(n.target), baked)
        self.submodules[str(n.target)] = baked
        n.args, n.kwargs = tuple(inputs), {}
        return result


def _record(
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

    def argument(self, value: Any) -> Any:
        """Return a value as the graph writes it: tensors as nodes or as stored constants."""
        if isinstance(value, Tensor):
            if id(value) in self._known:
                return self._known[id(value)][1]
            is_integer = not (value.is_floating_point() or value.is_complex())
            return int(value) if is_integer and value.ndim == 0 else self._store(value)
        if isinstance(value, np.integer):
            return int(value)
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

    def _depends(self, value: Any) -> bool:
        if isinstance(value, Tensor):
            return id(value) in self._known
        if isinstance(value, list | tuple):
            return any(self._depends(item) for item in value)
        return isinstance(value, dict) and any(self._depends(item) for item in value.values())

    def _holds_tensors(self, value: Any) -> bool:
        if isinstance(value, list | tuple):
            return bool(value) and all(isinstance(item, Tensor) for item in value)
        return isinstance(value, Tensor)
