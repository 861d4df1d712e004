"""``circuitkb demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from circuitkb.cli.discover import Basis
from circuitkb.cli.options import command
from circuitkb.cli.output import console, print_rows, progress, say

INTERRUPTED = 130


@command(
    "Start",
    "circuitkb demo",
    "circuitkb demo --kb zoo.ckb --figure union.png",
    "circuitkb demo --model efficientnet_lite0",
    "circuitkb demo --model efficientnet_lite0 --by kernels",
)
def demo(
    kb: Annotated[
        str,
        typer.Option("--kb", metavar="STORE", help="The knowledge base that it makes or uses."),
    ] = "circuits-demo.ckb",
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure",
            metavar="FILE",
            help="Where the figure goes (.png, .svg or .pdf). "
            "[default: beside the store's directory; for a server, here]",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Only this network of the zoo, and the published circuits; may be repeated. "
            "[default: efficientnet_lite0 and efficientnet_lite1]",
        ),
    ] = None,
    by: Annotated[
        Basis | None,
        typer.Option(
            "--by",
            help="kernels: show networks no stimuli, search them by their kernels alone, and match "
            "none: with one network under a minute.",
        ),
    ] = None,
) -> None:
    """Do the main job once, from end to end, on real networks.

    Loads the ImageNet weights of EfficientNet-Lite0 and Lite1 and the published circuits of
    InceptionV1 into one graph, shows both networks a battery of stimuli, searches all three for
    unions, matches the two networks, asks for unions of left/right orientation detectors across
    models, and draws one. Takes minutes, with one network about a third of them; a second run uses
    what the first one stored.

    Without the extra zoo it goes on with the published circuits alone.
    """
    from circuitkb.demonstration.demo import run, sources_of

    try:
        with progress() as tell:
            run(
                kb,
                figure,
                sources=sources_of(model),
                observe=by is not Basis.kernels,
                show=_show,
                progress=tell,
            )
    except KeyboardInterrupt:
        say("interrupted", "what was done to its end is kept; run the command again to go on")
        raise typer.Exit(INTERRUPTED) from None


def _show(item: object) -> None:
    from circuitkb.results.result import Result

    if isinstance(item, Result):
        print_rows(item, hidden=())
    else:
        console().print(item, soft_wrap=True)
