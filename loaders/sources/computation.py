"""What a network computes with its tensors: the other half of its identity.

Two networks may have the same tensors under the same names and differ all the same, in a stride
or in an activation. What tells them apart is the list of operations that they run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from circuitkb.schema.errors import TraceError

SCHEME = "torch1"
"""Stands in front of each value; values of different schemes cannot be compared."""


def computation(module: nn.Module, example: Tensor) -> str:
    """Return what a network computes on images of one size, as ``torch1:`` and a sha256.

    Parameters
    ----------
    module
        In evaluation mode. It is run twice: what it keeps for the next time is there the second
        time, so a module that ran before gives the same value.
    example
        One image, axes (1, channel, row, column).

    Notes
    -----
    Hashed is the list of calls of torch's public functions while the network runs: the module
    that each one stands in, its name, its arguments, and which values it reads. Parameters and
    buffers count by name (their values are the fingerprint's part), and tensors that the
    fingerprint does not see (buffers that are not saved, attributes) by their main figures. The
    names of public functions last over versions of torch, which the operations below them do not.

    Raises
    ------
    TraceError
        The network does not run on the image; names the error.

    Examples
    --------
    >>> image = torch.zeros(1, 3, 8, 8)
    >>> conv = nn.Conv2d(3, 4, 3)
    >>> one, again = (computation(nn.Sequential(conv, nn.ReLU()), image) for _ in range(2))
    >>> one == again, one == computation(nn.Sequential(conv, nn.LeakyReLU()), image)
    (True, False)
    """
    recorder = _Recorder()
    with torch.no_grad(), _running(module, example):
        module(example)
        recorder.know_tensors_of(module)
        recorder.know(example, "image")
        hooks = list(_hooks(module, recorder))
        try:
            with recorder:
                result = module(example)
        finally:
            for hook in hooks:
                hook.remove()
    recorder.write("returns", recorder.text(result))
    recorder.write("image", "x".join(map(str, example.shape)))
    return f"{SCHEME}:{hashlib.sha256(recorder.lines.encode()).hexdigest()}"


class _running:
    """Turns whatever a network raises into one line."""

    def __init__(self, module: nn.Module, example: Tensor) -> None:
        self._what = type(module).__name__
        self._size = "x".join(map(str, example.shape[1:]))

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception):
            first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
            raise TraceError(
                f"The network ({self._what}) does not run on one image of {self._size} "
                f"(channels, rows, columns): {type(error).__name__}: {first[:200]}"
            ) from error


def _hooks(module: nn.Module, recorder: _Recorder) -> Iterator[Any]:
    for path, part in module.named_modules():

        def enter(part: nn.Module, given: Any, path: str = path) -> None:
            recorder.places.append(path)

        def leave(part: nn.Module, given: Any, result: Any) -> None:
            recorder.places.pop()

        yield part.register_forward_pre_hook(enter)
        yield part.register_forward_hook(leave)


class _Recorder(TorchFunctionMode):
    """Writes a line for each call that gives a tensor or changes one."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[str] = []
        self._lines: list[str] = []
        self._names: Any = WeakIdKeyDictionary()
        self._values = 0

    @property
    def lines(self) -> str:
        return "\n".join(self._lines)

    def write(self, *parts: str) -> None:
        self._lines.append("\t".join(parts))

    def know(self, tensor: Tensor, name: str) -> None:
        self._names[tensor] = name

    def know_tensors_of(self, module: nn.Module) -> None:
        """Name the tensors that a network holds."""
        for path, part in module.named_modules():
            for name, value in vars(part).items():
                if not name.startswith("_"):
                    for tensor in _tensors_in(value):
                        self.know(tensor, f"held:{path}.{name}:{_figures(tensor)}")
        saved = module.state_dict(keep_vars=True)
        for name, tensor in module.named_buffers():
            if name not in saved:
                self.know(tensor, f"held:{name}:{_figures(tensor)}")
        for name, value in saved.items():
            if isinstance(value, Tensor):
                self.know(value, f"saved:{name}")

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        keywords = kwargs or {}
        # Written down before the call, which may change what it reads.
        given = self.text(args), self.text(keywords)
        result = func(*args, **keywords)
        found = list(_tensors_in(result))
        if result is None and args and isinstance(args[0], Tensor):
            found = [args[0]]  # assigned in place
        if found:
            self.write(self.places[-1] if self.places else "", _name(func), *given)
            for tensor in found:
                self.know(tensor, f"%{self._values}")
                self._values += 1
        return result

    def text(self, value: object) -> str:
        """Return an argument as text that is the same wherever the network runs."""
        if isinstance(value, Tensor):
            known = self._names.get(value)
            return known or f"unknown:{value.dtype}:{tuple(value.shape)}"
        if value is None or isinstance(value, bool | str | bytes):
            return repr(value)
        if isinstance(value, int | np.integer):
            return repr(int(value))
        if isinstance(value, float | np.floating):
            return format(float(value), ".6g")
        if isinstance(value, list | tuple):
            return f"({','.join(map(self.text, value))})"
        if isinstance(value, dict):
            items = sorted((repr(key), self.text(item)) for key, item in value.items())
            return f"{{{','.join(f'{key}:{item}' for key, item in items)}}}"
        if isinstance(value, slice):
            return f"slice{self.text((value.start, value.stop, value.step))}"
        if isinstance(value, torch.dtype | torch.memory_format):
            return str(value)
        return type(value).__name__


def _name(func: Callable[..., Any]) -> str:
    name = getattr(func, "__name__", type(func).__name__)
    if name == "__get__":  # a property: its own name stands on what it was got from
        return str(getattr(getattr(func, "__self__", None), "__name__", name))
    return str(name)


def _tensors_in(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors_in(item)
    elif isinstance(value, dict):
        yield from _tensors_in(list(value.values()))


def _figures(tensor: Tensor) -> str:
    """Return what tells one constant from another: integers whole, floats by four figures.

    Tables of sines and the like differ in their last bits from processor to processor.
    """
    about = f"{tensor.dtype}:{tuple(tensor.shape)}"
    if tensor.is_meta or tensor.layout != torch.strided or tensor.is_quantized:
        return about
    values = tensor.detach().cpu().reshape(-1)
    if not (values.is_floating_point() or values.is_complex()):
        raw = values.contiguous().view(torch.uint8).numpy().tobytes()
        return f"{about}:{hashlib.sha256(raw).hexdigest()}"
    if values.is_complex():
        values = torch.view_as_real(values).reshape(-1)
    if not len(values):
        return about
    numbers = values.double().numpy()
    low, high = float(numbers.min()), float(numbers.max())
    ramp = np.linspace(0.5, 1.0, len(numbers))
    figures = (low, high, np.abs(numbers).mean(), ((numbers - low) * ramp).mean())
    return f"{about}:{','.join(format(float(figure), '.4g') for figure in figures)}"
