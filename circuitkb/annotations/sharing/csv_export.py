"""Annotations as a table for spreadsheets.

:mod:`circuitkb.loaders.annotation_formats.spreadsheet` reads it back.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from circuitkb.annotations.sharing.stored_records import StoredRecord
from circuitkb.loaders.annotation_formats.checking import feature_of
from circuitkb.loaders.annotation_formats.lines import Defaults
from circuitkb.loaders.annotation_formats.spreadsheet import read_spreadsheet
from circuitkb.schema.formulas import ERRORS, is_formula
from circuitkb.schema.ids import canonical_json
from circuitkb.schema.records import Record, canonical_record

COLUMNS = (
    "id",
    "kind",
    "target",
    "source_unit",
    "target_unit",
    "circuit",
    "members",
    "edges",
    "annotation",
    "label",
    "vocabulary",
    "concept",
    "lang",
    "text",
    "verdict",
    "sign",
    "confidence",
    "aspect",
    "author",
    "author_type",
    "author_name",
    "orcid",
    "method",
    "source",
    "source_path",
    "source_commit",
    "locator",
    "created",
    "license",
    "fingerprint",
    "supersedes",
    "scores",
    "evidence",
    "ext",
)
"""Columns of the table, always all of them."""

_DIGEST = 16


def write_csv(file: Path, records: Iterator[StoredRecord]) -> int:
    r"""Write records as CSV: UTF-8, commas, lines that end with ``\r\n`` as RFC 4180 has them.

    The file is read back, and each row compared with its record.

    Returns
    -------
    int
        How many rows read back as something else: the table cannot hold that record.
    """
    written = bytearray()
    with file.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        for item in records:
            row = row_of(item.record)
            table.writerow([row.get(name, "") for name in COLUMNS])
            written += _digest(item.text)
    return _read_otherwise(file, bytes(written))


def _read_otherwise(file: Path, written: bytes) -> int:
    lost = 0
    for index, line in enumerate(read_spreadsheet(file, Defaults())):
        expected = written[index * _DIGEST : (index + 1) * _DIGEST]
        text = "" if line.record is None else canonical_json(canonical_record(line.record))
        lost += _digest(text) != expected
    return lost


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST).digest()


def row_of(record: Record) -> dict[str, str]:
    """Return the cells of a record, by column.

    Examples
    --------
    >>> row = row_of({"id": "ckb:1", "kind": "label", "label": {"text": "=curve"},
    ...               "target": {"type": "feature", "model": "m", "layer": "l", "unit": 3},
    ...               "author": {"id": "ada", "type": "human"}, "confidence": 0.5})
    >>> row["target"], row["label"], row["confidence"]
    ('m/l:3', "'=curve", '0.5')
    """
    label, source = record.get("label", {}), record.get("source", {})
    author = record["author"]
    cells: dict[str, Any] = {
        name: record.get(name)
        for name in (
            "id",
            "kind",
            "text",
            "verdict",
            "sign",
            "aspect",
            "method",
            "created",
            "license",
        )
    }
    cells |= _target_cells(record["target"])
    cells |= {name: label.get(name) for name in ("vocabulary", "concept", "lang")}
    cells |= {"label": label.get("text"), "supersedes": " ".join(record.get("supersedes", ()))}
    cells |= {"author": author["id"], "author_type": author["type"]}
    cells |= {"author_name": author.get("name"), "orcid": author.get("orcid")}
    cells |= {"source": source.get("uri"), "locator": source.get("locator")}
    cells |= {"source_path": source.get("path"), "source_commit": source.get("commit")}
    row = {name: harmless_cell(text) for name, text in cells.items() if text}
    for name in ("scores", "evidence", "ext"):
        if name in record:
            row[name] = canonical_json(record[name])
    if record.get("confidence") is not None:
        row["confidence"] = repr(record["confidence"])
    return row


def _target_cells(target: Mapping[str, Any]) -> dict[str, str | None]:
    match target["type"]:
        case "feature":
            return {"target": str(feature_of(target)), "fingerprint": target.get("fingerprint")}
        case "edge":
            return {
                "source_unit": str(feature_of(target["source"])),
                "target_unit": str(feature_of(target["target"])),
                "fingerprint": target["source"].get("fingerprint"),
            }
        case "circuit":
            parts = {
                name: canonical_json(target[name])
                for name in ("members", "edges")
                if name in target
            }
            return {"circuit": target["id"], **parts}
        case _:
            return {"annotation": target["id"]}


def harmless_cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet takes for a formula.

    What starts with an apostrophe, or :func:`circuitkb.schema.formulas.is_formula` tells, gets an
    apostrophe in front, which the import takes away again.

    Examples
    --------
    >>> harmless_cell("=1+1"), harmless_cell("'tis"), harmless_cell("curve")
    ("'=1+1", "''tis", 'curve')
    """
    harmful = text.startswith("'") or is_formula(text) or text.strip() in ERRORS
    return f"'{text}" if harmful else text
