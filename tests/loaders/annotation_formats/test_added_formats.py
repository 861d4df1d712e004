"""A format of another package, in one file: recognised, read and named as ours are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from circuitkb.loaders.annotation_formats.lines import Defaults
from circuitkb.loaders.annotation_formats.recognition import FORMATS, open_annotations
from circuitkb.schema.errors import AnnotationFileError, PluginError
from circuitkb.schema.registry import PluginWarning
from tests.other_packages import installed

NOTES = """
from circuitkb.loaders.annotation_formats.defaults import FileLabels
from circuitkb.loaders.annotation_formats.format import AnnotationFormat
from circuitkb.loaders.annotation_formats.lines import Line
from circuitkb.schema.ids import FeatureId


def read(path, defaults):
    labels = FileLabels(path, defaults)
    for number, line in enumerate(path.read_text().splitlines()[1:], start=2):
        feature, _, text = line.partition(": ")
        unit = FeatureId.parse(feature)
        target = {"type": "feature", "model": unit.model, "layer": unit.layer, "unit": unit.unit}
        author = {"id": "ada", "type": "human"}
        yield Line(number, labels.record(target=target, text=text, author=author, method="manual"))


NOTES = AnnotationFormat(
    "notes", "notes of our lab", lambda head: head.text.startswith("# notes"), read
)
"""


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "ada.csv"  # what a file says goes before its name
    file.write_text("# notes\nm/conv1:3: curves\nm/conv1:7: dog, or cat\n")
    with installed(tmp_path, FORMATS, "lab_notes", NOTES, notes="lab_notes:NOTES"):
        yield file


def test_a_file_in_it_is_recognised_and_read(notes: Path) -> None:
    opened = open_annotations(notes)
    lines = list(opened.lines)
    assert opened.format == "notes"
    assert [(line.number, line.record["label"]["text"]) for line in lines if line.record] == [
        (2, "curves"),
        (3, "dog, or cat"),
    ]


def test_it_is_named_where_ours_are(notes: Path, tmp_path: Path) -> None:
    assert FORMATS.names[-1] == "notes"
    assert open_annotations(notes, format="notes").format == "notes"
    (tmp_path / "other.txt").write_text("hello\n")
    with pytest.raises(AnnotationFileError, match="milan, notes"):
        open_annotations(tmp_path / "other.txt")
    with pytest.raises(AnnotationFileError, match="Did you mean 'notes'"):
        open_annotations(notes, format="note")


def test_ours_are_read_as_before(notes: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("target,label,author\nm/conv1:3,curves,ada\n")
    (line,) = open_annotations(sheet, defaults=Defaults()).lines
    assert line.record is not None


@pytest.mark.parametrize("code", ["1 / 0", "raise ValueError('no such\\nluck')"])
def test_one_that_fails_is_passed_over_and_named(tmp_path: Path, code: str) -> None:
    broken = NOTES.replace('lambda head: head.text.startswith("# notes")', "fails")
    broken = broken.replace("def read", f"def fails(head):\n    {code}\n\n\ndef read")
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("target,label,author\nm/conv1:3,curves,ada\n")
    with (
        installed(tmp_path, FORMATS, "broken", broken, notes="broken:NOTES"),
        pytest.warns(PluginWarning, match=r"'notes' of the package 'broken' fails: \w+: [^\n]+$"),
    ):
        assert open_annotations(sheet).format == "csv"


def test_a_file_that_it_fails_at_is_one_error_that_names_it(tmp_path: Path) -> None:
    careless = NOTES.replace('line.partition(": ")', "line.split(9)")
    file = tmp_path / "notes.txt"
    file.write_text("# notes\nm/conv1:3: curves\n")
    with (
        installed(tmp_path, FORMATS, "careless", careless, notes="careless:NOTES"),
        pytest.raises(PluginError, match="'notes' of the package 'careless' fails: TypeError"),
    ):
        list(open_annotations(file).lines)
