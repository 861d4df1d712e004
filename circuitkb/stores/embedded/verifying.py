"""Whether a state is what was written: at a glance when it is opened, in full before it leaves."""

from __future__ import annotations

from circuitkb.stores import kernel_files, response_files
from circuitkb.stores.array_files import ARRAY_KINDS, ArrayKind

from .checksums import FileSums, damage, glance
from .generations import Generation


def look_at(generation: Generation) -> None:
    """Look at the sizes of all files of a state, and at some of their blocks.

    Raises
    ------
    StoreDamagedError
        One of them is not what was written.
    """
    checksums = generation.checksums()
    found = glance(generation.path, checksums.files) if checksums else None
    if found:
        raise generation.damaged(" ".join(found))


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
    for kind in ARRAY_KINDS:
        for name in sorted(set(generation.files(kind).values())):
            expected = checksums.arrays.get(f"{kind}/{name}") if checksums else None
            wrong = array_damage(generation, kind, name, expected)
            if wrong:
                raise generation.damaged_beside(f"{kind}/{name} {wrong}")


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
