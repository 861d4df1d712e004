"""``circuitkb trial`` and ``circuitkb trials``: predict, edit, run, compare."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from circuitkb.cli.browse import FIRST, HIDDEN, Outcome
from circuitkb.cli.options import (
    Architecture,
    Format,
    Limit,
    Model,
    Shape,
    Source,
    Store,
    Wide,
    command,
)
from circuitkb.cli.output import check_format, print_lines, print_result, progress, say_what_runs

if TYPE_CHECKING:
    from circuitkb.results.trial_list import TrialList
    from circuitkb.results.trial_report import TrialReport

_PANEL = "Try"

_MANY = "Many edits"


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
        Outcome | None, typer.Option("--outcome", help="Only those that ended so.")
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


@command(
    _PANEL,
    "circuitkb trial efficientnet_lite0/_blocks.7._swish:66 'remove _blocks.5._swish_1:132'",
    "circuitkb trial efficientnet_lite0/_blocks.5._swish_1:132 ablate --read _blocks.7._swish:66",
    "circuitkb trial union-15716d66f6c7c243",
    "circuitkb trial union-15716d66f6c7c243 'remove case 1; scale case 2 by 2'",
    "circuitkb trial --again trial-1a086daf83046dae",
    "circuitkb trial --edits edits.csv --images photographs",
    "circuitkb trial --random 1000 --kind remove --model efficientnet_lite0 --read-at logits",
)
def trial(
    about: Annotated[
        str | None,
        typer.Argument(metavar="FEATURE|CIRCUIT", help="What is tried.", show_default=False),
    ] = None,
    edit: Annotated[
        str | None,
        typer.Argument(
            metavar="EDIT",
            help="What is changed: remove, flip, scale ... by X, swap ... and ..., mirror ... "
            "left-right, rotate ... by 90, set ... to [[...]], ablate by zero|mean|resampling; "
            "several are joined by '; '. Without it a circuit's own trial is run.",
            show_default=False,
        ),
    ] = None,
    read: Annotated[
        str | None,
        typer.Option(
            "--read",
            metavar="FEATURE",
            help="The feature whose change is predicted and measured, if not the one edited.",
        ),
    ] = None,
    again: Annotated[
        str | None,
        typer.Option("--again", metavar="ID", help="Run this trial again, and compare."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Seed of all that is drawn.")
    ] = 0,
    edits: Annotated[
        str | None,
        typer.Option(
            "--edits",
            metavar="FILE",
            help="Try all edits of a CSV file with the columns about, edit and, if need be, read; "
            "- reads standard input. What is there is skipped: an interrupted list goes on.",
            rich_help_panel=_MANY,
        ),
    ] = None,
    random: Annotated[
        int | None,
        typer.Option(
            "--random",
            min=1,
            metavar="N",
            help="Try N edits drawn at random from --model; the same seed draws the same.",
            rich_help_panel=_MANY,
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="Of the random edits: remove, flip, scale, mirror, rotate, set, swap, ablate, or "
            "several of one target, as in remove+scale.",
            rich_help_panel=_MANY,
        ),
    ] = "remove",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Whose edits are drawn.",
            rich_help_panel=_MANY,
        ),
    ] = None,
    read_at: Annotated[
        str,
        typer.Option(
            "--read-at",
            metavar="target|logits|LAYER",
            help="Where random edits are measured: a unit is drawn of the logits, or of a layer.",
            rich_help_panel=_MANY,
        ),
    ] = "target",
    controls: Annotated[
        bool | None,
        typer.Option(
            "--controls/--no-controls",
            help="Whether the same edit of 40 other inputs is run, too. Without it: in a list only "
            "where the target is read.",
            show_default=False,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="FILE",
            help="Write the weights of the edited network to this new safetensors file, where each "
            "edge that is changed is one convolution.",
        ),
    ] = None,
    search: Annotated[
        bool | None,
        typer.Option(
            "--search/--no-search",
            help="Whether pixels of the stimuli are moved first so that the prediction fails, if "
            "it can. Without it: in a fifth of a list's trials.",
            show_default=False,
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="DIR",
            help="Show the pictures of this folder in the place of the battery; hashes alone "
            "of them are kept, so --again needs the folder, too.",
        ),
    ] = None,
    source: Source = None,
    architecture: Architecture = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Predict what an edit of the network changes, run the edited network, and compare.

    The prediction, with an interval that random edits of the same kind calibrated, is made and
    hashed before the network runs. The same edit of other inputs is the control. What came of it is
    kept as a Trial.
    """
    import circuitkb as ckb

    check_format(format_)
    if [about, again, edits, random].count(None) != 3:
        raise typer.BadParameter(
            "give one of: what is to be tried; --again and the id of a trial; --edits; --random"
        )
    say_what_runs(source, architecture)
    given: dict[str, Any] = {"source": source, "architecture": architecture, "images": images}
    with ckb.open(kb, create=False) as base, progress() as tell:
        report: TrialReport | TrialList
        if again is not None:
            report = base.try_again(again, **given, progress=tell)
        elif about is not None:
            report = base.trial(
                about,
                edit,
                read=read,
                seed=seed,
                save=save,
                controls=controls is not False,
                search=search is True,
                **given,
                progress=tell,
            )
        else:
            report = base.try_edits(
                _lines(edits),
                random=random,
                kind=kind,
                model=model,
                read_at=read_at,
                controls=controls,
                search=search,
                seed=seed,
                **given,
                progress=tell,
            )
    print_result(report.to_result(), format_, wide=wide, hidden=HIDDEN["trials"])


def _lines(file: str | None) -> Any:
    """Return a table of edits; that of standard input is read whole."""
    return sys.stdin if file == "-" else file
