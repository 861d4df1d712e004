"""``circuitkb query`` and ``circuitkb ask``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from circuitkb.cli.options import Format, Limit, Shape, Store, Timeout, Wide, command
from circuitkb.cli.output import check_format, print_result, say

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
    timeout: Timeout = SECONDS,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Run a Cypher query that only reads, within a time and a number of rows."""
    import circuitkb as ckb

    check_format(format_)
    parameters = read_parameters(parameter or ())
    text = sys.stdin.read() if cypher == "-" else cypher
    with ckb.open(kb, create=False) as base:
        result = base.query(text, parameters, timeout=timeout, limit=format_.limit(limit))
    print_result(result, format_, wide=wide)


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
    timeout: Timeout = SECONDS,
    limit: Limit = None,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Ask a question of the catalogue, by name or by sentence; shows the Cypher that it ran.

    The Cypher and its parameters go to standard error, the answer to standard output.
    """
    import circuitkb as ckb

    check_format(format_)
    if list_ or question is None:
        _list_questions(format_, wide=wide)
        return
    parameters = read_parameters(parameter or ())
    with ckb.open(kb, create=False) as base:
        asked = base.ask(
            question, parameters=parameters, timeout=timeout, limit=format_.limit(limit)
        )
    say("question", asked.understood)
    typer.echo(asked.cypher.rstrip(), err=True)
    for name, value in asked.parameters.items():
        say(f"${name}", json.dumps(value, ensure_ascii=False, default=str))
    print_result(asked.result, format_, wide=wide, hidden=())


def _list_questions(format_: Format, *, wide: bool) -> None:
    from circuitkb.queries.questions.own_questions import every_question
    from circuitkb.results.result import Result

    columns = ("question", "asks", "parameters", "example", "file")
    rows = tuple(
        (item.name, item.title, tuple(item.parameters), item.example, item.origin or None)
        for item in every_question()
    )
    print_result(Result(columns, rows), format_, wide=wide)


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
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueError(constant)  # NaN and Infinity are no JSON, though Python reads them.

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return text
