"""The hash of every file of a release, as ``sha256sum`` writes it, and whether it still holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from circuitkb.loaders.sources.kinds.exported import RELEASE
from circuitkb.moving.files.folder import checksum
from circuitkb.schema.errors import SourceError
from circuitkb.schema.progress import Progress
from circuitkb.stores.findings import Finding

SUMS = "SHA256SUMS"
"""``sha256sum -c SHA256SUMS`` compares them without circuitkb."""

_DIFFERS = "is not what was released"
_REMEDY = "get this release again from where it was published"

_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_@+,~-][A-Za-z0-9._@+,~/-]*)")


def is_release(folder: Path) -> bool:
    """Tell whether a folder is one that ``circuitkb release`` wrote, be it whole or not."""
    return any((folder / name).is_file() for name in (RELEASE, SUMS))


def write_sums(folder: Path, known: Mapping[str, str]) -> dict[str, str]:
    """Write the hash of every file in a folder, and return them.

    Parameters
    ----------
    known
        Those that were taken already.
    """
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    names.pop(SUMS, None)
    sums = {name: known.get(name) or checksum(path) for name, path in sorted(names.items())}
    text = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    (folder / SUMS).write_text(text, encoding="ascii", newline="\n")
    return sums


def check_sums(folder: Path, progress: Progress) -> dict[str, str]:
    """Compare every file of a release with its hash, and return them.

    Raises
    ------
    SourceError
        One is missing or is not what was released; names the first.
    """
    sums = _read(folder)
    for name, found in _compared(folder, sums, progress):
        if found:
            raise SourceError(f"{folder / name} {found}: {_REMEDY}.")
    return sums


def release_findings(folder: Path, progress: Progress) -> list[Finding]:
    """Compare every file of a release with its hash; return what was found, damage first.

    Raises
    ------
    SourceError
        The hashes themselves are not what was released.
    """
    sums = _read(folder)
    damaged = [
        Finding(name, "1 file", f"it {found}", damage=True, remedy=_REMEDY)
        for name, found in _compared(folder, sums, progress)
        if found
    ]
    whole = Finding("files of a release", f"{len(sums):,} files", "as they were released")
    return damaged or [whole]


def _compared(
    folder: Path, sums: Mapping[str, str], progress: Progress
) -> Iterator[tuple[str, str]]:
    """Give each name with what is wrong with the file; nothing where it is as it was."""
    for number, (name, digest) in enumerate(sums.items()):
        progress(f"checking {name}", number / len(sums))
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            yield name, "leads out of the folder, and was not read"
            continue
        try:
            same = path.is_file() and checksum(path) == digest
        except OSError as error:
            yield name, f"cannot be read ({error.strerror or error})"
            continue
        yield name, "" if same else _DIFFERS if path.exists() else "is missing"


def _read(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    try:
        lines = path.read_bytes().decode("ascii").removesuffix("\n").split("\n")
    except (OSError, ValueError):
        lines = [""]
    found = [_LINE.fullmatch(line) for line in lines]
    sums = {match[2]: match[1] for match in found if match}
    if len(sums) < len(lines) or RELEASE not in sums:
        raise SourceError(f"{path} {_DIFFERS if path.exists() else 'is missing'}: {_REMEDY}.")
    return sums
