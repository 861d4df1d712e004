"""Places that keep a knowledge base, behind one protocol: :class:`circuitkb.stores.base.Store`."""

from __future__ import annotations

import os
import re
from pathlib import Path

from circuitkb.schema.errors import CapabilityError

from .base import DEFAULT_LIMIT, DEFAULT_TIMEOUT, Answer, Capability, Store

__all__ = [
    "DEFAULT_LIMIT",
    "DEFAULT_TIMEOUT",
    "Answer",
    "Capability",
    "Store",
    "open_store",
]

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def open_store(address: str | os.PathLike[str], *, create: bool = True) -> Store:
    """Open the knowledge base at a path.

    Parameters
    ----------
    address
        A path, as ``zoo.ckb``: a directory, made by the first write.
    create
        Whether nothing at the address is an empty knowledge base, and not an error.

    Raises
    ------
    StoreNotFoundError
        Nothing is there, and ``create`` is false.
    StoreVersionError
        It was written in another version of the format.
    StoreError
        Something else is there; it is not touched.
    CapabilityError
        A URL: this release keeps knowledge bases in directories.

    Examples
    --------
    >>> open_store("bolt://localhost:7687")
    Traceback (most recent call last):
    circuitkb.schema.errors.CapabilityError: bolt://localhost:7687: a server as a store comes with
    a later release; give the path of a directory, as in zoo.ckb.
    """
    text = os.fspath(address)
    if _URL.match(text):
        raise CapabilityError(
            f"{text}: a server as a store comes with a later release; "
            f"give the path of a directory, as in zoo.ckb."
        )
    from .embedded import EmbeddedStore

    return EmbeddedStore(Path(text).expanduser().absolute(), address=text, create=create)
