"""Files of annotations: which format one is in, and its records.

The format is told from what the file says, not from its name.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from circuitkb.loaders.annotation_formats import (
    clip_dissect,
    distill,
    milan,
    netdissect,
    spreadsheet,
)
from circuitkb.loaders.annotation_formats.attribution_graph import read_subgraph
from circuitkb.loaders.annotation_formats.clip_dissect import read_clip_dissect
from circuitkb.loaders.annotation_formats.distill import read_distill
from circuitkb.loaders.annotation_formats.json_lines import read_json_lines
from circuitkb.loaders.annotation_formats.lines import Defaults, OpenedFile
from circuitkb.loaders.annotation_formats.milan import read_milan
from circuitkb.loaders.annotation_formats.netdissect import read_netdissect
from circuitkb.loaders.annotation_formats.neuronpedia import read_explanations
from circuitkb.loaders.annotation_formats.plain_files import check_plain
from circuitkb.loaders.annotation_formats.spreadsheet import read_spreadsheet
from circuitkb.loaders.annotation_formats.table import DELIMITERS
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.near_matches import did_you_mean

FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "jsonl": "our own: JSON Lines, one record a line",
        "csv": "a spreadsheet: columns target and label, or unit, author and more",
        "bundle": "a zip file that `annotate export` wrote, of records and their checksums",
        "distill": "label lists of the Distill Circuits thread",
        "neuronpedia-explanations": "explanations that Neuronpedia exports",
        "neuronpedia-subgraph": "attribution graphs: supernodes and labels of nodes",
        "netdissect": "tables of NetDissect: unit,category,label,score; units from 1",
        "clip-dissect": "tables of CLIP-Dissect: layer,unit,description,similarity",
        "milan": "tables of MILAN: layer,unit,description, or summary",
    }
)
"""What can be read: name and description of each format."""

_NOTHING_SAID = Defaults()
_HEAD = 2**16
_UNICODE_MARKS = (
    codecs.BOM_UTF32_LE,
    codecs.BOM_UTF32_BE,
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def open_annotations(
    path: Path, *, format: str | None = None, defaults: Defaults = _NOTHING_SAID
) -> OpenedFile:
    """Open a file of annotations.

    Parameters
    ----------
    path
        The file.
    format
        A name in :data:`FORMATS`; None to recognise it.
    defaults
        What the user says of it, where its format leaves it out.

    Returns
    -------
    OpenedFile
        Its format and its lines. Lines come as they are read: a bad one is a line with a
        ``problem``, and reading goes on.

    Raises
    ------
    AnnotationFileError
        If the file cannot be read, is in no known format, or needs an option.
    """
    if format is not None and format not in FORMATS:
        near = did_you_mean(format, FORMATS) or f"There are {', '.join(FORMATS)}."
        raise AnnotationFileError(f"There is no format {format!r} of annotations. {near}")
    try:
        check_plain(path)
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
        _check_encoding(path, head)
        name = format or _recognise(path, head)
        return _READERS[name](path, defaults)
    except OSError as error:
        raise AnnotationFileError(f"{path} cannot be read: {error.strerror or error}.") from error


def _check_encoding(path: Path, head: bytes) -> None:
    if head.startswith(b"\x1f\x8b"):
        raise AnnotationFileError(f"{path} is packed with gzip. Unpack it first (gunzip).")
    if head.startswith(_ZIP) and (b"[Content_Types].xml" in head or b"opendocument" in head):
        raise AnnotationFileError(f"{path} is a workbook. Save its sheet as 'CSV UTF-8'.")
    every_second = head[:1000:2], head[1:1000:2]
    wide = not head.startswith(_ZIP) and any(
        len(half) > 1 and half.count(0) * 10 >= len(half) * 9 for half in every_second
    )
    if head.startswith(_UNICODE_MARKS) or wide:
        raise AnnotationFileError(f"{path} is in UTF-16 or UTF-32. Save it as UTF-8.")


def _recognise(path: Path, head: bytes) -> str:
    if head.startswith(_ZIP):
        return "bundle"
    text = head.removeprefix(codecs.BOM_UTF8).decode(errors="replace").lstrip()
    if not text:
        if path.suffix == ".jsonl":
            return "jsonl"
        raise AnnotationFileError(f"{path} is empty.")
    if text[0] in "{[":
        name = _of_list(path, text) if text[0] == "[" else _of_object(text)
    else:
        name = _of_header(path, text.partition("\n")[0])
    if name is None and path.suffix in (".jsonl", ".csv", ".tsv"):
        name = "jsonl" if path.suffix == ".jsonl" else "csv"
    if name is None:
        raise AnnotationFileError(
            f"{path} is in none of the formats {', '.join(FORMATS)}. {_nearest(text)}"
        )
    return name


def _of_object(text: str) -> str | None:
    try:
        first = json.loads(text.partition("\n")[0])
        keys = set(first) if isinstance(first, dict) else set()
    except (ValueError, RecursionError):
        keys = {key for key in _KEYS if f'"{key}"' in text}
    if {"qParams", "nodes"} <= keys or "supernodes" in keys or {"metadata", "nodes"} <= keys:
        return "neuronpedia-subgraph"
    if {"modelId", "description", "index"} <= keys:
        return "neuronpedia-explanations"
    if {"qParams", "metadata"} & keys:
        return "neuronpedia-subgraph"
    if keys & {"schema", "kind", "target"}:
        return "jsonl"
    return None


_KEYS = (
    "qParams",
    "nodes",
    "metadata",
    "supernodes",
    "modelId",
    "description",
    "index",
    "schema",
    "kind",
    "target",
)


def _of_list(path: Path, text: str) -> str | None:
    if '"circuitkb.annotation' in text:
        raise AnnotationFileError(
            f"{path} is a JSON list of records. Write one record a line (jq -c '.[]')."
        )
    if '"modelId"' in text and '"description"' in text:
        return "neuronpedia-explanations"
    return "distill" if '"units"' in text and '"name"' in text else None


def _of_header(path: Path, first: str) -> str | None:
    for delimiter in DELIMITERS:
        try:
            cells = next(csv.reader([first], delimiter=delimiter, strict=True), [])
        except (csv.Error, ValueError):
            continue
        columns = {cell.strip().casefold() for cell in cells if cell.strip()}
        if set(netdissect.COLUMNS) <= columns:
            return "netdissect"
        if columns == set(clip_dissect.COLUMNS):
            return "clip-dissect"
        if columns in ({*milan.PLACE, milan.DESCRIBED}, {*milan.PLACE, milan.SUMMARISED}):
            return "milan"
        if columns == set(distill.COLUMNS):
            return "distill" if distill.is_published_list(path) else "csv"
        if len(columns & set(spreadsheet.COLUMNS)) >= 2:
            return "csv"
    return None


def _nearest(text: str) -> str:
    """Say what a file lacks that is near to a format."""
    if text[0] == "{":
        return "It is JSON; a record has schema, kind and target, and stands on one line."
    if text[0] == "[":
        return "It is a JSON list; a label list of Distill has name and units in each entry."
    return "A table needs a header with columns such as target and label."


def _read_jsonl(path: Path, defaults: Defaults) -> OpenedFile:
    del defaults  # every record says all of it
    return OpenedFile("jsonl", read_json_lines(path))


def _read_bundle(path: Path, defaults: Defaults) -> OpenedFile:
    from circuitkb.loaders.annotation_formats.bundle import read_bundle

    return OpenedFile("bundle", read_bundle(path, defaults))


_READERS: Mapping[str, Callable[[Path, Defaults], OpenedFile]] = {
    "jsonl": _read_jsonl,
    "csv": read_spreadsheet,
    "bundle": _read_bundle,
    "distill": read_distill,
    "neuronpedia-explanations": read_explanations,
    "neuronpedia-subgraph": read_subgraph,
    "netdissect": read_netdissect,
    "clip-dissect": read_clip_dissect,
    "milan": read_milan,
}
