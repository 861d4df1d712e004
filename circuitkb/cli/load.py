"""``circuitkb load``."""

from __future__ import annotations

from typing import Annotated

import typer

from circuitkb.cli.options import Format, Shape, Store, Workers, command, listing
from circuitkb.cli.output import check_format, print_result, progress, say, say_what_runs
from circuitkb.kb import accepted
from circuitkb.schema.hiding import arrow_without_pandas


@command(
    "Fill",
    "circuitkb load published:inceptionv1",
    "circuitkb load efficientnet_lite0 --kb zoo.ckb",
    "circuitkb load torchvision:resnet18@IMAGENET1K_V1 --name resnet18",
    "circuitkb load weights.safetensors --arch torchvision:resnet18 --name mine",
    "circuitkb load nets/mine.py:build --shape 1x64x64",
    "circuitkb load timm:resnet18 timm:resnet34 timm:resnet50 --workers 3",
    "circuitkb load timm:resnet18 timm:resnet34 timm:resnet50 --shard 1/2 --part parts/1",
    "circuitkb load parts/1 parts/2",
    "circuitkb load zoo-2026 --kb copy.ckb",
    cls=listing(source=accepted.sources),
)
def load(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="One or several of: {}.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Name of the model in the knowledge base."),
    ] = None,
    keep: Annotated[
        int,
        typer.Option(
            "--keep",
            min=1,
            metavar="K",
            help="Strongest inputs of each unit that the graph keeps; searches read all of them.",
        ),
    ] = 64,
    architecture: Annotated[
        str | None,
        typer.Option(
            "--arch",
            metavar="ARCHITECTURE",
            help="What a checkpoint's weights belong to: torchvision:NAME, timm:NAME, or "
            "FILE.py:FUNCTION (runs your file).",
        ),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            "--shape",
            metavar="CxHxW",
            help="Channels, rows and columns of the image that your own network reads; 3x224x224 "
            "unless it says so itself.",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="N/OF",
            help="Load only this share of the sources, into --part: one job of a batch system.",
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            "--part",
            metavar="PART",
            help="The folder that a shard writes; `load PART...` merges all of them.",
        ),
    ] = None,
    workers: Workers = None,
    format_: Shape = Format.table,
    kb: Store = None,
) -> None:
    """Turn a network's weights, published circuits, or an exported folder into a graph.

    All or nothing: an interrupted load leaves the knowledge base as it was. Loading the same
    network again changes nothing; other weights, or another network with the same weights, need
    another --name. Several are composed by several processes, and written in the order given.
    """
    import circuitkb as ckb
    from circuitkb.results.reports import stacked

    check_format(format_)
    say_what_runs(*source, architecture)
    arrow_without_pandas()
    with ckb.open(kb) as base, progress() as tell:
        reports = base.load(
            tuple(source),
            name=name,
            keep=keep,
            architecture=architecture,
            input_shape=shape,
            shard=shard,
            part=part,
            workers=workers,
            progress=tell,
        )
    if format_ is not Format.table:
        print_result(stacked(reports), format_)
        return
    for report in reports:
        typer.echo(report.message)
        for note in report.notes:
            say("note", note)
