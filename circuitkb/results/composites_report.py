"""What showing cut-outs on backgrounds to a network found of its circuits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circuitkb.results.result import Result

COLUMNS = (
    "model",
    "placement",
    "among",
    "circuits",
    "measure",
    "tested",
    "hold",
    "chance",
    "shuffled",
    "p",
    "median",
)

NOTES = (
    "hold: circuits of which it holds. chance: how many hold of stand-ins, on average over draws: "
    "cases of other pairs, other units of the layer; for the trial two other inputs of the same "
    "target, once. shuffled: how many hold of the same units of a copy with shuffled weights. p: "
    "how often stand-ins give as many.",
    "Circuits share units: neither they nor the rows of one placement are independent.",
)


def table_of(rows: Sequence[Mapping[str, Any]], notes: Sequence[str] = ()) -> Result:
    """Return the table of what was asked of circuits, with what its columns are."""
    found = tuple(tuple(row.get(name) for name in COLUMNS) for row in rows)
    return Result(COLUMNS, found, notes=(*NOTES, *notes) if rows else tuple(notes))


@dataclass(frozen=True)
class CompositesReport:
    """What an observation of composites did.

    Attributes
    ----------
    model, key
        Name of the model, and the key under which the store keeps the observation.
    created
        Whether anything was written; what was observed already is left as it is.
    cut_outs, backgrounds, composites
        Pictures that were pasted, and pasted on; images that were shown.
    circuits
        Found circuits that were tested.
    left_out, left_out_files
        Files that were met and not shown; some by name, with the reason.
    rows
        The table: for each placement, some of the circuits, and what was asked of them.
    pixels_known
        Whether the values of black and white come with the weights, or were assumed.
    seconds
        How long it took.
    """

    model: str
    key: str
    created: bool
    cut_outs: int
    backgrounds: int
    composites: int
    circuits: int
    left_out: int
    left_out_files: str
    rows: tuple[Mapping[str, Any], ...]
    pixels_known: bool
    seconds: float

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know about the figures."""
        notes = [
            f"{self.model}: {self.circuits:,} circuits on {self.composites:,} composites of "
            f"{self.cut_outs:,} cut-outs and {self.backgrounds:,} backgrounds ({self.key})."
        ]
        if not self.created:
            notes.append(f"{self.model} was shown these already: nothing changed.")
        if self.left_out:
            named = (
                f": {self.left_out_files}" if self.left_out_files else ", as they are no cut-outs"
            )
            notes.append(f"{self.left_out:,} files are left out{named}.")
        if not self.pixels_known:
            notes.append(
                "The source does not say what black and white are to it: -1 and 1 were assumed. "
                "--black and --white tell."
            )
        return tuple(notes)

    def to_result(self) -> Result:
        """Return the table."""
        found = table_of(self.rows, self.notes)
        return Result(found.columns, found.rows, seconds=self.seconds, notes=found.notes)
