"""MILAN: descriptions of units in sentences, by its model or by people.

``compute_milan_descriptions.py`` writes ``layer,unit,description``; ``annotations.csv`` of
MILANNOTATIONS, written by people, has ``summary`` instead, one row for each person. Units count
from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from circuitkb.loaders.annotation_formats.defaults import FileLabels, author_of, model_of
from circuitkb.loaders.annotation_formats.format import AnnotationFormat, FileHead
from circuitkb.loaders.annotation_formats.lines import Defaults, Line
from circuitkb.loaders.annotation_formats.table import Row, RowError, open_table, unit_of
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.records import Record

PLACE = ("layer", "unit")
DESCRIBED, SUMMARISED = "description", "summary"


def read_milan(path: Path, defaults: Defaults) -> Iterator[Line]:
    """Open a table of MILAN or MILANNOTATIONS; ``defaults`` must name the model."""
    table = open_table(path, (*PLACE, DESCRIBED, SUMMARISED))
    texts = [name for name in (DESCRIBED, SUMMARISED) if name in table.columns]
    absent = [name for name in PLACE if name not in table.columns]
    if absent or len(texts) != 1:
        lacking = absent[0] if absent else f"{DESCRIBED}' or '{SUMMARISED}"
        raise AnnotationFileError(f"{path} is no table of MILAN: it lacks the column '{lacking}'.")
    model = model_of(path, defaults)
    return table.lines(partial(_record, FileLabels(path, defaults), model, texts[0]))


def _record(labels: FileLabels, model: str, column: str, row: Row) -> Record:
    for name in (*PLACE, column):
        if name not in row:
            raise RowError(f"{name}: it is empty")
    crowd = column == SUMMARISED
    by = {"id": "milannotations", "type": "group"} if crowd else {"id": "milan", "type": "model"}
    unit = unit_of(row["unit"], labels.defaults.unit_base or 0)
    return labels.record(
        target={"type": "feature", "model": model, "layer": row["layer"].strip(), "unit": unit},
        text=row[column],
        author=author_of(labels.defaults, by),
        method="crowd" if crowd else "milan",
    )


def _recognise(head: FileHead) -> bool:
    return any({*PLACE, column} in head.headers for column in (DESCRIBED, SUMMARISED))


FORMAT = AnnotationFormat(
    "milan", "tables of MILAN: layer,unit,description, or summary", _recognise, read_milan
)
