"""The operations of a plain network, noted down as it runs: what ``torch.export`` gives, at once.

Most networks of images are made of a few operations that ``torch.export`` takes as they are. It
takes seconds for them, half of which pass while its compilers are imported, which hold 190 MB. Here
the network runs once, and each operation is noted before PyTorch takes it apart. Where anything is
met whose place in the exported graph is not known here for certain, or that looks at a value,
nothing is given, and ``torch.export`` traces the network.
"""

from __future__ import annotations

import inspect
import operator
import re
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, Node
from torch.utils._pytree import tree_leaves, tree_map

_NO_LETTER = re.compile(r"[^a-zA-Z0-9]")

_AS_THEY_ARE = frozenset(
    f"aten.{name}"
    for name in (
        "adaptive_avg_pool2d.default",
        "add.Tensor",
        "avg_pool2d.default",
        "cat.default",
        "conv2d.default",
        "elu.default",
        "gelu.default",
        "hardsigmoid.default",
        "hardswish.default",
        "hardtanh.default",
        "leaky_relu.default",
        "linear.default",
        "max_pool2d.default",
        "mean.dim",
        "mul.Tensor",
        "pad.default",
        "relu.default",
        "sigmoid.default",
        "silu.default",
    )
)

_IN_PLACE = {
    "aten.add_.Tensor": "add.Tensor",
    "aten.elu_.default": "elu.default",
    "aten.hardsigmoid_.default": "hardsigmoid.default",
    "aten.hardswish_.default": "hardswish.default",
    "aten.hardtanh_.default": "hardtanh.default",
    "aten.leaky_relu_.default": "leaky_relu.default",
    "aten.relu_.default": "relu.default",
    "aten.silu_.default": "silu.default",
}

_DROPPING = frozenset(("aten.dropout.default", "aten.dropout_.default"))

_LOOKING = (Tensor.numpy, Tensor.tolist, Tensor.__array__, Tensor.data_ptr)
"""Ways to a tensor's values that are no operation."""

_RESHAPING = frozenset(("aten.flatten.using_ints", "aten.reshape.default", "aten.view.default"))


@dataclass(frozen=True)
class Recording:
    """The graph of a network, as ``torch.export`` would give it.

    Attributes
    ----------
    graph
        Its placeholders stand first: parameters, buffers, the image.
    constants
        The tensor of each parameter and buffer.
    image, outputs
        What the network reads, and what it returns.
    """

    graph: Graph
    constants: dict[Node, Tensor]
    image: Node
    outputs: tuple[Node, ...]


class _UnknownError(Exception):
    """Something whose place in the exported graph is not known here."""


def recorded(module: nn.Module, example: Tensor) -> Recording | None:
    """Run a network and note its operations; None where ``torch.export`` has to be asked.

    Parameters
    ----------
    module
        In evaluation mode; takes one image tensor.
    example
        Image of the shape to trace.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()).eval()
    >>> found = recorded(network, torch.zeros(1, 3, 8, 8))
    >>> [node.name for node in found.graph.nodes if node.op == "call_function"]
    ['conv2d', 'relu', 'view']
    >>> recorded(nn.Softmax(1), torch.zeros(1, 3)) is None
    True
    """
    try:
        return _record(module, example)
    except Exception:  # torch.export meets it too, and says what it is
        return None


def _record(module: nn.Module, example: Tensor) -> Recording:
    held = _held(module)
    graph = Graph()
    notes = _Notes(graph)
    constants: dict[Node, Tensor] = {}
    for place, tensor in enumerate(held.values()):
        node = graph.placeholder(f"placeholder_{place}")
        constants[node] = tensor.detach()
        notes.know(tensor, node)
    image = graph.placeholder("placeholder_of_the_image")
    notes.know(example, image)
    with torch.no_grad(), _paths(module, notes), _noting(notes):
        returned = module(example)
    if not isinstance(returned, Tensor):
        raise _UnknownError
    output = notes.node_of(returned)
    graph.output((output,))
    for node in reversed(graph.nodes):
        if node.op == "call_function" and not node.users:
            raise _UnknownError  # what nobody reads is left out there
    kinds = ("p" if isinstance(tensor, nn.Parameter) else "b" for tensor in held.values())
    names = [f"{kind}_{_NO_LETTER.sub('_', name)}" for kind, name in zip(kinds, held, strict=True)]
    for node, name in zip((*constants, image), (*names, _name_of_image(module)), strict=True):
        node.name = name.lower()
    if len({node.name for node in graph.nodes}) < len(graph.nodes):
        raise _UnknownError
    return Recording(graph, constants, image, (output,))


