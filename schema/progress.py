"""How long work says how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with what is being done and the share of the whole that is done, from 0 to 1."""

    def __call__(self, doing: str, done: float) -> None:
        """Say it."""


def silent(doing: str, done: float) -> None:
    """Say nothing."""
