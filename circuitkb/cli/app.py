"""The whole program: every command, in the order of the help."""

from __future__ import annotations

from circuitkb.cli import (
    annotating,
    atlas,
    browse,
    check,
    claim,
    compare,
    cover,
    demonstrate,
    discover,
    export,
    hypotheses,
    load,
    mcp,
    move,
    observe,
    planted,
    prove,
    question,
    release,
    report,
    serve,
    trial,
    visualize,
    vocabulary,
)
from circuitkb.cli.options import add_commands
from circuitkb.cli.program import program

app = program(
    demonstrate,
    load,
    observe,
    visualize,
    discover,
    trial,
    hypotheses,
    prove,
    cover,
    compare,
    browse,
    question,
    report,
    serve,
    atlas,
    release,
    mcp,
    move,
    export,
    check,
    vocabulary,
)
annotating.add_to(app)
add_commands(planted.group, planted)
app.add_typer(planted.group, rich_help_panel="Compare")
add_commands(claim.group, claim)
app.add_typer(claim.group, rich_help_panel="Try")
