"""Rows as a graph or a matrix, more neighbours where a link asks for them, links on pictures.

Costs about four seconds of a processor.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import numpy as np
import pytest
from starlette.testclient import TestClient

import circuitkb as ckb
from circuitkb.atlas.pages import Pages
from circuitkb.atlas.server import build
from circuitkb.errors import QueryError
from circuitkb.results.pictures.colours import EXCITES, INHIBITS
from tests.atlas.conftest import HEAD

SVG = "{http://www.w3.org/2000/svg}"
INPUTS = {"question": f"what are the strongest inputs of {HEAD}?"}


@pytest.fixture(scope="module")
def browser(kb: ckb.KnowledgeBase) -> Iterator[TestClient]:
    with TestClient(build(kb), base_url="http://localhost") as client:
        yield client


def test_the_rows_of_a_question_are_drawn_as_a_graph_of_all_kept_weights_between_them(
    browser: TestClient, kb: ckb.KnowledgeBase
) -> None:
    rows = kb.ask(INPUTS["question"]).result.to_dicts()
    drawn = ET.fromstring(browser.get("/ask.svg", params={**INPUTS, "view": "graph"}).text)
    shown = {group.attrib["data-feature"] for group in drawn.findall(f"{SVG}g[@data-feature]")}
    assert shown == {HEAD, *(row["source"] for row in rows)}


def test_a_matrix_has_a_row_for_each_source_and_the_kernels_of_the_store(
    browser: TestClient, kb: ckb.KnowledgeBase
) -> None:
    text = (
        "MATCH (s:Feature)-[w:WEIGHT]->(t:Feature) WHERE t.id = $t "
        "RETURN s.id AS source, t.id AS target"
    ).replace("$t", f"'{HEAD}'")
    pairs = [tuple(row.values()) for row in kb.query(text)]
    drawn = ET.fromstring(browser.get("/query.svg", params={"cypher": text, "view": "matrix"}).text)
    cells = drawn.findall(f"{SVG}g")
    said = [str(cell.findtext(f"{SVG}title")).partition(": excites")[0] for cell in cells]
    assert sorted(said) == sorted(f"{source} to {target}" for source, target in pairs)
    for cell, (source, target) in zip(cells, (line.split(" to ") for line in said), strict=True):
        (kernel,) = kb.kernels(source, target)
        colours = [rect.attrib["fill"] for rect in cell.iter(f"{SVG}rect")]
        assert colours.count(EXCITES) == np.count_nonzero(kernel.values > 0)
        assert colours.count(INHIBITS) == np.count_nonzero(kernel.values < 0)


def test_the_features_of_an_answer_are_what_the_next_query_is_about(
    browser: TestClient, kb: ckb.KnowledgeBase
) -> None:
    page = browser.get("/ask", params=INPUTS).text
    assert "Ask about these 4 features" in page or "Ask about these 5 features" in page
    ids = " ".join(row["source"] for row in kb.ask(INPUTS["question"]).result)
    cypher = "MATCH (f:Feature) WHERE f.id IN $ids RETURN f.id AS feature ORDER BY feature"
    answer = browser.get("/query.json", params={"cypher": cypher, "ids": ids}).json()
    assert [row["feature"] for row in answer["tables"][0]["rows"]] == sorted(ids.split())


def test_ids_are_bound_and_never_part_of_the_query(browser: TestClient) -> None:
    cypher = "MATCH (f:Feature) WHERE f.id IN $ids RETURN count(f) AS n"
    given = {"cypher": cypher, "ids": "x'] OR true OR f.id IN ['y"}
    assert browser.get("/query.json", params=given).json()["tables"][0]["rows"] == [{"n": 0}]


def test_rows_without_features_have_no_view_and_an_unknown_view_is_refused(
    browser: TestClient,
) -> None:
    assert "As a graph" not in browser.get("/query", params={"cypher": "RETURN 1 AS one"}).text
    wrong = browser.get("/ask", params={**INPUTS, "view": "tree"})
    assert wrong.status_code == 400
    assert "graph or matrix" in wrong.text


def test_a_feature_is_shown_with_as_many_inputs_as_its_link_asks_for(
    kb: ckb.KnowledgeBase,
) -> None:
    pages = Pages(kb)
    (few,) = (t for t in pages.thing(HEAD, {"inputs": "2"}).tables if t.title == "Strongest inputs")
    all_ = kb.ask("inputs", parameters={"feature": HEAD, "top": 50}).result
    assert few.result.rows == all_.rows[:2]
    ways = {way.said: way for way in pages.thing(HEAD, {"inputs": "2"}).ways}
    assert ways["The next 20 inputs"].query["inputs"] == "22"
    assert "The next 20 inputs" not in {way.said for way in pages.thing(HEAD).ways}, "all are there"
    with pytest.raises(QueryError, match="from 1 to 190"):
        pages.thing(HEAD, {"inputs": "500"})


def test_a_circuit_is_drawn_with_its_members_inputs_where_asked_for(kb: ckb.KnowledgeBase) -> None:
    pages = Pages(kb)
    circuit = kb.circuits(origin="found").run()["circuit"][0]
    members = {row["feature"] for row in kb.show(circuit).drawn()[0]}
    edges = kb.edges(max_rank=8, limit=None).run().to_dicts()
    inputs = {row["source"] for row in edges if row["target"] in members}
    drawn = ET.fromstring(pages.thing(circuit, {"neighbours": "8"}).figures[0].svg)
    shown = {group.attrib["data-feature"] for group in drawn.findall(f"{SVG}g[@data-feature]")}
    assert members < shown <= members | inputs
    assert len(shown) == min(24, len(members | inputs))


def test_a_feature_in_a_picture_leads_to_its_page(browser: TestClient) -> None:
    page = browser.get("/node/inceptionv1.dog-head-union").text
    assert '<a href="/feature/inceptionv1/mixed4b/418"><g data-feature=' in page
    alone = browser.get("/node/inceptionv1.dog-head-union.svg").text
    assert "<a " not in alone


def test_weights_of_the_same_roles_stand_beside_each_other(
    kb: ckb.KnowledgeBase,
) -> None:
    found = kb.circuits(origin="found").run()["circuit"]
    one, other = found[0], found[-1]
    page = Pages(kb).compare({"one": one, "other": other})
    (aligned,) = (t for t in page.tables if t.title.startswith("Weights between"))
    for row in aligned.result.to_dicts():
        for circuit, excites in ((one, "excites"), (other, "other_excites")):
            source, target = row[circuit].split(" -> ")
            assert sum(
                float(k.values[k.values > 0].sum()) for k in kb.kernels(source, target)
            ) == pytest.approx(row[excites], rel=1e-5)
