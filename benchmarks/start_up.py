"""Time what a user waits for at a prompt: whole processes, from start to end.

    uv run --group dev python benchmarks/start_up.py circuits-demo.ckb
    uv run --group dev python benchmarks/start_up.py

Each command runs some times on the store that is named, which a label is added to, or on a new one
of the published InceptionV1. Printed are the middle of the seconds on the clock and of the
processor (its own and that of the processes it starts), the ratio of the former to a Python that
does nothing, and to one that asks DuckDB the same of a Parquet file with the same weights. It ends
with 1 where a question takes half a second or more, or a label .8 s: on two cores that nothing else
uses.

Where Python may not write bytecode (PYTHONDONTWRITEBYTECODE) every start compiles every module, so
that variable is not handed on.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

RUNS = 7
MOST_FOR_A_QUESTION, MOST_FOR_A_LABEL = 0.5, 0.8

INPUTS = (
    "MATCH (a)-[w:WEIGHT]->(b:Feature {id: $unit}) "
    "RETURN a.id, w.positive, w.negative ORDER BY w.rank LIMIT 20"
)
DUCKDB = """
import sys, duckdb
print(duckdb.execute(
    "SELECT source, positive, negative FROM read_parquet($file) WHERE target = $unit "
    "ORDER BY rank LIMIT 20", {"file": sys.argv[1], "unit": sys.argv[2]},
).fetchall())
"""
PROGRAM = ["-m", "circuitkb"]


def timed(arguments: Sequence[str]) -> tuple[float, float]:
    """Return the seconds of a Python, on the clock and of the processor."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def middle(arguments: Callable[[], Sequence[str]]) -> tuple[float, float]:
    """Return the middle of several runs after a first one."""
    timed(arguments())
    runs = [timed(arguments()) for _ in range(RUNS)]
    return statistics.median(a for a, _ in runs), statistics.median(b for _, b in runs)


def prepared(store: str, folder: Path) -> tuple[str, str]:
    """Write the weights of a store as one Parquet file; return it, and a unit with inputs."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    import circuitkb as ckb

    with ckb.open(store, create=False) as kb:
        unit = kb.query(
            "MATCH (m:Model) WITH m ORDER BY m.edges_kept DESC LIMIT 1 "
            "MATCH (f:Feature {model: m.id}) RETURN f.id ORDER BY f.inputs DESC, f.id LIMIT 1"
        ).rows[0][0]
        whole = folder / "weights.parquet"
        pieces = kb.store.stream(
            "MATCH (a:Feature)-[w:WEIGHT]->(b:Feature) RETURN a.id AS source, b.id AS target, "
            "w.positive AS positive, w.negative AS negative, w.rank AS rank",
            timeout=600,
            rows=50_000,
        )
        tables = [
            pa.Table.from_pylist([dict(zip(p.columns, r, strict=True)) for r in p.rows])
            for p in pieces
        ]
        pq.write_table(pa.concat_tables(tables, promote_options="permissive"), whole)
    return str(whole), unit


def main() -> int:
    """Measure, print, and return the exit code."""
    given = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    given.add_argument("store", nargs="?", help="path; a label is added to it")
    store = given.parse_args().store
    with tempfile.TemporaryDirectory() as folder:
        if store is None:
            store = str(Path(folder) / "published.ckb")
            timed([*PROGRAM, "load", "published:inceptionv1", "--kb", store])
        weights, unit = prepared(store, Path(folder))
        kb, labels = ["--kb", store], count(time.time_ns())

        def label() -> list[str]:
            words = ["annotate", "add", unit, f"label {next(labels)}", "--author", "benchmark"]
            return [*PROGRAM, *words, *kb]

        asked = {
            "circuitkb query": [*PROGRAM, "query", INPUTS, "-p", f"unit={unit}", *kb],
            "circuitkb ask inputs": [*PROGRAM, "ask", "inputs", "-p", f"feature={unit}", *kb],
            "circuitkb ask union": [*PROGRAM, "ask", "union", *kb],
            "circuitkb show": [*PROGRAM, "show", unit, *kb],
        }
        idle = middle(lambda: ["-c", "pass"])
        peer = middle(lambda: ["-c", DUCKDB, weights, unit])
        rows = {
            "python -c pass": idle,
            "DuckDB, the same weights": peer,
            "import circuitkb": middle(lambda: ["-c", "import circuitkb"]),
            "circuitkb --help": middle(lambda: [*PROGRAM, "--help"]),
            **{name: middle(lambda words=words: words) for name, words in asked.items()},
            "circuitkb annotate add": middle(label),
        }
    print(f"{'':28}{'clock':>9}{'processor':>11}{'x Python':>10}{'x DuckDB':>10}")
    good = True
    for name, (seconds, spent) in rows.items():
        most = MOST_FOR_A_QUESTION if name in asked else None
        most = MOST_FOR_A_LABEL if name.endswith("add") else most
        met = most is None or seconds < most
        good &= met
        said = "" if most is None else f"  {'met' if met else f'MISSED {most} s'}"
        ratios = f"{seconds / idle[0]:10.1f}{seconds / peer[0]:10.1f}"
        print(f"{name:28}{seconds:7.2f} s{spent:9.2f} s{ratios}{said}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
