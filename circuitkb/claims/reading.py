"""Files of claims: YAML for people, JSON Lines for programs, bundles for both.

A YAML file is a list of claims, or an object with ``defaults`` (what the claims leave out) and
``claims``. Nothing in a file is run or followed: YAML is read without tags, anchors and aliases.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from circuitkb.loaders.annotation_formats.strict_json import JsonError, read_json, reason_of
from circuitkb.schema.claims import SCHEMA
from circuitkb.schema.errors import ClaimError
from circuitkb.schema.provenance import now

CLAIMS, TRIALS, STANDINGS = "claims.jsonl", "trials.jsonl", "standings.jsonl"
PROOFS = "proofs.jsonl"
"""Files of a bundle."""

MOST_BYTES = 16 * 2**20
"""Size of a file of claims at most, unpacked."""

MOST_OF_PROOFS = 64 * 2**20
"""The same of proofs, whose counterexamples are numbers."""

_SHIPPED = "articles.yaml"

_LIMITS = dict.fromkeys((CLAIMS, TRIALS, STANDINGS), MOST_BYTES) | {PROOFS: MOST_OF_PROOFS}


@dataclass(frozen=True)
class Line:
    """A claim as it stands in a file, before it is checked."""

    file: str
    number: int
    record: Any
    problem: str | None = None

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.file}:{self.number}"


@dataclass(frozen=True)
class ClaimFile:
    """What a file holds.

    Attributes
    ----------
    claims
        Each with its line.
    trials, standings, proofs
        Rows of trials, how the claims stood there, and rows of the proofs that trials name; of a
        bundle.
    """

    claims: tuple[Line, ...]
    trials: tuple[dict[str, Any], ...] = ()
    standings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    proofs: tuple[dict[str, Any], ...] = ()


def read_claims(path: Path, author: str) -> ClaimFile:
    """Return the claims of a file.

    Parameters
    ----------
    path
        YAML (``.yaml``, ``.yml``), JSON Lines, or a bundle (``.zip``).
    author
        Who says it, where the file names nobody.

    Raises
    ------
    ClaimError
        It cannot be read at all.
    """
    if zipfile.is_zipfile(path):
        return _bundle(path, author)
    text = _text(path)
    read = _yaml if path.suffix.lower() in (".yaml", ".yml") else _json_lines
    return ClaimFile(tuple(_completed(read(str(path), text), author)))


def shipped_claims() -> ClaimFile:
    """Return the claims that come with circuitkb, from the Distill thread and later papers.

    Examples
    --------
    >>> len(shipped_claims().claims) >= 30
    True
    """
    place = resources.files("circuitkb.claims") / "resources" / _SHIPPED
    return ClaimFile(tuple(_completed(_yaml(_SHIPPED, place.read_text("utf-8")), "circuitkb")))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise ClaimError(f"{path} cannot be read: {error.strerror}.") from None
    return _decoded(str(path), data)


def _decoded(name: str, data: bytes, most: int = MOST_BYTES) -> str:
    if len(data) > most:
        raise ClaimError(f"{name} is larger than {most >> 20} MiB: split it.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ClaimError(f"{name} cannot be read: {reason_of(error)}.") from None


def _completed(lines: Iterator[Line], author: str) -> Iterator[Line]:
    """Give lines with what every file leaves out: schema, who, when and under which licence."""
    for line in lines:
        if isinstance(line.record, dict):
            usual = {
                "schema": SCHEMA,
                "author": {"id": author, "type": "human"},
                "created": now()[:10],
                "license": "NOASSERTION",
            }
            line = Line(line.file, line.number, usual | line.record, line.problem)
        yield line


def _json_lines(name: str, text: str) -> Iterator[Line]:
    for number, one in enumerate(text.splitlines(), 1):
        if one.strip():
            try:
                yield Line(name, number, read_json(one))
            except JsonError as error:
                yield Line(name, number, None, str(error))


def _yaml(name: str, text: str) -> Iterator[Line]:
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise ClaimError(
                    f"{name}:{event.start_mark.line + 1}: no anchors and aliases stand in claims."
                )
        document = yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or "nested too deep"
        raise ClaimError(f"{name}{where}: it is no YAML: {reason}.") from None
    defaults: dict[str, Any] = {}
    if isinstance(document, yaml.MappingNode):
        parts = {key.value: value for key, value in document.value}
        if set(parts) - {"defaults", "claims"} or "claims" not in parts:
            raise ClaimError(f"{name}: a list of claims, or an object with 'claims', is expected.")
        if "defaults" in parts:
            given = _value(parts["defaults"])
            if not isinstance(given, dict):
                raise ClaimError(f"{name}: 'defaults' is an object with names and values.")
            defaults = given
        document = parts["claims"]
    if not isinstance(document, yaml.SequenceNode):
        raise ClaimError(f"{name}: a list of claims is expected.")
    for node in document.value:
        number = node.start_mark.line + 1
        try:
            record = _value(node)
        except (JsonError, yaml.YAMLError, ValueError, TypeError) as error:
            yield Line(name, number, None, str(getattr(error, "problem", None) or error))
        else:
            whole = defaults | record if isinstance(record, dict) else record
            yield Line(name, number, whole)


def _value(node: yaml.Node) -> Any:
    """Return what a node says, as JSON would: dates are text, and no key stands twice."""
    made = _Constructor("")
    try:
        value = made.construct_document(node)
    finally:
        made.dispose()
    return read_json(json.dumps(value, allow_nan=False))


class _Constructor(yaml.SafeLoader):  # type: ignore[misc]
    """Makes plain values: no dates, no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise JsonError(f"the key {twice!r} stands twice in one object")
        found: dict[Any, Any] = super().construct_mapping(node, deep=True)
        return found


_Constructor.add_constructor(
    "tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node)
)


def _bundle(path: Path, author: str) -> ClaimFile:
    try:
        with zipfile.ZipFile(path) as bundle:
            texts = {
                name: _decoded(f"{path}/{name}", _unpacked(bundle, name, most), most)
                for name, most in _LIMITS.items()
                if name != PROOFS or PROOFS in bundle.namelist()
            }
    except (OSError, zipfile.BadZipFile, KeyError, RuntimeError):
        raise ClaimError(
            f"{path} is no bundle of claims: circuitkb claim export --format bundle writes one."
        ) from None
    trials, standings, proofs = (
        list(_json_lines(name, texts.get(name, ""))) for name in (TRIALS, STANDINGS, PROOFS)
    )
    for line in (*trials, *standings, *proofs):
        if not isinstance(line.record, dict):
            raise ClaimError(f"{path}/{line.place}: {line.problem or 'an object is expected'}.")
    return ClaimFile(
        tuple(_completed(_json_lines(f"{path}/{CLAIMS}", texts[CLAIMS]), author)),
        tuple(line.record for line in trials),
        {str(line.record.get("claim")): line.record for line in standings},
        tuple(line.record for line in proofs),
    )


def _unpacked(bundle: zipfile.ZipFile, name: str, most: int) -> bytes:
    with bundle.open(name) as stream:
        return stream.read(most + 1)
