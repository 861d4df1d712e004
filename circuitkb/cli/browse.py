"""``circuitkb models``, ``features``, ``edges``, ``circuits``, ``list`` and ``show``."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from circuitkb.cli.options import Format, Limit, Model, Shape, Store, Wide, command
from circuitkb.cli.output import check_format, console, print_lines, print_result
from circuitkb.results.harmless_text import for_terminal

if TYPE_CHECKING:
    from circuitkb.results.result import Result

_PANEL = "Look"

_SHAPES = ("two_peaks", "flat", "between", "other")

# What a table leaves out unless --wide; JSON, CSV and Arrow have everything.
HIDDEN = {
    "models": ("keep", "source", "fingerprint"),
    "features": ("model", "layer", "unit", "basis"),
    "edges": ("l1", "connection", "origin"),
    "found": (
        "why",
        "units",
        "permuted_hits_max",
        "permuted_units_mean",
        "permuted_pairs_mean",
        "matched_units_mean",
        "matched_pairs_mean",
        "matched_hits_max",
        "shuffled_hits_max",
        "found_pairs",
        *_SHAPES,
        *(f"permuted_{shape}_mean" for shape in _SHAPES),
    ),
    "match": ("null",),
    "universality": ("of", "null_method", "null_count", "control"),
    "circuits": ("group", "p", "null_count", "published_as", "claim", "pair_p", "pair_null"),
    "trials": (
        "measure",
        "inputs",
        "null_method",
        "null_count",
        "tested",
        "seed",
        "seconds",
        "created",
        "detail",
    ),
    "list": ("records", "definitions", "not_composed", "awaits", "detail", "summary"),
    "card": ("id", "detail", "connection", "origin", "group", "claim"),
}

# What a table that has no room for all shows before the rest.
FIRST = {
    "trials": ("trial", "outcome", "target", "edit", "predicted", "measured", "null_mean", "q"),
    "edges": ("source", "target", "rank", "sum", "positive", "negative"),
    "circuits": ("circuit", "motif", "shape", "targets", "members", "pair_q", "q"),
}


class CardFormat(StrEnum):
    """How one thing is printed."""

    table = "table"
    json = "json"


class Outcome(StrEnum):
    """How a trial ended."""

    held = "held"
    failed = "failed"
    undecided = "undecided"


class Ended(StrEnum):
    """How the trial of a circuit ended, if there was one."""

    held = "held"
    failed = "failed"
    undecided = "undecided"
    untried = "untried"


@command(
    _PANEL,
    "circuitkb models",
    "circuitkb models --format json",
)
def models(
    model: Model = None,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """List the models: what was loaded, from where, and how much of it the graph keeps."""
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        rows = base.models(limit=format_.limit(limit))
        if model is not None:
            rows = rows.where("id", "=", model)
        result = rows.run()
        if model is not None and not result.rows:
            base.show(model)  # Raises, and names what comes near.
    _print(result, format_, wide=wide, hidden="models")


@command(
    _PANEL,
    "circuitkb features --label curve",
    "circuitkb features --model inceptionv1 --layer mixed4b --limit 20",
    "circuitkb features --model inceptionv1 --layer mixed4b --format csv > features.csv",
)
def features(
    model: Model = None,
    layer: Annotated[
        str | None, typer.Option("--layer", metavar="NAME", help="Only this layer.")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="TEXT", help="Only features with this text in a label."),
    ] = None,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """List features with their labels."""
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        rows = base.features(model=model, layer=layer, label=label, limit=format_.limit(limit))
        result = rows.run()
    _print(result, format_, wide=wide, hidden="features")


@command(
    _PANEL,
    "circuitkb edges --target inceptionv1/mixed4b:418",
    "circuitkb edges --source inceptionv1/mixed4a:308 --sign negative",
    "circuitkb edges --target inceptionv1/mixed4b:418 --max-rank 3 --format arrow > edges.arrow",
)
def edges(
    model: Model = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="FEATURE", help="Only from this feature.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="FEATURE", help="Only into this feature.")
    ] = None,
    min_rank: Annotated[
        int | None,
        typer.Option("--min-rank", min=1, metavar="N", help="Only ranks N and weaker."),
    ] = None,
    max_rank: Annotated[
        int | None,
        typer.Option(
            "--max-rank", min=1, metavar="N", help="Only each target's N strongest inputs."
        ),
    ] = None,
    sign: Annotated[
        Literal["positive", "negative"] | None,
        typer.Option(
            "--sign", help="Only this net sign, which is not the meaning of a spatial kernel."
        ),
    ] = None,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """List the weights that the graph keeps between features.

    A spatial kernel is told by the mass of each sign and where its positive mass lies: rows
    below (dy) and columns right (dx) of the kernel's centre.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        result = base.edges(
            model=model,
            source=source,
            target=target,
            min_rank=min_rank,
            max_rank=max_rank,
            sign=sign,
            limit=format_.limit(limit),
        ).run()
    _print(result, format_, wide=wide, hidden="edges")


