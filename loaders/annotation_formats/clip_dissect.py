"""CLIP-Dissect: the concept whose images, as CLIP sees them, a unit answers to most.

``describe_neurons.py`` writes ``descriptions.csv`` with ``layer,unit,description,similarity``;
units count from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from circuitkb.loaders.annotation_formats.defaults import FileLabels, author_of, model_of
from circuitkb.loaders.annotation_formats.format import AnnotationFormat, FileHead
from circuitkb.loaders.annotation_formats.lines import Defaults, Line
from circuitkb.loaders.annotation_formats.table import Row, RowError, number_of, open_table, unit_of
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.records import Record

COLUMNS = ("layer", "unit", "description", "similarity")


def read_clip_dissect(path: Path, defaults: Defaults) -> Iterator[Line]:
    """Open a table of CLIP-Dissect; ``defaults`` must name the model."""
    table = open_table(path, COLUMNS)
    if absent := [name for name in COLUMNS if name not in table.columns]:
        raise AnnotationFileError(
            f"{path} is no table of CLIP-Dissect: it lacks the column {absent[0]!r}."
        )
    model = model_of(path, defaults)
    return table.lines(partial(_record, FileLabels(path, defaults), model))


def _record(labels: FileLabels, model: str, row: Row) -> Record:
    for name in COLUMNS:
        if name not in row:
            raise RowError(f"{name}: it is empty")
    unit = unit_of(row["unit"], labels.defaults.unit_base or 0)
    record = labels.record(
        target={"type": "feature", "model": model, "layer": row["layer"].strip(), "unit": unit},
        text=row["description"],
        author=author_of(labels.defaults, {"id": "clip-dissect", "type": "tool"}),
        method="clip-dissect",
    )
    similarity = number_of("similarity", row["similarity"])
    return record | {"scores": [{"name": "similarity", "value": similarity}]}


def _recognise(head: FileHead) -> bool:
    return set(COLUMNS) in head.headers


FORMAT = AnnotationFormat(
    "clip-dissect",
    "tables of CLIP-Dissect: layer,unit,description,similarity",
    _recognise,
    read_clip_dissect,
)
