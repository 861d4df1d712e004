"""``circuitkb schema``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from circuitkb.cli.options import Wide, command
from circuitkb.cli.output import print_rows


class Notation(StrEnum):
    """How the definition of the graph is written."""

    table = "table"
    cypher = "cypher"
    mermaid = "mermaid"
    json = "json"


@command(
    "Ask",
    "circuitkb schema",
    "circuitkb schema --format cypher > constraints.cypher",
    "circuitkb schema --format mermaid",
)
def schema(
    format_: Annotated[
        Notation,
        typer.Option(
            "--format",
            help="cypher: constraints and indexes for Neo4j; mermaid: a diagram.",
        ),
    ] = Notation.table,
    wide: Wide = False,
) -> None:
    """Show what the graph is made of: nodes, relations and their properties."""
    from circuitkb.schema import ddl

    if format_ is Notation.cypher:
        typer.echo("\n".join(f"{statement};" for statement in ddl.cypher_statements()))
    elif format_ is Notation.mermaid:
        typer.echo(ddl.mermaid())
    else:
        from circuitkb.results.result import Result
        from circuitkb.results.text import to_json

        rows = ddl.table_rows()
        if format_ is Notation.json:
            typer.echo(to_json(rows, indent=2))
        else:
            print_rows(Result.of_records(rows), wide=wide)
