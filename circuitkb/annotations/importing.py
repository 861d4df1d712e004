"""Annotations from files into a knowledge base: all of them checked, then all or none written."""

from __future__ import annotations

import getpass
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import pyarrow as pa

from circuitkb.annotations.merging import MergeCounts, merge_rows
from circuitkb.annotations.places import KnownPlaces
from circuitkb.annotations.references import Referring, reference_problems
from circuitkb.annotations.report import KEPT, FileReport, ImportReport, Place
from circuitkb.annotations.spool import Spool
from circuitkb.loaders.annotation_formats.checking import problems_of, units_of
from circuitkb.loaders.annotation_formats.lines import Defaults, Line
from circuitkb.loaders.annotation_formats.plain_files import in_pieces, shown
from circuitkb.loaders.annotation_formats.recognition import open_annotations
from circuitkb.schema.errors import AnnotationError, AnnotationFileError
from circuitkb.schema.ids import content_hash
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.schema.provenance import import_node
from circuitkb.schema.records import AWAITED, HASHED, canonical_record, core_of
from circuitkb.schema.tables import GraphRows
from circuitkb.schema.uncollected import uncollected
from circuitkb.stores.base import Store
from circuitkb.stores.stored_graph import StoredGraph

AUTHOR_VARIABLE = "CIRCUITKB_AUTHOR"
"""Names who annotates and imports, where nothing else does."""

RECORDS_AT_ONCE = 34_000
"""Records that are merged at once; they and what the graph holds of them are in memory."""

CHECKING = 0.3
"""Share of an import that reading and checking takes, about."""

_BYTES_OF_A_RECORD = 400
_REPORTED_EVERY = 1_000


