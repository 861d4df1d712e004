"""The server store among the kinds of store: its address is a URL of Neo4j."""

from __future__ import annotations

from circuitkb.stores.base import Store
from circuitkb.stores.kinds import StoreKind
from circuitkb.stores.server.address import SCHEMES


def _open(address: str, create: bool) -> Store:
    from circuitkb.stores.server import ServerStore

    return ServerStore(address, create=create)


SERVER = StoreKind("server", SCHEMES, f"on a Neo4j server ({', '.join(SCHEMES)})", _open)
