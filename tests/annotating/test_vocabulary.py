"""A vocabulary file: read whole or refused with every mistake, declared, and never guessed."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import pytest

from circuitkb.annotating.ratings import ratings
from circuitkb.annotating.vocabulary import (
    Entry,
    declare,
    parse_vocabulary,
    read_vocabulary,
    suggestions,
)
from circuitkb.schema.errors import AnnotationFileError
from tests.annotating.shared_records import by, feature, record, store_at, take_in

HEAD = "concept,label,vocabulary,measure,expected,tolerance\n"
LABELS = "MATCH (l:Label) RETURN l.id, l.concept, l.measure, l.expected, l.tolerance ORDER BY l.id"


def test_columns_may_come_in_any_order_and_but_two_may_be_left_out() -> None:
    text = "label, concept\n  high  low ,boundary\n\n"
    assert parse_vocabulary(text, "v").entries == (Entry("boundary", "high low"),)


def test_an_orientation_has_a_tolerance_of_fifteen_degrees_if_none_is_named() -> None:
    text = HEAD + "line,flat,,orientation,0,\nline,steep,,orientation,90,5\nline,any,,oriented,yes,"
    assert [entry.tolerance for entry in parse_vocabulary(text, "v").entries] == [15.0, 5.0, None]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("", ["line 1: there is no column 'concept'", "no column 'label'"]),
        ("concept,label\n", ["line 1: it declares no label"]),
        ("concept,lable\na,b\n", ["unknown column 'lable'. Did you mean 'label'?"]),
        ("concept,label,label\na,b,c\n", ["column 'label' is there 2 times"]),
        ("concept,label\n,b\na,\n", ["line 2: concept is empty", "line 3: label is empty"]),
        ("concept,label\na,b\nc,b\n", ["line 3: 'b' means 'a' on line 2"]),
        ("concept,label\na,b\na, b \n", ["line 3: 'b' stands on line 2 already"]),
        ("concept,label\na,b,c\n", ["line 2: more cells than columns"]),
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
        ('concept,label\n"a"b,c\n', ["no CSV"]),
    ],
)
def test_every_mistake_is_told_with_its_line(text: str, reasons: list[str]) -> None:
    with pytest.raises(AnnotationFileError) as refused:
        parse_vocabulary(text, "v.csv")
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
    texts = ["Curve", "curve", "curves", "high-low frequency", "High-Low Frequencies", "dog",
             "orientation", "orientatoin"]  # fmt: skip
    take_in(store, [record(target=feature(n), label={"text": text})
                    for n, text in enumerate(texts)], tmp_path)  # fmt: skip
    before = store.read(LABELS).rows
    found = {(r["label"], r["other"]): (r["why"], r["count"], r["other_count"])
             for r in suggestions(store)}  # fmt: skip
    assert found == {
        ("free:Curve", "free:curve"): ("differ in case", 1, 1),
        ("free:Curve", "free:curves"): ("differ in case, hyphens or plural", 1, 1),
        ("free:curve", "free:curves"): ("differ in case, hyphens or plural", 1, 1),
        ("free:High-Low Frequencies", "free:high-low frequency"): (
            "differ in case, hyphens or plural", 1, 1),
        ("free:orientation", "free:orientatoin"): ("few letters differ", 1, 1),
    }  # fmt: skip
    assert store.read(LABELS).rows == before
    path = tmp_path / "v.csv"
    path.write_text("concept,label\nc,Curve\nc,curve\nc,curves\n", encoding="utf-8")
    declare(store, path)
    assert "free:Curve" not in suggestions(store)["label"]
    store.close()


def test_the_example_vocabulary_is_read_and_speaks_of_published_labels() -> None:
    resource = files("circuitkb.annotating") / "resources" / "inceptionv1-vocabulary.csv"
    with as_file(resource) as path:
        entries = read_vocabulary(path).entries
    published = (files("circuitkb.loaders") / "resources" / "inceptionv1" / "labels.csv").read_text(
        encoding="utf-8"
    )
    for entry in entries:
        if entry.vocabulary:
            assert f",{entry.label}" in published
    assert {entry.measure for entry in entries} >= {"oriented", "orientation"}
