"""An observation from Python: what it writes, what it refuses, and that it repeats nothing."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import circuitkb as ckb
from circuitkb.errors import NotFoundError, ObservationError, SourceError
from circuitkb.observation.measures.orientation import ORIENTATION
from circuitkb.schema.kernels import Floats
from circuitkb.schema.responses import ARRAYS
from circuitkb.stores.base import Store
from tests.stores.made_once import published_copy

SIDE = 22
"""Of the images; an odd number of strides fits, so that a middle unit stands in the middle."""

Write = Callable[..., Path]


class Small(nn.Module):
    """Edges and a blob, then units that read them; unit 2 of the first layer is dead."""

    def __init__(self, channels: int = 3, head: bool = False, gain: float = 1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(channels, 6, 5, stride=3)
        self.act = nn.ReLU()
        self.second = nn.Conv2d(6, 4, 3)
        self.second_act = nn.ReLU()
        self.head = nn.Linear(4 * 4 * 4, 3) if head else None
        self.first.weight.data *= gain
        self.first.weight.data[2], self.first.bias.data[2] = 0, 0  # type: ignore[index]

    def forward(self, x: Tensor) -> Tensor:
        x = self.second_act(self.second(self.act(self.first(x))))
        return x if self.head is None else self.head(x.flatten(1))


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Write a network as an ONNX file, of one size of image."""

    def write(name: str, module: nn.Module, channels: int = 3, side: int = SIDE) -> Path:
        path = tmp_path_factory.mktemp(name) / f"{name}.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                module.eval(),
                (torch.zeros(1, channels, side, side),),
                path,
                dynamo=False,
                opset_version=17,
                input_names=["image"],
            )
        return path

    return write


@pytest.fixture(scope="module")
def file(write: Write) -> Path:
    return write("small", Small())


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory, file: Path) -> Iterator[ckb.KnowledgeBase]:
    """A small network, loaded and observed once; tests leave it as it is."""
    with ckb.open(tmp_path_factory.mktemp("observed") / "kb.ckb") as kb:
        kb.load(file)
        assert kb.observe("small", pixels=(0, 1)).created
        yield kb


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[ckb.KnowledgeBase]:
    with ckb.open(tmp_path / "kb.ckb") as kb:
        yield kb


def fingerprint(store: Store) -> str:
    """Return a hash of everything that a store holds, in the order in which it gives it."""
    found = hashlib.sha256()
    for piece in store.export():
        for label, table in piece.nodes.items():
            found.update(f"{label} {sorted(map(repr, table.to_pylist()))}".encode())
        for item in piece.relations:
            found.update(f"{item.name} {sorted(map(repr, item.table.to_pylist()))}".encode())
        for responses in piece.responses.values():
            found.update(repr(responses.header()).encode())
            for name in ARRAYS:
                found.update(getattr(responses, name).tobytes())
        for connections in piece.kernels.values():
            for connection in connections:
                found.update(connection.key.encode() + connection.kernel.tobytes())
    return found.hexdigest()


def rows(kb: ckb.KnowledgeBase, cypher: str, **parameters: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in kb.store.read(cypher, parameters, limit=None).rows]


def test_every_unit_has_its_answers_beside_the_graph(
    observed: ckb.KnowledgeBase, file: Path
) -> None:
    responses = observed.store.responses("small")
    assert responses is not None
    layers = rows(observed, "MATCH (l:Layer) RETURN l.name, l.channels ORDER BY l.position")
    assert sorted(responses.layers) == sorted(layers)
    assert sum(units for _, units in layers) == len(responses.before)
    assert responses.settings["black"] == [0]
    assert responses.settings["white"] == [1]

    # Against the module itself, which sees the battery's images as they are.
    from circuitkb.observation.kept import battery_of

    shown = battery_of(responses)
    chosen = np.linspace(0, len(shown) - 1, 40).astype(int)
    found: Floats = responses.after[responses.rows["second_act/Relu"]][:, chosen].astype(np.float32)
    (view,) = [view for view in responses.settings["views"] if view["layers"] >= 3]
    images = shown.images(
        chosen, rows=view["rows"], columns=view["columns"], centre=tuple(view["centre"])
    )
    maps = Small()(torch.from_numpy(images)).detach().numpy()
    (row, column) = ((place - 5) / 3 for place in view["centre"])  # fields of 11, 3 apart
    np.testing.assert_allclose(found.T, maps[:, :, int(row), int(column)], atol=2e-3)


