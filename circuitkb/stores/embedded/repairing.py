"""A damaged store mended, as far as another state of it is whole; nothing damaged is deleted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from circuitkb.schema.errors import StoreDamagedError
from circuitkb.schema.progress import Progress, silent
from circuitkb.stores.arrays.array_files import ARRAY_KINDS
from circuitkb.stores.disk.own_files import is_file, is_folder
from circuitkb.stores.embedded.checksums import damage
from circuitkb.stores.embedded.directory import CARD, CURRENT, StoreDirectory
from circuitkb.stores.embedded.generations import Generation, generations_in
from circuitkb.stores.embedded.verifying import array_damage, loose_relations

ASIDE = "damaged-"
"""What the name of a state begins with that was set aside."""


def repair(path: Path, progress: Progress = silent) -> list[str]:
    """Let the newest whole state count, set what is damaged aside, and say so in sentences.

    Raises
    ------
    StoreBusyError
        Somebody writes to the store.
    StoreError
        A link or something else stands where the store has files of its own.
    """
    directory = StoreDirectory(path)
    with directory.locked():
        card_is_whole = _card_is_whole(directory)
        try:
            directory.settle()
            current = directory.current()
        except StoreDamagedError:
            current = None
        else:
            if current is None:
                return []
        chosen = _newest_whole(path, current, progress)
        if chosen is None:
            return [
                "No state is whole, so nothing was changed: load and observe the models again "
                "into a new path."
            ]
        said = []
        if chosen != current:
            said.append(f"{CURRENT} names {chosen.path.name} now. {_lost(path, chosen)}")
            said += _set_states_aside(path, chosen)
            directory.publish(chosen)
        if not card_is_whole:
            directory.write_card({})
            said.append(f"{CARD} was written anew.")
        said += _set_arrays_aside(path, chosen)
        directory.clean()
        return said


def _card_is_whole(directory: StoreDirectory) -> bool:
    try:
        return directory.check()
    except StoreDamagedError:
        return False


def _newest_whole(path: Path, current: Generation | None, progress: Progress) -> Generation | None:
    """Return the state that counts if it is whole, else the newest that is."""
    states = generations_in(path)[::-1]
    for number, state in enumerate(sorted(states, key=lambda found: found != current)):
        progress(f"looking at {state.path.name}", number / len(states))
        if _is_whole(state):
            return state
    return None


def _is_whole(state: Generation) -> bool:
    """Return whether a state is what was written; one without checksums, whether it adds up."""
    if not (is_file(state.lease_file) and is_folder(state.graph)):
        return False
    try:
        checksums = state.checksums()
        for kind in ARRAY_KINDS:
            state.files(kind)
    except StoreDamagedError:
        return False
    if checksums is not None:
        return not any(damage(state.path / name, own) for name, own in checksums.files.items())
    return not list(loose_relations(state))


def _lost(path: Path, chosen: Generation) -> str:
    """Return what newer states held that the chosen one does not, as far as they tell."""
    held = _counts(chosen)
    newer = [state for state in generations_in(path) if state.number > chosen.number]
    lacking = {
        kind: count - held.get(kind, 0)
        for state in newer
        for kind, count in _counts(state).items()
        if count > held.get(kind, 0)
    }
    if lacking:
        listed = ", ".join(f"{count:,} {kind}" for kind, count in sorted(lacking.items()))
        return f"Lost is what was written after it: {listed}."
    if newer:
        return "Lost is what was written after it, which nothing tells."
    return "Nothing is lost."


def _counts(state: Generation) -> Mapping[str, int]:
    try:
        checksums = state.checksums()
    except StoreDamagedError:
        return {}
    return checksums.counts if checksums else {}


def _set_states_aside(path: Path, chosen: Generation) -> list[str]:
    """Give states that are not whole another name, lest the next write remove them."""
    said = []
    for state in generations_in(path):
        if state != chosen and not _is_whole(state):
            aside = _free(path / f"{ASIDE}{state.path.name}")
            state.path.rename(aside)
            said.append(f"{state.path.name}, which is not whole, is kept as {aside.name}.")
    return said


def _set_arrays_aside(path: Path, chosen: Generation) -> list[str]:
    """Give damaged files of arrays another name, so that they are written anew when given again."""
    said = []
    checksums = chosen.checksums()
    for kind in ARRAY_KINDS:
        for name in sorted(set(chosen.files(kind).values())):
            sums = checksums.arrays.get(f"{kind}/{name}") if checksums else None
            file = path / kind / name
            if is_file(file) and array_damage(chosen, kind, name, sums):
                aside = _free(file.with_name(f"{name}.damaged"))
                file.rename(aside)
                said.append(f"{kind}/{name}, which is damaged, is kept as {kind}/{aside.name}.")
    return said


def _free(path: Path) -> Path:
    """Return a path at which nothing is yet."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
