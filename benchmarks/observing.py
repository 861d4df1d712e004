"""Time and memory of observing: against plain forward passes over the same stimuli.

Run it from the repository: ``python benchmarks/observing.py [--all]``. It shows EfficientNet-Lite0
128 stimuli of the battery (all of them with ``--all``) as ``circuitkb observe`` does, and the same
images to the module itself in inference mode, four or sixteen at a time, whichever is faster. It
prints the ratio of the times for the network alone, and for the whole recording (drawing, the
shuffled copies, writing the answers down) against as many plain passes as networks are shown
images. It exits with 1 where a target is missed. The peak is that of a process that records.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

# As the program sets it: threads that wait do not take the processor from others.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import numpy as np
import torch
from numpy.typing import NDArray

from circuitkb.loaders.network import Network
from circuitkb.loaders.observing import Onlooker, look
from circuitkb.loaders.sources import open_network
from circuitkb.loaders.viewing import plan_views
from circuitkb.observation.battery import Battery, battery
from circuitkb.observation.recording import record
from circuitkb.observation.tuning import oriented_stimuli

MODEL = "efficientnet_lite0"
MOST_RATIO, MOST_SECONDS, MOST_BYTES = 1.5, 90.0, 3e9
STIMULI = 128
BATCHES = (4, 16)


def ready(everything: bool) -> tuple[Network, list[Onlooker], Battery, NDArray[np.intp]]:
    """Return the network, how to look at it, stimuli, and which the second copy is shown."""
    network = open_network(MODEL)
    views = plan_views(network.module, network.example)
    whole = battery(extent=min(min(view.rows, view.columns) for view in views))
    count = len(whole) if everything else STIMULI
    places = np.linspace(0, len(whole) - 1, count).astype(int)
    shown = Battery(whole.name, tuple(whole.stimuli[place] for place in places), whole.channels)
    second = np.flatnonzero(np.isin(places, oriented_stimuli(whole.stimuli)))
    return network, [look(network, view) for view in views], shown, second


def recording(
    network: Network, looks: list[Onlooker], shown: Battery, second: NDArray[np.intp]
) -> float:
    """Record in a folder of its own; return the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        record(
            network,
            shown,
            looks,
            Path(folder),
            second_stimuli=second,
            seed=0,
            settings={},
        )
        return perf_counter() - start


@torch.inference_mode()
def compare(network: Network, looks: list[Onlooker], shown: Battery) -> tuple[float, float]:
    """Return seconds of plain passes, and of looking at the network alone, images drawn before."""
    plain, looking = dict.fromkeys(BATCHES, 0.0), 0.0
    for onlooker in looks:
        view = onlooker.view
        for first in range(0, len(shown), 32):
            images = network.pixels.apply(
                shown.images(
                    slice(first, first + 32),
                    rows=view.rows, columns=view.columns, centre=view.centre,
                )
            )  # fmt: skip
            start = perf_counter()
            onlooker.answers(images)
            looking += perf_counter() - start
            # In turns, so that the machine's other work weighs on all alike.
            for batch in BATCHES:
                start = perf_counter()
                for part in torch.split(torch.from_numpy(images), batch):
                    network.module(part)
                plain[batch] += perf_counter() - start
    return min(plain.values()), looking


def peak() -> float:
    """Return the most memory that this process held, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+)", status.read_text())
        assert found
        return 1024 * float(found[1])
    import resource

    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main() -> int:
    everything = "--all" in sys.argv[1:]
    if "--record" in sys.argv[1:]:
        print(json.dumps([recording(*ready(everything)), peak()]))
        return 0
    network, looks, shown, second = ready(everything)
    plain, looking = compare(network, looks, shown)
    command = [sys.executable, __file__, "--record", *["--all"] * everything]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, held = json.loads(done.stdout)
    networks = 2 + len(second) / len(shown)
    images = [f"{onlooker.view.rows}x{onlooker.view.columns}" for onlooker in looks]
    print(f"{len(shown)} stimuli in images of {', '.join(images)}")
    print(f"plain passes       {plain:7.2f} s, {1000 * plain / len(shown):.0f} ms a stimulus")
    print(f"looking            {looking:7.2f} s at the network alone, images drawn before")
    print(f"recording          {seconds:7.2f} s for {networks:.2f} networks, with all it takes")
    alone, whole = looking / plain, seconds / (networks * plain)
    targets = [
        (f"looking takes {alone:.2f} times plain passes (at most {MOST_RATIO:g})",
         alone <= MOST_RATIO),
        (f"recording takes {whole:.2f} times plain passes, network for network "
         f"(at most {MOST_RATIO:g})", whole <= MOST_RATIO),
        (f"recording holds {held / 1e9:.2f} GB at its peak (less than {MOST_BYTES / 1e9:g})",
         held < MOST_BYTES),
    ]  # fmt: skip
    if everything:
        targets.append(
            (f"recording takes {seconds:.0f} s (less than {MOST_SECONDS:g})",
             seconds < MOST_SECONDS)
        )  # fmt: skip
    for text, met in targets:
        print(f"{'met   ' if met else 'MISSED'} {text}")
    print(
        f"recording, copies and all, takes {seconds / plain:.2f} times one network's plain passes"
    )
    return 0 if all(met for _, met in targets) else 1


if __name__ == "__main__":
    sys.exit(main())
