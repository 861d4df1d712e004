"""The server store: a knowledge base on a Neo4j server, shared by a group."""

from circuitkb.stores.server.store import ServerStore

__all__ = ["ServerStore"]
