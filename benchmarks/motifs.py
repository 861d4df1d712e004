"""Every motif in the models of a store: what was tested, hit and found, beside what chance gives.

    python benchmarks/motifs.py STORE [MODEL ...] [--motif NAME ...] [--by kernels] [--draws 1]
    python benchmarks/motifs.py STORE MODEL --closer     # what the tables do not say

Nothing is written to the store. Times are those of the processor. A motif whose criteria can be
fulfilled by chance has its hits there: what is found is what passes the worse of its nulls.
``docs/discovery.md`` shows the tables.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import EntryPoint

import numpy as np

import circuitkb as ckb
from circuitkb.errors import CircuitKBError
from circuitkb.motifs.by_responses import find
from circuitkb.motifs.by_responses.assembled_curves import KINDS
from circuitkb.motifs.by_responses.stream_scales import Sizes, _measured, _Parts, _streams
from circuitkb.motifs.by_responses.summed_tuning import (
    SummedTuning,
    harmonics,
    mixed_angles,
    tunings,
)
from circuitkb.motifs.by_responses.weighted_inputs import WeightedInputs, plain
from circuitkb.motifs.registry import MOTIFS
from circuitkb.observation.kept import battery_of
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import silent
from circuitkb.schema.responses import Responses

LAYERS = ("weight-banding",)
"""Motifs whose counts are said layer by layer."""


def main() -> None:
    """Search and print, one line a motif and model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("store")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--motif", action="append", choices=list(MOTIFS.names))
    parser.add_argument("--by", choices=["responses", "kernels"])
    parser.add_argument("--draws", type=int, help="of each null, to time the searches themselves")
    parser.add_argument("--closer", action="store_true")
    given = parser.parse_args()
    if given.draws:  # those of pairs, with copies kept, too
        find.pair_counts = partial(find.pair_counts, draws=given.draws)
    store = ckb.open(given.store).store
    models = given.models or [row[0] for row in store.read("MATCH (m:Model) RETURN m.id").rows]
    if given.closer:
        for model in models:
            closer(store.kernels(model), store.responses(model), model)
        return
    print("| motif | model | by | tested | hits | by chance: mean (most) | found | CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    for name in given.motif or MOTIFS.names:
        for model in models:
            responses = store.responses(model)
            ways = [
                way
                for way in MOTIFS.get(name).searches
                if given.by in (None, way.by) and (responses is not None or way.by == "kernels")
            ]
            if not ways:
                print(f"| {name} | {model} | not observed | | | | | |", flush=True)
                continue
            way = ways[0]
            for draws in ("draws", "repetitions", "permutations"):
                if given.draws and getattr(way, draws, None):
                    way = replace(way, **{draws: given.draws})
            started = time.process_time()
            try:
                found = EntryPoint("engine", way.engine, "").load()(
                    store.kernels(model), responses, way, model=model, seed=0
                )
            except CircuitKBError as error:
                print(f"| {name} | {model} | {way.by} | {error} | | | | |", flush=True)
                continue
            seconds = time.process_time() - started
            figures = found.figures()
            chance = ", ".join(
                f"{key.removesuffix('_hits_mean')} {figures[key]:.1f} "
                f"({figures[key.replace('_mean', '_max')]:,.0f})"
                for key in figures
                if key.endswith("_hits_mean")
            )
            print(
                f"| {name} | {model} | {way.by} | {found.tested:,} | {figures.get('hits', 0):,.0f} "
                f"| {chance} | **{found.circuits}** | {seconds:.1f} |",
                flush=True,
            )
            if name in LAYERS:
                for layer, own in found.layers.items():
                    if own["hits"]:
                        print(f"|  | {layer} | | | | | {own['found']} | |", flush=True)
    print(f"\npeak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def closer(connections: Sequence[Connection], responses: Responses, model: str) -> None:
    """Print how often gains are large with directions permuted, and how streams part by size."""
    rng = np.random.default_rng(0)
    stimuli = battery_of(responses).stimuli
    coupled = plain(responses)
    waves = harmonics(stimuli, KINDS)
    every = tunings(
        responses.after, coupled, [waves, *(mixed_angles(waves, rng) for _ in range(20))]
    )
    above = np.zeros((len(every), 2), int)
    for inputs in WeightedInputs(connections, coupled).layers("", silent):
        layer = SummedTuning(inputs, coupled, model)
        for place, tuning in enumerate(every):
            gain = layer.sums(tuning).gain
            above[place] += (gain > 4).sum(), len(gain)
    print(f"{model}: gain above 4 alone: {above[0, 0]:,} of {above[0, 1]:,} units")
    print(f"  with directions permuted, mean of 20: {above[1:, 0].mean():,.1f}")
    sizes = Sizes.of(stimuli)
    for layer_name, (stream, _) in _streams(connections, responses).items():
        parts = _Parts.of(stream, responses, layer_name, sizes)
        own, block = parts.stream[parts.held], parts.block[parts.held]
        shares = []
        for place in range(21):
            other = rng.permutation(len(own)) if place else np.arange(len(own))
            found = _measured(own, block[other], sizes)
            shares.append((found.scaled > found.reversed).mean())
        print(
            f"  {layer_name}: block larger than stream in {shares[0]:.2f} of {len(own)} units, "
            f"exchanged {np.mean(shares[1:]):.2f} (most {max(shares[1:]):.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
