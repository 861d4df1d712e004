"""Annotations as a table: harmless in a spreadsheet, and the same when they come back."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitkb.annotations.importing import import_annotations
from circuitkb.annotations.sharing.csv_export import COLUMNS, harmless_cell, row_of, write_csv
from circuitkb.annotations.sharing.exporting import export_annotations
from circuitkb.annotations.sharing.stored_records import Selection, StoredRecord
from circuitkb.loaders.annotation_formats import spreadsheet
from circuitkb.loaders.annotation_formats.spreadsheet import plain_cell
from circuitkb.loaders.annotation_formats.table import RowError
from circuitkb.schema.ids import canonical_json
from circuitkb.schema.records import canonical_record
from tests.annotations.shared_records import every_kind, record, store_at, take_in, unit

EVERYTHING = Selection(with_noassertion=True)


def written(path: Path, records: Iterable[dict[str, Any]]) -> int:
    kept = [canonical_record(item) for item in records]
    return write_csv(path, (StoredRecord(canonical_json(item), item, 1) for item in kept))


def test_the_import_knows_every_column() -> None:
    assert set(COLUMNS) <= set(spreadsheet.COLUMNS)


def test_records_of_every_kind_come_back_from_a_table(tmp_path: Path) -> None:
    store, other = store_at(tmp_path / "kb.ckb"), store_at(tmp_path / "other.ckb")
    take_in(store, every_kind(), tmp_path)
    report = export_annotations(store, tmp_path / "a.csv", "csv", EVERYTHING)
    import_annotations(other, [tmp_path / "a.csv"], importer="test")
    for name, source in (("a", store), ("b", other)):
        export_annotations(source, tmp_path / f"{name}.jsonl", selection=EVERYTHING)
        source.close()
    assert report.lost == 0
    assert (tmp_path / "b.jsonl").read_bytes() == (tmp_path / "a.jsonl").read_bytes()


@pytest.mark.parametrize(
    "item",
    [
        record("comment", text="", label={"text": "a"}),
        record(confidence=None),
        record(
            "claim",
            text="x",
            target={
                "type": "edge",
                "source": unit(1, fingerprint="a" * 64),
                "target": unit(1, layer="conv2"),
            },
        ),
        record(ext={"long": "x" * 200_000}),
        record(author={"id": " ada ", "type": "human"}),
    ],
    ids=["empty text", "confidence null", "one end's fingerprint", "a huge cell", "outer space"],
)
def test_what_a_table_cannot_hold_is_counted(tmp_path: Path, item: dict[str, Any]) -> None:
    assert written(tmp_path / "a.csv", [record(), item]) == 1


DANGEROUS = ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''", "'quoted'", "=cmd|'/c'"]


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_cell_begins_as_a_formula_does(tmp_path: Path, text: str) -> None:
    item = record(
        "comment",
        text=text,
        author={"id": text.strip(), "type": "human", "name": text.strip()},
        source={"uri": text.strip(), "locator": text.strip()},
    )
    assert written(tmp_path / "a.csv", [item]) == 0
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert not [cell for cell in rows[1] if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@given(st.text(st.characters(codec="utf-8")))
def test_a_harmless_cell_is_plain_again(text: str) -> None:
    assert plain_cell(harmless_cell(text)) == text


@given(st.floats(0, 1))
def test_a_confidence_is_written_as_a_number_that_says_all_its_digits(value: float) -> None:
    assert float(row_of(record(confidence=value))["confidence"]) == value


def test_units_are_written_as_features_that_count_from_zero() -> None:
    assert row_of(record())["target"] == "alpha/conv1:0"


UNSEEN = ("\u200b", "\ufeff", "\u2060", "\u00ad", " ", "\u00a0", "\u3000", "\n", "\t", "\r")


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "﹦", "−"])
@pytest.mark.parametrize("before", ["", *UNSEEN, "\ufeff\u200b ", "'"])
def test_a_formula_behind_what_nobody_sees_is_harmless_and_comes_back(
    before: str, sign: str, tmp_path: Path
) -> None:
    text = f"{before}{sign}cmd|' /C calc'!A0"
    cell = harmless_cell(text)
    assert cell == f"'{text}"
    assert plain_cell(cell) == text
    item = record("comment", text=text, label={"text": "a"})
    assert written(tmp_path / "a.csv", [item]) == 0


def test_texts_that_are_no_formulas_are_left_as_they_are() -> None:
    for text in ("curve = line", "\u200bcurve", "a-b", "5 - 3", "naïve", "漢字"):
        assert (harmless_cell(text), plain_cell(text)) == (text, text)


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#NAME?", "#DIV/0!"])
def test_what_a_failed_formula_left_is_no_label_unless_somebody_says_so(
    error: str, tmp_path: Path
) -> None:
    with pytest.raises(RowError, match="where a formula failed"):
        plain_cell(error)
    assert plain_cell(harmless_cell(error)) == error
    assert written(tmp_path / "a.csv", [record(label={"text": error})]) == 0