@command(
    _PANEL,
    "circuitkb circuits --motif union",
    "circuitkb circuits --feature inceptionv1/mixed4b:418 --format json",
    "circuitkb circuits --origin published",
    "circuitkb circuits --trial held",
)
def circuits(
    model: Model = None,
    motif: Annotated[
        str | None, typer.Option("--motif", metavar="NAME", help="Only this kind, as in union.")
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option("--origin", metavar="WHENCE", help="Only found or only published ones."),
    ] = None,
    feature: Annotated[
        str | None,
        typer.Option("--feature", metavar="FEATURE", help="Only circuits with this member."),
    ] = None,
    trial: Annotated[
        Ended | None, typer.Option("--trial", help="Only those whose own trial ended so.")
    ] = None,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """List circuits with their members, their nulls and how trials ended, clearest pair first.

    The table has one row for each pair of cases and shape, with one of its circuits and the number
    of its targets; other formats have one for each circuit.
    """
    import circuitkb as ckb
    from circuitkb.queries.lists.predicates import missing
    from circuitkb.results.circuit_records import circuit_records

    check_format(format_)
    rows = format_.limit(limit)
    with ckb.open(kb, create=False) as base:
        found = base.circuits(
            model=model,
            motif=motif,
            origin=origin,
            feature=feature,
            by_pair=format_ is Format.table,
            limit=rows,
        )
        if trial is not None:
            found = found.where(trial=missing() if trial is Ended.untried else trial.value)
        result = found.run()
        records = circuit_records(base.store, result) if format_ is Format.json else None
    _print(result, format_, wide=wide, hidden="circuits", records=records)


def _print(
    result: Result,
    format_: Format,
    *,
    wide: bool,
    hidden: str,
    records: list[dict[str, Any]] | None = None,
) -> None:
    table = partial(
        print_lines, result, wide=wide, hidden=HIDDEN[hidden], first=FIRST.get(hidden, ())
    )
    print_result(result, format_, records=records, as_table=table)


@command(
    _PANEL,
    "circuitkb list Trial",
    "circuitkb list Evidence --where 'kind=union' --where 'q <= 0.05'",
    "circuitkb list Annotation --where 'text contains dog' --format json",
    name="list",
)
def nodes(
    label: Annotated[
        str, typer.Argument(metavar="LABEL", help="A kind of node, as circuitkb schema lists them.")
    ],
    model: Model = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Only nodes of which this is true: a property, an operator (= <> < <= > >= in "
            "contains, starts with, ends with) and a value. May be repeated; all must hold.",
        ),
    ] = None,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """List the nodes of any kind of the schema, by id, with all their properties."""
    import circuitkb as ckb
    from circuitkb.queries.lists.written import written

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        rows = base.nodes(label, limit=format_.limit(limit))
        for text in where or ():
            rows = rows.where(*written(text, rows.criteria.owner))
        if model is not None:
            rows = rows.where("id" if label == "Model" else "model", "=", model)
        result = rows.run()
    _print(result, format_, wide=wide, hidden="list")


@command(
    _PANEL,
    "circuitkb show inceptionv1/mixed4b:418",
    "circuitkb show inceptionv1/mixed4b",
    "circuitkb show efficientnet_lite0 --format json",
)
def show(
    id_: Annotated[
        str,
        typer.Argument(metavar="ID", help="A feature, a layer, a model, a circuit, or any node."),
    ],
    format_: Annotated[
        CardFormat,
        typer.Option("--format", help="How to print it.", rich_help_panel="Output"),
    ] = CardFormat.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Show what is known of one thing: its labels, its inputs and outputs, its circuits."""
    import circuitkb as ckb
    from circuitkb.cli.tables import facts

    with ckb.open(kb, create=False) as base:
        card = base.show(id_)
    if format_ is CardFormat.json:
        typer.echo(card.to_json(indent=2))
        return
    out = console()
    out.print(for_terminal(f"{card.kind} {card.id}"), style="bold")
    out.print(facts(card.facts))
    for section in card.sections:
        out.print(f"\n{section.title}", style="bold")
        print_lines(section.result, wide=wide, hidden=(*HIDDEN["card"], *section.unshown))
        if section.note:
            out.print(for_terminal(section.note), style="dim")
