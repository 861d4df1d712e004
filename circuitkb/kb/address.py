"""Which knowledge base is meant: the address that was given, or the usual one."""

from __future__ import annotations

import os

DEFAULT_ADDRESS = "circuits.ckb"

ADDRESS_VARIABLE = "CIRCUITKB"


def address_of(address: str | os.PathLike[str] | None) -> str:
    """Return the address that was given, else that of the variable, else the usual one."""
    place = os.fspath(address) if address is not None else os.environ.get(ADDRESS_VARIABLE)
    return place or DEFAULT_ADDRESS
