"""Pictures of a folder are shown in the place of the battery; nothing of them is kept but hashes.

Costs about ten seconds of a processor.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import circuitkb as ckb
from circuitkb.schema.errors import TrialError
from circuitkb.trials.pictures import Pictures
from tests.trials.planted import MODEL, observed


def write(folder: Path, count: int = 6, size: tuple[int, int] = (40, 50)) -> Path:
    folder.mkdir()
    draw = np.random.default_rng(0)
    for number in range(count):
        pixels = draw.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"secret name {number}.png")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "pictures")


def drawn(pictures: Pictures, rows: int, columns: int) -> np.ndarray:
    which = np.arange(len(pictures))
    return pictures.images(which, rows=rows, columns=columns)


def test_a_picture_of_the_size_that_is_shown_is_shown_as_it_is(tmp_path: Path) -> None:
    found = Pictures.of_folder(write(tmp_path / "one", count=1, size=(9, 9)))
    pixels = np.asarray(Image.open(found.files[0].path), np.float32) / 255
    (shown,) = Pictures(found.files, plane=(9, 9)).images(np.array([0]), rows=9, columns=9)
    np.testing.assert_allclose(shown, pixels.transpose(2, 0, 1), atol=1e-6)


def test_a_larger_picture_fills_the_image_and_loses_both_sides_alike(tmp_path: Path) -> None:
    (tmp_path / "wide").mkdir()
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 255
    Image.fromarray(pixels).save(tmp_path / "wide" / "a.png")
    found = Pictures.of_folder(tmp_path / "wide")
    (shown,) = Pictures(found.files, plane=(10, 10)).images(np.array([0]), rows=10, columns=10)
    np.testing.assert_allclose(shown[:, :, 1:-1], 1, atol=0.01)
    np.testing.assert_allclose(shown, shown[:, :, ::-1], atol=1e-6)


def test_grey_networks_see_grey_and_what_shines_through_is_grey(tmp_path: Path) -> None:
    (tmp_path / "clear").mkdir()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "clear" / "a.png")
    found = Pictures.of_folder(tmp_path / "clear")
    grey = Pictures(found.files, channels=1, plane=(8, 8))
    np.testing.assert_allclose(drawn(grey, 8, 8), 128 / 255, atol=0.01)
    assert drawn(grey, 8, 8).shape == (1, 1, 8, 8)


def test_what_cannot_be_read_is_named_and_copies_count_once(folder: Path) -> None:
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    (folder / "notes.txt").write_text("no picture")
    (folder / "within").mkdir()
    shutil.copy(folder / "secret name 0.png", folder / "within" / "copy.png")
    found = Pictures.of_folder(folder)
    assert len(found) == 6
    assert found.notes == ("passed over, as they cannot be read: broken.png",)
    assert sha256(found.files[0].path.read_bytes()).hexdigest().startswith(found.ids[0])


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match="There is no folder"):
        Pictures.of_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrialError, match="There are no pictures"):
        Pictures.of_folder(tmp_path / "empty")


class Base:
    """A planted network, its knowledge base, and a target with one of its inputs."""

    def __init__(self, kb: ckb.KnowledgeBase) -> None:
        responses = kb.responses(MODEL)
        assert responses is not None
        detectors, targets = (name for name, _ in responses.layers[-2:])
        self.kb, self.target, self.edit = kb, f"{MODEL}/{targets}:0", f"remove {detectors}:0"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    place = tmp_path_factory.mktemp("planted") / "kb.ckb"
    with observed(tmp_path_factory, place, 312)[1] as kb:
        yield Base(kb)


def test_an_edit_is_tried_on_pictures_and_their_names_are_not_kept(
    base: Base, folder: Path
) -> None:
    (folder / "broken.jpg").write_bytes(b"nothing")
    report = base.kb.trial(base.target, base.edit, images=folder)
    trial = report.trial
    assert trial.measured == pytest.approx(trial.predicted, abs=1e-4)
    assert trial.detail["stimuli"] == list(Pictures.of_folder(folder).ids)
    assert "broken.jpg" in report.notes[-1]
    kept = json.dumps(base.kb.query("MATCH (t:Trial {id: $id}) RETURN t", {"id": trial.id}).rows)
    assert "broken" not in kept
    assert "secret" not in kept
    assert str(folder) not in kept
    assert trial.id != base.kb.trial(base.target, base.edit).trial.id


def test_it_runs_again_wherever_the_same_pictures_are_and_refuses_others(
    base: Base, folder: Path, tmp_path: Path
) -> None:
    trial = base.kb.trial(base.target, base.edit, images=folder, controls=False).trial
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for number, file in enumerate(sorted(folder.glob("*.png"))):
        shutil.copy(file, elsewhere / f"{number}.png")
    assert base.kb.try_again(trial.id, images=elsewhere).same
    with pytest.raises(TrialError, match="say where they are"):
        base.kb.try_again(trial.id)
    (elsewhere / "0.png").unlink()
    with pytest.raises(TrialError, match="was shown other pictures") as refused:
        base.kb.try_again(trial.id, images=elsewhere)
    assert "\n" not in str(refused.value)
    battery = base.kb.trial(base.target, base.edit, controls=False).trial
    with pytest.raises(TrialError, match="leave --images out"):
        base.kb.try_again(battery.id, images=folder)


def test_lists_and_searches_take_pictures_too(base: Base, folder: Path) -> None:
    found = base.kb.try_edits(random=6, model=MODEL, images=folder, controls=False)
    again = base.kb.try_edits(random=6, model=MODEL, images=folder, controls=False)
    assert again.there == 6
    assert len(found.trials) == 6
    searched = base.kb.trial(base.target, base.edit, images=folder, search=True).trial
    assert searched.settings["images"]
    assert searched.settings["search"]
