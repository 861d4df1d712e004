"""Packages that add something, put where Python finds them as an installer does: by metadata."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from circuitkb.schema.registry import Registry


@contextmanager
def installed(
    folder: Path, registry: Registry[Any], package: str, code: str, **points: str
) -> Iterator[None]:
    """Let a registry find a package of one file; ``points`` names what it adds, and where."""
    (folder / f"{package}.py").write_text(code)
    about = folder / f"{package}-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    lines = [f"[{registry.group}]", *(f"{name} = {place}" for name, place in points.items())]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
    state = {name: value for name, value in vars(registry).items() if name != "_points"}
    known = set(sys.modules)
    sys.path.insert(0, str(folder))
    vars(registry).pop("_points", None)
    registry._found, registry._warned = {}, set()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        vars(registry).clear()
        vars(registry).update(state)
        for name in set(sys.modules) - known:
            if name.partition(".")[0] == package:
                del sys.modules[name]
