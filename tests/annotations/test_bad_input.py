"""Hundreds of kinds of malformed records: each is refused with its line and reason, none comes in.

Every one stands in a file between two good records, so that a refusal must name line 2, and
nothing of the file may be written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from circuitkb.annotations import importing
from circuitkb.annotations.importing import import_annotations, raise_if_refused
from circuitkb.schema.errors import AnnotationError
from circuitkb.schema.records import canonical_record
from circuitkb.stores.base import Store
from tests.annotations.shared_records import by, feature, record, store_at, take_in, unit

Record = dict[str, Any]

OLD = "urn:uuid:00000000-0000-4000-8000-000000000001"
OTHERS = "urn:uuid:00000000-0000-4000-8000-000000000002"
RETRACTION = "urn:uuid:00000000-0000-4000-8000-000000000003"
MINE = "urn:uuid:00000000-0000-4000-8000-000000000004"

WRONG_TYPES: tuple[Any, ...] = (None, True, 7, "text", [], {})


def edge(source: Record, target: Record) -> Record:
    return {"type": "edge", "source": source, "target": target}


def circuit(*members: Any, id: str = "heads", **more: Any) -> Record:
    return {"type": "circuit", "id": id, "members": list(members), **more}


def about(id: Any) -> Record:
    return {"type": "annotation", "id": id}


def with_(path: str, value: Any, base: Record | None = None) -> Record:
    """Return a good record with one value replaced; the path's parts are separated by dots."""
    made = deepcopy(base or full())
    *parents, last = path.split(".")
    place: Any = made
    for name in parents:
        place = place[int(name)] if name.isdigit() else place[name]
    place[int(last) if last.isdigit() else last] = value
    return made


def without(name: str, base: Record | None = None) -> Record:
    made = deepcopy(base or full())
    del made[name]
    return made


def full() -> Record:
    return record(
        label={"text": "curve", "lang": "en", "concept": "curve", "vocabulary": "ours"},
        confidence=0.5,
        scores=[{"name": "iou", "value": 0.1}],
        evidence=[{"type": "ablation", "stance": "supports", "uri": "https://x.org"}],
        ext={"lab": 1},
    )


def wrong_types() -> Iterator[tuple[str, Record]]:
    """Every field with every kind of JSON value that it cannot have."""
    good: dict[str, tuple[type, ...]] = {
        "schema": (),
        "kind": (),
        "target": (),
        "author": (),
        "author.id": (str,),
        "author.type": (),
        "author.name": (str,),
        "author.orcid": (),
        "method": (),
        "source": (),
        "source.uri": (str,),
        "source.path": (str,),
        "source.locator": (str,),
        "created": (),
        "license": (str,),
        "label": (),
        "label.text": (str,),
        "label.lang": (str,),
        "label.concept": (str,),
        "label.vocabulary": (str,),
        "confidence": (type(None),),
        "scores": (list,),
        "scores.0": (),
        "scores.0.name": (str,),
        "scores.0.value": (int,),
        "evidence": (list,),
        "evidence.0.type": (),
        "evidence.0.uri": (str,),
        "supersedes": (list,),
        "ext": (dict,),
        "target.type": (),
        "target.model": (str,),
        "target.layer": (),
        "target.unit": (),
        "target.fingerprint": (),
    }
    for path, types in good.items():
        for value in WRONG_TYPES:
            if type(value) not in types and not (path == "target.unit" and value == 7):
                yield f"{path} is {json.dumps(value)}", with_(path, value)


def missing() -> Iterator[tuple[str, Record]]:
    for name in ("schema", "kind", "target", "author", "method", "source", "created", "license"):
        yield f"no {name}", without(name)
    yield "a label without a label", without("label")
    yield "a role without a label", without("label", record("role"))
    yield "a claim without a text", record("claim")
    yield "a comment without a text", record("comment")
    yield "a review without a verdict", record("review", target=about(OLD))
    yield "a review of a feature", record("review", verdict="agree")
    yield "a retraction of a feature", record("retraction")
    for name in ("model", "layer", "unit", "type"):
        yield f"a target without {name}", record(target=without(name, feature()))
    yield "an edge without a target", record(target=without("target", edge(unit(), unit())))
    yield "an edge without a source", record(target=without("source", edge(unit(), unit())))
    yield "a score without a value", with_("scores", [{"name": "iou"}])
    yield "evidence without a type", with_("evidence", [{"uri": "https://x.org"}])


