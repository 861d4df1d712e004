"""A vocabulary file: read whole or refused with every mistake, declared, and never guessed."""

from __future__ import annotations

import itertools
import unicodedata
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from rapidfuzz import fuzz

from circuitkb.annotations.comparing.alike import ALIKE, SUGGESTED, alike
from circuitkb.annotations.comparing.measured_labels import measured_labels
from circuitkb.annotations.comparing.ratings import ratings
from circuitkb.annotations.comparing.vocabulary import (
    Entry,
    Vocabulary,
    declare,
    read_vocabulary,
    suggestions,
)
from circuitkb.schema.errors import AnnotationFileError
from tests.annotations.shared_records import by, feature, record, store_at, take_in

HEAD = "concept,label,vocabulary,measure,expected,tolerance\n"
LABELS = "MATCH (l:Label) RETURN l.id, l.concept, l.measure, l.expected, l.tolerance ORDER BY l.id"


def parsed(folder: Path, text: str) -> Vocabulary:
    path = folder / "v.csv"
    path.write_text(text, encoding="utf-8")
    return read_vocabulary(path)


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_columns_may_come_in_any_order_and_but_two_may_be_left_out(
    tmp_path: Path, between: str
) -> None:
    text = "\ufefflabel, concept\n  high  low ,boundary\n\n".replace(",", between)
    assert parsed(tmp_path, text).entries == (Entry("boundary", "high low"),)


def test_a_label_is_the_one_of_the_records_however_its_accents_are_encoded(tmp_path: Path) -> None:
    text = unicodedata.normalize("NFD", "concept,label\ncourbé,détecteur\n")
    assert parsed(tmp_path, text).entries == (Entry("courbé", "détecteur"),)


def test_degrees_are_kept_as_every_store_reads_them(tmp_path: Path) -> None:
    text = HEAD + "a,b,,orientation,1_0.50,\na,c,,orientation,1e2,\n"
    assert [entry.expected for entry in parsed(tmp_path, text).entries] == ["10.5", "100"]


def test_an_orientation_has_a_tolerance_of_fifteen_degrees_if_none_is_named(tmp_path: Path) -> None:
    text = HEAD + "line,flat,,orientation,0,\nline,steep,,orientation,90,5\nline,any,,oriented,yes,"
    assert [entry.tolerance for entry in parsed(tmp_path, text).entries] == [15.0, 5.0, None]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("", ["has no header"]),
        ("label,x\n", ["no column 'concept'", "unknown column 'x'"]),
        ("concept,label\n", ["line 1: no label stands below it"]),
        ("concept,lable\na,b\n", ["unknown column 'lable'. Did you mean 'label'?"]),
        ("concept,label,label\na,b,c\n", ["two columns 'label'"]),
        ("concept,label\n,b\na,\n", ["line 2: concept is empty", "line 3: label is empty"]),
        ("concept,label\na,b\nc,b\n", ["line 3: 'b' means 'a' on line 2"]),
        ("concept,label\na,b\na, b \n", ["line 3: 'b' stands on line 2 already"]),
        ("concept,label\na,b,c\n", ["line 2: it has 3 cells and the header 2"]),
        (HEAD + "a,b,,size,1,\n", ["line 2: unknown measure 'size': oriented or orientation"]),
        (HEAD + "a,b,,oriented,maybe,\n", ["needs yes or no"]),
        (HEAD + "a,b,,oriented,yes,5\n", ["has no tolerance"]),
        (HEAD + "a,b,,orientation,up,\n", ["needs degrees from 0 to 180"]),
        (HEAD + "a,b,,orientation,200,\n", ["needs degrees from 0 to 180"]),
        (HEAD + "a,b,,orientation,nan,\n", ["needs degrees from 0 to 180"]),
        (HEAD + "a,b,,orientation,10,wide\n", ["tolerance is 'wide': it is no number"]),
        (HEAD + "a,b,,orientation,10,0\n", ["over 0 and at most 90"]),
        (HEAD + "a,b,,,yes,\n", ["expected and tolerance need a measure"]),
        (f"concept,label\n{'a' * 201},b\n", ["concept is too long (201 characters)"]),
        ('concept,label\n"a"b,c\n', ["line 2: a double quote inside a quoted cell"]),
        ("concept,label\na,b\0c\n", ["line 2: label: a NUL character"]),
        ("concept,label\na,b\x1bc\n", ["line 2: label has a control character (U+001B)"]),
        ("concept,label\na\u202eb,c\n", ["concept has a control character (U+202E)"]),
    ],
)
def test_every_mistake_is_told_with_its_line(tmp_path: Path, text: str, reasons: list[str]) -> None:
    with pytest.raises(AnnotationFileError) as refused:
        parsed(tmp_path, text)
    for reason in reasons:
        assert reason in str(refused.value)


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_bytes(b"concept,label\n\xff,b\n")
    with pytest.raises(AnnotationFileError, match="UTF-8"):
        read_vocabulary(tmp_path / "v.csv")
    with pytest.raises(AnnotationFileError, match="cannot be read"):
        read_vocabulary(tmp_path / "none.csv")


