"""A SOURCE that is a folder which ``export parquet`` or ``release`` wrote: all that is in it."""

from __future__ import annotations

from pathlib import Path

from circuitkb.loaders.sources.loadable import ExportedFolder
from circuitkb.loaders.sources.source import OpenOptions, Source, SourceKind, path_of
from circuitkb.schema.errors import SourceError, UnknownSourceError

ABOUT = "circuitkb.json"
"""The file that makes a folder an export of ours."""

RELEASE = "release.json"
"""The file that makes an export a release."""


def _takes(text: str) -> Source | None:
    folder = path_of(text)
    if not folder.is_dir():
        return None
    if (folder / "store.json").is_file():
        raise UnknownSourceError(
            f"{text} is a knowledge base, no source. To copy all of it: circuitkb pull {text}"
        )
    ours = any((folder / name).is_file() for name in (ABOUT, RELEASE))
    return Source(text, "exported", str(folder)) if ours else None


def _open(source: Source, options: OpenOptions) -> ExportedFolder:
    if options != OpenOptions():
        raise SourceError(
            f"{source.text} names its models itself: --name, --arch and --shape go with one "
            "network."
        )
    return ExportedFolder(Path(source.name))


KIND = SourceKind(
    "exported",
    "a folder that export parquet or release wrote",
    _takes,
    _open,
    is_path=True,
    is_network=False,
)
