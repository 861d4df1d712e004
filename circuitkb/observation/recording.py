"""Show a battery to a network and to its shuffled copies, and keep what they answer.

The answers are written to a file as they come, so an observation that was interrupted goes on
where it stopped; nothing of it is in the knowledge base before it is whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import StoreBusyError
from circuitkb.schema.ids import content_hash
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.responses import Answers, Responses

if TYPE_CHECKING:
    from circuitkb.loaders.network import Network
    from circuitkb.loaders.observing import Onlooker

    from .battery import Battery

VERSION = "1"

SHUFFLES = 4
"""Shuffled copies of the network: a layer of few units needs many to be compared with."""

IMAGES_AT_ONCE = 32
"""Stimuli that are drawn and shown together; after each lot the work can be interrupted."""

CALIBRATION = 32
"""Stimuli, evenly over the battery, on which shuffled copies get the moments of the network."""

_FINE = 1e-2
"""Typical spread of a layer below which half precision would cut its answers short."""

_LARGE = 3e4
"""Largest answer that half precision is trusted with."""

Recorded = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Recording:
    """What a network and its shuffled copies answered.

    Attributes
    ----------
    responses
        Of the network, and of the first shuffled copy.
    more_shuffled
        Answers before the nonlinearity of the other copies, each with the axes (unit, stimulus).
    resumed
        Share of the work that an interrupted observation had done already.
    """

    responses: Responses
    more_shuffled: tuple[Answers, ...]
    resumed: float


def record(
    network: Network,
    battery: Battery,
    looks: Sequence[Onlooker],
    workspace: Path,
    *,
    seed: int,
    shuffles: int = SHUFFLES,
    settings: Mapping[str, Any],
    progress: Progress = silent,
) -> Recording:
    """Show every stimulus to a network and to shuffled copies of it.

    Parameters
    ----------
    looks
        The ways to look at the network that read all its layers, each layer once.
    workspace
        Folder for the unfinished work; whoever calls removes it when all is written.
    seed
        The shuffled copies are made from ``seed``, ``seed + 1``, and so on.
    settings
        Kept with the responses.
    progress
        Told how far it is.

    Raises
    ------
    ObservationError
        A unit answers with NaN or infinity.
    StoreBusyError
        Another process observes the same network into the same workspace.
    """
    key = content_hash(
        [VERSION, network.fingerprint, battery.name, len(battery.stimuli), seed, shuffles,
         dict(settings), [dict(look.units) for look in looks]]
    )  # fmt: skip
    layers = [item for look in looks for item in look.units.items()]
    shape = (3 + shuffles, len(battery.stimuli), sum(units for _, units in layers))
    with _work(workspace, key, shape) as work:
        resumed, column, done = work.done / (len(looks) * shape[1]), 0, 0
        for look in looks:
            wide = slice(column, column + sum(look.units.values()))
            _show(network, battery, look, work, done, wide, seed=seed, shuffles=shuffles,
                  progress=lambda part, done=done: progress(  # type: ignore[misc]
                      "Showing stimuli", (done + part) / (len(looks) * shape[1])))  # fmt: skip
            column, done = wide.stop, done + shape[1]
        return _recording(work.answers, battery, layers, settings, resumed)


def _show(
    network: Network,
    battery: Battery,
    look: Onlooker,
    work: _Work,
    already: int,
    columns: slice,
    *,
    seed: int,
    shuffles: int,
    progress: Any,
) -> None:
    """Show the battery in one way of looking; ``already`` are the stimuli shown in earlier ones."""
    count = len(battery.stimuli)
    first = max(0, work.done - already)
    if first >= count:
        return

    def images(which: Sequence[int] | slice) -> Any:
        view = look.view
        drawn = battery.images(which, rows=view.rows, columns=view.columns, centre=view.centre)
        return network.pixels.apply(drawn)

    sample = np.unique(np.linspace(0, count - 1, CALIBRATION).astype(int)).tolist()
    calibration = images(sample)
    copies = [look.shuffled(calibration, seed=seed + k) for k in range(shuffles)]
    for start in range(first, count, IMAGES_AT_ONCE):
        progress(start)
        rows = slice(start, min(count, start + IMAGES_AT_ONCE))
        shown = images(rows)
        work.answers[0, rows, columns], work.answers[1, rows, columns] = look.answers(shown)
        for place, copy in enumerate(copies):
            before, after = copy.answers(shown)
            if place == 0:
                work.answers[2, rows, columns] = after
            work.answers[3 + place, rows, columns] = before
        work.save(already + rows.stop)


@dataclass(eq=False)
class _Work:
    """Unfinished answers, axes (array, stimulus, unit), and how many stimuli are done."""

    answers: Recorded
    done: int
    note: Path
    key: str

    def save(self, done: int) -> None:
        self.done = done
        unfinished = self.note.with_suffix(".new")
        unfinished.write_text(json.dumps({"key": self.key, "done": done}))
        unfinished.replace(self.note)


@contextmanager
def _work(folder: Path, key: str, shape: tuple[int, int, int]) -> Iterator[_Work]:
    """Open unfinished work, or begin it: what was done for other settings is no use."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise StoreBusyError(
            "Another process observes this network: wait until it is done."
        ) from None
    try:
        note, path = folder / "done.json", folder / "answers.npy"
        try:
            noted = json.loads(note.read_text())
            fits = noted["key"] == key and path.exists()
        except (OSError, ValueError, KeyError, TypeError):
            fits = False
        answers = np.lib.format.open_memmap(
            path, mode="r+" if fits else "w+", dtype=np.float32, shape=None if fits else shape
        )
        work = _Work(answers, int(noted["done"]) if fits else 0, note, key)
        if not fits:
            work.save(0)
        yield work
    finally:
        lock.release()


def forget(workspace: Path) -> None:
    """Remove the unfinished work of an observation that is written."""
    shutil.rmtree(workspace, ignore_errors=True)


def _recording(
    answers: Recorded,
    battery: Battery,
    layers: Sequence[tuple[str, int]],
    settings: Mapping[str, Any],
    resumed: float,
) -> Recording:
    exact = _needs_single_precision(answers, layers)
    dtype = np.float32 if exact else np.float16

    def turned(place: int) -> Answers:
        return np.ascontiguousarray(answers[place].T, dtype)

    responses = Responses(
        battery=battery.name,
        stimuli=tuple(stimulus.id for stimulus in battery.stimuli),
        layers=tuple(layers),
        before=turned(0),
        after=turned(1),
        shuffled_before=turned(3),
        shuffled_after=turned(2),
        settings=dict(settings),
    )
    return Recording(responses, tuple(turned(k) for k in range(4, len(answers))), resumed)


def _needs_single_precision(answers: Recorded, layers: Sequence[tuple[str, int]]) -> bool:
    """Whether some answers are too large, or a whole layer's too fine, for half precision."""
    if max(np.abs(part).max(initial=0) for part in answers) > _LARGE:
        return True
    ends = np.cumsum([units for _, units in layers]).tolist()
    return any(
        0 < float(np.median(part[:, end - units : end].std(axis=0))) < _FINE
        for part in answers[:2]
        for (_, units), end in zip(layers, ends, strict=True)
    )
