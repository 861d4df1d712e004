"""A folder of JSON Lines files that a group keeps in git: one sorted file for each author.

Two people who add records of different authors change different files. Two who add records of one
author change different lines of a sorted file; where git would see a conflict nevertheless, the
folder's ``.gitattributes`` has it keep the lines of both sides (``merge=union``). That is safe here
as it is nowhere else: a line is a whole record, no line is ever changed or taken away, and an
import does not care for order or repetition. The next sync sorts the lines again.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from circuitkb.annotations.sharing.stored_records import Selection, StoredRecord, stored_records
from circuitkb.loaders.annotation_formats.json_lines import read_json_lines
from circuitkb.schema.errors import AnnotationError
from circuitkb.schema.ids import slugify
from circuitkb.schema.records import Record, body_of, canonical_record
from circuitkb.stores.base import Store
from circuitkb.stores.disk.files import disk_errors, sync, umask

ATTRIBUTES = "*.jsonl text eol=lf merge=union"
"""What git is told of the files: the same bytes on every system, the lines of both sides."""

_MOST_SLUG = 60
_MOST_ATTRIBUTES = 2**20
_BUFFER = 8 * 2**20
_KEY = 16


@dataclass(frozen=True)
class AuthorFilesReport:
    """What was written into a folder.

    Attributes
    ----------
    folder
        The folder.
    records
        Records in the authors' files now.
    written, unchanged
        Names of the files that were written, and number of those that were right already.
    added
        Records that no file of the folder had before.
    left_behind
        Records that stayed out of the folder since nobody said under which licence they are.
    """

    folder: str
    records: int
    written: tuple[str, ...]
    unchanged: int
    added: int
    left_behind: int


def author_files(folder: Path) -> list[Path]:
    """Return the files of a folder that annotations are read from, in one order.

    These are the ``.jsonl`` files in it and in its subfolders. Links are not followed, so nothing
    outside of the folder is read; what is hidden (its name begins with a dot) is left out.

    Raises
    ------
    AnnotationError
        There is no such folder.
    """
    if not folder.is_dir():
        raise AnnotationError(f"{folder} is no folder: name the folder that the group shares.")
    found = []
    for place, subfolders, names in os.walk(folder, followlinks=False):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            path = Path(place) / name
            if name.startswith(".") or not name.lower().endswith(".jsonl"):
                continue
            if path.is_file() and not path.is_symlink():
                found.append(path)
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def file_name(author: str) -> str:
    """Return the name of an author's file: the same on every system, another for another author.

    Examples
    --------
    >>> file_name("ada"), file_name("Ada")
    ('ada-fdee430d.jsonl', 'ada-99a563ab.jsonl')
    >>> file_name("../../etc/passwd")
    'etc-passwd-3754d6cb.jsonl'
    """
    name = re.sub(r"\.{2,}", "-", slugify(author))[:_MOST_SLUG].strip("-._") or "author"
    return f"{name}-{hashlib.sha256(author.encode()).hexdigest()[:8]}.jsonl"


def records_by_author(
    store: Store, selection: Selection | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Give each author with the JSON texts of its records, in the order of ids.

    All records are in memory: for a store with millions, :func:`write_author_files` is the way.
    """
    texts: dict[str, list[str]] = defaultdict(list)
    for item in stored_records(store, selection):
        texts[item.record["author"]["id"]].append(item.text)
    yield from sorted(texts.items())


def write_author_files(
    store: Store, folder: Path, selection: Selection | None = None
) -> AuthorFilesReport:
    """Bring a folder up to date: one file for each author, its records in the order of ids.

    What the folder holds already stays in it, whatever is selected. A file whose content is
    right is not touched. Each file is replaced in one step.

    Parameters
    ----------
    store
        Where the records are; it has imported the folder's files before.
    folder
        The folder; made where it is missing.
    selection
        Which of the records that the folder does not hold yet are added; all that have a licence
        if not given.

    Raises
    ------
    AnnotationError
        A line of an author's file cannot be read, or is not in the store: nothing was written.
    StoreError
        The folder cannot be written.
    """
    wanted = selection or Selection()
    left_behind = 0
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".circuitkb-", dir=folder) as place:
            held = _Held(folder)
            selected = _selected(store, wanted)
            files = _Buffers(Path(place))
            for item in stored_records(store, Selection(with_noassertion=True)):
                if held.has(item.record):
                    files.add(item)
                elif selected(item.record):
                    if wanted.lets_go(item.record):
                        files.add(item)
                    else:
                        left_behind += 1
            files.flush()
            held.check_all_found()
            written = [name for name in sorted(files.names) if _replace(Path(place), folder, name)]
            _write_attributes(folder, Path(place))
    return AuthorFilesReport(
        str(folder),
        files.records,
        tuple(written),
        len(files.names) - len(written),
        files.records - held.found,
        left_behind,
    )


