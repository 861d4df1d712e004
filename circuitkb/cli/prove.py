"""``circuitkb prove``: a statement about a circuit, proved or refuted over a box."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from circuitkb.cli.options import Architecture, Format, Shape, Source, Store, Wide, command
from circuitkb.cli.output import check_format, print_result, progress, say, say_what_runs
from circuitkb.kb.prove import BOX, THEN

ENDED = {"proved": 0, "refuted": 4, "undecided": 5, "vacuous": 6}
"""Exit codes of one statement."""


@command(
    "Try",
    "circuitkb prove union-15716d66f6c7c243",
    "circuitkb prove union-15716d66f6c7c243 --when 'case 1 >= 50%' --then 'target > 0' --box mean",
    "circuitkb prove efficientnet_lite0/_blocks.2._swish:35 --when '_blocks.1._swish_1:3 >= 2' "
    "--box 'layers 3' --within 'others in 0..1'",
    "circuitkb prove --model efficientnet_lite0 --limit 200 --box mean --format csv",
    "circuitkb prove union-15716d66f6c7c243 --box pixels --picture counterexample.png",
    "circuitkb prove union-15716d66f6c7c243 --export statement",
    "circuitkb prove --again proof-1a086daf83046dae",
)
def prove(
    about: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CIRCUIT|FEATURE]...",
            help="What it is about. Without it: all found circuits of one target, those that held "
            "first.",
            show_default=False,
        ),
    ] = None,
    when: Annotated[
        str | None,
        typer.Option(
            "--when",
            metavar="CONDITION",
            help="What must hold: case 1 >= best or layer:3 >= 0.5 and layer:4 <= 20%. Numbers, % "
            "of the largest response observed, best (what it gives to its ten best stimuli at "
            "least) or mean; sums as in 2*a:0 - b:1 >= 3; a:0@-1,1 is one row up, one column "
            "right. Without it: any case >= best.",
            show_default=False,
        ),
    ] = None,
    then: Annotated[
        str,
        typer.Option(
            "--then", metavar="CONDITION", help="What should follow, before the nonlinearity."
        ),
    ] = THEN,
    box: Annotated[
        str,
        typer.Option(
            "--box",
            metavar="mean|range|layers N|pixels|binary",
            help="Over what: what is named in the range observed and all other "
            "inputs at their mean; every input in its range; what the last N layers read; all "
            "images; all images of black and white pixels.",
        ),
    ] = BOX,
    within: Annotated[
        list[str] | None,
        typer.Option(
            "--within",
            metavar="LIMITS",
            help="Make the box narrower: others in 0..0.5, pixels in 0..1, layer:3 in 1..2.",
            show_default=False,
        ),
    ] = None,
    time: Annotated[
        float,
        typer.Option("--time", min=0.01, max=86_400, metavar="SECONDS", help="For each statement."),
    ] = 60.0,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="Of the circuits, where none is named."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="At most so many circuits."),
    ] = None,
    again: Annotated[
        str | None,
        typer.Option("--again", metavar="ID", help="Decide this proof again, and compare."),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture",
            metavar="FILE",
            help="Draw the counterexample, or the proof's bound, to a new file (.png, .svg, .pdf).",
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="DIR",
            help="Decide nothing: write the statement as VNN-LIB 2.0 and ONNX for other solvers.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Of the beginnings of descents.")
    ] = 0,
    source: Source = None,
    architecture: Architecture = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Prove a statement about a circuit over a box of inputs, or refute it by a counterexample.

    Bounds are asked first, then descents, then the solver HiGHS. A counterexample counts once the
    network itself gives it. What came of it is kept as a Proof.

    Of one statement, the command ends with 0 if it is proved, 4 if refuted, 5 if undecided, and 6
    if nothing in the box fulfils the condition; of several with 0.
    """
    import circuitkb as ckb
    from circuitkb.results.proof_report import HIDDEN

    check_format(format_)
    about = about or None
    if (again is not None) + (about is not None) > 1 or (export and len(about or ()) != 1):
        raise typer.BadParameter(
            "give circuits or features, or --again and the id of a proof; --export takes one"
        )
    say_what_runs(source, architecture)
    given: dict[str, Any] = {"source": source, "architecture": architecture}
    said: dict[str, Any] = {"when": when, "then": then, "box": box, "within": within or ()}
    with ckb.open(kb, create=False) as base, progress() as tell:
        if export is not None and about is not None:
            for file in base.export_proof(about[0], export, **said, **given):
                say("done", str(file))
            return
        if again is not None:
            report = base.prove_again(again, **given)
        else:
            report = base.prove(
                about[0] if about is not None and len(about) == 1 else about,
                **said,
                seconds=time,
                model=model,
                limit=limit,
                seed=seed,
                **given,
                progress=tell,
            )
        if picture is not None:
            base.draw_proof(report.proof, picture)
    print_result(report.to_result(), format_, wide=wide, hidden=HIDDEN, records=report.to_dicts())
    if again is not None or (about is not None and len(about) == 1):
        raise typer.Exit(ENDED[report.proof.outcome])
