"""``circuitkb claim``: statements that can fail, and how they stand."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from circuitkb.cli.options import Format, Limit, Model, Shape, Store, Wide, command
from circuitkb.cli.output import check_format, print_lines, print_result, progress, say

_PANEL = "Claim"

group = typer.Typer(
    name="claim",
    help="Statements about networks that can fail: add, test, compare and share them.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: circuitkb claim add --shipped",
)

_HIDDEN = ("said_of", "source", "parts", "why")


class Standing(StrEnum):
    """How a claim may stand."""

    supported = "supported"
    undecided = "undecided"
    untested = "untested"
    refuted = "refuted"


class FileFormat(StrEnum):
    """Files of claims."""

    jsonl = "jsonl"
    yaml = "yaml"
    bundle = "bundle"
    vnnlib = "vnnlib"


Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CLAIM]...", help="Which; without it: all.", show_default=False),
]


@command(
    _PANEL,
    "circuitkb claim add --shipped",
    "circuitkb claim add mine.yaml --author ada",
    "circuitkb claim add theirs.zip --wait",
)
def add(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="YAML, JSON Lines, or bundles; docs/claims.md has an example.",
            show_default=False,
        ),
    ] = None,
    shipped: Annotated[
        bool,
        typer.Option(
            "--shipped",
            help="Add the claims that come with circuitkb: from the Distill Circuits thread and "
            "later papers. Those on models that are not here wait.",
        ),
    ] = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Keep claims on models and circuits that are not here yet."),
    ] = False,
    author: Annotated[
        str | None,
        typer.Option(
            "--author",
            envvar="CIRCUITKB_AUTHOR",
            metavar="ID",
            help="Who says it, where a file names nobody.",
        ),
    ] = None,
    format_: Shape = Format.table,
    kb: Store = None,
) -> None:
    """Take in claims, all or none; in any order, any number of times.

    Each is checked by a JSON Schema: subject, aspect, prediction, tolerance, what would refute it,
    source. A prediction names one of the tests that there are; nothing that a file says is run.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        report = base.claims.add(*(files or ()), shipped=shipped, wait=wait, author=author)
    print_result(report.to_result(), format_)


@command(
    _PANEL,
    "circuitkb claim list --standing refuted",
    "circuitkb claim list --model inceptionv1 --format json",
    name="list",
)
def list_(
    model: Model = None,
    standing: Annotated[
        Standing | None, typer.Option("--standing", help="Only those that stand so.")
    ] = None,
    aspect: Annotated[
        str | None,
        typer.Option(
            "--aspect",
            metavar="ASPECT",
            help="Only these: causality, sufficiency, minimality, generality, purity, invariance.",
        ),
    ] = None,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """List claims and how they stand now: supported, refuted, undecided or untested.

    A trial counts only while weights, battery, searches and method are those that it was made with.
    Of a claim with parts the weakest part decides.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        result = base.claims.list(
            model=model,
            standing=None if standing is None else standing.value,
            aspect=aspect,
            limit=format_.limit(limit),
        )
    print_result(
        result,
        format_,
        as_table=lambda: print_lines(
            result, wide=wide, hidden=_HIDDEN, first=("claim", "standing", "measured", "statement")
        ),
    )


@command(
    _PANEL,
    "circuitkb claim show dog-head-union",
    "circuitkb claim show dog-head-union --json",
)
def show(
    claim: Annotated[str, typer.Argument(metavar="CLAIM", help="Its id.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    kb: Store = None,
) -> None:
    """Show a claim: what it says, what would refute it, its parts, and all of its trials."""
    import circuitkb as ckb
    from circuitkb.claims.card import card
    from circuitkb.results.text import to_json

    with ckb.open(kb, create=False) as base:
        found = base.claims.show(claim)
    typer.echo(to_json(found, indent=2) if json else card(found))


@command(
    _PANEL,
    "circuitkb claim test",
    "circuitkb claim test dog-head-union car-from-parts",
    "circuitkb claim test --again --format json",
    name="test",
)
def try_claims(
    claims: Ids = None,
    model: Model = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Test those too that have a trial that counts.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Repeat the trials that count, and only compare.")
    ] = False,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Test claims, with the parts that they break down into; keep each trial as it ends.

    What is predicted is hashed before anything is measured. A claim is supported where the value,
    and the same with another half or seed, meets the prediction and its control does not; refuted
    where all of these miss it by more than the tolerance; else undecided.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base, progress() as tell:
        report = base.claims.test(
            *(claims or ()), model=model, all=all_, again=again, progress=tell
        )
    result = report.to_result()
    print_result(
        result,
        format_,
        as_table=lambda: print_lines(
            result, wide=wide, first=("claim", "standing", "measured", "null_mean", "p", "why")
        ),
    )


@command(
    _PANEL,
    "circuitkb claim export > claims.jsonl",
    "circuitkb claim export dog-head-union --format yaml",
    "circuitkb claim export --format bundle --output claims.zip",
)
def export(
    claims: Ids = None,
    format_: Annotated[
        FileFormat,
        typer.Option(
            "--format",
            help="jsonl or yaml: the claims alone; bundle: a zip with their trials, and what it "
            "takes to repeat them; vnnlib: a folder with the statement of a claim that predicts a "
            "proof, and its network as ONNX, for other solvers.",
        ),
    ] = FileFormat.jsonl,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="PATH", help="A new file; without it: standard output."),
    ] = None,
    kb: Store = None,
) -> None:
    """Write claims, with the parts that they break down into."""
    import circuitkb as ckb

    with ckb.open(kb, create=False) as base:
        text = base.claims.export(*(claims or ()), format=format_.value, output=output)
    if output is None:
        typer.echo(text, nl=False)
    else:
        say("written", str(output))


@command(
    _PANEL,
    "circuitkb claim diff before.ckb after.ckb",
    "circuitkb claim diff published.zip circuits.ckb --format json",
)
def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A knowledge base, or a bundle.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="A knowledge base, or a bundle.")],
    format_: Shape = Format.table,
    wide: Wide = False,
) -> None:
    """List the claims that stand otherwise: first those that were supported and no longer are."""
    from circuitkb.claims import comparing

    check_format(format_)
    print_result(comparing.diff(before, after).to_result(), format_, wide=wide)
