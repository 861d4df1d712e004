"""Pages over HTTP: what they say, that they only read, and that strangers' text stays text.

Costs about five seconds of a processor.
"""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from PIL import Image
from starlette.testclient import TestClient

import circuitkb as ckb
from circuitkb.atlas.links import address
from circuitkb.atlas.server import build
from circuitkb.results.pictures.layer_shares import SHARES
from tests.atlas.conftest import HEAD, HOSTILE, KEPT

PAGE = address(HEAD)

WORDS = """
a body br button dd div dl dt figcaption figure footer form g h1 h2 head header html input label
li line link main meta nav p rect section span svg table tbody td text th thead title tr ul
metadata rdf:rdf rdf:description dc:title dc:creator dc:source dc:rights dc:identifier
"""
PLAIN = set(WORDS.split())
"""Tags that a page of a feature has: no label may bring another."""


class Seen(HTMLParser):
    """The tags, attributes and text of a page, as a browser would take them apart."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def seen(browser: TestClient, path: str, status: int = 200) -> Seen:
    answer = browser.get(path)
    assert answer.status_code == status, answer.text
    return Seen(answer.text)


def test_a_feature_has_its_labels_inputs_with_kernels_and_circuits(browser: TestClient) -> None:
    page = seen(browser, f"/{PAGE}")
    text = " ".join(page.text)
    assert "Dog Heads" in text
    assert "Strongest inputs" in text
    hrefs = [value for tag, name, value in page.attributes if (tag, name) == ("a", "href")]
    assert "/feature/inceptionv1/mixed4a/308" in hrefs
    assert "/node/inceptionv1.dog-head-union" in hrefs
    assert page.tags["svg"] == 1 + 4 + 4, "its inputs, the kernel of each there, and in its row"


def test_every_page_has_json_and_its_table_csv(browser: TestClient, kb: ckb.KnowledgeBase) -> None:
    data = browser.get(f"/{PAGE}.json").json()
    card = json.loads(kb.show(HEAD).to_json())
    assert data["facts"] == card["facts"]
    assert [table["rows"] for table in data["tables"]] == [s["rows"] for s in card["sections"]]
    rows = list(csv.DictReader(io.StringIO(browser.get("/circuits.csv?limit=1000").text)))
    assert [row["circuit"] for row in rows] == kb.circuits(limit=None).run()["circuit"]


def test_a_picture_is_svg_by_itself(browser: TestClient) -> None:
    answer = browser.get(f"/{PAGE}.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert ET.fromstring(answer.text).tag == "{http://www.w3.org/2000/svg}svg"


def test_every_picture_has_a_link_as_svg_and_as_png_and_says_what_it_shows(
    browser: TestClient, kb: ckb.KnowledgeBase
) -> None:
    page = seen(browser, f"/{PAGE}")
    links = {value for tag, name, value in page.attributes if (tag, name) == ("a", "href")}
    (model,) = kb.query("MATCH (m:Model) RETURN m.fingerprint AS print, m.license AS license")
    for number in range(1, 6):
        for ending in ("svg", "png"):
            assert f"/{PAGE}.{number}.{ending}" in links
        svg = browser.get(f"/{PAGE}.{number}.svg").text
        png = Image.open(io.BytesIO(browser.get(f"/{PAGE}.{number}.png").content))
        wide = float(ET.fromstring(svg).attrib["width"])
        assert png.size[0] == round(2 * wide)
        for text in (svg, str(png.info)):
            assert f"sha256:{model['print']}" in text
            assert model["license"] in text
            assert HEAD in text
    assert f"/{PAGE}.6.svg" not in links
    assert browser.get(f"/{PAGE}.6.svg").status_code == 404
    assert browser.get(f"/{PAGE}.svg").text == browser.get(f"/{PAGE}.1.svg").text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/features?label=dog",
        "/circuits?motif=mirrored-inputs",
        "/trials",
        "/questions",
        "/ask",
    ],
)
def test_every_link_of_a_page_leads_to_a_page(browser: TestClient, path: str) -> None:
    page = seen(browser, path)
    links = {value for tag, name, value in page.attributes if (tag, name) == ("a", "href")}
    for link in sorted(link for link in links if link.startswith("/"))[:40]:
        assert browser.get(link).status_code == 200, link


def test_a_question_in_a_sentence_is_a_link(browser: TestClient, kb: ckb.KnowledgeBase) -> None:
    sentence = "what does mixed4a:308 feed?"
    data = browser.get("/ask.json", params={"question": sentence}).json()
    assert data["tables"][0]["rows"] == kb.ask(sentence).result.to_dicts()
    narrowed = browser.get("/ask.json", params={"question": "inputs", "feature": HEAD, "top": 2})
    assert len(narrowed.json()["tables"][0]["rows"]) == 2


def test_two_circuits_stand_beside_each_other(browser: TestClient, kb: ckb.KnowledgeBase) -> None:
    one, other = kb.circuits(limit=2).run()["circuit"]
    page = seen(browser, f"/compare?one={one}&other={other}")
    assert page.tags["figure"] == 2
    assert {one, other} <= set(page.text)


def test_two_models_are_compared_by_what_is_analogous(browser: TestClient) -> None:
    data = browser.get("/compare.json?one=inceptionv1&other=inceptionv1").json()
    titles = [table["title"] for table in data["tables"]]
    assert titles == ["Analogous circuits", "Analogous features"]


def test_a_pattern_has_its_matches_and_a_link(browser: TestClient, kb: ckb.KnowledgeBase) -> None:
    given = {"text": "a +> u <+ b; not a -> b", "rank": "4"}
    rows = browser.get("/pattern.json", params=given).json()["tables"][0]["rows"]
    asked = kb.pattern(given["text"], edges=ckb.edge(max_rank=4), unordered=True, limit=50)
    assert rows == asked.run().to_dicts() != []


def test_a_link_made_on_other_weights_says_so(browser: TestClient, kb: ckb.KnowledgeBase) -> None:
    (own,) = kb.query("MATCH (m:Model) RETURN m.fingerprint").rows[0]
    page = seen(browser, f"/{PAGE}")
    links = [value for tag, name, value in page.attributes if (tag, name) == ("a", "href")]
    assert f"/{PAGE}?weights={own[:16]}" in links
    assert "other weights" not in browser.get(f"/{PAGE}", params={"weights": own}).text
    for id in (PAGE, "node/inceptionv1", "node/inceptionv1.dog-head-union"):
        said = browser.get(f"/{id}", params={"weights": "0123abcd"}).text
        assert "made on other weights: 0123abcd" in said


def test_a_pattern_is_counted_beside_permuted_weights(
    browser: TestClient, kb: ckb.KnowledgeBase
) -> None:
    text = "a -> u; b -> u; a -> v; b -> v"
    asked = {"text": text, "rank": "4", "permuted": "3"}
    (row,) = browser.get("/pattern.json", params=asked).json()["tables"][0]["rows"]
    counted = kb.pattern(text, edges=ckb.edge(max_rank=4), unordered=True).count_permuted(3)
    assert row["matches"] == counted.matches
    assert row["permuted_mean"] == round(counted.mean, 2)
    page = seen(browser, f"/pattern?{urlencode(asked)}")
    (given,) = (v for _, name, v in page.attributes if name == "data-given")
    assert json.loads(given)["features"] == ["a", "u", "b", "v"]
    assert browser.get("/pattern", params={**asked, "permuted": "1000"}).status_code == 400


def test_a_model_has_its_layers_in_a_row(browser: TestClient, kb: ckb.KnowledgeBase) -> None:
    svg = browser.get("/node/inceptionv1.svg").text
    count = kb.query("MATCH (f:Feature {model: 'inceptionv1'}) RETURN count(f) AS n").rows[0][0]
    assert f"of {count:,}" in svg
    assert svg.count("<g>") % len(SHARES) == 0


@pytest.mark.parametrize(
    ("text", "there"),
    [
        (HEAD, "Strongest inputs"),
        ("dog head", "Oriented Dog Heads"),
        ("what does mixed4a:308 feed?", "Read as"),
    ],
)
def test_one_box_takes_ids_labels_and_questions(browser: TestClient, text: str, there: str) -> None:
    assert there in browser.get("/search", params={"q": text}).text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/feature/inceptionv1/mixed4b/99999", 404, "mixed4b"),
        ("/nowhere", 404, "no address of a page"),
        ("/node/..%2f..%2fetc%2fpasswd", 404, "Nothing here"),
        ("/static/..%2fserver.py", 404, ""),
        ("/circuits?limit=1001", 400, "from 1 to 1,000"),
        ("/circuits?colour=red", 400, "knows no 'colour'"),
        ("/query?cypher=MATCH (n) DETACH DELETE n", 400, "may only read"),
        ("/query?cypher=LOAD CSV FROM 'file:///etc/passwd' AS x RETURN x", 400, ""),
        ("/ask?question=why", 400, ""),
        ("/search?q=", 400, "Nothing to look for"),
        ("/trials.svg", 404, "no picture"),
        ("/compare?one=inceptionv1&other=inceptionv1.dog-head-union", 400, "Two models or two"),
        ("/compare?one=inceptionv1&other=resnet", 404, "resnet"),
        ("/pattern?text=a ->", 400, ""),
        ("/pattern?text=a -> b&rank=x", 400, "whole number"),
    ],
)
def test_what_cannot_be_shown_is_said(
    browser: TestClient, path: str, status: int, said: str
) -> None:
    answer = browser.get(path)
    assert answer.status_code == status
    assert said in unescape(answer.text)
    assert "Traceback" not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_is_written(browser: TestClient, kb: ckb.KnowledgeBase, method: str) -> None:
    before = kb.query("MATCH (n) RETURN count(n) AS nodes").rows
    assert browser.request(method, f"/{PAGE}").status_code == 405
    assert kb.query("MATCH (n) RETURN count(n) AS nodes").rows == before


def test_labels_are_text_whatever_they_say(browser: TestClient) -> None:
    page = seen(browser, f"/{PAGE}")
    assert set(page.tags) <= PLAIN
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]
    shown = "".join(page.text)
    for text in KEPT:
        assert text in shown, text
    assert "\u202e" not in shown
    assert "\u2066" not in shown
    for _, name, value in page.attributes:
        if name in ("href", "src", "action"):
            assert value.startswith(("/", "#"))
            assert not value.startswith("//")


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_typed_comes_back_as_text(browser: TestClient, text: str) -> None:
    for path, name in (
        ("/search", "q"),
        ("/ask", "question"),
        ("/query", "cypher"),
        ("/features", "label"),
    ):
        answer = browser.get(path, params={name: text})
        assert answer.status_code in (200, 400, 404)
        assert Seen(answer.text).tags["script"] == 0


def test_pages_run_only_our_own_files_and_are_framed_by_nobody(browser: TestClient) -> None:
    headers: Any = browser.get("/").headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"


def test_a_name_of_another_site_that_points_here_is_refused(browser: TestClient) -> None:
    assert browser.get("/", headers={"host": "evil.example"}).status_code == 400


def test_a_link_that_is_too_long_is_refused(browser: TestClient) -> None:
    answer = browser.get("/query", params={"cypher": "x" * 60_000})
    assert answer.status_code == 400
    assert "characters at most" in answer.text


def test_an_empty_knowledge_base_has_pages(tmp_path: Any) -> None:
    with (
        ckb.open(tmp_path / "empty.ckb") as kb,
        TestClient(build(kb), base_url="http://localhost") as client,
    ):
        for path in ("/", "/features", "/circuits", "/trials", "/questions", "/coverage"):
            assert client.get(path).status_code == 200
        assert "Nothing is explained" in client.get("/coverage").text
