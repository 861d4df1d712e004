"""Patterns over exported folders of 10 and 100 million generated weights, and the memory they take.

    python benchmarks/patterns_in_folders.py
    python benchmarks/patterns_in_folders.py --weights 1000000 10000000 --folder BIGDISK

Generated are the files that a pattern reads, as an export writes them: weights from layer to layer,
32 inputs a unit, ids as text. Each pattern is counted in a process of its own. Printed are seconds,
CPU seconds and the most memory that the process held, and for the last number of weights the ratio
to the one before with the exponent of its growth. It ends with 1 where a process took over 2 GB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from math import log
from pathlib import Path

import duckdb

from circuitkb.schema.definition import FORMAT_VERSION

MOST_MEMORY = 2_000_000_000
INPUTS = 32
LAYER = 1_000
LAYERS = 10
"""Layers of a model, of LAYER units each; so a model has 9 x 32,000 weights."""

PATTERNS = {
    "two of the 4 strongest into one": ("a +> u <+ b", 4, [("a", "b")]),
    "a chain of 3, ranks up to 2": ("a +> b; b +> c", 2, []),
    "no weight back past it, up to 4": ("a +> b; b +> c; not a -> c", 2, []),
    "a model's, up to 8": ("a +> u <+ b", 8, [("a", "b")]),
}

STEP = """
import json, resource, sys, time
import circuitkb as ckb
from circuitkb.patterns.in_folders import Folders
folder, spill, text, rank, pairs, model = json.loads(sys.argv[1])
narrowed = {"u": ckb.feature(model=model)} if model else {}
started = time.perf_counter()
pattern = ckb.Pattern(
    text, edges=ckb.edge(max_rank=rank), unordered=[tuple(p) for p in pairs], **narrowed
)
found = Folders([folder], spill=spill).count(pattern)
spent = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([
    found, time.perf_counter() - started, spent.ru_utime + spent.ru_stime, spent.ru_maxrss * 1024
]))
"""


def generate(folder: Path, weights: int, spill: Path) -> None:
    """Write the files of so many weights."""
    for kind in ("nodes", "relations"):
        (folder / kind).mkdir(parents=True)
    models = -(-weights // (INPUTS * LAYER * (LAYERS - 1)))
    about = {"format": "circuitkb-parquet", "version": 1, "schema_version": FORMAT_VERSION}
    (folder / "circuitkb.json").write_text(json.dumps(about))
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(spill)}) as database:
        database.execute("SET enable_progress_bar = false")
        database.execute(
            f"COPY (SELECT format('net-{{}}/layer{{}}:{{}}', m, y, u) AS id, format('net-{{}}', m) "
            f"AS model, format('layer{{}}', y) AS layer, u AS unit FROM range({models}) t(m), "
            f"range({LAYERS}) l(y), range({LAYER}) i(u)) TO '{folder}/nodes/Feature.parquet' "
            "(FORMAT parquet, COMPRESSION zstd)"
        )
        database.execute(
            f"COPY (SELECT format('net-{{}}/layer{{}}:{{}}', m, y, (hash(n) % {LAYER})) AS source, "
            "'Feature' AS source_label, "
            "format('net-{}/layer{}:{}', m, y + 1, u) AS target, 'Feature' AS target_label, "
            f"(n % {INPUTS} + 1)::BIGINT AS rank, hash(n + 3) / 2.0 ** 64 AS l1, "
            "hash(n + 7) / 2.0 ** 63 - 1 AS sum "
            f"FROM (SELECT n, n // {INPUTS * LAYER * (LAYERS - 1)} AS m, "
            f"n // {INPUTS * LAYER} % {LAYERS - 1} AS y, n // {INPUTS} % {LAYER} AS u "
            f"FROM range({weights}) r(n))) TO '{folder}/relations/WEIGHT.parquet' "
            "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=int, nargs="+", default=[10_000_000, 100_000_000])
    parser.add_argument("--folder", help="where the files are made; the system's own if not given")
    given = parser.parse_args()
    failed = False
    before: dict[str, float] = {}
    for place, weights in enumerate(given.weights):
        with tempfile.TemporaryDirectory(dir=given.folder) as made:
            folder, spill = Path(made) / "zoo", Path(made) / "spill"
            spill.mkdir()
            started = time.perf_counter()
            generate(folder, weights, spill)
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            took = time.perf_counter() - started
            print(f"{weights:,} weights: {size / 1e6:,.0f} MB in {took:.0f} s", flush=True)
            for name, (text, rank, pairs) in PATTERNS.items():
                model = "net-3" if name.startswith("a model") else None
                asked = json.dumps([str(folder), str(spill), text, rank, pairs, model])
                done = subprocess.run(
                    [sys.executable, "-c", STEP, asked], stdout=subprocess.PIPE, check=True
                )
                found, seconds, cpu, memory = json.loads(done.stdout)
                growth = ""
                if place:
                    ratio = cpu / before[name]
                    exponent = log(ratio) / log(weights / given.weights[place - 1])
                    growth = f"  x {ratio:.1f} (exponent {exponent:.2f})"
                before[name] = cpu
                failed |= memory > MOST_MEMORY
                print(
                    f"  {name:34}{found:>14,} matches {seconds:>7.1f} s {cpu:>7.1f} CPU s "
                    f"{memory / 1e6:>6,.0f} MB{growth}",
                    flush=True,
                )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
