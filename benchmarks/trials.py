"""Edits of a network: predicted, run, and how well both agree.

    uv run --group dev python benchmarks/trials.py --kb zoo.ckb efficientnet_lite0
    uv run --group dev python benchmarks/trials.py --kb zoo.ckb efficientnet_lite0 --edits 1000

The model must be loaded and observed. Printed are processor seconds of 1,000 deletions, read at the
target and at the output; then, for each place where effects are read, the correlation and the slope
of measured on predicted changes, and the share of 95% intervals that hold for edits that did not
calibrate them. Half of the edits calibrate, the other half judge. It ends with 1 where a direct
effect that should be exact correlates with less than .999.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

import circuitkb as ckb
from circuitkb.kb.predicting import effects_of
from circuitkb.kb.reopening import reopen
from circuitkb.loaders.activations.editing.network import EditedNetwork
from circuitkb.observation.kept import battery_of
from circuitkb.trials.conformal import calibrate
from circuitkb.trials.effects import Side
from circuitkb.trials.predictions import draw, measured_changes, raw_predictions, strongest

SIDE: Side = "after"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--kb", required=True)
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--kind", default="remove")
    asked = parser.parse_args()
    with ckb.open(asked.kb) as kb:
        responses = kb.responses(asked.model)
        if responses is None:
            sys.exit(f"{asked.model} was not observed: circuitkb observe {asked.model}")
        effects = effects_of(kb.store, asked.model, responses)
        (stored,) = kb.store.read("MATCH (m:Model {id: $m}) RETURN m", {"m": asked.model}).rows
    network = reopen(stored[0], None, None, None)
    edited = EditedNetwork(network)
    battery = battery_of(effects.responses)
    inputs = strongest(effects, asked.images)
    failed = False
    for place in ("exact target", "target", "later", "output"):
        count = asked.edits if place != "target" else max(60, asked.edits // 5)  # there are few
        some = draw(effects, asked.kind, place, inputs, count, seed=asked.seed)
        begun = time.process_time()
        raw = raw_predictions(effects, some, SIDE)
        predicting = time.process_time() - begun
        begun = time.process_time()
        real = measured_changes(
            effects,
            edited,
            lambda view, which: network.pixels.apply(
                battery.images(which, rows=view.rows, columns=view.columns, centre=view.centre)
            ),
            some,
            SIDE,
        )
        running = time.process_time() - begun
        half = count // 2
        found = calibrate(raw[:half], real[:half], seed=asked.seed, scaled=place != "exact target")
        ends = np.array([found.interval(one) for one in raw[half:].tolist()])
        held = float(((ends[:, 1] <= real[half:]) & (real[half:] <= ends[:, 2])).mean())
        r = float(np.corrcoef(raw, real)[0, 1])
        failed |= place == "exact target" and r < 0.999
        print(
            f"{place:12}  {count} edits x {asked.images} images, "
            f"{len(np.unique(np.concatenate([one.stimuli for one in some])))} distinct: "
            f"r {r:.4f}, slope {raw @ real / (raw @ raw):.3f}; of {count - half} intervals "
            f"{held:.1%} hold, half width {np.median(ends[:, 2] - ends[:, 1]) / 2:.4f} in the "
            f"median where changes are {np.median(np.abs(real)):.4f}; "
            f"{predicting:.1f} s to predict, {running:.1f} s to run",
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
