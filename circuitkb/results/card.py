"""What is known of one thing, as facts and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from circuitkb.results.result import Result
from circuitkb.results.text import show, to_json

if TYPE_CHECKING:
    from rich.console import Group

    from circuitkb.results.pictures.figure import Figure


@dataclass(frozen=True)
class Section:
    """A table on a card.

    Attributes
    ----------
    title, result
        What it is, and its rows.
    note
        What a reader must know about it.
    unshown
        Columns that a terminal does not show; JSON has them all.
    """

    title: str
    result: Result
    note: str = ""
    unshown: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.result.columns

    @property
    def rows(self) -> tuple[tuple[Any, ...], ...]:
        """The rows."""
        return self.result.rows

    @property
    def shown(self) -> Result:
        """What a terminal shows: no unshown columns, and none without a value."""
        columns = [
            name
            for name in self.columns
            if name not in self.unshown and any(value is not None for value in self.result[name])
        ]
        return self.result.select(columns)


@dataclass(frozen=True)
class Card:
    """What is known of one thing.

    Attributes
    ----------
    kind
        What it is: ``feature``, ``circuit``, or any other label of the schema, in small letters.
    id
        Its id.
    facts
        Its own properties; what is not known is left out.
    sections
        What it is joined to; empty ones are left out.
    draw, draw_images
        Draw its pictures, and what it answers to as HTML, while its knowledge base is open.
    """

    kind: str
    id: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    draw: Callable[[Card], tuple[Figure, ...]] | None = field(
        default=None, repr=False, compare=False
    )

    draw_images: Callable[[Card], str] | None = field(default=None, repr=False, compare=False)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Its pictures: a circuit or strongest inputs, a measured value, tuning, layers."""
        return self.draw(self) if self.draw is not None else ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries and lists."""
        return {
            "kind": self.kind,
            "id": self.id,
            "facts": dict(self.facts),
            "sections": [
                {"title": s.title, "note": s.note, "rows": s.result.to_dicts()}
                for s in self.sections
            ],
        }

    def to_json(self, indent: int | None = None) -> str:
        """Return :meth:`to_dict` as JSON."""
        return to_json(self.to_dict(), indent)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: pictures, facts, and tables with pictures beside rows."""
        facts = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(show(value))}</td></tr>"
            for name, value in self.facts.items()
        )
        tables = "".join(
            f"<h4>{escape(section.title)}</h4>{section.shown._repr_html_()}"
            f"<p>{escape(section.note)}</p>"
            for section in self.sections
        )
        pictures = "".join(
            f"<figure>{figure.svg}<figcaption>{escape(figure.caption)}</figcaption></figure>"
            for figure in self.figures
        )
        pictures += "" if self.draw_images is None else self.draw_images(self)
        title = f"{escape(self.kind)} {escape(self.id)}"
        return f"<h3>{title}</h3>{pictures}<table>{facts}</table>{tables}"

    def drawn(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
        """Return the features and weights of the picture, and what stands below it."""
        rows = {section.title: section.result.to_dicts() for section in self.sections}
        if self.kind == "circuit":
            nulls = "; ".join(
                f"{e['kind']}: {show(e['value'])} against {show(e['null_mean'])} under the null, "
                f"q = {show(e['q'])}"
                for e in rows.get("Evidence", [])
                if e["null_mean"] is not None
            )
            return rows.get("Members", []), rows.get("Weights between them", []), nulls
        inputs = rows.get("Strongest inputs", [])[:6] if self.kind == "feature" else []
        weights = [{**row, "target": self.id} for row in inputs]
        sources = {row["source"]: row["labels"] for row in inputs}
        members = [{"feature": id, "labels": labels} for id, labels in sources.items()]
        if members:
            said = [row["label"] for row in rows.get("Labels", [])]
            members.append({"feature": self.id, "labels": dict.fromkeys(said)})
        return members, weights, "Its strongest inputs by l1." if members else ""

    def __rich__(self) -> Group:
        """Return what a terminal shows."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        facts = Table.grid(padding=(0, 2))
        for name, value in self.facts.items():
            facts.add_row(Text(name, style="dim"), Text(show(value)))
        parts: list[Any] = [Text.assemble((self.kind, "dim"), " ", (self.id, "bold")), facts]
        for section in self.sections:
            parts += [Text(""), Text(section.title, style="bold"), section.shown.__rich__()]
            if section.note:
                parts.append(Text(section.note, style="dim"))
        return Group(*parts)
