"""docs/annotation_formats.md says what the readers do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from circuitkb.loaders.annotation_formats.lines import Defaults
from circuitkb.loaders.annotation_formats.recognition import FORMATS, open_annotations
from circuitkb.loaders.annotation_formats.spreadsheet import COLUMNS

PAGE = (Path(__file__).resolve().parents[3] / "docs/annotation_formats.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_the_table_has_every_format_in_the_order_of_the_help() -> None:
    assert re.findall(
        r"^\| `([a-z]+[a-z-]*)` \| .* \| .* \| .* \| .* \|", PAGE, re.MULTILINE
    ) == list(FORMATS.names)
    assert set(SECTIONS) == set(FORMATS.names) - {"bundle"}


@pytest.mark.parametrize("name", SECTIONS)
def test_the_example_of_a_format_is_recognised_and_read(tmp_path: Path, name: str) -> None:
    example = re.search(r"```\w*\n(.*?)```", SECTIONS[name], re.DOTALL)
    assert example is not None
    path = tmp_path / "example"
    path.write_text(example[1], "utf-8")
    said = Defaults(author="ada", model="m", layer="l")
    opened = open_annotations(path, defaults=said)
    lines = list(opened.lines)
    assert opened.format == name
    assert lines
    assert [line.problem for line in lines if line.problem] == []


def test_every_column_of_a_spreadsheet_is_explained() -> None:
    rows = re.findall(r"^\| ([^|]*`[^|]*) \|", SECTIONS["csv"], re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(COLUMNS)


def test_the_numbers_of_the_page_are_those_of_its_examples(tmp_path: Path) -> None:
    example = re.search(r"```csv\n(.*?)```", SECTIONS["netdissect"], re.DOTALL)
    assert example is not None
    path = tmp_path / "conv5-result.csv"
    path.write_text(example[1], "utf-8")
    (line,) = open_annotations(path, defaults=Defaults(model="m", layer="l")).lines
    assert line.record is not None
    assert f"the row above is about unit {line.record['target']['unit']}." in PAGE
