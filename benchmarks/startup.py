"""Time what a user waits for at a prompt: whole processes, from start to end.

    python benchmarks/startup.py

Prints the median of five runs of each, and its ratio to a Python that does nothing. Where Python
may not write bytecode (PYTHONDONTWRITEBYTECODE) every start compiles every module, so that
variable is not handed on.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5


def seconds(arguments: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


def median(arguments: list[str], environment: dict[str, str]) -> float:
    seconds(arguments, environment)
    return statistics.median(seconds(arguments, environment) for _ in range(RUNS))


def main() -> None:
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as directory:
        command = ["-m", "circuitkb"]
        store = ["--kb", str(Path(directory) / "published.ckb")]
        loads = []
        for run in range(RUNS):
            fresh = ["--kb", str(Path(directory) / f"{run}.ckb")]
            load = [*command, "load", "published:inceptionv1"]
            loads.append(seconds([*load, *fresh], environment))
        seconds([*command, "load", "published:inceptionv1", *store], environment)
        seconds([*command, "find", "union", *store], environment)
        cypher = "MATCH (f:Feature)-[w:WEIGHT]->(:Feature {unit: 418}) RETURN f.id, w.positive"
        union = "find all circuits unioning left/right orientation detectors across models"
        idle = median(["-c", "pass"], environment)
        rows = {
            "python -c pass": idle,
            "import circuitkb": median(["-c", "import circuitkb"], environment),
            "circuitkb --help": median([*command, "--help"], environment),
            "circuitkb query": median([*command, "query", cypher, *store], environment),
            "circuitkb ask, the union question": median(
                [*command, "ask", union, *store], environment
            ),
            "circuitkb load published:inceptionv1": statistics.median(loads),
        }
        for name, value in rows.items():
            print(f"{name:40} {value:6.2f} s  {value / idle:6.1f} x")


if __name__ == "__main__":
    main()
