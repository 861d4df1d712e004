"""Files of annotations: which format one is in, and its records.

The format is known from what the file says, not from its name.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from circuitkb.loaders.annotation_formats.format import ZIP, AnnotationFormat, FileHead
from circuitkb.loaders.annotation_formats.lines import Defaults, OpenedFile
from circuitkb.loaders.annotation_formats.plain_files import check_plain
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.registry import Registry

_HERE = "circuitkb.loaders.annotation_formats"

FORMATS = Registry(
    "circuitkb.formats",
    "format of annotations",
    AnnotationFormat,
    {
        "jsonl": f"{_HERE}.json_lines:FORMAT",
        "csv": f"{_HERE}.spreadsheet:FORMAT",
        "bundle": f"{_HERE}.bundle:FORMAT",
        "distill": f"{_HERE}.distill:FORMAT",
        "neuronpedia-explanations": f"{_HERE}.neuronpedia:FORMAT",
        "neuronpedia-subgraph": f"{_HERE}.attribution_graph:FORMAT",
        "netdissect": f"{_HERE}.netdissect:FORMAT",
        "clip-dissect": f"{_HERE}.clip_dissect:FORMAT",
        "milan": f"{_HERE}.milan:FORMAT",
    },
    unknown=AnnotationFileError,
)
"""What can be read."""

_NOTHING_SAID = Defaults()
_HEAD = 2**16
_UNICODE_MARKS = (
    codecs.BOM_UTF32_LE,
    codecs.BOM_UTF32_BE,
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
)


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
    named = None if format is None else FORMATS.get(format)
    try:
        check_plain(path)
        with path.open("rb") as stream:
            head = FileHead(path, stream.read(_HEAD))
        _check_encoding(head)
        chosen = named or recognise(head)
        with FORMATS.running(chosen.name):
            lines = chosen.read(path, defaults)
        return OpenedFile(chosen.name, FORMATS.guarded(chosen.name, lines))
    except OSError as error:
        raise AnnotationFileError(f"{path} cannot be read: {error.strerror or error}.") from error


def _check_encoding(head: FileHead) -> None:
    path, start = head.path, head.start
    if start.startswith(b"\x1f\x8b"):
        raise AnnotationFileError(f"{path} is packed with gzip. Unpack it first (gunzip).")
    if start.startswith(ZIP) and (b"[Content_Types].xml" in start or b"opendocument" in start):
        raise AnnotationFileError(f"{path} is a workbook. Save its sheet as 'CSV UTF-8'.")
    every_second = start[:1000:2], start[1:1000:2]
    wide = not start.startswith(ZIP) and any(
        len(half) > 1 and half.count(0) * 10 >= len(half) * 9 for half in every_second
    )
    if start.startswith(_UNICODE_MARKS) or wide:
        raise AnnotationFileError(f"{path} is in UTF-16 or UTF-32. Save it as UTF-8.")


def recognise(head: FileHead) -> AnnotationFormat:
    """Return the format that a file is in: each is asked in turn, the general ones last.

    Raises
    ------
    AnnotationFileError
        It is in none, with what it lacks.
    """
    path = head.path
    if not head.text and path.suffix != ".jsonl":
        raise AnnotationFileError(f"{path} is empty.")
    if head.is_list and '"circuitkb.annotation' in head.text:
        raise AnnotationFileError(
            f"{path} is a JSON list of records. Write one record a line (jq -c '.[]')."
        )
    found = [one for one, is_it in FORMATS.ask(lambda one: one.recognise(head)) if is_it]
    found = found or [one for one in FORMATS if path.suffix in one.suffixes]
    if not found:
        raise AnnotationFileError(
            f"{path} is in none of the formats {', '.join(FORMATS.names)}. {_nearest(head)}"
        )
    return min(found, key=lambda one: bool(one.suffixes))


def _nearest(head: FileHead) -> str:
    """Say what a file lacks that is near to a format."""
    if head.is_object:
        return "It is JSON; a record has schema, kind and target, and stands on one line."
    if head.is_list:
        return "It is a JSON list; a label list of Distill has name and units in each entry."
    return "A table needs a header with columns such as target and label."
