"""``circuitkb find``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from circuitkb.cli.browse import HIDDEN
from circuitkb.cli.options import (
    Architecture,
    Format,
    Shape,
    Shard,
    Source,
    Store,
    Wide,
    Workers,
    command,
)
from circuitkb.cli.output import check_format, print_result, progress, say, say_what_runs
from circuitkb.motifs.registry import DEFAULT, MOTIFS

if TYPE_CHECKING:
    from circuitkb.results.result import Result


class Basis(StrEnum):
    """What a search reads."""

    responses = "responses"
    kernels = "kernels"


_ASKED = f"{__name__}.asked"


class _Command(TyperCommand):
    """Its help reads the motifs that there are; ``find MOTIF --help`` says what must hold."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; help is asked for before they are."""
        ctx.meta[_ASKED] = [word for word in args if word in MOTIFS.names]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        (motif,) = (parameter for parameter in self.params if parameter.name == "motif")
        motif.help = " ".join(  # type: ignore[attr-defined]  # Typer's arguments have help
            f"{known.name}: {known.summary}." for known in MOTIFS
        )
        for name in ctx.meta[_ASKED][:1]:
            self.help = "\n\n".join([self.help or "", *_criteria(name)])
        super().format_help(ctx, formatter)


def _criteria(name: str) -> list[str]:
    """Return what a motif is tested for, a paragraph for each way."""
    motif = MOTIFS.get(name)
    found = [f"{motif.name}: {motif.summary}."]
    for way in motif.searches:
        said = way.criteria()
        found.append(f"By {way.by}: {'; '.join(said['tested'])}.")
        if said["untested"]:
            found.append(f"By {way.by} alone this is not tested: {'; '.join(said['untested'])}.")
    if motif.question:
        found.append(f"To list what was found: circuitkb ask {motif.question}")
    return found


@command(
    "Fill",
    "circuitkb find --list",
    f"circuitkb find {DEFAULT}",
    f"circuitkb find {DEFAULT} --by kernels",
    f"circuitkb find {DEFAULT} --no-trials",
    f"circuitkb find {DEFAULT} --model inceptionv1 --format json",
    f"circuitkb circuits --motif {DEFAULT}",
    cls=_Command,
)
def find(
    motif: Annotated[
        str | None,
        typer.Argument(metavar="MOTIF", help="What to look for."),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List the motifs that there are, as without a motif.")
    ] = False,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="Only this model; may be repeated."),
    ] = None,
    by: Annotated[
        Basis | None,
        typer.Option(
            "--by",
            help="What to search: responses to stimuli, or kernels alone. Without it: responses "
            "where a model was observed.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Seed of the null's random draws.")
    ] = 0,
    shard: Shard = None,
    trials: Annotated[
        bool,
        typer.Option(
            "--trials/--no-trials",
            help="Whether to try what is found: to run the network with edges taken away.",
        ),
    ] = True,
    source: Source = None,
    architecture: Architecture = None,
    workers: Workers = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Search for circuits, and write what is found with its null into the knowledge base.

    The search reads all edges, not only those that the graph keeps. Prints one row for each
    model, with what its controls give; `circuitkb circuits` then lists the circuits. What is found
    by responses is tried at once: the network is run without the edges of the cases, and of other
    inputs as controls (`circuitkb trials` lists how it ended). Without a
    motif it lists those that there are; with one, `--help` says what must hold.
    """
    check_format(format_)
    if motif is None or list_:
        print_result(_motifs(), format_, wide=wide)
        return
    import circuitkb as ckb

    say_what_runs(source, architecture)
    with ckb.open(kb, create=False) as base, progress() as tell:
        report = base.find(
            motif,
            models=model or None,
            by=None if by is None else by.value,
            seed=seed,
            shard=shard,
            trials=trials,
            source=source,
            architecture=architecture,
            workers=workers,
            progress=tell,
        )
    print_result(report.to_result(), format_, wide=wide, hidden=HIDDEN["found"])
    for found in report.models:
        say("note", found.message)


def _motifs() -> Result:
    from circuitkb.results.result import Result

    rows = tuple(
        (motif.name, motif.summary, [way.by for way in motif.searches], motif.question)
        for motif in MOTIFS
    )
    return Result(("motif", "what", "by", "question"), rows)
