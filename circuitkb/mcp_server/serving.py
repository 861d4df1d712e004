"""Serving a knowledge base over standard input and output."""

from __future__ import annotations

import os

from circuitkb.schema.errors import MissingExtraError


def serve(address: str | os.PathLike[str] | None) -> None:
    """Serve a knowledge base that is there to one client, until it hangs up.

    Standard output carries the protocol and nothing else.

    Raises
    ------
    MissingExtraError
        The package ``mcp`` is not installed.
    StoreNotFoundError
        There is no knowledge base.
    """
    try:
        from circuitkb.mcp_server.messages import standard_streams
        from circuitkb.mcp_server.server import build
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        raise MissingExtraError(
            "The server for assistants needs the package mcp.\n"
            "Install it: pip install 'circuitkb[mcp]' (in a clone: uv sync --extra mcp)."
        ) from None
    from circuitkb import __version__
    from circuitkb.kb.opening import open

    with open(address, create=False) as kb, standard_streams():
        build(kb, __version__).run()
