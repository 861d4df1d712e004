"""The program, made of the commands of some modules, and how it ends when something goes wrong.

Exit codes: 0 done; 1 a defect of circuitkb; 2 something it refuses or cannot do, or a wrong
option; 130 interrupted; 141 the reader of standard output went away.
"""

from __future__ import annotations

import os
import sys
import warnings
from types import ModuleType
from typing import Annotated, Any

import typer
import typer.core

from circuitkb.cli.options import add_commands
from circuitkb.cli.output import say
from circuitkb.schema.errors import CircuitKBError
from circuitkb.schema.limits import limit_reached
from circuitkb.schema.registry import PluginWarning

DEFECT, REFUSED, INTERRUPTED, PIPE_CLOSED = 1, 2, 130, 141


class _Group(typer.core.TyperGroup):
    """Turns what a command raises into a line on standard error and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except CircuitKBError as error:
            say("error", str(error))
            raise typer.Exit(REFUSED) from None
        except BrokenPipeError:
            _drop_output()
            raise typer.Exit(PIPE_CLOSED) from None
        except KeyboardInterrupt:
            say("interrupted", "what was finished stays, nothing else was written")
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            line = limit_reached(error)
            if line is None:
                raise
            say("error", line)
            raise typer.Exit(REFUSED) from None


def _show_version(wanted: bool) -> None:
    if wanted:
        from circuitkb import __version__

        typer.echo(f"circuitkb {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Options that stand before any command."""


def program(*modules: ModuleType) -> typer.Typer:
    """Return the program with the commands of these modules."""
    app = typer.Typer(
        name="circuitkb",
        cls=_Group,
        help="A knowledge base of the circuits inside neural networks: their weights as a graph, "
        "and what people and searches found in it.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Start with: circuitkb demo",
    )
    app.callback()(_options)
    for module in modules:
        add_commands(app, module)
    return app


def run(app: typer.Typer) -> None:
    """Run the program for a shell, and exit."""
    for stream in (sys.stdout, sys.stderr):
        # An id or a label that the terminal's encoding lacks is shown as its code, not a crash.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # Threads of PyTorch that wait for one another spin at first: for as long as here they lose
    # little where cores are free, and do not take the cores from others for long where not.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # What PyTorch's compiled part warns of, as of a processor it has no kernels for, is no news.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    if not sys.warnoptions and os.environ.get("CIRCUITKB_DEBUG") != "1":
        warnings.simplefilter("ignore")  # Of other packages' code, which a user cannot mend.
        warnings.simplefilter("always", PluginWarning)
        warnings.showwarning = lambda message, *_: say("warning", str(message))
    try:
        app()
    except KeyboardInterrupt:
        say("interrupted", "what was finished stays, nothing else was written")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _drop_output()
        sys.exit(PIPE_CLOSED)
    except Exception as error:
        line = limit_reached(error)
        if line is not None:
            say("error", line)
            sys.exit(REFUSED)
        if os.environ.get("CIRCUITKB_DEBUG") == "1":
            raise
        say(
            "defect",
            f"{type(error).__name__}: {error}\nThis is a defect of circuitkb. Please report it "
            "with the command and the traceback that CIRCUITKB_DEBUG=1 shows.",
        )
        sys.exit(DEFECT)


def _drop_output() -> None:
    """Point standard output at nothing, so that Python's last flush does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
