"""Annotation records: what makes two of them the same, and what is kept of them.

A record is a dictionary that follows ``resources/annotation.schema.json``. Its id says which
statement it is (:func:`circuitkb.schema.ids.annotation_id`), its *body* everything else it says.
Two records with one id and one body are the same, whatever their dates: the earlier date is kept.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Self

from circuitkb.schema.claims import SCHEMA, claim_id
from circuitkb.schema.ids import CORE, annotation_id, canonical_json, content_hash, plain_json

STATES = ("pending", "live", "superseded", "retracted", "contested")
"""What becomes of an annotation. It only ever moves to a later one of these."""

AWAITED = ("model", "circuit", "annotation")
"""What an annotation may wait for, as its ``awaiting`` says."""

HASHED = "ckb:"
"""What an id begins with that is the hash of what its record states."""

FREE = "free"
"""Vocabulary of a label that names none, in the id of the ``Label`` node."""

RECORDED = ("Annotation", "Claim")
"""Labels of nodes that hold the records under their id."""

Record = dict[str, Any]
"""An annotation as its JSON schema describes it, or the properties of a node or relation."""

_EXACT = 2**53


class KeptRecord(dict[str, Any]):
    """A record as it is kept, with the one text that it is written as; not to be changed.

    Examples
    --------
    >>> record = KeptRecord.read('{"id":"a","text":"b"}')
    >>> record["text"], record.written
    ('b', '{"id":"a","text":"b"}')
    """

    __slots__ = ("written",)
    written: str

    @classmethod
    def read(cls, written: str) -> Self:
        """Return the record that a text says, which is canonical JSON."""
        return cls._of(json.loads(written), written)

    @classmethod
    def _of(cls, record: Mapping[str, Any], written: str) -> Self:
        made = cls(record)
        made.written = written
        return made


def canonical_record(record: Mapping[str, Any]) -> KeptRecord:
    """Return a checked record as it is kept: with its id, NFC text, 1.0 written as 1.

    Examples
    --------
    >>> canonical_record({"kind": "comment", "text": "cafe\u0301", "created": "2020-01-01"})
    {'created': '2020-01-01', 'id': 'ckb:...', 'kind': 'comment', 'text': 'café'}
    """
    target = record.get("target")
    if target is None or target["type"] != "circuit":
        parts = {key: plain_json(record[key]) for key in sorted(record)}
        values = ",".join(parts.values())
        if values.isascii() and not _WHOLE.search(values):  # most are: written as they stand
            kept: Record = {**record, "id": _id_by_parts(record, parts)}
            parts["id"] = plain_json(kept["id"])
            keys = sorted(parts)
            written = _joined({key: parts[key] for key in keys})
            return KeptRecord._of({key: kept[key] for key in keys}, written)
    kept = _read_back(canonical_json(record))
    if target is not None and target["type"] == "circuit":
        _sort_members(kept["target"])
    kept["id"] = annotation_id(kept)
    return KeptRecord._of(dict(sorted(kept.items())), canonical_json(kept))


def _joined(parts: Mapping[str, str]) -> str:
    """Return the text of an object with these values, in this order."""
    return "{" + ",".join([f'"{key}":{part}' for key, part in parts.items()]) + "}"


def _id_by_parts(record: Mapping[str, Any], parts: Mapping[str, str]) -> str:
    """Return what :func:`annotation_id` does, of a record whose values are written already."""
    given = record.get("id")
    if isinstance(given, str):
        return given
    core = {key: part for key, part in parts.items() if key in _CORE and part != "null"}
    if "author" in core:
        core["author"] = plain_json(record["author"]["id"])
    if "text" in core:
        core["text"] = plain_json(label_text(record["text"]))
    if "label" in core:
        label = record["label"]
        text = label_text(label["text"])
        if text != label["text"]:
            core["label"] = plain_json(label | {"text": text})
    return f"{HASHED}{hashlib.sha256(_joined(core).encode()).hexdigest()[:32]}"


def _number(text: str) -> float:
    """Write numbers one way, as RFC 8785 does: for JSON, 1.0 and 1 are the same."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


_CORE = frozenset(CORE)
_WHOLE = re.compile(r"\.0(?=[,}\]]|\Z)")
"""What may be a number that is written in another way; in a string it is none."""

