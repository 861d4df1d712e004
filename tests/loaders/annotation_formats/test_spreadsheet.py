"""Spreadsheets: columns become fields, and what a row lacks is told."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from circuitkb.loaders.annotation_formats.checking import problems_of
from circuitkb.loaders.annotation_formats.lines import Defaults, Line
from circuitkb.loaders.annotation_formats.recognition import open_annotations
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.ids import FeatureId

SAMPLES = Path(__file__).parent / "samples"


ONE, TWO = ("ckb:" + digit * 32 for digit in "12")


def lines_of(tmp_path: Path, data: str | bytes, **said: Any) -> list[Line]:
    path = tmp_path / "labels.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(open_annotations(path, format="csv", defaults=Defaults(**said)).lines)


def record_of(tmp_path: Path, cells: dict[str, str], **said: Any) -> dict[str, Any]:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([list(cells), list(cells.values())])
    (line,) = lines_of(tmp_path, text.getvalue(), **said)
    assert line.problem is None
    assert line.record is not None
    assert problems_of(line.record) == []
    return line.record


def problem_of(tmp_path: Path, cells: dict[str, str], **said: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([list(cells), list(cells.values())])
    (line,) = lines_of(tmp_path, text.getvalue(), **said)
    assert line.record is None
    assert line.problem is not None
    return line.problem


def test_a_target_a_label_and_an_author_are_enough() -> None:
    opened = open_annotations(SAMPLES / "spreadsheet.csv")
    assert opened.format == "csv"
    first, second, third = opened.lines
    assert [line.number for line in (first, second, third)] == [2, 3, 5]
    assert first.record == {
        "schema": "circuitkb.annotation/1",
        "kind": "label",
        "target": {"type": "feature", "model": "inceptionv1", "layer": "mixed4b", "unit": 418},
        "label": {"text": "dog head"},
        "author": {"id": "ada", "type": "human"},
        "method": "manual",
        "source": {"uri": "file:spreadsheet.csv"},
        "created": "2026-01-02",
        "license": "NOASSERTION",
        "confidence": 0.9,
    }
    assert second.record is not None
    assert third.record is not None
    assert second.record["label"]["text"] == "left,\nthen right"
    assert second.record["target"]["basis"] == "nmf"
    assert second.record["scores"] == [{"name": "iou", "value": 0.5}]
    assert third.record["label"]["text"] == "=edge"
    assert not any(problems_of(line.record) for line in (first, second, third))


def test_options_fill_what_rows_leave_out(tmp_path: Path) -> None:
    said: dict[str, Any] = {
        "author": "ada",
        "author_type": "group",
        "model": "m",
        "layer": "l",
        "vocabulary": "ours",
        "license": "CC0-1.0",
        "created": "2020-02-03",
        "source": "urn:x",
        "unit_base": 0,
    }
    found = record_of(tmp_path, {"unit": "3", "label": "curve"}, **said)
    assert found["target"] == {"type": "feature", "model": "m", "layer": "l", "unit": 3}
    assert found["author"] == {"id": "ada", "type": "group"}
    assert found["label"] == {"text": "curve", "vocabulary": "ours"}
    assert (found["license"], found["created"], found["source"]) == (
        "CC0-1.0",
        "2020-02-03",
        {"uri": "urn:x"},
    )


def test_every_column_has_its_field(tmp_path: Path) -> None:
    found = record_of(
        tmp_path,
        {
            "id": "https://x.org/1",
            "kind": "role",
            "target": "m/l@nmf:0",
            "label": "curve",
            "vocabulary": "v",
            "concept": "c",
            "lang": "en",
            "text": "seen often",
            "sign": "mixed",
            "confidence": "1",
            "aspect": "purity",
            "author": "ada",
            "author_type": "group",
            "author_name": "A",
            "orcid": "0000-0000-0000-000X",
            "method": "crowd",
            "source": "urn:x",
            "source_path": "p",
            "source_commit": "abcdef0",
            "locator": "page 3",
            "created": "2020-01-01T00:00:00Z",
            "license": "MIT",
            "fingerprint": "0" * 64,
            "supersedes": f"{ONE} {TWO}",
            "scores": '[{"name": "s", "value": 1}]',
            "evidence": '[{"type": "other"}]',
            "ext": '{"a": 1}',
            "ext.note": "mine",
        },
    )
    assert found == {
        "schema": "circuitkb.annotation/1",
        "id": "https://x.org/1",
        "kind": "role",
        "target": {
            "type": "feature",
            "model": "m",
            "layer": "l",
            "unit": 0,
            "basis": "nmf",
            "fingerprint": "0" * 64,
        },
        "label": {"text": "curve", "vocabulary": "v", "concept": "c", "lang": "en"},
        "text": "seen often",
        "sign": "mixed",
        "confidence": 1.0,
        "aspect": "purity",
        "author": {"id": "ada", "type": "group", "name": "A", "orcid": "0000-0000-0000-000X"},
        "method": "crowd",
        "source": {"uri": "urn:x", "path": "p", "commit": "abcdef0", "locator": "page 3"},
        "created": "2020-01-01T00:00:00Z",
        "license": "MIT",
        "supersedes": [
            ONE,
            TWO,
        ],
        "scores": [{"name": "s", "value": 1}],
        "evidence": [{"type": "other"}],
        "ext": {"a": 1, "note": "mine"},
    }


def test_a_target_may_be_repeated_in_parts(tmp_path: Path) -> None:
    cells = {"target": "m/l:1", "model": "m", "layer": "l", "label": "x", "author": "ada"}
    assert record_of(tmp_path, cells)["target"]["unit"] == 1


def test_edges_circuits_and_annotations_are_targets_too(tmp_path: Path) -> None:
    edge = record_of(
        tmp_path,
        {
            "source_unit": "m/a:1",
            "target_unit": "m/b:2",
            "kind": "claim",
            "text": "excites",
            "author": "ada",
        },
    )
    assert edge["target"] == {
        "type": "edge",
        "source": {"model": "m", "layer": "a", "unit": 1},
        "target": {"model": "m", "layer": "b", "unit": 2},
    }
    members = '[{"unit": {"model": "m", "layer": "a", "unit": 1}}]'
    circuit = record_of(
        tmp_path, {"circuit": "c", "members": members, "label": "x", "author": "ada"}
    )
    assert circuit["target"]["members"][0]["unit"]["layer"] == "a"
    review = record_of(
        tmp_path,
        {
            "annotation": ONE,
            "kind": "review",
            "verdict": "agree",
            "author": "ada",
        },
    )
    assert review["target"] == {"type": "annotation", "id": ONE}


@pytest.mark.parametrize(("base", "expected"), [(0, 418), (1, 417)])
def test_units_count_from_where_the_user_says(tmp_path: Path, base: int, expected: int) -> None:
    cells = {"model": "m", "layer": "l", "unit": "418", "label": "x", "author": "ada"}
    assert record_of(tmp_path, cells, unit_base=base)["target"]["unit"] == expected


def test_a_feature_id_counts_from_zero_whatever_the_base(tmp_path: Path) -> None:
    found = record_of(tmp_path, {"target": "m/l:1", "label": "x", "author": "ada"}, unit_base=1)
    assert found["target"]["unit"] == 1


@pytest.mark.parametrize(
    ("header", "said", "option"),
    [
        ("target,label", {}, "--author"),
        ("unit,label,model,layer,author", {}, "--unit-base"),
        ("unit,label,layer,author", {"unit_base": 0}, "--model"),
        ("unit,label,model,author", {"unit_base": 0}, "--layer"),
    ],
)
def test_what_nobody_says_is_asked_for_by_its_option(
    tmp_path: Path, header: str, said: dict[str, Any], option: str
) -> None:
    with pytest.raises(AnnotationFileError, match=option):
        lines_of(tmp_path, header + "\n", **said)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("target,lable,author", "unknown column 'lable'. Did you mean 'label'"),
        ("target,label,author,colour", "'colour'. A column of your own is called ext.NAME"),
        ("target,label,label,author", "two columns 'label'"),
        ("label,author", "no column that says what a row is about"),
        ('"target,label', "no header"),
        ("", "no header"),
        ("target,label\rm/l:1,x", "old Macs"),
    ],
)
def test_a_header_that_cannot_be_right_is_refused(tmp_path: Path, header: str, reason: str) -> None:
    with pytest.raises(AnnotationFileError, match=reason):
        lines_of(tmp_path, header + "\n", author="ada")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_semicolons_and_tabs_are_recognised(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "labels.txt"
    rows = [["Target ", "LABEL", "author"], ["m/l:1", "a, b; c", "ada"]]
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream, delimiter=delimiter).writerows(rows)
    opened = open_annotations(path)
    (line,) = opened.lines
    assert opened.format == "csv"
    assert line.record is not None
    assert line.record["label"]["text"] == "a, b; c"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("'=1+1", "=1+1"),
        ("'+curve", "+curve"),
        ("'-x", "-x"),
        ("'@home", "@home"),
        ("''tis", "'tis"),
        ("''=x", "'=x"),
        ("'tis", "'tis"),
        ("-0.5", "-0.5"),
        ("+1e3", "+1e3"),
        ("a=b", "a=b"),
        (" =x", " =x"),
    ],
)
def test_an_apostrophe_of_the_export_is_taken_away_exactly(
    tmp_path: Path, cell: str, text: str
) -> None:
    cells = {"target": "m/l:1", "label": cell, "author": "ada"}
    assert record_of(tmp_path, cells)["label"]["text"] == text


@pytest.mark.parametrize(
    "cell", ["=1+1", "+curve", "-x", "@SUM(A1)", "\t=x", "\r=x", '=HYPERLINK("http://x")', "-1-1"]
)
def test_a_formula_is_rejected_in_every_column(tmp_path: Path, cell: str) -> None:
    for name in ("label", "text", "locator", "author"):
        cells = {"target": "m/l:1", "label": "x", "author": "ada"} | {name: cell}
        assert problem_of(tmp_path, cells).startswith(f"{name}: ")
        assert "looks like a spreadsheet formula" in problem_of(tmp_path, cells)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"target": "l:1"}, "target: 'l:1' is no feature id"),
        ({"target": "m/l:-1"}, "is no feature id"),
        ({"target": "", "circuit": ""}, "does not say what it is about"),
        ({"target": "m/l:1", "circuit": "c"}, "one thing, not two"),
        ({"source_unit": "m/a:1", "target_unit": ""}, "an edge has two ends"),
        ({"source_unit": "", "target_unit": "m/a:1"}, "an edge has two ends"),
        ({"unit": "1.5"}, "unit: '1.5' is no whole number"),
        ({"unit": "x"}, "unit: 'x' is no whole number"),
        ({"unit": "٣"}, "is no whole number"),
        ({"unit": "9" * 19}, "is no whole number"),
        ({"unit": "0"}, "unit: '0' is below 1"),
        ({"target": "m/l:1", "confidence": "0,9"}, "confidence: '0,9' is no number"),
        ({"target": "m/l:1", "confidence": "nan"}, "is no number"),
        ({"target": "m/l:1", "confidence": "1e999"}, "is no number"),
        ({"target": "m/l:1", "scores": "iou=1"}, "scores: no JSON"),
        ({"target": "m/l:1", "evidence": '[{"a": 1, "a": 2}]'}, "stands twice"),
        ({"target": "m/l:1", "ext": "[1]"}, "ext: it is no JSON object"),
        ({"target": "m/l:1", "author": ""}, "author: it is empty"),
        ({"target": "m/l:1", "label": "", "lang": "en"}, "label: it is empty"),
        ({"target": "m/l:1", "layer": "k"}, "layer: it says nothing of a row about 'target'"),
        ({"circuit": "c", "basis": "nmf"}, "basis: it says nothing"),
        (
            {"annotation": ONE, "fingerprint": "0"},
            "fingerprint: it says nothing",
        ),
        ({"target": "m/l:1", "members": "[]"}, "members: it says nothing"),
        ({"target": "m/l:1", "label": "a\0b"}, "label: a NUL character"),
        ({"target": "m/l:1", "label": "a\0é"}, "label: a NUL character"),
    ],
)
def test_a_row_that_cannot_be_right_is_told(
    tmp_path: Path, cells: dict[str, str], reason: str
) -> None:
    row = {"label": "x", "author": "ada"} | cells
    said: dict[str, Any] = {"unit_base": 1, "model": "m", "layer": "l"} if "unit" in row else {}
    assert reason in problem_of(tmp_path, row, **said)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"m/l:1,x", "2 cells and the header 3"),
        (b"m/l:1,x, y,ada", "4 cells and the header 3; a text with a comma in it"),
        (b"m/l:1,caf\xe9,ada", "label: no UTF-8: byte 0xE9 at 4; save the file as 'CSV UTF-8'"),
        (b'm/l:1,"a"b,ada', "must be written twice"),
        (b"m/l:1,a\rb,ada", "a carriage return"),
        (b"m/l:1," + b"x" * 2**21 + b",ada", "longer than 1 MiB"),
    ],
)
def test_a_row_that_cannot_be_read_is_told_and_reading_goes_on(
    tmp_path: Path, row: bytes, reason: str
) -> None:
    lines = lines_of(
        tmp_path, b'target,label,author\nm/l:0,"a\nb",ada\n' + row + b"\n\nm/l:2,z,ada\n"
    )
    assert [line.number for line in lines] == [2, 4, 6]
    assert [line.record is None for line in lines] == [False, True, False]
    assert reason in (lines[1].problem or "")


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(tmp_path: Path) -> None:
    good = b"m/l:2,z,ada\n" * 40_000
    lines = lines_of(tmp_path, b'target,label,author\nm/l:1,"open,ada\n' + good)
    assert lines[0].number == 2
    assert "double quote not closed" in (lines[0].problem or "")
    told = sum(line.record is not None for line in lines)
    assert told > 25_000
    assert lines[-1].number == 40_002


def test_rows_may_end_in_empty_cells_and_be_empty(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, "target,label,author,,\nm/l:1,x,ada,,,\n,,,,\nm/l:2,x,ada,,y\n")
    assert [(line.number, line.record is None) for line in lines] == [(2, False), (4, True)]
    assert lines[1].problem == "'y' stands in a column without a name"


@pytest.mark.parametrize(
    "feature", [FeatureId("m", "l", 0), FeatureId("m", "a/b.c", 12, basis="nmf")]
)
def test_a_target_is_written_as_everywhere_else(tmp_path: Path, feature: FeatureId) -> None:
    target = record_of(tmp_path, {"target": str(feature), "label": "x", "author": "ada"})["target"]
    assert (
        FeatureId(target["model"], target["layer"], target["unit"], target.get("basis")) == feature
    )
