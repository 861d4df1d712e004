"""``circuitkb find``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from circuitkb.cli.browse import HIDDEN
from circuitkb.cli.options import Format, Shape, Store, Wide, add
from circuitkb.cli.output import check_format, print_result, progress, say


class Basis(StrEnum):
    """What a search reads."""

    responses = "responses"
    kernels = "kernels"


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(
        app,
        find,
        panel="Fill",
        examples=(
            "circuitkb find union",
            "circuitkb find union --by kernels",
            "circuitkb find union --model inceptionv1 --format json",
            "circuitkb circuits --motif union",
        ),
    )


def find(
    motif: Annotated[
        str,
        typer.Argument(
            metavar="MOTIF",
            help="union: a unit that two mirrored units excite, each from its own side.",
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="Only this model; may be repeated."),
    ] = None,
    by: Annotated[
        Basis | None,
        typer.Option(
            "--by",
            help="What to search: responses to stimuli, or kernels alone. Without it: responses "
            "where a model was observed.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Seed of the null's random draws.")
    ] = 0,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Search for circuits, and write what is found with its null into the knowledge base.

    The search reads all edges, not only those that the graph keeps. Prints one row for each
    model, with what its controls give; `circuitkb circuits` then lists the circuits.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base, progress() as tell:
        report = base.find(
            motif,
            models=model or None,
            by=None if by is None else by.value,
            seed=seed,
            progress=tell,
        )
    print_result(report.to_result(), format_, wide=wide, hidden=HIDDEN["found"])
    for found in report.models:
        say("note", found.message)
