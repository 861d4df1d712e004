"""The server store: a knowledge base on a Neo4j server, shared by a group."""

from .store import ServerStore

__all__ = ["ServerStore"]
