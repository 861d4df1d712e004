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
        else (_level(black, "--black"), _level(white, "--white"))
    )
    shown: dict[str, Any] = {}
    if images is None and (license or not thumbnails):
        raise typer.BadParameter("goes with --images", param_hint="--license, --no-thumbnails")
    if images is not None:
        shown = {"images": images, "thumbnails": thumbnails, "license": license}
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


def _level(text: str, option: str) -> tuple[float, ...]:
    """Read ``X``, or ``R,G,B``."""
    try:
        return tuple(map(float, text.split(",")))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no number, nor several with commas between, as in 0.5 or 0,0,0.25",
            param_hint=option,
        ) from None
