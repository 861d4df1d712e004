"""Annotations as W3C Web Annotations (https://www.w3.org/TR/annotation-model/), in JSON-LD.

The document is one AnnotationCollection with one page. What the W3C's vocabulary has no word for
(method, confidence, what is superseded, the fingerprint of the weights, the place in a source)
stands under the prefix ``circuitkb``, which the document's own context declares.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from circuitkb.annotations.sharing.stored_records import UNLICENSED, StoredRecord
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.records import Record, date_order

CONTEXT = [
    "http://www.w3.org/ns/anno.jsonld",
    {
        "circuitkb": "urn:circuitkb:terms:",
        "circuitkb:supersedes": {"@type": "@id"},
        # The vocabulary has it, and copies of the W3C's context still call it "reviewing".
        "assessing": "http://www.w3.org/ns/oa#assessing",
    },
]
"""Where the terms of the document are defined."""

MOTIVATIONS = {
    "label": "tagging",
    "role": "classifying",
    "claim": "describing",
    "comment": "commenting",
    "review": "assessing",
    "retraction": "editing",
}
"""Why an annotation was made, by the kind of its record."""

_CREATORS = {"human": "Person", "group": "Organization", "model": "Software", "tool": "Software"}
_HELD = frozenset(
    {
        "schema",
        "id",
        "kind",
        "target",
        "label",
        "text",
        "verdict",
        "sign",
        "confidence",
        "author",
        "method",
        "source",
        "created",
        "license",
        "supersedes",
        "aspect",
    }
)
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`\x00-\x20]+")


def write_web_annotations(file: Path, records: Iterator[StoredRecord]) -> int:
    """Write records as one JSON-LD document; one annotation a line.

    Returns
    -------
    int
        How many records say more than the document holds.
    """
    digest, total, lost = hashlib.sha256(), 0, 0
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(f'{{"@context": {_json(CONTEXT)},\n"type": "AnnotationCollection",\n')
        stream.write('"label": "Annotations of units and circuits of neural networks",\n')
        stream.write('"first": {"type": "AnnotationPage", "startIndex": 0, "items": [')
        for item in records:
            annotation = web_annotation(item.record)
            if item.of_id > 1:  # ids are unique in a document, and several records claim this one
                annotation["id"] += f"#{hashlib.sha256(item.text.encode()).hexdigest()[:8]}"
            text = _json(annotation)
            stream.write(f"{',' if total else ''}\n{text}")
            digest.update(text.encode())
            total += 1
            lost += not _holds(item.record)
        name = f"urn:circuitkb:annotations:{digest.hexdigest()[:32]}"
        stream.write(f'\n], "id": "{name}:1", "partOf": "{name}"}},\n')
        stream.write(f'"total": {total},\n"id": "{name}"}}\n')
    return lost


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)


def _holds(record: Record) -> bool:
    """Return whether a Web Annotation says all that a record says."""
    return record.keys() <= _HELD and not record["target"].keys() & {"members", "edges"}


def web_annotation(record: Record) -> dict[str, Any]:
    """Return one record as a Web Annotation, without its context.

    Examples
    --------
    >>> found = web_annotation({
    ...     "id": "ckb:0f", "kind": "label", "label": {"text": "curve", "lang": "en"},
    ...     "target": {"type": "feature", "model": "m", "layer": "l", "unit": 3},
    ...     "author": {"id": "ada", "type": "human"}, "method": "manual", "license": "CC0-1.0",
    ...     "source": {"uri": "https://x.org/a"}, "created": "2020-01-01"})
    >>> found["id"], found["motivation"], found["target"]["selector"]["value"]
    ('urn:circuitkb:annotation:0f', 'tagging', 'unit=l:3')
    >>> found["body"]["value"], found["body"]["language"], found["created"]
    ('curve', 'en', '2020-01-01T00:00:00Z')
    """
    found: dict[str, Any] = {
        "id": annotation_iri(record["id"]),
        "type": "Annotation",
        "motivation": MOTIVATIONS[record["kind"]],
        "creator": _creator(record["author"]),
        "created": _moment(record["created"]),
        "target": _target(record["target"]),
        "circuitkb:method": record["method"],
    }
    bodies = _bodies(record)
    if bodies:
        found["body"] = bodies[0] if len(bodies) == 1 else bodies
    if record["license"] != UNLICENSED:
        found["rights"] = _rights(record["license"])
    source = dict(record["source"])
    if _IRI.fullmatch(source["uri"]):
        found["via"] = source.pop("uri")
    found |= {f"circuitkb:{name}": text for name, text in source.items()}
    if "aspect" in record:
        found["circuitkb:aspect"] = record["aspect"]
    if record.get("confidence") is not None:
        found["circuitkb:confidence"] = record["confidence"]
    if record.get("supersedes"):
        found["circuitkb:supersedes"] = [annotation_iri(id) for id in record["supersedes"]]
    return found


def annotation_iri(id: str) -> str:
    """Return the IRI of an annotation: ids that are one stay as they are.

    Examples
    --------
    >>> annotation_iri("ckb:0f"), annotation_iri("https://x.org/a#1")
    ('urn:circuitkb:annotation:0f', 'https://x.org/a#1')
    """
    if id.startswith("ckb:"):
        return f"urn:circuitkb:annotation:{quote(id.removeprefix('ckb:'), safe='')}"
    if _IRI.fullmatch(id):
        return id
    if id.startswith(("https:", "http:")):
        return quote(id, safe=":/?#[]@!$&'()*+,;=%~")
    return f"urn:circuitkb:annotation:{quote(id, safe='')}"


def _creator(author: Mapping[str, Any]) -> dict[str, Any]:
    iri = f"urn:circuitkb:annotator:{quote(author['id'], safe='')}"
    if "orcid" in author:
        iri = f"https://orcid.org/{author['orcid']}"
    found = {"id": iri, "type": _CREATORS[author["type"]], "nickname": author["id"]}
    if "name" in author:
        found["name"] = author["name"]
    return found


def _moment(created: str) -> str:
    """Return a date as the model asks for it: a time in UTC, with a Z; a day is its first moment.

    Of fractions of a second it keeps microseconds.
    """
    moment = date_order(created)[0]
    if moment == datetime.max.replace(tzinfo=UTC):
        return created
    return f"{moment.replace(tzinfo=None).isoformat()}Z"


def _bodies(record: Record) -> list[dict[str, Any]]:
    """Return what is said, one body for each thing."""
    bodies = []
    if label := record.get("label"):
        tag = _text(label["text"], MOTIVATIONS[record["kind"]])
        if "lang" in label:
            tag["language"] = label["lang"]
        if label.get("vocabulary"):
            tag["circuitkb:vocabulary"] = label["vocabulary"]
        bodies.append(tag)
        if label.get("concept"):
            bodies.append(_text(label["concept"], "identifying"))
    if record.get("text"):
        purpose = "describing" if record["kind"] == "claim" else "commenting"
        bodies.append(_text(record["text"], purpose))
    if "verdict" in record:
        bodies.append(_text(record["verdict"], "assessing"))
    if "sign" in record:
        bodies.append(_text(record["sign"], "classifying"))
    return bodies


def _text(value: str, purpose: str) -> dict[str, Any]:
    return {"type": "TextualBody", "value": value, "format": "text/plain", "purpose": purpose}


def _target(target: Mapping[str, Any]) -> str | dict[str, Any]:
    match target["type"]:
        case "feature":
            return _part(target, f"unit={_fragment(target)}")
        case "edge":
            # Two targets would be annotated each for itself: an edge is one.
            ends = (_fragment(target["source"]), _fragment(target["target"]))
            return _part(target["source"], f"edge={ends[0]},{ends[1]}")
        case "circuit":
            return f"urn:circuitkb:circuit:{quote(target['id'], safe='')}"
        case _:
            return annotation_iri(target["id"])


def _part(unit: Mapping[str, Any], fragment: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "SpecificResource",
        "source": f"urn:circuitkb:model:{unit['model']}",
        "selector": {"type": "FragmentSelector", "value": fragment},
    }
    if "fingerprint" in unit:
        found["circuitkb:fingerprint"] = unit["fingerprint"]
    return found


def _fragment(unit: Mapping[str, Any]) -> str:
    """Return a feature's id without its model, as a part of the fragment of an IRI."""
    feature = FeatureId(unit["model"], unit["layer"], unit["unit"], unit.get("basis"))
    return quote(str(feature).removeprefix(f"{feature.model}/"), safe="/:@")


def _rights(license: str) -> str:
    if license.startswith("LicenseRef-"):
        return f"urn:circuitkb:license:{license}"
    return f"https://spdx.org/licenses/{quote(license, safe='+')}"
