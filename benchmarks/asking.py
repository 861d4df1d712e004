"""Time of every question of the catalogue on one store, against 0.3 s.

    python benchmarks/asking.py circuits-demo.ckb [--rounds 5]

Asks each question with the parameters of its example; prints the median of some rounds after a
first one, which the engine takes longer to plan, and the rows. It exits with 1 where a question
takes longer.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import circuitkb as ckb
from circuitkb.queries.questions.catalogue import questions

MOST_SECONDS = 0.3


def main() -> int:
    """Measure, print, and return the exit code."""
    given = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    given.add_argument("store", help="path or URL")
    given.add_argument("--rounds", type=int, default=5)
    options = given.parse_args()
    good = True
    with ckb.open(options.store, create=False) as kb:
        for question in questions():
            stated = kb.ask(question.example, limit=None).parameters
            seconds, rows = [], 0
            for _ in range(options.rounds):
                start = time.perf_counter()
                rows = len(kb.ask(question.name, parameters=stated).result)
                seconds.append(time.perf_counter() - start)
            took = statistics.median(seconds)
            good &= took <= MOST_SECONDS
            said = "met" if took <= MOST_SECONDS else "MISSED"
            print(f"{question.name:<24}{1000 * took:8.1f} ms{rows:7,} rows  {said}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
