"""Lists of edits to be tried: read from a table, or drawn."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import TrialError
from circuitkb.trials.edits import Edit
from circuitkb.trials.effects import Effects
from circuitkb.trials.random_edits import random_edits
from circuitkb.trials.single_changes import Ablate, Unit

COLUMNS = ("about", "edit", "read")
"""Of a table of edits; the last one may be missing, and so may its values."""

TARGET, LOGITS = "target", "logits"

_OF_THE_LIST = 1
"""Sets the draws of a list apart from those of the edits that calibrate it, for the same seed."""


class Said(NamedTuple):
    """A line of a table: its number, what it is about, the edit in words, what is read."""

    number: int
    about: str
    edit: str
    read: str | None


def read_table(name: str, lines: Iterable[str]) -> Iterator[Said]:
    """Read edits from CSV with a header.

    Raises
    ------
    TrialError
        It is none; a line of it is named.

    Examples
    --------
    >>> list(read_table("edits.csv", ["about,edit", "m/b:0,remove a:1"]))
    [Said(number=2, about='m/b:0', edit='remove a:1', read=None)]
    >>> list(read_table("edits.csv", ["about,edit", "m/b:0,set a:1 to [[0,1]]"]))
    Traceback (most recent call last):
    circuitkb.schema.errors.TrialError: edits.csv, line 2: it has 3 cells, and the header has 2. ...
    """
    table = csv.reader(lines, strict=True)
    header: list[str] = []
    number = 1  # of the line that a row begins on
    try:
        for row in table:
            cells = [cell.strip() for cell in row]
            if not header:
                header = _header(name, [cell.removeprefix("\ufeff") for cell in cells])
            elif any(cells):
                yield _said(f"{name}, line {number}", number, header, cells)
            number = table.line_num + 1
    except (csv.Error, UnicodeDecodeError) as error:
        raise TrialError(f"{name}, line {number}: it is no CSV ({error}).") from error
    if not header:
        raise TrialError(f"{name} is empty: its first line is about,edit or about,edit,read.")


def _said(where: str, number: int, header: list[str], cells: list[str]) -> Said:
    if len(cells) != len(header):
        raise TrialError(
            f"{where}: it has {len(cells)} cells, and the header has {len(header)}. An edit with "
            "commas stands in quotes."
        )
    said = dict(zip(header, cells, strict=True))
    for column in COLUMNS[:2]:
        if not said[column]:
            raise TrialError(f"{where}: {column} is empty.")
    return Said(number, said["about"], said["edit"], said.get("read") or None)


def _header(name: str, cells: list[str]) -> list[str]:
    for cell in cells:
        if cell not in COLUMNS:
            raise TrialError(
                f"{name}, line 1: there is no column {cell!r}.{did_you_mean(cell, COLUMNS)} There "
                "are about, edit and, if other features are to be measured, read."
            )
    if not set(COLUMNS[:2]) <= set(cells) or len(set(cells)) < len(cells):
        raise TrialError(f"{name}, line 1: the columns about and edit must stand in it, once each.")
    return cells


def random_list(
    effects: Effects, kind: str, count: int, read_at: str, *, seed: int
) -> list[tuple[Edit, Unit]]:
    """Draw edits, each with the unit whose change is measured; a longer list begins the same.

    Parameters
    ----------
    kind
        As in :data:`circuitkb.trials.random_edits.KINDS`.
    read_at
        ``target``; ``logits``, a unit of the last layer; or a layer, of which a unit is drawn for
        each edit of what comes before it.

    Raises
    ------
    TrialError
        There are not so many, or no such layer.
    """
    layer = effects.layers[-1] if read_at == LOGITS else read_at
    last = effects.place(layer) if read_at != TARGET else 0
    tried = count
    while True:
        edits = random_edits(
            effects.connections, kind, tried, seed=(seed, _OF_THE_LIST), fewer=True
        )
        draw = np.random.default_rng((seed, _OF_THE_LIST))
        found: list[tuple[Edit, Unit]] = []
        for edit in edits:
            changed = [one.unit if isinstance(one, Ablate) else one.target for one in edit.changes]
            if not _can_be_made(effects, edit):
                continue
            if read_at == TARGET:
                if edit.ablated:
                    raise TrialError(
                        "An ablated feature itself gives nothing: read something later (--read-at "
                        "logits, or a layer)."
                    )
                found.append((edit, changed[0]))
            elif effects.place(changed[0].layer) < last:
                found.append((edit, Unit(layer, int(draw.integers(effects.units(layer))))))
            if len(found) == count:
                return found
        if len(edits) < tried:
            raise TrialError(
                f"There are {len(found)} edits of the kind {kind!r} to draw, and not {count}."
            )
        tried *= 4


def _can_be_made(effects: Effects, edit: Edit) -> bool:
    try:
        effects.kernels.changed(edit)
    except TrialError:
        return False
    return True
