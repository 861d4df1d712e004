"""Options that several commands share, so that they read alike everywhere."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from enum import StrEnum
from types import ModuleType
from typing import Annotated, Any, NamedTuple, TypeVar

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

TABLE_LIMIT = 100
"""Rows of a printed table, if the user does not say."""

DATA_LIMIT = 10_000
"""Rows of JSON, CSV or Arrow, if the user does not say."""


class Format(StrEnum):
    """How a list is printed."""

    table = "table"
    json = "json"
    csv = "csv"
    arrow = "arrow"

    def limit(self, asked: int | None) -> int:
        """Return the number of rows to ask for."""
        if asked is not None:
            return asked
        return TABLE_LIMIT if self is Format.table else DATA_LIMIT


Run = TypeVar("Run", bound=Callable[..., None])


class _Command(NamedTuple):
    run: Callable[..., None]
    panel: str
    examples: tuple[str, ...]
    name: str
    cls: type[TyperCommand] | None


_COMMANDS: dict[str, list[_Command]] = {}
"""The commands of each module, in the order in which they stand there."""


def command(
    panel: str, *examples: str, name: str = "", cls: type[TyperCommand] | None = None
) -> Callable[[Run], Run]:
    """Make a function a command: its help is its docstring, and ends with commands to copy.

    It is called as the function is, unless Python has the ``name`` for something else.
    """

    def mark(run: Run) -> Run:
        made = _Command(run, panel, examples, name or run.__name__, cls)
        _COMMANDS.setdefault(run.__module__, []).append(made)
        return run

    return mark


def listing(**parts: Callable[[], str]) -> type[TyperCommand]:
    """Return a command whose help says ``{}`` of a parameter by what a function returns.

    The function is called only where the help is shown, as it lists what other packages add.
    """

    class Listing(TyperCommand):
        def format_help(self, ctx: Any, formatter: Any) -> None:
            for parameter in self.params:
                if parameter.name in parts and isinstance(parameter, TyperArgument | TyperOption):
                    parameter.help = str(parameter.help).replace("{}", parts[parameter.name]())
            super().format_help(ctx, formatter)

    return Listing


def add_commands(app: typer.Typer, module: ModuleType) -> None:
    """Add the commands of a module to a program, or to a group of one."""
    for item in _COMMANDS[module.__name__]:
        paragraphs = inspect.cleandoc(item.run.__doc__ or "").split("\n\n")
        lines = "\n".join(example.replace("[", r"\[") for example in item.examples)
        app.command(
            item.name,
            cls=item.cls,
            help="\n\n".join(" ".join(text.split()) for text in paragraphs),
            rich_help_panel=item.panel,
            epilog=f"[bold]Examples[/bold]\n{lines}",
        )(item.run)


def _positive_seconds(value: float) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise typer.BadParameter("must be a number of seconds above 0")
    return value


Store = Annotated[
    str | None,
    typer.Option(
        "--kb",
        envvar="CIRCUITKB",
        metavar="STORE",
        help="The knowledge base: a path, or bolt://HOST. Without it: ./circuits.ckb.",
        rich_help_panel="Everywhere",
    ),
]
Model = Annotated[str | None, typer.Option("--model", metavar="NAME", help="Only this model.")]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        metavar="N",
        help=f"At most N rows. Without it: {TABLE_LIMIT} in a table, {DATA_LIMIT:,} otherwise.",
        rich_help_panel="Output",
    ),
]
Shape = Annotated[
    Format,
    typer.Option(
        "--format",
        help="How to print the rows; arrow is an IPC stream, for a file or a program.",
        rich_help_panel="Output",
    ),
]
Wide = Annotated[
    bool,
    typer.Option(
        "--wide",
        help="Show every column in a table, however wide.",
        rich_help_panel="Output",
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        callback=_positive_seconds,
        help="Stop the query after this time.",
    ),
]
Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="SOURCE",
        help="Where its weights are now, if not where they were loaded from.",
    ),
]
Architecture = Annotated[
    str | None,
    typer.Option(
        "--arch",
        metavar="ARCHITECTURE",
        help="What a checkpoint's weights belong to, if not what it was loaded with; a Python "
        "file (FILE.py:FUNCTION) runs only where you name it.",
    ),
]
Shard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="N/OF",
        help="Take only this share of the models, or pairs: one job of a batch system.",
    ),
]
Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Processes for several models, ray, or ray:HOST:PORT. Without it: as many as cores "
        "and free memory allow.",
    ),
]
