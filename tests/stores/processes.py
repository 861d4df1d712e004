"""Other processes that write and read, and a look at the files they leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path


@cache
def shared() -> tempfile.TemporaryDirectory[str]:
    """Where the processes leave what they leave when they are killed."""
    return tempfile.TemporaryDirectory()


def kept_modules() -> dict[str, str]:
    """Variables that let processes compile a module once, where this one keeps none compiled."""
    if not sys.dont_write_bytecode:
        return {}
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": shared().name}


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Run code in another process; it has the rows of these tests, the store's path and more."""
    here = Path(__file__).parent
    before = f"import sys; sys.path.insert(0, {str(here)!r}); from contents import *\n"
    before += "from circuitkb.stores import open_store\n"
    return subprocess.Popen(
        [sys.executable, "-c", before + code, *map(str, arguments)],
        env={**os.environ, **kept_modules(), "TMPDIR": shared().name},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listen_to_interrupts,
    )


def listen_to_interrupts() -> None:
    """Undo what a shell does to the jobs that it starts in the background: they ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(process: subprocess.Popen[str], seconds: float = 60) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def tree(path: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of every file below a directory."""
    found = {}
    for item in sorted(path.rglob("*")):
        about = item.stat()
        found[str(item.relative_to(path))] = (about.st_size, about.st_mtime_ns)
    return found
