"""What the machine does not allow the program is said with its remedy, and is no defect."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest


@pytest.mark.parametrize("files", [40, 24])
def test_too_few_files_are_refused_with_the_command_that_allows_more(
    published: Any, files: int
) -> None:
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n "$0"; exec "$@"', str(files), str(published.path), "models"],
        env=os.environ | {"CIRCUITKB": str(published.kb), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: This process may not open more files: raise the limit")
    assert "ulimit -n 1024" in done.stderr
    assert len(done.stderr.splitlines()) == 1
