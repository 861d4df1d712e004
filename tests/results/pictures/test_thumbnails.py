"""Pictures beside the rows of a table in a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import circuitkb as ckb
from circuitkb.observation.measures.orientation import ORIENTATION
from circuitkb.results.pictures.circuit_diagram import EXCITES, INHIBITS
from circuitkb.results.pictures.thumbnails import kernel_picture, measure_picture
from tests.queries.pattern_worlds import World, make
from tests.stores.made_once import published_copy

HEAD = "inceptionv1/mixed4b:418"


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    place = tmp_path_factory.mktemp("pictures") / "zoo.ckb"
    with ckb.open(published_copy(tmp_path_factory, place)) as base:
        yield base


def drawn_alone(html: str) -> str:
    """Pictures without what they say of themselves."""
    return re.sub("<metadata>.*?</metadata>", "", html)


def test_a_weight_has_the_picture_of_its_own_kernel(kb: ckb.KnowledgeBase) -> None:
    found = kb.features(id=HEAD).inputs().run()
    html = found._repr_html_()
    assert html.count("<svg") == len(found) == 4
    kernel = kb.kernels(found["source"][0], HEAD)[0].values
    assert kernel_picture(kernel) in drawn_alone(html)
    assert f"<dc:title>{found['source'][0]} to {HEAD}</dc:title>" in html


def test_a_picture_has_the_signs_and_strengths_of_the_kernel() -> None:
    kernel = np.array([[4.0, -2.0], [0.0, 1.0]], np.float32)
    cells = re.findall(r'fill="(#\w+)" fill-opacity="([\d.]+)"', kernel_picture(kernel))
    assert cells == [(EXCITES, "1.00"), (INHIBITS, "0.50"), (EXCITES, "0.25")]


@pytest.mark.parametrize("shape", [(1, 1), (20, 20)])
def test_what_no_picture_can_show_has_none(shape: tuple[int, int]) -> None:
    assert kernel_picture(np.ones(shape)) == ""
    assert kernel_picture(np.zeros((3, 3))) == ""


def test_features_that_were_measured_have_a_line_at_their_angle(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    world: World = make(5)
    with ckb.open(tmp_path_factory.mktemp("lines") / "s.ckb") as kb:
        kb.store.write(world.rows)
        found = kb.features(layer="a1").run()
        html = found._repr_html_()
    angles = [world.features[id]["orientation"] for id in found["feature"]]
    assert html.count("<svg") == sum(angle is not None for angle in angles) > 0
    for angle in angles:
        picture = "" if angle is None else measure_picture(ORIENTATION, {"orientation": angle})
        assert picture in drawn_alone(html)


def test_a_line_rises_to_the_right_at_45_degrees() -> None:
    numbers = re.search(
        r'x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)"',
        measure_picture(ORIENTATION, {"orientation": 45}),
    )
    assert numbers
    x1, y1, x2, y2 = map(float, numbers.groups())
    assert x1 < x2
    assert y1 > y2  # rows count downwards


def test_rows_that_nothing_is_known_of_have_a_plain_table(kb: ckb.KnowledgeBase) -> None:
    assert "<svg" not in kb.features(layer="mixed4b", limit=5).run()._repr_html_()
    assert "<svg" not in kb.models().run()._repr_html_()
    odd = kb.query("RETURN 'no id' AS feature, 'x' AS source, 'y' AS target, 'z' AS connection")
    assert "<svg" not in odd._repr_html_()
    assert "<th></th>" not in odd._repr_html_()


def test_a_result_without_its_store_still_shows(kb: ckb.KnowledgeBase) -> None:
    found = kb.features(id=HEAD).inputs().run()
    assert "<svg" not in replace(found, illustrate=None)._repr_html_()
