"""Bundles: what is in one, and what a bundle of somebody else may not do."""

from __future__ import annotations

import hashlib
import io
import json
import random
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from circuitkb.annotating.exporting import export_annotations
from circuitkb.annotating.importing import import_annotations
from circuitkb.annotating.stored_records import Selection
from circuitkb.loaders.annotations import bundle as reading
from circuitkb.loaders.annotations.bundle import read_bundle
from circuitkb.loaders.annotations.lines import Defaults
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.ids import canonical_json
from circuitkb.schema.records import canonical_record
from circuitkb.stores.base import Store
from tests.annotating.shared_records import FINGERPRINT, by, every_kind, record, store_at, take_in

Contents = dict[str, bytes]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("bundles")
    found = store_at(folder / "kb.ckb")
    take_in(found, every_kind(), folder)
    yield found
    found.close()


@pytest.fixture(scope="module")
def good(store: Store, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A bundle that is as it should be."""
    path = tmp_path_factory.mktemp("good") / "a.zip"
    export_annotations(store, path, "bundle")
    return path.read_bytes()


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


# A good one


def test_another_lab_imports_it_with_all_records(store: Store, tmp_path: Path) -> None:
    export_annotations(store, tmp_path / "a.zip", "bundle")
    export_annotations(store, tmp_path / "a.jsonl")
    other = store_at(tmp_path / "other.ckb")
    report = import_annotations(other, [tmp_path / "a.zip"], importer="test")
    export_annotations(other, tmp_path / "b.jsonl")
    other.close()
    assert report.files[0].format == "bundle"
    assert (tmp_path / "b.jsonl").read_bytes() == (tmp_path / "a.jsonl").read_bytes()


def test_it_says_where_its_records_come_from(good: bytes) -> None:
    contents = contents_of(good)
    told = json.loads(contents["PROVENANCE.json"])
    lines = contents["records.jsonl"].splitlines()
    assert told["records"] == len(lines) == len(every_kind()) - 1
    assert told["created"] == "2026-03-04T05:06:07.5+02:00"
    assert told["tool"].startswith("circuitkb ")
    models = {item["model"]: item for item in told["models"]}
    assert models["alpha"]["fingerprint"] == FINGERPRINT
    assert models["beta"] == {
        "model": "beta", "records": 1, "fingerprint": FINGERPRINT, "source": "test:beta"
    }  # fmt: skip
    assert models["elsewhere"] == {"model": "elsewhere", "records": 1}


def test_it_says_whom_to_name_for_each_licence(good: bytes) -> None:
    told = json.loads(contents_of(good)["LICENSES.json"])
    assert [item["license"] for item in told] == ["CC-BY-4.0", "CC0-1.0"]
    authors = {item["id"]: item for item in told[0]["authors"]}
    expected = [item for item in every_kind() if item["license"] == "CC-BY-4.0"]
    assert sum(item["records"] for item in authors.values()) == told[0]["records"] == len(expected)
    assert authors["grace"]["name"] == "Grace"
    assert authors["grace"]["orcid"] == "0000-0002-1825-0097"


def test_its_checksums_are_those_of_sha256sum(good: bytes) -> None:
    contents = contents_of(good)
    lines = contents["SHA256SUMS"].splitlines()
    assert sorted(lines) == sorted(summed(contents)["SHA256SUMS"].splitlines())
    assert len(lines) == len(contents) - 1


def test_a_bundle_of_records_in_another_order_of_arrival_has_the_same_bytes(
    store: Store, good: bytes, tmp_path: Path
) -> None:
    records = every_kind()
    random.Random(1).shuffle(records)
    other = store_at(tmp_path / "kb.ckb")
    take_in(other, records[:6], tmp_path)
    take_in(other, records[4:], tmp_path)
    export_annotations(other, tmp_path / "b.zip", "bundle")
    other.close()
    assert (tmp_path / "b.zip").read_bytes() == good


def test_a_bundle_without_records_is_one(tmp_path: Path) -> None:
    empty = store_at(tmp_path / "kb.ckb")
    export_annotations(empty, tmp_path / "a.zip", "bundle", Selection(authors=["nobody"]))
    empty.close()
    assert list(read_bundle(tmp_path / "a.zip", Defaults())) == []


def test_many_records_pass_the_limits(tmp_path: Path) -> None:
    many = [
        canonical_record(record(target={"type": "circuit", "id": f"c{number}"}, author=by("ada")))
        for number in range(20_000)
    ]
    text = "".join(f"{canonical_json(item)}\n" for item in many)
    contents = {"records.jsonl": text.encode(), "PROVENANCE.json": provenance()}
    (tmp_path / "a.zip").write_bytes(packed(summed(contents)))
    assert sum(1 for _ in read_bundle(tmp_path / "a.zip", Defaults())) == 20_000


# Bad ones


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
    "a NUL in the name": (lambda data: packed(contents_of(data)).replace(
        b"README.md", b"READM\0.md"), "not of a bundle|damaged"),
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
    "no checksums": (lambda data: packed({name: text for name, text in contents_of(data).items()
                                          if name != "SHA256SUMS"}), "SHA256SUMS is missing"),
    "provenance that is no JSON": (changed("PROVENANCE.json", b"{"), "no JSON"),
    "provenance that is a list": (changed("PROVENANCE.json", b"[]"), "format"),
    "provenance with a key twice": (
        changed("PROVENANCE.json", b'{"format": "circuitkb.bundle/1", "format": "x"}'), "no JSON"),
    "a later format": (changed("PROVENANCE.json", provenance("circuitkb.bundle/2")), "format is"),
    "other records than were summed": (not_summed("records.jsonl", b"{}\n"), "checksum"),
    "another readme than was summed": (not_summed("README.md", b"click here"), "checksum"),
    "checksums without the records": (
        sums(lambda lines: [line for line in lines if "records" not in line]), "does not have"),
    "checksums of what is not there": (
        sums(lambda lines: [*lines, f"{'0' * 64}  ../other"]), "not in the bundle"),
    "two checksums of one file": (sums(lambda lines: [*lines, lines[0]]), "cannot stand"),
    "checksums of another kind": (sums(lambda lines: [line[8:] for line in lines]), "cannot stand"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_bundle_gives_a_reason_and_no_record(
    kind: str, good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, reason = HOSTILE[kind]
    data = make(good)
    assert data != good
    path, scratch = tmp_path / "bad.zip", tmp_path / "scratch"
    path.write_bytes(data)
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with pytest.raises(AnnotationFileError, match=reason) as caught:
        read_bundle(path, Defaults())
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 600
    assert list(scratch.iterdir()) == []
    assert sorted(item.name for item in tmp_path.iterdir()) == ["bad.zip", "scratch"]


def test_any_byte_that_is_changed_gives_the_same_records_or_none(
    good: bytes, tmp_path: Path
) -> None:
    path, chance = tmp_path / "a.zip", random.Random(7)
    path.write_bytes(good)
    expected = [line.record for line in read_bundle(path, Defaults())]
    refused = 0
    for _ in range(300):
        at = chance.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ chance.randrange(1, 256)]) + good[at + 1 :])
        try:
            assert [line.record for line in read_bundle(path, Defaults())] == expected
        except AnnotationFileError:
            refused += 1
    assert refused > 150


def test_a_bomb_is_left_before_it_is_unpacked(
    good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = contents_of(good)
    path = tmp_path / "a.zip"
    path.write_bytes(packed(summed({**contents, "records.jsonl": b"\n" * 100_000_000})))
    unpacked = 0
    real = reading._pieces

    def counted(*given: Any) -> Iterator[bytes]:
        nonlocal unpacked
        for piece in real(*given):
            unpacked += len(piece)
            yield piece

    monkeypatch.setattr(reading, "_pieces", counted)
    with pytest.raises(AnnotationFileError, match="times its size"):
        read_bundle(path, Defaults())
    assert unpacked < 40_000_000


def test_a_bundle_takes_no_more_than_its_limit(
    good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.zip").write_bytes(good)
    monkeypatch.setattr(reading, "MOST_RECORDS", len(contents_of(good)["records.jsonl"]))
    assert list(read_bundle(tmp_path / "a.zip", Defaults()))
    monkeypatch.setattr(reading, "MOST_RECORDS", len(contents_of(good)["records.jsonl"]) - 1)
    with pytest.raises(AnnotationFileError, match="unpacks to more"):
        read_bundle(tmp_path / "a.zip", Defaults())


def test_a_bad_line_in_a_good_bundle_has_its_number(good: bytes, tmp_path: Path) -> None:
    text = b'{"kind": "label"}\nnot json\n'
    (tmp_path / "a.zip").write_bytes(changed("records.jsonl", text)(good))
    first, second = read_bundle(tmp_path / "a.zip", Defaults())
    assert (first.number, first.problem) == (1, None)
    assert second.number == 2
    assert "JSON" in (second.problem or "")


def test_a_bundle_that_another_program_packed_is_read(good: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(packed(contents_of(good), zipfile.ZIP_STORED))
    (tmp_path / "b.zip").write_bytes(good)
    one, other = (list(read_bundle(tmp_path / name, Defaults())) for name in ("a.zip", "b.zip"))
    assert one == other
