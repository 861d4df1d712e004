"""The catalogue: every still life of few cells, and small blinkers and gliders, found by search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from circuitkb.loaders.game_of_life.rule import Cells, after, step, trimmed, turned

MOST_CELLS, SIDE = 8, 6
"""Still lifes of up to so many cells, in a square of this side: larger ones hold none of so few."""

OSCILLATOR_SIDE, SHIP_SIDE = 4, 3
"""Patterns that come back after two steps, and moved ones after four, in squares of these sides."""

NAMES = {
    "11/11": "block",
    "010/101/010": "tub",
    "0110/1001/0110": "beehive",
    "010/101/011": "boat",
    "011/101/110": "ship",
    "1101/1011": "snake",
    "111": "blinker",
    "0111/1110": "toad",
    "1100/1100/0011/0011": "beacon",
    "0010/1010/0101/0100": "clock",
    "0110/1001/1001/0110": "pond",
    "0110/1001/0101/0010": "loaf",
    "010/001/111": "glider",
    "0010/0101/1010/0100": "barge",
    "0011/1001/1100": "aircraft carrier",
    "0001/0111/1000/1100": "eater",
    "0010/0101/1010/1100": "long boat",
    "00011/10101/11000": "long snake",
    "0011/0101/1010/1100": "long ship",
    "00010/00101/01010/10100/01000": "long barge",
    "0010/0101/1001/1010/0100": "mango",
    "00011/00001/00010/10100/11000": "canoe",
}
"""What people call some of them; in one of their orientations and phases."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """A pattern in one orientation and phase.

    Attributes
    ----------
    kind
        ``still life``, ``oscillator`` (it comes back after two steps) or ``spaceship`` (moved,
        after four).
    name
        What people call it, or its number of cells and its rows.
    cells
        The smallest rectangle that holds it.
    period, moves
        After so many steps it is as before, so many rows down and columns right.
    """

    kind: str
    name: str
    cells: Cells
    period: int
    moves: tuple[int, int]


@cache
def catalogue() -> tuple[Pattern, ...]:
    """Return all patterns of the catalogue, in every orientation and phase.

    Examples
    --------
    >>> from collections import Counter
    >>> sorted(Counter(one.kind for one in catalogue()))
    ['oscillator', 'spaceship', 'still life']
    """
    found: list[Pattern] = []
    for still in still_lifes():
        found += [Pattern("still life", name_of(still), way, 1, (0, 0)) for way in turned(still)]
    for kind, side, period in (("oscillator", OSCILLATOR_SIDE, 2), ("spaceship", SHIP_SIDE, 4)):
        found += _returning(kind, side, period)
    return tuple(found)


def still_lifes(most: int = MOST_CELLS, side: int = SIDE) -> list[Cells]:
    """Return the strict still lifes of up to so many cells, each in one orientation, in order.

    Strict: it is not two still lifes side by side.
    """
    found: dict[str, Cells] = {}
    for cells in _stable(most, side):
        still = trimmed(cells)
        if _is_strict(still):
            found.setdefault(written(_first(still)), _first(still))
    return sorted(found.values(), key=lambda one: (int(one.sum()), written(one)))


def _stable(most: int, side: int) -> Iterator[Cells]:
    """Give what does not change in a square, row by row; the first row and column have a cell."""
    masks = np.arange(1 << side, dtype=np.int64)
    rows = ((masks[:, None] >> np.arange(side)) & 1).astype(np.uint8)
    counts = rows.sum(axis=1)
    wide = np.pad(rows, ((0, 0), (2, 2)))
    # What three rows make of the middle one, its sides included, for all pairs at a time.
    triples = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    pairs = triples - np.pad(rows, ((0, 0), (1, 1)))
    middle = np.pad(rows, ((0, 0), (1, 1)))

    def next_rows(above: int, own: int, left: int) -> NDArray[np.int64]:
        around = triples[above][None] + pairs[own][None] + triples
        alive = (around == 3) | ((around == 2) & (middle[own] == 1)[None])
        holds = (alive == middle[own][None]).all(axis=1)
        found: NDArray[np.int64] = np.flatnonzero(holds & (counts <= left))
        return found

    def grow(chosen: list[int], left: int) -> Iterator[list[int]]:
        above = chosen[-2] if len(chosen) > 1 else 0
        for row in next_rows(above, chosen[-1], left).tolist():
            if row == 0 and 0 in next_rows(chosen[-1], 0, 0):
                yield chosen
            if len(chosen) < side:
                yield from grow([*chosen, row], left - int(counts[row]))

    for first in range(1, 1 << side):
        births = bool((triples[first] == 3).any())
        if counts[first] <= most and not births:
            for chosen in grow([first], most - int(counts[first])):
                cells = rows[chosen]
                if cells[:, 0].any() and cells[-1].any():
                    yield cells


def _is_strict(cells: Cells) -> bool:
    """Return whether a still life is not made of two, each of which stands by itself."""
    from scipy.ndimage import label

    islands, count = label(cells, structure=np.ones((3, 3)))
    stable = {
        group: _is_stable((np.isin(islands, group) & (cells > 0)).astype(np.uint8))
        for size in range(1, count)
        for group in combinations(range(1, count + 1), size)
    }
    every = set(range(1, count + 1))
    return not any(stable[group] and stable[tuple(sorted(every - set(group)))] for group in stable)


def _is_stable(cells: Cells) -> bool:
    wide = np.pad(cells, 1)
    return bool((step(wide) == wide).all())


def _returning(kind: str, side: int, period: int) -> Iterator[Pattern]:
    """Give what is as before after so many steps and not earlier, of all that a square holds."""
    bits = np.arange(1 << (side * side), dtype=np.int64)
    every = ((bits[:, None] >> np.arange(side * side)) & 1).astype(np.uint8)
    cells = every.reshape(-1, side, side)
    cells = cells[cells[:, 0].any(axis=1) & cells[:, :, 0].any(axis=1)]
    room = period + 1
    wide = np.pad(cells, ((0, 0), (room, room), (room, room)))
    last = after(wide, period)
    same = last.sum(axis=(1, 2)) == wide.sum(axis=(1, 2))
    for place in np.flatnonzero(same).tolist():
        one, then = trimmed(cells[place]), trimmed(last[place])
        if one.shape != then.shape or (one != then).any() or not _is_whole(one):
            continue
        here, there = (np.argwhere(each)[0] for each in (wide[place], last[place]))
        moves = int(there[0] - here[0]), int(there[1] - here[1])
        early = [trimmed(after(wide[place], early)) for early in range(1, period)]
        again = any(each.shape == one.shape and (each == one).all() for each in early)
        if again or (moves == (0, 0)) != (kind == "oscillator"):
            continue
        yield Pattern(kind, name_of(one), one, period, moves)


def _is_whole(cells: Cells) -> bool:
    """Return whether it is not two patterns that have nothing to do with each other.

    Islands that lead the same life alone as together have nothing to do with each other.
    """
    from scipy.ndimage import label

    islands, count = label(cells, structure=np.ones((3, 3)))
    if count < 2:
        return True
    wide = np.pad(cells, 4)
    for number in range(1, count + 1):
        own = np.pad((islands == number).astype(np.uint8), 4)
        rest = np.pad(((islands != number) & (cells > 0)).astype(np.uint8), 4)
        if (after(own, 2) + after(rest, 2) == after(wide, 2)).all() and (
            step(own) + step(rest) == step(wide)
        ).all():
            return False
    return True


def written(cells: Cells) -> str:
    """Return the rows of a pattern, as in ``11/11``."""
    return "/".join("".join(map(str, row)) for row in cells.tolist())


def _first(cells: Cells) -> Cells:
    return min(turned(cells), key=written)


@cache
def _named() -> dict[str, str]:
    found = {}
    for text, name in NAMES.items():
        rows = [[int(cell) for cell in row] for row in text.split("/")]
        cells = np.array(rows, np.uint8)
        for phase in range(4):  # of a still life all are the same
            found[written(_first(trimmed(after(np.pad(cells, 6), phase))))] = name
    return found


def name_of(cells: Cells) -> str:
    """Return what people call a pattern, or its number of cells and its rows.

    Examples
    --------
    >>> name_of(np.ones((3, 1), np.uint8))
    'blinker'
    """
    text = written(_first(cells))
    return _named().get(text, f"{int(cells.sum())} cells {text}")
