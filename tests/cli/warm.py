"""Runs of the program: in a new process, or in one forked from a process that is warm.

A forked run is a process of its own in all that a test may see: exit code, streams, folder,
variables, locks. Only the seconds in which PyTorch and others are imported are spent once.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

IMPORTED = [
    "circuitkb.cli.app",
    "circuitkb.kb.knowledge_base",
    "circuitkb.loaders.composition.network",
    "circuitkb.observation.measures.orientation",
    "circuitkb.kb.observe",
    "circuitkb.kb.find",
    "circuitkb.stores.embedded.store",
    "networkx",
    "onnx2torch",
    "pandas",
    "rich.table",
    "scipy.stats",
    "torch._dynamo",
    "torch._export.passes",
    "torch._functorch.aot_autograd",
    "torch._inductor",
    "typer.rich_utils",
]
"""What commands import when they need it: most of the seconds of a short one."""

NOT_PASSED_ON = ("CIRCUITKB", "PYTEST", "COLUMNS", "FORCE_COLOR")
SECONDS = 120

Ended = tuple[int, bytes, bytes]
"""An exit code, standard output, standard error."""


def variables() -> dict[str, str]:
    """Return the variables of this process without those that change what the program says."""
    return {name: text for name, text in os.environ.items() if not name.startswith(NOT_PASSED_ON)}


def run_anew(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: bytes
) -> Ended:
    """Run the program as a shell does."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: bytes
) -> Ended:
    """Run the program in a process forked from one that has imported it."""
    with tempfile.TemporaryDirectory() as temporary:
        streams = [Path(temporary) / name for name in ("in", "out", "err")]
        streams[0].write_bytes(stdin)
        process = forking().Process(
            target=be_the_program, args=(list(command), folder, dict(environment), streams)
        )
        process.start()
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{' '.join(command)} took longer than {SECONDS} s")
        return process.exitcode, streams[1].read_bytes(), streams[2].read_bytes()


@cache
def forking() -> ForkServerContext:
    """Start the process that others are forked from; it ends with this one."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(IMPORTED)
    before = dict(os.environ)
    replace_variables(variables())  # some libraries read them while they are imported
    try:
        forkserver.ensure_running()
    finally:
        replace_variables(before)
    return found


def be_the_program(
    command: list[str], folder: Path, environment: dict[str, str], streams: list[Path]
) -> None:
    """Do in a process just forked what a shell, Python and the entry point do."""
    os.chdir(folder)
    replace_variables(environment)
    for number, path in enumerate(streams):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(
        2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
    )
    sys.argv = command
    sys.warnoptions.clear()  # they are those of the tests

    from circuitkb.cli import main

    main()


def replace_variables(environment: Mapping[str, str]) -> None:
    """Make these the variables of this process, and no others."""
    os.environ.clear()
    os.environ.update(environment)
