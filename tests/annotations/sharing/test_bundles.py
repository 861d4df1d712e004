"""Bundles: what is in one, and what a bundle of somebody else may not do."""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from circuitkb.annotations.importing import import_annotations
from circuitkb.annotations.sharing.exporting import export_annotations
from circuitkb.annotations.sharing.stored_records import Selection
from circuitkb.loaders.annotation_formats import bundle as reading
from circuitkb.loaders.annotation_formats.bundle import read_bundle
from circuitkb.loaders.annotation_formats.lines import Defaults
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.ids import canonical_json
from circuitkb.schema.records import canonical_record
from circuitkb.stores.base import Store
from tests.annotations.hostile_bundles import (
    HOSTILE,
    changed,
    contents_of,
    packed,
    provenance,
    summed,
)
from tests.annotations.shared_records import FINGERPRINT, by, every_kind, record, store_at, take_in


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
        "model": "beta",
        "records": 1,
        "fingerprint": FINGERPRINT,
        "source": "test:beta",
    }
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