def test_a_declaration_holds_for_labels_of_now_and_of_later_imports(tmp_path: Path) -> None:
    store = store_at(tmp_path / "kb.ckb")
    ours = {"text": "curves", "vocabulary": "ours"}
    take_in(store, [record(label={"text": "Curve"}), record(label={"text": "dog"})], tmp_path)
    path = tmp_path / "v.csv"
    path.write_text(HEAD + "bent,Curve,,oriented,yes,\nbent,curves,ours,orientation,30,\n", "utf-8")
    report = declare(store, path)
    assert (report.labels, report.concepts, report.changed) == (2, 1, 2)
    assert report.undeclared == ("free:dog",)
    assert report.split == ()
    assert declare(store, path).changed == 0
    take_in(store, [record(label=ours, author=by("grace"))], tmp_path)
    assert store.read(LABELS).rows == [
        ("free:Curve", "bent", "oriented", "yes", None),
        ("free:dog", None, None, None, None),
        ("ours:curves", "bent", "orientation", "30", 15.0),
    ]
    assert ratings(store).concepts == ("bent", "dog")
    store.close()


def test_a_measure_is_taken_back_by_declaring_the_label_without_one(tmp_path: Path) -> None:
    store = store_at(tmp_path / "kb.ckb")
    take_in(store, [record()], tmp_path)
    path = tmp_path / "v.csv"
    changed = []
    for line in ("a,curve,,oriented,no,", "a,curve,,oriented,yes,", "a,curve,,,,", "a,curve,,,,"):
        path.write_text(f"{HEAD}{line}\n", encoding="utf-8")
        changed.append(declare(store, path).changed)
        assert len(measured_labels(store)) == ("oriented" in line)
    assert changed == [1, 1, 1, 0]
    assert "vocabulary file" in measured_labels(store).notes[0]
    store.close()


def test_a_label_declared_in_one_vocabulary_only_is_told(tmp_path: Path) -> None:
    store = store_at(tmp_path / "kb.ckb")
    ours = {"text": "Curve", "vocabulary": "ours"}
    take_in(store, [record(), record(label=ours, author=by("grace"))], tmp_path)
    path = tmp_path / "v.csv"
    path.write_text("concept,label,vocabulary\nbent,Curve,ours\n", encoding="utf-8")
    report = declare(store, path)
    assert report.split == ("free:curve",)
    assert "1 labels in use read like declared ones" in report.notes[0]
    store.close()


def test_a_file_with_a_mistake_changes_nothing(tmp_path: Path) -> None:
    store = store_at(tmp_path / "kb.ckb")
    take_in(store, [record()], tmp_path)
    before = store.read(LABELS).rows
    path = tmp_path / "v.csv"
    path.write_text("concept,label\na,curve\nb,curve\n", encoding="utf-8")
    with pytest.raises(AnnotationFileError, match="nothing was declared"):
        declare(store, path)
    assert store.read(LABELS).rows == before
    store.close()


def test_labels_that_look_alike_are_suggested_and_nothing_is_applied(tmp_path: Path) -> None:
    store = store_at(tmp_path / "kb.ckb")
    texts = [
        "Curve",
        "curve",
        "curves",
        "high-low frequency",
        "High-Low Frequencies",
        "dog",
        "orientation",
        "orientatoin",
    ]
    take_in(
        store,
        [record(target=feature(n), label={"text": text}) for n, text in enumerate(texts)],
        tmp_path,
    )
    before = store.read(LABELS).rows
    found = {
        (r["label"], r["other"]): (r["why"], r["count"], r["other_count"])
        for r in suggestions(store)
    }
    assert found == {
        ("free:Curve", "free:curve"): ("differ in case", 1, 1),
        ("free:Curve", "free:curves"): ("differ in case, hyphens or plural", 1, 1),
        ("free:curve", "free:curves"): ("differ in case, hyphens or plural", 1, 1),
        ("free:High-Low Frequencies", "free:high-low frequency"): (
            "differ in case, hyphens or plural",
            1,
            1,
        ),
        ("free:orientation", "free:orientatoin"): ("few letters differ", 1, 1),
    }
    assert store.read(LABELS).rows == before
    path = tmp_path / "v.csv"
    path.write_text("concept,label\nc,Curve\nc,curve\nother,curves\n", encoding="utf-8")
    declare(store, path)  # as one concept or as two: it is decided
    assert "free:Curve" not in suggestions(store)["label"]
    store.close()


def test_of_very_many_that_look_alike_the_best_are_kept_and_all_are_counted() -> None:
    rows = [(f"free:unit number {n:04}", f"unit number {n:04}", None, n) for n in range(600)]
    every = itertools.combinations(range(len(rows)), 2)
    likeness = ((i, j, fuzz.ratio(rows[i][1], rows[j][1])) for i, j in every)
    expected = [pair for pair in likeness if pair[2] >= ALIKE]
    pairs, count = alike(rows)
    expected.sort(key=lambda pair: (-pair[2], -(pair[0] + pair[1]), pair))
    assert count == len(expected)
    assert [pair[:2] for pair in pairs] == [pair[:2] for pair in expected[:SUGGESTED]]


def test_the_example_vocabulary_is_read_and_speaks_of_published_labels() -> None:
    resource = files("circuitkb.annotations") / "resources" / "inceptionv1-vocabulary.csv"
    with as_file(resource) as path:
        entries = read_vocabulary(path).entries
    published = (
        files("circuitkb.loaders.published") / "resources" / "inceptionv1" / "labels.csv"
    ).read_text(encoding="utf-8")
    for entry in entries:
        if entry.vocabulary:
            assert f",{entry.label}" in published
    assert {entry.measure for entry in entries} >= {"oriented", "orientation"}