def unwritable() -> Iterator[tuple[str, Record]]:
    """Values of the right type that cannot be."""
    values: dict[str, tuple[Any, ...]] = {
        "schema": ("circuitkb.annotation/2", "circuitkb"),
        "kind": ("Label", "labels", ""),
        "id": ("ckb:xyz", "ckb:", "urn:uuid:x", "javascript:alert(1)", "http://a b", "", 7),
        "author.type": ("person", "Human"),
        "author.orcid": ("0000", "0000-0002-1825-009Y"),
        "author.id": ("", " ", "x" * 201),
        "method": ("guess", "Manual"),
        "created": (
            "yesterday",
            "2026-13-01",
            "2026-02-30",
            "2026",
            "01/02/2026",
            "",
            "2026-01-01T25:00:00Z",
            "2026-01-01 10:00",
        ),
        "license": ("", "CC BY 4.0", "CC-BY-4.0; rm -rf", "ü"),
        "confidence": (-0.01, 1.01, 1e300, -1),
        "verdict": ("yes", ""),
        "sign": ("+", "positive"),
        "aspect": ("truth",),
        "label.text": ("", " ", "\t\n", "x" * 2001),
        "label.lang": ("e", "english language", "en_GB"),
        "text": ("x" * 20001,),
        "source.uri": ("", "x" * 2001),
        "source.commit": ("xyz", "12345"),
        "evidence.0.sha256": ("x", "F" * 64),
        "evidence.0.type": ("hunch",),
        "evidence.0.stance": ("refutes",),
        "scores.0.name": ("x" * 65,),
        "supersedes": (["a", "a"], [7], [OLD] * 65),
        "target.model": ("", "Alpha", "al pha", "x" * 129, "../alpha", "alpha/conv1"),
        "target.layer": ("", "x" * 129, "conv 1", "conv@1", "conv\n1"),
        "target.unit": (-1, 0.5, "0", 10**19, 1e30),
        "target.basis": ("x" * 65, "a:b", "a@b", "a b"),
        "target.fingerprint": ("f" * 63, "F" * 64, "g" * 64),
        "target.type": ("unit", "Feature"),
    }
    for path, several in values.items():
        for value in several:
            yield f"{path} is {json.dumps(value)[:40]}", with_(path, value)
    for path in ("colour", "author.mail", "label.colour", "target.channel", "source.page"):
        yield f"an unknown field {path}", with_(path, 1)
    yield "33 scores", with_("scores", [{"name": "a", "value": 1}] * 33)
    yield "65 pieces of evidence", with_("evidence", [{"type": "other"}] * 65)


def characters() -> Iterator[tuple[str, Record]]:
    """Text that is no text, or shows as something else than it is."""
    for name, text in {
        "NUL": "cur\x00ve",
        "bell": "cur\x07ve",
        "escape": "\x1b[31mcurve",
        "delete": "cur\x7fve",
        "C1 control": "cur\x9bve",
        "right-to-left override": "cur\u202eve",
        "isolate": "\u2066curve\u2069",
        "half of a pair": "cur\ud800ve",
        "noncharacter": "cur\uffffve",
    }.items():
        yield f"{name} in a label", with_("label.text", text)
        yield f"{name} in an author", with_("author.id", text)
        yield f"{name} in a comment", record("comment", text=text)
        yield f"{name} in ext", with_("ext", {"lab": [text]})
        yield f"{name} in a name of ext", with_("ext", {text: 1})
    yield "a new line in an author", with_("author.id", "ada\nby grace")
    yield "a new line in a source", with_("source.uri", "x\ny")
    yield "a tab in a vocabulary", with_("label.vocabulary", "a\tb")


