"""Our own format: every bad line is told, and no good one is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from circuitkb.loaders.annotation_formats.json_lines import MOST_LINE, read_json_lines
from circuitkb.loaders.annotation_formats.lines import Line
from circuitkb.loaders.annotation_formats.recognition import open_annotations
from circuitkb.schema.errors import AnnotationFileError

SAMPLES = Path(__file__).parent / "samples"


def lines_of(tmp_path: Path, data: bytes) -> list[Line]:
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    return list(read_json_lines(path))


def test_each_line_is_a_record_and_a_blank_one_is_counted() -> None:
    opened = open_annotations(SAMPLES / "records.jsonl")
    lines = list(opened.lines)
    assert opened.format == "jsonl"
    assert [line.number for line in lines] == [1, 3]
    assert lines[1].record is not None
    assert lines[1].record["text"] == "café"


def test_a_line_is_plain_where_every_character_is_printable_ascii(tmp_path: Path) -> None:
    data = b'{"a": "b/~"}\n{"a": "\\u0007"}\n{"a": "\x7f"}\n' + '{"a": "é"}\n'.encode()
    assert [line.plain for line in lines_of(tmp_path, data)] == [True, False, False, False]


BAD = {
    b"\xff{}": "no UTF-8: byte 0xFF at 1",
    '{"a": "é"}'.encode("cp1252"): "no UTF-8: byte 0xE9 at 8",
    b"[1]": "a record is a JSON object",
    b"null": "a record is a JSON object",
    b'"text"': "a record is a JSON object",
    b"{": "no JSON",
    b'{"a": 1': "no JSON: expecting ',' delimiter at its end",
    b"{'a': 1}": "no JSON",
    b'{"a": 1,}': "no JSON",
    b'{"a": 1} {"b": 2}': "no JSON: extra data at 10",
    b'{"a": 1}garbage': "no JSON: extra data",
    b'{"a": "\x00"}': "no JSON: invalid control character",
    b'{"a": 1, "a": 1}': "the key 'a' stands twice",
    b'{"a": {"b": 1, "c": 2, "b": 3}}': "the key 'b' stands twice",
    b'{"a": NaN}': "NaN is no number",
    b'{"a": Infinity}': "Infinity is no number",
    b'{"a": -Infinity}': "-Infinity is no number",
    b'{"a": 1e999}': "1e999 is beyond every finite number",
    b'{"a": -1e999}': "-1e999 is beyond every finite number",
    b'{"a": ' + b"9" * 5000 + b"}": "5,000 digits",
    b'{"a": -' + b"9" * 19 + b"}": "19 digits",
    b'{"a": 0.' + b"9" * 5000 + b"e400}": "beyond every finite number",
    b'{"a": "\\ud800"}': r"\ud800 is half of a surrogate pair",
    b'{"\\udfff": 1}': r"\udfff is half of a surrogate pair",
    b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}": "deeper than 64 levels",
    b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}": "deeper than 64 levels",
    b'{"a":' * 5000 + b"1" + b"}" * 5000: "deeper than 64 levels",
    b'{"a": "' + b"x" * MOST_LINE + b'"}': "longer than 1 MiB",
    b"x" * (5 * MOST_LINE): "longer than 1 MiB",
}


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: repr(bad[:40]))
def test_a_bad_line_is_told_with_its_number_and_reading_goes_on(tmp_path: Path, bad: bytes) -> None:
    lines = lines_of(tmp_path, b'{"first": 1}\n' + bad + b'\n{"last": 2}\n')
    assert [line.record for line in lines] == [{"first": 1}, None, {"last": 2}]
    assert [line.number for line in lines] == [1, 2, 3]
    assert BAD[bad] in (lines[1].problem or "")


def test_a_bad_last_line_without_an_end_is_told(tmp_path: Path) -> None:
    assert [line.problem is None for line in lines_of(tmp_path, b'{"a": 1}\n{"b"')] == [True, False]


def test_what_is_unusual_and_right_is_taken(tmp_path: Path) -> None:
    data = '\ufeff{"a": "é\\ud83d\\ude00"}\r\n\r\n  {"b": -0.5e-3}  \n'.encode()
    assert [(line.number, line.record) for line in lines_of(tmp_path, data)] == [
        (1, {"a": "é😀"}),
        (3, {"b": -0.0005}),
    ]


def test_sixty_four_levels_are_taken(tmp_path: Path) -> None:
    text = '{"a":' + "[" * 63 + "]" * 63 + "}"
    assert lines_of(tmp_path, text.encode())[0].record == json.loads(text)


def test_a_line_of_just_one_mebibyte_is_taken(tmp_path: Path) -> None:
    data = b'{"a": "' + b"x" * (MOST_LINE - 9) + b'"}'
    assert len(data) == MOST_LINE
    assert [line.problem for line in lines_of(tmp_path, data + b"\r\n" + data)] == [None, None]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_recognised_and_the_remedy_told(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes((SAMPLES / "records.jsonl").read_text("utf-8").encode(encoding))
    with pytest.raises(AnnotationFileError, match=r"UTF-16 or UTF-32. Save it as UTF-8"):
        open_annotations(path)
