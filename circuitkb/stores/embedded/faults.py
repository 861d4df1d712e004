"""What goes wrong in the engine, as it is told by one process to another."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """What went wrong in the engine: ``kind`` is the innermost-named class, without its package.

    ``kinds`` holds every class of the chain of causes, outermost first, and ``text`` all messages.
    """

    kind: str
    message: str
    kinds: tuple[str, ...]
    text: str
