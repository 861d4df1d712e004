"""Whether a state is what was written: at a glance when it is opened, in full before it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

from circuitkb.schema.definition import RELATIONS
from circuitkb.schema.errors import StoreDamagedError
from circuitkb.schema.limits import limit_reached, names_a_limit
from circuitkb.stores.arrays import kernel_files, response_files
from circuitkb.stores.arrays.array_files import ARRAY_KINDS, ArrayKind
from circuitkb.stores.disk.own_files import raise_unless_damage, read_text
from circuitkb.stores.embedded.checksums import FileSums, damage, glance
from circuitkb.stores.embedded.engine import engine_error, fault_of
from circuitkb.stores.embedded.generations import Generation
from circuitkb.stores.embedded.queried import QueriedGraph
from circuitkb.stores.embedded.query_process import EngineFaultError
from circuitkb.stores.embedded.read_only import ReadOnlyGraph


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


def arrays_of(generation: Generation | None, kind: ArrayKind, *, whole: bool) -> dict[str, str]:
    """Return the file of each model; with ``whole``, of those whose file is there as it was.

    What is not is written again where it is given again.
    """
    files = generation.files(kind) if generation else {}
    checksums = generation.checksums() if generation and files and whole else None
    if checksums is None or generation is None:
        return files
    sums = {name: checksums.arrays.get(f"{kind}/{name}") for name in files.values()}
    folder = generation.path.parent / kind
    there = {name for name, own in sums.items() if own and not glance(folder, {name: own})}
    return {model: name for model, name in files.items() if name in there}


def opened(generation: Generation | None, *, timeout: float | None) -> ReadOnlyGraph:
    """Return a state, open for reading; None stands for an empty one.

    Raises
    ------
    StoreDamagedError
        The engine cannot open it.
    """
    with _of_the_engine(generation):
        return ReadOnlyGraph(generation.graph if generation else None, timeout=timeout)


def queried(generation: Generation | None, *, timeout: float) -> QueriedGraph:
    """Return a state, open for queries of users; likewise."""
    with _of_the_engine(generation):
        return QueriedGraph(generation.graph if generation else None, timeout=timeout)


@contextmanager
def _of_the_engine(generation: Generation | None) -> Iterator[None]:
    """Say what it means that the engine cannot open a state."""
    try:
        yield
    except (engine_error(), EngineFaultError) as error:
        fault = error.fault if isinstance(error, EngineFaultError) else fault_of(error)
        if generation is None or names_a_limit(fault.text):
            raise
        raise generation.damaged(f"graph cannot be opened ({fault.message[:200]})") from error


def verify(generation: Generation) -> None:
    """Read every file of a state and of the arrays that it names.

    Raises
    ------
    StoreDamagedError
        One of them is not what was written.
    """
    checksums = generation.checksums()
    for name, sums in checksums.files.items() if checksums else ():
        wrong = damage(generation.path / name, sums)
        if wrong:
            raise generation.damaged(f"{name} {wrong}")
    for wrong in loose_relations(generation) if checksums is None else ():
        raise generation.damaged(wrong)
    for kind in ARRAY_KINDS:
        for name in sorted(set(generation.files(kind).values())):
            expected = checksums.arrays.get(f"{kind}/{name}") if checksums else None
            wrong = array_damage(generation, kind, name, expected)
            if wrong:
                raise generation.damaged_beside(f"{kind}/{name} {wrong}")


def loose_relations(generation: Generation) -> Iterator[str]:
    """Say which relations lack an end, or are not found from their ends; all is read for it.

    For states of older versions, which have no checksums.
    """
    try:
        with closing(opened(generation, timeout=None)) as graph:
            for name in (relation.name for relation in RELATIONS):
                text = f"SELECT count(*) AS n FROM `{name}` WHERE "
                written = graph.count(f"{text}@in IS NOT NULL")
                joined = graph.count(f"{text}@in.id IS NOT NULL AND @out.id IS NOT NULL")
                text = f"MATCH ()-[r:`{name}`]->() RETURN count(r) AS n"
                followed = int(next(graph.match(text))["n"])
                if not written == joined == followed:
                    least = min(joined, followed)
                    yield f"{max(written, followed) - least:,} of {written:,} {name} lack an end"
    except (engine_error(), StoreDamagedError, OSError) as error:
        if limit_reached(error):
            raise
        yield f"the engine cannot read the graph ({fault_of(error).message[:200]})"


def array_damage(
    generation: Generation, kind: ArrayKind, name: str, expected: FileSums | None
) -> str | None:
    """Return what is wrong with a file of arrays: by its checksums, else by its name."""
    path = generation.path.parent / kind / name
    if expected:
        return damage(path, expected)
    if not path.exists():
        return "is missing"
    is_whole = kernel_files.is_whole if kind == "kernels" else response_files.is_whole
    return None if is_whole(path) else "is not what its name says"
