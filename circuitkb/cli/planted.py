"""``circuitkb planted``: networks with known circuits, as a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from circuitkb.cli.options import Format, Shape, Wide, command
from circuitkb.cli.output import check_format, print_result, print_rows, progress, say

group = typer.Typer(
    name="planted",
    help="Networks with planted circuits and decoys: a benchmark for any method.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: circuitkb planted make DIR",
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The benchmark.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND", help="Only this kind of circuit; may be repeated."),
]


@command(
    "Make",
    "circuitkb planted make planted",
    "circuitkb planted make unions --kind union --noise 0.15 --noise 0.3 --repeats 3",
    "circuitkb planted make hard --strength 1 --superposition 0.5 --seed 7",
)
def make(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    kind: Kinds = None,
    noise: Annotated[
        list[float] | None,
        typer.Option(
            "--noise",
            metavar="X",
            help="Noise weights relative to planted ones; repeat "
            "it for several levels, the easiest first. Without it: 0.15, 0.3, 0.6.",
        ),
    ] = None,
    strength: Annotated[
        list[float] | None,
        typer.Option(
            "--strength",
            metavar="X",
            help="Planted weights relative to those of unrelated inputs. Without it: 4, 2, 1.",
        ),
    ] = None,
    superposition: Annotated[
        list[float] | None,
        typer.Option(
            "--superposition",
            metavar="X",
            help="Weight of an unrelated feature that the "
            "same unit carries. Without it: 0, 0.25, 0.5.",
        ),
    ] = None,
    count: Annotated[
        int, typer.Option("--count", metavar="N", help="Circuits of each network, and decoys.")
    ] = 12,
    repeats: Annotated[
        int, typer.Option("--repeats", metavar="N", help="Networks for each setting of the dials.")
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of all draws.")] = 0,
    format_: Shape = Format.table,
) -> None:
    """Make networks with planted circuits, their decoys, and the truth about them.

    Writes one ONNX file for each network, networks.json (what to look for in which file),
    truth.json (for the scorer) and the JSON Schemas of these and of answers. Dials are turned one
    at a time. Of each kind there are networks that hold nothing, too. The same options make the
    same files.
    """
    from circuitkb.planted.making import make as making

    check_format(format_)
    levels = {
        "noise": noise or (),
        "strength": strength or (),
        "superposition": superposition or (),
    }
    with progress() as tell:
        made = making(
            folder,
            kinds=kind or (),
            levels=levels,
            count=count,
            repeats=repeats,
            seed=seed,
            progress=tell,
        )
    print_result(made, format_)
    say("done", f"{folder}: to answer it, circuitkb planted answer {folder} answers.json")


@command(
    "Make",
    "circuitkb planted answer planted ours.json",
    "circuitkb planted answer planted magnitude.json --method magnitude",
    "circuitkb planted answer planted unions.json --kind union",
)
def answer(
    folder: Folder,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The answers file to write.")],
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="METHOD",
            help="search: what circuitkb finds. Or magnitude, gradient-activation, cross-layer, "
            "which rank edges and are told how many circuits there are.",
        ),
    ] = "search",
    kind: Kinds = None,
    format_: Shape = Format.table,
) -> None:
    """Answer a benchmark by our search, or by a method to compare it with.

    Our search loads, observes and searches each network for the motif of its kind; kinds that are
    no motif are left out, and the score says so. The truth is not read.
    """
    from circuitkb.planted.answering import answer as answering

    check_format(format_)
    with progress() as tell:
        found = answering(folder, file, method=method, kinds=kind or (), progress=tell)
    print_result(found, format_)
    say("done", f"{file}: to score it, circuitkb planted score {folder} {file}")


@command(
    "Make",
    "circuitkb planted score planted ours.json",
    "circuitkb planted score planted ours.json --format json",
    "circuitkb planted score planted ours.json --calibration",
)
def score(
    folder: Folder,
    answers: Annotated[
        Path, typer.Argument(metavar="ANSWERS", help="The answers file, of any tool.")
    ],
    calibrated: Annotated[
        bool,
        typer.Option(
            "--calibration", help="Compare the q-values of answers with how many are wrong."
        ),
    ] = False,
    format_: Shape = Format.table,
    wide: Wide = False,
) -> None:
    """Score answers against the planted truth, for each kind and setting of the dials.

    Precision, recall, F1 and the measured false discovery rate, with exact 95% intervals; and how
    many decoys were taken for circuits. JSON has every figure, --wide every column.
    """
    from circuitkb.planted import scoring

    check_format(format_)
    if calibrated:
        print_result(scoring.calibration(folder, answers), format_, wide=wide)
        return
    scored = scoring.score(folder, answers)
    print_result(
        scored,
        format_,
        wide=wide,
        as_table=None if wide else lambda: print_rows(scoring.brief(scored)),
    )
