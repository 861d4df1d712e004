"""``circuitkb serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from circuitkb.cli.options import Store, command


@command(
    "Look",
    "circuitkb serve --kb zoo.ckb",
    "circuitkb serve --port 0 --open",
    "circuitkb serve --write",
)
def serve(
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="N", min=0, max=65535, help="Where to listen; 0 takes a free one."
        ),
    ] = 8421,
    open_: Annotated[
        bool, typer.Option("--open", help="Open the first page in the browser.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Take labels from its pages; it only reads else.")
    ] = False,
    kb: Store = None,
) -> None:
    """Look at the knowledge base in a browser, on this machine alone.

    Every page is a link, and has JSON at the same link with .json, its table with .csv, its picture
    with .svg. Ends with Ctrl-C.
    """
    from circuitkb.atlas.serving import serve as run
    from circuitkb.cli.output import say

    def ready(address: str) -> None:
        say("serving", f"{address} (Ctrl-C ends it)")
        if open_:
            typer.launch(address)

    run(kb, port=port, write=write, ready=ready)
