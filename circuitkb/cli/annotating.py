"""``circuitkb annotate``, whole: a label waits for no other command to be imported."""

from __future__ import annotations

import typer

from circuitkb.cli import annotate, annotate_shared, program
from circuitkb.cli.options import add_commands

group = annotate.group
add_commands(group, annotate)
add_commands(group, annotate_shared)


def alone() -> typer.Typer:
    """Return the program with no other command."""
    app = program.program()
    add_to(app)
    return app


def add_to(app: typer.Typer) -> None:
    """Add the group to a program."""
    app.add_typer(group, rich_help_panel="Fill")
