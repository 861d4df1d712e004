"""How to cite data, as ``CITATION.cff``: what GitHub, Zenodo and Zotero read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from circuitkb.results.harmless_text import for_terminal
from circuitkb.schema.provenance import tool

CITATION = "CITATION.cff"


def citation(
    title: str,
    *,
    models: Iterable[Mapping[str, Any]],
    authors: Sequence[str] = (),
    version: str = "",
    identifier: str = "",
    license: str | None = None,
    released: str = "",
) -> str:
    """Return a file in the Citation File Format, 1.2.0, that names the networks and circuitkb too.

    Parameters
    ----------
    models
        Each with ``id``, ``source``, ``license`` and ``attribution``.
    authors
        Whose data these are; without any, those of the title.
    identifier
        The hash of the data.
    released
        A day, in ISO 8601.

    Examples
    --------
    >>> text = citation("zoo", models=[{"id": "net", "license": "MIT", "attribution": "Ada"}])
    >>> "title: \\"zoo\\"" in text, "licence MIT" in text
    (True, True)
    """
    program, _, number = tool().partition(" ")
    lines = [
        "cff-version: 1.2.0",
        "type: dataset",
        _line("title", title),
        _line("message", "Cite these data, the networks they are about, and circuitkb."),
        "authors:",
        *(f"  - {_line('name', name)}" for name in authors or (f"The authors of {title}",)),
    ]
    if version:
        lines.append(_line("version", version))
    if released:
        lines.append(_line("date-released", released))
    if license:
        lines.append(_line("license", license))
    if identifier:
        lines += [
            "identifiers:",
            "  - type: other",
            f"    {_line('value', identifier)}",
            f"    {_line('description', 'The hash of release.json, which has those of all data.')}",
        ]
    lines += [
        "references:",
        "  - type: software",
        f"    {_line('title', program)}",
        f"    {_line('version', number)}",
        "    authors:",
        f"      - {_line('name', 'The circuitkb authors')}",
    ]
    for model in models:
        named = model.get("attribution") or model.get("source") or model["id"]
        lines += [
            "  - type: data",
            f"    {_line('title', model['id'])}",
            "    authors:",
            f"      - {_line('name', named)}",
            f"    {_line('notes', _notes(model))}",
        ]
    return "\n".join([*lines, ""])


def _notes(model: Mapping[str, Any]) -> str:
    known = {
        "licence": model.get("license"),
        "source": model.get("source"),
        "sha256": model.get("fingerprint"),
    }
    return ", ".join(f"{name} {value}" for name, value in known.items() if value)


def _line(name: str, value: object) -> str:
    """Return a line of YAML; texts of JSON are texts of YAML."""
    return f"{name}: {json.dumps(for_terminal(str(value)), ensure_ascii=False)}"
