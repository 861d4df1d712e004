"""Best stimuli of a feature: those with the largest responses, drawn as they were shown."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

from circuitkb.atlas.stimuli import best, png
from circuitkb.observation.stimuli.battery import battery
from circuitkb.results.card import Card
from circuitkb.results.pictures.best_stimuli import BEST, SIDE
from circuitkb.results.pictures.card_images import card_images
from circuitkb.schema.errors import NotFoundError
from circuitkb.schema.responses import Responses


def responses(after: np.ndarray) -> Responses:
    shown = battery()
    ids = tuple(stimulus.id for stimulus in shown.stimuli)
    return Responses(shown.name, ids, (("a", len(after)),), after, after, after, after, {})


def test_the_best_are_those_with_the_largest_responses_in_order() -> None:
    after = np.random.default_rng(3).normal(size=(2, len(battery()))).astype(np.float32)
    (gallery,) = best(responses(after), "m/a:1")
    found = gallery.images
    places = sorted(range(len(battery())), key=lambda place: -after[1, place])[:BEST]
    assert [image.address for image in found] == [f"stimulus/circuitkb-1/{p}" for p in places]
    top = (float(after[1, places[0]]) - after[1].mean()) / after[1].std()
    assert found[0].caption == f"{battery().stimuli[places[0]].id}: {top:.1f} sd"


def test_what_answers_alike_to_all_has_none() -> None:
    assert best(responses(np.zeros((1, len(battery())), np.float32)), "m/a:0") == ()


def test_a_notebook_shows_the_same() -> None:
    after = np.random.default_rng(3).normal(size=(2, len(battery()))).astype(np.float32)
    found = responses(after)
    store: Any = SimpleNamespace(
        responses=lambda model: found,
        picture_keys=lambda model: [],
        read=lambda *_, **__: SimpleNamespace(rows=[]),
    )
    html = card_images(store, Card("feature", "m/a:1", {"model": "m", "answers": True}))
    (gallery,) = best(found, "m/a:1")
    shown = re.findall(r'data:image/png;base64,([^"]+)" alt="([^"]+)"', html)
    assert [caption for _, caption in shown] == [image.caption for image in gallery.images]
    assert [b64decode(data) for data, _ in shown] == [png(i.address) for i in gallery.images]


@pytest.mark.parametrize("place", [0, 300, 1164])
def test_a_picture_is_the_middle_of_the_stimulus(place: int) -> None:
    drawn = imread(io.BytesIO(png(f"stimulus/circuitkb-1/{place}")))[..., :3]
    shown = battery().images([place], rows=2 * SIDE + 1, columns=2 * SIDE + 1)[0]
    middle = slice(SIDE - SIDE // 2, SIDE - SIDE // 2 + SIDE)
    expected = shown[:, middle, middle].transpose(1, 2, 0)
    assert np.abs(drawn - expected).max() <= 0.5 / 255 + 1e-6
    assert png(f"stimulus/circuitkb-1/{place}") == png(f"stimulus/circuitkb-1/{place}")
    said = Image.open(io.BytesIO(png(f"stimulus/circuitkb-1/{place}"))).info
    assert said["Title"] == f"circuitkb-1: {battery().stimuli[place].id}"
    assert said["Software"].startswith("circuitkb ")


@pytest.mark.parametrize("address", ["stimulus/circuitkb-1/1165", "stimulus/x/1", "stimulus/../1"])
def test_another_address_has_no_picture(address: str) -> None:
    with pytest.raises(NotFoundError, match="no stimulus"):
        png(address)
