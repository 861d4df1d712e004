"""The picture of a circuit, and what a notebook shows of a card."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.results.pictures.circuit_diagram import EXCITES, INHIBITS, MOST, diagram
from tests.stores.made_once import published_copy

SVG = "{http://www.w3.org/2000/svg}"
EVIL = "<script>alert('x')</script>"
MEMBERS = [
    {"feature": "m/a:2", "role": "case", "side": 2, "labels": ["right"]},
    {"feature": "m/a:1", "role": "case", "side": 1, "labels": ["left", EVIL]},
    {"feature": "m/b:0", "role": "union", "side": None, "labels": []},
]
WEIGHTS = [
    {"source": "m/a:1", "target": "m/b:0", "positive": 3.0, "negative": -1.0},
    {"source": "m/a:2", "target": "m/b:0", "positive": 0.5, "negative": -1.5},
    {"source": "m/a:9", "target": "m/b:0", "positive": 9.0, "negative": 0.0},
]


def drawn(*given: Any) -> ET.Element:
    """The picture, read as XML: what a browser would see."""
    return ET.fromstring(diagram(*given))


def boxes(svg: ET.Element) -> dict[str, tuple[float, float]]:
    """Where the box of each feature stands, by the first word of its tooltip."""
    found = {}
    for group in svg.findall(f"{SVG}g[@data-feature]"):
        rect, title = group.find(f"{SVG}rect"), group.find(f"{SVG}title")
        assert rect is not None
        assert title is not None
        name = str(title.text).rpartition(": ")[0] if ": " in str(title.text) else title.text
        found[str(name).split(": ")[0]] = float(rect.attrib["x"]), float(rect.attrib["y"])
    return found


def test_sources_stand_below_their_targets_and_sides_left_and_right() -> None:
    places = boxes(drawn(MEMBERS, WEIGHTS))
    assert set(places) == {"m/a:1", "m/a:2", "m/b:0"}
    assert places["m/a:1"][1] == places["m/a:2"][1] > places["m/b:0"][1]
    assert places["m/a:1"][0] < places["m/b:0"][0] < places["m/a:2"][0]


def test_each_weight_has_a_line_for_either_mass_as_wide_as_it_is_large() -> None:
    groups = drawn(MEMBERS, WEIGHTS).findall(f"{SVG}g[@class='weight']")
    lines = [line for group in groups for line in group.findall(f"{SVG}line[@stroke-opacity]")]
    assert [line.attrib["stroke"] for line in lines] == [EXCITES, INHIBITS] * 2
    widths = [float(line.attrib["stroke-width"]) for line in lines]
    assert widths == [6.0, 2.0, 1.0, 3.0]
    assert "excites 0.5, inhibits -1.5" in str(groups[1].findtext(f"{SVG}title"))


def test_rows_are_layers_where_their_positions_are_known() -> None:
    members = [{"feature": f"m/l:{i}", "position": p} for i, p in enumerate((3, 1, 3, 2))]
    places = boxes(drawn(members, []))
    heights = [places[f"m/l:{i}"][1] for i in range(4)]
    assert heights[0] == heights[2] < heights[3] < heights[1]


def test_chains_have_a_row_for_each_step_and_rings_end() -> None:
    members = [{"feature": f"m/l:{i}"} for i in range(4)]
    chain = [
        {"source": f"m/l:{i}", "target": f"m/l:{i + 1}", "positive": 1.0, "negative": 0.0}
        for i in range(3)
    ]
    heights = [boxes(drawn(members, chain))[f"m/l:{i}"][1] for i in range(4)]
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == 4
    ring = [*chain, {"source": "m/l:3", "target": "m/l:0", "positive": 1.0, "negative": 0.0}]
    assert len(boxes(drawn(members, ring))) == 4


def test_what_strangers_wrote_is_text_and_never_markup() -> None:
    members = [{"feature": f"m/a:1{EVIL}", "role": EVIL, "labels": [EVIL]}]
    text = diagram(members, [])
    assert "<script" not in text
    assert "&lt;script" in text


def test_more_members_than_a_picture_holds_are_left_out() -> None:
    members = [{"feature": f"m/a:{i}"} for i in range(30)]
    assert len(boxes(drawn(members, []))) == MOST == 24


def test_the_kernel_of_a_weight_is_hidden_until_a_page_shows_it() -> None:
    kernels = ["", '<svg xmlns="http://www.w3.org/2000/svg"/>', ""]
    groups = drawn(MEMBERS, WEIGHTS, kernels).findall(f"{SVG}g[@class='weight']")
    hidden = [group.find(f"{SVG}g[@class='kernel']") for group in groups]
    assert [found is not None for found in hidden] == [False, True]
    assert hidden[1] is not None
    assert hidden[1].attrib["visibility"] == "hidden"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    place = tmp_path_factory.mktemp("cards") / "zoo.ckb"
    with ckb.open(published_copy(tmp_path_factory, place, searched=True)) as base:
        base.annotate.add("inceptionv1/mixed4b:418", EVIL, author="stranger")
        yield base


def test_a_notebook_shows_cards_with_pictures_whose_tags_all_close(kb: ckb.KnowledgeBase) -> None:
    circuit = kb.circuits(origin="found").run()["circuit"][0]
    weights = len(
        kb.query(
            "MATCH (:Circuit {id: $id})<-[:MEMBER_OF]-(:Feature)-[w:WEIGHT]->"
            "(:Feature)-[:MEMBER_OF]->(c:Circuit {id: $id}) RETURN DISTINCT w",
            {"id": circuit},
        )
    )
    for id, pictures in (
        ("inceptionv1/mixed4b:418", 1 + 4 + 4),  # kernels beside their rows and on the lines
        (circuit, 1 + weights + weights),
        ("inceptionv1", 1),
        ("inceptionv1/mixed4b", 0),
    ):
        html = kb.show(id)._repr_html_()
        tags = _Tags()
        tags.feed(html)
        assert tags.open == []
        assert "script" not in tags.seen
        assert tags.seen.count("svg") == pictures
    assert "under the null, q =" in kb.show(circuit)._repr_html_()
    assert "&lt;script&gt;" in kb.show("inceptionv1/mixed4b:418")._repr_html_()
