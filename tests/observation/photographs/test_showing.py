"""The best pictures and places are those of a plain forward pass; frames are what occlusion shows.

Costs about ten seconds of a processor.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuitkb.loaders.activations.reading import Onlooker, look
from circuitkb.loaders.composition.network import Network
from circuitkb.loaders.receptive_fields.views import frames, whole_view
from circuitkb.observation.photographs.files import PictureFile, find_pictures
from circuitkb.observation.photographs.showing import (
    BEST,
    Best,
    Shown,
    image_of,
    show,
    shuffled_copy,
    thumbnail,
    values_of,
)
from circuitkb.schema.responses import rows_of_layers
from tests.observation.photographs.made import SIDE, folder_of, network

LAYERS = {"act1": "first", "act2": "second", "head": "head"}
"""Layers of features, and the modules that give their pre-activations."""

PICTURES = 45


@torch.no_grad()
def hooked(module: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Run a module itself; return the pre-activations of each layer."""
    found: dict[str, Tensor] = {}
    names = {module.get_submodule(name): layer for layer, name in LAYERS.items()}

    def keep(layer: nn.Module, _: object, out: Tensor) -> None:
        found[names[layer]] = out.clone()

    hooks = [layer.register_forward_hook(keep) for layer in names]
    module(images)
    for hook in hooks:
        hook.remove()
    return found


class Subject:
    """A network that was shown pictures, and their values as its own hooks tell them."""

    def __init__(self, folder: Path) -> None:
        self.network: Network = network()
        self.view = whole_view(self.network.module, self.network.example)
        self.onlooker: Onlooker = look(self.network, self.view)
        self.files: tuple[PictureFile, ...] = find_pictures(folder).files
        copy = shuffled_copy(self.network, self.onlooker, self.files, seed=0)
        self.shown: Shown = show(
            self.network, self.onlooker, self.files, copy=copy, thumbnails=True
        )
        self.rows = rows_of_layers(list(self.onlooker.units.items()))

    def hooked(self, number: int) -> dict[str, Tensor]:
        """Run the module itself on one picture; return the pre-activations of each layer."""
        values = values_of(image_of(self.files[number], self.network, self.onlooker))
        found = hooked(
            self.network.module, torch.from_numpy(self.network.pixels.apply(values[None]))
        )
        return {layer: out[0] for layer, out in found.items()}


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return Subject(folder_of(tmp_path_factory.mktemp("pictures"), PICTURES))


def test_values_and_places_are_those_of_a_plain_forward_pass(subject: Subject) -> None:
    best = subject.shown.best
    values = {layer: [] for layer in LAYERS}  # type: ignore[var-annotated]
    places = {layer: [] for layer in LAYERS}  # type: ignore[var-annotated]
    for number in range(PICTURES):
        for layer, out in subject.hooked(number).items():
            flat = out.reshape(len(out), -1)
            values[layer].append(flat.max(1).values.numpy())
            places[layer].append(flat.argmax(1).numpy())
    for layer in LAYERS:
        rows = subject.rows[layer]
        expected = np.stack(values[layer])
        np.testing.assert_allclose(subject.shown.largest[:, rows], expected, rtol=1e-4, atol=1e-5)
        order = np.argsort(-expected, axis=0)[:BEST]
        assert (best.pictures[:, rows] == order).all()
        where = np.take_along_axis(np.stack(places[layer]), order, 0)
        assert (best.positions[:, rows] == where).all()
        np.testing.assert_allclose(subject.shown.mean[rows], expected.mean(0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(subject.shown.spread[rows], expected.std(0), rtol=1e-3)


def test_frames_are_the_pixels_that_change_a_position_and_no_others(subject: Subject) -> None:
    module, found = subject.network.module, frames(subject.view)
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    whole = {layer: out for layer, out in hooked(module, image).items() if layer != "head"}
    covered = image.repeat(SIDE * SIDE, 1, 1, 1)
    pixels = torch.arange(SIDE * SIDE)
    # Large changes both ways, lest the pooling hides one.
    changed = {layer: torch.zeros(SIDE * SIDE, *out.shape[2:]) for layer, out in whole.items()}
    for level in (-40.0, 40.0):
        covered[pixels, :, pixels // SIDE, pixels % SIDE] = level
        for layer, out in hooked(module, covered).items():
            if layer in whole:
                changed[layer] += (out - whole[layer]).abs().amax(1) > 1e-4
    for layer, moved in changed.items():
        boxes = found[layer]
        assert boxes is not None
        reached = moved.bool().reshape(SIDE, SIDE, -1).numpy()
        for position, box in enumerate(boxes):
            rows, columns = np.nonzero(reached[..., position])
            assert box.tolist() == [rows.min(), columns.min(), rows.max(), columns.max()]


def test_what_has_no_place_is_framed_whole(subject: Subject) -> None:
    head = frames(subject.view)["head"]
    assert head is not None
    assert head.tolist() == [[0, 0, SIDE - 1, SIDE - 1]]


def test_the_best_are_kept_batch_by_batch_and_the_first_of_equal_ones_first() -> None:
    draw = np.random.default_rng(0)
    values = draw.integers(0, 6, (50, 7)).astype(np.float32)
    positions = draw.integers(0, 9, (50, 7)).astype(np.int32)
    best = Best.of_none(7)
    for start in (0, 1, 20, 33):
        stop = {0: 1, 1: 20, 20: 33, 33: 50}[start]
        best.add(values[start:stop], start, positions[start:stop])
    order = np.argsort(-values, axis=0, kind="stable")[:BEST]
    assert (best.pictures == order).all()
    assert (best.positions == np.take_along_axis(positions, order, 0)).all()


def test_fewer_pictures_than_places_leave_places_empty(tmp_path: Path) -> None:
    files = find_pictures(folder_of(tmp_path / "few", 2)).files
    one = network()
    onlooker = look(one, whole_view(one.module, one.example))
    shown = show(one, onlooker, files, copy=None, thumbnails=False)
    assert (shown.best.pictures[2:] == -1).all()
    assert np.isfinite(shown.best.values[:2]).all()
    assert shown.thumbnails == ()
    assert len(shown.largest) == 0


def test_thumbnails_are_small(subject: Subject) -> None:
    assert len(subject.shown.thumbnails) == PICTURES
    assert all(len(small) < 6_000 for small in subject.shown.thumbnails)
    image = image_of(subject.files[0], subject.network, subject.onlooker)
    assert thumbnail(image) == subject.shown.thumbnails[0]
