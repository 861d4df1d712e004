"""``circuitkb release``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from circuitkb.cli.options import Format, Shape, Store, command
from circuitkb.cli.output import check_format, print_result, progress, say

if TYPE_CHECKING:
    import circuitkb as ckb
    from circuitkb.moving.releases.release import Pages
    from circuitkb.schema.progress import Progress


@command(
    "Share",
    "circuitkb release zoo --version 2026.1 --author 'Ada Lovelace' --license CC-BY-4.0",
    "circuitkb release zoo --no-atlas --output /data/zoo-1",
    "circuitkb load zoo-2026.1 --kb copy.ckb",
)
def release(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the data are called.")],
    version: Annotated[
        str, typer.Option("--version", metavar="VERSION", help="Of the data.")
    ] = "1",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="DIR",
            help="The folder; not there yet. Without it: NAME-VERSION.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Only this model and what speaks of it; may be repeated.",
        ),
    ] = None,
    author: Annotated[
        list[str] | None,
        typer.Option("--author", metavar="NAME", help="Whom to cite; may be repeated."),
    ] = None,
    license_: Annotated[
        str | None,
        typer.Option(
            "--license",
            metavar="SPDX",
            help="Of what was measured and found; networks and labels have their own.",
        ),
    ] = None,
    with_unlicensed: Annotated[
        bool,
        typer.Option("--with-unlicensed", help="Also labels and pictures without a licence."),
    ] = False,
    atlas: Annotated[
        bool, typer.Option("--atlas/--no-atlas", help="Pages for a browser beside the data.")
    ] = True,
    format_: Shape = Format.table,
    kb: Store = None,
) -> None:
    """Write the knowledge base as data to publish, which never change.

    Parquet and safetensors, the sha256 of every file, all licences, CITATION.cff, Croissant
    metadata, and the pages of `atlas`. All or nothing, and what is there is left as it is; the same
    knowledge base gives the same bytes. `load` reads it back, and compares every byte first.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base, progress() as tell:
        report = base.release(
            name,
            output,
            version=version,
            models=model or None,
            authors=author or (),
            license=license_,
            with_unlicensed=with_unlicensed,
            pages=_pages(base, model) if atlas else None,
            progress=tell,
        )
    print_result(report.to_result(), format_)
    say("release", report.message)
    say("note", f"next: circuitkb load {report.folder} --kb copy.ckb")


def _pages(base: ckb.KnowledgeBase, models: list[str] | None) -> Pages:
    from circuitkb.atlas.serving import needed

    with needed():
        from circuitkb.atlas.folder import write_atlas

    def write(folder: Path, tell: Progress) -> None:
        # Labels without a licence were refused with the data, which come first.
        write_atlas(base, folder, models=models, with_unlicensed=True, progress=tell)

    return write
