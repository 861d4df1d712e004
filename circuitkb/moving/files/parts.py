"""What one job of a batch system loaded, as a folder; all of them together go into a store.

::

    PART/
    ├── circuitkb.json       which shard of which sources; models; sha256 of every file
    └── PLACE/               the rows of one of the sources, as workers hand them over

Sources are dealt out in turn: shard 3/40 has the third, the 43rd, ...
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from circuitkb.loaders.sources.kinds.exported import ABOUT
from circuitkb.moving.files.about import FileRecord, check_files, check_names, described
from circuitkb.moving.files.folder import checksum, read_about, whole_folder, write_about
from circuitkb.schema.definition import FORMAT_VERSION
from circuitkb.schema.errors import SourceError, StoreVersionError
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.provenance import tool
from circuitkb.schema.tables import GraphRows, Relations
from circuitkb.stores.model_identity import Identity
from circuitkb.stores.stored_graph import StoredGraph
from circuitkb.workers.handing_over import rows_in, save_rows

FORMAT = "circuitkb-part"
VERSION = 1

_SHARD = re.compile(r"(\d{1,6})/(\d{1,6})")
_PLACE = re.compile(
    r"\d+/(?:rows\.json|\d+\.arrow|(?:kernels|responses|pictures)/[a-z0-9][a-z0-9._-]{0,127}\.safetensors)"
)
_STRICT = ConfigDict(strict=True, frozen=True)


class Shard(BaseModel):
    """One of several jobs.

    Examples
    --------
    >>> Shard.parse("2/3").places(7)
    [1, 4]
    >>> Shard.parse("4/3")
    Traceback (most recent call last):
    circuitkb.schema.errors.SourceError: --shard is '4/3': write 3/40 for the third of forty.
    """

    model_config = _STRICT

    number: Annotated[int, Field(ge=1)]
    of: Annotated[int, Field(ge=1)]

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``3/40``."""
        found = _SHARD.fullmatch(text)
        number, of = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= of:
            raise SourceError(f"--shard is {text!r}: write 3/40 for the third of forty.")
        return cls(number=number, of=of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def places(self, count: int) -> list[int]:
        """Return which of so many sources it has, from 0."""
        return list(range(self.number - 1, count, self.of))


class Model(BaseModel):
    """A model of a part."""

    model_config = _STRICT

    place: Annotated[int, Field(ge=0)]
    name: str
    fingerprint: str
    computation: str | None
    notes: list[str]

    @property
    def identity(self) -> Identity:
        """Who it is."""
        return Identity(self.fingerprint, self.computation)


class Part(BaseModel):
    """``circuitkb.json`` of a part."""

    model_config = _STRICT

    format: Literal["circuitkb-part"] = "circuitkb-part"
    version: int = VERSION
    schema_version: int = FORMAT_VERSION
    made_by: str
    shard: Shard
    sources: list[str]
    settings: dict[str, Any]
    models: list[Model]
    files: dict[str, FileRecord]


def is_part(source: str) -> bool:
    """Return whether a folder says that it is a part."""
    return read_about(Path(source).expanduser()).get("format") == FORMAT


def write_part(
    folder: Path,
    shard: Shard,
    sources: Sequence[str],
    settings: dict[str, Any],
    done: Iterable[tuple[Model, GraphRows]],
) -> None:
    """Write a part whole or not at all; the same part, written before, gives way."""
    models = []
    with whole_folder(folder, force=is_part(str(folder))) as unfinished:
        for model, rows in done:
            place = unfinished / str(model.place)
            place.mkdir()
            save_rows(rows, place)
            models.append(model)
        files = {
            path.relative_to(unfinished).as_posix(): FileRecord(
                bytes=path.stat().st_size, sha256=checksum(path)
            )
            for path in sorted(unfinished.rglob("*"))
            if path.is_file()
        }
        about = Part(
            made_by=tool(),
            shard=shard,
            sources=list(sources),
            settings=settings,
            models=models,
            files=files,
        )
        write_about(unfinished, about.model_dump())


def read_parts(folders: Sequence[Path], progress: Progress = silent) -> list[tuple[Model, Path]]:
    """Return the models of all parts in the order of their sources, each with its folder.

    Raises
    ------
    SourceError
        Parts overlap, repeat or are missing, or a file is not what was written.
    StoreVersionError
        Another version wrote one.
    """
    parts = {folder: _read(folder) for folder in folders}
    _check_together(folders, parts)
    for folder, part in parts.items():
        check_files(folder, part.files, progress)
    found = [
        (model, folder / str(model.place))
        for folder, part in parts.items()
        for model in part.models
    ]
    return sorted(found, key=lambda item: item[0].place)


def _read(folder: Path) -> Part:
    raw = read_about(folder)
    if (raw.get("version"), raw.get("schema_version")) != (VERSION, FORMAT_VERSION):
        raise StoreVersionError(
            f"{folder} was written by {raw.get('made_by')}, in another version of the layout: "
            "make the part again."
        )
    part = described(Part, raw, folder)
    check_names(folder, part.files, _PLACE)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if strange := sorted(there - {ABOUT, *part.files}):
        raise SourceError(
            f"{folder / strange[0]} is no file of this part: take it away, or make the part again."
        )
    if [model.place for model in part.models] != part.shard.places(len(part.sources)):
        raise SourceError(f"{folder} does not hold the models of shard {part.shard}.")
    return part


def _check_together(folders: Sequence[Path], parts: dict[Path, Part]) -> None:
    """Refuse parts that are not, together, all of one load, each once."""
    first, *others = folders
    one = parts[first]
    by_number: dict[int, Path] = {}
    for folder in folders:
        part = parts[folder]
        if part.shard.number in by_number and part.shard.of == one.shard.of:
            raise SourceError(
                f"Shard {part.shard} stands twice: {by_number[part.shard.number]} and {folder}."
            )
        by_number[part.shard.number] = folder
    for folder in others:
        part = parts[folder]
        if part.sources == one.sources and part.shard.of != one.shard.of:
            raise SourceError(
                f"{first} is shard {one.shard} and {folder} shard {part.shard} of the same "
                "sources: they overlap. Give all parts of one of the two."
            )
        if (part.sources, part.settings) != (one.sources, one.settings):
            raise SourceError(
                f"{first} and {folder} are shards of different loads (other sources or options): "
                "load each by itself."
            )
    missing = [f"{n}/{one.shard.of}" for n in range(1, one.shard.of + 1) if n not in by_number]
    if missing:
        some = ", ".join(missing[:9]) + (", ..." if len(missing) > 9 else "")
        raise SourceError(
            f"{len(missing)} of {one.shard.of} shards are missing: {some}. Give all parts at once."
        )


class PartsMerge:
    """Models of parts as a merge: one in memory at a time, and all of them or none."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self.pieces = len(folders)
        self.counts: dict[str, int] = {}

    def rows(self, graph: StoredGraph, first: int, last: int) -> GraphRows:
        """Return the rows of models ``first`` to ``last``, the last one not included."""
        found = [rows_in(folder) for folder in self._folders[first:last]]
        nodes: dict[str, list[pa.Table]] = {}
        relations: list[Relations] = []
        for rows in found:
            for label, table in rows.nodes.items():
                nodes.setdefault(label, []).append(table)
            relations += rows.relations
        whole = GraphRows(
            {label: pa.concat_tables(tables) for label, tables in nodes.items()},
            relations,
            kernels={model: k for rows in found for model, k in rows.kernels.items()},
            responses={model: r for rows in found for model, r in rows.responses.items()},
            pictures={key: p for rows in found for key, p in rows.pictures.items()},
        )
        self.counts |= {
            kind: self.counts.get(kind, 0) * (first > 0) + count
            for kind, count in whole.counts().items()
        }
        return whole
