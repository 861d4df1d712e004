"""Where a knowledge base is: the address that was given, or the usual one."""

from __future__ import annotations

import os

from circuitkb.kb.knowledge_base import KnowledgeBase

DEFAULT_ADDRESS = "circuits.ckb"

ADDRESS_VARIABLE = "CIRCUITKB"


def open(address: str | os.PathLike[str] | None = None, *, create: bool = True) -> KnowledgeBase:
    """Open a knowledge base, and make one if there is none.

    Parameters
    ----------
    address
        A path, or the URL of a server; else the variable ``CIRCUITKB``, else ``./circuits.ckb``.
    create
        Whether to make one where there is none.

    Raises
    ------
    StoreNotFoundError
        There is none, and ``create`` is false.
    StoreVersionError, StoreBusyError
        It cannot be opened.
    """
    from circuitkb.stores import open_store

    return KnowledgeBase(open_store(address_of(address), create=create))


def address_of(address: str | os.PathLike[str] | None) -> str:
    """Return the address that was given, else that of the variable, else the usual one."""
    place = os.fspath(address) if address is not None else os.environ.get(ADDRESS_VARIABLE)
    return place or DEFAULT_ADDRESS
