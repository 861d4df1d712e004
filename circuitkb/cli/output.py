"""What goes where: results to standard output, everything else to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from circuitkb.cli.options import Format
from circuitkb.kb.accepted import runs_python
from circuitkb.results.harmless_text import for_terminal
from circuitkb.schema.progress import Progress, silent

if TYPE_CHECKING:
    from rich import progress as bars
    from rich.console import Console

    from circuitkb.results.result import Result

PLAIN_WIDTH = 120
"""Columns of a table that goes to a file or a program."""

_STYLES = {
    "error": "bold red",
    "defect": "bold red",
    "interrupted": "yellow",
    "note": "cyan",
    "refused": "red",
    "conflict": "yellow",
    "done": "green",
}


def say(kind: str, text: str) -> None:
    """Print a line that is no result: ``kind: text``, to standard error."""
    from rich.console import Console
    from rich.text import Text

    # A message is one line however narrow the terminal is, so that it can be searched for.
    console = Console(stderr=True, soft_wrap=True)
    style = _STYLES.get(kind, "bold")
    console.print(Text.assemble((kind, style), ": ", for_terminal(text)))


def say_what_runs(*given: str | None) -> None:
    """Say which Python file of the user's is about to run, if any was given."""
    for text in given:
        if text is not None and runs_python(text):
            say("note", f"running {text}, which is Python code of yours.")


def check_format(format_: Format) -> None:
    """Refuse to write bytes to a terminal, before any work is done for it."""
    if format_ is Format.arrow and sys.stdout.isatty():
        raise typer.BadParameter(
            "arrow is binary: send it to a file or a program, as in > rows.arrow",
            param_hint="--format",
        )


def console() -> Console:
    """Return standard output as wide as its terminal, as COLUMNS says, or :data:`PLAIN_WIDTH`."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PLAIN_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def print_rows(
    result: Result, *, wide: bool = False, hidden: Collection[str] | None = None
) -> None:
    """Print rows to be read; ``wide`` shows every column and folds none."""
    from circuitkb.cli.tables import layout

    if not result.rows:
        say("note", "no rows")
        return
    out = console()
    shown = layout(result.columns, result.rows, None if wide else out.width, hidden=hidden)
    if wide:
        out.width = 1_000_000
    out.print(shown)


def print_lines(
    result: Result,
    *,
    wide: bool = False,
    hidden: Collection[str] = (),
    first: Sequence[str] = (),
    years: Mapping[str, str] | None = None,
) -> None:
    """Print rows to be read, one on a line, and say what was left out for that.

    See :func:`circuitkb.cli.line_tables.line_table`; ``wide`` shows all of every column.
    """
    from circuitkb.cli.line_tables import line_table

    if wide or not result.rows:
        print_rows(result, wide=wide)
        return
    out = console()
    table = line_table(
        result.columns, result.rows, out.width, hidden=hidden, first=first, years=years
    )
    out.print(table.shown)
    sys.stdout.flush()
    if table.left_out:
        say("note", f"no room for {', '.join(table.left_out)}; --wide shows every column, whole")
    elif table.cut:
        say("note", "some texts are cut (…, +n): --wide shows them whole")


def print_result(
    result: Result,
    format_: Format,
    *,
    wide: bool = False,
    hidden: Collection[str] | None = None,
    records: list[dict[str, Any]] | None = None,
    as_table: Callable[[], None] | None = None,
) -> None:
    """Print rows and what a reader must know about them.

    Parameters
    ----------
    hidden
        Columns that a table shows only if ``wide``, as it does empty ones; None hides none.
    records
        Stand in for the rows in JSON, where JSON can tell more.
    as_table
        Prints the rows as a table, if not :func:`print_rows` does.
    """
    if format_ is Format.json:
        from circuitkb.results.text import to_json

        typer.echo(to_json(result.to_dicts() if records is None else records, indent=2))
    elif format_ is Format.csv:
        typer.echo(result.to_csv(), nl=False)
    elif format_ is Format.arrow:
        import pyarrow as pa

        table = result.to_arrow()
        with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
            stream.write_table(table)
    elif as_table is not None:
        as_table()
    else:
        print_rows(result, wide=wide, hidden=hidden)
    sys.stdout.flush()
    for note in result.notes:
        say("note", note)
    if result.truncated:
        say("note", f"{len(result):,} rows shown, and there are more: raise --limit")


@contextmanager
def progress() -> Iterator[Progress]:
    """Give a callback that draws a bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield silent
        return

    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield _Bars(shown)


class _Bars:
    """A bar; or one for each of several things that go on at once, which leaves when it is full."""

    def __init__(self, shown: bars.Progress) -> None:
        self._shown = shown
        self._first = shown.add_task("starting", total=1.0)

    def __call__(self, doing: str, done: float) -> None:
        self._tell(self._first, doing, done, shown=True)

    def each(self, count: int) -> list[Progress]:
        if count == 1:
            return [self]

        def of(bar: bars.TaskID) -> Progress:
            def tell(doing: str, done: float) -> None:
                self._shown.update(self._first, visible=False)
                self._tell(bar, doing, done, shown=done < 1)

            return tell

        return [of(self._shown.add_task("", total=1.0, visible=False)) for _ in range(count)]

    def _tell(self, bar: bars.TaskID, doing: str, done: float, *, shown: bool) -> None:
        share = min(max(done, 0.0), 1.0)
        self._shown.update(bar, description=for_terminal(doing), completed=share, visible=shown)
