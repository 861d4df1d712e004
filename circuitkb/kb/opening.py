"""Opening a knowledge base."""

from __future__ import annotations

import os

from circuitkb.kb.address import address_of
from circuitkb.kb.knowledge_base import KnowledgeBase


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
