"""Every motif in the models of a store: what was tested, hit and found, beside what chance gives.

    python benchmarks/motifs.py STORE [MODEL ...] [--motif NAME ...] [--by kernels]

Nothing is written to the store. Times are those of the processor. A motif whose criteria can be
fulfilled by chance has its hits there: what is found is what passes the worse of its nulls.
``docs/discovery.md`` shows the tables.
"""

from __future__ import annotations

import argparse
import resource
import time
from importlib.metadata import EntryPoint

import circuitkb as ckb
from circuitkb.errors import CircuitKBError
from circuitkb.motifs.registry import MOTIFS

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
    given = parser.parse_args()
    store = ckb.open(given.store).store
    models = given.models or [row[0] for row in store.read("MATCH (m:Model) RETURN m.id").rows]
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


if __name__ == "__main__":
    main()
