"""``observe --images`` from end to end: what is kept, and what of the pictures is not.

Costs about fifteen seconds of a processor.
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
from typer.testing import CliRunner

import circuitkb as ckb
from circuitkb.atlas.photographs import best_photographs
from circuitkb.cli.app import app
from circuitkb.observation.photographs.kept import observations
from circuitkb.results.photographs_report import PhotographsReport
from circuitkb.schema.errors import ObservationError
from tests.observation.photographs.made import SIDE, Small, folder_of, picture
from tests.stores.factories import FACTORIES, Factory

MODEL = "small"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("loaded") / "kb.ckb"
    with ckb.open(place) as base:
        base.load(Small().eval(), name=MODEL, input_shape=(3, SIDE, SIDE))
    return place


@pytest.fixture
def kb(loaded: Path, tmp_path: Path) -> Iterator[ckb.KnowledgeBase]:
    with ckb.open(shutil.copytree(loaded, tmp_path / "kb.ckb")) as base:
        yield base


def observed(kb: ckb.KnowledgeBase, folder: Path, *, thumbnails: bool = True) -> PhotographsReport:
    return kb.observe(MODEL, images=folder, thumbnails=thumbnails, module=Small().eval())


def written(kb: ckb.KnowledgeBase) -> dict[str, bytes]:
    place = Path(kb.store.address)
    return {str(path): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_the_same_pictures_change_nothing_and_others_are_a_second_observation(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    first = observed(kb, folder_of(tmp_path / "first", 12))
    assert first.created
    before = written(kb)
    shutil.copytree(tmp_path / "first", tmp_path / "moved" / "first")
    again = observed(kb, tmp_path / "moved" / "first")
    assert not again.created
    assert again.key == first.key
    assert written(kb) == before
    second = observed(kb, folder_of(tmp_path / "second", 9, first=50))
    assert second.created
    kept = [item.pictures.key for item in observations(kb.store, MODEL)]
    assert kept == sorted([first.key, second.key])
    titles = [section.title for section in kb.show(f"{MODEL}/act1:0").sections]
    assert {"Best photographs: first (12)", "Best photographs: second (9)"} <= set(titles)


def test_the_card_has_the_best_with_their_hashes_and_says_what_they_do_not_show(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "stamps", 12)
    observed(kb, folder)
    card = json.loads(kb.show(f"{MODEL}/act2:3").to_json())
    (section,) = (part for part in card["sections"] if part["title"] == "Best photographs")
    rows = section["rows"]
    assert [row["place"] for row in rows] == list(range(1, 10))
    assert sorted((row["sd"] for row in rows), reverse=True) == [row["sd"] for row in rows]
    for row in rows:
        assert row["sha256"] == sha256((folder / row["file"]).read_bytes()).hexdigest()
        low, high = map(int, row["rows"].split("-"))
        assert 0 <= low <= high < SIDE
    assert "of these only" in section["note"]
    assert "12 pictures of 'stamps'" in section["note"]


def test_of_the_pictures_only_small_copies_are_kept_and_none_without_thumbnails(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    folder = tmp_path / "secret place" / "stamps"
    folder_of(folder, 12)
    report = observed(kb, folder)
    kept = b"".join(written(kb).values())
    for file in folder.iterdir():
        assert file.read_bytes()[60:160] not in kept
    assert b"secret place" not in kept
    assert report.thumbnails > 0
    bare = observed(kb, folder, thumbnails=False)
    assert (bare.created, bare.thumbnails, bare.key) == (True, 0, report.key)
    assert b"WEBP" not in b"".join(written(kb).values())


def test_classes_are_compared_beside_permuted_ones_and_shuffled_weights(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    report = observed(kb, folder_of(tmp_path / "classes", 40, classes=2))
    assert (report.classes, report.tested, report.permutations) == (2, report.units, 999)
    assert report.beyond_chance is not None
    assert report.beyond_chance > 5
    assert report.by_chance == 0
    assert f"shuffled weights {report.shuffled}" in " ".join(report.notes)
    rows = kb.query(
        "MATCH (e:Evidence)-[:ABOUT]->(f:Feature) "
        "RETURN f.id AS id, e.value AS value, e.p AS p, e.q AS q, e.detail AS detail"
    ).to_dicts()
    assert len(rows) == report.beyond_chance
    assert all(row["p"] <= row["q"] <= 0.05 for row in rows)
    assert {json.loads(row["detail"])["class"] for row in rows} <= {"class 0", "class 1"}
    titles = {part.title: part for part in kb.show(rows[0]["id"]).sections}
    classes = titles["Classes of photographs"]
    assert [row["pictures"] for row in classes.result.to_dicts()] == [20, 20]
    assert "beyond chance (999 permutations)" in classes.note


def test_unreadable_files_are_named_and_the_rest_goes_on(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "mixed", 5)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "away.jpg").symlink_to("/etc/hostname")
    picture(7).convert("RGBA").save(folder / "clear.png")
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(folder / "deep.png")
    report = observed(kb, folder)
    assert (report.pictures, report.left_out) == (7, 2)
    said = " ".join(report.notes)
    assert "away.jpg (a link out of the folder)" in said
    assert "broken.png" in said


def test_one_picture_is_observed_and_has_no_deviations(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    assert observed(kb, folder_of(tmp_path / "one", 1)).pictures == 1
    (row,) = next(
        section.result.to_dicts()
        for section in kb.show(f"{MODEL}/act1:0").sections
        if section.title == "Best photographs"
    )
    assert row["sd"] is None


def test_folders_without_pictures_are_refused_and_nothing_is_written(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    before = written(kb)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"no picture")
    for name, said in (
        ("nowhere", "There is no folder"),
        ("empty", "There are no pictures in empty"),
        ("broken", r"Left out: a\.png \(no picture\)"),
    ):
        with pytest.raises(ObservationError, match=said):
            observed(kb, tmp_path / name)
    assert written(kb) == before


def test_the_command_says_what_is_wrong_in_a_line(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    lines = [["--images", str(tmp_path / folder)] for folder in ("nowhere", "empty")]
    for line in (*lines, [*lines[1], "--workers", "2"]):
        done = CliRunner().invoke(app, ["observe", MODEL, *line, "--kb", kb.store.address])
        assert done.exit_code == 2
        assert len(done.stderr.strip().splitlines()) <= 2
    for option in (["--no-thumbnails"], ["--license", "CC0-1.0"]):
        done = CliRunner().invoke(app, ["observe", MODEL, *option, "--kb", kb.store.address])
        assert done.exit_code == 2
        assert "goes with --images" in done.stderr


def test_an_interrupted_observation_leaves_the_store_as_it_was(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    before = written(kb)
    folder = folder_of(tmp_path / "many", 70)

    def stop(doing: str, done: float) -> None:
        if done > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kb.observe(MODEL, images=folder, module=Small().eval(), progress=stop)
    assert written(kb) == before


def test_a_copy_of_the_knowledge_base_has_them_too(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    report = observed(kb, folder_of(tmp_path / "stamps", 10))
    with ckb.open(tmp_path / "copy.ckb") as copy:
        copy.pull(kb.store.address)
        one, other = kb.store.pictures(report.key), copy.store.pictures(report.key)
        assert one is not None
        assert other is not None
        assert one.about == other.about
        assert kb.show(f"{MODEL}/act1:2").to_json() == copy.show(f"{MODEL}/act1:2").to_json()
    assert ckb.check(tmp_path / "copy.ckb").whole


@pytest.mark.long_on_a_server
@pytest.mark.parametrize("kind", [k for k in FACTORIES if not k.only_writes], ids=lambda k: k.name)
def test_every_kind_of_store_keeps_and_shows_the_same(
    kb: ckb.KnowledgeBase, tmp_path: Path, kind: Factory
) -> None:
    folder = folder_of(tmp_path / "classes", 30, classes=2)
    report = observed(kb, folder)
    (tmp_path / "other").mkdir()
    with kind.held(tmp_path / "other") as store:
        other = ckb.KnowledgeBase(store)
        other.load(Small().eval(), name=MODEL, input_shape=(3, SIDE, SIDE))
        again = observed(other, folder)
        assert (again.key, again.beyond_chance, again.bytes) == (
            report.key,
            report.beyond_chance,
            report.bytes,
        )
        assert not observed(other, folder).created
        for id in (f"{MODEL}/act1:2", f"{MODEL}/act2:3"):
            one, same = kb.show(id), other.show(id)
            assert one.to_dict() == same.to_dict()
            assert best_photographs(kb.store, id) == best_photographs(store, id) != ()
