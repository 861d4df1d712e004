"""Bundles of annotations: a zip of somebody else, read without trusting it.

Nothing is unpacked to a place that the zip names, no record is given before all checksums were
compared with the contents, and what is unpacked is counted while it is unpacked.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from circuitkb.loaders.annotation_formats.format import AnnotationFormat
from circuitkb.loaders.annotation_formats.json_lines import read_json_lines
from circuitkb.loaders.annotation_formats.lines import Defaults, Line
from circuitkb.loaders.annotation_formats.strict_json import JsonError, read_json
from circuitkb.schema.errors import AnnotationFileError

BUNDLE = "circuitkb.bundle/1"
"""Version of the layout of a bundle, in its provenance."""

RECORDS, PROVENANCE, LICENSES = "records.jsonl", "PROVENANCE.json", "LICENSES.json"
CHECKSUMS, README = "SHA256SUMS", "README.md"

NEEDED = (RECORDS, PROVENANCE, CHECKSUMS)
KNOWN = (*NEEDED, LICENSES, README)
"""Entries that a bundle may have; it has nothing else."""

MOST_PACKED = 2**32 - 2
"""Size of the largest bundle, in bytes: larger ones need another kind of zip."""

MOST_RECORDS = 16 * 2**30
"""Size of the largest ``records.jsonl``, in bytes (16 GiB)."""

MOST_OTHER = 16 * 2**20
"""Size of the largest other entry, in bytes (16 MiB)."""

MOST_RATIO = 200
"""Times that an entry may be larger than it is packed, beyond its first MiB.

Records pack 5 to 20 times; a zip bomb a thousand times.
"""

_FREE = 2**20
_PIECE = 2**18
_END = b"PK\x05\x06"
_END_LENGTH = 22
_END_ZIP64 = b"PK\x06\x07"
_MOST_COMMENT = 2**16
_MOST_DIRECTORY = 2**16
_SUM = re.compile(r"([0-9a-f]{64})  (\S+)")
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_bundle(path: Path, defaults: Defaults) -> Iterator[Line]:
    """Give the records of a bundle, which was checked whole before the first one.

    The records lie in the directory for temporary files while they are read.

    Parameters
    ----------
    path
        The zip.
    defaults
        Not used: the records of a bundle leave nothing out.

    Raises
    ------
    AnnotationFileError
        It is no zip, is damaged, holds anything that a bundle does not, unpacks to more than is
        allowed, or its checksums do not fit. Raised by the call, not by the first record.
    """
    folder = tempfile.TemporaryDirectory(prefix="circuitkb-bundle-")
    try:
        records = Path(folder.name) / RECORDS
        _unpack(path, records)
    except BaseException:
        folder.cleanup()
        raise
    return _lines(folder, records)


def _lines(folder: tempfile.TemporaryDirectory[str], records: Path) -> Iterator[Line]:
    with folder:
        yield from read_json_lines(records)


def _unpack(path: Path, records: Path) -> None:
    """Check a bundle, and write its records to a file."""
    try:
        _check_end(path)
        with zipfile.ZipFile(path) as bundle:
            entries = _entries(path, bundle)
            found = {
                name: _small(path, bundle, entries[name]) for name in entries if name != RECORDS
            }
            sums = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
            stated = _stated_sums(path, found[CHECKSUMS], sums.keys() | {RECORDS})
            _check_provenance(path, found[PROVENANCE])
            sums[RECORDS] = _copy_records(path, bundle, entries[RECORDS], records)
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error) as error:
        _refuse(path, f"the zip is damaged ({str(error)[:200] or 'it ends too early'})")
    except (NotImplementedError, RuntimeError) as error:
        _refuse(path, f"the zip needs what is not read here ({str(error)[:200]})")
    except OSError as error:
        reason = error.strerror or error
        raise AnnotationFileError(f"{path} cannot be unpacked: {reason}.") from error
    for name, given in stated.items():
        if sums[name] != given:
            _refuse(path, f"{name} is not what its checksum in {CHECKSUMS} says")


def _refuse(path: Path, why: str) -> NoReturn:
    raise AnnotationFileError(
        f"{path} is no bundle that can be read: {why}. Ask for it again where it comes from."
    )


def _check_end(path: Path) -> None:
    """Look at the zip's last record, so that a list of a million entries is not even read."""
    size = path.stat().st_size
    if size > MOST_PACKED:
        _refuse(path, "it is larger than 4 GiB")
    with path.open("rb") as stream:
        start = stream.read(4)
        stream.seek(max(0, size - _MOST_COMMENT - _END_LENGTH))
        tail = stream.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_LENGTH:
        _refuse(path, "it is no zip, or its end is missing")
    if start != b"PK\x03\x04":
        _refuse(path, "it does not begin as a zip: something stands before it, or it is empty")
    if _END_ZIP64 in tail[max(0, at - 20) : at]:
        _refuse(path, "it is a zip64, which is for more than 4 GiB or 65,535 entries")
    (directory,) = struct.unpack("<L", tail[at + 12 : at + 16])
    if directory > _MOST_DIRECTORY:
        _refuse(path, f"its list of entries is too long: a bundle has at most {len(KNOWN)}")


