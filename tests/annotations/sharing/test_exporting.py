"""What is exported, what stays behind, and that nothing is lost on the way."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from circuitkb.annotations.importing import import_annotations
from circuitkb.annotations.sharing import stored_records as reading
from circuitkb.annotations.sharing.exporting import FORMATS, export_annotations
from circuitkb.annotations.sharing.stored_records import RecordCounts, Selection, stored_records
from circuitkb.moving.copies.copy import copy
from circuitkb.schema.errors import AnnotationError, StoreError
from circuitkb.schema.ids import canonical_json
from circuitkb.schema.records import canonical_record
from circuitkb.schema.tables import GraphRows, node_table
from circuitkb.stores.base import Store
from tests.annotations.shared_records import (
    by,
    every_kind,
    feature,
    record,
    store_at,
    take_in,
)
from tests.stores.factories import FACTORIES, Factory

EVERYTHING = Selection(with_noassertion=True)


def lines_of(records: list[dict[str, Any]]) -> list[str]:
    """What an export of some records must be, told without the store."""
    texts = {canonical_json(canonical_record(item)) for item in records}
    return sorted(texts, key=lambda text: (json.loads(text)["id"], text))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with records of every kind and in every state."""
    folder = tmp_path_factory.mktemp("every-kind")
    found = store_at(folder / "kb.ckb")
    take_in(found, every_kind(), folder)
    yield found
    found.close()


def test_every_record_leaves_in_the_order_of_ids_whatever_its_state(
    store: Store, tmp_path: Path
) -> None:
    report = export_annotations(store, tmp_path / "a.jsonl", selection=EVERYTHING)
    written = (tmp_path / "a.jsonl").read_bytes()
    assert written == "".join(f"{line}\n" for line in lines_of(every_kind())).encode()
    assert (report.records, report.missing, report.left_behind) == (len(every_kind()), 0, {})
    states = "MATCH (a:Annotation) RETURN DISTINCT a.state AS state ORDER BY state"
    assert [state for (state,) in store.read(states).rows] == [
        "contested",
        "live",
        "pending",
        "retracted",
        "superseded",
    ]


def test_pages_of_any_size_give_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [item.text for item in stored_records(store, EVERYTHING)]
    for size in (1, 2, 3, len(whole) - 1, len(whole)):
        monkeypatch.setattr(reading, "PAGE", size)
        assert [item.text for item in stored_records(store, EVERYTHING)] == whole


def test_an_import_of_an_export_exports_the_same_bytes(store: Store, tmp_path: Path) -> None:
    export_annotations(store, tmp_path / "a.jsonl", selection=EVERYTHING)
    lines = (tmp_path / "a.jsonl").read_text("utf-8").splitlines(keepends=True)
    random.Random(3).shuffle(lines)
    (tmp_path / "b.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")
    other = store_at(tmp_path / "other.ckb")
    import_annotations(other, [tmp_path / "b.jsonl"], importer="test")
    export_annotations(other, tmp_path / "c.jsonl", selection=EVERYTHING)
    other.close()
    assert (tmp_path / "c.jsonl").read_bytes() == (tmp_path / "a.jsonl").read_bytes()


def test_records_without_a_licence_stay_behind_unless_asked_for(
    store: Store, tmp_path: Path
) -> None:
    report = export_annotations(store, tmp_path / "a.jsonl")
    assert report.left_behind == {"NOASSERTION": 1}
    assert report.records == len(every_kind()) - 1
    assert "kept at home" not in (tmp_path / "a.jsonl").read_text("utf-8")
    assert any("stayed behind" in note for note in report.notes)
    named = [item.record for item in stored_records(store, Selection(licenses=["NOASSERTION"]))]
    assert [item["author"]["id"] for item in named] == ["quiet"]


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (Selection(authors=["grace"]), lambda item: item["author"]["id"] == "grace"),
        (Selection(kinds=["review", "claim"]), lambda item: item["kind"] in ("review", "claim")),
        (Selection(licenses=["CC0-1.0"]), lambda item: item["license"] == "CC0-1.0"),
        (Selection(models=["beta"]), lambda item: item["target"].get("model") == "beta"),
        (Selection(models=["nothing"]), lambda item: False),
    ],
)
def test_a_selection_takes_what_it_names(store: Store, selection: Selection, wanted: Any) -> None:
    expected = [
        line for line in lines_of(every_kind()) if wanted(json.loads(line)) and "quiet" not in line
    ]
    assert [item.text for item in stored_records(store, selection)] == expected