def test_another_network_with_the_same_weights_is_not_observed_in_its_place(
    observed: ckb.KnowledgeBase, write: Write
) -> None:
    other = Small()
    other.second_act = nn.Sigmoid()
    with pytest.raises(ObservationError, match=r"another network now.*with the same weights"):
        observed.observe("small", source=write("other", other))


def test_layers_say_how_far_their_units_see_and_how_far_off_they_were_read(
    observed: ckb.KnowledgeBase,
) -> None:
    found = rows(observed, "MATCH (l:Layer) RETURN l.name, l.receptive_field, l.off_centre")
    assert sorted(found) == [("act/Relu", 5, 0), ("input", 1, 0), ("second_act/Relu", 11, 0)]


def test_a_unit_that_never_answers_is_marked_and_not_counted(
    observed: ckb.KnowledgeBase,
) -> None:
    silent = rows(observed, "MATCH (f:Feature {answers: false}) RETURN f.layer, f.unit, f.spread")
    assert ("act/Relu", 2) in [place[:2] for place in silent]
    assert all(spread in (None, 0) for *_, spread in silent)
    answering = rows(observed, "MATCH (f:Feature {answers: true}) RETURN f.id ORDER BY f.id")
    assert len(silent) + len(answering) == 3 + 6 + 4
    proven = rows(
        observed,
        "MATCH (e:Evidence {kind: 'orientation-tuning'})-[:ABOUT]->(f:Feature) "
        "RETURN f.id ORDER BY f.id",
    )
    assert proven == answering
    tested = rows(
        observed,
        "MATCH (e:Evidence {kind: 'orientation-tuning'})-[:ABOUT]->(f:Feature {layer: 'act/Relu'}) "
        "RETURN DISTINCT e.tested",
    )
    assert tested == [(sum(1 for (id,) in answering if "/act/Relu:" in id),)]


def test_what_was_done_is_kept_with_its_figures(observed: ckb.KnowledgeBase) -> None:
    ((kind, source, model, seconds, text),) = rows(
        observed,
        "MATCH (i:Import {id: 'observe:small'}) "
        "RETURN i.kind, i.source, i.model, i.seconds, i.summary",
    )
    responses = observed.store.responses("small")
    assert responses is not None
    assert (kind, source, model) == ("observe", responses.battery, "small")
    assert seconds > 0
    summary = json.loads(text)
    assert summary["stimuli"] == len(responses.stimuli)
    assert summary["units"] == 13
    assert summary["silent"] == len(
        rows(observed, "MATCH (f:Feature {answers: false}) RETURN f.id")
    )
    oriented = rows(observed, "MATCH (f:Feature) WHERE f.orientation IS NOT NULL RETURN f.id")
    assert summary["oriented"] == len(oriented)
    kept = {name: value for name, value in responses.settings.items() if name != "created"}
    assert summary["settings"] == kept


def test_the_same_observation_again_changes_nothing_and_says_so(
    observed: ckb.KnowledgeBase,
) -> None:
    before = fingerprint(observed.store)
    again = observed.observe("small", pixels=(0, 1))
    assert not again.created
    assert "observed already" in again.notes[0]
    assert again.units == 13
    assert fingerprint(observed.store) == before


