"""What goes into a release, seen as it passes: networks, licences, the day of the last change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from circuitkb.observation.photographs.kept import not_to_publish
from circuitkb.results.harmless_text import without_folder
from circuitkb.schema.errors import ReleaseError
from circuitkb.schema.records import RECORDED
from circuitkb.schema.tables import GraphRows

UNLICENSED = "NOASSERTION"

_PLACES = {"Model": ("source", "architecture"), "Import": ("source",)}
"""Properties that may say where a file lay on the machine that read it."""

_MODEL = ("id", "source", "fingerprint", "license", "attribution")


@dataclass
class Contained:
    """Tallies of pieces of an export.

    Attributes
    ----------
    models
        Id, source, fingerprint, licence and attribution of each.
    annotations
        How many there are under each licence.
    pictures
        Observations of pictures under each.
    changed
        The day of the last import, in ISO 8601; empty if there is none.
    """

    models: list[dict[str, Any]] = field(default_factory=list)
    annotations: Counter[str] = field(default_factory=Counter)
    pictures: Counter[str] = field(default_factory=Counter)
    changed: str = ""

    def passing(self, pieces: Iterable[GraphRows], *, with_unlicensed: bool) -> Iterator[GraphRows]:
        """Give the pieces, without the folders of the machine that they were read on.

        Raises
        ------
        ReleaseError
            An annotation has no licence, or a picture, and those are not asked for.
        """
        for piece in pieces:
            nodes = {label: _without_folders(label, t) for label, t in piece.nodes.items()}
            if "Model" in nodes:
                self.models += nodes["Model"].select(_MODEL).to_pylist()
            if "Import" in nodes:
                days = (str(day)[:10] for day in nodes["Import"]["created"].to_pylist() if day)
                self.changed = max([self.changed, *days])
            for label in nodes.keys() & set(RECORDED):
                table = nodes[label]
                given = [license or UNLICENSED for license in table["license"].to_pylist()]
                if UNLICENSED in given and not with_unlicensed:
                    which = table["id"][given.index(UNLICENSED)]
                    raise ReleaseError(
                        f"{label}s have no licence, {which} for one, and a release is made to "
                        "be published. Ask their authors, or say --with-unlicensed."
                    )
                if label == "Annotation":
                    self.annotations.update(given)
            for batch in piece.pictures.values():
                if not with_unlicensed and (said := not_to_publish(batch)):
                    raise ReleaseError(said)
                if license := batch.about.get("license"):
                    self.pictures[license] += 1
            yield replace(piece, nodes=nodes)

    @property
    def licenses(self) -> tuple[str, ...]:
        """All licences, in order; not those that nobody gave."""
        found = {model["license"] for model in self.models} | {*self.annotations, *self.pictures}
        return tuple(sorted(found - {None, UNLICENSED}))


def _without_folders(label: str, table: pa.Table) -> pa.Table:
    for name in _PLACES.get(label, ()):
        texts = table[name].to_pylist()
        short = [text if text is None else without_folder(text) for text in texts]
        if short != texts:
            column = pa.array(short, table.schema.field(name).type)
            table = table.set_column(
                table.schema.get_field_index(name), table.schema.field(name), column
            )
    return table