def against_the_graph() -> Iterator[tuple[str, Record]]:
    """Records that no fault can be found in without the networks and what was said before."""
    beyond = edge(unit(1, layer="conv2"), unit(1))
    yield "a unit out of range", record(target=feature(8))
    yield "a unit far out of range", record(target=feature(10**17))
    yield "an unknown layer", record(target=feature(layer="conv3"))
    yield "a layer of another case", record(target=feature(layer="Conv1"))
    yield "an unknown basis", record(target=feature(basis="nmf"))
    yield "an edge against the order", record("claim", target=beyond, text="x")
    yield "an edge within a layer", record("claim", target=edge(unit(1), unit(2)), text="x")
    yield "an edge to itself", record("claim", target=edge(unit(1), unit(1)), text="x")
    yield (
        "an edge between models",
        record("claim", target=edge(unit(), unit(model="beta", layer="conv2")), text="x"),
    )
    yield (
        "an edge from a unit out of range",
        record("claim", target=edge(unit(99), unit(layer="conv2")), text="x"),
    )
    yield (
        "an edge with two fingerprints",
        record(
            "claim",
            text="x",
            target=edge(unit(fingerprint="a" * 64), unit(layer="conv2", fingerprint="b" * 64)),
        ),
    )
    yield "a member out of range", record(target=circuit({"unit": unit(8)}))
    yield "no members", record(target=circuit())
    yield "a member that is no unit", record(target=circuit({"unit": 7}))
    two_models = circuit({"unit": unit()}, {"unit": unit(model="beta")})
    yield "a circuit over two models", record(target=two_models)
    yield "a circuit's id with a space", record(target=circuit({"unit": unit()}, id="dog heads"))
    yield (
        "a circuit's edge against the order",
        record(
            target=circuit(
                {"unit": unit()}, edges=[{"source": unit(layer="conv2"), "target": unit()}]
            )
        ),
    )
    yield "the hash of another statement as its id", record(id="ckb:" + "0" * 32)
    yield "superseding what another said", record(supersedes=[OTHERS])
    yield "superseding itself", record(id=MINE, supersedes=[MINE])
    yield "retracting what another said", record("retraction", target=about(OTHERS))
    yield "retracting a retraction", record("retraction", target=about(RETRACTION))
    yield "a review of itself", record("review", id=MINE, target=about(MINE), verdict="agree")
    yield "another author's id on a supersession", record(author=by("eve"), supersedes=[OLD])


