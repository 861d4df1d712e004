"""``circuitkb match`` and ``circuitkb universality``."""

from __future__ import annotations

from typing import Annotated

import typer

from circuitkb.cli.browse import HIDDEN
from circuitkb.cli.options import Format, Shape, Shard, Store, Wide, Workers, command
from circuitkb.cli.output import check_format, print_result, progress


@command(
    "Fill",
    "circuitkb match efficientnet_lite0 efficientnet_lite1",
    "circuitkb match alexnet vgg11 resnet18 --workers 2",
    "circuitkb query 'MATCH (:Layer {id: $layer})<-[:IN_LAYER]-(a)-[r:ANALOGOUS_TO]-(b) "
    "RETURN a.id, b.id, r.score ORDER BY r.score DESC' -p layer=alexnet/features.9 --limit 10",
)
def match(
    first: Annotated[str, typer.Argument(metavar="MODEL", help="An observed model.")],
    others: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Others; every pair is matched."),
    ],
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Seed of the null's random draws.")
    ] = 0,
    shard: Shard = None,
    workers: Workers = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Find features of two models that answer alike, and circuits made of such features.

    Two features are analogous if each is the other's nearest by correlation of answers, above .8,
    and beyond what the same search gives when either model's weights are shuffled. Observe both
    models first; circuits are compared where they were found in both.
    """
    import circuitkb as ckb
    from circuitkb.results.reports import stacked

    check_format(format_)
    with ckb.open(kb, create=False) as base, progress() as tell:
        second, *more = others
        found = base.match(
            first, second, *more, seed=seed, shard=shard, workers=workers, progress=tell
        )
    reports = found if isinstance(found, list) else [found]
    print_result(stacked(reports), format_, wide=wide, hidden=HIDDEN["match"])


@command(
    "Ask",
    "circuitkb universality",
    "circuitkb universality --control rapidocr_direction --control rapidocr_detection",
    "circuitkb universality --motif family --format csv",
)
def universality(
    control: Annotated[
        list[str] | None,
        typer.Option(
            "--control",
            metavar="NAME",
            help="A network that was trained on something else; may be repeated.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="Only this network; may be repeated."),
    ] = None,
    motif: Annotated[str, typer.Option("--motif", metavar="NAME", help="Only this motif.")] = "",
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """List motif by network: what was found, beside chance and beside other networks.

    One row for each search that was made, with what its controls give. Which networks were trained
    on something else is for you to say (--control); notes then tell of each motif whether the
    others have more of it.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        found = base.universality(controls=control or (), models=model or (), motif=motif)
    print_result(found, format_, wide=wide, hidden=HIDDEN["universality"])
