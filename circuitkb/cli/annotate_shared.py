"""``circuitkb annotate``: what a group makes of its annotations, and how it shares them."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from circuitkb.cli.options import Format, Limit, Shape, Store, Timeout, Wide, command
from circuitkb.cli.output import check_format, print_result, progress, say

if TYPE_CHECKING:
    from circuitkb.results.result import Result

_SECONDS = 30.0
_WORKBOOKS = (".xlsx", ".xls", ".ods")

Models = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="NAME", help="Only this model; may be repeated."),
]
Layers = Annotated[
    list[str] | None,
    typer.Option("--layer", metavar="NAME", help="Only this layer; may be repeated."),
]
WithNoAssertion = Annotated[
    bool,
    typer.Option("--with-noassertion", help="Take along records that nobody gave a licence."),
]


class Rule(StrEnum):
    """When raters agree."""

    majority = "majority"
    unanimous = "unanimous"
    any = "any"


class Kind(StrEnum):
    """What a record is."""

    label = "label"
    role = "role"
    claim = "claim"
    comment = "comment"
    review = "review"
    retraction = "retraction"


class FileFormat(StrEnum):
    """What an export writes."""

    jsonl = "jsonl"
    csv = "csv"
    web_annotation = "web-annotation"
    bundle = "bundle"


@command(
    "Compare",
    "circuitkb annotate disagreements",
    "circuitkb annotate disagreements --model inceptionv1 --format csv > disagreements.csv",
)
def disagreements(
    model: Models = None,
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="TEXT", help="Only where somebody says this."),
    ] = None,
    timeout: Timeout = _SECONDS,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """List what annotators say differently of one thing, side by side.

    Labels of one feature that mean different concepts, reviews that disagree, edits of one label
    that go apart, and ids that stand for two statements. Nothing is averaged.
    """
    import circuitkb as ckb

    check_format(format_)
    parameters = {"models": model or [], "label": label or ""}
    with ckb.open(kb, create=False) as base:
        asked = base.ask(
            "disagreements", parameters=parameters, timeout=timeout, limit=format_.limit(limit)
        )
        notes = asked.result.notes
        waits = [note for note in base.annotate.waiting(models=model) if note not in notes]
    result = replace(asked.result, notes=(*waits, *notes))
    print_result(result, format_, wide=wide, hidden=())


@command(
    "Compare",
    "circuitkb annotate agreement",
    "circuitkb annotate agreement --model inceptionv1 --layer mixed3b --format json",
)
def agreement(
    model: Models = None,
    layer: Layers = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the resampling.")] = 0,
    resamples: Annotated[
        int, typer.Option("--resamples", min=100, metavar="N", help="Of the interval.")
    ] = 1000,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Say how far raters agree: Krippendorff's alpha, for each concept and overall.

    With a 95% bootstrap interval over units; humans alone, and all raters. No figure stands where
    fewer than two raters looked at the same units.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        report = base.annotate.agreement(models=model, layers=layer, seed=seed, resamples=resamples)
    shown = _first(report.to_result(), format_.limit(limit))
    print_result(shown, format_, wide=wide, hidden=("waiting",))


@command(
    "Compare",
    "circuitkb annotate consensus --rule unanimous --least-raters 3",
)
def consensus(
    model: Models = None,
    layer: Layers = None,
    rule: Annotated[
        Rule, typer.Option("--rule", help="More than half of the raters, all of them, or any.")
    ] = Rule.majority,
    least_raters: Annotated[
        int, typer.Option("--least-raters", min=1, metavar="N", help="Raters that a unit needs.")
    ] = 2,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Show what raters agree on, by a rule that is stated; nothing is stored."""
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        result = base.annotate.consensus(
            models=model, layers=layer, rule=rule.value, least_raters=least_raters
        )
    shown = _first(result, format_.limit(limit))
    print_result(shown, format_, wide=wide, hidden=("rule", "model", "layer", "unit"))


