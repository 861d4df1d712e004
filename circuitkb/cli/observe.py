"""``circuitkb observe``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from circuitkb.cli.options import (
    Architecture,
    Format,
    Shape,
    Shard,
    Source,
    Store,
    Wide,
    Workers,
    command,
)
from circuitkb.cli.output import check_format, print_result, progress, say_what_runs


@command(
    "Fill",
    "circuitkb observe efficientnet_lite0",
    "circuitkb observe efficientnet_lite0 efficientnet_lite1 --workers 2",
    "circuitkb observe efficientnet_lite0 --images photographs",
    "circuitkb observe efficientnet_lite0 --cut-outs stamps --backgrounds wallpapers",
    "circuitkb observe mine --source moved/mine.onnx --black 0 --white 1",
    "circuitkb observe mine --black=-2.1,-2.0,-1.8 --white 2.2,2.4,2.6",
    "circuitkb features --model efficientnet_lite0 --label 'orientation 45'",
)
def observe(
    model: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Models of the knowledge base, with weights."),
    ],
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="DIR",
            help="Show the pictures of this folder instead, and keep the best of each unit; "
            "folders within it name classes.",
        ),
    ] = None,
    thumbnails: Annotated[
        bool,
        typer.Option(
            "--thumbnails/--no-thumbnails",
            help="Whether small copies of the best pictures are kept.",
        ),
    ] = True,
    license: Annotated[
        str | None,
        typer.Option(
            "--license",
            metavar="SPDX",
            help="Licence of the pictures, as in CC0-1.0; without one their thumbnails are not "
            "published.",
        ),
    ] = None,
    cut_outs: Annotated[
        Path | None,
        typer.Option(
            "--cut-outs",
            metavar="DIR",
            help="Paste the pictures of this folder, which have an alpha channel, on backgrounds, "
            "show these instead, and test the unions that were found.",
        ),
    ] = None,
    backgrounds: Annotated[
        Path | None,
        typer.Option("--backgrounds", metavar="DIR", help="Pictures that cut-outs are pasted on."),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            "--sizes",
            metavar="X,X,...",
            help="Longer side of the cut-outs, as a share of the image; else 0.5,0.25,0.75.",
        ),
    ] = None,
    occlusions: Annotated[
        str | None,
        typer.Option(
            "--occlusions",
            metavar="X,X,...",
            help="Share of the cut-outs' area that is hidden; else 0,0.4.",
        ),
    ] = None,
    rotations: Annotated[
        str | None,
        typer.Option("--rotations", metavar="X,X,...", help="Degrees counter-clockwise; else 0."),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option("--most", metavar="N", min=1, help="Cut-outs that are drawn; else 60."),
    ] = None,
    on: Annotated[
        int | None,
        typer.Option("--on", metavar="N", min=1, help="Backgrounds for each cut-out; else 2."),
    ] = None,
    source: Source = None,
    architecture: Architecture = None,
    black: Annotated[
        str | None,
        typer.Option(
            "--black",
            metavar="X",
            help="What the network reads for a black pixel; or R,G,B: for each channel.",
        ),
    ] = None,
    white: Annotated[
        str | None,
        typer.Option(
            "--white",
            metavar="X",
            help="What the network reads for a white pixel; or R,G,B: for each channel.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option("--seed", metavar="N", help="Seed of the shuffled weights and of the draws."),
    ] = 0,
    shard: Shard = None,
    workers: Workers = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Show a battery of stimuli to a network, and keep the responses of every unit.

    Gratings, lines, edges, arcs, corners, colours, spots and noise, each with its exact mirror
    image, shown where each unit looks; also to copies of the network with shuffled weights, which
    are the null. Units that prefer an orientation, a direction or radius of curves, a direction of
    corners, or coloured textures beyond the nulls are labelled, and so are those that pass a
    measure of an installed package. What was observed before there were these is measured from
    what is kept.

    With --images a folder of pictures (JPEG, PNG, ...) is shown instead of the battery, and of each
    unit the best 9 are kept with their places. What cannot be read is named and left out.

    With --cut-outs and --backgrounds, cut-outs are pasted where each unit looks, plain and
    mirrored, and the unions and mirrored inputs that were found are tested on them, beside
    stand-ins and a copy with shuffled weights. The first size, occlusion and rotation go together,
    each of the others with all else as in the first. circuitkb composites prints the table again.

    All or nothing: an interrupted observation leaves the graph as it was, and goes on where it
    stopped when the command is given again.
    """
    import circuitkb as ckb
    from circuitkb.results.reports import stacked

    check_format(format_)
    if (black is None) != (white is None):
        raise typer.BadParameter("give both, or neither", param_hint="--black, --white")
    pixels = (
        None
        if black is None or white is None
        else (_numbers(black, "--black"), _numbers(white, "--white"))
    )
    shown: dict[str, Any] = {}
    if images is None and (license or not thumbnails):
        raise typer.BadParameter("goes with --images", param_hint="--license, --no-thumbnails")
    if images is not None:
        shown = {"images": images, "thumbnails": thumbnails, "license": license}
    dials: dict[str, Any] = {
        "sizes": None if sizes is None else _numbers(sizes, "--sizes"),
        "occlusions": None if occlusions is None else _numbers(occlusions, "--occlusions"),
        "rotations": None if rotations is None else _numbers(rotations, "--rotations"),
        "most": most,
        "on": on,
    }
    dials = {name: value for name, value in dials.items() if value is not None}
    if (cut_outs is None) != (backgrounds is None) or (dials and cut_outs is None):
        raise typer.BadParameter("go together", param_hint="--cut-outs, --backgrounds")
    if cut_outs is not None:
        if images is not None:
            raise typer.BadParameter("give one of them", param_hint="--images, --cut-outs")
        shown = {"cut_outs": cut_outs, "backgrounds": backgrounds, **dials}
    say_what_runs(source, architecture)
    with ckb.open(kb, create=False) as base, progress() as tell:
        reports = base.observe(
            model,
            **shown,
            source=source,
            architecture=architecture,
            pixels=pixels,
            seed=seed,
            shard=shard,
            workers=workers,
            progress=tell,
        )
    print_result(stacked(reports), format_, wide=wide)


@command(
    "Try",
    "circuitkb composites",
    "circuitkb composites efficientnet_lite0 --format json",
)
def composites(
    model: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Only these models.")
    ] = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Print what unions did on cut-outs pasted on backgrounds, as they were last observed.

    One row for each placement of the cut-outs, group of circuits and measure: how many circuits it
    holds of, beside stand-ins and a copy of the network with shuffled weights.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        result = base.composites(model or None)
    print_result(result, format_, wide=wide)


def _numbers(text: str, option: str) -> tuple[float, ...]:
    """Read ``X``, or several with commas between."""
    try:
        return tuple(map(float, text.split(",")))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no number, nor several with commas between, as in 0.5 or 0,0,0.25",
            param_hint=option,
        ) from None
