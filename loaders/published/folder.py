"""Where a folder of published circuits lies, and its files as text, JSON and checked records."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import PublishedDataError, UnknownSourceError

LARGEST = 2**28
"""Bytes that a file may have; the largest that is published has two million."""


def packaged() -> list[str]:
    """Return the names of the published sets that come with the package.

    Examples
    --------
    >>> packaged()
    ['inceptionv1']
    """
    root = files("circuitkb.loaders.published").joinpath("resources")
    return sorted(
        item.name for item in root.iterdir() if item.joinpath("layer_sizes.json").is_file()
    )


def find_folder(source: str) -> Traversable:
    """Return the folder that ``published:NAME`` or ``published:DIR`` names.

    Raises :class:`UnknownSourceError` with near names.
    """
    prefix, _, place = source.partition(":")
    if prefix != "published" or not place:
        raise UnknownSourceError(
            f"{source!r} names no published circuits: write published:NAME or published:DIR."
        )
    known = packaged()
    if place in known:
        return files("circuitkb.loaders.published").joinpath("resources", place)
    path = Path(place).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise UnknownSourceError(f"{source!r}: {place} is a file; name the folder that it is in.")
    raise UnknownSourceError(
        f"{source!r} is neither a packaged set nor a folder.{did_you_mean(place, known)}"
    )


def read_text(folder: Traversable, name: str) -> str | None:
    """Return the text of a file in the folder, or None where it has none of that name."""
    item = folder.joinpath(name)
    if not item.is_file():
        return None
    try:
        with item.open("rb") as stream:
            content = stream.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise PublishedDataError(f"{name} has more than {LARGEST:,} bytes.")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PublishedDataError(f"{name}: byte {error.start} is not UTF-8.") from None
    except OSError as error:
        raise PublishedDataError(f"{name}: {error.strerror or error}.") from None


def parse_json(text: str, name: str) -> Any:
    """Return the value of a JSON text; an error names the file ``name``, line and column."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = _first_repeated(key for key, _ in pairs)
            raise PublishedDataError(f"{name}: the key {twice!r} stands twice in one object.")
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise PublishedDataError(
            f"{name}, line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None
    except RecursionError:
        raise PublishedDataError(f"{name}: nested too deeply.") from None


def _first_repeated(keys: Iterable[str]) -> str:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    raise ValueError("no key is repeated")


_R = TypeVar("_R", bound=BaseModel)


def check(kind: type[_R], value: Any, name: str, within: str = "") -> _R:
    """Return ``value`` as a record of ``kind``; an error names file, place and reason.

    ``within`` is the place of ``value`` in its file, where it is a part of it.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = within + "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]
        )
        more = error.error_count() - 1
        raise PublishedDataError(
            f"{name}{', ' if place else ''}{place.lstrip('.')}: {first['msg']}"
            f"{f' (and {more} more)' if more else ''}."
        ) from None


def last_changed(folder: Traversable) -> str:
    """Return the day that the newest file was changed; the same for every load of one folder."""
    times = [
        item.stat().st_mtime
        for item in folder.iterdir()
        if isinstance(item, Path) and item.suffix in (".json", ".csv")
    ]
    return datetime.fromtimestamp(max(times, default=0), UTC).date().isoformat()