_read_back = json.JSONDecoder(parse_float=_number).decode


def _sort_members(target: Record) -> None:
    """Put the members and edges of a circuit in one order: they are sets."""
    for name in ("members", "edges"):
        if name in target:
            unique = {canonical_json(item): item for item in target[name]}
            target[name] = [unique[key] for key in sorted(unique)]


def body_of(record: Mapping[str, Any]) -> str:
    """Return all that a record says but its date, as canonical JSON.

    Examples
    --------
    >>> body_of({"id": "a", "text": "b", "created": "2020-01-01"})
    '{"id":"a","text":"b"}'
    """
    return canonical_json({key: value for key, value in record.items() if key != "created"})


def core_of(record: Mapping[str, Any]) -> str:
    """Return the hash of what a record states, whatever id it brings.

    Two records under one id with different cores contest it: nobody can tell who meant it.
    """
    without = {key: value for key, value in record.items() if key != "id"}
    return claim_id(without) if record.get("schema") == SCHEMA else annotation_id(without)


def date_order(created: str) -> tuple[datetime, str]:
    """Return what dates are ordered by: the moment in UTC (a day begins at midnight), the text.

    Examples
    --------
    >>> min("2020-01-01T00:30:00+01:00", "2020-01-01", key=date_order)
    '2020-01-01T00:30:00+01:00'
    """
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        moment = datetime.max
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC), created
    try:
        return moment.astimezone(UTC), created
    except OverflowError:  # within a day of the first or the last year
        return moment.replace(tzinfo=UTC), created


def definition_of(target: Mapping[str, Any]) -> str | None:
    """Return the hash of the members that a circuit's target names, or None where it names none.

    Examples
    --------
    >>> definition_of({"type": "circuit", "id": "a"}) is None
    True
    """
    if "members" not in target:
        return None
    members = [
        [_place(member["unit"]), member.get("role") or "member"] for member in target["members"]
    ]
    return content_hash(sorted(members))


def _place(unit: Mapping[str, Any]) -> list[Any]:
    return [unit["model"], unit["layer"], unit.get("basis"), unit["unit"]]


def label_id(label: Mapping[str, Any]) -> str:
    """Return the id of the ``Label`` node of a record's label.

    Examples
    --------
    >>> label_id({"text": " dog  head ", "vocabulary": "ours"}), label_id({"text": "dog head"})
    ('ours:dog head', 'free:dog head')
    """
    return f"{label.get('vocabulary') or FREE}:{label_text(label['text'])}"


def label_text(text: str) -> str:
    """Return a label without outer and repeated white space."""
    return " ".join(text.split())


def kept(stored: Mapping[str, Any], given: Mapping[str, Any]) -> Record:
    """Return what to give an annotation that is there already: nothing that takes back anything.

    A load or a copy may bring a node as it was before it was retracted here, or before another
    record came under its id.

    Examples
    --------
    >>> kept({"state": "retracted", "records": []}, {"state": "live", "records": []})
    {'state': 'retracted', 'records': []}
    """
    found = dict(given)
    if stored.get("state") in STATES and given["state"] in STATES:
        found["state"] = max(stored["state"], given["state"], key=STATES.index)
    there, brought = stored.get("records") or [], given.get("records") or []
    if there and there != brought:
        records = together(json.loads(text) for text in (*there, *brought)).values()
        found["records"] = texts_of(records)
        if len({core_of(record) for record in records}) > 1:
            found["state"] = STATES[-1]
    return found


def together(records: Iterable[Record]) -> dict[str, Record]:
    """Return records by their bodies, each with its earliest date.

    Examples
    --------
    >>> two = {"id": "a", "created": "2020-01-02"}, {"id": "a", "created": "2020-01-01"}
    >>> together(two)
    {'{"id":"a"}': {'id': 'a', 'created': '2020-01-01'}}
    """
    found: dict[str, Record] = {}
    for record in records:
        there = found.setdefault(body_of(record), record)
        if date_order(record["created"]) < date_order(there["created"]):
            found[body_of(record)] = record
    return found


def texts_of(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return records as they are kept on a node: canonical JSON, sorted."""
    return sorted(
        record.written if isinstance(record, KeptRecord) else canonical_json(record)
        for record in records
    )
