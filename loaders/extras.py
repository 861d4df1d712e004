"""Optional packages: imported when they are needed, with the command that installs them."""

from __future__ import annotations

import importlib
from types import ModuleType

from circuitkb.schema.errors import MissingExtraError


def require(module: str, *, extra: str, what: str) -> ModuleType:
    """Import an optional package.

    Parameters
    ----------
    module
        Name to import.
    extra
        The extra of circuitkb that installs it.
    what
        What needs it, as the message's subject.

    Raises
    ------
    MissingExtraError
        It is not installed, or its import fails.

    Examples
    --------
    >>> require("json", extra="onnx", what="An ONNX file").__name__
    'json'
    >>> require("no_such_package", extra="onnx", what="An ONNX file")
    Traceback (most recent call last):
    circuitkb.schema.errors.MissingExtraError: An ONNX file needs the package no_such_package.
    Install it: pip install 'circuitkb[onnx]' (in a clone: uv sync --extra onnx).
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        missing = isinstance(error, ModuleNotFoundError) and (error.name or package) == package
        problem = "" if missing else f" ({error})"
        raise MissingExtraError(
            f"{what} needs the package {package}{problem}.\n"
            f"Install it: pip install 'circuitkb[{extra}]' (in a clone: uv sync --extra {extra})."
        ) from error
