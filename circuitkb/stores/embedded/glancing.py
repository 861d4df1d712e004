"""Looking at a state when it is opened: all sizes, some blocks, and whether the engine takes it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from circuitkb.schema.limits import names_a_limit
from circuitkb.stores.arrays.array_files import ArrayKind
from circuitkb.stores.disk.own_files import raise_unless_damage, read_text
from circuitkb.stores.embedded.checksums import glance
from circuitkb.stores.embedded.engine import engine_error, fault_of
from circuitkb.stores.embedded.generations import Generation
from circuitkb.stores.embedded.queried import QueriedGraph
from circuitkb.stores.embedded.query_process import EngineFaultError

State = tuple[Generation, tuple[int, ...]]
"""A generation and its edition."""


def state_of(generation: Generation) -> State:
    """Return a generation as it is now."""
    return generation, generation.edition()


class Glances:
    """Which state was looked at in this process, where a long look at each is enough."""

    def __init__(self) -> None:
        self._last: State | None = None

    def look(self, newest: Generation, *, again: bool = False) -> None:
        """Look at a state as long as when it is opened; in short, and only ``again``, once done.

        Raises
        ------
        StoreDamagedError
            It is not what was written.
        """
        state = state_of(newest)
        if state != self._last:
            look_at(newest)
        elif again:
            look_at(newest, seconds=0.0)
        self._last = state

    def made(self, generation: Generation) -> None:
        """Take what this process has just written for looked at."""
        self._last = state_of(generation)


def look_at(generation: Generation, *, seconds: float | None = None) -> None:
    """Look at the sizes of all files of a state, and at some of their blocks.

    Parameters
    ----------
    seconds
        How long to look at blocks; see :func:`~.checksums.glance`.

    Raises
    ------
    StoreDamagedError
        One of them is not what was written.
    """
    checksums = generation.checksums()
    if checksums is None:
        _look_at_schema(generation)
        return
    found = glance(generation.path, checksums.files, seconds=seconds)
    if found:
        raise generation.damaged(" ".join(found))


def _look_at_schema(generation: Generation) -> None:
    """See that a state of an older version has a schema: without, the engine takes it for empty."""
    try:
        types = json.loads(read_text(generation.graph / "schema.json"))["types"]
        whole = "Model" in types
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise_unless_damage(error, generation.graph)
        whole = False
    if not whole:
        raise generation.damaged("graph/schema.json is not what was written")


def look_at_arrays(generation: Generation, kind: ArrayKind, name: str) -> None:
    """Look likewise at one file of arrays.

    Raises
    ------
    StoreDamagedError
        It is not what was written.
    """
    checksums = generation.checksums()
    place = f"{kind}/{name}"
    if checksums and place in checksums.arrays:
        found = glance(generation.path.parent, {place: checksums.arrays[place]})
        if found:
            raise generation.damaged_beside(" ".join(found))


def arrays_of(
    generation: Generation | None, kind: ArrayKind, models: Collection[str], *, whole: bool
) -> dict[str, str]:
    """Return the file of each of some models; with ``whole``, of those whose file is as it was.

    What is not is written again where it is given again.
    """
    if generation is None or not models:
        return {}
    files = {model: name for model, name in generation.files(kind).items() if model in models}
    checksums = generation.checksums() if files and whole else None
    if checksums is None:
        return files
    sums = {name: checksums.arrays.get(f"{kind}/{name}") for name in files.values()}
    folder = generation.path.parent / kind
    there = {name for name, own in sums.items() if own and not glance(folder, {name: own})}
    return {model: name for model, name in files.items() if name in there}


def queried(generation: Generation | None, *, timeout: float) -> QueriedGraph:
    """Return a state, open for queries of users; None stands for an empty one.

    Raises
    ------
    StoreDamagedError
        The engine cannot open it.
    """
    with opening(generation):
        return QueriedGraph(generation.graph if generation else None, timeout=timeout)


@contextmanager
def opening(generation: Generation | None) -> Iterator[None]:
    """Say what it means that the engine cannot open a state."""
    try:
        yield
    except (engine_error(), EngineFaultError) as error:
        fault = error.fault if isinstance(error, EngineFaultError) else fault_of(error)
        if generation is None or names_a_limit(fault.text):
            raise
        raise generation.damaged(f"graph cannot be opened ({fault.message[:200]})") from error
