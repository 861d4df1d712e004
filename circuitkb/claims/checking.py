"""A claim checked with its JSON Schema, and for what no schema can say; in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from circuitkb.loaders.annotation_formats.checking import in_words, text_problems
from circuitkb.schema.claims import claim_id

BOUNDS = ("at_least", "at_most", "about")
"""What a measured value is compared with: a prediction has one of these."""

_MOST_SAID = 3


def problems_of(record: object) -> list[str]:
    """Return what is wrong with a claim, in words; nothing if it can be taken.

    Examples
    --------
    >>> claim = {"schema": "circuitkb.claim/1", "statement": "s", "aspect": "purity",
    ...          "subject": "net", "refuted_by": "r", "created": "2020-01-01",
    ...          "prediction": {"test": "explained", "motif": "union", "at_least": 0.5},
    ...          "source": {"title": "t", "section": "s", "year": 2020},
    ...          "author": {"id": "ada", "type": "human"}, "license": "CC0-1.0"}
    >>> problems_of(claim)
    ["'tolerance' is missing: how far may the measured value miss before the claim is refuted?"]
    >>> problems_of(claim | {"tolerance": 0.1, "aspect": "beauty"})
    ["aspect: 'beauty' is none of causality, sufficiency, minimality, generality, purity, ..."]
    """
    if not isinstance(record, dict):
        return ["it is no claim: a claim is an object with names and values"]
    found = [_said(error) for error in _validator().iter_errors(record)]
    found = [problem for problem in found if problem]
    if not found:
        found = list(_prediction_problems(record.get("prediction")))
    if not found:
        found = list(text_problems(record, ()))
    if not found and record.get("id", "").startswith("ckb:"):
        without = {key: value for key, value in record.items() if key != "id"}
        if claim_id(without) != record["id"]:
            found = [f"id: {record['id']} is the hash of another claim than this one"]
    return list(dict.fromkeys(found))[:_MOST_SAID]


def _said(error: Any) -> str:
    path = list(error.instance_path)
    kind = error.kind.name
    if kind == "anyOf" and not path:
        return "it has neither a 'prediction' nor 'parts': nothing could refute it"
    if kind == "required" and error.kind.property == "tolerance":
        return (
            "'tolerance' is missing: how far may the measured value miss before the claim is "
            "refuted?"
        )
    return _plain(path, error)


def _plain(path: list[Any], error: Any) -> str:
    if error.kind.name == "additionalProperties":
        names = ", ".join(repr(str(name)[:60]) for name in error.kind.unexpected[:3])
        place = ".".join(map(str, path))
        return f"{place}{': ' if place else ''}{names} is no field here"
    if error.kind.name == "pattern" and "prediction" in path:
        return f"{path[0]}: {str(error.instance)[:60]!r} is no unit, as in mixed3b:379"
    return in_words(path, error)


def _prediction_problems(prediction: Mapping[str, Any] | None) -> Iterator[str]:
    """The schema of all claims says only which tests there are: say what the one named lacks."""
    if prediction is None:
        return
    for error in _validator(prediction["test"]).iter_errors(prediction):
        yield _plain(["prediction", *error.instance_path], error)
    given = [name for name in BOUNDS if name in prediction]
    if len(given) != 1:
        yield f"prediction: give one of {', '.join(BOUNDS)}, with the value that is predicted"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of claims."""
    place = resources.files("circuitkb.schema") / "resources" / "claim.schema.json"
    found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return found


@cache
def _validator(definition: str | None = None) -> Any:
    from jsonschema_rs import Draft202012Validator

    whole = schema()
    if definition is not None:
        whole = {"$defs": whole["$defs"], "$ref": f"#/$defs/{definition}"}
    make: Callable[..., Any] = Draft202012Validator
    return make(whole, validate_formats=True)
