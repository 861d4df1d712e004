"""Spreadsheets: a table whose columns are the fields of a record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from circuitkb.loaders.annotation_formats.defaults import (
    NO_LICENSE,
    SCHEMA,
    created_of,
    missing,
    source_of,
)
from circuitkb.loaders.annotation_formats.format import AnnotationFormat, FileHead
from circuitkb.loaders.annotation_formats.lines import Defaults, Line
from circuitkb.loaders.annotation_formats.strict_json import JsonError, read_json
from circuitkb.loaders.annotation_formats.table import (
    Row,
    RowError,
    TextTable,
    number_of,
    open_table,
    unit_of,
)
from circuitkb.schema.errors import AnnotationFileError, IdError
from circuitkb.schema.formulas import ERRORS, is_formula
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.near_matches import suggestion
from circuitkb.schema.records import Record

_TARGETS = ("target", "unit", "source_unit", "circuit", "annotation")
_PLACE = ("target", "model", "layer", "unit", "basis", "source_unit", "target_unit", "circuit")
_LABEL = ("label", "vocabulary", "concept", "lang")
_PLAIN = ("id", "text", "verdict", "sign", "aspect")
_AUTHOR = ("author", "author_type", "author_name", "orcid")
_SOURCE = ("source", "source_path", "source_commit", "locator")
_JSON = ("scores", "evidence", "ext", "members", "edges")
# Cells that say something only beside these; elsewhere they would be lost.
_BELONGS = {
    **dict.fromkeys(("model", "layer", "basis"), ("unit",)),
    "fingerprint": ("target", "unit", "source_unit"),
    **dict.fromkeys(("members", "edges"), ("circuit",)),
}
_OTHER = (
    "annotation",
    "kind",
    "confidence",
    "method",
    "created",
    "license",
    "fingerprint",
    "supersedes",
)
COLUMNS = (*_PLACE, *_LABEL, *_PLAIN, *_AUTHOR, *_SOURCE, *_JSON, *_OTHER)
"""Columns that a table of annotations may have; one that begins with ``ext.`` goes into ``ext``."""

_PROSE = frozenset({"label", "text"})
_FORMULA = re.compile(r"[\t\r]*[=+\-@]")
_NUMBER = re.compile(r"[+-]?+(\d++(\.\d*+)?+|\.\d++)([eE][+-]?+\d++)?+\s*+")


def read_spreadsheet(path: Path, defaults: Defaults) -> Iterator[Line]:
    """Open a table of annotations.

    Parameters
    ----------
    path
        A CSV file in UTF-8; comma, semicolon or tab between its cells.
    defaults
        What its rows leave out. Units in a column of their own need ``unit_base``.

    Raises
    ------
    AnnotationFileError
        If a column is unknown, no column says what a row is about, or an option is needed.
    """
    table = open_table(path, COLUMNS)
    _check_columns(table)
    columns = frozenset(table.columns)
    if "author" not in columns and defaults.author is None:
        missing(path, "who its author is", "a column 'author' or --author ID")
    if "unit" in columns:
        if "model" not in columns and defaults.model is None:
            missing(path, "which model its units belong to", "a column 'model' or --model NAME")
        if "layer" not in columns and defaults.layer is None:
            missing(path, "which layer its units belong to", "a column 'layer' or --layer NAME")
        if defaults.unit_base is None:
            missing(path, "whether its first unit is 0 or 1", "--unit-base 0 or --unit-base 1")
    fixed = {"source": source_of(path, defaults)["uri"], "created": created_of(path, defaults)}
    return table.lines(partial(_record, defaults, fixed))


def _check_columns(table: TextTable) -> None:
    columns = [name for name in table.columns if name]
    for name in columns:
        if name not in COLUMNS and not (name.startswith("ext.") and name != "ext."):
            near = suggestion(name, COLUMNS)
            raise AnnotationFileError(
                f"{table.path} has an unknown column {name[:60]!r}. "
                f"{near or 'A column of your own is called ext.NAME.'}"
            )
    if not set(columns) & set(_TARGETS):
        raise AnnotationFileError(
            f"{table.path} has no column that says what a row is about: target (a feature id), "
            f"unit, source_unit and target_unit, circuit, or annotation."
        )


def plain_cell(cell: str) -> str:
    """Return a cell as it was before a spreadsheet's export made it harmless.

    An apostrophe before what would be a formula, or before another apostrophe, is taken away,
    once: the exact inverse of what the export puts there.

    Raises
    ------
    RowError
        If the cell would be a formula in a spreadsheet, and is no number.

    Examples
    --------
    >>> plain_cell("'=curve"), plain_cell("''tis"), plain_cell("'a' or b"), plain_cell("-0.5")
    ('=curve', "'tis", "'a' or b", '-0.5')
    >>> plain_cell("=1+1")
    Traceback (most recent call last):
    circuitkb.loaders.annotation_formats.table.RowError: '=1+1' looks like a spreadsheet formula; \
    if it is text, put an apostrophe before it
    """
    bare = cell[1:]
    if cell[:1] == "'" and (bare[:1] == "'" or is_formula(bare) or bare.strip() in ERRORS):
        return bare
    if cell.strip() in ERRORS:
        raise RowError(
            f"{cell.strip()} is what a spreadsheet writes where a formula failed; "
            f"if it is text, put an apostrophe before it"
        )
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        raise RowError(
            f"{cell[:60]!r} looks like a spreadsheet formula; "
            f"if it is text, put an apostrophe before it"
        )
    return cell


def _record(defaults: Defaults, fixed: dict[str, str], row: Row) -> Record:
    cells: Row = {}
    for name, cell in row.items():
        try:
            plain = plain_cell(cell)
        except RowError as error:
            raise RowError(f"{name}: {error}") from None
        if name not in _PROSE:
            plain = plain.strip()
        if plain:
            cells[name] = plain
    record: Record = {
        "schema": SCHEMA,
        "kind": cells.get("kind", "label"),
        "target": _target(cells, defaults),
        "author": _author(cells, defaults),
        "method": cells.get("method", "manual"),
        "source": _renamed(
            {"source": fixed["source"]} | cells,
            source="uri",
            source_path="path",
            source_commit="commit",
            locator="locator",
        ),
        "created": cells.get("created", fixed["created"]),
        "license": cells.get("license", defaults.license or NO_LICENSE),
    }
    record |= {name: cells[name] for name in _PLAIN if name in cells}
    label = _renamed(cells, label="text", vocabulary="vocabulary", concept="concept", lang="lang")
    if "text" in label:
        if "vocabulary" not in label and defaults.vocabulary:
            label["vocabulary"] = defaults.vocabulary
        record["label"] = label
    elif label:
        raise RowError(f"label: it is empty, and {next(iter(label))} speaks of it")
    if "confidence" in cells:
        record["confidence"] = number_of("confidence", cells["confidence"])
    if "supersedes" in cells:
        record["supersedes"] = cells["supersedes"].split()
    record |= {name: _json(name, cells[name]) for name in ("scores", "evidence") if name in cells}
    if ext := _ext(cells):
        record["ext"] = ext
    return record


def _renamed(cells: Row, **names: str) -> Record:
    return {new: cells[old] for old, new in names.items() if old in cells}


def _author(cells: Row, defaults: Defaults) -> Record:
    author = cells.get("author", defaults.author)
    if author is None:
        raise RowError("author: it is empty; fill it in, or say --author ID for all such rows")
    given = {"author": author, "author_type": defaults.author_type or "human"} | cells
    return _renamed(given, author="id", author_type="type", author_name="name", orcid="orcid")


def _target(cells: Row, defaults: Defaults) -> Record:
    named = [name for name in _TARGETS if name in cells]
    if "target_unit" in cells and "source_unit" not in cells:
        raise RowError("source_unit: it is empty, and an edge has two ends")
    if not named:
        raise RowError("it does not say what it is about: target, unit, circuit... are empty")
    if len(named) > 1:
        raise RowError(f"it is about one thing, not two: {named[0]} and {named[1]} are filled in")
    make: dict[str, Callable[[], Record]] = {
        "target": lambda: {"type": "feature"} | _feature("target", cells),
        "unit": lambda: {"type": "feature"} | _numbered_unit(cells, defaults),
        "source_unit": lambda: _edge(cells),
        "circuit": lambda: _circuit(cells),
        "annotation": lambda: {"type": "annotation", "id": cells["annotation"]},
    }
    target = make[named[0]]()
    for name, allowed in _BELONGS.items():
        if name in cells and named[0] not in allowed and cells[name] != target.get(name):
            raise RowError(f"{name}: it says nothing of a row about {named[0]!r}; leave it empty")
    return target


def _feature(name: str, cells: Row) -> Record:
    try:
        found = FeatureId.parse(cells[name])
    except IdError as error:
        raise RowError(f"{name}: {error}") from None
    unit: Record = {"model": found.model, "layer": found.layer, "unit": found.unit}
    if found.basis is not None:
        unit["basis"] = found.basis
    return unit | _renamed(cells, fingerprint="fingerprint")


def _numbered_unit(cells: Row, defaults: Defaults) -> Record:
    model, layer = cells.get("model", defaults.model), cells.get("layer", defaults.layer)
    if model is None or layer is None or defaults.unit_base is None:
        name = "model" if model is None else "layer"
        raise RowError(f"{name}: it is empty; fill it in, or say --{name} NAME for all such rows")
    unit: Record = {
        "model": model,
        "layer": layer,
        "unit": unit_of(cells["unit"], defaults.unit_base),
    }
    return unit | _renamed(cells, basis="basis", fingerprint="fingerprint")


def _edge(cells: Row) -> Record:
    if "target_unit" not in cells:
        raise RowError("target_unit: it is empty, and an edge has two ends")
    return {
        "type": "edge",
        "source": _feature("source_unit", cells),
        "target": _feature("target_unit", cells),
    }


def _circuit(cells: Row) -> Record:
    parts = {name: _json(name, cells[name]) for name in ("members", "edges") if name in cells}
    return {"type": "circuit", "id": cells["circuit"]} | parts


def _json(name: str, cell: str) -> Any:
    try:
        return read_json(cell)
    except JsonError as error:
        raise RowError(f"{name}: {error}") from None


def _ext(cells: Row) -> Record:
    ext: Record = {}
    if "ext" in cells:
        found = _json("ext", cells["ext"])
        if not isinstance(found, dict):
            raise RowError("ext: it is no JSON object")
        ext = found
    for name, cell in cells.items():
        if name.startswith("ext."):
            ext[name.removeprefix("ext.")] = cell
    return ext


def _recognise(head: FileHead) -> bool:
    return any(len(columns.intersection(COLUMNS)) >= 2 for columns in head.headers)


FORMAT = AnnotationFormat(
    "csv",
    "a spreadsheet: columns target and label, or unit, author and more",
    _recognise,
    read_spreadsheet,
    (".csv", ".tsv"),
)
