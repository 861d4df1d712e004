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
    "circuitkb serve --host 0.0.0.0 --allow-host lab.example.org",
)
def serve(
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="N", min=0, max=65535, help="Where to listen; 0 takes a free one."
        ),
    ] = 8421,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="HOST",
            help="The address to listen on. Other than this machine's own it needs a password: in "
            "the variable CIRCUITKB_PASSWORD, or typed.",
        ),
    ] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="A name by which browsers ask; may be repeated. It needs a password, too.",
        ),
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="Open the first page in the browser.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Take labels from its pages; it only reads else.")
    ] = False,
    kb: Store = None,
) -> None:
    """Look at the knowledge base in a browser, on this machine alone if nothing else is said.

    Every page is a link, and has JSON at the same link with .json, its table with .csv, its picture
    with .svg and .png. Ends with Ctrl-C.
    """
    from circuitkb.atlas.serving import is_open
    from circuitkb.atlas.serving import serve as run
    from circuitkb.cli.output import say

    def ready(address: str) -> None:
        if is_open(host, allow_host or ()):
            say(
                "warning",
                "plain HTTP shows the password and all pages to the network between: let a server "
                "that speaks TLS stand in front.",
            )
        say("serving", f"{address} (Ctrl-C ends it)")
        if open_:
            typer.launch(address)

    run(kb, port=port, host=host, allowed=allow_host or (), write=write, ready=ready)
