"""Which format a file is in; and that no bytes at all break the reading."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circuitkb.loaders.annotation_formats import strict_json
from circuitkb.loaders.annotation_formats.checking import problems_of
from circuitkb.loaders.annotation_formats.lines import Defaults
from circuitkb.loaders.annotation_formats.recognition import FORMATS, open_annotations
from circuitkb.schema.errors import AnnotationFileError

SAMPLES = Path(__file__).parent / "samples"
SAID = Defaults(author="ada", model="m", layer="conv2d0", unit_base=0)


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(AnnotationFileError) as caught:
        open_annotations(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"hello\nworld\n", "in none of the formats jsonl, csv, bundle"),
        (b"a,b\n1,2\n", "A table needs a header"),
        (b'{"a": 1}', "a record has schema, kind and target"),
        (b'{\n  "a": 1\n}', "a record has schema, kind and target"),
        (b"[1, 2]", "a label list of Distill has name and units"),
        (b'[{"schema": "circuitkb.annotation/1"}]', "Write one record a line"),
        (gzip.compress(b"{}", mtime=0), "Unpack it first"),
        (b"\x89PNG\r\n\x1a\n", "in none of the formats"),
    ],
)
def test_a_file_in_no_known_format_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    assert reason in refused(tmp_path / "file.txt", data)


def test_a_workbook_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "labels.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    assert "Save its sheet as 'CSV UTF-8'" in refused(path, path.read_bytes())


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match="not there"):
        open_annotations(tmp_path / "none.csv")
    with pytest.raises(AnnotationFileError, match="a folder"):
        open_annotations(tmp_path)


def test_an_unknown_format_is_answered_with_a_near_one() -> None:
    with pytest.raises(AnnotationFileError, match="Did you mean 'netdissect'"):
        open_annotations(SAMPLES / "records.jsonl", format="net-dissect")


def test_a_file_without_records_has_none(tmp_path: Path) -> None:
    path = tmp_path / "ada.jsonl"
    path.touch()
    assert list(open_annotations(path).lines) == []


def test_a_bad_first_line_does_not_hide_the_format(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(b'{"schema": oops\n' + (SAMPLES / "records.jsonl").read_bytes())
    opened = open_annotations(path)
    lines = list(opened.lines)
    assert opened.format == "jsonl"
    assert [line.record is None for line in lines] == [True, False, False]


@pytest.mark.parametrize("name", ["distill", "netdissect", "clip-dissect", "milan", "csv"])
def test_a_format_that_is_named_and_not_there_is_refused(name: str) -> None:
    with pytest.raises(AnnotationFileError):
        open_annotations(SAMPLES / "records.jsonl", format=name, defaults=SAID)


def test_one_document_may_be_of_a_limited_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (SAMPLES / "graph.json").read_bytes()
    path = tmp_path / "graph.json"
    path.write_bytes(data)
    monkeypatch.setattr(strict_json, "MOST_BYTES", len(data))
    open_annotations(path, defaults=SAID)
    monkeypatch.setattr(strict_json, "MOST_BYTES", len(data) - 1)
    with pytest.raises(AnnotationFileError, match="larger than"):
        open_annotations(path, defaults=SAID)


_PIECES = st.sampled_from(
    [
        b'"',
        b"'",
        b",",
        b";",
        b"\t",
        b"\n",
        b"\r",
        b"\r\n",
        b"\0",
        b"\xff",
        b"\xe9",
        b"=",
        b"-",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b"\\",
        b"\\ud800",
        b"1e999",
        b"NaN",
        b"null",
        b"true",
        b'"schema"',
        b'"target"',
        b'"label"',
        b'"units"',
        b'"name"',
        b'"modelId"',
        b'"layer"',
        b'"index"',
        b'"description"',
        b'"supernodes"',
        b'"clerps"',
        b'"nodes"',
        b'"metadata"',
        b'"qParams"',
        b"target,label,author\n",
        b"unit,category,label,score\n",
        b"layer,unit,description\n",
        b"layer,unit,description,similarity\n",
        b"m/l:1",
        b"model,layer,unit,label\n",
        b"1,object,dog,0.5\n",
        b"conv1,0,red,0.5\n",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"PK",
        b"9" * 30,
        "é😀".encode(),
    ]
)
_BYTES = st.one_of(st.binary(max_size=200), st.lists(_PIECES, max_size=30).map(b"".join))


@pytest.mark.parametrize("name", [None, *(name for name in FORMATS.names if name != "bundle")])
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=_BYTES)
def test_any_bytes_give_lines_or_one_error(tmp_path: Path, name: str | None, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    try:
        lines = list(open_annotations(path, format=name, defaults=SAID).lines)
    except AnnotationFileError:
        return
    for line in lines:
        assert (line.record is None) == (line.problem is not None)
        assert 1 <= line.number <= data.count(b"\n") + 1 or name not in ("jsonl", "csv")
    numbers = [line.number for line in lines]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (
            "license",
            "MIT OR Apache-2.0",
            "is not one licence of the SPDX list (CC-BY-4.0, CC0-1.0)",
        ),
        ("license", "CC BY 4.0", "is not one licence of the SPDX list"),
        ("id", "7", "is not an id of an annotation (ckb: and 32 digits"),
        (
            "supersedes",
            ["the older one"],
            "supersedes[0]: 'the older one' is not an id of an annot",
        ),
        (
            "label",
            {"text": "a", "lang": "english!"},
            "label.lang: 'english!' is not a tag of a lang",
        ),
        (
            "author",
            {"id": "a", "type": "human", "orcid": "1"},
            "is not an ORCID iD (0000-0002-1825",
        ),
        ("source", {"uri": "x", "commit": "main"}, "source.commit: 'main' is not a commit of git"),
        (
            "target",
            {"type": "feature", "model": "My Net", "layer": "l", "unit": 1},
            "target.model: 'My Net' is not a name (small letters",
        ),
        ("target", {"type": "circuit", "id": "Ours!"}, "target.id: 'Ours!' is not a name"),
    ],
)
def test_what_is_written_wrongly_is_told_in_words_and_not_as_a_pattern(
    field: str, value: object, said: str
) -> None:
    given = {
        "schema": "circuitkb.annotation/1",
        "kind": "label",
        "label": {"text": "curve"},
        "target": {"type": "feature", "model": "m", "layer": "l", "unit": 3},
        "author": {"id": "ada", "type": "human"},
        "method": "manual",
        "source": {"uri": "x"},
        "created": "2020-01-01",
        "license": "CC0-1.0",
    }
    assert problems_of(given) == []
    (problem,) = problems_of(given | {field: value})
    assert said in problem
    assert "^" not in problem


def test_a_review_names_what_it_is_about_by_an_id_of_an_annotation() -> None:
    review = {
        "schema": "circuitkb.annotation/1",
        "kind": "review",
        "verdict": "agree",
        "target": {"type": "annotation", "id": "label 7 of ours"},
        "author": {"id": "ada", "type": "human"},
        "method": "manual",
        "source": {"uri": "x"},
        "created": "2020-01-01",
        "license": "CC0-1.0",
    }
    (problem,) = problems_of(review)
    assert problem.startswith("target.id: 'label 7 of ours' is not an id of an annotation")
