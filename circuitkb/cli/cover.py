"""``circuitkb coverage`` and ``circuitkb reimplement``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from circuitkb.cli.options import Architecture, Format, Shape, Source, Store, Wide, command
from circuitkb.cli.output import (
    check_format,
    console,
    print_result,
    print_rows,
    progress,
    say,
    say_what_runs,
)

Circuits = Annotated[
    list[str] | None,
    typer.Option(
        "--circuits",
        metavar="ID|all|held",
        help="Edges between members of these circuits are explained; may be repeated.",
        rich_help_panel="What is explained (without any of these: all circuits)",
    ),
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--labels",
        metavar="TEXT|all",
        help="Edges between units with these labels, the input and the output; may be repeated.",
        rich_help_panel="What is explained (without any of these: all circuits)",
    ),
]
Edges = Annotated[
    int | None,
    typer.Option(
        "--edges",
        metavar="N",
        help="The N strongest inputs of each unit.",
        rich_help_panel="What is explained (without any of these: all circuits)",
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images",
        metavar="DIR",
        help="Show pictures of this folder; without it, stimuli of the battery.",
    ),
]
Count = Annotated[
    int | None,
    typer.Option(
        "--count",
        metavar="N",
        help="Show so many images at most: 200 if not given. Half give means and gradients.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of all that is drawn.")]


@command(
    "Try",
    "circuitkb coverage efficientnet_lite0 --images photographs --figure coverage.png",
    "circuitkb coverage efficientnet_lite0 --circuits held",
    "circuitkb coverage efficientnet_lite0 --labels all --format json > coverage.json",
    "circuitkb coverage efficientnet_lite0 --edges 64 --count 40",
)
def coverage(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model with its weights.")],
    circuits: Circuits = None,
    labels: Labels = None,
    edges: Edges = None,
    images: Images = None,
    count: Count = None,
    seed: Seed = 0,
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure",
            metavar="FILE.png",
            help="Draw the curve, and the layers, into this new file.",
            rich_help_panel="Output",
        ),
    ] = None,
    source: Source = None,
    architecture: Architecture = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Measure how much of a network is explained, and list what hides in the rest.

    Layer by layer the share of variance, weight and effect on the answer; then the network run with
    the explained edges alone, all others at their mean: agreement with the whole, and the curve
    from .1% to all edges with CPR and CMD (MIB, 2025), beside as many edges by weight magnitude, by
    gradient times activation and at random. It is kept as evidence; report puts it first.
    """
    import circuitkb as ckb
    from circuitkb.coverage.picture import check_file, save

    check_format(format_)
    if figure is not None:
        check_file(figure)
    say_what_runs(source, architecture)
    with ckb.open(kb, create=False) as base, progress() as tell:
        found = base.coverage(
            model,
            circuits=circuits or (),
            labels=labels or (),
            edges=edges,
            images=images,
            count=count,
            seed=seed,
            source=source,
            architecture=architecture,
            progress=tell,
        )
    if figure is not None:
        save(found, figure)
        say("note", f"drawn into {figure}")

    def tables() -> None:
        out = console()
        for number, (title, table) in enumerate(found.tables()):
            out.print(title if not number else f"\n{title}")
            print_rows(table, wide=wide)

    print_result(found.to_result(), format_, wide=wide, records=[found.to_dict()], as_table=tables)


@command(
    "Try",
    "circuitkb reimplement efficientnet_lite0 --edges 64 --images photographs --output small.onnx",
    "circuitkb reimplement mine --circuits all --labels all --output understood.onnx",
)
def reimplement(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model with its weights.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            metavar="FILE.onnx",
            help="The new file; a .json beside it says where each weight is from.",
            rich_help_panel="Output",
        ),
    ],
    circuits: Circuits = None,
    labels: Labels = None,
    edges: Edges = None,
    images: Images = None,
    count: Count = None,
    seed: Seed = 0,
    source: Source = None,
    architecture: Architecture = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Write what is explained of a network as a network of its own, and say what it is worth.

    The ONNX file holds the explained edges that lie on a path from the input to the output; for all
    others a constant, what they give on average. onnxruntime runs it, and it is compared with the
    whole network, beside as many random edges.
    """
    import circuitkb as ckb

    check_format(format_)
    say_what_runs(source, architecture)
    with ckb.open(kb, create=False) as base, progress() as tell:
        found = base.reimplement(
            model,
            output,
            circuits=circuits or (),
            labels=labels or (),
            edges=edges,
            images=images,
            count=count,
            seed=seed,
            source=source,
            architecture=architecture,
            progress=tell,
        )
    print_result(found.to_result(), format_, wide=wide, records=[found.to_dict()])
