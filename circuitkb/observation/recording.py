"""Show a battery to a network and to its shuffled copies, and keep what they answer.

The answers are written to a file as they come, so an observation that was interrupted goes on
where it stopped; nothing of it is in the knowledge base before it is whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
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

SHUFFLES = 2
"""Shuffled copies that are shown the battery: the first is the null, the other one tests it."""

NARROW_SHUFFLES = 8
"""Further copies, of narrow layers alone: few units need many copies to be compared with."""

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
        For each layer, answers of further shuffled copies before the nonlinearity; each array has
        the axes (unit, stimulus).
    resumed
        Share of the work that an interrupted observation had done already.
    """

    responses: Responses
    more_shuffled: Mapping[str, tuple[Answers, ...]]
    resumed: float


def record(
    network: Network,
    battery: Battery,
    looks: Sequence[Onlooker],
    narrow: Onlooker | None,
    workspace: Path,
    *,
    seed: int,
    settings: Mapping[str, Any],
    progress: Progress = silent,
) -> Recording:
    """Show every stimulus to a network and to shuffled copies of it.

    Parameters
    ----------
    looks
        The ways to look at the network that read all its layers, each layer once.
    narrow
        How to look at its narrow layers, for further shuffled copies; None if it has none.
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
    layers = [item for look in looks for item in look.units.items()]
    few = list(narrow.units.items()) if narrow else []
    key = content_hash([VERSION, network.fingerprint, [item.id for item in battery.stimuli],
                        seed, dict(settings), layers, few])  # fmt: skip
    shapes = {
        "answers": (3 + SHUFFLES, len(battery), sum(units for _, units in layers)),
        "narrow": (NARROW_SHUFFLES, len(battery), sum(units for _, units in few)),
    }
    with _work(workspace, key, shapes) as work:
        showing = _Showing(network, battery, work, progress)
        # In pixels, of which the work consists: stimuli, sizes, copies.
        showing.total = sum(_pixels(look) * (1 + SHUFFLES) for look in looks) + (
            _pixels(narrow) * (1 + NARROW_SHUFFLES) if narrow else 0
        )
        resumed, column = work.done / (len(looks) + bool(narrow)) / len(battery), 0
        for look in looks:
            columns = slice(column, column + sum(look.units.values()))
            showing.run(look, range(seed, seed + SHUFFLES), _whole(work.arrays["answers"], columns))
            column = columns.stop
        if narrow:
            seeds = range(seed + SHUFFLES, seed + SHUFFLES + NARROW_SHUFFLES)
            showing.run(narrow, seeds, _copies_alone(work.arrays["narrow"]))
        return _recording(work.arrays, battery, layers, few, settings, resumed)


Write = Callable[[slice, Any, "Onlooker", Sequence["Onlooker"]], None]
"""Shows images to a network and its copies, and writes their answers down, by stimuli."""


def _pixels(look: Onlooker) -> int:
    return look.view.rows * look.view.columns


def _whole(answers: Recorded, columns: slice) -> Write:
    def write(rows: slice, shown: Any, look: Onlooker, copies: Sequence[Onlooker]) -> None:
        answers[0, rows, columns], answers[1, rows, columns] = look.answers(shown)
        for place, copy in enumerate(copies):
            answers[3 + place, rows, columns], after = copy.answers(shown)
            if place == 0:
                answers[2, rows, columns] = after

    return write


def _copies_alone(answers: Recorded) -> Write:
    def write(rows: slice, shown: Any, look: Onlooker, copies: Sequence[Onlooker]) -> None:
        for place, copy in enumerate(copies):
            answers[place, rows], _ = copy.answers(shown)

    return write


class _Showing:
    """Goes through the battery once for each way to look, and leaves out what was done before."""

    def __init__(self, network: Network, battery: Battery, work: _Work, progress: Progress) -> None:
        self.network, self.battery, self.work, self.progress = network, battery, work, progress
        self.total = 0
        self._stimuli = 0
        self._pixels = 0

    def run(self, look: Onlooker, seeds: Sequence[int], write: Write) -> None:
        """Show the battery; ``seeds`` are those of the shuffled copies."""
        count, already = len(self.battery), self._stimuli
        pixels, before = _pixels(look) * (len(seeds) + 1), self._pixels
        self._stimuli, self._pixels = already + count, before + pixels
        first = max(0, self.work.done - already)
        if first >= count:
            return
        sample = np.unique(np.linspace(0, count - 1, CALIBRATION).astype(int))
        calibration = self._images(look, sample)
        copies = [look.shuffled(calibration, seed=seed) for seed in seeds]
        for start in range(first, count, IMAGES_AT_ONCE):
            self.progress("Showing stimuli", (before + pixels * start / count) / self.total)
            rows = slice(start, min(count, start + IMAGES_AT_ONCE))
            write(rows, self._images(look, np.arange(count)[rows]), look, copies)
            self.work.save(already + rows.stop)

    def _images(self, look: Onlooker, which: NDArray[np.intp]) -> NDArray[np.float32]:
        view = look.view
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
def _work(folder: Path, key: str, shapes: Mapping[str, tuple[int, int, int]]) -> Iterator[_Work]:
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
        paths = {name: folder / f"{name}.npy" for name, shape in shapes.items() if 0 not in shape}
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
            if 0 not in shape
        }
        work = _Work(arrays, int(noted["done"]) if fits else 0, note, key)
        if not fits:
            work.save(0)
        yield work
    finally:
        lock.release()


def _is_whole(path: Path, shape: tuple[int, int, int]) -> bool:
    """Whether a file holds all its answers: opened to be written, a short one would be filled."""
    try:
        found = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return False
    return found.shape == shape and found.dtype == np.float32


def forget(workspace: Path) -> None:
    """Remove the unfinished work of an observation that is written."""
    shutil.rmtree(workspace, ignore_errors=True)


def _recording(
    arrays: Mapping[str, Recorded],
    battery: Battery,
    layers: Sequence[tuple[str, int]],
    few: Sequence[tuple[str, int]],
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
    more: dict[str, tuple[Answers, ...]] = {}
    for recorded, parts in ((answers[4:], layers), (arrays.get("narrow", ()), few)):
        for layer, columns in _columns(parts):
            found = tuple(turned(copy[:, columns]) for copy in recorded)
            more[layer] = more.get(layer, ()) + found
    return Recording(responses, more, resumed)


def _columns(layers: Sequence[tuple[str, int]]) -> Iterator[tuple[str, slice]]:
    end = 0
    for layer, units in layers:
        end += units
        yield layer, slice(end - units, end)


def _needs_single_precision(answers: Recorded, layers: Sequence[tuple[str, int]]) -> bool:
    """Whether some answers are too large, or a whole layer's too fine, for half precision."""
    if max(np.abs(part).max(initial=0) for part in answers) > _LARGE:
        return True
    return any(
        0 < float(np.median(part[:, columns].std(axis=0))) < _FINE
        for part in answers[:2]
        for _, columns in _columns(layers)
    )
