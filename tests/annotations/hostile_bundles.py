"""Bundles that somebody could send to do harm, made from a good one, and why each is refused."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

Contents = dict[str, bytes]


def contents_of(data: bytes) -> Contents:
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        return {name: found.read(name) for name in found.namelist()}


def summed(contents: Contents) -> Contents:
    """The same with checksums that fit."""
    rest = {name: data for name, data in contents.items() if name != "SHA256SUMS"}
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in rest.items()]
    return {**rest, "SHA256SUMS": "".join(lines).encode()}


def packed(contents: Contents, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as target:
        for name, data in contents.items():
            target.writestr(name, data)
    return stream.getvalue()


def provenance(format: Any = "circuitkb.bundle/1") -> bytes:
    return json.dumps({"format": format}).encode()


def with_entry(data: bytes, change: Callable[[zipfile.ZipInfo], object], name: str) -> bytes:
    """A bundle with one entry more, whose head is changed."""
    stream = io.BytesIO(data)
    with zipfile.ZipFile(stream, "a") as target:
        entry = zipfile.ZipInfo(name)
        change(entry)
        target.writestr(entry, b"x")
    return stream.getvalue()


def named(name: str) -> Callable[[bytes], bytes]:
    return lambda data: packed({**contents_of(data), name: b"x"})


def link(data: bytes) -> bytes:
    def to_link(entry: zipfile.ZipInfo) -> None:
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16

    without = {name: data for name, data in contents_of(data).items() if name != "README.md"}
    return with_entry(packed(summed(without)), to_link, "README.md")


def device(data: bytes) -> bytes:
    def to_device(entry: zipfile.ZipInfo) -> None:
        entry.create_system = 3
        entry.external_attr = (stat.S_IFIFO | 0o644) << 16

    without = {name: data for name, data in contents_of(data).items() if name != "README.md"}
    return with_entry(packed(summed(without)), to_device, "README.md")


def twice(data: bytes) -> bytes:
    stream = io.BytesIO(data)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(stream, "a") as target:
        target.writestr("records.jsonl", b"{}")
    return stream.getvalue()


def headers_changed(data: bytes, offset: int, change: Callable[[bytes], bytes]) -> bytes:
    """Both heads of ``records.jsonl`` with two bytes changed, at an offset of the central one."""
    found = bytearray(data)
    central = data.rfind(b"PK\x01\x02", 0, data.rfind(b"records.jsonl"))
    local = struct.unpack("<L", data[central + 42 : central + 46])[0]
    for at in (central + offset, local + offset - 2):
        found[at : at + 2] = change(bytes(found[at : at + 2]))
    return bytes(found)


def encrypted(data: bytes) -> bytes:
    return headers_changed(data, 8, lambda flags: bytes([flags[0] | 1, flags[1]]))


def other_method(data: bytes) -> bytes:
    return headers_changed(data, 10, lambda _: struct.pack("<H", 12))


def unknown_method(data: bytes) -> bytes:
    return headers_changed(data, 10, lambda _: struct.pack("<H", 97))


def claims_less(data: bytes) -> bytes:
    """The list says that the records unpack to ten bytes."""
    found = bytearray(packed(contents_of(data)))
    central = found.rfind(b"PK\x01\x02", 0, found.rfind(b"records.jsonl"))
    found[central + 24 : central + 28] = struct.pack("<L", 10)
    return bytes(found)


def claims_more(data: bytes) -> bytes:
    found = bytearray(packed(contents_of(data)))
    central = found.rfind(b"PK\x01\x02", 0, found.rfind(b"records.jsonl"))
    found[central + 24 : central + 28] = struct.pack("<L", 2**31)
    return bytes(found)


def other_local_name(data: bytes) -> bytes:
    return data.replace(b"records.jsonl", b"rec0rds.jsonl", 1)


def wrong_crc(data: bytes) -> bytes:
    """One byte of the records' text is another, in a zip that does not pack."""
    stored = packed(contents_of(data), zipfile.ZIP_STORED)
    at = stored.index(b'"kind":"label"')
    return stored[:at] + b'"kind":"lobel"' + stored[at + 14 :]


def broken_stream(data: bytes) -> bytes:
    at = data.index(b"records.jsonl") + 60
    return data[:at] + bytes(255 - byte for byte in data[at : at + 40]) + data[at + 40 :]


def bomb(size: int, name: str) -> Callable[[bytes], bytes]:
    def make(data: bytes) -> bytes:
        return packed(summed({**contents_of(data), name: b" " * size}))

    return make


def quine_like(data: bytes) -> bytes:
    """A zip in the zip, named as the records."""
    return packed(summed({**contents_of(data), "records.jsonl": data}))


def entries(count: int) -> Callable[[bytes], bytes]:
    return lambda data: packed(contents_of(data) | {str(number): b"" for number in range(count)})


