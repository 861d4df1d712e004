"""Whether a state is what was written: read in full, before it leaves the store and by a check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from circuitkb.schema.definition import RELATIONS
from circuitkb.schema.errors import StoreDamagedError
from circuitkb.schema.limits import limit_reached
from circuitkb.schema.pictures import model_of
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.arrays.array_files import ARRAY_KINDS, ArrayKind
from circuitkb.stores.arrays.formats import FORMATS, of_kind
from circuitkb.stores.embedded.checksums import FileSums, damage
from circuitkb.stores.embedded.engine import engine_error, fault_of
from circuitkb.stores.embedded.generations import Generation
from circuitkb.stores.embedded.glancing import opening
from circuitkb.stores.embedded.read_only import ReadOnlyGraph
from circuitkb.stores.exporting import exported


def opened(generation: Generation | None, *, timeout: float | None) -> ReadOnlyGraph:
    """Return a state, open for reading; None stands for an empty one.

    Raises
    ------
    StoreDamagedError
        The engine cannot open it.
    """
    with opening(generation):
        return ReadOnlyGraph(generation.graph if generation else None, timeout=timeout)


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


def verified(generation: Generation, models: Sequence[str] | None) -> Iterator[GraphRows]:
    """Give everything in a state, or about some models, once all of it is verified.

    Raises
    ------
    StoreDamagedError
        Something is not what was written.
    """
    verify(generation)
    with closing(opened(generation, timeout=None)) as graph:
        yield from exported(graph, models)
    beside = generation.path.parent
    for kind in ARRAY_KINDS:
        for key, name in sorted(generation.files(kind).items()):
            if models is None or model_of(key) in models:
                yield of_kind(kind, key, FORMATS[kind].load(beside / kind / name))


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
    return None if FORMATS[kind].is_whole(path) else "is not what its name says"