def test_a_layer_takes_along_edges_circuits_reviews_and_retractions(tmp_path: Path) -> None:
    store = store_at(tmp_path / "kb.ckb")
    first = canonical_record(record(target=feature(1, layer="conv2")))
    review = canonical_record(
        record("review", verdict="agree", target={"type": "annotation", "id": first["id"]})
    )
    answer = record("comment", text="why?", target={"type": "annotation", "id": review["id"]})
    edge = {
        "type": "edge",
        "source": {"model": "alpha", "layer": "conv1", "unit": 0},
        "target": {"model": "alpha", "layer": "conv2", "unit": 0},
    }
    members = [{"unit": {"model": "alpha", "layer": "conv2", "unit": 4}}]
    defined = record("role", target={"type": "circuit", "id": "c", "members": members})
    about_it = record("comment", text="a circuit", target={"type": "circuit", "id": "c"})
    inside = [first, review, answer, record("claim", text="x", target=edge), defined, about_it]
    outside = [record(), record(target=feature(1, model="beta", layer="conv2"), author=by("bo"))]
    take_in(store, [*outside, *inside], tmp_path)
    here = [item.text for item in stored_records(store, Selection(layers=["alpha/conv2"]))]
    both = {item.text for item in stored_records(store, Selection(layers=["conv2"]))}
    store.close()
    assert here == lines_of(inside)
    assert both == {*lines_of(inside), *lines_of(outside[1:])}


@pytest.mark.long_on_a_server
@pytest.mark.parametrize("factory", FACTORIES[:2], ids=lambda factory: factory.name)
def test_every_kind_of_store_gives_the_same_records(
    factory: Factory, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE", 4)
    (tmp_path / "kb").mkdir()
    source, store = store, factory.open(tmp_path / "kb")
    store.ensure_schema()
    copy(source, store)
    counts = RecordCounts()
    whole = [item.text for item in stored_records(store, EVERYTHING, counts)]
    layer = [item.record for item in stored_records(store, Selection(layers=["alpha/conv2"]))]
    grace = RecordCounts()
    list(stored_records(store, Selection(authors=["grace", "bo"]), grace))
    model = [item.record for item in stored_records(store, Selection(models=["beta"]))]
    bundled = export_annotations(store, tmp_path / "a.zip", "bundle")
    store.close()
    assert whole == lines_of(every_kind())
    assert (counts.records, counts.missing) == (len(whole), 0)
    assert sorted(item["kind"] for item in layer) == ["claim", "role"]
    assert [item["target"]["model"] for item in model] == ["beta"]
    assert (grace.records, grace.missing) == (4, 1)
    assert bundled.records == len(whole) - 1


def test_what_speaks_of_a_record_left_behind_is_counted(tmp_path: Path) -> None:
    store = store_at(tmp_path / "kb.ckb")
    hidden = canonical_record(record(license="NOASSERTION"))
    target = {"type": "annotation", "id": hidden["id"]}
    review = record("review", verdict="agree", target=target, author=by("bo"))
    newer = record(label={"text": "line"}, supersedes=[hidden["id"]])
    nowhere = {"type": "annotation", "id": "ckb:" + "1" * 32}
    waiting = record("review", verdict="agree", target=nowhere)
    take_in(store, [hidden, review, newer, waiting], tmp_path)
    counts = RecordCounts()
    assert len(list(stored_records(store, None, counts))) == 3
    whole = RecordCounts()
    list(stored_records(store, EVERYTHING, whole))
    store.close()
    assert (counts.missing, whole.missing) == (2, 0)


def test_measurements_of_the_program_are_counted_and_stay(tmp_path: Path) -> None:
    store = store_at(tmp_path / "kb.ckb")
    store.write(
        GraphRows(
            {
                "Annotation": node_table(
                    "Annotation",
                    {"id": ["measured:1"], "kind": ["label"], "text": ["tuned"], "state": ["live"]},
                )
            }
        )
    )
    report = export_annotations(store, tmp_path / "a.jsonl")
    store.close()
    assert (report.measured, report.records) == (1, 0)
    assert (tmp_path / "a.jsonl").read_bytes() == b""


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_content_gives_the_same_bytes_in_every_format(
    store: Store, tmp_path: Path, format: Any
) -> None:
    for name in "ab":
        export_annotations(store, tmp_path / name, format, EVERYTHING)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_file_that_is_there_gives_way_only_when_told(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "mine.jsonl"
    target.write_text("mine")
    with pytest.raises(StoreError, match="there already"):
        export_annotations(store, target)
    assert target.read_text() == "mine"
    export_annotations(store, target, overwrite=True)
    assert target.read_text("utf-8").startswith("{")
    with pytest.raises(StoreError, match="folder"):
        export_annotations(store, tmp_path, overwrite=True)


def test_an_export_that_fails_leaves_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Iterator[Any]:
        yield from list(stored_records(store, EVERYTHING))[:2]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("circuitkb.annotations.sharing.exporting.stored_records", broken)
    with pytest.raises(StoreError, match="full"):
        export_annotations(store, tmp_path / "a.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_refused_with_those_that_there_are(
    store: Store, tmp_path: Path
) -> None:
    wrong: Any = "web_annotation"
    with pytest.raises(AnnotationError, match="web-annotation"):
        export_annotations(store, tmp_path / "a", wrong)
