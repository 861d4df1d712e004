"""Web Annotations: the rules of the W3C's data model, and that ours are told in its words."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from circuitkb.annotations.sharing.exporting import export_annotations
from circuitkb.annotations.sharing.stored_records import Selection
from circuitkb.annotations.sharing.web_annotation import web_annotation
from circuitkb.schema.records import canonical_record
from tests.annotations.shared_records import by, every_kind, feature, record, store_at, take_in

# https://www.w3.org/TR/annotation-vocab/#named-individuals, instances of oa:Motivation
MOTIVATIONS = {
    "assessing",
    "bookmarking",
    "classifying",
    "commenting",
    "describing",
    "editing",
    "highlighting",
    "identifying",
    "linking",
    "moderating",
    "questioning",
    "replying",
    "tagging",
}
# Keys that the W3C's context defines, as far as the sections 3 to 5 of the model name them.
TERMS = {
    "id",
    "type",
    "motivation",
    "creator",
    "created",
    "target",
    "body",
    "rights",
    "via",
    "source",
    "selector",
    "value",
    "format",
    "language",
    "purpose",
    "name",
    "nickname",
    "items",
    "first",
    "label",
    "partOf",
    "startIndex",
    "total",
    "@context",
}
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
IRI = re.compile(r"(urn:[a-z0-9][a-z0-9-]{1,31}:\S+|https?://\S+)")


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("web")
    store = store_at(folder / "kb.ckb")
    take_in(store, every_kind(), folder)
    wanted = Selection(with_noassertion=True)
    report = export_annotations(store, folder / "a.jsonld", "web-annotation", wanted)
    store.close()
    found: dict[str, Any] = json.loads((folder / "a.jsonld").read_text("utf-8"))
    assert report.lost == 2  # a circuit with its members, and scores with evidence
    return found


def items(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document["first"]["items"]
    return found


def test_the_document_is_a_collection_with_one_page_that_has_all(document: dict[str, Any]) -> None:
    page = document["first"]
    assert document["@context"][0] == "http://www.w3.org/ns/anno.jsonld"
    assert (document["type"], page["type"]) == ("AnnotationCollection", "AnnotationPage")
    assert document["total"] == len(page["items"]) == len(every_kind())
    assert page["partOf"] == document["id"] != page["id"]
    assert page["startIndex"] == 0


def test_every_annotation_has_what_the_model_demands(document: dict[str, Any]) -> None:
    for item in items(document):
        assert item["type"] == "Annotation"
        assert IRI.fullmatch(item["id"])
        assert item["motivation"] in MOTIVATIONS
        assert DATE.fullmatch(item["created"])
        assert IRI.fullmatch(item["creator"]["id"])
        assert item["creator"]["type"] in {"Person", "Organization", "Software"}
        if "rights" in item:
            assert IRI.fullmatch(item["rights"])
        if "via" in item:
            assert IRI.fullmatch(item["via"])


def test_ids_are_unique_even_where_records_contest_one(document: dict[str, Any]) -> None:
    ids = [item["id"] for item in items(document)]
    assert len(set(ids)) == len(ids)


def test_targets_are_iris_or_a_part_of_one(document: dict[str, Any]) -> None:
    for item in items(document):
        target = item["target"]
        if isinstance(target, str):
            assert IRI.fullmatch(target)
            continue
        assert target["type"] == "SpecificResource"
        assert IRI.fullmatch(target["source"])
        assert target["selector"]["type"] == "FragmentSelector"
        fragment = target["selector"]["value"]
        assert urlsplit(f"urn:x:y#{fragment}").fragment == fragment
        assert re.fullmatch(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%-]+", fragment)  # RFC 3986, section 3.5


def test_bodies_are_text_with_a_purpose(document: dict[str, Any]) -> None:
    for item in items(document):
        body = item.get("body", [])
        for part in body if isinstance(body, list) else [body]:
            assert part["type"] == "TextualBody"
            assert isinstance(part["value"], str)
            assert part["purpose"] in MOTIVATIONS


def test_every_key_is_of_the_w3c_or_has_a_declared_prefix(document: dict[str, Any]) -> None:
    def keys(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {key for part in value.values() for key in keys(part)}
        return {key for part in value for key in keys(part)} if isinstance(value, list) else set()

    prefix = document["@context"][1]["circuitkb"]
    assert IRI.match(prefix)
    used = keys({key: value for key, value in document.items() if key != "@context"})
    assert {key for key in used - TERMS if not key.startswith("circuitkb:")} == set()


def test_a_label_is_a_tag_of_a_unit_of_a_model() -> None:
    item = canonical_record(
        record(
            target=feature(7, layer="bränch/1"),
            label={"text": "dog head", "lang": "en", "concept": "dog", "vocabulary": "ours"},
            author=by("ada", name="Ada", orcid="0000-0002-1825-0097"),
            confidence=0.5,
        )
    )
    found = web_annotation(item)
    tag, concept = found["body"]
    assert (tag["value"], tag["purpose"], tag["language"]) == ("dog head", "tagging", "en")
    assert (concept["value"], concept["purpose"]) == ("dog", "identifying")
    assert found["target"]["source"] == "urn:circuitkb:model:alpha"
    assert unquote(found["target"]["selector"]["value"]) == "unit=bränch/1:7"
    assert found["creator"] == {
        "id": "https://orcid.org/0000-0002-1825-0097",
        "type": "Person",
        "nickname": "ada",
        "name": "Ada",
    }
    assert found["rights"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert found["circuitkb:confidence"] == 0.5


def test_records_without_a_licence_claim_none() -> None:
    assert "rights" not in web_annotation(canonical_record(record(license="NOASSERTION")))


def test_a_source_that_is_no_iri_is_told_in_a_term_of_ours() -> None:
    found = web_annotation(canonical_record(record(source={"uri": "my notes", "locator": "p. 4"})))
    assert "via" not in found
    assert (found["circuitkb:uri"], found["circuitkb:locator"]) == ("my notes", "p. 4")


@pytest.mark.parametrize(
    ("created", "moment"),
    [
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-03-04T05:06:07.5+02:00", datetime(2026, 3, 4, 3, 6, 7, 500_000, tzinfo=UTC)),
        ("2026-12-31T23:30:00-01:00", datetime(2027, 1, 1, 0, 30, tzinfo=UTC)),
    ],
)
def test_dates_are_told_in_utc(created: str, moment: datetime) -> None:
    told = web_annotation(canonical_record(record(created=created)))["created"]
    assert DATE.fullmatch(told)
    assert datetime.fromisoformat(told) == moment


def test_a_document_without_annotations_is_whole(tmp_path: Path) -> None:
    store = store_at(tmp_path / "kb.ckb")
    export_annotations(store, tmp_path / "a.jsonld", "web-annotation")
    store.close()
    found = json.loads((tmp_path / "a.jsonld").read_text("utf-8"))
    assert (found["total"], found["first"]["items"]) == (0, [])
