"""What makes two records the same does not depend on how they are written down."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from circuitkb.schema.ids import annotation_id, canonical_json
from circuitkb.schema.records import (
    STATES,
    KeptRecord,
    body_of,
    canonical_record,
    core_of,
    date_order,
    definition_of,
    kept,
    texts_of,
)

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
dates = st.one_of(
    st.dates().map(str),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
)


@st.composite
def labels(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {
        "schema": "circuitkb.annotation/1",
        "kind": "label",
        "target": {
            "type": "feature",
            "model": "m",
            "layer": draw(texts),
            "unit": draw(st.integers(0, 9)),
        },
        "label": {"text": draw(texts)},
        "author": {"id": draw(texts), "type": "human"},
        "method": "manual",
        "source": {"uri": draw(texts)},
        "created": draw(dates),
        "license": "CC0-1.0",
    }
    if draw(st.booleans()):
        made["confidence"] = draw(st.sampled_from([0, 0.5, 1]))
    if draw(st.booleans()):
        made["ext"] = draw(st.dictionaries(texts, st.one_of(texts, st.integers(-5, 5)), max_size=3))
    return made


def shuffled(value: Any) -> Any:
    """The same with the keys of every object turned round."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return value


@given(labels())
def test_canonical_is_canonical(record: dict[str, Any]) -> None:
    once = canonical_record(record)
    assert canonical_record(once) == once
    assert canonical_record(json.loads(json.dumps(once))) == once


@given(labels(), st.sampled_from([None, 1, 1.0, -0.0, 0.25, 1e16]), st.booleans())
def test_what_is_written_by_parts_is_what_is_written_as_a_whole(
    record: dict[str, Any], number: float | None, ascii_alone: bool
) -> None:
    record = record | {"ext": {"x": [number], "y": "v1.0 b"}, "text": None}
    if ascii_alone:
        record = json.loads(json.dumps(record).replace("\\u", "  "))
    kept_as = canonical_record(record)
    whole = json.loads(canonical_json(record)) | {
        "id": annotation_id(json.loads(canonical_json(record)))
    }
    if number == 1e16:
        assert "1e+16" in kept_as.written
    elif number is not None and number == int(number):
        whole["ext"]["x"] = [int(number)]
    assert kept_as.written == canonical_json(kept_as) == canonical_json(whole)
    assert KeptRecord.read(kept_as.written) == kept_as


@given(labels())
def test_the_order_of_keys_the_form_of_accents_and_of_numbers_change_nothing(
    record: dict[str, Any],
) -> None:
    decomposed = json.loads(unicodedata.normalize("NFD", json.dumps(record, ensure_ascii=False)))
    if "confidence" in decomposed:
        decomposed["confidence"] = float(decomposed["confidence"])
    assert canonical_record(shuffled(decomposed)) == canonical_record(record)


@given(labels(), dates)
def test_a_date_is_no_part_of_an_id_nor_of_a_body(record: dict[str, Any], date: str) -> None:
    other = record | {"created": date}
    assert canonical_record(other)["id"] == canonical_record(record)["id"]
    assert body_of(canonical_record(other)) == body_of(canonical_record(record))


@given(labels(), labels())
def test_two_statements_have_two_ids(one: dict[str, Any], two: dict[str, Any]) -> None:
    a, b = canonical_record(one), canonical_record(two)
    same = (
        all(
            a[name] == b[name]
            if name != "label"
            else a[name]["text"].split() == b[name]["text"].split()
            for name in ("target", "label", "source")
        )
        and a["author"]["id"] == b["author"]["id"]
    )
    assert (a["id"] == b["id"]) is same


def test_the_id_of_a_record_is_the_same_for_ever() -> None:
    """Were it another one, every label that is shared would come in again as a new one."""
    record = {
        "schema": "circuitkb.annotation/1",
        "kind": "label",
        "label": {"text": "dog head"},
        "target": {"type": "feature", "model": "inceptionv1", "layer": "mixed4b", "unit": 418},
        "author": {"id": "ada", "type": "human"},
        "method": "manual",
        "source": {"uri": "https://example.org"},
        "created": "2026-01-01",
        "license": "CC0-1.0",
    }
    assert canonical_record(record)["id"] == "ckb:45d2331d3966a2e286ce8cd732792d30"


@given(st.lists(dates, min_size=1))
def test_dates_have_one_order(several: list[str]) -> None:
    earliest = min(several, key=date_order)
    assert min(reversed(several), key=date_order) == earliest


def test_members_of_a_circuit_are_a_set() -> None:
    def circuit(*units: int) -> dict[str, Any]:
        members = [{"unit": {"model": "m", "layer": "l", "unit": unit}} for unit in units]
        return {"type": "circuit", "id": "c", "members": members}

    assert definition_of(circuit(1, 2)) == definition_of(circuit(2, 1))
    assert definition_of(circuit(1, 2)) != definition_of(circuit(1, 3))


@given(labels(), st.sampled_from(STATES), st.sampled_from(STATES))
def test_what_is_kept_takes_nothing_back(record: dict[str, Any], there: str, given: str) -> None:
    made = canonical_record(record)
    other = canonical_record(record | {"license": "MIT"})
    stored = {"state": there, "records": texts_of([made])}
    found = kept(stored, {"state": given, "records": texts_of([other])})
    assert STATES.index(found["state"]) >= STATES.index(there)
    assert found["records"] == texts_of([made, other])
    assert core_of(made) == core_of(other)
    again = kept(found | {"records": found["records"]}, stored)
    assert (again["state"], again["records"]) == (found["state"], found["records"])
