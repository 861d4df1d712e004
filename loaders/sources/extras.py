"""Optional packages: imported when they are needed, with the command that installs them."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from circuitkb.schema.errors import MissingExtraError


def require(module: str, *, extra: str, what: str, command: str | None = None) -> ModuleType:
    """Import an optional package.

    Parameters
    ----------
    module
        Name to import.
    extra
        The extra of circuitkb that installs it.
    what
        What needs it, as the message's subject.
    command
        What installs it, where no extra does.

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
        by_extra = f"pip install 'circuitkb[{extra}]' (in a clone: uv sync --extra {extra})."
        raise MissingExtraError(
            f"{what} needs the package {package}{problem}.\nInstall it: {command or by_extra}"
        ) from error


def package_folder(package: str, *, what: str, command: str) -> Path:
    """Return the folder of an optional package, which is not imported.

    Parameters
    ----------
    package
        Its name in Python.
    what
        What needs it, as the message's subject.
    command
        What installs it.

    Raises
    ------
    MissingExtraError
        It is not installed.

    Examples
    --------
    >>> package_folder("json", what="this", command="pip install json").name
    'json'
    >>> package_folder("no_such_package", what="that", command="pip install --no-deps it")
    Traceback (most recent call last):
    circuitkb.schema.errors.MissingExtraError: that needs the package no_such_package.
    Install it: pip install --no-deps it
    """
    found = importlib.util.find_spec(package)
    folders = list(found.submodule_search_locations or ()) if found else []
    if not folders:
        raise MissingExtraError(f"{what} needs the package {package}.\nInstall it: {command}")
    return Path(folders[0])
