"""Time and memory of observing: against plain forward passes over the same stimuli.

Run it from the repository: ``python benchmarks/observing.py [--all]``, or with ``--zoo`` for
networks of many families. Without ``--zoo`` it shows EfficientNet-Lite0
128 stimuli of the battery (all of them with ``--all``) as ``circuitkb observe`` does, and the same
images to the module itself in inference mode, four or sixteen at a time, whichever is faster. It
prints the ratio of the times for the network alone, and for the whole recording (drawing, the
shuffled copies, writing the responses down) against as many plain passes as networks are shown
images. It exits with 1 where a target is missed. The peak is that of a process that records.

``--zoo [NETWORK ...]`` takes the networks of ``ZOO_SHOWN``, or those named, each in a process of
its own, and reckons what a whole observation takes up to the measuring: planning and tracing,
shuffling the weights of both copies, and the showing of the whole battery to all three, from
``--stimuli N`` (64) of it, or from more where the network's images are small, so that what the
first batches take is not multiplied. It is compared with plain passes of the network alone, once
over the images of every view, in batches of one, four or sixteen, whichever is fastest. The
importing of libraries counts on neither side. Seconds are those of the processor, which other work
on the machine still lengthens: run it where nothing else runs. Networks whose package is not
installed are named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

# As the program sets it: threads that wait do not take the processor from others.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import numpy as np
import torch
import torch._functorch.aot_autograd  # which torch.export imports when it is first used
import torch.export._trace
from numpy.typing import NDArray

from circuitkb.errors import CircuitKBError
from circuitkb.loaders.activations.reading import Onlooker, look
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.receptive_fields.views import plan_views
from circuitkb.loaders.sources.opening import open_network
from circuitkb.loaders.sources.quiet import quiet
from circuitkb.observation.measures.tuning import oriented_stimuli
from circuitkb.observation.recording import record
from circuitkb.observation.stimuli.battery import Battery, battery

MODEL = "efficientnet_lite0"
MOST_RATIO, MOST_SECONDS, MOST_BYTES = 1.5, 90.0, 3e9
STIMULI = 128
BATCHES = (4, 16)

ZOO_SHOWN = (
    "efficientnet_lite0",
    "opennsfw",
    "rapidocr_direction",
    "rapidocr_detection",
    "rapidocr_recognition",
    "mtcnn_onet",
    "nudenet",
    "hed",
    "torchvision:inception_v3@none",
    "torchvision:vgg11@none",
    "torchvision:mobilenet_v3_small@none",
    "torchvision:resnet18@none",
)
"""Of many families."""

ZOO_RATIO = 3.0
LARGE = 224
"""Rows and columns of images from which so many stimuli are enough as are asked for."""


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
                    rows=view.rows,
                    columns=view.columns,
                    centre=view.centre,
                )
            )
            start = perf_counter()
            onlooker.responses(images)
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


class _Clock:
    """Takes the time of preparing, which is as long for few stimuli as for many."""

    def __init__(self) -> None:
        self.preparing = 0.0
        self._since: float | None = None

    def __call__(self, doing: str, done: float) -> None:
        now = process_time()
        if doing == "Showing stimuli":
            if self._since is not None:
                self.preparing += now - self._since
            self._since = None
        elif self._since is None:
            self._since = now


@torch.inference_mode()
def plain_passes(network: Network, looks: list[Onlooker], shown: Battery) -> float:
    """Return the seconds of one pass over the images of every view, in the best batches."""
    found = 0.0
    for onlooker in looks:
        view = onlooker.view
        images = torch.from_numpy(
            network.pixels.apply(
                shown.images(slice(None), rows=view.rows, columns=view.columns, centre=view.centre)
            )
        )
        taken = []
        for batch in (1, *BATCHES):
            try:
                with quiet():
                    network.module(images[:batch])  # warm, and whether it takes such a batch
                start = process_time()
                for part in torch.split(images[: len(images) // batch * batch], batch):
                    network.module(part)
                taken.append(
                    (process_time() - start) * len(images) / (len(images) // batch * batch)
                )
            except Exception:  # a network whose code holds on to a batch of one says so as it likes
                continue
        found += min(taken)
    return found


def one_of_the_zoo(name: str, stimuli: int) -> dict[str, float]:
    """Return the seconds and the peak of one network, in this process."""
    network = open_network(name)
    start = process_time()
    views = plan_views(network.module, network.example)
    looks = [look(network, view) for view in views]
    planning = process_time() - start
    extent = min(min(view.rows, view.columns) for view in views)
    whole = battery(channels=network.example.shape[1], extent=extent)
    stimuli = max(stimuli, stimuli * LARGE**2 // (views[0].rows * views[0].columns))
    places = np.unique(np.linspace(0, len(whole) - 1, stimuli).astype(int))
    shown = Battery(whole.name, tuple(whole.stimuli[place] for place in places), whole.channels)
    second = np.flatnonzero(np.isin(places, oriented_stimuli(whole.stimuli)))
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        start = process_time()
        record(
            network,
            shown,
            looks,
            Path(folder),
            second_stimuli=second,
            seed=0,
            settings={},
            progress=clock,
        )
        showing = process_time() - start - clock.preparing
    held, times = peak(), len(whole) / len(shown)
    plain = plain_passes(network, looks, shown)
    return {
        "planning": planning,
        "preparing": clock.preparing,
        "showing": showing * times,
        "plain": plain * times,
        "networks": 2 + len(second) / len(shown),
        "peak": held,
        "views": len(views),
        "units": sum(sum(item.units.values()) for item in looks),
        "rows": views[0].rows,
        "columns": views[0].columns,
    }


def zoo(names: list[str], stimuli: int) -> int:
    """Compare every network, each in a process of its own; return the exit status."""
    missed = 0
    for name in names:
        command = [sys.executable, __file__, "--stimuli", str(stimuli), "--one", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["it ended"])[-1]
            print(f"left out {name}: {reason}", flush=True)
            continue
        it = json.loads(done.stdout)
        seconds = it["planning"] + it["preparing"] + it["showing"]
        ratio, held = seconds / it["plain"], it["peak"] / 1e9
        met = ratio <= ZOO_RATIO and it["peak"] < MOST_BYTES
        missed += not met
        print(
            f"{'met   ' if met else 'MISSED'} {name}: {ratio:.2f} times plain passes, "
            f"{held:.2f} GB; {seconds:.0f} s (planning {it['planning']:.0f}, shuffling "
            f"{it['preparing']:.0f}, showing {it['showing']:.0f} to {it['networks']:.2f} networks) "
            f"against {it['plain']:.1f} s; {it['units']:,.0f} units, {it['views']:.0f} views, the "
            f"first of {it['rows']:.0f}x{it['columns']:.0f}",
            flush=True,
        )
    return 1 if missed else 0


def asked() -> argparse.Namespace:
    """Return what the command line says."""
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--all", action="store_true", help="show Lite0 the whole battery")
    asked.add_argument("--zoo", nargs="*", metavar="NETWORK", help="compare many families")
    asked.add_argument("--stimuli", type=int, default=64, metavar="N", help="of each, with --zoo")
    asked.add_argument("--record", action="store_true", help=argparse.SUPPRESS)
    asked.add_argument("--one", help=argparse.SUPPRESS)
    return asked.parse_args()


def main() -> int:
    options = asked()
    if options.one is not None:
        try:
            print(json.dumps(one_of_the_zoo(options.one, options.stimuli)))
        except CircuitKBError as error:
            print(" ".join(str(error).splitlines()), file=sys.stderr)
            return 2
        return 0
    if options.zoo is not None:
        return zoo(options.zoo or list(ZOO_SHOWN), options.stimuli)
    everything = options.all
    if options.record:
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
        (
            f"looking takes {alone:.2f} times plain passes (at most {MOST_RATIO:g})",
            alone <= MOST_RATIO,
        ),
        (
            f"recording takes {whole:.2f} times plain passes, network for network "
            f"(at most {MOST_RATIO:g})",
            whole <= MOST_RATIO,
        ),
        (
            f"recording holds {held / 1e9:.2f} GB at its peak (less than {MOST_BYTES / 1e9:g})",
            held < MOST_BYTES,
        ),
    ]
    if everything:
        targets.append(
            (
                f"recording takes {seconds:.0f} s (less than {MOST_SECONDS:g})",
                seconds < MOST_SECONDS,
            )
        )
    for text, met in targets:
        print(f"{'met   ' if met else 'MISSED'} {text}")
    print(
        f"recording, copies and all, takes {seconds / plain:.2f} times one network's plain passes"
    )
    return 0 if all(met for _, met in targets) else 1


if __name__ == "__main__":
    sys.exit(main())
