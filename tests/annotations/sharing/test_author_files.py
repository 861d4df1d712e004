"""The folder that a group keeps in git: one file for each author, and merges without conflict."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from circuitkb.annotations.importing import import_annotations, raise_if_refused
from circuitkb.annotations.sharing.author_files import (
    AuthorFilesReport,
    author_files,
    file_name,
    records_by_author,
    write_author_files,
)
from circuitkb.annotations.sharing.exporting import export_annotations
from circuitkb.annotations.sharing.stored_records import Selection
from circuitkb.schema.errors import AnnotationError
from circuitkb.schema.ids import canonical_json
from circuitkb.schema.records import canonical_record
from circuitkb.stores.base import Store
from tests.annotations.shared_records import (
    UNITS,
    Record,
    by,
    every_kind,
    feature,
    record,
    store_at,
    take_in,
)

Opening = Callable[[str], Store]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opening]:
    """Makes stores with the models, which are closed when the test ends."""
    found: list[Store] = []

    def open_it(name: str) -> Store:
        found.append(store_at(tmp_path / f"{name}.ckb"))
        return found[-1]

    yield open_it
    for store in found:
        store.close()


def sync(store: Store, folder: Path) -> AuthorFilesReport:
    """What a sync is: the files are imported, and then written back."""
    raise_if_refused(import_annotations(store, author_files(folder), importer="test"))
    return write_author_files(store, folder)


def line_of(item: Record) -> str:
    return f"{canonical_json(canonical_record(item))}\n"


# Files


def test_each_author_has_one_file_of_canonical_lines_sorted_by_id(
    opened: Opening, tmp_path: Path
) -> None:
    store, folder = opened("kb"), tmp_path / "labels"
    take_in(store, every_kind(), tmp_path)
    report = write_author_files(store, folder, Selection(with_noassertion=True))
    expected: dict[str, list[Record]] = {}
    for item in map(canonical_record, every_kind()):
        expected.setdefault(item["author"]["id"], []).append(item)
    assert sorted(report.written) == sorted(map(file_name, expected))
    for author, records in expected.items():
        text = (folder / file_name(author)).read_bytes().decode()
        assert sorted(text.splitlines(keepends=True)) == sorted(map(line_of, records))
        ids = [json.loads(line)["id"] for line in text.splitlines()]
        assert ids == sorted(ids)
    told = dict(records_by_author(store, Selection(with_noassertion=True)))
    assert {author: len(texts) for author, texts in told.items()} == {
        author: len(records) for author, records in expected.items()
    }


def test_files_that_are_right_are_not_touched(opened: Opening, tmp_path: Path) -> None:
    store, folder = opened("kb"), tmp_path / "labels"
    take_in(store, every_kind(), tmp_path)
    write_author_files(store, folder)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}
    take_in(store, [record(author=by("bo"), label={"text": "new"})], tmp_path)
    report = sync(store, folder)
    after = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}
    assert report.written == (file_name("bo"),)
    assert report.added == 1
    assert {path for path in before if before[path] != after[path]} == {folder / file_name("bo")}


@pytest.mark.parametrize(
    "author",
    ["ada", "Ada", "../../etc/passwd", "漢字", "a/b", "con", ".hidden", "x" * 200, "a\u0301", "🧠"],
)
def test_an_author_of_any_name_has_a_plain_file_of_its_own(
    opened: Opening, tmp_path: Path, author: str
) -> None:
    store, folder = opened("kb"), tmp_path / "labels"
    others = [by("ada."), by("ADA"), by("etc-passwd"), by("a-b")]
    take_in(store, [record(author=item) for item in [by(author), *others]], tmp_path)
    report = write_author_files(store, folder)
    assert len({name.casefold() for name in report.written}) == 5
    assert [path.name for path in author_files(folder)] == sorted(report.written)
    for name in report.written:
        assert name.isascii()
        assert len(name) < 100
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")


def test_what_is_hidden_a_link_or_no_json_lines_is_no_source(tmp_path: Path) -> None:
    folder, outside = tmp_path / "labels", tmp_path / "outside"
    for place in (folder / "more", folder / ".git", outside):
        place.mkdir(parents=True)
    for place in ("a.jsonl", "B.JSONL", "more/c.jsonl", ".hidden.jsonl", ".git/d.jsonl", "e.csv"):
        (folder / place).write_text("")
    (outside / "f.jsonl").write_text("")
    (folder / "link.jsonl").symlink_to(outside / "f.jsonl")
    (folder / "linked").symlink_to(outside)
    (folder / "g.jsonl").mkdir()
    found = [path.relative_to(folder).as_posix() for path in author_files(folder)]
    assert found == ["B.JSONL", "a.jsonl", "more/c.jsonl"]
    with pytest.raises(AnnotationError, match="no folder"):
        author_files(tmp_path / "nowhere")


# What the folder holds stays


def test_a_line_that_the_store_does_not_have_is_never_dropped(
    opened: Opening, tmp_path: Path
) -> None:
    store, folder = opened("kb"), tmp_path / "labels"
    take_in(store, [record()], tmp_path)
    write_author_files(store, folder)
    path = folder / file_name("ada")
    for line, reason in (
        (line_of(record(label={"text": "not imported"})), "not in the knowledge base"),
        ("{broken\n", "JSON"),
        ('{"kind": "label", "target": 3}\n', "no record"),
    ):
        path.write_text(whole := line_of(record()) + line, encoding="utf-8")
        take_in(store, [record(author=by("bo"))], tmp_path)
        with pytest.raises(AnnotationError, match=reason) as caught:
            write_author_files(store, folder)
        assert f"{path}, line 2" in str(caught.value)
        assert path.read_text("utf-8") == whole
        assert not (folder / file_name("bo")).exists()


def test_records_without_a_licence_stay_in_the_folder_and_do_not_come_into_it(
    opened: Opening, tmp_path: Path
) -> None:
    store, folder = opened("kb"), tmp_path / "labels"
    folder.mkdir()
    held = record(license="NOASSERTION", created="2026-05-01T10:00:00+02:00")
    (folder / "theirs.jsonl").write_text(line_of(held), encoding="utf-8")
    take_in(store, [record(license="NOASSERTION", label={"text": "at home"})], tmp_path)
    take_in(store, [held | {"created": "2026-01-01"}], tmp_path)
    report = sync(store, folder)
    assert report.left_behind == 1
    assert (folder / file_name("ada")).read_text("utf-8") == line_of(
        held | {"created": "2026-01-01"}
    )
    assert (folder / "theirs.jsonl").read_text("utf-8") == line_of(held)
    assert sync(store, folder).written == ()


def test_a_selection_says_what_comes_into_the_folder(opened: Opening, tmp_path: Path) -> None:
    store, folder = opened("kb"), tmp_path / "labels"
    inside, outside = record(), record(target=feature(model="beta"), author=by("bo"))
    take_in(store, [inside, outside, record(label={"text": "x"}, license="NOASSERTION")], tmp_path)
    report = write_author_files(store, folder, Selection(models=["alpha"]))
    assert report.written == (file_name("ada"),)
    assert report.left_behind == 1
    assert (folder / file_name("ada")).read_text("utf-8") == line_of(inside)
    (folder / "theirs.jsonl").write_text(line_of(outside), encoding="utf-8")
    report = write_author_files(store, folder, Selection(models=["alpha"]))
    assert report.written == (file_name("bo"),)
    assert (report.records, report.added) == (2, 0)


def test_lines_in_any_order_and_repetition_are_put_in_order(
    opened: Opening, tmp_path: Path
) -> None:
    store, folder = opened("kb"), tmp_path / "labels"
    folder.mkdir()
    lines = [line_of(record(label={"text": text})) for text in "abcdef"]
    path = folder / file_name("ada")
    path.write_text("".join([*lines, *reversed(lines)]), encoding="utf-8")
    assert sync(store, folder).written == (path.name,)
    assert sorted(lines) == sorted(path.read_text("utf-8").splitlines(keepends=True))


def test_a_groups_own_attributes_stay(opened: Opening, tmp_path: Path) -> None:
    store, folder = opened("kb"), tmp_path / "labels"
    folder.mkdir()
    attributes = folder / ".gitattributes"
    attributes.write_text("*.png binary")
    write_author_files(store, folder)
    written = "*.png binary\n*.jsonl text eol=lf merge=union\n"
    assert attributes.read_text() == written
    write_author_files(store, folder)
    assert attributes.read_text() == written
    attributes.write_text("*.jsonl -merge\n")
    write_author_files(store, folder)
    assert attributes.read_text() == "*.jsonl -merge\n"


def test_nothing_is_written_through_a_link(opened: Opening, tmp_path: Path) -> None:
    store, folder, outside = opened("kb"), tmp_path / "labels", tmp_path / "outside"
    folder.mkdir()
    outside.write_text("mine")
    for name in (".gitattributes", file_name("ada")):
        (folder / name).symlink_to(outside)
    take_in(store, [record()], tmp_path)
    write_author_files(store, folder)
    assert outside.read_text() == "mine"
    assert (folder / file_name("ada")).read_text("utf-8") == line_of(record())


# Git


def git(folder: Path, *command: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    return subprocess.run(
        ["git", *identity, "-C", str(folder), *command],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Sync")


def clone(origin: Path, folder: Path) -> Path:
    git(origin.parent, "clone", "-q", str(origin), str(folder))
    return folder


def labels(author: str, words: str) -> list[Record]:
    return [
        record(author=by(author), target=feature(unit), label={"text": f"{word} {unit}"})
        for word in words
        for unit in range(UNITS)
    ]


def exported(store: Store, path: Path) -> bytes:
    export_annotations(store, path, selection=Selection(with_noassertion=True), overwrite=True)
    return path.read_bytes()


def test_ten_labellers_in_two_clones_merge_without_conflict_and_end_equal(
    opened: Opening, tmp_path: Path
) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q", "--bare", "-b", "main")
    first, second = clone(origin, tmp_path / "first"), tmp_path / "second"
    here, there = opened("here"), opened("there")
    group = [f"labeller-{number}" for number in range(10)]

    take_in(here, [item for author in group for item in labels(author, "a")], tmp_path)
    sync(here, first)
    commit(first)
    git(first, "push", "-q", "origin", "HEAD:main")
    clone(origin, second)
    sync(there, second)
    assert git(second, "status", "--porcelain") == ""

    # Each adds for five authors of its own, and both for labeller-0; one retracts, one supersedes.
    for store, own, word in ((here, group[:5], "bx"), (there, group[5:], "cy")):
        added = [item for author in own for item in labels(author, word)]
        take_in(store, [*added, *labels(group[0], f"d{word}")], tmp_path)
    old = canonical_record(labels(group[0], "a")[0])
    take_in(
        here,
        [record("retraction", author=by(group[0]), target={"type": "annotation", "id": old["id"]})],
        tmp_path,
    )
    take_in(
        there, [record(author=by(group[0]), label={"text": "z"}, supersedes=[old["id"]])], tmp_path
    )
    for store, folder in ((here, first), (there, second)):
        sync(store, folder)
        commit(folder)
    git(first, "push", "-q", "origin", "HEAD:main")
    git(second, "pull", "-q", "--no-rebase", "--no-edit", "origin", "main")
    sync(there, second)
    git(second, "add", "-A")
    git(second, "commit", "-q", "--allow-empty", "-m", "Sort")
    git(second, "push", "-q", "origin", "HEAD:main")
    git(first, "pull", "-q", "--no-rebase", "--no-edit", "origin", "main")
    sync(here, first)

    assert git(first, "status", "--porcelain") == ""
    assert len(author_files(first)) == 10
    whole = exported(here, tmp_path / "here.jsonl")
    assert whole == exported(there, tmp_path / "there.jsonl")
    assert whole.count(b"\n") == 10 * 3 * UNITS + 2 * UNITS + 2 + UNITS
    states = "MATCH (a:Annotation) RETURN a.id AS id, a.state AS state ORDER BY id"
    assert here.read(states, limit=None).rows == there.read(states, limit=None).rows


def test_the_same_line_changed_on_both_sides_is_kept_twice_and_then_once(
    opened: Opening, tmp_path: Path
) -> None:
    """One record with two dates: git keeps both lines, the store the earlier date."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q", "-b", "main")
    store = opened("base")
    take_in(store, [record(created="2026-03-03")], tmp_path)
    sync(store, origin)
    commit(origin)
    folders = [clone(origin, tmp_path / name) for name in ("first", "second")]
    for folder, day in zip(folders, ("2026-01-01", "2026-02-02"), strict=True):
        other = opened(f"of-{folder.name}")
        take_in(other, [record(created=day)], tmp_path)
        sync(other, folder)
        commit(folder)
    git(folders[1], "pull", "-q", "--no-rebase", "--no-edit", str(folders[0]), "main")
    path = folders[1] / file_name("ada")
    assert sorted(path.read_text("utf-8").splitlines(keepends=True)) == sorted(
        line_of(record(created=day)) for day in ("2026-01-01", "2026-02-02")
    )
    sync(store, folders[1])
    assert path.read_text("utf-8") == line_of(record(created="2026-01-01"))
