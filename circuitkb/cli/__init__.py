"""The command line. It calls the facade and nothing below it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

_HOMES = {
    **dict.fromkeys(("ask", "query"), "question"),
    **dict.fromkeys(("circuits", "edges", "features", "list", "models", "show"), "browse"),
}
"""The module of each command that only asks."""

_ALONE = {**_HOMES, "load": "load"}
"""The modules whose commands run without the import of any other command."""

_ASKING = {*_HOMES, *(f"annotate {verb}" for verb in ("add", "history", "retract", "review"))}
"""Commands that ask and do little else: what they ask starts while they are imported."""

__all__ = ["main"]


def main() -> None:
    """Run the command line; the entry point of ``circuitkb``."""
    _, *arguments = sys.argv
    asks = _ASKING & {" ".join(arguments[:1]), " ".join(arguments[:2])}
    if asks and not {"-h", "--help", "--list"} & set(arguments):
        from circuitkb.kb.preparing import prepare

        prepare(_store_among(arguments))
    from circuitkb.cli.program import program, run

    if arguments and arguments[0] in _ALONE:
        run(program(import_module(f"circuitkb.cli.{_ALONE[arguments[0]]}")))
    elif arguments and arguments[0] == "annotate":
        from circuitkb.cli.annotating import alone

        run(alone())
    else:
        from circuitkb.cli.app import app

        run(app)


def _store_among(arguments: Sequence[str]) -> str | None:
    """Return the store that options name, as far as that can be told without reading them all.

    Examples
    --------
    >>> _store_among(["models", "--kb", "zoo.ckb"]), _store_among(["models", "--kb=zoo.ckb"])
    ('zoo.ckb', 'zoo.ckb')
    """
    found = None
    for option, value in zip(arguments, [*arguments[1:], None], strict=True):
        if option == "--kb":
            found = value
        elif option.startswith("--kb="):
            found = option.removeprefix("--kb=")
    return found
