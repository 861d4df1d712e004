"""A record checked with its JSON Schema, and for what no schema can say of text.

What a record *refers to* is checked where the graph is known, not here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from circuitkb.schema.errors import IdError
from circuitkb.schema.ids import FeatureId

Record = Mapping[str, Any]

_TARGETS = ("feature", "edge", "circuit", "annotation")
_MOST_SAID = 3
_SHOWN = 60

# Surrogates and noncharacters stand for no character; the marks that turn the direction of text
# make it show as something else than it is.
_NO_CHARACTERS = re.compile("[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
_CONTROLS_IN_PROSE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ANY_BAD = re.compile(
    "[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_PROSE = frozenset({"text", "note"})

_ID = "an id of an annotation (ckb: and 32 digits of base 16, urn:uuid:..., or https://...)"
_NAME = "a name (small letters, digits, '.', '_' and '-', not first)"
_IN_WORDS = {
    "id": _ID,
    "supersedes": _ID,
    "license": "one licence of the SPDX list (CC-BY-4.0, CC0-1.0), LicenseRef-NAME or NOASSERTION",
    "lang": "a tag of a language (en, pt-BR)",
    "orcid": "an ORCID iD (0000-0002-1825-0097)",
    "fingerprint": "a fingerprint (64 digits of base 16)",
    "sha256": "a sha256 (64 digits of base 16)",
    "commit": "a commit of git (7 to 40 digits of base 16)",
    "model": _NAME,
    "circuit": _NAME,
}
"""What should stand in fields that have a pattern in the schema."""


def problems_of(record: object, *, plain: bool = False) -> list[str]:
    """Return what is wrong with a record, in words; nothing if it can be taken.

    Parameters
    ----------
    record
        One record, as JSON gives it.
    plain
        Whether it is known that no text in it has anything but printable ASCII.

    Examples
    --------
    >>> label = {"schema": "circuitkb.annotation/1", "kind": "label", "label": {"text": "curve"},
    ...          "target": {"type": "feature", "model": "m", "layer": "l", "unit": 3},
    ...          "author": {"id": "ada", "type": "human"}, "method": "manual",
    ...          "source": {"uri": "x"}, "created": "2020-01-01", "license": "CC0-1.0"}
    >>> problems_of(label)
    []
    >>> problems_of(label | {"confidence": 7, "kind": "labl"})
    ["kind: 'labl' is none of label, role, claim, ...", 'confidence: 7 is more than 1']
    """
    if not isinstance(record, dict):
        return [f"it is {_kind(record)}, and a record is a JSON object"]
    if not _validator().is_valid(record):
        return _schema_problems(record)
    # What no text may have is escaped where Python shows it, so most records take one look.
    suspect = not plain and "\\" in repr(record)
    found = list(text_problems(record, ())) if suspect else []
    if not found:
        found = _sense_problems(record)
    return found[:_MOST_SAID]


def _schema_problems(record: dict[str, Any]) -> list[str]:
    found: dict[str, None] = {}
    for error in _validator().iter_errors(record):
        path = list(error.instance_path)
        if path[:1] == ["target"]:
            continue
        found[in_words(path, error)] = None
    for problem in _target_problems(record.get("target")):
        found[problem] = None
    return list(found)[:_MOST_SAID] or ["it does not follow the schema of annotations"]


def _target_problems(target: object) -> Iterator[str]:
    """The schema says only that none of four kinds fits: say what the kind that it names lacks."""
    if target is None:
        return  # it is missing, which is said already
    if not isinstance(target, dict):
        yield f"target: it is {_kind(target)}, and a target is a JSON object"
    elif target.get("type") not in _TARGETS:
        yield f"target.type: {_quoted(target.get('type'))} is none of {', '.join(_TARGETS)}"
    else:
        for error in _validator(f"{target['type']}Target").iter_errors(target):
            yield in_words(["target", *error.instance_path], error)


def in_words(path: list[Any], error: Any) -> str:
    """Return one fault in words: where, what stands there, what should."""
    place = _place(path)
    value, message = error.instance, error.message
    match error.kind.name:
        case "additionalProperties":
            names = ", ".join(_quoted(name) for name in error.kind.unexpected[:3])
            message = f"{names} is no field here; what is your own goes into 'ext'"
        case "required":
            message = f"{_quoted(error.kind.property)} is missing"
        case "enum":
            options = ", ".join(map(str, error.kind.options))
            message = f"{_quoted(value)} is none of {options}"
        case "constant":
            message = f"{_quoted(value)} stands where {error.kind.expected_value!r} should"
        case "type":
            types = error.kind.types if hasattr(error.kind, "types") else []
            message = f"{_quoted(value)} is {_kind(value)}" + (
                f", not {' or '.join(types)}" if types else ", which cannot stand here"
            )
        case "maxLength":
            message = f"it has {len(value):,} characters, and {error.kind.limit:,} may stand here"
        case "minLength":
            message = "it is empty" if not value else f"{_quoted(value)} is too short"
        case "maximum":
            message = f"{value!r} is more than {error.kind.limit:g}"
        case "minimum":
            message = f"{value!r} is less than {error.kind.limit:g}"
        case "pattern":
            right = _IN_WORDS.get(_last_name(path), "written as it should be")
            message = f"{_quoted(value)} is not {right}"
        case "format" | "anyOf":
            message = f"{_quoted(value)} is no date (2026-11-23, or 2026-11-23T09:30:00Z)"
        case "maxItems":
            message = f"it has {len(value):,} entries, and {error.kind.limit:,} may stand here"
        case "uniqueItems":
            message = "an entry stands there twice"
    return f"{place}: {message}" if place else message


def _last_name(path: list[Any]) -> str:
    """Return the name of a field; the id of a circuit is a name, and no id of an annotation."""
    name = next(part for part in reversed(path) if isinstance(part, str))
    return "circuit" if path[:1] == ["target"] and name == "id" else name


def text_problems(value: Any, path: tuple[Any, ...]) -> Iterator[str]:
    """Give what no text may have, wherever it stands in a record."""
    if isinstance(value, str):
        if _ANY_BAD.search(value):
            yield from _character_problems(value, path)
    elif isinstance(value, dict):
        for key, part in value.items():
            if _ANY_BAD.search(key):
                yield f"{_place(path)}: a name in it has characters that no text has"
            yield from text_problems(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from text_problems(part, (*path, index))


def _character_problems(text: str, path: tuple[Any, ...]) -> Iterator[str]:
    prose = path[0] == "ext" or path[-1] in _PROSE
    checks: tuple[tuple[re.Pattern[str], str], ...] = (
        (_CONTROLS_IN_PROSE if prose else _CONTROLS, "a control character"),
        (_TURNS, "a mark that turns the direction of text, and hides what it says"),
        (_NO_CHARACTERS, "a code that stands for no character"),
    )
    for pattern, name in checks:
        if bad := pattern.search(text):
            yield f"{_place(path)}: {name} (U+{ord(bad[0]):04X}) stands at {bad.start() + 1}"


def _sense_problems(record: Record) -> list[str]:
    """Return what the schema lets pass and the graph cannot hold."""
    found = []
    if "label" in record and not record["label"]["text"].split():
        found.append("label.text: it is blank")
    if record["kind"] in ("comment", "claim") and not record["text"].split():
        found.append("text: it is blank")
    if not record["author"]["id"].split():
        found.append("author.id: it is blank")
    for place, unit in units_of(record["target"]):
        try:
            feature_of(unit)
        except IdError as error:
            found.append(f"{place}: {error}")
    target = record["target"]
    found += [
        f"supersedes[{index}]: {_quoted(id)} is not {_ID}"
        for index, id in enumerate(record.get("supersedes", ()))
        if not _id_pattern().search(id)
    ]
    if target["type"] == "annotation" and not _id_pattern().search(target["id"]):
        found.append(f"target.id: {_quoted(target['id'])} is not {_ID}")
    if target["type"] == "edge" and target["source"]["model"] != target["target"]["model"]:
        found.append("target: an edge joins two units of one model")
    fingerprints = {unit.get("fingerprint") for _, unit in units_of(target)} - {None}
    if len(fingerprints) > 1 and target["type"] == "edge":
        found.append("target: both ends are of one model, and their fingerprints differ")
    return found


def units_of(target: Record) -> Iterator[tuple[str, Record]]:
    """Give every unit that a target names, with the place where it stands.

    Examples
    --------
    >>> [place for place, _ in units_of({"type": "edge", "source": {}, "target": {}})]
    ['target.source', 'target.target']
    """
    if target["type"] == "feature":
        yield "target", target
    elif target["type"] == "edge":
        yield "target.source", target["source"]
        yield "target.target", target["target"]
    elif target["type"] == "circuit":
        for index, member in enumerate(target.get("members", ())):
            yield f"target.members[{index}].unit", member["unit"]
        for index, edge in enumerate(target.get("edges", ())):
            yield f"target.edges[{index}].source", edge["source"]
            yield f"target.edges[{index}].target", edge["target"]


def feature_of(unit: Record) -> FeatureId:
    """Return the feature that a unit of a record is; raises :class:`IdError`."""
    return FeatureId(unit["model"], unit["layer"], unit["unit"], unit.get("basis"))


def _place(path: Any) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{_shown(str(part))}"
    return text.removeprefix(".")


def _quoted(value: Any) -> str:
    return repr(_shown(value)) if isinstance(value, str) else _shown(repr(value))


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _kind(value: Any) -> str:
    names: dict[type, str] = {
        type(None): "null",
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of annotation records."""
    place = resources.files("circuitkb.schema") / "resources" / "annotation.schema.json"
    found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return found


@cache
def _id_pattern() -> re.Pattern[str]:
    return re.compile(schema()["properties"]["id"]["pattern"])


@cache
def _validator(definition: str | None = None) -> Any:
    from jsonschema_rs import Draft202012Validator

    whole = schema()
    if definition is not None:
        whole = {"$defs": whole["$defs"], "$ref": f"#/$defs/{definition}"}
    make: Callable[..., Any] = Draft202012Validator
    return make(whole, validate_formats=True)
