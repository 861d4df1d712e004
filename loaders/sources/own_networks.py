"""A user's own network: built by a function in a Python file, or given as a module.

A file runs only where its text, ``FILE.py:FUNCTION``, is given by the user: never because a
knowledge base, a checkpoint or another file names it.
"""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from circuitkb.schema.errors import SourceError

DEFAULT_SHAPE = (3, 224, 224)
"""Channels, rows and columns of the image, where nobody says."""

_LARGEST_SIDE = 1 << 13
_NUMBERS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

_imported: set[str] = set()
"""Modules that the last file imported from its own folder."""

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class OwnNetwork:
    """A network in evaluation mode, in float32 and on the processor.

    ``shape`` is (channels, rows, columns); ``name`` that of its class.
    """

    module: nn.Module
    shape: Shape
    name: str


def build_own(file: Path, function: str, *, shape: Shape | None = None) -> OwnNetwork:
    """Run a Python file, and its function that builds a network.

    Parameters
    ----------
    file
        Runs as a program of the user's, its own folder first in the search path; what it prints
        goes to standard error.
    function
        Takes nothing and returns a ``torch.nn.Module``, or a pair of that and the shape of its
        image.
    shape
        (channels, rows, columns) of the image; if None what the function returns, then the
        module's attribute ``input_shape``, then 3x224x224.

    Raises
    ------
    SourceError
        The file, or its function, fails or returns something else; names file, line and error.
    """
    what = f"{file.name}:{function}"
    with _run_by(file, what):
        built = _namespace(file)
        if not hasattr(built, function):
            own = (
                name
                for name, item in vars(built).items()
                if callable(item) and getattr(item, "__module__", "") == built.__name__
            )
            there = ", ".join(islice(own, 5))
            known = f" It has {there}." if there else ""
            raise SourceError(f"{file.name} has no function {function!r}.{known}")
        made = getattr(built, function)
        if not isinstance(made, nn.Module):
            if not callable(made):
                raise SourceError(f"{what} is no function, but {type(made).__name__}.")
            made = made()
    if isinstance(made, tuple) and len(made) == 2:
        made, stated = made
        shape = shape or check_shape(stated, what)
    if not isinstance(made, nn.Module):
        raise SourceError(
            f"{what} returned {type(made).__name__}: let it return a torch.nn.Module, or a pair of "
            "that and (channels, rows, columns)."
        )
    return _ready(made, shape, what)


def own_module(module: object, *, shape: Shape | None = None) -> OwnNetwork:
    """Take a network that is there already; the given one is left as it is.

    Raises
    ------
    SourceError
        It is no network, cannot be copied, or its weights are no floating-point numbers.
    """
    what = type(module).__name__
    if not isinstance(module, nn.Module):
        raise SourceError(f"{what} is no source: give a text, a path or a torch.nn.Module.")
    try:
        own = copy.deepcopy(module)
    except Exception as error:  # Whatever its parts may raise.
        raise SourceError(f"The network {what} cannot be copied: {_said(error)}.") from error
    return _ready(own, shape, what)


def check_shape(shape: object, what: str) -> Shape:
    """Return the shape of an image as (channels, rows, columns).

    Parameters
    ----------
    shape
        A sequence of three whole numbers, or of four with a batch of one in front; or a text such
        as ``3x224x224``.
    what
        What said so, for the message.

    Raises
    ------
    SourceError
        It is none.

    Examples
    --------
    >>> check_shape("1x64x48", "--shape"), check_shape((1, 3, 8, 8), "net")
    ((1, 64, 48), (3, 8, 8))
    >>> check_shape("224", "--shape")
    Traceback (most recent call last):
    circuitkb.schema.errors.SourceError: --shape says '224': write channels, rows and columns, as in
    3x224x224.
    """
    sizes = _sizes(shape)
    if len(sizes) == 4 and sizes[0] == 1:
        sizes = sizes[1:]
    if len(sizes) != 3 or not all(1 <= size <= _LARGEST_SIDE for size in sizes):
        shown = repr(shape)[:60]
        raise SourceError(
            f"{what} says {shown}: write channels, rows and columns, as in 3x224x224."
        )
    return sizes[0], sizes[1], sizes[2]


