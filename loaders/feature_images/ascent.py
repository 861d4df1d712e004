"""The image that a unit answers to most: gradient ascent on coefficients of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from circuitkb.loaders.activations.cropped import Cropped, Stretch
from circuitkb.loaders.feature_images.parametrisation import Parametrisation
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, silent

RATE = 0.05
"""Of Adam, as in Lucid."""

JITTER, MOST_JITTER = 16, 8
"""An image moves by this part of its side at most, and by so many pixels."""

TURNED = 32
"""From so many pixels on an image is turned and scaled, too: a smaller one has no room for it."""

DEGREES, SCALE = 5.0, 0.05
"""How far it is turned and scaled at most."""

STILL = 8
"""In the last of so many parts of the steps an image stays where it is, as it is then measured."""

MOVES = 16
"""After the last step a unit is shown its image moved so often, at random."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Ascent:
    """How images are searched.

    Attributes
    ----------
    steps
        How often each coefficient is moved.
    seed
        Of the image to start from, and of how images are moved, turned and scaled in each step.
    size
        Rows and columns of the images at most; None for all that the units see.
    """

    steps: int
    seed: int = 0
    size: int | None = None


class Ascended(NamedTuple):
    """Images that an ascent ended with.

    Attributes
    ----------
    start, images
        Of each unit before the first step and after the last, axes (row, column, channel).
    changed
        Whether any pixel changes what the unit answers.
    when_moved
        What the unit answers on the mean to its image moved, turned and scaled at random, with
        what was searched around it; None where that is too small to be moved.
    """

    start: list[Pixels]
    images: list[Pixels]
    changed: list[bool]
    when_moved: list[float] | None


class Move(NamedTuple):
    """Where an image lies, and how it is turned and scaled: as the matrix that torch wants."""

    row: int
    column: int
    turn: Tensor | None

    @classmethod
    def draw(cls, draw: np.random.Generator, jitter: int, *, turn: bool) -> Move:
        """Return a random one."""
        row, column = draw.integers(0, 2 * jitter + 1, 2).tolist()
        angle = np.deg2rad(draw.uniform(-DEGREES, DEGREES))
        scale = draw.uniform(1 - SCALE, 1 + SCALE)
        cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
        matrix = torch.tensor([[cosine, -sine, 0.0], [sine, cosine, 0.0]], dtype=torch.float32)
        return cls(row, column, matrix if turn else None)


@dataclass(frozen=True)
class Window:
    """Where images lie in what is shown to a network: in the middle of what its units see.

    Attributes
    ----------
    rows, columns
        Of the view's image.
    """

    rows: Stretch
    columns: Stretch

    @classmethod
    def of(cls, cropped: Cropped, size: int | None) -> Window:
        """Return that of a layer's units."""
        return cls(*(_middle(stretch, size) for stretch in cropped.seen))

    def embedded(self, images: Tensor, shown: tuple[Stretch, Stretch]) -> Tensor:
        """Return images with grey around them, as large as what is shown."""
        rows, columns = shown
        around = (
            self.columns.start - columns.start,
            columns.stop - self.columns.stop,
            self.rows.start - rows.start,
            rows.stop - self.rows.stop,
        )
        return functional.pad(images, around, value=0.5)

    def in_grey(self, images: Sequence[Pixels], rows: int, columns: int) -> Floats:
        """Return images of 8 bits as a view of that size shows them, with values in [0, 1]."""
        drawn = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255
        found: Floats = self.embedded(drawn, (Stretch(0, rows), Stretch(0, columns))).numpy()
        return found


def ascend(
    cropped: Cropped,
    units: Sequence[int],
    read: Callable[[Tensor], Tensor],
    how: Ascent,
    progress: Progress = silent,
) -> Ascended:
    """Move images so that each of some units answers to its own as much as can be.

    What a unit answers is read before its nonlinearity, which might let no gradient through. All
    images start alike and are moved, turned and scaled alike in each step, so that no unit's image
    depends on which others are searched beside it; in the last steps they stay where they are.
    Memory: what the network keeps for gradients, for as many images as there are units.

    Parameters
    ----------
    cropped
        The units' layer.
    read
        What the network reads for images with values in [0, 1].
    progress
        Called with how far it is.
    """
    window = Window.of(cropped, how.size)
    rows, columns = len(window.rows), len(window.columns)
    jitter = min(MOST_JITTER, min(rows, columns) // JITTER)
    channels = cropped.network.example.shape[1]
    images = Parametrisation(rows + 2 * jitter, columns + 2 * jitter, channels)
    coefficients = images.start(len(units), seed=how.seed)
    draw = np.random.default_rng(how.seed)
    still = Move(jitter, jitter, None)

    def seen(move: Move) -> Tensor:
        drawn = images.draw(coefficients)
        drawn = drawn if move.turn is None else _turned(drawn, move.turn)
        return drawn[:, :, move.row : move.row + rows, move.column : move.column + columns]

    def answers(move: Move, *, redirect: bool = False) -> Tensor:
        shown = read(window.embedded(seen(move), cropped.shown))
        return cropped.answers(shown, units, redirect=redirect)

    start = _rounded(seen(still))
    coefficients.requires_grad_()
    adam = torch.optim.Adam([coefficients], lr=RATE, maximize=True)
    changed = torch.zeros(len(units), dtype=torch.bool)
    for step in range(how.steps):
        progress("Moving pixels", step / how.steps)
        move = Move.draw(draw, jitter, turn=min(rows, columns) >= TURNED)
        if step >= how.steps - how.steps // STILL:
            move = still
        (slope,) = torch.autograd.grad(answers(move).sum(), coefficients)
        flat = ~slope.flatten(1).any(1)
        if flat.any():
            (back,) = torch.autograd.grad(answers(move, redirect=True).sum(), coefficients)
            slope[flat] = back[flat]
        changed |= slope.flatten(1).any(1)
        coefficients.grad = slope
        adam.step()
    with torch.no_grad():
        ended = _rounded(seen(still))
        moves = [Move.draw(draw, jitter, turn=True) for _ in range(MOVES if jitter else 0)]
        moved = [answers(move) for move in moves]
    return Ascended(
        start, ended, changed.tolist(), torch.stack(moved).mean(0).tolist() if moved else None
    )


def _middle(seen: Stretch, size: int | None) -> Stretch:
    side = len(seen) if size is None else min(size, len(seen))
    start = seen.start + (len(seen) - side) // 2
    return Stretch(start, start + side)


def _turned(images: Tensor, turn: Tensor) -> Tensor:
    places = functional.affine_grid(
        turn.expand(len(images), 2, 3), list(images.shape), align_corners=False
    )
    return functional.grid_sample(
        images, places, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def _rounded(images: Tensor) -> list[Pixels]:
    pixels = (images.detach() * 255).round().to(torch.uint8)
    return [one.permute(1, 2, 0).contiguous().numpy() for one in pixels]
