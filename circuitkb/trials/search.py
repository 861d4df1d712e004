"""Stimuli searched to break a prediction: gradient ascent on the pixels, within bounds.

From the stimuli that an edit is tried on, pixels are moved so that the change that the edited
network shows and the one that is predicted differ as much as can be. Both follow from the pixels:
the prediction is that of :mod:`circuitkb.trials.effects`, made of what the unedited network answers
to the moved stimuli.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from circuitkb.schema.kernels import Floats
from circuitkb.trials.changes import replacements_of
from circuitkb.trials.effects import Answers, Effects
from circuitkb.trials.predictions import Asked, Place, raw_changes

if TYPE_CHECKING:
    from torch import Tensor

    from circuitkb.loaders.activations.editing.flow import Flow
    from circuitkb.loaders.sources.pixels import PixelRange

STEPS = 10
"""Where a prediction is exact there is nothing to ascend, and only the random move is made."""

STEP = 0.04
"""How far a pixel moves in a step; black is 0 and white 1."""

JITTER = 0.02
"""Pixels are first moved by so much at most, at random: where nothing answers, nothing ascends."""


@dataclass(frozen=True)
class Search:
    """How stimuli are searched.

    Attributes
    ----------
    steps, step
        How often each pixel is moved, and by how much.
    low, high
        Bounds of a pixel; 0 is black and 1 white, as in the battery.
    seed
        Of the first, random move.
    """

    steps: int = STEPS
    step: float = STEP
    low: float = 0.0
    high: float = 1.0
    seed: int = 0

    @classmethod
    def of(cls, place: Place, seed: int) -> Self:
        """Return how stimuli are searched for an effect that is read at a kind of place."""
        return cls(steps=0 if place == "exact target" else STEPS, seed=seed)

    def settings(self) -> dict[str, Any]:
        """Return what it takes to search so again."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Found:
    """Stimuli that a search ended with.

    Attributes
    ----------
    images
        Values in [0, 1], axes (image, channel, row, column).
    answers
        What the unedited network answers to them.
    gap_before, gap_after
        Largest difference between the change and the one predicted, over the stimuli.
    """

    images: Floats
    answers: Answers
    gap_before: float
    gap_after: float


class Gap:
    """How far the change that an edited network shows lies above the one that is predicted.

    Parameters
    ----------
    effects
        Of the model: they predict.
    flow
        Its network.
    pixels
        What it reads for black and for white.
    asked
        The edit, the unit that is read, and the stimuli that are moved.
    """

    def __init__(self, effects: Effects, flow: Flow, pixels: PixelRange, asked: Asked) -> None:
        from circuitkb.loaders.activations.functional import as_read

        self._effects = effects
        self._flow = flow
        self._asked = asked
        self._changes = effects.kernels.changed(asked.edit).kernels
        self._replaced = [
            (one.layer, one.unit, float(one.value))
            for one in replacements_of(asked.edit, effects.responses, asked.stimuli)
        ]
        end = effects.place(asked.unit.layer)
        self._layers = effects.layers[: end + 1]
        self._as_read = as_read(pixels)

    def of(self, images: Tensor, which: slice) -> tuple[Tensor, Answers]:
        """Return it for some of the stimuli, and what the unedited network answers.

        Parameters
        ----------
        images
            What is shown in the place of these stimuli, values in [0, 1], at most a batch.
        which
            The stimuli.
        """
        asked = self._asked
        read = asked.unit.layer, asked.unit.unit
        seen = self._flow.see(
            self._as_read(images), self._layers, self._changes, self._replaced, read
        )
        answers = Answers(seen.before, seen.after)
        change = seen.edited - seen.after[read[0]][read[1]]
        own = asked._replace(stimuli=asked.stimuli[which], answers=answers)
        (predicted,) = raw_changes(self._effects, [own], "after")
        return change - predicted, answers

    def batches(self) -> list[slice]:
        """Return the stimuli in parts that are run together."""
        count, most = len(self._asked.stimuli), self._flow.batch
        return [slice(start, min(count, start + most)) for start in range(0, count, most)]


def search(gap: Gap, images: Floats, how: Search) -> Found:
    """Move the pixels of stimuli so that a gap grows, on the side on which it is.

    Memory: what a network with gradients keeps for a batch of images, and a number for each
    stimulus and unit of the layers that the prediction goes through.

    Parameters
    ----------
    images
        The stimuli to start from, values in [0, 1].

    Returns
    -------
    Found
        Each stimulus as it was when its gap was largest; that may be how it was at first.
    """
    import torch

    start = torch.from_numpy(images.copy())
    draw = np.random.default_rng(how.seed)
    noise = torch.from_numpy(draw.uniform(-JITTER, JITTER, images.shape).astype(np.float32))
    batches = gap.batches()
    with torch.no_grad():
        first = [gap.of(start[some], some) for some in batches]
    gaps = torch.cat([each for each, _ in first])
    side = -1.0 if float(gaps.mean()) < 0 else 1.0
    ended = []
    for some, (now, answers) in zip(batches, first, strict=True):
        best = _Best(start[some].clone(), side * now, answers)
        moved = (start[some] + noise[some]).clamp(how.low, how.high)
        for step in range(how.steps + 1):
            last = step == how.steps
            moved.requires_grad_(not last)
            with torch.set_grad_enabled(not last):
                now, answers = gap.of(moved, some)
            best.hold(moved.detach(), side * now.detach(), answers)
            if not last:
                (slope,) = torch.autograd.grad(side * now.sum(), moved)
                moved = (moved.detach() + how.step * _direction(slope)).clamp(how.low, how.high)
        ended.append(best)
    return Found(
        torch.cat([best.images for best in ended]).numpy(),
        Answers(*(_joined([best.answers[side] for best in ended]) for side in (0, 1))),
        float(gaps.abs().max()),
        float(torch.cat([best.gap for best in ended]).abs().max()),
    )


@dataclass(eq=False)
class _Best:
    """The stimuli of a batch as they were when their gap was largest."""

    images: Tensor
    gap: Tensor
    answers: Answers

    def hold(self, images: Tensor, gap: Tensor, answers: Answers) -> None:
        """Take those whose gap is larger."""
        import torch

        better = gap > self.gap
        self.images = torch.where(better[:, None, None, None], images, self.images)
        self.gap = torch.where(better, gap, self.gap)
        self.answers = Answers(
            *(
                {layer: torch.where(better, new[layer].detach(), old[layer]) for layer in old}
                for new, old in zip(answers, self.answers, strict=True)
            )
        )


def _joined(batches: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    import torch

    return {layer: torch.cat([one[layer] for one in batches], dim=1) for layer in batches[0]}


def _direction(slope: Tensor) -> Tensor:
    """Return how pixels move, -1 to 1: by their slope, those above the mean slope all alike.

    Signs alone would let what rounding makes of a flat place decide.
    """
    mean = slope.abs().mean(dim=(1, 2, 3), keepdim=True)
    return (slope / mean.clamp_min(float(np.finfo(np.float32).tiny))).clamp(-1, 1)
