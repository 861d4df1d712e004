"""``circuitkb push`` and ``circuitkb pull``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from circuitkb.cli.options import Format, Shape, Store, Wide, command
from circuitkb.cli.output import check_format, print_result, progress, say

if TYPE_CHECKING:
    from circuitkb.moving.copies.report import CopyReport
    from circuitkb.schema.progress import Progress

HIDDEN = ("there_hash",)

INTERRUPTED = 130


Place = Annotated[
    str, typer.Argument(metavar="STORE", help="The other knowledge base: a path, or a URL.")
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Only this model, with all that speaks of it; may be given several times.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be copied, and write nothing.")
]


@command(
    "Move",
    "circuitkb push bolt://localhost:7687",
    "circuitkb push bolt://ada@lab.example.org:7687 --model efficientnet_lite0",
    "circuitkb push copy.ckb --kb zoo.ckb --dry-run",
)
def push(
    store: Place,
    model: Models = None,
    dry_run: DryRun = False,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Copy the knowledge base, or some of its models, into another store.

    What is there already stays, and is not copied again. Each model goes over whole or not at
    all: an interrupted push goes on where it stopped when the command is given again. At the end
    everything is read back, and compared by a count and a hash of every kind.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        report = _with_progress(
            lambda tell: base.push(store, models=model, dry_run=dry_run, progress=tell)
        )
    print_result(report.to_result(), format_, wide=wide, hidden=HIDDEN)


@command(
    "Move",
    "circuitkb pull bolt://localhost:7687 --kb mine.ckb",
    "circuitkb pull neo4j+s://ada@lab.example.org --model inceptionv1",
)
def pull(
    store: Place,
    model: Models = None,
    dry_run: DryRun = False,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Copy another knowledge base, or some of its models, into this one.

    As push, the other way round; the knowledge base is made if it is not there.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb) as base:
        report = _with_progress(
            lambda tell: base.pull(store, models=model, dry_run=dry_run, progress=tell)
        )
    print_result(report.to_result(), format_, wide=wide, hidden=HIDDEN)


def _with_progress(copy: Callable[[Progress], CopyReport]) -> CopyReport:
    try:
        with progress() as tell:
            return copy(tell)
    except KeyboardInterrupt:
        say("interrupted", "models that were copied are there whole; again goes on from there")
        raise typer.Exit(INTERRUPTED) from None
