"""``circuitkb mcp``."""

from __future__ import annotations

from circuitkb.cli.options import Store, command


@command(
    "Ask",
    "circuitkb mcp --kb zoo.ckb",
    "circuitkb mcp --kb bolt://localhost:7687",
)
def mcp(kb: Store = None) -> None:
    """Serve the knowledge base to an assistant, over standard input and output; it only reads.

    Speaks the Model Context Protocol; docs/mcp.md tells how to set it up.
    """
    from circuitkb.mcp_server.serving import serve

    serve(kb)
