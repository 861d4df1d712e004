"""``circuitkb report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from circuitkb.cli.options import Store, command
from circuitkb.cli.output import say


@command(
    "Ask",
    "circuitkb report --output findings.md",
    "circuitkb report --output findings.md --pictures motifs --by-network networks",
    "circuitkb report --model efficientnet_lite0 --model efficientnet_lite1",
)
def report(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="Only this model; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            dir_okay=False,
            writable=True,
            help="Write it into this file; without it, to standard output.",
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            metavar="DIR",
            file_okay=False,
            help="Draw one circuit of each motif found into this folder, for the report.",
        ),
    ] = None,
    by_network: Annotated[
        Path | None,
        typer.Option(
            "--by-network",
            metavar="DIR",
            file_okay=False,
            help="Put what is said of one model alone into this folder, a page for each.",
        ),
    ] = None,
    kb: Store = None,
) -> None:
    """Write down what was found, with all controls, what failed them, and how to repeat it.

    The report is Markdown. Every figure in it comes from the knowledge base, so the same one gives
    the same report; where nothing was measured, it says what to run.
    """
    import circuitkb as ckb

    with ckb.open(kb, create=False) as base:
        try:
            text = base.report(
                model or None,
                pictures=pictures,
                by_network=by_network,
                beside=output.parent if output else ".",
            )
        except OSError as error:
            raise typer.BadParameter(
                f"{error.filename} cannot be written: {error.strerror}",
                param_hint="--pictures, --by-network",
            ) from None
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(
            f"{output} cannot be written: {error.strerror}", param_hint="--output"
        ) from None
    say("note", f"{output} written")