def raw_lines() -> Iterator[tuple[str, bytes]]:
    """Lines that are no JSON object, or one that reads in two ways."""
    good = json.dumps(full())
    yield "half a line", good[: len(good) // 2].encode()
    yield "two records on a line", (good + good).encode()
    yield "a list", f"[{good}]".encode()
    yield "a number", b"7"
    yield "a text", b'"curve"'
    yield "null", b"null"
    yield "no JSON", b"curve, ada"
    yield "single quotes", good.replace('"', "'").encode()
    yield "a trailing comma", (good[:-1] + ",}").encode()
    yield "a comment", (good + " // so").encode()
    for number in ("NaN", "Infinity", "-Infinity", "1e999", "01", "+1", ".5", "0x10", "1_000"):
        yield (
            f"the number {number}",
            good.replace('"confidence": 0.5', f'"confidence": {number}').encode(),
        )
    yield "5,000 digits", good.replace('"unit": 0', f'"unit": {"1" * 5000}').encode()
    yield "a key twice", (good[:-1] + ', "kind": "label"}').encode()
    yield "an inner key twice", good.replace('"text": ', '"text": "line", "text": ').encode()
    yield (
        "too deep",
        (good[:-1] + ', "ext": {"a": ' + "[" * 100_000 + "]" * 100_000 + "}}").encode(),
    )
    yield "a line of 2 MB", (good[:-1] + ', "ext": {"a": "' + "x" * 2_000_000 + '"}}').encode()
    yield "Latin-1", with_bytes("cürve", "latin-1")
    yield "UTF-16 within UTF-8", with_bytes("curve", "utf-16")
    yield (
        "an overlong encoding",
        good.replace("curve", "cu\x01ve").encode().replace(b"\\u0001", b"\xc0\xaf"),
    )
    yield "a byte of no character", good.encode().replace(b"curve", b"cur\xffve")
    yield "half a character", good.encode().replace(b"curve", b"cur\xe2\x82ve")
    yield "a surrogate as bytes", good.encode().replace(b"curve", b"cur\xed\xa0\x80ve")
    yield "a bare control character", good.encode().replace(b"curve", b"cur\x01ve")


def with_bytes(text: str, encoding: str) -> bytes:
    return json.dumps(full()).encode().replace(b"curve", text.encode(encoding))


RECORDS = [
    *wrong_types(),
    *missing(),
    *unwritable(),
    *characters(),
    *against_the_graph(),
]

LINES: list[tuple[str, bytes]] = [
    *((name, json.dumps(made).encode()) for name, made in RECORDS),
    *raw_lines(),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("bad")
    opened = store_at(folder / "zoo.ckb")
    take_in(
        opened,
        [
            record(id=OLD),
            record(id=OTHERS, author=by("grace"), label={"text": "line"}),
            record("retraction", id=RETRACTION, target=about(OLD)),
        ],
        folder,
    )
    yield opened
    opened.close()


def annotations(store: Store) -> list[tuple[Any, ...]]:
    return store.read("MATCH (a) WHERE a:Annotation OR a:Import RETURN a.id AS id ORDER BY id").rows


def test_there_are_hundreds_of_kinds_and_no_two_alike() -> None:
    assert len(LINES) >= 350
    assert len({line for _, line in LINES}) == len(LINES)
    assert len({name for name, _ in LINES}) == len(LINES)


@pytest.mark.parametrize("line", [line for _, line in LINES], ids=[name for name, _ in LINES])
def test_a_malformed_record_is_refused_with_its_line_and_reason(
    store: Store, tmp_path: Path, line: bytes
) -> None:
    before = annotations(store)
    path = tmp_path / "labels.jsonl"
    good = [json.dumps(record(target=feature(n), source={"uri": "new"})).encode() for n in (5, 6)]
    path.write_bytes(b"\n".join([good[0], line, good[1], b""]))
    report = import_annotations(store, [path], format="jsonl")
    assert [place.line for place in report.rejections] == [2]
    reason = report.rejections[0].reason
    assert 8 < len(reason) < 700
    assert "\n" not in reason
    assert annotations(store) == before
    with pytest.raises(AnnotationError, match=r"labels\.jsonl:2: "):
        raise_if_refused(report)


def test_a_circle_of_supersessions_is_refused_on_every_line_of_it(
    store: Store, tmp_path: Path
) -> None:
    ids = [f"urn:uuid:00000000-0000-4000-8000-00000000001{n}" for n in range(3)]
    circle = [
        record(id=id, supersedes=[ids[(n + 1) % 3]], label={"text": f"{n}"})
        for n, id in enumerate(ids)
    ]
    good = record(label={"text": "good"})
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(json.dumps(made) + "\n" for made in (good, *circle)), "utf-8")
    report = import_annotations(store, [path])
    assert [place.line for place in report.rejections] == [2, 3, 4]
    assert all("comes back to itself" in place.reason for place in report.rejections)


def test_a_circle_that_closes_over_two_imports_is_refused(tmp_path: Path) -> None:
    with_circle = store_at(tmp_path / "zoo.ckb")
    ids = [f"urn:uuid:00000000-0000-4000-8000-00000000002{n}" for n in range(2)]
    one, two = (record(id=ids[n], supersedes=[ids[1 - n]], label={"text": f"{n}"}) for n in (0, 1))
    take_in(with_circle, [one], tmp_path)
    with pytest.raises(AnnotationError, match="comes back to itself"):
        take_in(with_circle, [two], tmp_path)
    with_circle.close()


def test_partial_leaves_out_what_is_refused_and_writes_the_rest(tmp_path: Path) -> None:
    good_store = store_at(tmp_path / "zoo.ckb")
    path = tmp_path / "labels.jsonl"
    good = [record(target=feature(n)) for n in range(3)]
    lines: list[bytes] = [json.dumps(made).encode() for made in good]
    bad = [line for _, line in LINES]
    path.write_bytes(b"\n".join([lines[0], *bad[:40], lines[1], *bad[40:80], lines[2]]))
    report = import_annotations(good_store, [path], format="jsonl", partial=True)
    assert (report.new, report.rejected, report.written) == (3, 80, True)
    assert {id for (id,) in good_store.read("MATCH (a:Annotation) RETURN a.id AS id").rows} == {
        canonical_record(made)["id"] for made in good
    }
    good_store.close()


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("at_once", [1, 10_000])
def test_a_dry_run_tells_the_same_and_writes_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dry_run: bool, at_once: int
) -> None:
    monkeypatch.setattr(importing, "RECORDS_AT_ONCE", at_once)
    before = annotations(store)
    path = tmp_path / "labels.jsonl"
    uri = f"dry {dry_run} {at_once}"
    made = [record(target=feature(n), source={"uri": uri}) for n in (1, 2, 1)]
    made += [record(id=OLD)] * 2  # known before
    path.write_text("".join(json.dumps(each) + "\n" for each in made), "utf-8")
    report = import_annotations(store, [path], dry_run=dry_run)
    assert (report.new, report.known, report.written) == (2, 3, not dry_run)
    assert (annotations(store) == before) is dry_run
