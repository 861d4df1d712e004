"""Pages of claims, of proofs and of coverage, served and as files.

Costs about four seconds of a processor, most of it to load a small network and to prove.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import circuitkb as ckb
from circuitkb.atlas.contents import contents
from circuitkb.atlas.folder import write_atlas
from circuitkb.atlas.server import build
from circuitkb.coverage.coverage import Coverage
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of
from tests.atlas.test_server import Seen, seen
from tests.claims.worlds import claim, whole
from tests.proofs.small_onnx import TARGET, small_onnx
from tests.stores.contents import nodes

HOSTILE = '</td></tr></table><script>alert(1)</script>"onload=a'

CIRCUIT = "union-0123456789abcdef"


def circuit() -> GraphRows:
    node = {"id": CIRCUIT, "motif": "union", "model": "small", "origin": "found"}
    members = [
        {"source": TARGET, "target": CIRCUIT, "role": "target"},
        *(
            {"source": f"small/relu:{side}", "target": CIRCUIT, "role": "case", "side": side + 1}
            for side in (0, 1)
        ),
    ]
    joined = relation_table("MEMBER_OF", rows_of(members))
    return GraphRows(
        nodes={"Circuit": node_table("Circuit", rows_of([node]))},
        relations=[Relations("MEMBER_OF", "Feature", "Circuit", joined)],
    )


def predicting(id: str, then: str, **given: Any) -> dict[str, Any]:
    prediction = {
        **{"test": "proof", "tried": CIRCUIT, "when": "case 1 >= 1", "then": then},
        **{"box": "pixels", "at_least": 1},
    }
    return claim(id, subject="small", prediction=prediction, **given)


def covering() -> Coverage:
    point = {"edges": 1, "joined": 1, "faithfulness": 0.25, "top1": 1.0, "kl": 0.0}
    point |= {"correlation": None}
    curve = {"points": [point] * 10, "cpr": 0.5, "cmd": 0.5}
    layer = {"layer": "second", "variance": 0.5, "weight": 0.5, "effect": 0.5}
    unit = {"feature": "small/relu:1", "effect": 1.0, "layer_median": 0.5, "rank": 1, "of": 2}
    return Coverage(
        *("small", "f", HOSTILE, "8 pictures"),
        {"seed": 0, "circuits": [], "labels": [], "edges": None, "images": True, "count": 8},
        *(4, 1.0, 0.0, point, {"random": point}, [0.1], {"weight magnitude": curve}),
        *([layer], [unit], [], 4, 4),
        created="2026-01-01",
    )


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    folder = tmp_path_factory.mktemp("claimed")
    with ckb.open(folder / "kb.ckb") as kb:
        kb.load(small_onnx(folder), name="small")
        kb.store.write(circuit())
        kb.store.write(covering().rows())
        records = [
            whole("both", "fires", "fails"),
            predicting("fires", "target > 0.9", statement=HOSTILE),
            predicting("fails", "target > 1.2"),
        ]
        file = folder / "claims.jsonl"
        file.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
        kb.claims.add(file)
        kb.claims.test()
        yield kb


@pytest.fixture(scope="module")
def browser(kb: ckb.KnowledgeBase) -> Iterator[TestClient]:
    with TestClient(build(kb), base_url="http://127.0.0.1:8421") as client:
        yield client


def hrefs(page: Seen) -> set[str]:
    return {value for tag, name, value in page.attributes if (tag, name) == ("a", "href")}


def images(page: Seen) -> list[str]:
    return [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]


def test_claims_are_listed_with_their_standing_and_lead_to_their_pages(browser: TestClient) -> None:
    page = seen(browser, "/claims")
    text = " ".join(page.text)
    assert "1 supported, 0 undecided, 0 untested, 2 refuted" in text
    assert HOSTILE in text
    assert not page.tags["script"]
    assert {"/node/both", "/node/fires", "/node/fails", "/node/small"} - hrefs(page) == {
        "/node/small"  # a subject is shown as text
    }
    rows = browser.get("/claims.json?standing=refuted").json()["tables"][0]["rows"]
    assert [row["id"] for row in rows] == ["both", "fails"]
    assert browser.get("/claims?standing=true").status_code == 400
    assert browser.get("/claims?other=1").status_code == 400


def test_a_claim_has_its_prediction_parts_trials_and_counterexample(browser: TestClient) -> None:
    page = seen(browser, "/node/fails")
    text = " ".join(page.text)
    for said in ("Refuted: a counterexample refutes it", "proof at least 1; box", "0.1", "Notes"):
        assert said in text
    (picture,) = images(page)
    assert picture.startswith("/counterexample/proof-")
    assert browser.get(picture).content[:4] == b"\x89PNG"
    above = seen(browser, "/node/both")
    assert "its part fails is refuted" in " ".join(above.text)
    assert {"/node/fires", "/node/fails"} <= hrefs(above)
    assert HOSTILE in " ".join(seen(browser, "/node/fires").text)
    assert browser.get("/counterexample/proof-0000000000000000.png").status_code == 404


def test_a_circuit_has_its_proofs_with_their_box(browser: TestClient) -> None:
    page = seen(browser, f"/node/{CIRCUIT}")
    text = " ".join(page.text)
    assert "Proved or refuted" in text
    assert {"proved", "refuted", "pixels", "target > 1.2"} <= {one.strip() for one in page.text}
    assert len(images(page)) == 1
    proofs = [href for href in hrefs(page) if href.startswith("/node/proof-")]
    assert len(proofs) == 2
    assert sum(bool(images(seen(browser, proof))) for proof in proofs) == 1


def test_coverage_stands_on_the_page_of_what_is_not_explained(browser: TestClient) -> None:
    page = seen(browser, "/coverage")
    text = " ".join(page.text)
    assert "How much is explained" in text
    assert HOSTILE in text
    assert "/feature/small/relu/1" in hrefs(page)
    (picture,) = images(page)
    assert browser.get(picture).content[:4] == b"\x89PNG"


def test_the_folder_has_the_same_pages_and_pictures(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    write_atlas(kb, tmp_path / "pages")
    for name in ("claims", "node/both", "node/fails", f"node/{CIRCUIT}", "coverage"):
        page = Seen((tmp_path / f"pages/{name}.html").read_text("utf-8"))
        for picture in images(page):
            file = (tmp_path / f"pages/{name}.html").parent / picture
            assert file.read_bytes()[:4] == b"\x89PNG"
        for tag, attribute, value in page.attributes:
            assert not attribute.startswith("on")
            assert (tag, attribute, value[:4]) != ("script", "src", "http")
    listed = Seen((tmp_path / "pages/claims.html").read_text("utf-8"))
    assert "./node/fails.html" in hrefs(listed)
    assert len(list((tmp_path / "pages/counterexample").iterdir())) == 1
    # Another proof is another state, of which all pages are written anew.
    before = contents(kb, None, inputs=False)
    proof = {"id": "proof-0", "when": "a", "box": "mean", "method": "m"}
    kb.store.write(nodes("Proof", proof))
    after = contents(kb, None, inputs=False)
    assert (before.nodes, before.state == after.state) == (after.nodes, False)
