"""``circuitkb query`` and ``circuitkb ask``."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from circuitkb.cli.options import Format, Limit, Shape, Store, Timeout, Wide, command
from circuitkb.cli.output import check_format, print_lines, print_result, say
from circuitkb.queries.questions.values import read_value
from circuitkb.schema.errors import UnknownQuestionError

if TYPE_CHECKING:
    from circuitkb.kb.knowledge_base import KnowledgeBase
    from circuitkb.results.reports import Asked
    from circuitkb.results.result import Result

SECONDS = 30.0

Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        help="Value of $NAME; may be repeated. A value that is JSON counts as such (2.5, true, "
        'null, "text", lists); any other is text.',
    ),
]

ShowCypher = Annotated[
    bool, typer.Option("--cypher", help="Show the Cypher that ran, and its parameters.")
]


@command(
    "Ask",
    "circuitkb query 'MATCH (m:Model) RETURN m.id, m.features'",
    "circuitkb query 'MATCH (a)-[w:WEIGHT]->(b:Feature {id: $unit}) "
    "RETURN a.id, w.positive ORDER BY w.rank' -p unit=inceptionv1/mixed4b:418",
    "circuitkb query - --format csv < question.cypher > rows.csv",
)
def query(
    cypher: Annotated[
        str, typer.Argument(metavar="CYPHER", help="The query; - reads it from standard input.")
    ],
    parameter: Parameters = None,
    show: ShowCypher = False,
    timeout: Timeout = SECONDS,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Run a Cypher query that only reads, within a time and a number of rows.

    A node without a label gets the one that the schema gives the ends of its relations: an engine
    then begins there and not at every node. --cypher shows it on standard error.
    """
    import circuitkb as ckb

    check_format(format_)
    parameters = read_parameters(parameter or ())
    text = sys.stdin.read() if cypher == "-" else cypher
    with ckb.open(kb, create=False) as base:
        result = base.query(text, parameters, timeout=timeout, limit=format_.limit(limit))
        years = _years(base, result, format_)
    if show:
        _show_cypher(result.cypher, [_stated(*item) for item in parameters.items()])
    print_result(result, format_, as_table=partial(print_lines, result, wide=wide, years=years))


@command(
    "Ask",
    "circuitkb ask --list",
    "circuitkb ask 'find all circuits unioning left/right orientation detectors across models'",
    "circuitkb ask union --format json",
)
def ask(
    question: Annotated[
        str | None,
        typer.Argument(metavar="[QUESTION]", help="A sentence, or a name from --list."),
    ] = None,
    parameter: Parameters = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List the questions that can be asked.")
    ] = False,
    held: Annotated[
        bool,
        typer.Option("--held", help="Only what held its trial; short for -p trial=held."),
    ] = False,
    show: ShowCypher = False,
    timeout: Timeout = SECONDS,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Ask a question of the catalogue, by name or by sentence.

    How it was understood goes to standard error, the answer to standard output.
    """
    import circuitkb as ckb

    check_format(format_)
    if list_ or question is None:
        _list_questions(format_, wide=wide)
        return
    parameters = read_parameters(parameter or ())
    if held:
        parameters = {**parameters, "trial": "held"}
    with ckb.open(kb, create=False) as base:
        try:
            asked = base.ask(
                question, parameters=parameters, timeout=timeout, limit=format_.limit(limit)
            )
        except UnknownQuestionError as error:
            raise UnknownQuestionError(_of_store(str(error), kb)) from None
        years = _years(base, asked.result, format_)
    say("question", f"{asked.question.name}: {asked.question.title}")
    _show_cypher(asked.cypher if show else "", _worth_saying(asked, all_of_them=show))
    table = partial(print_lines, asked.result, wide=wide, first=asked.question.table, years=years)
    print_result(asked.result, format_, as_table=table)
    if not show:
        say("note", "--cypher shows the query that ran")


def _of_store(message: str, kb: str | None) -> str:
    """Give the commands that a refusal proposes the store that was named, so that they run."""
    if kb is None or kb == os.environ.get("CIRCUITKB"):
        return message
    return re.sub(
        r"^  circuitkb ask (\S+)",
        lambda found: f"  circuitkb ask {found[1]} --kb {shlex.quote(kb)}",
        message,
        flags=re.MULTILINE,
    )


def _show_cypher(text: str, stated: Sequence[str]) -> None:
    """Say what ran, and with which parameters, as far as there is any of it."""
    if text:
        typer.echo(text.rstrip(), err=True)
    if stated:
        say("parameters", ", ".join(stated))


def _stated(name: str, value: Any) -> str:
    return f"{name}={json.dumps(value, ensure_ascii=False, default=str)}"


def _worth_saying(asked: Asked, *, all_of_them: bool) -> list[str]:
    """Return the parameters with their values; those that leave the answer open, only if all."""
    known = asked.question.parameters
    return [
        _stated(name, value)
        for name, value in asked.parameters.items()
        if all_of_them or value != known[name].default or known[name].type == "integer"
    ]


def _years(base: KnowledgeBase, result: Result, format_: Format) -> dict[str, str]:
    """Return when those annotated first that the rows name with several authors."""
    from circuitkb.cli.line_tables import authors

    names = authors(result.rows) if format_ is Format.table else []
    if not names:
        return {}
    found = base.query(
        "MATCH (n:Annotation)-[:BY]->(a:Annotator) WHERE a.name IN $names "
        "RETURN a.name AS name, min(n.created) AS created ORDER BY name",
        {"names": names},
    )
    return {name: str(created or "")[:4] for name, created in found.rows}


def _list_questions(format_: Format, *, wide: bool) -> None:
    from circuitkb.queries.questions.own_questions import every_question
    from circuitkb.results.result import Result

    columns = ("question", "asks", "parameters", "example", "file")
    rows = tuple(
        (item.name, item.title, tuple(item.parameters), item.example, item.origin or None)
        for item in every_question()
    )
    listed = Result(columns, rows)
    table = partial(print_lines, listed, wide=wide, first=("question", "asks"))
    print_result(listed, format_, as_table=table)


def read_parameters(texts: Sequence[str]) -> dict[str, Any]:
    """Read ``name=value`` texts; a value that is no JSON is text.

    Examples
    --------
    >>> read_parameters(["t=0.5", "unit=inceptionv1/mixed4b:418", 'label="2"', "ranks=[1, 2]"])
    {'t': 0.5, 'unit': 'inceptionv1/mixed4b:418', 'label': '2', 'ranks': [1, 2]}
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise typer.BadParameter(
                f"{text!r} is not written NAME=VALUE, as in -p t=0.5", param_hint="-p"
            )
        if name in found:
            raise typer.BadParameter(f"${name} is given twice", param_hint="-p")
        found[name] = read_value(value)
    return found