def import_annotations(
    store: Store,
    paths: Sequence[Path],
    *,
    format: str | None = None,
    defaults: Defaults | None = None,
    partial: bool = False,
    dry_run: bool = False,
    importer: str | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Read annotations from files into a store, all or none.

    Parameters
    ----------
    store
        Where they go.
    paths
        Files, of one format or of several.
    format
        Name of the format; recognised for each file if not given.
    defaults
        What the files leave out.
    partial
        Whether to leave out records that are refused, and write the others.
    dry_run
        Whether to look only, and write nothing.
    importer
        Who imports; else what ``CIRCUITKB_AUTHOR`` names, else the name of the user.
    progress
        Called with what is being done and how far it is.

    Returns
    -------
    ImportReport
        Nothing is raised for refused records: see its ``refused``.

    Raises
    ------
    AnnotationFileError
        A file cannot be read at all.
    """
    start = perf_counter()
    with uncollected(), Spool(RECORDS_AT_ONCE) as spool:
        checking = _Checking(store, spool, progress)
        for number, path in enumerate(paths):
            checking.read(number, path, len(paths), format, defaults or Defaults())
        report = checking.report(store, partial=partial, dry_run=dry_run)
        writing = within(progress, CHECKING, 1.0)
        report = _merged(store, spool, report, importer or importer_name(), writing)
    progress("Annotations: done", 1.0)
    return replace(report, seconds=perf_counter() - start)


def import_records(
    store: Store,
    records: Iterable[dict[str, Any]],
    *,
    name: str,
    partial: bool = False,
    progress: Progress = silent,
) -> ImportReport:
    """Write records that stand in no file, all or none; as :func:`import_annotations`.

    Parameters
    ----------
    store
        Where they go.
    records
        Not checked yet.
    name
        Where they come from, for messages.
    """
    start = perf_counter()
    lines = (Line(number, record) for number, record in enumerate(records, 1))
    with Spool(RECORDS_AT_ONCE) as spool:
        checking = _Checking(store, spool, progress)
        checking.take_all(0, Path(name), lines)
        report = checking.report(store, partial=partial)
        report = _merged(store, spool, report, None, progress)
    return replace(report, seconds=perf_counter() - start)


def _merged(
    store: Store,
    spool: Spool,
    report: ImportReport,
    importer: str | None,
    progress: Progress,
) -> ImportReport:
    """Write what was checked, unless it was refused; return what became of it."""
    if report.refused or not len(spool):
        return report
    # Without the date: the same file imported again by the same is the same import.
    files = {
        f"annotate-{content_hash([file.sha256, importer])[:16]}": file for file in report.files
    }
    merge = AnnotationMerge(spool, files if importer else {}, importer, dry_run=report.dry_run)
    store.merge(merge, progress)
    return merge.finish(report)


def raise_if_refused(report: ImportReport) -> None:
    """Raise for a report that says that nothing was written because of some records.

    Raises
    ------
    AnnotationError
        With the first reason, and all that were kept as ``rejections``.
    """
    if report.refused:
        first = report.rejections[0]
        several = "1 record is" if report.rejected == 1 else f"{report.rejected:,} records are"
        raise AnnotationError(
            f"{several} refused, and nothing was written: {first.file}:{first.line}: "
            f"{first.reason}\nMend them, or import the others with --partial (partial=True).",
            rejections=report.rejections,
            report=report,
        )


def importer_name() -> str:
    """Return who imports, where nobody is named."""
    named = os.environ.get(AUTHOR_VARIABLE)
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no entry for the user, as in some containers
        return "unknown"


class _Checking:
    """Reads files, checks each record, and keeps the good ones in a spool."""

    def __init__(self, store: Store, spool: Spool, progress: Progress) -> None:
        self._places = KnownPlaces(store)
        self._spool = spool
        self._progress = progress
        self._files: list[FileReport] = []
        self._referring: list[Referring] = []
        self._rejections: list[Place] = []
        self._rejected: Counter[int] = Counter()
        self._unknown: Counter[str] = Counter()
        self._unmarked = 0

    def read(
        self, number: int, path: Path, files: int, format: str | None, defaults: Defaults
    ) -> None:
        digest, size = _digest(path)
        opened = open_annotations(path, format=format, defaults=defaults)

        def telling() -> Iterator[Line]:
            for count, line in enumerate(opened.lines):
                if count % _REPORTED_EVERY == 0:
                    share = min(1.0, count * _BYTES_OF_A_RECORD / max(size, 1))
                    self._progress(f"Checking {path.name}", CHECKING * (number + share) / files)
                yield line

        count = self.take_all(number, path, telling())
        self._files[number] = FileReport(shown(path), opened.format, digest, count, 0)

    def take_all(self, number: int, path: Path, lines: Iterable[Line]) -> int:
        """Check all lines of file ``number``; return how many there are."""
        count = 0
        for line in lines:
            count += 1
            if line.record is None:
                self._reject(number, path, line.number, line.problem or "it cannot be read")
            else:
                self._take(number, path, line, line.record)
        self._files.append(FileReport(shown(path), "records", "", count, 0))
        return count

    def _take(self, number: int, path: Path, line: Line, given: dict[str, Any]) -> None:
        problems = problems_of(given, plain=line.plain)
        if not problems:
            record = canonical_record(given)
            hashed = "id" in given and record["id"].startswith(HASHED)
            problems = [*(_id_problems(record) if hashed else ()), *self._places.problems(record)]
        if problems:
            self._reject(number, path, line.number, "; ".join(problems))
            return
        units = [unit for _, unit in units_of(record["target"])]
        for model in {unit["model"] for unit in units}:
            self._unknown[model] += model not in self._places.models
        self._unmarked += any("fingerprint" not in unit for unit in units)
        key = number, line.number
        referring = Referring.of(key, record)
        if referring is not None:
            self._referring.append(referring)
        self._spool.add(key, record)

    def _check_references(self, store: Store) -> None:
        """Refuse records that name others which they may not name."""
        given = (
            record for piece in range(self._spool.pieces) for _, record in self._spool.piece(piece)
        )
        problems = reference_problems(self._referring, given, store)
        for (number, line), reason in sorted(problems.items()):
            self._spool.drop((number, line))
            self._reject(number, Path(self._files[number].file), line, reason)
        self._files = [
            replace(file, rejected=self._rejected[number])
            for number, file in enumerate(self._files)
        ]

    def _reject(self, number: int, path: Path, line: int, reason: str) -> None:
        self._rejected[number] += 1
        if len(self._rejections) < KEPT:
            self._rejections.append(Place(shown(path), line, reason))

    def report(self, store: Store, *, partial: bool, dry_run: bool = False) -> ImportReport:
        """Check what the records say of one another, and report what was found in all of them."""
        self._check_references(store)
        return ImportReport(
            tuple(self._files),
            new=0,
            known=0,
            conflicting=0,
            pending=0,
            rejected=self._rejected.total(),
            rejections=tuple(sorted(self._rejections)),
            unknown_models=dict(sorted((+self._unknown).items())),
            without_fingerprint=self._unmarked,
            partial=partial,
            dry_run=dry_run,
        )


def _id_problems(record: dict[str, Any]) -> Iterator[str]:
    if record["id"] != core_of(record):
        yield (
            f"id: {record['id']} is the hash of another statement than this one. To correct a "
            "record, leave it as it is, and add one without an id that supersedes it"
        )


class AnnotationMerge:
    """The records of a spool on their way into a graph; see :class:`circuitkb.stores.base.Merge`.

    Parameters
    ----------
    spool
        Checked records.
    files
        What is imported, by the id of the ``Import`` node that tells of it.
    importer
        Who imports.
    dry_run
        Whether to count only.
    """

    def __init__(
        self,
        spool: Spool,
        files: Mapping[str, FileReport],
        importer: str | None,
        *,
        dry_run: bool = False,
    ) -> None:
        self._spool = spool
        self._files = files
        self._importer = importer
        self._dry_run = dry_run
        self._counts: dict[int, MergeCounts] = {}
        self._conflicts: dict[int, list[tuple[int, int]]] = {}
        self._changed: dict[int, bool] = {}
        self._seen: dict[str, int] = {}

    @property
    def pieces(self) -> int:
        """How many pieces there are."""
        return self._spool.pieces

    def rows(self, graph: StoredGraph, first: int, last: int) -> GraphRows:
        """Return the rows of some pieces."""
        keyed = [item for piece in range(first, last) for item in self._spool.piece(piece)]
        # An import brings no features: what waits for them is looked at once.
        awaited = AWAITED if first == 0 else AWAITED[1:]
        rows, counts = merge_rows((record for _, record in keyed), graph, awaited)
        self._counts[first] = counts
        self._conflicts[first] = [keyed[position][0] for position in counts.conflicts]
        self._changed[first] = bool(counts.new or counts.conflicts)
        if self._dry_run:
            self._correct(first, counts)
            return GraphRows()
        counts.new_ids.clear()
        if last == self.pieces and any(self._changed.values()):
            rows = replace(rows, nodes={**rows.nodes, **self._imports(graph)})
        return rows

    def _correct(self, piece: int, counts: MergeCounts) -> None:
        """Count a record once: a look that writes nothing sees none of the pieces before."""
        again = sum(self._seen.setdefault(id, piece) < piece for id in counts.new_ids)
        counts.new -= again
        counts.known += again

    def _imports(self, graph: StoredGraph) -> dict[str, pa.Table]:
        there = {row["id"] for row in graph.nodes("Import", list(self._files), ["id"])}
        total = self._total()
        nodes = [
            import_node(
                id,
                "annotate",
                source=file.file,
                by=self._importer,
                sha256=file.sha256,
                summary={
                    "format": file.format,
                    "read": file.read,
                    "rejected": file.rejected,
                    "new": total.new,
                    "known": total.known,
                    "conflicting": len(total.conflicts),
                    "pending": total.pending,
                },
            )
            for id, file in self._files.items()
            if id not in there
        ]
        return {"Import": pa.concat_tables(nodes)} if nodes else {}

    def _total(self) -> MergeCounts:
        total = MergeCounts()
        for counts in self._counts.values():
            total.new += counts.new
            total.known += counts.known
            total.pending += counts.pending
            total.conflicts += counts.conflicts
            total.contested_circuits |= counts.contested_circuits
        return total

    def finish(self, report: ImportReport) -> ImportReport:
        """Return the report with what became of the records."""
        total = self._total()
        files = [file.file for file in report.files]
        keys = sorted(key for keys in self._conflicts.values() for key in keys)
        reason = "another record stands under its id; both are kept"
        return replace(
            report,
            new=total.new,
            known=total.known,
            conflicting=len(total.conflicts),
            pending=total.pending,
            conflicts=tuple(Place(files[file], line, reason) for file, line in keys[:KEPT]),
            contested_circuits=tuple(sorted(total.contested_circuits)),
            written=any(self._changed.values()) and not self._dry_run,
        )


def _digest(path: Path) -> tuple[str, int]:
    """Return sha256 and size of a file, which is read while it is hashed.

    Raises
    ------
    AnnotationFileError
        It cannot be read.
    """
    try:
        if path.is_dir():
            raise AnnotationFileError(
                f"{path} is a folder. To take in a folder of annotations: "
                f"circuitkb annotate sync {path}"
            )
        digest = hashlib.sha256()
        for piece in in_pieces(path):
            digest.update(piece)
        return digest.hexdigest(), path.stat().st_size
    except OSError as error:
        raise AnnotationFileError(f"{path} cannot be read: {error.strerror or error}.") from error
