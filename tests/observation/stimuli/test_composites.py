"""Composites against what Pillow pastes, and against what each of them states. Half a second."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from circuitkb.observation.photographs.files import read_cut_out
from circuitkb.observation.stimuli.composites import Composites
from circuitkb.observation.stimuli.cut_outs import Placement, hide, placed, placements
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.kernels import Floats
from tests.observation.stimuli.made_pictures import background, cut_out, folders

SIDE = 60


class View:
    """What is asked of a way of looking."""

    def __init__(self, rows: int, columns: int, centre: tuple[float, float]) -> None:
        self.rows, self.columns, self.centre = rows, columns, centre


def composites(
    place: Path, *shown: Placement, of: str = "mirror left-right", channels: int = 3
) -> Composites:
    made = Composites.of_folders(*folders(place), placements=shown or (Placement(),), of=of, seed=1)
    view = View(SIDE, SIDE, ((SIDE - 1) / 2, (SIDE - 1) / 2))
    return made.seen_in([view], channels)  # type: ignore[list-item]


def drawn(shown: Composites, *, side: int = SIDE) -> Floats:
    return shown.images(np.arange(len(shown)), rows=side, columns=side)


def as_bytes(image: Floats) -> Floats:
    """An image as Pillow has it, axes (row, column, channel)."""
    return image.transpose(1, 2, 0) * 255


def test_a_composite_is_what_pillow_pastes(tmp_path: Path) -> None:
    # The cut-out is 40 pixels long and shown so: nothing is resampled; the background is 80 x 60.
    shown = composites(tmp_path, Placement(40 / SIDE))
    images = drawn(shown)
    for number in range(len(shown)):
        one = shown[number]
        behind = Image.open(shown.backgrounds[one.background].path).convert("RGBA")
        behind = behind.crop((10, 0, 70, 60))
        pasted = Image.open(shown.cut_outs[one.cut_out].path)
        pasted = pasted.crop(pasted.getchannel("A").getbbox())
        layer = Image.new("RGBA", behind.size)
        layer.paste(pasted, ((SIDE - pasted.width) // 2, (SIDE - pasted.height) // 2))
        flip = Image.Transpose.FLIP_LEFT_RIGHT
        behind = behind.transpose(flip) if one.background_mirrored else behind
        layer = layer.transpose(flip) if one.mirrored else layer
        wanted = np.asarray(Image.alpha_composite(behind, layer).convert("RGB"), float)
        # Pillow rounds once more: it multiplies with alpha in whole numbers before it resamples.
        assert np.abs(as_bytes(images[number]) - wanted).max() <= 1.5


def test_a_smaller_one_is_what_pillow_makes_of_the_whole(tmp_path: Path) -> None:
    shown = composites(tmp_path, Placement(20 / SIDE))
    one, by_hand = drawn(shown)[0], Image.new("RGBA", (2 * SIDE, 2 * SIDE))
    pasted = read_cut_out(shown.cut_outs[0])
    corner = (2 * SIDE - pasted.width) // 2, (2 * SIDE - pasted.height) // 2
    by_hand.paste(pasted, corner)
    small = by_hand.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    behind = Image.open(shown.backgrounds[0].path).convert("RGBA").crop((10, 0, 70, 60))
    wanted = np.asarray(Image.alpha_composite(behind, small).convert("RGB"), float)
    assert np.abs(as_bytes(one) - wanted).max() <= 2.0


@pytest.mark.parametrize("of", ["mirror left-right", "mirror up-down", "rotate 180"])
def test_mirror_images_are_exact_and_either_part_is_mirrored_alone(tmp_path: Path, of: str) -> None:
    placement = Placement(0.5, occlusion=0.3, rotation=20, down=0.1, right=-0.2)
    shown = composites(tmp_path, Placement(0.6), placement, of=of)
    images = drawn(shown).reshape(*shown.shape, 3, SIDE, SIDE)
    flips: dict[str, Any] = {
        "mirror left-right": np.s_[..., ::-1],
        "mirror up-down": np.s_[..., ::-1, :],
        "rotate 180": np.s_[..., ::-1, ::-1],
    }
    plain, both = images[:, :, :, 0, 0], images[:, :, :, 1, 1]
    assert np.array_equal(both, plain[flips[of]])
    assert np.array_equal(images[:, :, :, 1, 0], images[:, :, :, 0, 1][flips[of]])
    flat = images.reshape(len(shown), -1)
    assert np.array_equal(flat[shown.transformed], both_flipped(flat, flips[of]))
    # Where no cut-out is, there is the background as it is, whichever way the cut-out looks.
    alone = images[:, :, :, :, 0]
    corner = alone[..., :3, :3]
    assert np.ptp(corner, axis=1).max() == 0
    assert (np.abs(alone[:, :, :, 0] - alone[:, :, :, 1]).max(axis=(-1, -2, -3)) > 0.05).all()


def both_flipped(flat: Floats, flip: Any) -> Floats:
    found: Floats = flat.reshape(len(flat), 3, SIDE, SIDE)[flip].reshape(len(flat), -1)
    return found


def test_size_place_and_turn_are_those_stated() -> None:
    bar = Image.new("RGBA", (80, 16), "white")
    for size, down, right in ((0.4, 0, 0), (0.25, 0.1, -0.2), (0.5, 0.013, 0.2)):
        small, (top, left) = placed(bar, Placement(size, down=down, right=right), 100, (101, 101))
        alpha = np.asarray(small.getchannel("A"), float) / 255
        rows, columns = np.indices(alpha.shape)
        centre = [(alpha * each).sum() / alpha.sum() for each in (rows + top, columns + left)]
        assert np.allclose(centre, [50 + 100 * down, 50 + 100 * right], atol=0.05)
        assert alpha.sum() == pytest.approx(100 * size * 100 * size / 5, rel=0.02)
    small, _ = placed(bar, Placement(0.4, rotation=45), 100, (101, 101))
    alpha = np.asarray(small.getchannel("A"), float)
    rows, columns = np.indices(alpha.shape) - np.array(alpha.shape)[:, None, None] / 2
    # Turned counter-clockwise it rises to the right: rows fall where columns grow.
    assert np.corrcoef(rows.ravel(), columns.ravel())[0, 1] == pytest.approx(0, abs=0.01)
    assert (alpha * rows * columns).sum() < 0


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8])
def test_the_share_that_is_hidden_is_the_one_stated(share: float) -> None:
    alpha = (np.asarray(cut_out(3).getchannel("A")) / 255).astype(np.float32)
    for degrees in (0, 77, 200, 300):
        left = hide(alpha, share, degrees)
        assert left.sum() == pytest.approx((1 - share) * alpha.sum(), rel=0.005)
        assert set(np.unique(left)) <= {0.0, *np.unique(alpha)}


def test_what_stands_around_the_centre_does_not_depend_on_the_image(tmp_path: Path) -> None:
    small, large = (
        View(49, 45, (24, 22)),
        View(SIDE + 1, SIDE + 1, (SIDE / 2, SIDE / 2)),
    )
    made = Composites.of_folders(*folders(tmp_path), placements=placements((0.5, 0.3), (0, 0.4)))
    shown = made.seen_in([small, large], 3)  # type: ignore[list-item]
    which = np.arange(0, len(shown), 5)
    one = shown.images(which, rows=49, columns=45, centre=(24, 22))
    other = shown.images(which, rows=SIDE + 1, columns=SIDE + 1, centre=(SIDE / 2, SIDE / 2))
    assert np.abs(one - other[:, :, 6:55, 8:53]).max() <= 1.01 / 255


def test_the_same_seed_draws_the_same_wherever_the_files_lie(tmp_path: Path) -> None:
    first = Composites.of_folders(*folders(tmp_path / "a", 20, 5), most=9, seed=4)
    shutil.copytree(tmp_path / "a" / "cut-outs", tmp_path / "b" / "others" / "deeper")
    for number, file in enumerate(sorted((tmp_path / "b").rglob("*.png"))):
        file.rename(file.with_name(f"renamed {99 - number}.png"))
    again = Composites.of_folders(tmp_path / "b", tmp_path / "a" / "backgrounds", most=9, seed=4)
    assert (first.ids, first.hash) == (again.ids, again.hash)
    other = Composites.of_folders(tmp_path / "b", tmp_path / "a" / "backgrounds", most=9, seed=5)
    assert other.ids != first.ids
    assert len(set(first.ids)) == len(first) == 9 * 2 * 4


def test_grey_ones_are_the_grey_of_coloured_ones(tmp_path: Path) -> None:
    coloured, grey = composites(tmp_path / "a"), composites(tmp_path / "b", channels=1)
    wanted = np.tensordot([0.299, 0.587, 0.114], drawn(coloured), axes=(0, 1))
    assert np.abs(drawn(grey)[:, 0] - wanted).max() < 1.5 / 255


def test_what_is_no_cut_out_is_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    cut_outs, backgrounds = folders(tmp_path)
    background(9).save(cut_outs / "whole.png")
    background(9).convert("RGBA").save(cut_outs / "opaque.png")
    Image.new("RGBA", (9, 9)).save(cut_outs / "empty.png")
    (cut_outs / "broken.png").write_bytes((cut_outs / "0.png").read_bytes()[:60])
    (backgrounds / "none.jpg").write_bytes(b"no picture")
    made = Composites.of_folders(cut_outs, backgrounds, on=9)
    assert (len(made.cut_outs), len(made.backgrounds)) == (9, 2)
    assert {item.name: item.why for item in made.left_out} == {
        "whole.png": "it has no alpha channel",
        "opaque.png": "its alpha channel cuts nothing out",
        "empty.png": "its alpha channel cuts nothing out",
        "broken.png": "cut short or damaged",
        "none.jpg": "no picture",
    }


def test_folders_that_show_nothing_are_refused(tmp_path: Path) -> None:
    cut_outs, backgrounds = folders(tmp_path, cut_outs=3)
    (tmp_path / "empty").mkdir()
    for one, other, said in (
        (tmp_path / "nowhere", backgrounds, "There is no folder"),
        (cut_outs, backgrounds, "There are 3 cut-outs, and 8 are needed"),
        (backgrounds, backgrounds, r"0 cut-outs.*Left out: 0\.png \(it has no alpha channel\)"),
    ):
        with pytest.raises(ObservationError, match=said):
            Composites.of_folders(one, other)
    folders(tmp_path / "more")
    with pytest.raises(ObservationError, match="There are no backgrounds in"):
        Composites.of_folders(tmp_path / "more" / "cut-outs", tmp_path / "empty")


@pytest.mark.parametrize(
    "wrong", [{"size": 0}, {"occlusion": 1}, {"right": 2}, {"rotation": float("nan")}]
)
def test_placements_that_show_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ObservationError):
        Placement(**wrong)


def test_a_file_that_was_changed_is_named(tmp_path: Path) -> None:
    shown = composites(tmp_path)
    shown.cut_outs[0].path.write_bytes(b"another")
    with pytest.raises(ObservationError, match="cannot be read any more: changed"):
        drawn(shown)
