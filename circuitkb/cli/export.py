"""``circuitkb export``."""

from __future__ import annotations

from typing import Annotated

import typer

from circuitkb.cli.options import Format, Shape, Store, command
from circuitkb.cli.output import check_format, print_result, progress, say


@command(
    "Move",
    "circuitkb export parquet zoo-2026",
    "circuitkb load zoo-2026 --kb copy.ckb",
    "circuitkb export parquet alexnet --model alexnet --force",
    "circuitkb export neo4j-admin import-files",
    "circuitkb export graphml alexnet.graphml --model alexnet --max-rank 8",
)
def export(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="parquet (lossless; circuitkb load reads it back, and so do DuckDB and polars), "
            "neo4j-admin (CSV for Neo4j's offline import, with the command to run), or graphml, "
            "gexf, json (one graph file, for igraph, Gephi, networkx, d3).",
        ),
    ],
    directory: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="The folder (or graph file) to write; made if it is not there."
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Only this model and what speaks of it; may be repeated.",
        ),
    ] = None,
    max_rank: Annotated[
        int | None,
        typer.Option(
            "--max-rank", min=1, help="Graph files: the strongest weights into each feature only."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an export that is at PATH; nothing else ever.")
    ] = False,
    format_: Shape = Format.table,
    kb: Store = None,
) -> None:
    """Write the knowledge base, or some of its models, into files.

    All or nothing: an interrupted export leaves PATH as it was. Prints the rows written of each
    kind; docs/files.md describes the files.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base, progress() as tell:
        report = base.export(
            kind, directory, models=model or None, max_rank=max_rank, force=force, progress=tell
        )
    print_result(report.to_result(), format_)
    say("note", report.message)
    say("note", f"next: {report.next_step}")
