"""Neo4j servers for benchmarks, from Maven's jars (``scripts/neo4j``)."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType


@cache
def launcher() -> ModuleType:
    """Import ``scripts/neo4j/launcher.py``, which lies outside of every package."""
    path = Path(__file__).resolve().parents[2] / "scripts" / "neo4j" / "launcher.py"
    spec = importlib.util.spec_from_file_location("neo4j_launcher", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is missing.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
