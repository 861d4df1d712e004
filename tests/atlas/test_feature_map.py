"""The map of features: what it keeps of their responses, what it says, and that it is followed.

Costs about ten seconds of a processor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from starlette.testclient import TestClient

import circuitkb as ckb
from circuitkb.atlas.feature_map import MOST, _chosen, feature_map, mapped
from circuitkb.atlas.folder import write_atlas
from circuitkb.atlas.links import address
from circuitkb.atlas.projection import Layout, layout
from circuitkb.atlas.server import build
from circuitkb.errors import NotFoundError, ObservationError, QueryError
from circuitkb.loaders.planted.networks import planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    folder = tmp_path_factory.mktemp("map")
    planted = planted_network(
        one_sided=2, false_unions=2, symmetric=2, random=4, noise=0.1, size=45, seed=0
    )
    with ckb.open(folder / "kb.ckb") as kb:
        for name in ("seen", "unseen"):
            kb.load(write_onnx(planted, folder / f"{name}.onnx", any_size=False), name=name)
        kb.observe("seen")
        yield kb


def trustworthiness(values: np.ndarray, places: np.ndarray, near: int) -> float:
    """By its definition, in plain loops (Venna and Kaski 2001)."""
    count = len(values)
    ranks = np.argsort(np.argsort(cdist(values, values), axis=1), axis=1)  # itself has 0
    shown = np.argsort(cdist(places, places), axis=1)[:, 1 : near + 1]
    missed = sum(max(0, ranks[i, j] - near) for i in range(count) for j in shown[i])
    return 1 - 2 * missed / (count * near * (2 * count - 3 * near - 1))


def test_groups_that_answer_alike_lie_together_and_the_score_is_by_its_definition() -> None:
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 25)
    values = np.eye(4, 60)[group] * 3 + random.normal(size=(100, 60)) / 10
    found = layout(values.astype(np.float32))
    nearest = np.argsort(cdist(found.places, found.places), axis=1)[:, 1]
    assert np.mean(group[nearest] == group) == 1
    standard = values - values.mean(axis=1, keepdims=True)
    standard /= standard.std(axis=1, keepdims=True)
    assert found.trustworthiness == pytest.approx(
        trustworthiness(standard, found.places, 10), abs=1e-3
    )
    assert found.null < 0.6 < 0.9 < found.trustworthiness


def test_responses_without_structure_have_no_trustworthy_map_beyond_their_null() -> None:
    values = np.random.default_rng(1).normal(size=(200, 400)).astype(np.float32)
    found = layout(values)
    assert found.trustworthiness < 0.75


def test_a_map_says_how_many_it_shows_and_what_its_score_is_beside_chance(
    kb: ckb.KnowledgeBase,
) -> None:
    kept: dict[bytes, Layout] = {}
    page = feature_map(kb, "seen", {}, kept)
    answering = kb.query("MATCH (f:Feature {model: 'seen'}) WHERE f.answers RETURN f.id AS id")
    assert f"All {len(answering):,} features that answer." in page.lead[0]
    (laid,) = kept.values()
    assert f"trustworthiness {laid.trustworthiness:.2f}" in page.lead[0]
    assert f"{laid.null:.2f} with the features permuted" in page.lead[0]
    again = feature_map(kb, "seen", {"colour": "orientation"}, kept)
    assert len(kept) == 1, "another colour needs no other layout"
    assert again.drawing is not None
    (points,) = json.loads(again.drawing.given)["datasets"].values()
    shown = {row["id"] for row in kb.query("MATCH (f:Feature {model: 'seen'}) RETURN f.id AS id")}
    assert {point["feature"] for point in points} <= shown
    assert all(point["page"] == address(point["feature"]) for point in points)
    measured = {
        row["id"]: row["orientation"]
        for row in kb.query("MATCH (f:Feature) RETURN f.id AS id, f.orientation AS orientation")
    }
    assert all(point["colour"] == measured[point["feature"]] for point in points)


def test_where_there_are_too_many_those_in_circuits_or_with_labels_come_first() -> None:
    rows = [
        {"feature": f"m/a:{n}", "circuits": int(n % 7 == 0), "labels": ["x"] if n % 5 == 0 else []}
        for n in range(3 * MOST)
    ]
    shown = {row["feature"] for row in _chosen(rows)}
    assert len(shown) == MOST
    assert {row["feature"] for row in rows if row["circuits"] or row["labels"]} <= shown


def test_what_has_no_map_is_said(kb: ckb.KnowledgeBase) -> None:
    assert mapped(kb) == ["seen"]
    with pytest.raises(ObservationError, match="circuitkb observe unseen"):
        feature_map(kb, "unseen", {}, {})
    with pytest.raises(NotFoundError):
        feature_map(kb, "nowhere", {}, {})
    with pytest.raises(NotFoundError, match="no layer"):
        feature_map(kb, "seen", {"layer": "x"}, {})
    with pytest.raises(QueryError, match="one of layer, label"):
        feature_map(kb, "seen", {"colour": "f.id"}, {})


def test_the_map_is_a_page_and_a_file_with_its_picture(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    with TestClient(build(kb), base_url="http://localhost") as client:
        assert 'href="/map/seen"' in client.get("/node/seen").text
        page = client.get("/map/seen", params={"colour": "label"}).text
        assert "static/vega.js" in page
        assert client.get("/map/seen.svg").text.startswith("<svg")
        assert "vegaEmbed" in client.get("/static/vega.js").text
        assert client.get("/map/unseen").status_code == 400
    written = write_atlas(kb, tmp_path / "pages")
    html = (written.folder / "map" / "seen.html").read_text()
    assert "<svg" in html
    assert "vega" not in html, "a folder has the picture and no library of others"
    assert "map/seen.html" in (written.folder / "node" / "seen.html").read_text()
