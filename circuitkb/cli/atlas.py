"""``circuitkb atlas``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from circuitkb.cli.options import Store, command
from circuitkb.cli.output import progress, say


@command(
    "Share",
    "circuitkb atlas pages/",
    "circuitkb atlas pages/ --model inceptionv1 --inputs",
)
def atlas(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or an empty folder.")],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="MODEL", help="Only this model; may be given repeatedly."),
    ] = None,
    inputs: Annotated[
        bool,
        typer.Option(
            "--inputs", help="Also a page for the strongest inputs of each feature that has one."
        ),
    ] = False,
    with_unlicensed: Annotated[
        bool,
        typer.Option("--with-unlicensed", help="Also labels and pictures without a licence."),
    ] = False,
    kb: Store = None,
) -> None:
    """Write the pages of `serve` into a folder that opens from any web host, and from a disk.

    A page for each model, layer and circuit, for their members, and for every feature that somebody
    labelled. The same content gives the same bytes. Interrupted, it goes on when it is run again.
    """
    import circuitkb as ckb
    from circuitkb.atlas.serving import needed

    with needed():
        from circuitkb.atlas.folder import write_atlas

    with ckb.open(kb, create=False) as base, progress() as tell:
        written = write_atlas(
            base,
            folder,
            models=model,
            inputs=inputs,
            with_unlicensed=with_unlicensed,
            progress=tell,
        )
    say(
        "atlas",
        f"{written.pages:,} pages, {written.new:,} of them new, {written.bytes / 1e6:,.0f} MB: "
        f"open {written.folder / 'index.html'}",
    )
