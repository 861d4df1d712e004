"""What ``circuitkb.json`` of a folder of Parquet says, compared with the files before a read.

A folder may come from anywhere: nothing in it is opened that the layout does not name, nothing
outside of it is ever read, and every byte is checked first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from circuitkb.loaders.sources.kinds.exported import ABOUT
from circuitkb.moving.files.folder import checksum
from circuitkb.moving.files.parquet_folder import FORMAT, VERSION
from circuitkb.schema.definition import FORMAT_VERSION, NODES, RELATIONS
from circuitkb.schema.errors import SourceError, StoreVersionError
from circuitkb.schema.progress import Progress

_LABELS = "|".join(node.label for node in NODES)
_RELATIONS = "|".join(relation.name for relation in RELATIONS)
_PLACE = re.compile(
    rf"nodes/(?:{_LABELS})\.parquet|relations/(?:{_RELATIONS})\.parquet|"
    r"(?:kernels|responses|pictures)/[a-z0-9][a-z0-9._-]{0,127}\.safetensors"
)
_LARGEST = 16_000_000

Model = TypeVar("Model", bound=BaseModel)


class FileRecord(BaseModel):
    """One file: its size, its checksum, and for a table the number of its rows."""

    model_config = ConfigDict(strict=True, frozen=True)

    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    rows: Annotated[int, Field(ge=0)] | None = None


class About(BaseModel):
    """``circuitkb.json``; what a later version adds is passed over."""

    model_config = ConfigDict(strict=True, frozen=True)

    format: Literal["circuitkb-parquet"]
    version: int
    schema_version: int
    made_by: str
    files: dict[str, FileRecord]


def checked_about(folder: Path) -> About:
    """Return what the folder says of itself.

    Raises
    ------
    SourceError
        It is no folder of Parquet, or names files that the layout does not have.
    StoreVersionError
        It has another version.
    """
    raw = _raw(folder)
    if raw.get("format") == "circuitkb-neo4j-admin":
        raise SourceError(
            f"{folder} holds the files of Neo4j's import, which its README.txt explains. To move "
            "a knowledge base to another circuitkb, write it with: circuitkb export parquet DIR"
        )
    if raw.get("format") != FORMAT:
        raise SourceError(f"{folder / ABOUT} does not say that this is a {FORMAT} folder.")
    if (raw.get("version"), raw.get("schema_version")) != (VERSION, FORMAT_VERSION):
        raise StoreVersionError(
            f"{folder} has version {raw.get('version')} of the layout and "
            f"{raw.get('schema_version')} of the graph (written by {raw.get('made_by')}); this "
            f"circuitkb reads {VERSION} and {FORMAT_VERSION}: load it with the one that wrote it."
        )
    about = described(About, raw, folder)
    check_names(folder, about.files, _PLACE)
    return about


def described(kind: type[Model], raw: dict[str, Any], folder: Path) -> Model:
    """Return what ``circuitkb.json`` says as a record; raises a SourceError where it is none."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SourceError(f"{folder / ABOUT}, {place}: {first['msg']}.") from None


def check_names(folder: Path, names: Iterable[str], place: re.Pattern[str]) -> None:
    """Raise a SourceError where a name has no place in the layout, or leads out of the folder."""
    for name in names:
        if not place.fullmatch(name):
            raise SourceError(f"{folder / ABOUT} names {name!r}, which has no place in the layout.")
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise SourceError(f"{folder / name} leads out of the folder: it was not read.")


def _raw(folder: Path) -> dict[str, Any]:
    path = folder / ABOUT
    try:
        if path.stat().st_size > _LARGEST:
            raise SourceError(f"{path} is too large to be what it should.")
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path} is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise SourceError(f"{path} is no JSON object.")
    return found


def check_files(folder: Path, files: Mapping[str, FileRecord], progress: Progress) -> None:
    """Compare every file with its size and checksum.

    Raises
    ------
    SourceError
        One is missing or is not what was written; names the first.
    """
    total = sum(record.bytes for record in files.values()) or 1
    done = 0
    for name, record in sorted(files.items()):
        progress(f"checking {name}", done / total)
        try:
            ordinary = (folder / name).is_file() or not (folder / name).exists()
            size = (folder / name).stat().st_size
            same = ordinary and size == record.bytes and checksum(folder / name) == record.sha256
        except OSError as error:
            why = error.strerror or error
            raise SourceError(f"{folder / name} cannot be read: {why}. Copy it again.") from None
        if not same:
            raise SourceError(
                f"{folder / name} is not what was exported ({size:,} bytes, {record.bytes:,} "
                "written, or another checksum): copy the folder again, or export it again."
            )
        done += record.bytes
