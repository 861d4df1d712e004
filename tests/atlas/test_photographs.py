"""Best pictures on a feature's page: served from the store, framed where the unit looks.

Costs about five seconds of a processor.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import circuitkb as ckb
from circuitkb.atlas.folder import write_atlas
from circuitkb.atlas.links import address
from circuitkb.atlas.photographs import best_photographs, png
from circuitkb.atlas.server import build
from circuitkb.observation.photographs.files import find_pictures, read_picture
from circuitkb.observation.photographs.kept import observations
from circuitkb.schema.errors import NotFoundError, ObservationError, ReleaseError, ServingError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.pictures import Pictures, encoded
from circuitkb.schema.tables import GraphRows
from tests.observation.photographs.made import SIDE, Small, folder_of

MODEL = "small"
FEATURE = f"{MODEL}/act2:3"
HOSTILE = "<img src=x onerror=alert(1)>'\"&.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = folder_of(tmp_path_factory.mktemp("pictures"), 12, classes=2)
    for number, file in enumerate(sorted(place.rglob("*.png"))):
        file.rename(file.with_name(f"{number}{HOSTILE}"))
    return place


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[ckb.KnowledgeBase]:
    with ckb.open(tmp_path_factory.mktemp("kb") / "kb.ckb") as base:
        base.load(Small().eval(), name=MODEL, input_shape=(3, SIDE, SIDE))
        base.observe(MODEL, images=folder, module=Small().eval())
        yield base


@pytest.fixture(scope="module")
def client(kb: ckb.KnowledgeBase) -> TestClient:
    return TestClient(build(kb), base_url="http://127.0.0.1")


def test_the_page_shows_the_best_with_frames_and_their_table(
    kb: ckb.KnowledgeBase, client: TestClient
) -> None:
    page = client.get(f"/{address(FEATURE)}")
    assert page.status_code == 200
    assert page.text.count('<img src="/photograph/') == 9
    assert page.text.count('<rect class="inner"') == 9
    (observed,) = observations(kb.store, MODEL)
    first = observed.examples(FeatureId.parse(FEATURE))[0]
    assert first.frame is not None
    top, left, bottom, right = first.frame
    (gallery,) = best_photographs(kb.store, FEATURE)
    expected = (top / SIDE, left / SIDE, (bottom + 1) / SIDE, (right + 1) / SIDE)
    assert gallery.images[0].frame == expected
    assert "Classes of photographs" in page.text
    assert "of these only" in page.text


def test_names_of_files_stay_text(client: TestClient) -> None:
    page = client.get(f"/{address(FEATURE)}").text
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_pictures_are_small_copies_of_what_was_shown(
    kb: ckb.KnowledgeBase, client: TestClient, folder: Path
) -> None:
    link = re.findall(r'src="(/photograph/[^"]+)"', client.get(f"/{address(FEATURE)}").text)[0]
    answer = client.get(link)
    assert answer.headers["content-type"] == "image/png"
    small = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"), float)
    sha256 = link.rpartition("/")[2].removesuffix(".png")
    (file,) = (file for file in find_pictures(folder).files if file.sha256 == sha256)
    whole = read_picture(file)
    side, left = whole.height, (whole.width - whole.height) / 2
    box = (left, 0, left + side, side)
    plain = np.asarray(whole.resize((96, 96), Image.Resampling.BICUBIC, box=box), float)
    assert small.shape == (96, 96, 3)
    assert np.abs(small - plain).mean() < 12


@pytest.mark.parametrize(
    "place",
    [
        "photograph/small/0000000000000000/" + "0" * 64,
        "photograph/small/../" + "0" * 64,
        "photograph/none/0000000000000000/" + "0" * 64,
        "photograph/x",
    ],
)
def test_nothing_else_is_there(client: TestClient, place: str) -> None:
    assert client.get(f"/{place}.png").status_code == 404


def test_a_strangers_store_makes_a_page_decode_nothing_large(kb: ckb.KnowledgeBase) -> None:
    file = io.BytesIO()
    Image.new("RGB", (4_000, 4_000)).save(file, "webp")
    hash, names = "f" * 16, ("a" * 64, "b" * 64)
    arrays = {
        f"{names[0]}.webp": encoded(file.getvalue()),
        f"{names[1]}.webp": encoded(b"no picture"),
    }
    (ours,) = observations(kb.store, MODEL)
    arrays |= ours.pictures.arrays
    batch = Pictures(f"{MODEL}/photographs@{hash}", dict(ours.about), arrays)
    kb.store.write(GraphRows(pictures={batch.key: batch}))
    for name in names:
        with pytest.raises(NotFoundError):
            png(kb.store, f"photograph/{MODEL}/{hash}/{name}")


@pytest.mark.parametrize("lost", ["about", "layers", "pictures", "best_frame", "class_p", "rows"])
def test_what_is_no_observation_of_ours_is_passed_over(
    kb: ckb.KnowledgeBase, client: TestClient, lost: str
) -> None:
    ours = next(observations(kb.store, MODEL)).pictures
    about = (
        {} if lost == "about" else {name: ours.about[name] for name in ours.about if name != lost}
    )
    arrays = {name: ours.arrays[name] for name in ours.arrays if name != lost}
    batch = Pictures(f"{MODEL}/photographs@{'e' * 16}", about, arrays)
    kb.store.write(GraphRows(pictures={batch.key: batch}))
    assert batch.key not in [item.pictures.key for item in observations(kb.store, MODEL)]
    assert client.get(f"/{address(FEATURE)}").status_code == 200


def test_pictures_without_a_licence_are_not_published_unasked(folder: Path, tmp_path: Path) -> None:
    with ckb.open(tmp_path / "kb.ckb") as base:
        base.load(Small().eval(), name=MODEL, input_shape=(3, SIDE, SIDE))
        report = base.observe(MODEL, images=folder, module=Small().eval())
        base.annotate.add(FEATURE, "curve", author="ada", license="CC0-1.0")
        with pytest.raises(ServingError, match=r"thumbnails of .* have no licence"):
            write_atlas(base, tmp_path / "atlas")
        with pytest.raises(ReleaseError, match=r"thumbnails of .* have no licence"):
            base.release("zoo", tmp_path / "data")
        write_atlas(base, tmp_path / "unlicensed", with_unlicensed=True)
        with pytest.raises(ObservationError, match="no licence"):
            base.observe(MODEL, images=folder, module=Small().eval(), license="as you like")
        base.observe(MODEL, images=folder, module=Small().eval(), license="CC0-1.0")
        again = base.observe(MODEL, images=folder, module=Small().eval())
        assert (again.created, again.key) == (False, report.key)
        write_atlas(base, tmp_path / "atlas")
    place = tmp_path / "atlas"
    page = (place / f"{address(FEATURE)}.html").read_text()
    images = re.findall(r'src="([./]*photograph/[^"]+)"', page)
    assert len(images) == 9
    for image in images:
        file = (place / address(FEATURE)).parent / image
        with Image.open(file) as drawn:
            assert drawn.info["Copyright"] == "CC0-1.0"
            assert drawn.info["Title"].endswith(f"as it was shown to {MODEL}")


def test_a_notebook_shows_the_same_with_names_as_text(kb: ckb.KnowledgeBase) -> None:
    html = kb.show(FEATURE)._repr_html_()
    images = [image for each in best_photographs(kb.store, FEATURE) for image in each.images]
    assert html.count("data:image/webp;base64,") == len(images) > 0
    assert html.count("position:absolute") == sum(image.frame is not None for image in images) > 0
    for image in images:
        assert escape(image.caption) in html
    assert "<img src=x" not in html