def test_a_store_that_was_observed_before_there_were_these_measures_gets_them_alone(
    kb: ckb.KnowledgeBase, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def known(kb: ckb.KnowledgeBase) -> list[list[tuple[Any, ...]]]:
        """All that was written, but for what the new measures add."""
        evidence = "MATCH (e:Evidence {kind: 'orientation-tuning'})-[:ABOUT]->(f:Feature) "
        return [
            rows(kb, evidence + "RETURN e ORDER BY e.id"),
            rows(
                kb,
                "MATCH (f:Feature) RETURN f.id, f.answers, f.spread, f.orientation ORDER BY f.id",
            ),
            rows(kb, "MATCH (l:Layer) RETURN l ORDER BY l.id"),
        ]

    kb.load(file)
    with monkeypatch.context() as older:
        older.setattr("circuitkb.observation.measures.measure.measures", lambda: (ORIENTATION,))
        assert set(kb.observe("small", pixels=(0, 1)).counts) == {"oriented", "oriented_shuffled"}
        assert not kb.observe("small", pixels=(0, 1)).created
    before, responses = known(kb), kb.store.responses("small")
    assert responses is not None

    def shown(*_: object, **__: object) -> None:
        raise AssertionError("the network was shown something")

    monkeypatch.setattr("circuitkb.observation.recording.record", shown)
    report = kb.observe("small", pixels=(0, 1))
    assert report.created
    assert set(report.counts) > {"curved", "curved_shuffled", "curve_radius", "oriented"}
    assert known(kb) == before
    after = kb.store.responses("small")
    assert after is not None
    assert after.header() == responses.header()
    for name in ARRAYS:
        assert getattr(after, name).tobytes() == getattr(responses, name).tobytes()
    assert not kb.observe("small", pixels=(0, 1)).created


def test_other_pixels_are_another_observation(kb: ckb.KnowledgeBase, file: Path) -> None:
    kb.load(file)
    first = kb.observe("small")
    assert not first.pixels_known
    assert any("--black" in note for note in first.notes)
    assumed = kb.store.responses("small")
    second = kb.observe("small", pixels=(0, 1))
    assert second.created
    assert second.pixels_known
    given = kb.store.responses("small")
    assert assumed is not None
    assert given is not None
    own = given.rows["input"]
    # From -1 to 1 and from 0 to 1: the same images on two scales.
    np.testing.assert_allclose(assumed.after[own], 2 * given.after[own] - 1, atol=2e-3)
    ((count,),) = rows(kb, "MATCH (i:Import {kind: 'observe'}) RETURN count(i)")
    assert count == 1


def test_the_same_seed_gives_the_same_store(
    observed: ckb.KnowledgeBase, kb: ckb.KnowledgeBase, file: Path
) -> None:
    kb.load(file)
    kb.observe("small", pixels=(0, 1))
    one, other = kb.store.responses("small"), observed.store.responses("small")
    assert one is not None
    assert other is not None
    for name in ("before", "after", "shuffled_before", "shuffled_after"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    evidence = "MATCH (e:Evidence) RETURN e.id, e.value, e.p, e.q, e.null_mean ORDER BY e.id"
    assert rows(kb, evidence) == rows(observed, evidence)


@pytest.mark.parametrize("pixels", [(1.0, 1.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_pixels_that_make_no_image_are_refused(
    observed: ckb.KnowledgeBase, pixels: tuple[float, float]
) -> None:
    with pytest.raises(ObservationError, match="no image"):
        observed.observe("small", pixels=pixels)


def test_an_unknown_model_is_answered_with_near_ones(observed: ckb.KnowledgeBase) -> None:
    with pytest.raises(NotFoundError, match="small"):
        observed.observe("smal")


def test_published_circuits_are_refused_and_told_what_can_be_done(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with ckb.open(published_copy(tmp_path_factory, tmp_path / "published.ckb")) as kb:
        before = fingerprint(kb.store)
        with pytest.raises(ObservationError, match="without its network's weights") as refused:
            kb.observe("inceptionv1")
        assert "circuitkb find union" in str(refused.value)
        assert fingerprint(kb.store) == before


def test_weights_that_moved_are_found_where_the_user_says(
    observed: ckb.KnowledgeBase, file: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere.onnx"
    file.rename(moved)
    try:
        with pytest.raises(SourceError, match="--source") as refused:
            observed.observe("small", pixels=(0, 1))
        assert str(file) in str(refused.value)
        assert not observed.observe("small", source=moved, pixels=(0, 1)).created
    finally:
        moved.rename(file)


def test_weights_that_changed_on_the_disk_are_refused_with_the_remedy(
    observed: ckb.KnowledgeBase, write: Write
) -> None:
    before = fingerprint(observed.store)
    other = write("other", Small(gain=2))
    with pytest.raises(ObservationError, match="other weights") as refused:
        observed.observe("small", source=other)
    assert "--source" in str(refused.value)
    assert "--name" in str(refused.value)
    assert fingerprint(observed.store) == before


def test_a_network_of_one_channel_is_shown_what_has_no_colour(
    kb: ckb.KnowledgeBase, write: Write, observed: ckb.KnowledgeBase
) -> None:
    kb.load(write("grey", Small(channels=1), channels=1))
    report = kb.observe("grey")
    assert report.units == 1 + 6 + 4
    grey, coloured = kb.store.responses("grey"), observed.store.responses("small")
    assert grey is not None
    assert coloured is not None
    assert set(grey.stimuli) < set(coloured.stimuli)
    assert not any("hue" in stimulus or "colour" in stimulus for stimulus in grey.stimuli)


def test_a_network_that_takes_one_size_is_shown_that_size(
    kb: ckb.KnowledgeBase, write: Write
) -> None:
    kb.load(write("fixed", Small(head=True)))
    report = kb.observe("fixed")
    assert set(report.images) == {f"{SIDE}x{SIDE}"}
    responses = kb.store.responses("fixed")
    assert responses is not None
    assert dict(responses.layers) == {
        "input": 3,
        "act/Relu": 6,
        "second_act/Relu": 4,
        "head/Gemm": 3,
    }
    assert np.ptp(responses.before[responses.rows["head/Gemm"]], axis=1).min() > 0
    fields = dict(rows(kb, "MATCH (l:Layer) RETURN l.name, l.off_centre"))
    assert fields["act/Relu"] == 0
    assert report.off_centre == max(off for off in fields.values() if off == off)


@pytest.mark.parametrize("channels", [2, 4])
def test_a_network_that_reads_no_picture_is_refused(
    kb: ckb.KnowledgeBase, write: Write, channels: int
) -> None:
    kb.load(write("planes", Small(channels=channels), channels=channels))
    before = fingerprint(kb.store)
    with pytest.raises(ObservationError, match=f"reads {channels}"):
        kb.observe("planes")
    assert fingerprint(kb.store) == before


class Tiny(nn.Module):
    """Reads images of a few pixels, of one size."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.head = nn.Conv2d(channels, 4, 1), nn.Linear(4 * side * side, 2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(torch.relu(self.first(x)).flatten(1))
        return found


@pytest.mark.parametrize(
    ("channels", "said"), [(1, "Images of 3 pixels"), (3, "show larger images")]
)
def test_images_too_small_for_the_battery_are_refused(
    kb: ckb.KnowledgeBase, write: Write, channels: int, said: str
) -> None:
    kb.load(write("tiny", Tiny(channels, 3), channels=channels, side=3))
    before = fingerprint(kb.store)
    with pytest.raises(ObservationError, match=said):
        kb.observe("tiny")
    assert fingerprint(kb.store) == before


def test_an_interrupted_observation_leaves_the_store_and_goes_on(
    kb: ckb.KnowledgeBase, file: Path
) -> None:
    kb.load(file)
    before = fingerprint(kb.store)

    def stop(doing: str, done: float) -> None:
        if done > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kb.observe("small", pixels=(0, 1), progress=stop)
    assert fingerprint(kb.store) == before
    report = kb.observe("small", pixels=(0, 1))
    assert 0.3 < report.resumed < 0.9
    assert any(f"{report.resumed:.0%} of the stimuli" in note for note in report.notes)
    assert kb.observe("small", pixels=(0, 1)).resumed == 0


def test_progress_grows_from_nothing_to_all(kb: ckb.KnowledgeBase, file: Path) -> None:
    kb.load(file)
    told: list[float] = []
    kb.observe("small", progress=lambda doing, done: told.append(done))
    assert told[0] == 0
    assert told[-1] == 1
    assert told == sorted(told)
    assert len(told) > 20
