"""The network: the rule in four units and one, three times over; and a unit for each pattern.

A cell's eight neighbours count twice and the cell itself once: the sum is 5, 6 or 7 just where it
lives on or is born. Four rectified units cut that out of the line, exactly, in whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from circuitkb.loaders.game_of_life.catalogue import Pattern, catalogue

NAME = "game_of_life"

SIZE = 33
"""Rows and columns of its image."""

STEPS = 3

FIELD = 9
"""Rows and columns that a unit of the catalogue sees: a pattern, and dead cells around it."""

COUNTS = (4, 5, 7, 8)
"""The four units answer to what the sum has above these; 1, -1, -1 and 1 times them is the next."""


class Step(nn.Module):
    """One generation: what is alive (1) and dead (0) after one step."""

    def __init__(self) -> None:
        super().__init__()
        self.count = nn.Conv2d(1, len(COUNTS), 3, padding=1)
        self.counts = nn.ReLU()
        self.cut = nn.Conv2d(len(COUNTS), 1, 1)
        self.next = nn.ReLU()
        around = torch.full((3, 3), 2.0)
        around[1, 1] = 1.0
        with torch.no_grad():
            self.count.weight.copy_(around.expand(len(COUNTS), 1, 3, 3))
            self.count.bias.copy_(-torch.tensor(COUNTS, dtype=torch.float32))  # type: ignore[union-attr]
            self.cut.weight.copy_(torch.tensor([1.0, -1.0, -1.0, 1.0]).reshape(1, 4, 1, 1))
            self.cut.bias.zero_()  # type: ignore[union-attr]

    def forward(self, cells: Tensor) -> Tensor:
        """Return the next generation."""
        found: Tensor = self.next(self.cut(self.counts(self.count(cells))))
        return found


class GameOfLife(nn.Module):
    """Three generations, and for each pattern of the catalogue where it stands by itself.

    Examples
    --------
    >>> cells = torch.zeros(1, 1, 9, 9)
    >>> cells[0, 0, 4, 3:6] = 1
    >>> life = GameOfLife()
    >>> life.step1(cells)[0, 0].sum(dim=0).tolist()
    [0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0]
    """

    def __init__(self) -> None:
        super().__init__()
        patterns = catalogue()
        for number in range(1, STEPS + 1):
            self.add_module(f"step{number}", Step())
        self.match = nn.Conv2d(1, len(patterns), FIELD, padding=FIELD // 2)
        self.catalogue = nn.ReLU()
        with torch.no_grad():
            for unit, pattern in enumerate(patterns):
                self.match.weight[unit, 0] = torch.from_numpy(wanted(pattern))
                self.match.bias[unit] = 1.0 - float(pattern.cells.sum())  # type: ignore[index]

        self.requires_grad_(False)

    def forward(self, cells: Tensor) -> Tensor:
        """Return the last generation, and the patterns of the first."""
        last = cells
        for number in range(1, STEPS + 1):
            last = getattr(self, f"step{number}")(last)
        return torch.cat([last, self.catalogue(self.match(cells))], dim=1)


def wanted(pattern: Pattern) -> Any:
    """Return the kernel of a pattern: 1 where a cell must live, -1 where it must be dead.

    All of the rectangle that holds it is looked at, and one cell around.
    """
    rows, columns = pattern.cells.shape
    found = np.zeros((FIELD, FIELD), np.float32)
    top, left = (FIELD - rows) // 2, (FIELD - columns) // 2
    found[top - 1 : top + rows + 1, left - 1 : left + columns + 1] = -1
    found[top : top + rows, left : left + columns] = np.where(pattern.cells, 1, -1)
    return found


def records(model: str = NAME) -> Iterator[dict[str, Any]]:
    """Give the labels of all units as annotation records: what each pattern is, and its name."""
    author = {"id": "circuitkb/game-of-life", "type": "tool"}
    for unit, pattern in enumerate(catalogue()):
        target = {"type": "feature", "model": model, "layer": "catalogue", "unit": unit}
        for text in dict.fromkeys((pattern.kind, pattern.name)):
            yield {
                "schema": "circuitkb.annotation/1",
                "kind": "label",
                "target": target,
                "author": author,
                "method": "other",
                "label": {"text": text, "vocabulary": "game-of-life"},
                "source": {"uri": "urn:circuitkb:game-of-life"},
                "created": "2026-11-29",
                "license": "Apache-2.0",
            }
