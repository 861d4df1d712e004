"""A release: a folder of Parquet that says what it is, whose it is, and that it is whole.

::

    NAME-VERSION/
    ├── release.json       name, version, networks, licences; size and sha256 of every file of data
    ├── CITATION.cff       how to cite it, by the hash of release.json
    ├── croissant.json     the same for programs that load data sets
    ├── SHA256SUMS         the hash of every file but itself, as sha256sum writes them
    ├── circuitkb.json, nodes/, relations/, kernels/, responses/   as `export parquet` writes them
    └── atlas/             pages for a browser

It is made beside its place and takes it in one step; what stands there is never changed. The same
knowledge base gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from circuitkb.loaders.sources.kinds.exported import ABOUT, RELEASE
from circuitkb.moving.files.folder import whole_folder
from circuitkb.moving.files.parquet_folder import write_parquet
from circuitkb.moving.files.pieces import pieces_of
from circuitkb.moving.releases.citation import CITATION, citation
from circuitkb.moving.releases.contained import UNLICENSED, Contained
from circuitkb.moving.releases.croissant import croissant
from circuitkb.moving.releases.hashes import write_sums
from circuitkb.results.result import Result
from circuitkb.results.text import to_json
from circuitkb.schema.definition import FORMAT_VERSION
from circuitkb.schema.errors import ReleaseError
from circuitkb.schema.progress import Progress, within
from circuitkb.schema.provenance import tool
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

FORMAT, VERSION = "circuitkb-release", 1
ATLAS = "atlas"

Pages = Callable[[Path, Progress], object]
"""Writes pages into a folder."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_OWN = re.compile(rf"{re.escape(RELEASE)}|CITATION\.cff|croissant\.json|SHA256SUMS|{ATLAS}/.+")
_DATA = 0.4
"""Share of the work that the data are; pages take the rest."""


@dataclass(frozen=True)
class ReleaseReport:
    """What was released.

    Attributes
    ----------
    name, version, id
        What it is called, and the hash that names its data.
    folder
        Where it is, as an absolute path.
    counts
        Rows by label and relation.
    files, bytes
        Files in the folder, and their size.
    seconds
        How long it took.
    notes
        What a reader must know, one sentence each.
    """

    name: str
    version: str
    id: str
    folder: Path
    counts: dict[str, int]
    files: int
    bytes: int
    seconds: float
    notes: tuple[str, ...] = ()

    def to_result(self) -> Result:
        """Return a row for each label and relation that has any."""
        rows = tuple((kind, count) for kind, count in self.counts.items() if count)
        return Result(("kind", "rows"), rows, seconds=self.seconds, notes=self.notes)

    @property
    def message(self) -> str:
        """One line that says it."""
        return (
            f"{self.folder}: {self.name} {self.version}, {self.files:,} files, "
            f"{self.bytes / 1e6:,.1f} MB, {self.id}"
        )


def release(
    store: Store,
    name: str,
    *,
    output: Path | None,
    version: str,
    models: Sequence[str] | None,
    authors: Sequence[str],
    license: str | None,
    with_unlicensed: bool,
    pages: Pages | None,
    progress: Progress,
) -> ReleaseReport:
    """Write a release; see :meth:`circuitkb.kb.knowledge_base.KnowledgeBase.release`."""
    start = perf_counter()
    _check(name, version, license)
    place = (output or Path(f"{name}-{version}")).expanduser()
    check_absent(place)
    target = place.resolve()
    if models is not None:
        known_names.check_models(store, models)
        models = list(dict.fromkeys(models))
    contained = Contained()
    data, beside = within(progress, 0.0, _DATA if pages else 1.0), within(progress, _DATA, 1.0)
    with whole_folder(target, force=False, own=_OWN) as folder:
        pieces = contained.passing(pieces_of(store, models, data), with_unlicensed=with_unlicensed)
        counts = write_parquet(pieces, folder, data, ordered=True)
        if pages is not None:
            pages(folder / ATLAS, beside)
        id = _describe(folder, name, version, license, authors, contained, counts)
        check_absent(target)
    sizes = [path.stat().st_size for path in target.rglob("*") if path.is_file()]
    progress("released", 1.0)
    seconds = perf_counter() - start
    notes = tuple(
        f"{model['id']}: nobody said under which licence its weights are."
        for model in contained.models
        if (model["license"] or UNLICENSED) == UNLICENSED
    )
    return ReleaseReport(name, version, id, target, counts, len(sizes), sum(sizes), seconds, notes)


def check_absent(target: Path) -> None:
    """Refuse to write where anything stands: a release is never changed.

    Raises
    ------
    ReleaseError
        Something is there.
    """
    if target.exists() or target.is_symlink():
        raise ReleaseError(
            f"{target} is there already, and a release is never changed: give another --version, "
            "or --output."
        )


def _check(name: str, version: str, license: str | None) -> None:
    for what, text in (("name", name), ("version", version)):
        if not _NAME.fullmatch(text):
            raise ReleaseError(
                f"{text!r} is no {what} of a release: letters, digits, '.', '_' and '-', as in "
                "zoo-2026."
            )
    if license is not None and not _LICENSE.fullmatch(license):
        raise ReleaseError(f"{license!r} is no licence of the SPDX list, as CC-BY-4.0 is one.")


def _describe(
    folder: Path,
    name: str,
    version: str,
    license: str | None,
    authors: Sequence[str],
    contained: Contained,
    counts: dict[str, int],
) -> str:
    """Write what a release says of itself; return the hash that names it."""
    about = json.loads((folder / ABOUT).read_text("utf-8"))
    known = {path: entry["sha256"] for path, entry in about["files"].items()}
    sums = write_sums(folder, known)
    files = {
        path: {"bytes": (folder / path).stat().st_size, "sha256": digest}
        for path, digest in sums.items()
    }
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "release": version,
        "made_by": tool(),
        "schema_version": FORMAT_VERSION,
        "changed": contained.changed,
        "license": license or UNLICENSED,
        "authors": list(authors),
        "models": sorted(contained.models, key=lambda model: str(model["id"])),
        "annotations": dict(sorted(contained.annotations.items())),
        "pictures": dict(sorted(contained.pictures.items())),
        "rows": {kind: count for kind, count in counts.items() if count},
        "files": files,
    }
    text = to_json(manifest, indent=2) + "\n"
    id = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    cited = citation(
        name,
        models=manifest["models"],
        authors=authors,
        version=version,
        identifier=id,
        license=license,
        released=contained.changed,
    )
    networks = ", ".join(str(model["id"]) for model in manifest["models"])
    metadata = croissant(
        name,
        version=version,
        identifier=id,
        description=f"The circuits of {networks or 'no network'} as a graph: features, signed "
        "spatial weights, labels, evidence with nulls, and trials.",
        cited=cited,
        authors=authors or (f"The authors of {name}",),
        licenses=tuple(dict.fromkeys([*([license] if license else []), *contained.licenses])),
        published=contained.changed,
        files={path: entry for path, entry in files.items() if not path.startswith(ATLAS)},
    )
    for path, content in (
        (RELEASE, text),
        (CITATION, cited),
        ("croissant.json", to_json(metadata, indent=2) + "\n"),
    ):
        (folder / path).write_text(content, encoding="utf-8", newline="\n")
    write_sums(folder, sums)
    return id
