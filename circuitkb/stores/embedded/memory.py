"""How much memory the engine may take."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from circuitkb.schema.errors import StoreError

MEMORY_VARIABLE = "CIRCUITKB_ENGINE_MB"
"""Bounds the engine's memory, in megabytes."""

MOST_MEMORY = 2048
"""Megabytes that it takes at most without it: these, or a quarter of the machine's memory."""

_LEAST_MEMORY = 128


def memory_bound() -> int:
    """Return the megabytes that the engine may take.

    Raises
    ------
    StoreError
        The variable :data:`MEMORY_VARIABLE` holds no number, or too small a one.
    """
    wanted = os.environ.get(MEMORY_VARIABLE)
    if wanted is None:
        return max(_LEAST_MEMORY, min(MOST_MEMORY, _machine_memory() // 4))
    if not re.fullmatch("[0-9]{1,9}", wanted) or int(wanted) < _LEAST_MEMORY:
        raise StoreError(
            f"{MEMORY_VARIABLE} is {wanted!r:.80}: it is a number of megabytes from "
            f"{_LEAST_MEMORY}."
        )
    return int(wanted)


def _machine_memory() -> int:
    """Return the megabytes of the machine, or of the container if that has fewer."""
    found = [4 * MOST_MEMORY]
    with suppress(AttributeError, ValueError, OSError):
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20]
    with suppress(ValueError, OSError):
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()) >> 20)
    return min(found)
