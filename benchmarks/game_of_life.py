"""What the Game of Life costs to predict, with and without the catalogue of its patterns.

``python -m benchmarks.game_of_life``: two tables. The first is about one square: how many squares
it depends on so many steps later, and how many of them matter in a soup. The second is about soups
that have run for a while: what is predicted right by the patterns that stand by themselves, and by
windows that are smaller than what a square depends on.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from circuitkb.loaders.game_of_life.catalogue import catalogue
from circuitkb.loaders.game_of_life.rule import Cells, after

SIDE, DENSITY, SOUPS = 96, 0.35, 6

AGES, AHEAD = (0, 10, 100, 1000), (1, 2, 4, 8, 16)


def print_row(*cells: object) -> None:
    sys.stdout.write("| " + " | ".join(map(str, cells)) + " |\n")


def matter(k: int, rng: np.random.Generator, draws: int = 3000) -> float:
    """Return how many squares of the window change the middle one after k steps, on average."""
    side = 2 * k + 1
    soups = (rng.random((draws, side, side)) < DENSITY).astype(np.uint8)
    flipped = soups.copy()
    where = rng.integers(0, side, (draws, 2))
    flipped[np.arange(draws), where[:, 0], where[:, 1]] ^= 1
    middle = [after(each, k)[:, k, k] for each in (soups, flipped)]
    return float((middle[0] != middle[1]).mean()) * side * side


def windowed(cells: Cells, radius: int, k: int) -> Cells:
    """Return each square after k steps, as a window tells; outside of it all is dead."""
    if radius >= k:
        return after(cells, k, torus=True)
    side = 2 * radius + 1
    wide = np.pad(cells, radius, mode="wrap")
    windows = np.lib.stride_tricks.sliding_window_view(wide, (side, side))
    flat = np.pad(windows.reshape(-1, side, side), ((0, 0), (k, k), (k, k)))
    found = after(flat, k)[:, k + radius, k + radius]
    return found.reshape(cells.shape)


def found_patterns(cells: Cells) -> list[tuple[int, int, int]]:
    """Return the patterns that stand by themselves: number, row and column of their rectangle."""
    found = []
    for number, pattern in enumerate(catalogue()):
        wanted = np.pad(pattern.cells, 1)
        rows, columns = wanted.shape
        wide = np.pad(cells, ((0, rows), (0, columns)), mode="wrap")
        windows = np.lib.stride_tricks.sliding_window_view(wide, wanted.shape)
        hits = (windows[: len(cells), : cells.shape[1]] == wanted).all(axis=(2, 3))
        found += [(number, int(row) + 1, int(column) + 1) for row, column in np.argwhere(hits)]
    return found


def by_catalogue(cells: Cells, places: list[tuple[int, int, int]], k: int) -> Cells:
    """Return each square after k steps, if patterns live on by themselves and all else is dead."""
    size = len(cells)
    found = np.zeros_like(cells)
    for number, row, column in places:
        wide = np.pad(catalogue()[number].cells, k + 1)
        later = after(wide, k % 4 if catalogue()[number].moves == (0, 0) else k)
        for down, right in np.argwhere(later):
            found[(row + down - k - 1) % size, (column + right - k - 1) % size] = 1
    return found


def tables() -> None:
    rng = np.random.default_rng(0)
    print_row("steps ahead", "squares it depends on", "rectified units", "squares that matter")
    print_row(*["---"] * 4)
    for k in AHEAD:
        units = sum(5 * (2 * j + 1) ** 2 for j in range(k))
        print_row(k, (2 * k + 1) ** 2, units, f"{matter(k, rng, 3000 if k < 9 else 600):.1f}")
    print_row(
        "age", "alive", "in catalogue", "steps", "recall", "precision", "window 1", "window 3"
    )
    print_row(*["---"] * 8)
    soups = [(rng.random((SIDE, SIDE)) < DENSITY).astype(np.uint8) for _ in range(SOUPS)]
    age = 0
    for until in AGES:
        soups = [after(one, until - age, torus=True) for one in soups]
        age = until
        places = [found_patterns(one) for one in soups]
        alive = sum(int(one.sum()) for one in soups)
        told = sum(int(catalogue()[number].cells.sum()) for each in places for number, _, _ in each)
        for k in AHEAD:
            hits = live = said = 0
            right = {1: [0, 0], 3: [0, 0]}
            for one, each in zip(soups, places, strict=True):
                truth, guess = after(one, k, torus=True), by_catalogue(one, each, k)
                hits += int((truth & guess).sum())
                live += int(truth.sum())
                said += int(guess.sum())
                for radius, counts in right.items():
                    near = windowed(one, radius, k)
                    counts[0] += int((near & truth).sum())
                    counts[1] += int((near | truth).sum())
            print_row(
                age,
                f"{alive / SIDE**2 / SOUPS:.3f}",
                f"{told / alive:.2f}",
                k,
                f"{hits / max(live, 1):.2f}",
                f"{hits / max(said, 1):.2f}",
                *(f"{a / max(b, 1):.2f}" for a, b in right.values()),
            )
        sys.stdout.flush()


if __name__ == "__main__":
    began = time.process_time()
    tables()
    sys.stdout.write(f"{time.process_time() - began:.0f} s of a processor\n")
