"""A knowledge base of 100,000 features and 3 million weights: engines and their peers.

    uv run --group dev python benchmarks/scaling.py
    uv run --group dev python benchmarks/scaling.py --peers numpy neo4j --offline
    uv run --group dev python benchmarks/scaling.py --features 20000 --edges 600000

The embedded store and a Neo4j server (started from Maven's jars: scripts/neo4j-server says what
that needs) take a synthetic knowledge base and answer five questions; a search over memory-mapped
arrays, DuckDB and networkx do the same. Each loads in one process and answers in a fresh one, the
server is started again in between. Answers are compared row by row: where two differ, the run ends
with 1, as it does where a target is missed. ``--offline`` also measures the files of the offline
import against what Neo4j's AdminTool does alone.

Printed are seconds, megabytes (10^6 on disk, 2^20 in memory), and for each question the ratio to
NumPy. Time for making the rows does not count as loading. What takes longer than ``--patience`` is
given up, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from offline_import import RATIO, measure_export, measure_offline
from peers import NAMES
from peers.neo4j_server import launcher
from peers.questions import UNIONS, WORDS
from scaling_step import Figures, peak_memory
from synthetic import Shape

STORES = ("embedded", "neo4j")
"""Those of circuitkb; a peer may be too slow to answer, they may not."""

LEAST_PER_SECOND = 10_000
MOST_SECONDS = 2.0
LEAST_OF_ADMIN_TOOL = 0.8


class Run:
    """What is measured, and with which settings."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.shape = Shape(**{item.name: getattr(given, item.name) for item in fields(Shape)})
        self.heap, self.page_cache = given.heap, given.page_cache
        self.patience = given.patience
        self.missing: list[str] = []
        self.failed = False

    def measure(self, name: str, folder: Path) -> Figures:
        """Load and read in processes of their own."""
        figures: Figures = {}
        folder.mkdir()
        for step in ("load", "read"):
            with self._server(name, folder, figures, step) as address:
                done = self._step(step, name, folder, address)
            if done is None:
                self.missing.append(f"{name}: the step to {step} was given up, it took too long")
                self.failed |= name in STORES
                return figures
            figures |= done
            unanswered = [figure for figure, value in done.items() if value is None]
            self.failed |= bool(unanswered) and name in STORES
            if step == "load":
                figures["disk, MB"] = disk(folder)
                logs = sum(disk(found) for found in folder.glob("server/data/transactions"))
                if logs:
                    figures["of it transaction logs, MB"] = logs
        return figures

    def _step(self, step: str, name: str, folder: Path, address: str) -> Figures | None:
        shape = [f"--{item.name}={getattr(self.shape, item.name)}" for item in fields(Shape)]
        command = [
            *(sys.executable, str(Path(__file__).with_name("scaling_step.py"))),
            *(step, name, str(folder), f"--address={address}", f"--patience={self.patience}"),
            *shape,
        ]
        environment = os.environ | {
            "ARCADEDB_LOG_CONSOLE": "0",
            "ARCADEDB_LOG_DIR": str(folder.parent),
            "CIRCUITKB_ARRAYS": str(folder.parent / "server-arrays"),
        }
        # Loading has one limit; five questions, each asked several times, have their own.
        limit = self.patience * (4 if step == "load" else 24)
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=limit,
            )
        except subprocess.TimeoutExpired:
            return None
        figures: Figures = json.loads(done.stdout.splitlines()[-1])
        return figures

    @contextmanager
    def _server(self, name: str, folder: Path, figures: Figures, step: str) -> Iterator[str]:
        """Run a Neo4j server meanwhile, where that is what is measured."""
        if name != "neo4j":
            yield ""
            return
        started = time.perf_counter()
        memory = {"heap": self.heap, "page_cache": self.page_cache}
        with launcher().start([folder / "server"], **memory) as servers:
            figures["start of the server, s"] = time.perf_counter() - started
            yield servers.addresses[0]
            doing = "loading" if step == "load" else "reading"
            figures[f"... of the server {doing}, MB"] = peak_memory(str(servers.process.pid))


