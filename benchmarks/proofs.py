"""How many statements about found circuits are proved, refuted or undecided over a box.

    uv run python benchmarks/proofs.py --kb demo.ckb MODEL --box range --skip 120
    uv run python benchmarks/proofs.py --kb demo.ckb MODEL --box pixels --sample 20

The circuits are the first 200 that ``circuitkb prove --model`` would ask, those first whose trial
held; ``--skip`` leaves out the first of them, ``--sample`` draws so many of them by ``--seed``. The
statement is that of ``circuitkb prove``: the target is positive whenever a case answers as to its
ten best stimuli. Nothing is kept. Printed is a line of JSON for each, with its seconds on the clock
and of the processor, then the share of each outcome with its exact 95% interval (Clopper and
Pearson). It ends with 1 where a counterexample was not run on the network.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter

from scipy.stats import beta

import circuitkb as ckb

CIRCUITS = """\
MATCH (c:Circuit {origin: 'found', model: $model})
WITH c, CASE c.trial WHEN 'held' THEN 0 ELSE 1 END AS later
WHERE COUNT { MATCH (f:Feature)-[m:MEMBER_OF]->(c) WHERE m.side IS NULL } = 1
RETURN c.id AS id, c.trial AS trial ORDER BY later, c.model, c.id LIMIT $first"""


def interval(count: int, of: int) -> tuple[float, float]:
    """Return the exact 95% interval of a share."""
    low = 0.0 if count == 0 else float(beta.ppf(0.025, count, of - count + 1))
    high = 1.0 if count == of else float(beta.ppf(0.975, count + 1, of - count))
    return low, high


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--kb", required=True)
    parser.add_argument("--box", default="range")
    parser.add_argument("--first", type=int, default=200)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--time", type=float, default=60.0)
    asked = parser.parse_args()
    ended: Counter[str] = Counter()
    not_run = 0
    with ckb.open(asked.kb) as kb:
        rows = kb.store.read(CIRCUITS, {"model": asked.model, "first": asked.first}, limit=None)
        circuits = list(rows.rows)[asked.skip :]
        if asked.sample is not None:
            random.Random(asked.seed).shuffle(circuits)  # a longer sample begins with a shorter one
            circuits = circuits[: asked.sample]
        for circuit, trial in circuits:
            begun, worked = time.perf_counter(), time.process_time()
            try:
                proof = kb.prove(circuit, box=asked.box, seconds=asked.time, keep=False).proof
            except ckb.errors.ProofError as error:
                ended["refused"] += 1
                print(json.dumps({"circuit": circuit, "refused": str(error)}), flush=True)
                continue
            ended[proof.outcome] += 1
            not_run += proof.outcome == "refuted" and proof.measured is None
            line = {
                **{"circuit": circuit, "trial": trial, "outcome": proof.outcome, "by": proof.by},
                **{"value": proof.value, "measured": proof.measured, "note": proof.note},
                "clock": round(time.perf_counter() - begun, 1),
                "processor": round(time.process_time() - worked, 1),
            }
            print(json.dumps(line), flush=True)
    total = sum(ended.values())
    for outcome, count in ended.most_common():
        low, high = interval(count, total)
        print(f"{outcome}: {count} of {total}, {count / total:.1%} ({low:.1%} to {high:.1%})")
    print(f"counterexamples that the network was not run with: {not_run}")
    return int(not_run > 0)


if __name__ == "__main__":
    sys.exit(main())
