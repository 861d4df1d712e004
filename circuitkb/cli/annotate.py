"""``circuitkb annotate``: what people say, taken in and kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from circuitkb.cli.options import Format, Store, command, listing
from circuitkb.cli.output import print_result, progress, say
from circuitkb.kb import accepted
from circuitkb.schema.hiding import arrow_without_pandas

if TYPE_CHECKING:
    from circuitkb.annotations.report import ImportReport
    from circuitkb.kb.knowledge_base import KnowledgeBase

_STANDARD_INPUT = "standard input"
_LISTED = 20
"""Rejections and conflicts that are printed one by one."""

Author = Annotated[
    str | None,
    typer.Option(
        "--author",
        envvar="CIRCUITKB_AUTHOR",
        metavar="ID",
        help="Who says it, as in ada or https://orcid.org/0000-...",
        rich_help_panel="Who",
    ),
]
License = Annotated[
    str | None,
    typer.Option(
        "--license",
        envvar="CIRCUITKB_LICENSE",
        metavar="SPDX",
        help="Licence, as in CC-BY-4.0 or CC0-1.0; without one it is not exported.",
        rich_help_panel="Who",
    ),
]

# Not from the environment: who imports is seldom who said it, and cannot give it a licence.
SaidBy = Annotated[
    str | None,
    typer.Option(
        "--author",
        metavar="ID",
        help="Who says it, where the file names nobody: ada, or https://orcid.org/0000-...",
        rich_help_panel="Who",
    ),
]
UnderLicense = Annotated[
    str | None,
    typer.Option(
        "--license",
        metavar="SPDX",
        help="Licence, where the file names none; without one it is not exported.",
        rich_help_panel="Who",
    ),
]


class AuthorKind(StrEnum):
    """What an author is."""

    human = "human"
    group = "group"
    model = "model"
    tool = "tool"


class Sign(StrEnum):
    """The sign of an edge, as somebody sees it."""

    excitatory = "excitatory"
    inhibitory = "inhibitory"
    mixed = "mixed"


class Verdict(StrEnum):
    """What a review says."""

    agree = "agree"
    disagree = "disagree"
    unsure = "unsure"


AuthorType = Annotated[
    AuthorKind | None,
    typer.Option("--author-type", help="What the author is.", rich_help_panel="Who"),
]


group = typer.Typer(
    name="annotate",
    help="Labels and opinions of many people: import, add, compare, share.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: circuitkb annotate import FILE",
)


@command(
    "Take in",
    "circuitkb annotate import labels.jsonl",
    "circuitkb annotate import sheet.csv --author ada --unit-base 0 --model inceptionv1",
    "circuitkb annotate import tally.csv --format netdissect --model resnet18 "
    "--layer layer4.1.relu_1 --dry-run",
    name="import",
    cls=listing(format_=accepted.annotation_formats),
)
def import_(
    file: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Files of annotations; - is standard input."),
    ],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Their format, which is recognised without it: {}.",
        ),
    ] = None,
    author: SaidBy = None,
    author_type: AuthorType = None,
    license_: UnderLicense = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="The model, where the file names none."),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option("--layer", metavar="NAME", help="The layer, where the file names none."),
    ] = None,
    unit_base: Annotated[
        int | None,
        typer.Option(
            "--unit-base",
            min=0,
            max=1,
            help="Number of a layer's first unit in a table that has a column of units.",
        ),
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option("--vocabulary", metavar="NAME", help="List that the labels come from."),
    ] = None,
    created: Annotated[
        str | None,
        typer.Option("--created", metavar="DATE", help="When it was said: 2026-11-23."),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="URI", help="Where it stands.")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Leave refused records out, and write the others.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
    kb: Store = None,
) -> None:
    """Read annotations from files, all or none.

    Every record is checked first: against the schema, and against the networks that are here. The
    same record again changes nothing, in whatever order files come. What speaks of a model or an
    annotation that is not here yet waits for it.
    """
    import circuitkb as ckb

    # A million records go through as much as this; more would only put off collecting garbage.
    os.environ.setdefault("CIRCUITKB_ENGINE_MB", "600")
    with ckb.open(kb, create=not dry_run) as base, progress() as tell, _files(file) as paths:
        try:
            report = base.annotate.import_files(
                *paths,
                format=format_,
                author=author,
                author_type=author_type.value if author_type else None,
                model=model,
                layer=layer,
                vocabulary=vocabulary,
                license=license_,
                created=created,
                source=source,
                unit_base=unit_base,  # type: ignore[arg-type]  # 0 or 1: the option sees to it
                partial=partial,
                dry_run=dry_run,
                progress=tell,
            )
        except ckb.errors.AnnotationError as error:
            _print(error.report, json_=json_)
            raise
    _print(report, json_=json_)
    if report.refused:
        raise typer.Exit(2)


@command(
    "Take in",
    "circuitkb annotate add inceptionv1/mixed4b:418 'dog head, any pose' --author ada",
    "circuitkb annotate add 'inceptionv1/mixed4a:308 -> inceptionv1/mixed4b:418' "
    "'left view' --sign excitatory --author ada",
    name="add",
)
def label(
    target: Annotated[
        str,
        typer.Argument(metavar="FEATURE", help="A feature, an edge 'A -> B', or a circuit."),
    ],
    text: Annotated[str, typer.Argument(metavar="LABEL", help="What it is.")],
    author: Author = None,
    author_type: AuthorType = None,
    license_: License = None,
    vocabulary: Annotated[
        str | None,
        typer.Option("--vocabulary", metavar="NAME", help="List that the label comes from."),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option("--confidence", min=0, max=1, help="From 0 to 1; nothing is not 1."),
    ] = None,
    sign: Annotated[
        Sign | None, typer.Option("--sign", help="Of an edge: what it does to its target.")
    ] = None,
    supersedes: Annotated[
        list[str] | None,
        typer.Option(
            "--supersedes", metavar="ID", help="A label of yours that this one takes the place of."
        ),
    ] = None,
    kb: Store = None,
) -> None:
    """Label one feature, one edge or one circuit.

    The label remembers the weights that it was made on. Several labels of one feature stand side
    by side; to correct one of yours, name it with --supersedes.
    """
    with _opened(kb) as base:
        report = base.annotate.add(
            target,
            text,
            author=author,
            author_type=author_type.value if author_type else "human",
            vocabulary=vocabulary,
            confidence=confidence,
            sign=sign.value if sign else None,
            license=license_,
            supersedes=supersedes or (),
        )
    _print_one(report, f"circuitkb annotate history {quote(target)}")


Annotation = Annotated[str, typer.Argument(metavar="ID", help="Id of the annotation.")]
Reason = Annotated[
    str | None, typer.Option("--text", metavar="TEXT", help="Why, for those who read it later.")
]


@command(
    "Take in",
    "circuitkb annotate review ckb:0123456789abcdef0123456789abcdef disagree "
    "--text 'it answers to cats too' --author grace",
)
def review(
    id_: Annotation,
    verdict: Annotated[Verdict, typer.Argument(help="What you say of it.")],
    text: Reason = None,
    author: Author = None,
    license_: License = None,
    kb: Store = None,
) -> None:
    """Agree or disagree with what somebody said.

    A review counts as a rating: of a label that you agree with, as if you had given it. It takes
    the place of what you said of the same annotation before.
    """
    with _opened(kb) as base:
        report = base.annotate.review(
            id_, verdict.value, text=text, author=author, license=license_
        )
    _print_one(report, f"circuitkb annotate history {id_}")


@command(
    "Take in",
    "circuitkb annotate retract ckb:0123456789abcdef0123456789abcdef --author ada",
)
def retract(
    id_: Annotation,
    text: Reason = None,
    author: Author = None,
    license_: License = None,
    kb: Store = None,
) -> None:
    """Take back what you said, for good: no import brings it to life again."""
    with _opened(kb) as base:
        report = base.annotate.retract(id_, text=text, author=author, license=license_)
    _print_one(report, f"circuitkb annotate history {id_}")


@contextmanager
def _opened(kb: str | None) -> Iterator[KnowledgeBase]:
    """Open a knowledge base for one row, which takes less than to import pandas."""
    import circuitkb as ckb

    arrow_without_pandas()
    with ckb.open(kb, create=False) as base:
        yield base


@contextmanager
def _files(given: list[Path]) -> Iterator[list[Path]]:
    """Give the files; standard input as one of them."""
    if Path("-") not in given:
        yield given
        return
    with TemporaryDirectory(prefix="circuitkb-") as folder:
        copy = Path(folder) / _STANDARD_INPUT
        import circuitkb as ckb
        from circuitkb.annotations.standard_input import keep

        try:
            keep(sys.stdin.buffer, copy)
            yield [copy if path == Path("-") else path for path in given]
        except ckb.errors.CircuitKBError as error:
            error.args = (str(error).replace(str(copy), copy.name),)
            raise


def _print_one(report: ImportReport, look: str) -> None:
    if not report.written:
        say("note", "it was here already: nothing was changed")
    elif report.conflicting:
        say("note", "another record stands under its id: both are kept")
    else:
        say("done", f"written. To look at it: {look}")


def _print(report: ImportReport, *, json_: bool) -> None:
    if json_:
        from circuitkb.results.text import to_json

        typer.echo(to_json(report.to_dict(), indent=2))
        return
    print_result(report.to_result(), Format.table)
    _tell(report.rejections, report.rejected, "refused")
    _tell(report.conflicts, report.conflicting, "conflict")
    for model, count in report.unknown_models.items():
        say("note", f"{count:,} speak of {model}, which is not here: they wait until it is loaded")
    for circuit in report.contested_circuits:
        say("note", f"circuit {circuit} has other members in other records: all are kept")
    if report.without_fingerprint:
        say(
            "note",
            f"{report.without_fingerprint:,} do not say which weights they were made on: nobody "
            "can tell when they are stale",
        )
    if report.dry_run:
        say("note", "a dry run: nothing was written")


def _tell(places: Sequence[Any], count: int, word: str) -> None:
    for place in places[:_LISTED]:
        file = _STANDARD_INPUT if Path(place.file).name == _STANDARD_INPUT else place.file
        say(word, f"{file}:{place.line}: {place.reason}")
    if count > _LISTED:
        say("note", f"and {count - _LISTED:,} more; --json has up to a thousand of them")