def disk(folder: Path) -> float:
    """Return the size of everything in a folder, in MB (10^6)."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6


def table(found: dict[str, Figures], patience: float) -> Iterator[str]:
    """Give the lines of the table: a column for each peer, a row for each figure."""
    names = list(found)
    yield " " * 34 + "".join(name.rjust(12) for name in names)
    for figure in ROWS:
        if not any(figure in each for each in found.values()):
            continue
        cells = [
            "-" if figure not in each else shown(each[figure], patience) for each in found.values()
        ]
        yield figure.ljust(34) + "".join(cell.rjust(12) for cell in cells)
    if names[0] != NAMES[0]:
        return
    yield ""
    yield f"times as long as {NAMES[0]}"
    for question in WORDS:
        figure = f"{question}, again"
        base = found[NAMES[0]].get(figure)
        cells = []
        for each in found.values():
            value = each.get(figure)
            cells.append(f"{value / base:,.1f}" if value is not None and base else "-")
        yield figure.ljust(34) + "".join(cell.rjust(12) for cell in cells)


ROWS = (
    "load, s",
    "weights/s",
    "first model, s",
    "last model, s",
    "memory while loading, MB",
    "... of the server loading, MB",
    "disk, MB",
    "of it transaction logs, MB",
    "start of the server, s",
    "open, s",
    "memory while reading, MB",
    "... of the server reading, MB",
    *(f"{question}, {when}" for question in WORDS for when in ("first", "again")),
)


def shown(value: float | None, patience: float) -> str:
    """Return a figure with three digits, or that it took too long."""
    if value is None:
        return f"> {patience:g}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 0.1 else f"{value:.4f}"


def differences(folders: dict[str, Path]) -> list[str]:
    """Return a sentence for each question that two peers answered differently."""
    answers: dict[str, dict[str, Any]] = {}
    for name, folder in folders.items():
        path = folder / "answers.json"
        answers[name] = json.loads(path.read_text()) if path.exists() else {}
    found = []
    for question in WORDS:
        given = {name: rows[question] for name, rows in answers.items() if question in rows}
        first = next(iter(given), "")
        found += [
            f"{question}: {name} gives {len(rows)} rows and {first} {len(given[first])}, "
            f"not the same"
            for name, rows in given.items()
            if rows != given[first]
        ]
        count = len(given[first]) if given else 0
        print(f"{question:10} {count:7,} rows by {', '.join(given)}: {WORDS[question]}")
    return found


def targets(found: dict[str, Figures], offline: Figures) -> Iterator[tuple[str, bool]]:
    """Give what is aimed at on Neo4j, and whether it was met."""
    neo4j = found.get("neo4j", {})
    speed = neo4j.get("weights/s")
    if speed is not None:
        yield (
            f"{speed:,.0f} weights/s over Bolt (at least {LEAST_PER_SECOND:,})",
            speed >= LEAST_PER_SECOND,
        )
    for when in ("first", "again"):
        figure = f"{UNIONS}, {when}"
        if figure in neo4j:
            spent = neo4j[figure] or float("inf")
            yield (
                f"union question, {when}: {spent:.2f} s (at most {MOST_SECONDS:g})",
                (spent <= MOST_SECONDS),
            )
    ratio = offline.get(RATIO)
    if ratio is not None:
        yield (
            f"offline path: {ratio:.2f} of the AdminTool alone (at least {LEAST_OF_ADMIN_TOOL:g})",
            ratio >= LEAST_OF_ADMIN_TOOL,
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", nargs="*", choices=NAMES, default=NAMES)
    parser.add_argument("--offline", action="store_true", help="measure the offline import too")
    parser.add_argument("--patience", type=float, default=600, help="seconds for a query (600)")
    parser.add_argument("--heap", default="4g", help="memory for Java (4g)")
    parser.add_argument("--page-cache", default="2g", help="for Neo4j's files (2g)")
    for item in fields(Shape):
        parser.add_argument(f"--{item.name}", type=int, default=item.default)
    return parser.parse_args()


def main() -> int:
    given = arguments()
    run = Run(given)
    chosen: Sequence[str] = [name for name in NAMES if name in given.peers]
    found: dict[str, Figures] = {}
    offline: Figures = {}
    print(
        f"{run.shape.features:,} features and {run.shape.edges:,} weights in "
        f"{run.shape.models} models, seed {run.shape.seed}; {os.cpu_count()} cores; "
        f"Java heap {run.heap}, page cache {run.page_cache}\n"
    )
    with tempfile.TemporaryDirectory() as directory:
        folders = {name: Path(directory) / name for name in chosen}
        for name in chosen:
            found[name] = run.measure(name, folders[name])
            print(f"{name} is done", file=sys.stderr)
        wrong = differences(folders)
        if found:
            print("", *table(found, run.patience), "", sep="\n", flush=True)
        if given.offline:
            offline = measure_offline(run.shape, Path(directory) / "offline", run.heap)
            if "embedded" in folders:
                offline |= measure_export(folders["embedded"] / "zoo.ckb", Path(directory))
    for name, value in offline.items():
        print(f"{name.ljust(46)}{shown(value, run.patience).rjust(12)}")
    for text in [*run.missing, *wrong]:
        print(text)
    verdicts = [*targets(found, offline)]
    for text, met in verdicts:
        print(f"{'met   ' if met else 'MISSED'} {text}")
    return 1 if wrong or run.failed or not all(met for _, met in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
