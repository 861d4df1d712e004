"""A SOURCE that is a function of the user's, in a Python file: ``FILE.py:FUNCTION``.

Opening it runs the file, so such a text must come from the user.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from circuitkb.loaders.sources.architectures import LIBRARIES
from circuitkb.loaders.sources.built import BuiltNetwork
from circuitkb.loaders.sources.extras import require
from circuitkb.loaders.sources.source import OpenOptions, Source, SourceKind, path_of
from circuitkb.schema.errors import UnknownSourceError

if TYPE_CHECKING:
    from circuitkb.loaders.sources.own_networks import OwnNetwork

_TEXT = re.compile(r"(?P<file>.+\.py):(?P<function>[^\W\d]\w*)", re.DOTALL)


def own_source(text: str) -> Source | None:
    """Return a text ``FILE.py:FUNCTION`` taken apart, or None if it is another one.

    Examples
    --------
    >>> own_source("nets/mine.py:build")
    Source(text='nets/mine.py:build', kind='own', name='nets/mine.py', detail='build')
    >>> own_source("C:\\\\nets\\\\mine.py:build").detail, own_source("published:mine.py:build")
    ('build', None)
    """
    found = _TEXT.fullmatch(text)
    if found is None or text.partition(":")[0] in ("published", *LIBRARIES):
        return None
    return Source(text, "own", str(path_of(found["file"])), found["function"])


def build(own: Source, options: OpenOptions) -> OwnNetwork:
    """Run the file, and its function that builds a network.

    Raises
    ------
    UnknownSourceError
        There is no such file.
    SourceError
        The file, or its function, fails or returns something else.
    """
    require("torch", extra="torch", what=own.text)
    from circuitkb.loaders.sources.own_networks import build_own

    file = Path(own.name)
    if not file.is_file():
        raise UnknownSourceError(f"There is no file {own.name!r}.")
    return build_own(file, str(own.detail), shape=options.shape)


def _open(source: Source, options: OpenOptions) -> BuiltNetwork:
    built, file = build(source, options), Path(source.name)
    return BuiltNetwork(
        module=built.module,
        input_shape=built.shape,
        name=file.stem,
        architecture=f"{file.name}:{source.detail}",
        tag=file.stem,
        attribution=f"weights of the file {file.name}",
        is_own=True,
    )


def _advise(text: str) -> str | None:
    if path_of(text).suffix != ".py":
        return None
    return f"{text!r} is Python: name the function that builds the network, as in {text}:build."


KIND = SourceKind(
    "own",
    "FILE.py:FUNCTION",
    own_source,
    _open,
    help="FILE.py:FUNCTION (runs your file)",
    is_path=True,
    options=frozenset({"shape"}),
    advise=_advise,
    only_where_named="A Python file runs only where you name it",
    heard=True,
)
