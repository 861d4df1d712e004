"""Visualisations on the page of a feature, each beside its control; in a folder, too.

Costs about five seconds of a processor.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from html import escape
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
from circuitkb.schema.ids import canonical_json
from circuitkb.schema.pictures import Pictures, encoded
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of
from circuitkb.visualization.rows import pictures_key
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


def test_a_notebook_shows_them_too(kb: ckb.KnowledgeBase) -> None:
    html = kb.show(UNIT)._repr_html_()
    assert html.count("data:image/png;base64,") == 2 * len(made(kb))
    for item in made(kb):
        assert escape(item.caption) in html


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


def test_what_a_stranger_made_up_is_passed_over(tmp_path: Path) -> None:
    with ckb.open(tmp_path / "kb.ckb") as kb:
        kb.load(module(), name="small", input_shape=(3, 24, 24))
        (ours,) = kb.visualize(UNIT, module=module(), steps=2)
        good = canonical_json(ours.figures())
        large = io.BytesIO()
        Image.new("L", (3000, 3000)).save(large, format="png")
        theirs = {
            "no json": ("{", {}),
            "no figures": ("{}", {}),
            "a list": ("[1]", {}),
            "text for numbers": (good.replace('"value":', '"value":"x","v":'), {}),
            "no images": (good, {}),
            "no image": (good, {"image.png": b"<script>", "control.png": b""}),
            "too large": (good, {"image.png": large.getvalue(), "control.png": b""}),
        }
        for number, (detail, images) in enumerate(theirs.values()):
            evidence = f"visualization-{number:032x}"
            row = {"id": evidence, "kind": "visualization", "method": "m", "detail": detail}
            about = {"source": [evidence], "target": [UNIT], "role": ["unit"]}
            key = pictures_key(UNIT, evidence)
            arrays = {name: encoded(data) for name, data in images.items() if data}
            kb.store.write(
                GraphRows(
                    {"Evidence": node_table("Evidence", rows_of([row]))},
                    [Relations("ABOUT", "Evidence", "Feature", relation_table("ABOUT", about))],
                    pictures={key: Pictures(key, {}, arrays)} if arrays else {},
                )
            )
            with pytest.raises(NotFoundError):
                png(kb.store, f"visualization/{number:032x}/image")
        assert [item.evidence for item in kb.visualizations(UNIT)] == [ours.evidence]
        with TestClient(build(kb), base_url="http://127.0.0.1:8421") as client:
            page = client.get("/feature/small/1/2")
        assert page.status_code == 200
        assert page.text.count('src="/visualization/') == 2
