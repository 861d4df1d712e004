"""Show a battery to a network and to its shuffled copies, and keep their responses.

Responses are written to a file as they come, so an observation that was interrupted goes on
where it stopped; nothing of it is in the knowledge base before it is whole.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import StoreBusyError
from circuitkb.schema.ids import content_hash
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.schema.responses import ResponseArray, Responses
from circuitkb.stores.disk.own_files import remove_own

if TYPE_CHECKING:
    from circuitkb.loaders.activations.reading import Onlooker
    from circuitkb.loaders.composition.network import Network
    from circuitkb.observation.stimuli.battery import Battery

VERSION = "1"

IMAGES_AT_ONCE = 32
"""Stimuli that are drawn together at least, as one drawing makes several of them."""

_ORDER = "4"
"""Of the steps and their images: work left unfinished in another order is begun again."""

SECONDS_BETWEEN_NOTES = 2.0
"""After so much work, or one batch if that takes longer, it is noted how far it is."""

CALIBRATION = 32
"""Stimuli, evenly over the battery, on which shuffled copies get the moments of the network."""

_FINE = 1e-2
"""Typical spread of a layer below which half precision would cut its responses short."""

_LARGE = 3e4
"""Largest response that half precision is trusted with."""

_OWN = re.compile(r"lock|done\.(?:json|new)|[a-z]+\.npy")

Recorded = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Recording:
    """The responses of a network and its shuffled copies.

    Attributes
    ----------
    responses
        Of the network, and of the first shuffled copy.
    second_before
        Responses of the second copy before the nonlinearity, axes (unit, stimulus), to the stimuli
        that it was shown.
    second_stimuli
        Places of those in the battery.
    resumed
        Share of the images that an interrupted observation had shown already.
    further
        Responses of further copies of some layers before the nonlinearity, by layer, axes (copy,
        unit, stimulus).
    """

    responses: Responses
    second_before: ResponseArray
    second_stimuli: NDArray[np.intp]
    resumed: float
    further: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @classmethod
    def kept(cls, responses: Responses) -> Recording:
        """Return a recording of which the first copy alone is kept."""
        nothing = np.empty((len(responses.before), 0), np.float32)
        return cls(responses, nothing, np.empty(0, np.intp), 0.0)


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
        Called with how far it is.

    Raises
    ------
    ObservationError
        A unit responds with NaN or infinity.
    StoreBusyError
        Another process observes the same network into the same workspace.
    """
    layers = [item for look in looks for item in look.units.items()]
    units = sum(count for _, count in layers)
    key = content_hash(
        [
            VERSION,
            _ORDER,
            network.fingerprint,
            [item.id for item in battery.stimuli],
            second_stimuli.tolist(),
            seed,
            dict(settings),
            layers,
        ]
    )
    shapes = {"responses": (4, len(battery), units), "second": (len(second_stimuli), units)}
    with _work(workspace, key, shapes) as work:
        resumed, column = 0.0, 0
        for place, look in enumerate(looks):
            columns = slice(column, column + sum(look.units.values()))
            showing = _Showing(network, battery, look, columns, second_stimuli, seed)
            first = max(0, work.done - place * len(battery))
            reached = work.done >= place * len(battery)
            resumed += showing.share(first, work.steps if reached else 0) / len(looks)
            tell = within(progress, place / len(looks), (place + 1) / len(looks))
            showing.show(work, first, already=place * len(battery), progress=tell)
            column = columns.stop
        return _recording(work.arrays, battery, layers, second_stimuli, settings, resumed)


def calibration(stimuli: int) -> NDArray[np.intp]:
    """Return places in a battery of so many: those that shuffled copies are calibrated on."""
    return np.unique(np.linspace(0, stimuli - 1, CALIBRATION).astype(np.intp))


