"""Places that keep a knowledge base, behind one protocol: :class:`circuitkb.stores.base.Store`."""

from __future__ import annotations

import os
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuitkb.stores.base import DEFAULT_LIMIT, DEFAULT_TIMEOUT, Answer, Capability, Store

__all__ = [
    "DEFAULT_LIMIT",
    "DEFAULT_TIMEOUT",
    "Answer",
    "Capability",
    "Store",
    "is_url",
    "open_store",
]

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def open_store(address: str | os.PathLike[str], *, create: bool = True) -> Store:
    """Open the knowledge base at a path, or on a server.

    Parameters
    ----------
    address
        A path, as ``zoo.ckb``: a directory, made by the first write. Or a database on a Neo4j
        server, as ``bolt://localhost:7687/zoo``; without a name, the user's home database. Or
        what another package takes (:data:`circuitkb.stores.kinds.STORES`).
    create
        Whether nothing at the address is an empty knowledge base, and not an error.

    Raises
    ------
    StoreNotFoundError
        Nothing is there, and ``create`` is false.
    StoreVersionError
        It was written in another version of the format, or the server's version is too old.
    StoreUnreachableError, StoreAccessError
        The server does not answer, or refuses the user.
    StoreError
        Something else is there; it is not touched.
    CapabilityError
        A URL of something that is no store.

    Examples
    --------
    >>> open_store("https://localhost:7474")
    Traceback (most recent call last):
    circuitkb.schema.errors.CapabilityError: https://localhost:7474: a knowledge base is in a
    directory (zoo.ckb) or on a Neo4j server (bolt, bolt+s, bolt+ssc, neo4j, neo4j+s, neo4j+ssc).
    """
    from circuitkb.stores.kinds import STORES, kind_of

    text = os.fspath(address)
    url = _URL.match(text)
    kind = kind_of(text, url[1].lower() if url else "")
    with STORES.running(kind.name):
        return kind.open(text, create)


def __getattr__(name: str) -> Any:
    # Late, so that the process that asks the engine starts without pyarrow.
    if name in __all__:
        return getattr(import_module(".base", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def is_url(address: str) -> bool:
    """Return whether an address is a URL and not a path.

    Examples
    --------
    >>> is_url("bolt://localhost:7687"), is_url("zoo.ckb")
    (True, False)
    """
    return _URL.match(address) is not None
