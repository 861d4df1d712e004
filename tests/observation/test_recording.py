"""Recording: what is shown, what is kept, and how an interrupted recording goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from torch import Tensor, nn

from circuitkb.loaders.activations.reading import LARGEST_BATCH, Onlooker, look
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.receptive_fields.views import plan_views
from circuitkb.observation import recording
from circuitkb.observation.recording import Recording, forget, record
from circuitkb.observation.stimuli.battery import NAME, Battery, battery
from circuitkb.schema.errors import StoreBusyError
from circuitkb.schema.progress import Progress, silent

SIDE = 18
LOT = LARGEST_BATCH
"""Stimuli that are drawn together: with images so small, one batch."""

STIMULI = 3 * LOT + 5
STEPS = 4 * 2 + 2
"""In one way of looking: four lots for the network and its copy, and two batches for the second."""

SECOND = np.arange(5, STIMULI, 2)
"""Stimuli that the second copy is shown."""

ALL = 2 * (2 * STIMULI + len(SECOND))
"""Images that two views of the network, of its copy and of the second one take."""


class Two(nn.Module):
    """Two layers on grids without a common centre, so that two views are needed."""

    def __init__(self, scale: float = 1, offset: float = 0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 2, 2)
        self.first.weight.data *= scale
        self.first.bias.data = self.first.bias.data * scale + offset  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))))


@dataclass
class Subject:
    """A network, how to look at it, and how many images it was shown, by number of pixels."""

    network: Network
    looks: list[Onlooker]
    shown: list[int] = field(default_factory=list)

    def record(
        self,
        workspace: Path,
        *,
        seed: int = 0,
        progress: Progress = silent,
        shown: Battery | None = None,
        settings: dict[str, Any] | None = None,
    ) -> Recording:
        self.shown.clear()
        workspace.mkdir(exist_ok=True)
        return record(
            self.network,
            shown or small_battery(),
            self.looks,
            workspace,
            second_stimuli=SECOND,
            seed=seed,
            settings=settings or {"seed": seed},
            progress=progress,
        )


def small_battery() -> Battery:
    whole = battery(extent=SIDE).stimuli
    places = np.linspace(0, len(whole) - 1, STIMULI).astype(int)
    return Battery(NAME, tuple(whole[place] for place in places), channels=3)


def subject(**options: float) -> Subject:
    network = Network(
        Two(**options).eval(),
        torch.zeros(1, 3, SIDE, SIDE),
        "two",
        "random",
        "two",
        "two",
        "MIT",
        "nobody",
        f"weights {options}",
    )
    views = plan_views(network.module, network.example)
    looks = [look(network, view) for view in views]
    assert len(looks) == 2
    return Subject(network, looks)


@pytest.fixture(scope="module")
def made() -> Subject:
    return subject()


@pytest.fixture
def two(made: Subject, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    """The network; what it and its copies are shown is counted."""
    real = Onlooker.responses

    def counted(self: Onlooker, images: Any) -> Any:
        made.shown.append(len(images))
        return real(self, images)

    monkeypatch.setattr(Onlooker, "responses", counted)
    yield made
    made.shown.clear()


@pytest.fixture(scope="module")
def in_one_go(made: Subject, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return made.record(tmp_path_factory.mktemp("whole"))


def stop_at(step: int) -> Progress:
    """Press Ctrl-C before a step, counted from 1; the end of a way of looking is one as well."""
    calls: list[str] = []

    def progress(doing: str, done: float) -> None:
        if doing == "Showing stimuli":
            calls.append(doing)
            if len(calls) == step:
                raise KeyboardInterrupt

    return progress


def same(one: Recording, other: Recording) -> bool:
    """Whether all answers are so bit for bit."""
    names = ("before", "after", "shuffled_before", "shuffled_after")
    arrays = [
        [getattr(found.responses, name) for name in names] + [found.second_before]
        for found in (one, other)
    ]
    return len(arrays[0]) == len(arrays[1]) and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in zip(*arrays, strict=True)
    )


def test_every_stimulus_is_shown_once_to_the_network_and_to_each_copy(
    two: Subject, tmp_path: Path
) -> None:
    found = two.record(tmp_path / "work")
    assert sum(two.shown) == ALL
    responses = found.responses
    assert responses.battery == NAME
    assert responses.stimuli == tuple(item.id for item in small_battery().stimuli)
    assert sorted(responses.layers) == [("input", 3), ("relu", 4), ("relu_1", 3)]
    assert responses.settings == {"seed": 0}
    assert found.resumed == 0


def test_no_batch_is_filled_up_but_the_last_ones(two: Subject, tmp_path: Path) -> None:
    two.record(tmp_path / "work")
    assert [onlooker.batch for onlooker in two.looks] == [LOT, LOT]
    rest = STIMULI % LOT
    # Of a view: every lot to the network and its copy, and what waits for the second in between.
    assert two.shown == 2 * [*6 * [LOT], LOT, rest, rest, len(SECOND) % LOT]


def test_answers_stand_at_their_stimulus_and_unit(two: Subject, in_one_go: Recording) -> None:
    responses = in_one_go.responses
    place = STIMULI - 2
    for onlooker in two.looks:
        view = onlooker.view
        image = small_battery().images(
            [place], rows=view.rows, columns=view.columns, centre=view.centre
        )
        before, after = onlooker.responses(two.network.pixels.apply(image))
        start = 0
        for layer, units in onlooker.units.items():
            own = slice(start, start := start + units)
            for name, found in (("before", before), ("after", after)):
                kept = getattr(responses, name)[responses.rows[layer], place]
                np.testing.assert_allclose(kept, found[0, own], atol=2e-3)


@pytest.mark.parametrize("steps", [0, 1, 2, 3, STEPS - 1, STEPS, STEPS + 3, 2 * STEPS])
def test_an_interrupted_recording_goes_on_and_gives_the_same_as_one_go(
    two: Subject, in_one_go: Recording, tmp_path: Path, steps: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        two.record(tmp_path / "work", progress=stop_at(steps + 1))
    before = sum(two.shown)
    assert (before > 0) == (steps > 0)
    found = two.record(tmp_path / "work")
    assert before + sum(two.shown) == ALL
    assert same(found, in_one_go)
    assert found.resumed == pytest.approx(before / ALL)


def test_a_recording_that_was_done_shows_nothing_again(two: Subject, tmp_path: Path) -> None:
    whole = two.record(tmp_path / "work")
    again = two.record(tmp_path / "work")
    assert two.shown == []
    assert same(whole, again)
    assert again.resumed == 1


def test_a_batch_that_was_interrupted_is_shown_anew_and_those_before_it_are_kept(
    two: Subject, in_one_go: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Onlooker.responses

    def killed(self: Onlooker, images: Any) -> Any:
        if len(two.shown) == 3:  # the network has seen the second lot, and its copy has not
            raise KeyboardInterrupt
        return counted(self, images)

    monkeypatch.setattr(Onlooker, "responses", killed)
    with pytest.raises(KeyboardInterrupt):
        two.record(tmp_path / "work")
    monkeypatch.setattr(Onlooker, "responses", counted)
    before = sum(two.shown)
    found = two.record(tmp_path / "work")
    assert found.resumed == pytest.approx(before / ALL)
    assert before + sum(two.shown) == ALL
    assert same(found, in_one_go)


@pytest.mark.parametrize("what", ["seed", "settings", "weights", "stimuli"])
def test_what_was_done_for_something_else_is_not_used(
    two: Subject, in_one_go: Recording, tmp_path: Path, what: str
) -> None:
    other: dict[str, Callable[[Subject], Any]] = {
        "seed": lambda s: s.record(tmp_path / "work", seed=7, progress=stop_at(3)),
        "settings": lambda s: s.record(
            tmp_path / "work", settings={"black": 0}, progress=stop_at(3)
        ),
        "weights": lambda s: replace(s, network=replace(s.network, fingerprint="other")).record(
            tmp_path / "work", progress=stop_at(3)
        ),
        "stimuli": lambda s: s.record(
            tmp_path / "work",
            shown=Battery(NAME, small_battery().stimuli[1:], 3),
            progress=stop_at(3),
        ),
    }
    with pytest.raises(KeyboardInterrupt):
        other[what](two)
    found = two.record(tmp_path / "work")
    assert found.resumed == 0
    assert same(found, in_one_go)


@pytest.mark.parametrize("damage", ["done.json", "responses.npy", "second.npy"])
def test_damaged_unfinished_work_is_begun_anew(
    two: Subject, in_one_go: Recording, tmp_path: Path, damage: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        two.record(tmp_path / "work", progress=stop_at(3))
    file = tmp_path / "work" / damage
    file.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2])
    found = two.record(tmp_path / "work")
    assert found.resumed == 0
    assert same(found, in_one_go)


def test_two_at_once_are_refused_and_the_first_is_not_disturbed(
    two: Subject, in_one_go: Recording, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        two.record(tmp_path / "work", progress=stop_at(3))
    with FileLock(tmp_path / "work" / "lock"):
        with pytest.raises(StoreBusyError, match="wait"):
            two.record(tmp_path / "work")
        assert two.shown == []
    found = two.record(tmp_path / "work")
    assert found.resumed > 0
    assert same(found, in_one_go)


def test_a_process_that_died_holds_no_lock(two: Subject, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    code = (
        "import os, signal, sys; from filelock import FileLock\n"
        "lock = FileLock(sys.argv[1]); lock.acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    died = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "work" / "lock")], check=False
    )
    assert died.returncode == -9
    assert two.record(tmp_path / "work").resumed == 0


def test_what_is_written_is_forgotten_whole(two: Subject, tmp_path: Path) -> None:
    two.record(tmp_path / "work")
    assert any((tmp_path / "work").iterdir())
    forget(tmp_path / "work")
    assert not (tmp_path / "work").exists()
    forget(tmp_path / "work")


def test_the_seed_decides_the_copies_and_nothing_else(
    two: Subject, in_one_go: Recording, tmp_path: Path
) -> None:
    assert same(two.record(tmp_path / "same"), in_one_go)
    other = two.record(tmp_path / "other", seed=100).responses
    kept = in_one_go.responses
    np.testing.assert_array_equal(other.before, kept.before)
    np.testing.assert_array_equal(other.after, kept.after)
    rows = kept.rows["relu"]
    assert np.abs(other.shuffled_before[rows] - kept.shuffled_before[rows]).max() > 0.01


def test_copies_differ_from_the_network_and_from_one_another(in_one_go: Recording) -> None:
    responses = in_one_go.responses
    np.testing.assert_array_equal(in_one_go.second_stimuli, SECOND)
    for layer in ("relu", "relu_1"):
        rows = responses.rows[layer]
        found = [
            responses.before[rows][:, SECOND],
            responses.shuffled_before[rows][:, SECOND],
            in_one_go.second_before[rows],
        ]
        for place, one in enumerate(found):
            for other in found[:place]:
                assert np.abs(one.astype(float) - other.astype(float)).max() > 0.01
    rows = responses.rows["input"]
    np.testing.assert_array_equal(responses.before[rows], responses.shuffled_before[rows])
    np.testing.assert_array_equal(responses.before[rows][:, SECOND], in_one_go.second_before[rows])


def test_the_second_copy_answers_as_a_first_copy_of_the_next_seed(
    two: Subject, in_one_go: Recording, tmp_path: Path
) -> None:
    expected = two.record(tmp_path / "next", seed=1).responses.shuffled_before[:, SECOND]
    np.testing.assert_allclose(in_one_go.second_before, expected, atol=2e-3)
    assert expected.std(axis=1).min() > 4e-3


@pytest.mark.parametrize(
    ("options", "dtype"),
    [({"scale": 3}, np.float16), ({"scale": 1e-3}, np.float32), ({"offset": 5e4}, np.float32)],
    ids=["usual", "fine", "large"],
)
def test_answers_are_kept_in_half_precision_where_that_holds_them(
    options: dict[str, float], dtype: type, tmp_path: Path
) -> None:
    found = subject(**options).record(tmp_path / "work")
    assert found.responses.before.dtype == dtype
    assert np.isfinite(found.responses.before).all()
    assert found.second_before.dtype == dtype
    assert found.responses.before[found.responses.rows["relu"]].std(axis=1).min() > 0


@pytest.mark.parametrize(("largest", "single"), [(2e4, False), (7e4, True)])
def test_a_second_copy_that_alone_answers_beyond_half_precision_is_kept_whole(
    largest: float, single: bool
) -> None:
    answers = np.random.default_rng(0).normal(size=(4, 6, 5)).astype(np.float32)
    second = np.full((3, 5), largest, np.float32)
    assert recording._needs_single_precision(answers, second, [("relu", 5)]) == single


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_recording
from circuitkb.observation import recording

recording.SECONDS_BETWEEN_NOTES = 0
steps = []
def kill(doing, done):
    steps.append(doing)
    if steps.count("Showing stimuli") == 3:
        os.kill(os.getpid(), signal.SIGKILL)
test_recording.subject().record(Path(sys.argv[2]), progress=kill)
"""


def test_what_was_shown_before_a_kill_in_the_first_lot_is_kept(
    two: Subject, in_one_go: Recording, tmp_path: Path
) -> None:
    folder, work = str(Path(__file__).parent), str(tmp_path / "work")
    died = subprocess.run([sys.executable, "-c", KILLED, folder, work], check=False)
    assert died.returncode == -9
    found = two.record(tmp_path / "work")
    # The first lot was shown to the network and to its first copy.
    assert found.resumed == pytest.approx(2 * LOT / ALL)
    assert sum(two.shown) == ALL - 2 * LOT
    assert same(found, in_one_go)


def test_progress_is_told_while_weights_are_shuffled_and_never_goes_back(
    two: Subject, tmp_path: Path
) -> None:
    told: list[tuple[str, float]] = []
    two.record(tmp_path / "work", progress=lambda doing, done: told.append((doing, done)))
    assert {doing for doing, _ in told} == {
        "Showing stimuli",
        "Measuring activity",
        "Shuffling weights",
    }
    shares = [done for _, done in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
