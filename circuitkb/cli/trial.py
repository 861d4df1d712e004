"""``circuitkb trial`` and ``circuitkb trials``: predict, edit, run, compare."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from circuitkb.cli.browse import FIRST, HIDDEN, Ended
from circuitkb.cli.options import Format, Limit, Model, Shape, Store, Wide, command
from circuitkb.cli.output import check_format, print_lines, print_result

_PANEL = "Try"


@command(
    _PANEL,
    "circuitkb trials --outcome held",
    "circuitkb trials --kind union --model efficientnet_lite0 --format csv > trials.csv",
    "circuitkb trials --circuit union-15716d66f6c7c243",
)
def trials(
    model: Model = None,
    kind: Annotated[
        str | None,
        typer.Option("--kind", metavar="KIND", help="Only these: edit, or a motif, as union."),
    ] = None,
    outcome: Annotated[
        Ended | None, typer.Option("--outcome", help="Only those that ended so.")
    ] = None,
    circuit: Annotated[
        str | None, typer.Option("--circuit", metavar="ID", help="Only those of this circuit.")
    ] = None,
    feature: Annotated[
        str | None,
        typer.Option("--feature", metavar="FEATURE", help="Only those about this feature."),
    ] = None,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """List the trials: what was predicted, what the edited network gave, and how it ended.

    Beside what was measured stands the mean of the same for the controls; q corrects for all the
    trials of one search.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        result = base.trials(
            model=model,
            kind=kind,
            outcome=None if outcome is None else outcome.value,
            circuit=circuit,
            feature=feature,
            limit=format_.limit(limit),
        ).run()
    table = partial(print_lines, result, wide=wide, hidden=HIDDEN["trials"], first=FIRST["trials"])
    print_result(result, format_, as_table=table)
