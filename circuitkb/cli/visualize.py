"""``circuitkb visualize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from circuitkb.cli.options import Architecture, Format, Shape, Source, Store, Wide, command
from circuitkb.cli.output import check_format, print_result, progress, say, say_what_runs
from circuitkb.visualization import STEPS


@command(
    "Fill",
    "circuitkb visualize efficientnet_lite0/_blocks.7._swish:66 --output unit.png",
    "circuitkb visualize efficientnet_lite0/_blocks.3._swish:11 "
    "efficientnet_lite0/_blocks.3._swish:15 --seed 1",
    "circuitkb visualize mine/layer3.0.relu:4 --steps 512 --size 64 --no-control --format json",
)
def visualize(
    features: Annotated[
        list[str],
        typer.Argument(
            metavar="FEATURE...", help="Units of models with weights; those of a layer together."
        ),
    ],
    steps: Annotated[
        int, typer.Option("--steps", min=1, metavar="N", help="How often an image is moved.")
    ] = STEPS,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", metavar="N", help="Of the image to start from, and of how it is jittered."
        ),
    ] = 0,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            min=1,
            metavar="PIXELS",
            help="Rows and columns at most; grey is around it. Without it: all that the unit sees.",
        ),
    ] = None,
    control: Annotated[
        bool,
        typer.Option(
            "--control/--no-control",
            help="Whether the same is searched where weights are shuffled.",
        ),
    ] = True,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE.png",
            help="Draw each image beside its control into this new file.",
            rich_help_panel="Output",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Write over the file if it is there.", rich_help_panel="Output"
        ),
    ] = False,
    source: Source = None,
    architecture: Architecture = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Search the image that a unit answers to most, beside the same for shuffled weights.

    Gradient ascent on the coefficients of an image, from all but grey, as in 'Feature
    Visualization' (Olah et al. 2017). What is reached stands beside what the best stimulus of the
    battery reaches, in the same units: before the nonlinearity. The image is kept as evidence, and
    shown on the unit's page; the same command again reads it.

    An image that a unit answers to most is not what the unit is for.
    """
    import circuitkb as ckb
    from circuitkb.visualization.visualization import check_file

    check_format(format_)
    if output is not None:
        check_file(output, force=force)
    say_what_runs(source, architecture)
    with ckb.open(kb, create=False) as base, progress() as tell:
        found = base.visualize(
            features,
            steps=steps,
            seed=seed,
            size=size,
            control=control,
            source=source,
            architecture=architecture,
            progress=tell,
        )
    if output is not None:
        found.save(output, force=force)
        say("note", f"drawn into {output}")
    print_result(found.to_result(), format_, wide=wide)