def _sizes(shape: Any) -> list[int]:
    if isinstance(shape, str):
        whole = re.fullmatch(r"[0-9]{1,6}(x[0-9]{1,6}){0,3}", shape, re.ASCII)
        return [int(size) for size in shape.split("x")] if whole else []
    try:
        sizes = list(shape)[:5]
    except TypeError:
        return []
    return sizes if all(type(size) is int for size in sizes) else []


def _ready(module: nn.Module, shape: Shape | None, what: str) -> OwnNetwork:
    name = type(module).__name__
    stated = getattr(module, "input_shape", None)
    if shape is None and stated is not None and not callable(stated):
        shape = check_shape(stated, f"input_shape of {name}")
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in module.parameters()):
        raise SourceError(f"{what} has layers of unknown size: run it once on an image.")
    for kind, held in (("weights", module.named_parameters()), ("buffer", module.named_buffers())):
        for path, tensor in held:
            number = tensor.is_floating_point() or tensor.is_complex() or kind == "weights"
            if number and tensor.dtype not in _NUMBERS:
                dtype = str(tensor.dtype).removeprefix("torch.")
                raise SourceError(
                    f"{what}: the {kind} {path} hold {dtype} numbers; only networks of "
                    "floating-point weights can be loaded."
                )
    for path, value in module.state_dict().items():
        if not isinstance(value, torch.Tensor) or value.is_quantized:
            raise SourceError(f"{what}: {path} is no ordinary tensor: load it before quantising.")
    try:
        ready = module.cpu().float().eval()
    except Exception as error:  # Lazy modules, tensors that share their memory, and the like.
        raise SourceError(f"{what} cannot be brought to float32: {_said(error)}.") from error
    return OwnNetwork(ready, shape or DEFAULT_SHAPE, name)


def _namespace(file: Path) -> ModuleType:
    """Run a file and return what it defines; nothing is written beside it."""
    source = importlib.util.decode_source(file.read_bytes())
    module = ModuleType(f"circuitkb_own_{file.stem}")
    module.__file__ = str(file)
    # Data classes and pickles look a class's module up here.
    sys.modules[module.__name__] = module
    exec(compile(source, str(file), "exec"), vars(module))
    return module


@contextlib.contextmanager
def _run_by(file: Path, what: str) -> Iterator[None]:
    """Run code of the user's: its folder can be imported from, its errors become a line."""
    folder = str(file.resolve().parent)
    # Another network's folder may have modules of the same names, or these were changed.
    for name in _imported:
        sys.modules.pop(name, None)
    before = set(sys.modules)
    sys.path.insert(0, folder)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except SourceError:
        raise
    except SyntaxError as error:
        place = f"{Path(error.filename or file).name}, line {error.lineno}"
        raise SourceError(f"{what}: {place}: {type(error).__name__}: {error.msg}.") from error
    except (Exception, SystemExit) as error:
        raise SourceError(f"{what}: {_place(error, file)}: {_said(error)}.") from error
    finally:
        _imported.clear()
        _imported.update(
            name for name in set(sys.modules) - before if _folder_of(sys.modules[name]) == folder
        )
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def _folder_of(module: object) -> str:
    path = getattr(module, "__file__", None)
    return str(Path(path).resolve().parent) if isinstance(path, str) else ""


def _place(error: BaseException, file: Path) -> str:
    """Return where an error came from: the last line that stands in the user's folder."""
    frames = traceback.extract_tb(error.__traceback__)
    folder = file.resolve().parent
    own = [f for f in frames if Path(f.filename).resolve().parent == folder]
    last = (own or frames)[-1]
    return f"{Path(last.filename).name}, line {last.lineno}"


def _said(error: BaseException) -> str:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    said = f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__
    return said.rstrip(".")
