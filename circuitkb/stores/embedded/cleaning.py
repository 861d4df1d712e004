"""What a store removes of its own: states that nobody needs, and the arrays that only they named.

A name proves little. A state is removed file by file, by the names that we and the engine give; an
array only where a state that is being removed named it, and no other does. What anybody else put
there stays, and so does the folder that it lies in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from circuitkb.schema.errors import StoreError
from circuitkb.stores.arrays.array_files import ARRAY_KINDS, ArrayKind, finished_name
from circuitkb.stores.disk.own_files import Folder, remove_own
from circuitkb.stores.embedded.generations import WRITING, Generation, locked_alone

_ENGINE_FILE = re.compile(
    r"(?:graph|writing)/(?:[\w~-]+(?:\.\d+){2}\.v\d+\.(?:bucket|\w*idx|dict|temp_\w+)"
    r"|(?:schema|schema\.prev|configuration|statistics)\.json"
    r"|last-tx-id\.bin|database\.lck|txlog_\d+\.wal)"
)
_OWN_FILE = re.compile(
    rf"(?:{'|'.join(ARRAY_KINDS)}|checksums)\.json|lease"
    r"|writing/(?:(?:note|before|after)\.json|log-\d+)"
)
_UNFINISHED_NOTE = re.compile(r"(?:CURRENT|store\.json)\.[0-9a-f]{32}\.new")


def is_unfinished_note(name: str) -> bool:
    """Return whether a file of that name is what a killed write left of CURRENT or store.json.

    Examples
    --------
    >>> is_unfinished_note("CURRENT.new")
    False
    """
    return _UNFINISHED_NOTE.fullmatch(name) is not None


def is_own(name: str) -> bool:
    """Return whether a path in a generation has a name that we or the engine give.

    Examples
    --------
    >>> is_own("graph/Layer_0.5.65536.v0.bucket"), is_own("graph/notes.json"), is_own("lease")
    (True, False, True)
    """
    return bool(_OWN_FILE.fullmatch(name) or _ENGINE_FILE.fullmatch(name))


def remove_unneeded(
    store: Path, generations: Sequence[Generation], current: Generation | None
) -> None:
    """Remove generations that neither count nor are read, and the arrays that only they named."""
    for generation in generations:
        if generation == current:
            continue
        with locked_alone(generation) as alone:
            if alone:
                others = [g for g in generations if g != generation and g.is_there]
                for kind in ARRAY_KINDS:
                    _remove_arrays(store, kind, generation, others)
                # Whoever holds an old lease sees by its file whether the generation is still there.
                generation.lease_file.unlink(missing_ok=True)
                remove_own(generation.path, is_own, folders=["graph", WRITING])


def remove_notes(store: Path) -> None:
    """Remove what killed writes left of CURRENT and store.json."""
    with suppress(OSError), Folder(store) as folder:
        for name in filter(is_unfinished_note, folder.names()):
            folder.remove(name)


def _remove_arrays(
    store: Path, kind: ArrayKind, generation: Generation, others: Sequence[Generation]
) -> None:
    """Remove the arrays that a generation names and no other does."""
    try:
        named = set(generation.files(kind).values())
        if not named:
            return
        for other in others:
            named -= set(other.files(kind).values())
    except StoreError:  # it may name any of them
        return
    with suppress(OSError), Folder(store) as folder, folder.folder(kind) as arrays:
        for name in arrays.names():
            if name in named or finished_name(name) in named:
                arrays.remove(name)
