"""Small cut-outs and backgrounds, made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from circuitkb.observation.stimuli.battery import battery


def cut_out(seed: int, size: tuple[int, int] = (24, 40)) -> Image.Image:
    """A blob of noise that is no mirror image of itself, with soft borders and an empty margin."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (12, 20, 3), np.uint8)
    found = Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC).convert("RGBA")
    rows, columns = np.indices(size)
    wide = np.clip((columns + 2.0) / 3, 0, 1) * np.clip((size[0] - rows + columns / 2) / 4, 0, 1)
    found.putalpha(Image.fromarray((255 * wide).astype(np.uint8)))
    whole = Image.new("RGBA", (size[1] + 9, size[0] + 5))
    whole.paste(found, (7, 2))
    return whole


def background(seed: int, size: tuple[int, int] = (60, 80)) -> Image.Image:
    draw = np.random.default_rng(1000 + seed)
    coarse = Image.fromarray(draw.integers(0, 256, (20, 26, 3), np.uint8))
    return coarse.resize(size[::-1], Image.Resampling.BICUBIC)


def folders(place: Path, cut_outs: int = 9, backgrounds: int = 2) -> tuple[Path, Path]:
    """Write both folders."""
    found = place / "cut-outs", place / "backgrounds"
    for folder in found:
        folder.mkdir(parents=True)
    for number in range(cut_outs):
        cut_out(number).save(found[0] / f"{number}.png")
    for number in range(backgrounds):
        background(number).save(found[1] / f"{number}.png")
    return found


def shapes(place: Path, count: int) -> tuple[Path, Path]:
    """Write shapes of the battery as cut-outs, and backgrounds that are nearly grey."""
    shown = battery()
    places = np.concatenate(
        [shown.of_kind(kind) for kind in ("line", "edge", "arc", "curved edge", "corner")]
    )
    chosen = np.random.default_rng(0).choice(places, count, replace=False)
    images = shown.images(chosen, rows=27, columns=27)
    rows, columns = np.indices((27, 27)) - 13
    disc = (255 * (rows**2 + columns**2 <= 13**2)).astype(np.uint8)
    found = place / "cut-outs", place / "backgrounds"
    for folder in found:
        folder.mkdir(parents=True)
    for number, image in enumerate(images):
        colours = np.round(image.transpose(1, 2, 0) * 255).astype(np.uint8)
        Image.fromarray(np.dstack([colours, disc])).save(found[0] / f"{number}.png")
    for number in range(2):
        grey = np.random.default_rng(number).integers(118, 139, (27, 27, 3), np.uint8)
        Image.fromarray(grey).save(found[1] / f"{number}.png")
    return found
