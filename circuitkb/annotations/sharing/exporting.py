"""Annotations as files: ours, for spreadsheets, for the web, and as a bundle for another lab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Literal, get_args

from circuitkb.annotations.sharing.stored_records import (
    UNLICENSED,
    RecordCounts,
    Selection,
    StoredRecord,
    stored_records,
)
from circuitkb.results.result import Result
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import AnnotationError
from circuitkb.schema.progress import Progress, silent
from circuitkb.stores.base import Store
from circuitkb.stores.disk.whole_file import check_target, whole_file

ExportFormat = Literal["jsonl", "csv", "web-annotation", "bundle"]
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)

_LOST = {
    "csv": "do not fit the columns of a table and read back as something else",
    "web-annotation": "say more than a Web Annotation holds (scores, evidence, members, ext)",
}


@dataclass(frozen=True)
class ExportReport:
    """What an export of annotations wrote.

    Attributes
    ----------
    target, format
        The file, and what it is.
    records
        Records written.
    left_behind
        Records that were wanted and stayed behind, by licence.
    measured
        Annotations without a record: measurements of this program.
    missing
        Records written that speak of, or supersede, one of the store that was not written.
    lost
        Records of which the format does not hold everything.
    seconds
        How long it took.
    """

    target: str
    format: ExportFormat
    records: int
    left_behind: Mapping[str, int] = field(default_factory=dict)
    measured: int = 0
    missing: int = 0
    lost: int = 0
    seconds: float = 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know about the figures.

        Examples
        --------
        >>> for note in ExportReport("a.jsonl", "jsonl", 5, {"NOASSERTION": 2}, missing=1).notes:
        ...     print(note)
        5 records written to a.jsonl.
        2 records stayed behind: nobody said under which licence (NOASSERTION).
        --with-noassertion (with_noassertion=True) takes them along.
        1 record speaks of a record that was not written: it stays pending until that comes.
        """
        notes = [f"{_records(self.records)} written to {self.target}."]
        for count in self.left_behind.values():
            notes.append(
                f"{_records(count)} stayed behind: nobody said under which licence "
                f"({UNLICENSED}). --with-noassertion (with_noassertion=True) takes them along."
            )
        if self.missing:
            verbs = ("speaks", "it stays") if self.missing == 1 else ("speak", "they stay")
            notes.append(
                f"{_records(self.missing)} {verbs[0]} of a record that was not written: "
                f"{verbs[1]} pending until that comes."
            )
        if self.lost:
            notes.append(f"{_records(self.lost)} {_LOST[self.format]}: jsonl holds everything.")
        if self.measured:
            notes.append(
                f"{self.measured:,} annotations are measurements of circuitkb and have no record."
            )
        return tuple(notes)

    def to_result(self) -> Result:
        """Return one row."""
        names = ("target", "format", "records", "left_behind", "measured", "missing", "lost")
        row = (
            self.target,
            self.format,
            self.records,
            sum(self.left_behind.values()),
            self.measured,
            self.missing,
            self.lost,
        )
        return Result(names, (row,), seconds=self.seconds, notes=self.notes)


def _records(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


def export_annotations(
    store: Store,
    target: Path,
    format: ExportFormat = "jsonl",
    selection: Selection | None = None,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> ExportReport:
    """Write the annotations of a store, or some of them, into one file.

    The same records give the same bytes. The file appears whole or not at all.

    Parameters
    ----------
    store
        Where they are.
    target
        The file.
    format
        ``jsonl`` (ours, nothing is lost), ``csv``, ``web-annotation`` (W3C, JSON-LD) or ``bundle``
        (a zip with records, provenance, licences and checksums).
    selection
        Which records; all that have a licence if not given.
    overwrite
        Whether a file that is there gives way.
    progress
        Called with what is being done and how far it is.

    Raises
    ------
    AnnotationError
        There is no such format.
    StoreError
        Something is there already, or it cannot be written.
    QueryError
        The store cannot be read.
    """
    start = perf_counter()
    if format not in FORMATS:
        raise AnnotationError(
            f"{format!r} is no format of an export of annotations: {', '.join(FORMATS)}."
            f"{did_you_mean(format, FORMATS)}"
        )
    check_target(target.expanduser().resolve(), overwrite=overwrite)
    counts, wanted = RecordCounts(), selection or Selection()
    records = _reporting(stored_records(store, wanted, counts), counts, store, progress)
    with whole_file(target, overwrite=overwrite) as file:
        lost = _write(store, file, format, wanted, records)
    progress(f"{target}: written", 1.0)
    return ExportReport(
        str(target),
        format,
        counts.records,
        dict(sorted(counts.left_behind.items())),
        counts.measured,
        counts.missing,
        lost,
        perf_counter() - start,
    )


def _write(
    store: Store,
    file: Path,
    format: ExportFormat,
    selection: Selection,
    records: Iterator[StoredRecord],
) -> int:
    """Write the file and return how many records it does not hold whole."""
    match format:
        case "jsonl":
            write_json_lines(file, records)
            return 0
        case "csv":
            from circuitkb.annotations.sharing.csv_export import write_csv

            return write_csv(file, records)
        case "web-annotation":
            from circuitkb.annotations.sharing.web_annotation import write_web_annotations

            return write_web_annotations(file, records)
        case "bundle":
            from circuitkb.annotations.sharing.bundles import write_bundle

            write_bundle(store, file, selection, records)
            return 0


def write_json_lines(file: Path, records: Iterator[StoredRecord]) -> None:
    r"""Write one record a line: UTF-8, every line ends with ``\n``."""
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        for item in records:
            stream.write(f"{item.text}\n")


def _reporting(
    records: Iterator[StoredRecord], counts: RecordCounts, store: Store, progress: Progress
) -> Iterator[StoredRecord]:
    """Pass records through and tell how many of all annotations were seen."""
    cypher = "MATCH (a:Annotation) RETURN count(a) AS count"
    expected = store.read(cypher).rows[0][0] or 1
    progress("Writing annotations", 0.0)
    for item in records:
        if counts.records % 1000 == 0:
            seen = counts.records + counts.measured + sum(counts.left_behind.values())
            progress("Writing annotations", min(seen / expected, 1.0))
        yield item
