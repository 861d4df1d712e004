"""Visualisations on the page of a feature, each beside its control; in a folder, too.

Costs about five seconds of a processor.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient
from torch import nn

import circuitkb as ckb
from circuitkb.atlas.folder import write_atlas
from circuitkb.atlas.server import build
from circuitkb.atlas.visualizations import png
from circuitkb.results.pictures.images import pixels
from circuitkb.schema.errors import NotFoundError
from circuitkb.visualization.visualization import Visualization

UNIT, BARE = "small/1:2", "small/1:1"


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU()).eval()


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    with ckb.open(tmp_path_factory.mktemp("pages") / "kb.ckb") as kb:
        kb.load(module(), name="small", input_shape=(3, 24, 24))
        for seed in (0, 1):
            kb.visualize(UNIT, module=module(), steps=4, seed=seed)
        kb.annotate.add(UNIT, "edge", author="ada", license="CC0-1.0")
        yield kb


@pytest.fixture(scope="module")
def browser(kb: ckb.KnowledgeBase) -> Iterator[TestClient]:
    with TestClient(build(kb), base_url="http://127.0.0.1:8421") as client:
        yield client


def made(kb: ckb.KnowledgeBase) -> list[Visualization]:
    return kb.visualizations(UNIT)


def test_the_page_shows_each_image_beside_its_control_with_what_was_reached(
    kb: ckb.KnowledgeBase, browser: TestClient
) -> None:
    page = browser.get("/feature/small/1/2")
    assert page.status_code == 200
    places = []
    for item in made(kb):
        assert item.said in page.text
        assert item.control_caption in page.text
        hash = item.evidence.removeprefix("visualization-")
        places += [f"/visualization/{hash}/{side}.png" for side in ("image", "control")]
    order = [page.text.index(place) for place in places]
    assert order == sorted(order), "a control follows its image"
    assert "is not what the unit is for" in page.text
    for place, item in zip(places[::2], made(kb), strict=True):
        answer = browser.get(place)
        assert answer.headers["content-type"] == "image/png"
        assert (pixels(answer.content) == item.reached.image).all()
        said = Image.open(io.BytesIO(answer.content)).info
        assert said["Title"] == f"{UNIT}, image of {item.evidence}"
        assert "small; python:Sequential; sha256:" in said["Source"]


def test_a_feature_without_any_has_no_such_section(browser: TestClient) -> None:
    page = browser.get("/feature/small/1/1")
    assert page.status_code == 200
    assert "/visualization/" not in page.text


@pytest.mark.parametrize(
    "place", ["visualization/0", f"visualization/{'0' * 32}/image", "visualization/../image"]
)
def test_another_address_has_no_image(kb: ckb.KnowledgeBase, place: str) -> None:
    with pytest.raises(NotFoundError, match="no image"):
        png(kb.store, place)


def test_a_folder_has_the_images_and_new_ones_come_into_it(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    write_atlas(kb, tmp_path / "atlas")
    files = sorted((tmp_path / "atlas" / "visualization").rglob("*.png"))
    assert len(files) == 4
    kb.visualize(UNIT, module=module(), steps=4, seed=2)
    write_atlas(kb, tmp_path / "atlas")
    assert len(sorted((tmp_path / "atlas" / "visualization").rglob("*.png"))) == 6