@command(
    "Compare",
    "circuitkb annotate history inceptionv1/mixed4b:418",
    "circuitkb annotate history ckb:0123456789abcdef0123456789abcdef",
)
def history(
    id_: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="An annotation, a feature, an edge 'A -> B', or a circuit."
        ),
    ],
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Show everything that was said of a thing or under an id, and what became of it."""
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        result = base.annotate.history(id_)
    shown = _first(result, format_.limit(limit))
    print_result(shown, format_, wide=wide, hidden=("records", "license", "method"))


@command(
    "Compare",
    "circuitkb annotate vocabulary --suggest",
    "circuitkb annotate vocabulary our-words.csv",
)
def vocabulary(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A table: concept,label,vocabulary and measures."),
    ] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="List labels that look alike; nothing is declared.")
    ] = False,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Declare which labels mean the same concept, and what would measure it.

    Without a file, and with --suggest, it lists labels that look alike, for you to decide.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        if file is None or suggest:
            found = _first(base.annotate.suggestions(), format_.limit(limit))
            print_result(found, format_, wide=wide, hidden=())
            return
        report = base.annotate.declare(file)
    result = _first(report.to_result(), format_.limit(limit))
    print_result(result, format_, wide=wide, hidden=())


@command(
    "Share",
    "circuitkb annotate export labels.jsonl",
    "circuitkb annotate export labels.csv --author ada",
    "circuitkb annotate export for-other-lab.zip --format bundle --model inceptionv1",
)
def export(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    format_: Annotated[
        FileFormat | None,
        typer.Option("--format", help="What to write; without it, by the ending of the name."),
    ] = None,
    model: Models = None,
    layer: Layers = None,
    author: Annotated[
        list[str] | None,
        typer.Option("--author", metavar="ID", help="Only this author; may be repeated."),
    ] = None,
    kind: Annotated[
        list[Kind] | None,
        typer.Option("--kind", help="Only this kind, as in label."),
    ] = None,
    license_: Annotated[
        list[str] | None,
        typer.Option("--license", metavar="SPDX", help="Only this licence; may be repeated."),
    ] = None,
    with_noassertion: WithNoAssertion = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file if it is there.")
    ] = False,
    kb: Store = None,
) -> None:
    """Write annotations into a file: every record, also what was superseded or retracted.

    JSON Lines read back without loss; csv is for spreadsheets, web-annotation is W3C's JSON-LD, a
    bundle is a zip with licences and checksums that another lab imports with one command.
    """
    import circuitkb as ckb

    if format_ is None and target.suffix.lower() in _WORKBOOKS:
        raise ckb.errors.StoreError(
            f"{target} would be a workbook, which is not written here. Spreadsheets read "
            f"{target.with_suffix('.csv')}; for another format, name it with --format."
        )
    endings = {".csv": "csv", ".zip": "bundle", ".jsonld": "web-annotation"}
    chosen = format_.value if format_ else endings.get(target.suffix.lower(), "jsonl")
    with ckb.open(kb, create=False) as base, progress() as tell:
        report = base.annotate.export(
            target,
            FileFormat(chosen).value,
            models=model,
            layers=layer,
            authors=author,
            kinds=[each.value for each in kind] if kind else None,
            licenses=license_,
            with_noassertion=with_noassertion,
            overwrite=overwrite,
            progress=tell,
        )
    for note in report.notes:
        say("note", note)


@command(
    "Share",
    "circuitkb annotate sync labels/ && git -C labels add . && git -C labels commit",
)
def sync(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of JSON Lines files.")],
    with_noassertion: WithNoAssertion = False,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Take in what a folder has, and write into it what was added here: for a folder in git.

    Each author has one sorted file, so that branches merge without conflicts.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb) as base, progress() as tell:
        report = base.annotate.sync(folder, with_noassertion=with_noassertion, progress=tell)
    print_result(report.to_result(), format_, wide=wide, hidden=())
    if report.wrote.left_behind:
        say(
            "note",
            f"{report.wrote.left_behind:,} records without a licence stayed behind: give them one "
            "with --license when they are added, or take them along with --with-noassertion",
        )


def _first(result: Result, limit: int) -> Result:
    """Return the first rows of a result that was computed whole."""
    if len(result) <= limit:
        return result
    return replace(result, rows=result.rows[:limit], truncated=True)
