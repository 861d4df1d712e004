"""Pages of every kind of store say the same.

Costs about fifteen seconds of a processor, most of them what a server takes to start and to learn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

import circuitkb as ckb
from circuitkb.atlas.pages import Pages
from tests.stores.factories import FACTORIES

pytestmark = [pytest.mark.long, pytest.mark.server]

KINDS = [kind for kind in FACTORIES if not kind.only_writes]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Pages]]:
    with ExitStack() as opened:
        found = {}
        for kind in KINDS:
            kb = ckb.KnowledgeBase(
                opened.enter_context(kind.held(tmp_path_factory.mktemp("store")))
            )
            kb.load("published:inceptionv1")
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
    embedded, *others = (each.listing(name, query).to_dict() for each in pages.values())
    assert all(other == embedded for other in others)


def test_labels_layers_comparisons_and_patterns_are_the_same(pages: Mapping[str, Pages]) -> None:
    both = {"one": "inceptionv1.dog-head-union", "other": "inceptionv1.car-from-parts"}
    for read in (
        lambda each: each.home(),
        lambda each: each.about(),
        lambda each: each.labels(),
        lambda each: each.compare(both),
        lambda each: each.pattern({"text": "a +> u <+ b"}),
    ):
        embedded, *others = (read(each).to_dict() for each in pages.values())
        assert all(other == embedded for other in others)
    drawn = [each.thing("inceptionv1").figures for each in pages.values()]
    assert all(figures == drawn[0] for figures in drawn)
