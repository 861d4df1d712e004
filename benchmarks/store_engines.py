"""The embedded engine in its two packages: native, and on a bundled Java runtime.

Run it from the repository, in an environment that has both::

    uv run --with arcadedb-embedded==26.10.2.post1 python benchmarks/store_engines.py

Each package makes a graph of 20,000 features and their weights in a process of its own, closes
it, and reads it in another one. Printed are times, disk and memory, and for each figure the ratio
of the Java package to the native one.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from circuitkb.schema.ddl import arcade_statements

PACKAGES = {"arcadedb": "native", "arcadedb_embedded": "bundled JRE"}
FEATURES, AT_ONCE = 20_000, 10_000
NUMBERS = [
    "sum",
    "positive",
    "negative",
    "l1",
    "l2",
    "max_abs",
    "positive_dy",
    "positive_dx",
    "negative_dy",
    "negative_dx",
]
ANCHORED = (
    "MATCH (a:Feature {id: $id})-[w:WEIGHT]->(b:Feature) "
    "RETURN b.id AS id, w.sum AS sum ORDER BY sum DESC LIMIT 5"
)
MOTIF = (
    "MATCH (a:Feature)-[v:WEIGHT]->(u:Feature)<-[w:WEIGHT]-(b:Feature) "
    "WHERE u.unit < 5 AND a.id < b.id AND v.sum > 1 AND w.sum > 1 RETURN count(*) AS n"
)
COUNT = "MATCH (:Feature)-[w:WEIGHT]->(:Feature) RETURN count(w) AS n"

Result = TypeVar("Result")
Figures = dict[str, float]


def timed(figures: Figures, name: str, work: Callable[[], Result]) -> Result:
    started = time.perf_counter()
    result = work()
    figures[name] = time.perf_counter() - started
    return result


def peak_memory() -> float:
    """Most memory of this process, in MB."""
    with Path("/proc/self/status").open() as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


def feature(number: int) -> dict[str, Any]:
    layer, unit = f"blocks.{number // 500}", number % 500
    place = {"id": f"net/{layer}:{unit}", "model": "net", "layer": layer, "unit": unit}
    sums = {"inputs": 900, "input_l1": 1.5, "left_out_l1": 0.7}
    return place | {"bias": number / 7} | sums


def load(package: Any, path: Path, edges: int) -> Figures:
    figures: Figures = {}
    database = timed(figures, "make a database, s", lambda: package.create_database(str(path)))
    database.begin()
    for statement in arcade_statements():
        database.command("sql", statement).close()
    database.commit()
    random = np.random.default_rng(0)
    targets = np.repeat(np.arange(FEATURES), edges // FEATURES)
    sources = random.integers(0, FEATURES, len(targets))
    values = random.standard_normal((len(NUMBERS), len(targets))).astype(np.float32).astype(float)

    def fill() -> None:
        options = {"expected_edge_count": len(targets), "use_wal": False, "light_edges": False}
        with database.graph_batch(commit_every=20_000, **options) as batch:
            found = batch.create_vertices("Feature", [feature(i) for i in range(FEATURES)])
            for start in range(0, len(targets), AT_ONCE):
                part = slice(start, start + AT_ONCE)
                batch.new_edges(
                    [found[i] for i in sources[part].tolist()],
                    "WEIGHT",
                    [found[i] for i in targets[part].tolist()],
                    [
                        dict(zip(NUMBERS, row, strict=True), rank=1, connection="c", path="direct")
                        for row in values[:, part].T.tolist()
                    ],
                )
        database.close()

    timed(figures, "load, s", fill)
    figures["weights loaded per second"] = len(targets) / figures["load, s"]
    figures["disk, MB"] = sum(item.stat().st_size for item in path.iterdir()) / 1e6
    figures["memory while loading, MB"] = peak_memory()
    return figures


def read(package: Any, path: Path) -> Figures:
    figures: Figures = {}

    def ask(text: str, parameters: dict[str, Any]) -> list[Any]:
        rows: list[Any] = database.query("opencypher", text, parameters).to_list()
        return rows

    def open_it() -> Any:
        try:
            return package.open_database(str(path), read_only=True)
        except TypeError:  # no such option: the store could not be protected by the engine
            figures["no read-only opening"] = 1.0
            return package.open_database(str(path))

    database = timed(figures, "open, s", open_it)
    anchor = {"id": "net/blocks.3:47"}
    timed(figures, "anchored query, first time, s", lambda: ask(ANCHORED, anchor))
    timed(figures, "anchored query, again, s", lambda: ask(ANCHORED, anchor))
    timed(figures, "motif of two weights, s", lambda: ask(MOTIF, {"none": 0}))
    timed(figures, "motif of two weights, again, s", lambda: ask(MOTIF, {"none": 0}))
    timed(figures, "count all weights, s", lambda: ask(COUNT, {"none": 0}))
    figures["memory while reading, MB"] = peak_memory()
    database.close()
    return figures


def measure(name: str, edges: int) -> Figures:
    """Load and read in processes of their own; the time to start is that of the second one."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as directory:
        for step in ("load", "read"):
            started = time.perf_counter()
            done = subprocess.run(
                [
                    *(sys.executable, __file__, "--step", step, "--package", name),
                    *("--path", f"{directory}/graph", "--edges", str(edges)),
                ],
                env=os.environ | {"ARCADEDB_LOG_CONSOLE": "0", "ARCADEDB_LOG_DIR": directory},
                capture_output=True,
                text=True,
                check=True,
            )
            figures |= json.loads(done.stdout.splitlines()[-1])
            if step == "read":
                figures["whole process that reads, s"] = time.perf_counter() - started
        shutil.rmtree(directory, ignore_errors=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the engine's two packages.")
    parser.add_argument("--edges", type=int, default=300_000)
    for hidden in ("--step", "--package", "--path"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        started = time.perf_counter()
        package = importlib.import_module(given.package)
        figures = {f"import to {given.step}, s": time.perf_counter() - started}
        path = Path(given.path)
        done = load(package, path, given.edges) if given.step == "load" else read(package, path)
        print(json.dumps(figures | done))
        return
    found = {name: measure(name, given.edges) for name in PACKAGES if installed(name)}
    columns = [PACKAGES[name] for name in found]
    print(f"{given.edges:,} weights".ljust(36), *(name.rjust(14) for name in columns), "  ratio")
    for figure in dict.fromkeys(name for each in found.values() for name in each):
        numbers = [each.get(figure) for each in found.values()]
        shown = ["-" if number is None else f"{number:,.3f}" for number in numbers]
        ratio = ""
        if len(numbers) == 2 and numbers[0] and numbers[1] is not None:
            ratio = f"{numbers[1] / numbers[0]:7.2f}"
        print(figure.ljust(36), *(text.rjust(14) for text in shown), ratio)


def installed(name: str) -> bool:
    if importlib.util.find_spec(name):
        return True
    print(f"{name} is not installed here: see the top of this file.", file=sys.stderr)
    return False


if __name__ == "__main__":
    main()
