"""``circuitkb check``."""

from __future__ import annotations

from typing import Annotated

import typer

from circuitkb.cli.options import Format, Shape, Store, Wide, command
from circuitkb.cli.output import check_format, print_result, progress

DAMAGED = 3
"""How the command ends where something is damaged."""


@command(
    "Move",
    "circuitkb check",
    "circuitkb check --kb zoo.ckb --format json",
    "circuitkb check --repair",
    "circuitkb check --kb zoo-2026.1",
)
def check(
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Let the newest whole state count where the one that does is damaged.",
        ),
    ] = False,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Compare every file, array, relation and id of the knowledge base with what was written.

    Ends with 0 if all is whole, and with 3 if anything is damaged; the rows say what, and what to
    do. --kb takes a release, too. A repair says what is lost, keeps what is damaged under another
    name, and removes nothing that others made.
    """
    import circuitkb as ckb

    check_format(format_)
    with progress() as tell:
        report = ckb.check(kb, repair=repair, progress=tell)
    print_result(report.to_result(), format_, wide=wide, hidden=())
    if not report.whole:
        raise typer.Exit(DAMAGED)
