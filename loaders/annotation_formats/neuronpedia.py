"""Explanations of Neuronpedia: what a language model, or a person, says a feature answers to.

The layout is that of its exports (``explanations/batch-N.jsonl``: one row of its table
``Explanation`` a line; ``utils/neuronpedia-utils/neuronpedia_utils/export-data.py`` in
github.com/hijohnnylin/neuronpedia) and of its API, which gives a JSON list of such rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from circuitkb.loaders.annotation_formats.defaults import FileLabels
from circuitkb.loaders.annotation_formats.format import AnnotationFormat, FileHead
from circuitkb.loaders.annotation_formats.json_lines import read_json_lines
from circuitkb.loaders.annotation_formats.lines import Defaults, Line
from circuitkb.loaders.annotation_formats.strict_json import read_document
from circuitkb.schema.errors import AnnotationFileError, IdError
from circuitkb.schema.ids import check_slug
from circuitkb.schema.records import Record

SITE = "https://www.neuronpedia.org"

_SOURCE_SET = re.compile(r"(\d+|e)-(.+)", re.DOTALL)
_KEPT = ("id", "authorId", "typeName", "explanationModelName", "notes")
_NO_NAMES = (None, "", "unknown")


class RowProblem(ValueError):
    """A row that no record can be made of; the message says why."""


def read_explanations(path: Path, defaults: Defaults) -> Iterator[Line]:
    """Open explanations of Neuronpedia, as JSON Lines or as one JSON list."""
    with path.open("rb") as stream:
        head = stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    rows = _listed(path) if head.startswith(b"[") else read_json_lines(path)
    return map(partial(_line, FileLabels(path, defaults)), rows)


def _listed(path: Path) -> Iterator[Line]:
    document = read_document(path)
    if not isinstance(document, list):
        raise AnnotationFileError(f"{path} holds no list of explanations.")
    return iter(
        [
            Line(number, row)
            if isinstance(row, dict)
            else Line(number, None, "an explanation is a JSON object, and this is none")
            for number, row in enumerate(document, start=1)
        ]
    )


def _line(labels: FileLabels, line: Line) -> Line:
    if line.record is None:
        return line
    try:
        return Line(line.number, _record(labels, line.record))
    except RowProblem as error:
        return Line(line.number, None, str(error))


def _record(labels: FileLabels, row: Record) -> Record:
    layer, index = _text(row, "layer"), _index(row)
    target: Record = {
        "type": "feature",
        "model": _model(labels.defaults, row),
        **place_of(layer, labels.defaults.layer),
        "unit": index,
    }
    author, method = _author(labels.defaults, row)
    record = labels.record(
        target=target, text=_text(row, "description"), author=author, method=method
    )
    if labels.defaults.source is None:
        parts = (_text(row, "modelId"), layer, str(index))
        record["source"] = {"uri": "/".join([SITE, *(quote(part, safe="") for part in parts)])}
    created = row.get("createdAt")
    if labels.defaults.created is None and isinstance(created, str) and created:
        record["created"] = date_of(created)
    if scores := _scores(row):
        record["scores"] = scores
    kept = {name: row[name] for name in _KEPT if row.get(name) not in (None, "")}
    if kept:
        record["ext"] = {"neuronpedia": kept}
    return record


def place_of(source: str, layer: str | None = None) -> Record:
    """Return layer and basis of a *source* of Neuronpedia, its name for a set of features.

    Parameters
    ----------
    source
        ``6-res-jb`` is the set ``res-jb`` in layer 6; ``6`` alone are the neurons of layer 6.
    layer
        Our name of the layer, if it is another.

    Examples
    --------
    >>> place_of("6-res-jb"), place_of("6"), place_of("6-res-jb", "blocks.6.hook_resid_pre")
    ({'layer': '6', 'basis': 'res-jb'}, {'layer': '6'}, {'layer': 'blocks.6.hook_resid_pre',
    'basis': 'res-jb'})
    """
    found = _SOURCE_SET.fullmatch(source)
    if found is None:
        return {"layer": layer or source}
    return {"layer": layer or found[1], "basis": found[2]}


def date_of(text: str) -> str:
    """Return a moment as its database writes it (UTC, without a zone) as RFC 3339 wants it.

    Examples
    --------
    >>> date_of("2024-03-01 12:30:00.5"), date_of("2024-03-01T12:30:00+00:00")
    ('2024-03-01T12:30:00.5Z', '2024-03-01T12:30:00+00:00')
    """
    day, _, time = text.strip().replace(" ", "T", 1).partition("T")
    zoned = not time or time.endswith("Z") or "+" in time or "-" in time
    return day + (f"T{time}" if time else "") + ("" if zoned else "Z")


def _text(row: Record, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise RowProblem(f"{name}: it is missing, or no text")
    return value


def _index(row: Record) -> int:
    value = row.get("index")
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise RowProblem(f"index: {str(value)[:60]!r} is no whole number from 0")
    return int(text)


def _model(defaults: Defaults, row: Record) -> str:
    name = defaults.model or _text(row, "modelId")
    try:
        return check_slug(name)
    except IdError as error:
        raise RowProblem(f"modelId: {error} Give the model's name with --model.") from None


def _author(defaults: Defaults, row: Record) -> tuple[Record, str]:
    """Return who explains: the model that is named, else the person who has an id there."""
    model, person = row.get("explanationModelName"), row.get("authorId")
    if isinstance(model, str) and model not in _NO_NAMES:
        return {"id": model, "type": "model"}, "llm-explainer"
    if model == "unknown" or row.get("typeName") not in _NO_NAMES:
        unnamed = defaults.author or "neuronpedia.unnamed-model"
        return {"id": unnamed, "type": defaults.author_type or "model"}, "llm-explainer"
    if defaults.author is not None:
        return {"id": defaults.author, "type": defaults.author_type or "human"}, "manual"
    if isinstance(person, str) and person:
        return {"id": f"neuronpedia.{person}", "type": "human"}, "manual"
    raise RowProblem("it does not say who explains (explanationModelName, authorId): --author ID")


def _scores(row: Record) -> list[Record]:
    scores: list[Record] = []
    for name in ("scoreV1", "scoreV2"):
        if _is_number(row.get(name)) and row[name] != 0:  # 0 is their default: not scored
            scores.append({"name": name, "value": row[name]})
    listed = row.get("scores")
    for score in listed if isinstance(listed, list) else []:
        if not isinstance(score, dict) or not _is_number(score.get("value")):
            raise RowProblem("scores: an entry has no number as its value")
        entry: Record = {
            "name": str(score.get("explanationScoreTypeName") or "score")[:64],
            "value": score["value"],
        }
        if scorer := score.get("explanationScoreModelName"):
            entry["params"] = {"model": scorer}
        scores.append(entry)
    return scores


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _recognise(head: FileHead) -> bool:
    if head.is_list:
        return head.names("modelId", "description")
    return head.has("modelId", "description", "index") and not is_whole_graph(head)


def is_whole_graph(head: FileHead) -> bool:
    """Return whether a file begins as an attribution graph with its nodes."""
    with_nodes = head.has("qParams", "nodes") or head.has("metadata", "nodes")
    return with_nodes or head.has("supernodes")


FORMAT = AnnotationFormat(
    "neuronpedia-explanations",
    "explanations that Neuronpedia exports",
    _recognise,
    read_explanations,
)
