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
    second_before
        Answers of the second copy before the nonlinearity, axes (unit, stimulus), to the stimuli
        that it was shown.
    second_stimuli
        Places of those in the battery.
    resumed
        Share of the work that an interrupted observation had done already.
    """

    responses: Responses
    second_before: Answers
    second_stimuli: NDArray[np.intp]
    resumed: float


def record(
    network: Network,
    battery: Battery,
    looks: Sequence[Onlooker],
    workspace: Path,
    *,
    second_stimuli: NDArray[np.intp],
    seed: int,
    settings: Mapping[str, Any],
    progress: Progress = silent,
) -> Recording:
    """Show every stimulus to a network and to a shuffled copy of it, and some to a second copy.

    Parameters
    ----------
    looks
        The ways to look at the network that read all its layers, each layer once.
    workspace
        Folder for the unfinished work; whoever calls removes it when all is written.
    second_stimuli
        Places in the battery of those that the second copy is shown, in order.
    seed
        The copies are made from ``seed`` and ``seed + 1``.
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
    layers = [item for look in looks for item in look.units.items()]
    units = sum(count for _, count in layers)
    key = content_hash([VERSION, network.fingerprint, [item.id for item in battery.stimuli],
                        second_stimuli.tolist(), seed, dict(settings), layers])  # fmt: skip
    shapes = {"answers": (4, len(battery), units), "second": (len(second_stimuli), units)}
    with _work(workspace, key, shapes) as work:
        total = len(looks) * len(battery)
        resumed, column = work.done / total, 0
        for place, look in enumerate(looks):
            columns = slice(column, column + sum(look.units.values()))
            showing = _Showing(network, battery, look, columns, second_stimuli, seed)
            for done in showing.through(work, place * len(battery)):
                progress("Showing stimuli", done / total)
            column = columns.stop
        return _recording(work.arrays, battery, layers, second_stimuli, settings, resumed)


@dataclass(frozen=True, eq=False)
class _Showing:
    """The battery shown in one way of looking."""

    network: Network
    battery: Battery
    look: Onlooker
    columns: slice
    second_stimuli: NDArray[np.intp]
    seed: int

    def through(self, work: _Work, already: int) -> Iterator[int]:
        """Show what was not shown before; ``already`` stimuli belong to other ways of looking."""
        count = len(self.battery)
        first = max(0, work.done - already)
        if first >= count:
            return
        sample = np.unique(np.linspace(0, count - 1, CALIBRATION).astype(int))
        calibration = self._images(sample)
        copies = [self.look.shuffled(calibration, seed=self.seed + k) for k in range(2)]
        answers, second = work.arrays["answers"], work.arrays["second"]
        for start in range(first, count, IMAGES_AT_ONCE):
            yield already + start
            stop = min(count, start + IMAGES_AT_ONCE)
            rows, shown = (slice(start, stop), self.columns), self._images(np.arange(start, stop))
            answers[0][rows], answers[1][rows] = self.look.answers(shown)
            answers[3][rows], answers[2][rows] = copies[0].answers(shown)
            low, high = np.searchsorted(self.second_stimuli, (start, stop)).tolist()
            if high > low:
                chosen = shown[self.second_stimuli[low:high] - start]
                second[low:high, self.columns], _ = copies[1].answers(chosen)
            work.save(already + stop)

    def _images(self, which: NDArray[np.intp]) -> NDArray[np.float32]:
        view = self.look.view
        drawn = self.battery.images(which, rows=view.rows, columns=view.columns, centre=view.centre)
        return self.network.pixels.apply(drawn)


@dataclass(eq=False)
class _Work:
    """Unfinished answers, axes (array, stimulus, unit), and how many stimuli are done."""

    arrays: Mapping[str, Recorded]
    done: int
    note: Path
    key: str

    def save(self, done: int) -> None:
        self.done = done
        unfinished = self.note.with_suffix(".new")
        unfinished.write_text(json.dumps({"key": self.key, "done": done}))
        unfinished.replace(self.note)


@contextmanager
def _work(folder: Path, key: str, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[_Work]:
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
        note = folder / "done.json"
        paths = {name: folder / f"{name}.npy" for name in shapes}
        try:
            noted = json.loads(note.read_text())
            fits = noted["key"] == key and all(
                _is_whole(path, shapes[name]) for name, path in paths.items()
            )
        except (OSError, ValueError, KeyError, TypeError):
            fits = False
        arrays = {
            name: np.lib.format.open_memmap(paths[name], mode="r+")
            if fits
            else np.lib.format.open_memmap(paths[name], mode="w+", dtype=np.float32, shape=shape)
            for name, shape in shapes.items()
        }
        work = _Work(arrays, int(noted["done"]) if fits else 0, note, key)
        if not fits:
            work.save(0)
        yield work
    finally:
        lock.release()


def _is_whole(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether a file holds all its answers: opened to be written, a short one would be filled."""
    try:
        found = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return False
    return bool(found.shape == shape and found.dtype == np.float32)


def forget(workspace: Path) -> None:
    """Remove the unfinished work of an observation that is written."""
    shutil.rmtree(workspace, ignore_errors=True)


def _recording(
    arrays: Mapping[str, Recorded],
    battery: Battery,
    layers: Sequence[tuple[str, int]],
    second_stimuli: NDArray[np.intp],
    settings: Mapping[str, Any],
    resumed: float,
) -> Recording:
    answers = arrays["answers"]
    single = _needs_single_precision(answers, layers)

    def turned(recorded: Recorded) -> Answers:
        turn = recorded.T
        return np.ascontiguousarray(turn) if single else np.ascontiguousarray(turn, np.float16)

    responses = Responses(
        battery=battery.name,
        stimuli=tuple(stimulus.id for stimulus in battery.stimuli),
        layers=tuple(layers),
        before=turned(answers[0]),
        after=turned(answers[1]),
        shuffled_before=turned(answers[3]),
        shuffled_after=turned(answers[2]),
        settings=dict(settings),
    )
    return Recording(responses, turned(arrays["second"]), second_stimuli, resumed)


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
