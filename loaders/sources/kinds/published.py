"""A SOURCE that is published circuits: ``published:inceptionv1``, or ``published:DIR``."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from circuitkb.loaders.sources.loadable import KEEP, Loadable
from circuitkb.loaders.sources.source import OpenOptions, Source, SourceKind, path_of
from circuitkb.schema.errors import SourceError
from circuitkb.schema.progress import Progress, silent

if TYPE_CHECKING:
    from circuitkb.schema.tables import GraphRows

PACKAGED = "published:inceptionv1"
"""The published circuits that ship with the package."""


class _Publication:
    def __init__(self, rows: GraphRows, started: float) -> None:
        model = rows.nodes["Model"].to_pylist()[0]
        self._rows = rows
        self._source: str = model["source"]
        self._started = started
        self.name: str = model["id"]
        self.fingerprint: str = model["fingerprint"]
        self.computation: str | None = model["computation"]
        self.notes: tuple[str, ...] = ()

    def layers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._rows.nodes["Layer"].to_pylist()
        return found

    def rows(self, keep: int = KEEP, progress: Progress = silent) -> GraphRows:
        from circuitkb.schema.provenance import load_provenance

        provenance = load_provenance(
            model=self.name,
            source=self._source,
            fingerprint=self.fingerprint,
            started=self._started,
            counts=self._rows.counts(),
        )
        progress("Reading published circuits", 1.0)
        return replace(self._rows, nodes={**self._rows.nodes, "Import": provenance})


def _takes(text: str) -> Source | None:
    prefix, colon, place = text.partition(":")
    return Source(text, "published", place) if colon and prefix == "published" else None


def _open(source: Source, options: OpenOptions) -> Loadable:
    from circuitkb.loaders.published.rows import published_rows

    started = time.perf_counter()
    if options.architecture is not None:
        raise SourceError(f"{source.text!r} has no weights: --arch goes only with a checkpoint.")
    return _Publication(published_rows(source.text, name=options.name), started)


def _advise(text: str) -> str | None:
    if not path_of(text).is_dir():
        return None
    return (
        f"{text!r} is a folder. If it holds published circuits, load published:{text}; "
        "for weights name the file."
    )


KIND = SourceKind(
    "published",
    f"{PACKAGED}, published:DIR",
    _takes,
    _open,
    is_network=False,
    names=lambda: (PACKAGED,),
    advise=_advise,
)
