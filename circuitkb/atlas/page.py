"""A page: what it says, before it is HTML, JSON or CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from circuitkb.results.pictures.figure import Figure
from circuitkb.results.result import Result


@dataclass(frozen=True)
class Table:
    """Rows on a page.

    Attributes
    ----------
    title, result
        What they are, and the rows.
    note
        What a reader must know about them.
    columns
        What a page shows of them, in order; JSON and CSV have all.
    pictures
        SVG for each row; empty where none has one.
    """

    title: str
    result: Result
    note: str = ""
    columns: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Image:
    """A picture that has an address of its own.

    Attributes
    ----------
    address
        Without its ending, ``.png``.
    caption
        What it shows.
    frame
        Where a frame is drawn over it: top, left, bottom and right as shares of its sides.
    """

    address: str
    caption: str
    frame: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Gallery:
    """Small pictures in a row.

    Attributes
    ----------
    title, images
        What stands above them, and they.
    note
        What a reader must know about them.
    large
        Whether they are shown twice as large, each pixel of theirs with its edges.
    whole
        Whether they are shown as large as they are: diagrams, not images.
    """

    title: str
    images: tuple[Image, ...]
    note: str = ""
    large: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Field:
    """One value that a form asks for.

    Attributes
    ----------
    name, label
        As the link has it, and as a reader sees it.
    value
        What was given.
    choices
        What may be given; empty if anything may.
    lines
        Above one, how high the field is.
    wanted
        Whether it may not stay empty.
    """

    name: str
    label: str
    value: str = ""
    choices: tuple[str, ...] = ()
    lines: int = 1
    wanted: bool = False


@dataclass(frozen=True)
class Way:
    """A link from a page to the next one.

    Attributes
    ----------
    said
        What stands there.
    address, query
        Where it leads; only a server has what is asked with a query.
    """

    said: str
    address: str
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawing:
    """What a script of ours draws on a page; without scripts the page has its text.

    Attributes
    ----------
    script
        Name of a module among the static files.
    given
        JSON that it reads.
    libraries
        Names of static files that it needs.
    """

    script: str
    given: str
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Act:
    """A form that writes.

    Attributes
    ----------
    title
        What it is about.
    address
        Where it is sent.
    fields, hidden
        What is asked for, and what is sent beside it.
    buttons
        What each says, and what it stands for.
    """

    title: str
    address: str
    fields: tuple[Field, ...]
    hidden: Mapping[str, str]
    buttons: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Page:
    """What one page says.

    Attributes
    ----------
    title
        What it is about.
    address
        Where it is, relative to the first page, without an ending.
    lead
        What a reader must know first, a sentence each.
    kind
        ``feature``, ``circuit``, ...: printed small above the title.
    facts
        Values with their names.
    figures
        Pictures, in order.
    galleries
        Small pictures, in order.
    tables
        In order.
    acts
        What can be written here, where anything can.
    form
        What can be asked here; answers come as another page at the same address.
    form_shown
        How many fields of the form are seen at once; the others open.
    query
        What is given to the form, as it stands in the link.
    ways
        Links to what can be asked next.
    drawing
        What a script draws, below the form.
    labelled
        The feature that its forms are about, where labels are taken.
    """

    title: str
    address: str
    lead: tuple[str, ...] = ()
    kind: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    galleries: tuple[Gallery, ...] = ()
    tables: tuple[Table, ...] = ()
    acts: tuple[Act, ...] = ()
    form: tuple[Field, ...] = ()
    form_shown: int = 4
    query: Mapping[str, str] = field(default_factory=dict)
    ways: tuple[Way, ...] = ()
    drawing: Drawing | None = None
    labelled: str = ""

    @property
    def pictures(self) -> tuple[str, ...]:
        """All pictures as SVG: figures, and those beside rows, in order."""
        beside = (svg for table in self.tables for svg in table.pictures if svg)
        return (*(figure.svg for figure in self.figures if figure.svg), *beside)

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries and lists, whole: what the page leaves out is there."""
        return {
            "title": self.title,
            "kind": self.kind,
            "lead": list(self.lead),
            "facts": dict(self.facts),
            "images": [
                {"of": gallery.title, "address": image.address, "caption": image.caption}
                for gallery in self.galleries
                for image in gallery.images
            ],
            "tables": [
                {
                    "title": table.title,
                    "note": table.note,
                    "truncated": table.result.truncated,
                    "rows": table.result.to_dicts(),
                }
                for table in self.tables
            ],
        }
