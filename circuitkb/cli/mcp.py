"""``circuitkb mcp``."""

from __future__ import annotations

import typer

from circuitkb.cli.options import Store, add


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(
        app,
        mcp,
        panel="Ask",
        examples=("circuitkb mcp --kb zoo.ckb", "circuitkb mcp --kb bolt://localhost:7687"),
    )


def mcp(kb: Store = None) -> None:
    """Serve the knowledge base to an assistant, over standard input and output; it only reads.

    Speaks the Model Context Protocol; docs/mcp.md tells how to set it up.
    """
    from circuitkb.mcp_server.serving import serve

    serve(kb)