@dataclass(frozen=True)
class _Step:
    """Images of a lot that run together: so long as nothing of a step is lost, nothing is.

    Attributes
    ----------
    shown_to
        0 for the network, 1 and 2 for its copies.
    chosen
        Places in the battery.
    """

    shown_to: int
    chosen: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class _Showing:
    """The battery shown in one way of looking."""

    network: Network
    battery: Battery
    look: Onlooker
    columns: slice
    second_stimuli: NDArray[np.intp]
    seed: int

    def show(self, work: _Work, first: int, *, already: int, progress: Progress) -> None:
        """Show what was not shown before.

        Parameters
        ----------
        work
            What was done, and where what is done is kept.
        first
            Stimuli that were shown to the network and its copies.
        already
            Stimuli that belong to other ways of looking.
        """
        onlookers = [self.look]
        for start in range(first, len(self.battery), self._at_once):
            stop = min(len(self.battery), start + self._at_once)
            lot = self._images(np.arange(start, stop))
            for number, step in enumerate(self._lot(start)):
                if number < work.steps:
                    continue
                progress("Showing stimuli", self.share(start, number))
                if step.shown_to and len(onlookers) == 1:
                    tell = self._preparing(progress, start, number)
                    onlookers += self._copies(tell)
                images = self._of_step(step, lot, start)
                before, after = onlookers[step.shown_to].responses(images)
                self._write(work, step, before, after)
                work.step(number + 1)
            work.save(already + stop)
        progress("Showing stimuli", 1.0)

    def _write(self, work: _Work, step: _Step, before: Recorded, after: Recorded) -> None:
        if step.shown_to == 2:
            rows = np.searchsorted(self.second_stimuli, step.chosen)
            work.arrays["second"][rows, self.columns] = before
            return
        # The network's responses stand first, those of its copy with the later side before.
        sides = (0, 1) if step.shown_to == 0 else (3, 2)
        for side, responses in zip(sides, (before, after), strict=True):
            work.arrays["responses"][side, step.chosen, self.columns] = responses

    @property
    def _at_once(self) -> int:
        """Stimuli of a lot: whole batches, since one with gaps takes as long as a full one."""
        return self.look.batch * math.ceil(IMAGES_AT_ONCE / self.look.batch)

    def _shown_to_second(self, stimuli: int) -> int:
        """Return how many the second copy was shown of the first stimuli: full batches alone.

        What is left over waits for the next lot; of the whole battery nothing is left over.
        """
        count = int(np.searchsorted(self.second_stimuli, stimuli))
        return count if stimuli >= len(self.battery) else count - count % self.look.batch

    def _of_step(self, step: _Step, lot: NDArray[np.float32], start: int) -> NDArray[np.float32]:
        """Return the images of a step; those that waited since an earlier lot are drawn again."""
        here = lot[step.chosen[step.chosen >= start] - start]
        waited = step.chosen[step.chosen < start]
        return np.concatenate([self._images(waited), here]) if len(waited) else here

    def _lot(self, start: int) -> list[_Step]:
        """Return the steps of a lot: the same however often it is interrupted."""
        stop = min(len(self.battery), start + self._at_once)
        every = np.arange(start, stop)
        low, high = self._shown_to_second(start), self._shown_to_second(stop)
        return [
            _Step(shown_to, chosen[first : first + self.look.batch])
            for shown_to, chosen in enumerate((every, every, self.second_stimuli[low:high]))
            for first in range(0, len(chosen), self.look.batch)
        ]

    def _copies(self, progress: Progress) -> list[Onlooker]:
        sample = calibration(len(self.battery))
        seeds = [self.seed, self.seed + 1]
        return self.look.shuffled(self._images(sample), seeds=seeds, progress=progress)

    def share(self, stimuli: int, steps: int = 0) -> float:
        """Return the share of all images that were shown after so many stimuli and steps more."""
        second = self._shown_to_second(stimuli)
        partly = self._lot(stimuli)[:steps] if steps and stimuli < len(self.battery) else ()
        shown = 2 * min(stimuli, len(self.battery)) + second + sum(len(s.chosen) for s in partly)
        return shown / (2 * len(self.battery) + len(self.second_stimuli))

    def _preparing(self, progress: Progress, start: int, number: int) -> Progress:
        """Return a progress that moves within one step: what is prepared is shown to nobody."""
        return within(progress, self.share(start, number), self.share(start, number + 1))

    def _images(self, which: NDArray[np.intp]) -> NDArray[np.float32]:
        view = self.look.view
        drawn = self.battery.images(which, rows=view.rows, columns=view.columns, centre=view.centre)
        return self.network.pixels.apply(drawn)


