"""Planted circuits: our search beside three ways to rank edges, scored per kind and dial.

    python benchmarks/planted.py DIR [KIND...]

makes the benchmark in DIR where it is not there, answers it by each method that has no answers
there yet (the search takes some 5 s of processor time a network), and prints the scores.
"""

from __future__ import annotations

import sys
from pathlib import Path

from circuitkb.planted.answering import SEARCH, answer
from circuitkb.planted.baselines import BASELINES
from circuitkb.planted.making import make
from circuitkb.planted.scoring import brief, calibration, score


def say(doing: str, done: float) -> None:
    print(f"{done:4.0%} {doing}", file=sys.stderr, flush=True)


def main(folder: Path, kinds: list[str]) -> None:
    """Make, answer and score."""
    if not folder.exists():
        make(folder, kinds=kinds, progress=say)
    for method in (SEARCH, *BASELINES):
        file = folder.with_name(f"{folder.name}-{method}.json")
        if not file.exists():
            answer(folder, file, method=method, progress=say)
        print(f"\n{method}")
        scored = score(folder, file)
        for row in brief(scored):
            print(" | ".join("-" if value is None else str(value) for value in row.values()))
        print(*scored.notes, sep="\n")
        for row in calibration(folder, file):
            print(" | ".join(str(value) for value in row.values()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
