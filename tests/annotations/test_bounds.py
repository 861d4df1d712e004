"""Inputs without an end or measure: refused in a line, or read in time that grows evenly."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from circuitkb.annotations.comparing.vocabulary import VocabularyReport, read_vocabulary
from circuitkb.annotations.merging import AnnotationHistory
from circuitkb.annotations.standard_input import keep
from circuitkb.loaders.annotation_formats.lines import Defaults
from circuitkb.loaders.annotation_formats.plain_files import MOST_WITHOUT_LINE, in_pieces
from circuitkb.loaders.annotation_formats.recognition import open_annotations
from circuitkb.loaders.annotation_formats.table import MOST_COLUMNS
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.records import canonical_record
from tests.annotations.shared_records import record

SAID = Defaults(author="ada", model="m", layer="l", unit_base=0)


def read(path: Path) -> int:
    return sum(1 for _ in open_annotations(path, defaults=SAID).lines)


def table(columns: int) -> str:
    return "target,label," + ",".join(f"ext.{i}" for i in range(columns)) + "\n"


def same_quotes(size: int) -> str:
    return f"target,label,confidence\nm/l:0,a,-{'1' * size}e\n"


def supernodes(size: int) -> str:
    return json.dumps({"modelId": "m", "slug": "s", "supernodes": [["a"]] * size, "clerps": []})


def commas(size: int) -> str:
    return f'[{{"name": "a", "units": [1{", " * size}]}}]'


def deep(size: int) -> str:
    return f'{{"qParams": {{}}, "nodes": {"[" * size}{"]" * size}}}'


@pytest.mark.parametrize(
    ("write", "size"),
    [(same_quotes, 25_000), (supernodes, 3_000), (commas, 50_000), (deep, 200_000), (table, 2_000)],
)
def test_four_times_as_much_takes_no_sixteen_times_as_long(
    tmp_path: Path, write: Callable[[int], str], size: int
) -> None:
    def took(times: int) -> float:
        path = tmp_path / ("x.csv" if write in (table, same_quotes) else "x.json")
        path.write_text(write(size * times), "utf-8")
        start = time.process_time()
        with suppress(AnnotationFileError):
            read(path)
        return time.process_time() - start

    took(1)  # imports
    assert took(4) < 0.05 + 10 * min(took(1) for _ in range(3))


def test_a_table_of_a_hundred_thousand_columns_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(table(100_000), "utf-8")
    start = time.process_time()
    with pytest.raises(AnnotationFileError, match="100,002 columns, and 10,000 may stand"):
        read(path)
    assert time.process_time() - start < 2
    path.write_text("target,label," + ",".join(["ext.c"] * (MOST_COLUMNS - 2)) + "\n", "utf-8")
    with pytest.raises(AnnotationFileError, match=r"two columns 'ext\.c'"):
        read(path)


def test_thousands_of_records_under_one_id_are_compared_with_one_of_them() -> None:
    told, calls = AnnotationHistory(), 3_000
    records = [
        canonical_record(record(id=f"urn:uuid:{0:032d}", label={"text": f"{n}"}))
        for n in range(calls)
    ]
    start = time.process_time()
    assert [told.add(each) for each in records] == ["new", *["conflicting"] * (calls - 1)]
    assert told.state == "contested"
    assert time.process_time() - start < 2  # 20 s when each was held against all


@pytest.mark.parametrize("name", ["labels.csv", "labels.jsonl"])
def test_pipes_and_devices_are_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    for path in (tmp_path / name, Path("/dev/zero")):
        for take in (read, read_vocabulary, lambda path: list(in_pieces(path))):
            with pytest.raises(AnnotationFileError, match=r"pipe or a device.*import -"):
                take(path)


def test_a_file_of_a_terabyte_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "holes.jsonl"
    with path.open("wb") as file:
        file.truncate(2**40)
    for take in (read, read_vocabulary):
        with pytest.raises(AnnotationFileError, match="larger than 16 GiB"):
            take(path)


class Endless(io.RawIOBase):
    """A pipe whose other end writes for ever."""

    def __init__(self, piece: bytes) -> None:
        self.piece = piece
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        self.given += len(self.piece)
        return self.piece


def test_a_pipe_that_never_ends_is_let_go(tmp_path: Path, monkeypatch: Any) -> None:
    zeros = Endless(bytes(2**20))
    with pytest.raises(AnnotationFileError, match="standard input has a line of more than 128"):
        keep(zeros, tmp_path / "standard input")  # type: ignore[arg-type]
    assert zeros.given <= MOST_WITHOUT_LINE + 2**20
    monkeypatch.setattr("circuitkb.annotations.standard_input.MOST_PIPED", 2**22)
    with pytest.raises(AnnotationFileError, match="longer than 0 GiB"):
        keep(Endless(b"x\n" * 2**19), tmp_path / "standard input")  # type: ignore[arg-type]


def test_a_vocabulary_of_many_mistakes_tells_the_first_of_them(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("concept,label\n" + ",x\n" * 50_000, "utf-8")
    with pytest.raises(AnnotationFileError) as refused:
        read_vocabulary(path)
    lines = str(refused.value).splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  and 49,980 more"


def test_a_report_of_many_undeclared_labels_grows_evenly() -> None:
    labels = tuple(f"free:{n}" for n in range(20_000))
    start = time.process_time()
    found = VocabularyReport("v.csv", 1, 1, 1, labels, labels[:5_000]).to_result()
    assert len(found) == 20_000
    assert time.process_time() - start < 1