def _held(module: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers by their paths, in the order of the placeholders."""
    modules = list(module.named_modules(remove_duplicate=False))
    held: dict[str, Tensor] = {}
    held.update(module.named_parameters(remove_duplicate=False))
    held.update(module.named_buffers(remove_duplicate=False))
    twice = len(set(map(id, held.values()))) < len(held)
    twice |= len({id(part) for _, part in modules}) < len(modules)
    renamed = any(name.startswith(("self_", "L__self__")) for name in held)
    unsaved = any(part._non_persistent_buffers_set for _, part in modules)
    if (
        twice
        or renamed
        or unsaved
        or any(type(t) not in (Tensor, nn.Parameter) for t in held.values())
    ):
        raise _UnknownError
    return held


def _name_of_image(module: nn.Module) -> str:
    first = next(iter(inspect.signature(module.forward).parameters.values()))
    if first.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
        raise _UnknownError
    return first.name


@dataclass(frozen=True)
class _Known:
    tensor: weakref.ref[Tensor]
    node: Node
    own: bool
    """Whether nothing else shares its memory, so that it may be written over."""
    written: bool
    """Whether it was written over; the names of views of it are not known here."""


class _Notes:
    """The graph of what was met so far."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.path = ""
        self._known: dict[int, _Known] = {}

    def know(self, tensor: Tensor, node: Node, *, own: bool = False, written: bool = False) -> None:
        """Let a node stand for a tensor from now on."""
        node.meta["val"] = torch.empty_like(tensor, device="meta")
        self._known[id(tensor)] = _Known(weakref.ref(tensor), node, own, written)

    def node_of(self, tensor: Tensor) -> Node:
        """Return what stands for a tensor."""
        return self._of(tensor).node

    def met(self, called: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Run an operation, and note it."""
        name = str(called)
        first = args[0] if args else None
        if not isinstance(first, Tensor | list) or any(
            isinstance(one, Tensor) for one in tree_leaves(keywords)
        ):
            raise _UnknownError
        if name in _AS_THEY_ARE:
            found = called(*args, **keywords)
            self._add(called, args, keywords, found)
        elif name in _IN_PLACE and self._of(first).own:
            read = self._read(args)
            found = called(*args, **keywords)
            self._add(_operation(_IN_PLACE[name]), read, keywords, found)
            self.know(found, self.node_of(found), own=True, written=True)
        elif name == "aten.batch_norm.default" and len(args) == 9 and not (args[5] or keywords):
            found = called(*args)
            self._normalise(args, found)
        elif name in _RESHAPING and isinstance(first, Tensor) and self._lies_plain(first):
            found = called(*args, **keywords)
            self._reshape(name, first, args, found)
        elif name in _DROPPING and args[2] is False:
            found = called(*args, **keywords)
            if found is not first:
                raise _UnknownError
        else:
            raise _UnknownError
        return found

    def _of(self, tensor: Any) -> _Known:
        known = self._known.get(id(tensor))
        if known is None or known.tensor() is not tensor:
            raise _UnknownError
        return known

    def _lies_plain(self, tensor: Tensor) -> bool:
        return tensor.is_contiguous() and not self._of(tensor).written

    def _read(self, args: Any) -> Any:
        return tree_map(lambda one: self.node_of(one) if isinstance(one, Tensor) else one, args)

    def _reshape(self, name: str, first: Tensor, args: tuple[Any, ...], found: Tensor) -> None:
        if found is first:
            return
        shape = args[1] if name == "aten.view.default" else list(found.shape)
        self._add(_operation("view.default"), (first, shape), {}, found, own=False)
        self.know(first, self.node_of(first))

    def _normalise(self, args: tuple[Any, ...], found: Tensor) -> None:
        *read, _, momentum, epsilon, _ = args
        if not all(isinstance(one, Tensor) for one in read):
            raise _UnknownError
        called = _operation("_native_batch_norm_legit_no_training.default")
        several = self._note(called, self._read((*read, momentum, epsilon)), {})
        nothing = torch.empty(0, device="meta")
        several.meta["val"] = (torch.empty_like(found, device="meta"), nothing, nothing)
        first, *others = (
            self._note(operator.getitem, (several, place), {}, "getitem") for place in range(3)
        )
        for node in others:
            self.graph.erase_node(node)
        self.know(found, first, own=True)

    def _add(
        self, called: Any, args: Any, keywords: dict[str, Any], found: Any, *, own: bool = True
    ) -> None:
        if not isinstance(found, Tensor):
            raise _UnknownError
        self.know(found, self._note(called, self._read(args), keywords), own=own)

    def _note(self, called: Any, read: Any, keywords: dict[str, Any], name: str = "") -> Node:
        named = self.graph._target_to_str(name or called.overloadpacket.__name__)
        node = self.graph.create_node("call_function", called, read, keywords, name=named)
        node.meta["nn_module_stack"] = {"": (self.path, "")}
        return node


def _operation(name: str) -> Any:
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), overload)


@contextmanager
def _paths(module: nn.Module, notes: _Notes) -> Iterator[None]:
    """Let the notes know in which module the network is."""
    before: list[str] = []

    def enter(path: str) -> Callable[..., None]:
        def run(*_: Any) -> None:
            before.append(notes.path)
            notes.path = path

        return run

    def leave(*_: Any) -> None:
        notes.path = before.pop()

    hooks = []
    for path, part in module.named_modules():
        hooks.append(part.register_forward_pre_hook(enter(path)))
        hooks.append(part.register_forward_hook(leave))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _noting(notes: _Notes) -> Iterator[None]:
    """Note every operation before PyTorch takes it apart, as its own tracers do."""
    from torch._dispatch.python import enable_python_dispatcher, no_python_dispatcher
    from torch.fx.experimental.proxy_tensor import ProxyTorchDispatchMode
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode

    class Noting(ProxyTorchDispatchMode):  # type: ignore[no-untyped-call]
        def __init__(self) -> None:
            key = torch._C.DispatchKey.PreDispatch
            TorchDispatchMode.__init__(self, key)  # type: ignore[no-untyped-call]
            self.pre_dispatch = True
            self._mode_key = torch._C._TorchDispatchModeKey.PROXY
            self.enter_stack = []

        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # to skip it, it would be imported

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            with no_python_dispatcher():
                return notes.met(func, args, kwargs or {})

    class Watching(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if func in _LOOKING:
                raise _UnknownError
            return func(*args, **(kwargs or {}))

    with enable_python_dispatcher(), Watching(), Noting():
        yield