def _entries(path: Path, bundle: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the entries by name, if they are those of a bundle."""
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in bundle.infolist():
        name = entry.orig_filename
        shown = repr(name[:100])
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            _refuse(path, f"{shown} is a link or no ordinary file")
        if name.startswith(("/", "\\")) or ":" in name or ".." in re.split(r"[/\\]", name):
            _refuse(path, f"{shown} names a place outside of the bundle")
        if name not in KNOWN:
            what = "is a zip in the zip" if name.lower().endswith(".zip") else "is not of a bundle"
            _refuse(path, f"{shown} {what}; it has {', '.join(KNOWN)}")
        if name in found:
            _refuse(path, f"{name} is in it twice")
        if entry.flag_bits & 0x41:
            _refuse(path, f"{name} is encrypted")
        if entry.compress_type not in _PACKINGS:
            _refuse(path, f"{name} is packed by a method other than deflate")
        found[name] = entry
    for name in NEEDED:
        if name not in found:
            _refuse(path, f"{name} is missing")
    return found


def _pieces(path: Path, bundle: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Unpack an entry piece by piece, and count what comes; no header is believed."""
    most = MOST_RECORDS if entry.filename == RECORDS else MOST_OTHER
    packed = min(entry.compress_size, path.stat().st_size)
    size = 0
    with bundle.open(entry) as stream:
        while piece := stream.read(_PIECE):
            size += len(piece)
            if size > most:
                _refuse(path, f"{entry.filename} unpacks to more than {most // 2**20:,} MiB")
            if size > _FREE + packed * MOST_RATIO:
                _refuse(path, f"{entry.filename} unpacks to more than {MOST_RATIO} times its size")
            yield piece
    if size != entry.file_size:
        _refuse(path, f"{entry.filename} has another size than its head says")


def _small(path: Path, bundle: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    return b"".join(_pieces(path, bundle, entry))


def _copy_records(
    path: Path, bundle: zipfile.ZipFile, entry: zipfile.ZipInfo, records: Path
) -> str:
    """Write the records to a file and return their sha256."""
    digest, first = hashlib.sha256(), True
    with records.open("wb") as target:
        for piece in _pieces(path, bundle, entry):
            if first and piece.startswith(b"PK\x03\x04"):
                _refuse(path, f"{RECORDS} is a zip in the zip")
            first = False
            digest.update(piece)
            target.write(piece)
    return digest.hexdigest()


def _stated_sums(path: Path, data: bytes, names: set[str]) -> Mapping[str, str]:
    """Return the checksums that a bundle gives, one for every other entry."""
    stated: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        found = _SUM.fullmatch(line)
        if found is None or found[2] in stated:
            _refuse(path, f"{line[:100]!r} cannot stand in {CHECKSUMS}")
        stated[found[2]] = found[1]
    wanted = names - {CHECKSUMS}
    if missing := sorted(wanted - stated.keys()):
        _refuse(path, f"{CHECKSUMS} does not have {missing[0]}")
    if unknown := sorted(stated.keys() - wanted):
        _refuse(path, f"{CHECKSUMS} has {unknown[0][:100]!r}, which is not in the bundle")
    return stated


def _check_provenance(path: Path, data: bytes) -> None:
    try:
        found = read_json(data.decode())
    except (UnicodeDecodeError, JsonError):
        _refuse(path, f"{PROVENANCE} is no JSON")
    given = found.get("format") if isinstance(found, dict) else None
    if given != BUNDLE:
        shown = json.dumps(given)[:100]
        _refuse(path, f"{PROVENANCE} says that its format is {shown}, and {BUNDLE} is read here")


FORMAT = AnnotationFormat(
    "bundle",
    "a zip file that `annotate export` wrote, of records and their checksums",
    lambda head: head.is_zip,
    read_bundle,
)
