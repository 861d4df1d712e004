"""Bundles: records with where they come from, under which licences, and checksums, in one zip.

:mod:`circuitkb.loaders.annotation_formats.bundle` reads them.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from circuitkb.annotations.sharing.stored_records import Selection, StoredRecord
from circuitkb.loaders.annotation_formats.bundle import (
    BUNDLE,
    CHECKSUMS,
    LICENSES,
    PROVENANCE,
    README,
    RECORDS,
)
from circuitkb.loaders.annotation_formats.checking import units_of
from circuitkb.schema.records import Record, date_order
from circuitkb.stores.base import Store

_FIRST_DATE = (1980, 1, 1, 0, 0, 0)
_PIECE = 1 << 20


@dataclass
class _Contents:
    """What a bundle says of its records."""

    records: int = 0
    created: str | None = None
    kinds: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    licenses: dict[str, Counter[str]] = field(default_factory=dict)
    authors: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: dict[str, set[str]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        self.records += 1
        self.kinds[record["kind"]] += 1
        self.models.update({unit["model"] for _, unit in units_of(record["target"])})
        author, license = record["author"], record["license"]
        self.licenses.setdefault(license, Counter())[author["id"]] += 1
        self.sources.setdefault(license, set()).add(record["source"]["uri"])
        known = self.authors.get(author["id"], {})
        if len(author.get("name", "")) >= len(known.get("name", "")):
            self.authors[author["id"]] = known | author
        created = record["created"]
        if self.created is None or date_order(created) > date_order(self.created):
            self.created = created


def write_bundle(
    store: Store, file: Path, selection: Selection, records: Iterator[StoredRecord]
) -> None:
    """Write a bundle of records.

    The same records of the same models, chosen in the same way, give the same bytes with the same
    version of this program and of zlib: the bundle's date is that of its newest record.

    Parameters
    ----------
    store
        Where the records come from: the bundle says which models it had.
    file
        The zip.
    selection
        How the records were chosen: the bundle says so.
    records
        The records.
    """
    contents = _Contents()
    with tempfile.TemporaryDirectory(prefix="circuitkb-bundle-") as folder:
        lines = Path(folder) / RECORDS
        with lines.open("w", encoding="utf-8", newline="\n") as stream:
            for item in records:
                stream.write(f"{item.text}\n")
                contents.add(item.record)
        texts = {
            README: _readme(contents),
            LICENSES: _pretty(_licenses(contents)),
            PROVENANCE: _pretty(_provenance(store, selection, contents)),
        }
        sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
        with lines.open("rb") as stream_of_bytes:
            sums[RECORDS] = hashlib.file_digest(stream_of_bytes, "sha256").hexdigest()
        texts[CHECKSUMS] = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
        with zipfile.ZipFile(file, "w") as bundle:
            for name, text in texts.items():
                bundle.writestr(_entry(name), text)
            with (
                lines.open("rb") as source,
                bundle.open(_entry(RECORDS), "w", force_zip64=True) as target,
            ):
                while piece := source.read(_PIECE):
                    target.write(piece)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _FIRST_DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, on every system
    entry.external_attr = 0o644 << 16
    return entry


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _licenses(contents: _Contents) -> list[dict[str, Any]]:
    """Return each licence with its records, whom to name for them, and where they stand."""
    return [
        {
            "license": license,
            "records": sum(authors.values()),
            "authors": [{**contents.authors[id], "records": authors[id]} for id in sorted(authors)],
            "sources": sorted(contents.sources[license]),
        }
        for license, authors in sorted(contents.licenses.items())
    ]


def _provenance(store: Store, selection: Selection, contents: _Contents) -> dict[str, Any]:
    return {
        "format": BUNDLE,
        "tool": f"circuitkb {version('circuitkb')}",
        "created": contents.created,
        "records": contents.records,
        "kinds": dict(sorted(contents.kinds.items())),
        "selection": asdict(selection),
        "models": list(_models(store, contents)),
    }


def _models(store: Store, contents: _Contents) -> Iterator[dict[str, Any]]:
    """Give each model that the records name, as the store has it."""
    cypher = (
        "MATCH (m:Model) RETURN m.id AS id, m.fingerprint AS fingerprint, m.source AS source, "
        "m.license AS license, m.attribution AS attribution ORDER BY id"
    )
    here = {row[0]: row[1:] for row in store.read(cypher, limit=None).rows}
    for name, records in sorted(contents.models.items()):
        known = zip(
            ("fingerprint", "source", "license", "attribution"), here.get(name, ()), strict=False
        )
        yield {"model": name, "records": records} | {key: value for key, value in known if value}


def _readme(contents: _Contents) -> str:
    licenses = "\n".join(
        f"- {license}: {sum(authors.values()):,}"
        for license, authors in sorted(contents.licenses.items())
    )
    return f"""# Annotations of neural networks

{contents.records:,} records, written by circuitkb. To take them into a knowledge base:

    circuitkb annotate import BUNDLE.zip

Every record keeps its author, and its licence is the one that it names:

{licenses}

- {RECORDS}: one record a line, as JSON
- {PROVENANCE}: the models that the records speak of, and how the records were chosen
- {LICENSES}: each licence, whom to name for it, and where it stands
- {CHECKSUMS}: sha256 of every file; `sha256sum -c {CHECKSUMS}` holds them against it
"""