@dataclass(eq=False)
class _Work:
    """Unfinished responses, and how much is done of them.

    Attributes
    ----------
    arrays
        Axes (array, stimulus, unit).
    done
        Stimuli that were shown to the network and its copies.
    steps
        Steps of the next lot of stimuli that were done too.
    """

    arrays: Mapping[str, Recorded]
    done: int
    steps: int
    note: Path
    key: str
    noted: float = -math.inf

    def step(self, steps: int) -> None:
        """Say that another step of the lot was done; note it, if not another one was just now."""
        self.steps = steps
        if monotonic() - self.noted >= SECONDS_BETWEEN_NOTES:
            self.write_note()

    def save(self, done: int) -> None:
        """Note that a lot was done."""
        self.done, self.steps = done, 0
        self.write_note()

    def write_note(self) -> None:
        """Write down how much is done."""
        unfinished = self.note.with_suffix(".new")
        unfinished.write_text(json.dumps({"key": self.key, "done": self.done, "steps": self.steps}))
        unfinished.replace(self.note)
        self.noted = monotonic()


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
            done, steps = int(noted["done"]), int(noted.get("steps", 0))
            fits = noted["key"] == key and all(
                _is_whole(path, shapes[name]) for name, path in paths.items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            fits = False
        if not fits:
            done = steps = 0
            note.unlink(missing_ok=True)
        arrays = {
            name: np.lib.format.open_memmap(paths[name], mode="r+")
            if fits
            else np.lib.format.open_memmap(paths[name], mode="w+", dtype=np.float32, shape=shape)
            for name, shape in shapes.items()
        }
        work = _Work(arrays, done, steps, note, key)
        try:
            yield work
        finally:  # what was done when somebody pressed Ctrl-C
            work.write_note()
    finally:
        lock.release()


def _is_whole(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether a file holds all its responses: opened to be written, a short one would be filled."""
    try:
        found = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return False
    return bool(found.shape == shape and found.dtype == np.float32)


def forget(workspace: Path) -> None:
    """Remove the unfinished work of an observation that is written; what others put there stays."""
    remove_own(workspace, lambda name: _OWN.fullmatch(name) is not None)


def _recording(
    arrays: Mapping[str, Recorded],
    battery: Battery,
    layers: Sequence[tuple[str, int]],
    second_stimuli: NDArray[np.intp],
    settings: Mapping[str, Any],
    resumed: float,
) -> Recording:
    recorded = arrays["responses"]
    single = _needs_single_precision(recorded, arrays["second"], layers)

    def by_unit(array: Recorded) -> ResponseArray:
        units = array.T
        return np.ascontiguousarray(units) if single else np.ascontiguousarray(units, np.float16)

    responses = Responses(
        battery=battery.name,
        stimuli=tuple(stimulus.id for stimulus in battery.stimuli),
        layers=tuple(layers),
        before=by_unit(recorded[0]),
        after=by_unit(recorded[1]),
        shuffled_before=by_unit(recorded[3]),
        shuffled_after=by_unit(recorded[2]),
        settings=dict(settings),
    )
    return Recording(responses, by_unit(arrays["second"]), second_stimuli, resumed)


def _needs_single_precision(
    recorded: Recorded, second: Recorded, layers: Sequence[tuple[str, int]]
) -> bool:
    """Whether some responses are too large, or a whole layer's too fine, for half precision."""
    if max(np.abs(part).max(initial=0) for part in (*recorded, second)) > _LARGE:
        return True
    ends = np.cumsum([units for _, units in layers]).tolist()
    return any(
        0 < float(np.median(part[:, end - units : end].std(axis=0))) < _FINE
        for part in recorded[:2]
        for (_, units), end in zip(layers, ends, strict=True)
    )
