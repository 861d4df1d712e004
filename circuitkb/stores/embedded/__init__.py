"""The embedded store: a directory, ArcadeDB inside the process, no server."""

from .store import EmbeddedStore

__all__ = ["EmbeddedStore"]
