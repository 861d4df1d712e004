"""Label lists of the Distill Circuits thread: the family that each unit of InceptionV1 was filed under.

``layer_data/LAYER.json`` of github.com/distillpub/post--circuits-early-overview is a list of
``{name, units, comment}``, with commas before closing brackets. The list that comes with this
package, ``labels.csv``, holds the same as ``model,layer,unit,label``. Units count from 0.
"""  # noqa: E501

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from circuitkb.loaders.annotation_formats.defaults import FileLabels, missing, model_of
from circuitkb.loaders.annotation_formats.format import AnnotationFormat, FileHead
from circuitkb.loaders.annotation_formats.lines import Defaults, Line
from circuitkb.loaders.annotation_formats.strict_json import read_document
from circuitkb.loaders.annotation_formats.table import Row, RowError, open_table, unit_of
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.records import Record

COLUMNS = ("model", "layer", "unit", "label")
MODEL = "inceptionv1"
_LAYER = re.compile(r"conv2d[0-2]|mixed[345][a-e]")


def read_distill(path: Path, defaults: Defaults) -> Iterator[Line]:
    """Open a label list of the articles, as JSON of one layer or as CSV of all.

    The authors are those of the article, unless ``defaults`` names another author: then the file
    is that author's own, in this layout.

    Raises
    ------
    AnnotationFileError
        If it is none, or if neither its name nor ``defaults`` says the layer.
    """
    with path.open("rb") as stream:
        head = stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"["):
        return iter(list(_families(path, defaults)))
    table = open_table(path, COLUMNS)
    if set(table.columns) != set(COLUMNS):
        raise AnnotationFileError(
            f"{path} is no label list of Distill: a JSON list of families, or a CSV file with "
            f"the columns {','.join(COLUMNS)}."
        )
    return table.lines(partial(_row_record, FileLabels(path, defaults)))


def _is_published_list(path: Path) -> bool:
    """Tell whether the first row of a table is a label that the articles published.

    The header alone does not say so: anybody's spreadsheet may have these four columns.
    """
    found = []

    def look(row: Row) -> Record:
        found.append(_is_published(row))
        return {}

    next(open_table(path, COLUMNS).lines(look), None)
    return found == [True]


def _is_published(row: Row) -> bool:
    key = (row.get("layer"), row.get("unit"), row.get("label"))
    return row.get("model") == MODEL and key in _published_rows()


def _row_record(labels: FileLabels, row: Row) -> Record:
    defaults = labels.defaults
    for name in COLUMNS:
        if name not in row:
            raise RowError(f"{name}: it is empty")
    if defaults.author is None and not _is_published(row):
        raise RowError(
            "the articles did not publish this label; a list of your own needs --author ID"
        )
    target = {
        "type": "feature",
        "model": defaults.model or row["model"],
        "layer": row["layer"],
        "unit": unit_of(row["unit"], defaults.unit_base or 0),
    }
    return _record(labels, target, row["label"])


def _families(path: Path, defaults: Defaults) -> Iterator[Line]:
    document = read_document(path, trailing_commas=True)
    if not isinstance(document, list):
        raise AnnotationFileError(f"{path} is no label list of Distill: it is no JSON list.")
    layer = defaults.layer or (path.stem if _LAYER.fullmatch(path.stem) else None)
    if layer is None:
        missing(path, "which layer its units belong to", "--layer NAME")
    model = model_of(path, defaults, MODEL)
    labels = FileLabels(path, defaults)
    for number, family in enumerate(document, start=1):
        if problem := _family_problem(family):
            yield Line(number, None, problem)
            continue
        for unit in family["units"]:
            target = {"type": "feature", "model": model, "layer": layer}
            zero_based = unit - (defaults.unit_base or 0)
            record = _record(labels, target | {"unit": zero_based}, family["name"])
            yield Line(number, record)


def _family_problem(family: object) -> str | None:
    if not isinstance(family, dict):
        return "a family is a JSON object with name and units"
    if not isinstance(family.get("name"), str):
        return "name: the family has none"
    units = family.get("units")
    if not isinstance(units, list):
        return "units: it is no list"
    for unit in units:
        if not isinstance(unit, int) or isinstance(unit, bool):
            return f"units: {str(unit)[:60]!r} is no whole number"
    return None


def _record(labels: FileLabels, target: Record, text: str) -> Record:
    defaults = labels.defaults
    if defaults.author is not None:
        author = {"id": defaults.author, "type": defaults.author_type or "human"}
        return labels.record(target=target, text=text, author=author, method="manual")
    published, article = _article()["labels"], _article()["article"]
    record = labels.record(
        target=target,
        text=text,
        author={"id": article["author"], "type": "group", "name": article["name"]},
        method="published",
        vocabulary=published["vocabulary"],
    )
    # The same statement as `load published:inceptionv1` makes, so that both are one annotation.
    if defaults.source is None:
        path_there = published["path"].replace("{layer}", target["layer"])
        record["source"] = {
            "uri": published["article"],
            "path": f"{published['repo']}:{path_there}",
            "commit": published["commit"],
        }
    record["created"] = defaults.created or article["published"]
    record["license"] = defaults.license or published["license"]
    return record


@cache
def _article() -> dict[str, Any]:
    import json
    from importlib import resources

    place = resources.files("circuitkb.loaders.published") / "resources" / MODEL / "about.json"
    about: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    article = next(one for one in about["articles"] if one["uri"] == about["labels"]["article"])
    name = f"{', '.join(article['names'])}: {article['title']}"[:200]
    return {"labels": about["labels"], "article": article | {"name": name}}


@cache
def _published_rows() -> frozenset[tuple[str, str, str]]:
    import csv
    from importlib import resources

    place = resources.files("circuitkb.loaders.published") / "resources" / MODEL / "labels.csv"
    rows = csv.DictReader(place.read_text(encoding="utf-8").splitlines())
    return frozenset((row["layer"], row["unit"], row["label"]) for row in rows)


def _recognise(head: FileHead) -> bool:
    if head.is_list:
        explained = head.names("modelId", "description")
        return head.names("units", "name") and not explained
    return set(COLUMNS) in head.headers and _is_published_list(head.path)


FORMAT = AnnotationFormat(
    "distill", "label lists of the Distill Circuits thread", _recognise, read_distill
)
