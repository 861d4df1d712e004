"""The embedded store among the kinds of store: its address is a path."""

from __future__ import annotations

from pathlib import Path

from circuitkb.stores.base import Store
from circuitkb.stores.kinds import StoreKind


def _open(address: str, create: bool) -> Store:
    from circuitkb.stores.embedded import EmbeddedStore

    return EmbeddedStore(Path(address).expanduser().absolute(), address=address, create=create)


EMBEDDED = StoreKind(
    "embedded",
    ("",),
    "in a directory (zoo.ckb)",
    _open,
    address_in=lambda folder: str(folder / "zoo.ckb"),
)
