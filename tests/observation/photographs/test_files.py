"""Files of strangers: what is a picture is read as it looks, all else is named and left out."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from circuitkb.observation.photographs.files import (
    LeftOut,
    PictureFile,
    UnreadablePictureError,
    cut_out,
    find_pictures,
    listed,
    read_picture,
)


def only(folder: Path) -> PictureFile:
    (file,) = find_pictures(folder).files
    return file


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("rgb.png", Image.new("RGB", (4, 4), (200, 100, 50))),
        ("cmyk.tif", Image.new("RGB", (4, 4), (200, 100, 50)).convert("CMYK")),
        ("palette.png", Image.new("RGB", (4, 4), (200, 100, 50)).quantize(4)),
        ("solid.png", Image.new("RGBA", (4, 4), (200, 100, 50, 255))),
        ("webp.webp", Image.new("RGB", (4, 4), (200, 100, 50))),
    ],
)
def test_all_modes_look_as_they_should(tmp_path: Path, name: str, image: Image.Image) -> None:
    image.save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    seen = read_picture(only(tmp_path))
    assert seen.mode == "RGB"
    np.testing.assert_allclose(np.asarray(seen)[0, 0], (200, 100, 50), atol=1)
    assert read_picture(only(tmp_path), channels=1).mode == "L"


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path: Path) -> None:
    values = np.array([[0, 257, 32_896, 65_535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert np.asarray(read_picture(only(tmp_path)))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_what_shines_through_is_grey_and_of_a_moving_picture_the_first_is_seen(
    tmp_path: Path,
) -> None:
    Image.new("LA", (3, 3), (255, 0)).save(tmp_path / "clear.png")
    assert np.asarray(read_picture(only(tmp_path)))[0, 0].tolist() == [128, 128, 128]
    frames = [Image.new("RGB", (3, 3), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    (moving,) = (file for file in find_pictures(tmp_path).files if file.name == "moving.gif")
    assert np.asarray(read_picture(moving))[0, 0].tolist() == [255, 0, 0]


def test_a_picture_that_lies_on_its_side_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_picture(only(tmp_path)).size == (4, 8)


def bomb(path: Path, side: int) -> None:
    """Write a PNG of almost no bytes that says to be as large as that."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + check

    header = side.to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00"
    data = zlib.compress(b"\x00" * 1_000)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


@pytest.mark.parametrize("side", [11_000, 50_000])
def test_what_is_far_too_large_is_not_unpacked(tmp_path: Path, side: int) -> None:
    bomb(tmp_path / "bomb.png", side)
    with pytest.raises(UnreadablePictureError, match="far too many pixels"):
        read_picture(only(tmp_path))


def test_broken_files_say_what_they_are(tmp_path: Path) -> None:
    Image.effect_noise((90, 90), 80).save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "whole.jpg").unlink()
    said = {
        "cut.jpg": (data[:1_000], "cut short"),
        "text.png": (b"no picture at all", "no picture"),
        "none.png": (b"", "no picture"),
        "script.tif": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
        "floats.tif": (None, "white"),
    }
    for name, (content, why) in said.items():
        if content is None:
            Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / name)
        else:
            (tmp_path / name).write_bytes(content)
        (file,) = (file for file in find_pictures(tmp_path).files if file.name == name)
        with pytest.raises(UnreadablePictureError, match=why):
            read_picture(file)


def test_programs_for_pages_are_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "page.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    (tmp_path / "notes.txt").write_text("notes")
    assert find_pictures(tmp_path).files == ()


def test_links_out_pipes_and_folders_are_left_out(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for place in (inside, outside, inside / "folder.png"):
        place.mkdir()
    Image.new("RGB", (3, 3), "red").save(outside / "theirs.png")
    Image.new("RGB", (3, 3), "lime").save(inside / "own.png")
    (inside / "away.png").symlink_to(outside / "theirs.png")
    (inside / "within.png").symlink_to(inside / "own.png")
    (inside / "nowhere.png").symlink_to(inside / "gone.png")
    (inside / "around").symlink_to(inside)
    (inside / "there").symlink_to(outside)
    os.mkfifo(inside / "pipe.png")
    found = find_pictures(inside)
    assert [file.path.name for file in found.files] == ["own.png"]
    assert found.copies == 1
    why = {item.name: item.why for item in found.left_out}
    assert why["away.png"] == "a link out of the folder"
    assert sorted(why) == ["away.png", "folder.png", "nowhere.png", "pipe.png"]


def test_the_topmost_folder_names_the_class_and_copies_count_once(tmp_path: Path) -> None:
    for place in ("b/deep", "a", "."):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3, 3), "red").save(tmp_path / place / "same.png")
    Image.new("RGB", (3, 3), "blue").save(tmp_path / "b" / "deep" / "other.png")
    found = find_pictures(tmp_path)
    assert sorted((file.name, file.group) for file in found.files) == [
        ("other.png", "b"),
        ("same.png", "a"),
    ]
    assert found.copies == 2
    assert [file.sha256 for file in found.files] == sorted(file.sha256 for file in found.files)


def test_names_are_text_and_listed_on_one_line(tmp_path: Path) -> None:
    name = "<b>a<img src=x onerror=alert(1)>\n\x1b[2J\u202e\udcff.png"
    (tmp_path / name).write_bytes(b"")
    (file,) = find_pictures(tmp_path).files
    file.name.encode()
    said = listed([LeftOut(name, "no picture")] * 5)
    assert len(said.splitlines()) == 1
    assert "\x1b" not in said
    assert said.endswith("and 2 more")


def test_a_picture_that_changes_meanwhile_is_not_shown(tmp_path: Path) -> None:
    Image.new("RGB", (3, 3), "red").save(tmp_path / "a.png")
    file = only(tmp_path)
    Image.new("RGB", (3, 3), "blue").save(tmp_path / "a.png")
    with pytest.raises(UnreadablePictureError, match="changed"):
        read_picture(file)


def test_a_picture_fills_the_image_and_loses_both_sides_alike() -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 255
    shown = np.asarray(cut_out(Image.fromarray(pixels), (10, 10), rows=10, columns=10))
    assert shown.shape == (10, 10, 3)
    assert (shown[:, 1:-1] > 250).all()
