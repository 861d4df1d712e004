"""Pages of every kind of store say the same.

Costs about twenty seconds of a processor, most of them what a server takes to start and to learn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.atlas.asking import ask
from circuitkb.atlas.coverage import coverage
from circuitkb.atlas.feature_map import feature_map
from circuitkb.atlas.labelling import queue
from circuitkb.atlas.page import Page
from circuitkb.atlas.pages import Pages
from circuitkb.atlas.patterns import pattern
from circuitkb.loaders.planted.networks import planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx
from tests.stores.factories import FACTORIES

pytestmark = [pytest.mark.long, pytest.mark.server]

KINDS = [kind for kind in FACTORIES if not kind.only_writes]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Pages]]:
    with ExitStack() as opened:
        found = {}
        planted = planted_network(
            one_sided=2, false_unions=2, symmetric=2, random=4, size=45, seed=0
        )
        file = write_onnx(planted, tmp_path_factory.mktemp("net") / "net.onnx", any_size=False)
        for kind in KINDS:
            kb = ckb.KnowledgeBase(
                opened.enter_context(kind.held(tmp_path_factory.mktemp("store")))
            )
            kb.load("published:inceptionv1")
            kb.load(file)
            kb.observe("net")
            kb.find("union")
            found[kind.name] = Pages(kb)
        yield found


@pytest.mark.parametrize(
    "id", ["inceptionv1/mixed4b:418", "inceptionv1.dog-head-union", "inceptionv1/mixed4b"]
)
def test_a_thing_has_one_page(pages: Mapping[str, Pages], id: str) -> None:
    embedded, *others = (each.thing(id).to_dict() for each in pages.values())
    assert embedded["tables"]
    assert all(other == embedded for other in others)


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("features", {"label": "dog"}),
        ("circuits", {"motif": "mirrored-inputs"}),
        ("trials", {}),
    ],
)
def test_a_list_has_the_same_rows(
    pages: Mapping[str, Pages], name: str, query: dict[str, str]
) -> None:
    embedded, *others = (_timeless(each.listing(name, query)) for each in pages.values())
    assert all(other == embedded for other in others)


def _timeless(page: Page) -> list[list[dict[str, Any]]]:
    """The rows of a page without when, and in how many seconds, each store's own run made them."""
    made = {"created", "seconds"}
    return [
        [{name: value for name, value in row.items() if name not in made} for row in table.result]
        for table in page.tables
    ]


def test_all_other_pages_are_the_same(pages: Mapping[str, Pages]) -> None:
    both = {"one": "inceptionv1.dog-head-union", "other": "inceptionv1.car-from-parts"}
    for read in (
        lambda each: each.home(),
        lambda each: each.about(),
        lambda each: each.compare(both),
        lambda each: each.thing("inceptionv1.dog-head-union", {"neighbours": "2"}),
        lambda each: queue(each.kb, {}),
        lambda each: queue(each.kb, {"agreement": "yes"}),
        lambda each: coverage(each.kb),
        lambda each: pattern(each.kb, {"text": "a +> u <+ b", "permuted": "2"}),
        lambda each: ask(each.kb, {"question": "union", "view": "matrix"}),
        lambda each: feature_map(each.kb, "net", {"colour": "orientation"}, each.layouts),
    ):
        embedded, *others = (read(each).to_dict() for each in pages.values())
        assert all(other == embedded for other in others)
    for model in ("inceptionv1", "net"):
        drawn = [each.thing(model).figures for each in pages.values()]
        assert all(figures == drawn[0] for figures in drawn)
