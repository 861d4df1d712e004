"""``circuitkb export``."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Format, Shape, Store, add
from .output import check_format, print_result, progress, say


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(
        app,
        export,
        panel="Move",
        examples=(
            "circuitkb export parquet zoo-2026",
            "circuitkb load zoo-2026 --kb copy.ckb",
            "circuitkb export parquet alexnet --model alexnet --force",
            "circuitkb export neo4j-admin import-files",
        ),
    )


def export(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="parquet (lossless; circuitkb load reads it back, and so do DuckDB and polars), "
            "or neo4j-admin (CSV for Neo4j's offline import, with the command to run).",
        ),
    ],
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="The folder to write; made if it is not there.")
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Only this model and what speaks of it; may be repeated.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an export that is in DIR; nothing else ever.")
    ] = False,
    format_: Shape = Format.table,
    kb: Store = None,
) -> None:
    """Write the knowledge base, or some of its models, into a folder of files.

    All or nothing: an interrupted export leaves DIR as it was. Prints the rows written of each
    kind; docs/files.md describes the files.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base, progress() as tell:
        report = base.export(kind, directory, models=model or None, force=force, progress=tell)
    print_result(report.to_result(), format_)
    say("note", report.message)
    say("note", f"next: {report.next_step}")