def without(name: str) -> Callable[[bytes], bytes]:
    return lambda data: packed(
        summed({key: text for key, text in contents_of(data).items() if key != name})
    )


def changed(name: str, text: bytes) -> Callable[[bytes], bytes]:
    """Another content, with checksums that fit."""
    return lambda data: packed(summed({**contents_of(data), name: text}))


def not_summed(name: str, text: bytes) -> Callable[[bytes], bytes]:
    return lambda data: packed({**contents_of(data), name: text})


def sums(change: Callable[[list[str]], list[str]]) -> Callable[[bytes], bytes]:
    def make(data: bytes) -> bytes:
        contents = contents_of(data)
        lines = contents["SHA256SUMS"].decode().splitlines()
        contents["SHA256SUMS"] = "".join(f"{line}\n" for line in change(lines)).encode()
        return packed(contents)

    return make


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a path upwards": (named("../records.jsonl"), "outside"),
    "a path upwards inside": (named("a/../../b"), "outside"),
    "a path upwards of Windows": (named("..\\b"), "outside|not of a bundle"),
    "an absolute path": (named("/etc/passwd"), "outside"),
    "an absolute path of Windows": (named("C:\\b"), "outside"),
    "a share of Windows": (named("\\\\host\\b"), "outside"),
    "a stream of Windows": (named("records.jsonl:hidden"), "outside"),
    "a file of its own": (named("run.sh"), "not of a bundle"),
    "a subfolder": (named("more/records.jsonl"), "not of a bundle"),
    "an empty folder": (named("records.jsonl/"), "no ordinary file"),
    "another case": (named("Records.jsonl"), "not of a bundle"),
    "a NUL in the name": (
        lambda data: packed(contents_of(data)).replace(b"README.md", b"READM\0.md"),
        "not of a bundle|damaged",
    ),
    "a zip in the zip": (named("more.zip"), "zip in the zip"),
    "a zip as the records": (quine_like, "zip in the zip"),
    "a link": (link, "link"),
    "a pipe": (device, "link"),
    "the records twice": (twice, "twice|entries"),
    "encrypted": (encrypted, "encrypted"),
    "packed by bzip2": (other_method, "deflate"),
    "packed by nobody knows what": (unknown_method, "deflate"),
    "a size that is claimed too small": (claims_less, "damaged|checksum"),
    "a size that is claimed too large": (claims_more, "another size"),
    "another name in the local head": (other_local_name, "damaged"),
    "a wrong CRC": (wrong_crc, "damaged"),
    "a broken deflate stream": (broken_stream, "damaged"),
    "records that are a bomb": (bomb(60_000_000, "records.jsonl"), "times its size"),
    "a readme that is a bomb": (bomb(30_000_000, "README.md"), "times its size"),
    "five thousand entries": (entries(5_000), "list of entries"),
    "seventy thousand entries": (entries(70_000), "zip64"),
    "half of it": (lambda data: data[: len(data) // 2], "end is missing"),
    "without its last bytes": (lambda data: data[:-10], "end is missing"),
    "without its first bytes": (lambda data: data[100:], "does not begin"),
    "a program before it": (lambda data: b"MZ" * 50 + data, "does not begin"),
    "no byte": (lambda data: b"", "no zip"),
    "no zip": (lambda data: b"PK\x03\x04" + b"x" * 100, "no zip"),
    "an empty zip": (lambda data: packed({}), "does not begin"),
    "no records": (without("records.jsonl"), "records.jsonl is missing"),
    "no provenance": (without("PROVENANCE.json"), "PROVENANCE.json is missing"),
    "no checksums": (
        lambda data: packed(
            {name: text for name, text in contents_of(data).items() if name != "SHA256SUMS"}
        ),
        "SHA256SUMS is missing",
    ),
    "provenance that is no JSON": (changed("PROVENANCE.json", b"{"), "no JSON"),
    "provenance that is a list": (changed("PROVENANCE.json", b"[]"), "format"),
    "provenance with a key twice": (
        changed("PROVENANCE.json", b'{"format": "circuitkb.bundle/1", "format": "x"}'),
        "no JSON",
    ),
    "a later format": (changed("PROVENANCE.json", provenance("circuitkb.bundle/2")), "format is"),
    "other records than were summed": (not_summed("records.jsonl", b"{}\n"), "checksum"),
    "another readme than was summed": (not_summed("README.md", b"click here"), "checksum"),
    "checksums without the records": (
        sums(lambda lines: [line for line in lines if "records" not in line]),
        "does not have",
    ),
    "checksums of what is not there": (
        sums(lambda lines: [*lines, f"{'0' * 64}  ../other"]),
        "not in the bundle",
    ),
    "two checksums of one file": (sums(lambda lines: [*lines, lines[0]]), "cannot stand"),
    "checksums of another kind": (sums(lambda lines: [line[8:] for line in lines]), "cannot stand"),
}
