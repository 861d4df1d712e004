"""Checksums of every file of a state, taken when it is made and kept in it as ``checksums.json``.

A file is cut into blocks of 64 KB, the engine's pages, and each has a sum of its own: so a few
blocks tell of much damage at little cost when a state is opened, and all of them of all of it. The
sums are xxh3, 64 bits: they find what disks and copies do, not what somebody forges.
"""

from __future__ import annotations

import bisect
import itertools
import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitkb.stores.disk.own_files import raise_unless_damage, read_text

CHECKSUMS = "checksums.json"
BLOCK = 1 << 16
AT_OPENING = 0.012
"""Seconds that the look at a state takes when it is opened, beside the sizes of its files."""

_VERSION = 1
_ALGORITHM = "xxh3-64"
_SUM = 8
_READ = 16 * BLOCK
_LEAST_BLOCKS, _MOST_BLOCKS = 8, 4096


@dataclass(frozen=True)
class FileSums:
    """Size of a file, and the sums of its blocks one after the other, eight bytes each."""

    size: int
    sums: bytes

    def block(self, number: int) -> bytes:
        """Return the sum of one block."""
        return self.sums[number * _SUM : (number + 1) * _SUM]

    def changed(self, size: int, blocks: Mapping[int, bytes]) -> FileSums:
        """Return the sums of the file with another size and other sums of some blocks."""
        sums = bytearray(self.sums.ljust(-(-size // BLOCK) * _SUM, b"\0"))
        for number, own in blocks.items():
            sums[number * _SUM : (number + 1) * _SUM] = own
        return FileSums(size, bytes(sums))


def block_sum(content: bytes | memoryview) -> bytes:
    """Return the sum of one block."""
    from xxhash import xxh3_64_digest

    return xxh3_64_digest(content)


@dataclass(frozen=True)
class Checksums:
    """What a state was when it was made.

    Attributes
    ----------
    files
        Every file that it consists of, by its path in the state.
    arrays
        Every file of arrays that it names, by its path in the store.
    counts
        Nodes of each label and relations of each name.
    """

    files: Mapping[str, FileSums]
    arrays: Mapping[str, FileSums]
    counts: Mapping[str, int]

    def to_text(self) -> str:
        """Return the text of ``checksums.json``, which holds a sum of itself."""
        about = {
            "version": _VERSION,
            "algorithm": _ALGORITHM,
            "block": BLOCK,
            "counts": dict(sorted(self.counts.items())),
            "files": _written(self.files),
            "arrays": _written(self.arrays),
        }
        return json.dumps(about | {"sum": _sum_of_text(about)}, indent=0) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Checksums:
        """Read what :meth:`to_text` wrote; raises :class:`ValueError` for anything else."""
        try:
            about = json.loads(text)
            if about.pop("sum") != _sum_of_text(about):
                raise ValueError("its own sum is another")
            kind = about["version"], about["algorithm"], about["block"]
            if kind != (_VERSION, _ALGORITHM, BLOCK):
                raise ValueError("they are of another kind")
            return cls(_read(about["files"]), _read(about["arrays"]), about["counts"])
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(str(error)) from error


def _written(files: Mapping[str, FileSums]) -> dict[str, Any]:
    items = sorted(files.items())
    return {name: {"bytes": item.size, "blocks": item.sums.hex()} for name, item in items}


def _read(files: Mapping[str, Any]) -> dict[str, FileSums]:
    return {
        name: FileSums(int(item["bytes"]), bytes.fromhex(item["blocks"]))
        for name, item in files.items()
    }


def sums_of(path: Path) -> FileSums:
    """Return size and sums of a file, read from beginning to end."""
    from xxhash import xxh3_64_digest

    sums: list[bytes] = []
    size = 0
    buffer = memoryview(bytearray(_READ))
    with path.open("rb", buffering=0) as file:
        while done := _filled(file, buffer):
            size += done
            sums += [
                xxh3_64_digest(buffer[start : min(start + BLOCK, done)])
                for start in range(0, done, BLOCK)
            ]
    return FileSums(size, b"".join(sums))


def _filled(file: Any, buffer: memoryview) -> int:
    """Fill a buffer as far as there is anything: a read may give less than was asked for."""
    done = 0
    while done < len(buffer):
        more = file.readinto(buffer[done:])
        if not more:
            break
        done += more
    return done


def difference(found: FileSums, expected: FileSums) -> str | None:
    """Return how a file differs from what it was, to be read; None if it is the same."""
    if found.size != expected.size:
        return _other_size(found.size, expected)
    pairs = range(len(expected.sums) // _SUM)
    wrong = [number for number in pairs if found.block(number) != expected.block(number)]
    if not wrong:
        return None
    places = ", ".join(f"{number * BLOCK:,}" for number in wrong[:3])
    more = f" and {len(wrong) - 3:,} more places" if len(wrong) > 3 else ""
    return f"is not what was written, at byte {places}{more}"


def _other_size(size: int, expected: FileSums) -> str:
    return f"has {size:,} bytes instead of {expected.size:,}"


def damage(path: Path, expected: FileSums) -> str | None:
    """Read a whole file; return how it differs from what it was, None if it does not."""
    try:
        return difference(sums_of(path), expected)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        raise_unless_damage(error, path)
        return f"cannot be read ({error.strerror or error})"


def wrong_block(path: Path, expected: FileSums, numbers: Iterable[int]) -> str | None:
    """Return how the first block of those that is not what it was differs; None if all are."""
    with path.open("rb", buffering=0) as file:
        for number in numbers:
            file.seek(number * BLOCK)
            if block_sum(file.read(BLOCK)) != expected.block(number):
                return f"is not what was written, at byte {number * BLOCK:,}"
    return None


def glance(
    folder: Path,
    files: Mapping[str, FileSums],
    *,
    seconds: float | None = None,
    seed: int | None = None,
) -> tuple[str, str] | None:
    """Look at the sizes of files and at as many of their blocks as there is time for.

    Parameters
    ----------
    folder
        Where the files are.
    seconds
        How long to look at blocks; :data:`AT_OPENING` if not given.
    seed
        Of the order in which blocks are looked at; another one each time if not given.

    Returns
    -------
    tuple of str, or None
        A file and how it differs from what was written, if any was found to.
    """
    for name, expected in files.items():
        try:
            size = (folder / name).stat().st_size
        except OSError as error:
            raise_unless_damage(error, folder / name)
            return name, "is missing"
        if size != expected.size:
            return name, _other_size(size, expected)
    started, most = time.perf_counter(), AT_OPENING if seconds is None else seconds
    for looked, (name, number) in enumerate(_some_blocks(files, random.Random(seed))):
        if looked >= _LEAST_BLOCKS and time.perf_counter() - started > most:
            break
        try:
            wrong = wrong_block(folder / name, files[name], [number])
        except OSError as error:
            raise_unless_damage(error, folder / name)
            return name, f"cannot be read ({error.strerror or error})"
        if wrong:
            return name, wrong
    return None


def _some_blocks(files: Mapping[str, FileSums], order: random.Random) -> Iterator[tuple[str, int]]:
    """Give places of blocks in a random order: all of them, or as many as anybody looks at."""
    names = list(files)
    ends = list(itertools.accumulate(len(files[name].sums) // _SUM for name in names))
    total = ends[-1] if ends else 0
    for place in order.sample(range(total), min(total, _MOST_BLOCKS)):
        which = bisect.bisect_right(ends, place)
        yield names[which], place - (ends[which - 1] if which else 0)


def read_checksums(state: Path) -> Checksums | None:
    """Return what a state was when it was made; None if it was made without checksums.

    Raises
    ------
    ValueError
        They are damaged themselves.
    """
    try:
        return Checksums.from_text(read_text(state / CHECKSUMS))
    except FileNotFoundError:
        return None


def _sum_of_text(about: Mapping[str, Any]) -> str:
    from xxhash import xxh3_64_hexdigest

    return xxh3_64_hexdigest(json.dumps(about, sort_keys=True).encode())