def _selected(store: Store, wanted: Selection) -> Callable[[Record], bool]:
    """Return what tells whether a record is wanted, under whatever licence it is."""
    if wanted.models is None and wanted.layers is None:
        return wanted.takes
    every = stored_records(store, replace(wanted, with_noassertion=True))
    keys = {_key(item.record) for item in every}
    return lambda record: _key(record) in keys


def _key(record: Record) -> bytes:
    """Return what tells records apart that differ in more than their date."""
    return hashlib.blake2b(body_of(record).encode(), digest_size=_KEY).digest()


class _Held:
    """The records that the files of a folder hold, less those that the store was seen to have.

    Only a hash of each is in memory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys = {key for _, _, key in _keyed_lines(folder)}
        self.found = 0

    def has(self, record: Record) -> bool:
        """Return whether the folder holds a record of the store, which is asked for once."""
        key = _key(record)
        if key not in self._keys:
            return False
        self._keys.remove(key)
        self.found += 1
        return True

    def check_all_found(self) -> None:
        if not self._keys:
            return
        for path, number, key in _keyed_lines(self._folder):
            if key in self._keys:
                raise AnnotationError(
                    f"{path}, line {number}: this record is not in the knowledge base. Import the "
                    "folder first; nothing was written into it."
                )


def _keyed_lines(folder: Path) -> Iterator[tuple[Path, int, bytes]]:
    """Give file, line and key of every record that a folder holds."""
    for path in author_files(folder):
        for line in read_json_lines(path):
            if line.record is None:
                raise AnnotationError(
                    f"{path}, line {line.number}: {line.problem}. Mend the line; nothing was "
                    "written into the folder."
                )
            try:
                yield path, line.number, _key(canonical_record(line.record))
            except (KeyError, TypeError, AttributeError):  # not checked against the schema
                raise AnnotationError(
                    f"{path}, line {line.number}: this is no record. Import the folder to see "
                    "what is wrong; nothing was written into it."
                ) from None


class _Buffers:
    """Files of many authors written at once, without one open file for each."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._lines: dict[str, list[str]] = defaultdict(list)
        self._size = 0
        self.names: set[str] = set()
        self.records = 0

    def add(self, item: StoredRecord) -> None:
        name = file_name(item.record["author"]["id"])
        self.names.add(name)
        self._lines[name].append(f"{item.text}\n")
        self.records += 1
        self._size += len(item.text)
        if self._size > _BUFFER:
            self.flush()

    def flush(self) -> None:
        for name, lines in self._lines.items():
            with (self._place / name).open("a", encoding="utf-8", newline="\n") as stream:
                stream.writelines(lines)
        self._lines.clear()
        self._size = 0


def _replace(place: Path, folder: Path, name: str) -> bool:
    """Put a file in its place unless the same is there; return whether it was put there."""
    made, target = place / name, folder / name
    if target.is_file() and not target.is_symlink() and filecmp.cmp(made, target, shallow=False):
        return False
    sync(made)
    made.replace(target)
    return True


def _write_attributes(folder: Path, place: Path) -> None:
    """Tell git how the files are merged, unless it was told already.

    The file is replaced, never written into: its contents may stand under another name outside of
    the folder. What is there and is no ordinary file of ordinary size is left as it is.
    """
    path = folder / ".gitattributes"
    known = b""
    if path.is_symlink() or path.exists():
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _MOST_ATTRIBUTES:
            return
        known = path.read_bytes()  # git takes any bytes for a pattern
    if any(line.split()[:1] == [b"*.jsonl"] for line in known.splitlines()):
        return
    before = known if not known or known.endswith(b"\n") else known + b"\n"
    made = place / path.name
    made.write_bytes(before + ATTRIBUTES.encode() + b"\n")
    made.chmod(path.stat().st_mode & 0o777 if known else 0o666 & ~umask())
    sync(made)
    made.replace(path)
