"""What a label costs in small and large stores, and what a load costs beside many models.

    uv run --group dev python benchmarks/small_writes.py
    uv run --group dev python benchmarks/small_writes.py --weights 300000 3000000 10000000
    uv run --group dev python benchmarks/small_writes.py --weights --models 100

Stores of made-up weights (``synthetic``); in each, some labels are added in one process, one from
the shell, and some as before, by a copy of the state. Printed are CPU seconds of a write (the least
and the middle of several), the bytes of the blocks that it wrote, and the ratio of each store to
the smallest. With ``--models``, models of 10,000 weights are loaded one after the other. It ends
with 1 where a label costs over 1.5 times as much as in the smallest store, over .05 s in Python or
over .8 s from the shell.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from synthetic import Shape, synthetic

from circuitkb.stores import open_store

MOST_RATIO, MOST_SECONDS, MOST_IN_THE_SHELL = 1.5, 0.05, 0.8
LABELS = 15
COPIES = 3
MODEL = 10_000

STEP = """
import json, sys, time
import circuitkb as ckb
from circuitkb.stores.embedded.directory import StoreDirectory
from circuitkb.stores.embedded.in_place import InPlace
from pathlib import Path

place, count, way = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if way == "copy":
    InPlace.takes = lambda *_: False
state = StoreDirectory(place).current
spent, written = [], []
with ckb.open(str(place)) as kb:
    unit = kb.query("MATCH (f:Feature) RETURN f.id LIMIT 1").rows[0][0]
    for _ in range(count):
        before = state().checksums().files
        started = time.process_time()
        kb.annotate.add(unit, f"{way} {time.time_ns()}", author="somebody")
        spent.append(time.process_time() - started)
        after = state().checksums().files
        written.append(sum(
            65536
            for name, now in after.items()
            for block in range(len(now.sums) // 8)
            if now.block(block) != before[name].block(block)
        ))
print(json.dumps([spent, written, unit]))
"""


def spent_by(*command: str) -> tuple[float, str]:
    """Return the CPU seconds of a process and those that it started, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds, done.stdout


def labels(place: Path) -> dict[str, float]:
    """Add labels to a store, by all ways."""
    found: dict[str, float] = {}
    for way, count in (("in place", LABELS), ("copy", COPIES)):
        _, out = spent_by(sys.executable, "-c", STEP, str(place), str(count), way)
        spent, written, unit = json.loads(out)
        found[f"{way}: first, s"] = spent[0]
        found[f"{way}: middle, s"] = statistics.median(spent[1:])
        found[f"{way}: least, s"] = min(spent[1:])
        found[f"{way}: MB in changed blocks"] = statistics.median(written) / 1e6
    shell = []
    for _ in range(3):
        command = ["annotate", "add", unit, f"shell {time.time_ns()}", "--author", "somebody"]
        shell.append(spent_by("circuitkb", *command, "--kb", str(place))[0])
    found["from the shell, s"] = min(shell)
    return found


def made(folder: Path, weights: int) -> Path:
    """Make a store of so many weights."""
    place = folder / f"{weights}.ckb"
    if not place.exists():
        store = open_store(place)
        models = max(1, weights // 1_000_000)
        for rows in synthetic(Shape(models=models, features=weights // 30, edges=weights)):
            store.write(rows)
        store.close()
    return place


def loads(folder: Path, models: int) -> list[float]:
    """Load small models one after the other; return the CPU seconds of each."""
    shape = Shape(models=models, features=300 * models, edges=MODEL * models)
    store, spent = open_store(folder / "models.ckb"), []
    for rows in synthetic(shape):
        started = time.process_time()
        store.write(rows)
        spent.append(time.process_time() - started)
    store.close()
    return spent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", type=int, nargs="*", default=[300_000, 3_000_000])
    parser.add_argument("--models", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep the stores here, and use what is here")
    given = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        tables = {weights: labels(made(folder, weights)) for weights in sorted(given.weights)}
        for weights, table in tables.items():
            print(f"{weights:,} weights")
            smallest = next(iter(tables.values()))
            for name, value in table.items():
                print(f"  {name:32} {value:8.3f}  {value / smallest[name]:5.2f} times")
            missed += table["in place: middle, s"] > MOST_RATIO * smallest["in place: middle, s"]
            missed += table["in place: middle, s"] > MOST_SECONDS
            missed += table["from the shell, s"] > MOST_IN_THE_SHELL
        if given.models:
            spent = loads(folder, given.models)
            tenth = statistics.median(spent[7:12])
            last = statistics.median(spent[-5:])
            print(f"{given.models} models of {MODEL:,} weights, CPU seconds of a load:")
            print("  " + " ".join(f"{seconds:.2f}" for seconds in spent))
            print(f"  the last {last:.2f}, the tenth {tenth:.2f}: {last / tenth:.2f} times")
            missed += last > MOST_RATIO * tenth
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
