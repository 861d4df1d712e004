"""Network Dissection: the concept of Broden that fits each unit best.

Both the first release (``LAYER-result.csv``) and NetDissect-Lite (``tally.csv``) write a row for
each unit, ``unit,category,label,score`` and the best concept of every category after them, and
count units from 1: ``'unit': (unit + 1)`` in ``src/makeresult.py`` and ``feature_operation.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from circuitkb.loaders.annotation_formats.defaults import FileLabels, author_of, layer_of, model_of
from circuitkb.loaders.annotation_formats.format import AnnotationFormat, FileHead
from circuitkb.loaders.annotation_formats.lines import Defaults, Line
from circuitkb.loaders.annotation_formats.table import Row, RowError, number_of, open_table, unit_of
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.records import Record

COLUMNS = ("unit", "category", "label", "score")


def read_netdissect(path: Path, defaults: Defaults) -> Iterator[Line]:
    """Open a table of Network Dissection; ``defaults`` must name model and layer."""
    table = open_table(path, COLUMNS)
    if absent := [name for name in COLUMNS if name not in table.columns]:
        raise AnnotationFileError(
            f"{path} is no table of NetDissect: it lacks the column {absent[0]!r}."
        )
    place = {"model": model_of(path, defaults), "layer": layer_of(path, defaults)}
    base = 1 if defaults.unit_base is None else defaults.unit_base
    return table.lines(partial(_record, FileLabels(path, defaults), place, base))


def _record(labels: FileLabels, place: Record, base: int, row: Row) -> Record:
    for name in ("unit", "label", "score"):
        if name not in row:
            raise RowError(f"{name}: it is empty")
    score: Record = {"name": "iou", "value": number_of("score", row["score"])}
    if "category" in row:
        score["params"] = {"category": row["category"]}
    record = labels.record(
        target={"type": "feature", **place, "unit": unit_of(row["unit"], base)},
        text=row["label"],
        author=author_of(labels.defaults, {"id": "netdissect", "type": "tool"}),
        method="netdissect",
        vocabulary="broden",
    )
    return record | {"scores": [score]}


def _recognise(head: FileHead) -> bool:
    return any(columns.issuperset(COLUMNS) for columns in head.headers)


FORMAT = AnnotationFormat(
    "netdissect",
    "tables of NetDissect: unit,category,label,score; units from 1",
    _recognise,
    read_netdissect,
)
