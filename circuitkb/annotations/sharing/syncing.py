"""A folder of JSON Lines files in git, and a knowledge base: each gets what it lacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from circuitkb.annotations.importing import import_annotations, raise_if_refused
from circuitkb.annotations.report import ImportReport
from circuitkb.annotations.sharing.author_files import (
    AuthorFilesReport,
    author_files,
    write_author_files,
)
from circuitkb.annotations.sharing.stored_records import Selection
from circuitkb.results.result import Result
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.progress import Progress, silent
from circuitkb.stores.base import Store

# Those that a load of published circuits brings are no work of the group: whoever loads the same
# has them.
_AUTHORS = """\
MATCH (a:Annotation)-[:BY]->(who:Annotator) WHERE a.method <> 'published'
RETURN DISTINCT who.id AS id ORDER BY id"""


@dataclass(frozen=True)
class SyncReport:
    """What a sync did.

    Attributes
    ----------
    read
        What the folder brought; None where there was no file in it.
    wrote
        What the folder got.
    """

    read: ImportReport | None
    wrote: AuthorFilesReport

    def to_result(self) -> Result:
        """Return the counts as one row."""
        row = {
            "files": len(self.read.files) if self.read else 0,
            "new": self.read.new if self.read else 0,
            "known": self.read.known if self.read else 0,
            "conflicting": self.read.conflicting if self.read else 0,
            "pending": self.read.pending if self.read else 0,
            "files_written": len(self.wrote.written),
            "records_added": self.wrote.added,
            "left_behind": self.wrote.left_behind,
        }
        return Result.of_records([row])


def sync(
    store: Store,
    folder: Path,
    *,
    with_noassertion: bool = False,
    importer: str | None = None,
    progress: Progress = silent,
) -> SyncReport:
    """Import what a folder has and the store lacks; write into the folder what it lacks.

    Every file of the folder is taken in, or nothing is; then each author's file gets the records
    of that author that were added here.

    Parameters
    ----------
    store
        The knowledge base.
    folder
        Of JSON Lines files; made if it is not there.
    with_noassertion
        Whether records without a licence go into the folder too.
    importer, progress
        As in :func:`circuitkb.annotations.importing.import_annotations`.

    Raises
    ------
    AnnotationError
        A record in the folder is refused; neither store nor folder was changed.
    AnnotationFileError
        The folder is a file, or a file in it cannot be read.
    """
    if folder.exists() and not folder.is_dir():
        raise AnnotationFileError(
            f"{folder} is a file, and sync takes a folder. To take in a file: "
            f"circuitkb annotate import {folder}"
        )
    paths = author_files(folder) if folder.is_dir() else []
    read = None
    if paths:
        read = import_annotations(
            store, paths, format="jsonl", importer=importer, progress=progress
        )
        raise_if_refused(read)
    authors = [row[0] for row in store.read(_AUTHORS, limit=None).rows]
    selection = Selection(authors=authors, with_noassertion=with_noassertion)
    return SyncReport(read, write_author_files(store, folder, selection))
