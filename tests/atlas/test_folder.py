"""Pages as files: the same bytes again, no link that leads nowhere, nothing of others touched.

Costs about three seconds of a processor.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

import pyarrow.parquet as pq
import pytest
import yaml
from torch import nn

import circuitkb as ckb
from circuitkb.atlas.folder import write_atlas
from circuitkb.schema.errors import NotFoundError, ServingError
from tests.stores.contents import nodes


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    small = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU())
    place = tmp_path_factory.mktemp("stored") / "zoo.ckb"
    with ckb.open(place) as kb:
        small.input_shape = (3, 16, 16)
        kb.load(small, name="small")
        for feature in kb.features(limit=None).run()["feature"][-3:]:
            kb.annotate.add(feature, "</script><b>corner", author="ada", license="CC0-1.0")
    return place


@pytest.fixture
def kb(stored: Path, tmp_path: Path) -> Iterator[ckb.KnowledgeBase]:
    with ckb.open(shutil.copytree(stored, tmp_path / "zoo.ckb")) as kb:
        yield kb


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Links(HTMLParser):
    """What a page points at."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def test_the_same_content_gives_the_same_bytes(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    first = write_atlas(kb, tmp_path / "one")
    write_atlas(kb, tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert first.new == first.pages
    assert first.bytes == sum(map(len, tree(tmp_path / "one").values()))
    assert write_atlas(kb, tmp_path / "one").new == 0


def test_its_lists_are_there_for_programs(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    write_atlas(kb, tmp_path / "pages")
    for name in ("features", "circuits", "trials"):
        rows = json.loads((tmp_path / f"pages/{name}.json").read_text("utf-8"))["tables"][0]["rows"]
        table = pq.read_table(tmp_path / f"pages/{name}.parquet")
        assert table.num_rows == len(rows)
        if name == "features":
            assert table["feature"].to_pylist() == [row["feature"] for row in rows]
            assert table["input_l1"].to_pylist() == [row["input_l1"] for row in rows]
            assert table["labels"].to_pylist() == [row["labels"] for row in rows]


def test_it_says_how_to_cite_it_and_no_place_on_the_machine(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    where = "/srv/ada/secret/net.pt"
    model = {"id": "own", "fingerprint": "f", "source": where, "license": "MIT"}
    kb.store.write(nodes("Model", model | {"attribution": "Ada"}))
    write_atlas(kb, tmp_path / "pages")
    cited = yaml.safe_load((tmp_path / "pages/CITATION.cff").read_text("utf-8"))
    assert [each["title"] for each in cited["references"]] == ["circuitkb", "own", "small"]
    assert cited["references"][1]["authors"] == [{"name": "Ada"}]
    assert "licence MIT, source net.pt" in cited["references"][1]["notes"]
    about = (tmp_path / "pages/about.html").read_text("utf-8")
    assert "MIT" in about
    assert "CC0-1.0" in about
    assert "ada" in about
    for name, data in tree(tmp_path / "pages").items():
        assert b"secret" not in data, name


def test_a_folder_of_one_model_names_no_other(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    kb.store.write(nodes("Model", {"id": "unpublished", "fingerprint": "f", "source": "x"}))
    write_atlas(kb, tmp_path / "pages", models=["small"])
    for name, data in tree(tmp_path / "pages").items():
        assert b"unpublished" not in data, name


def test_no_link_leads_nowhere_or_elsewhere(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    write_atlas(kb, tmp_path / "pages")
    pages = list((tmp_path / "pages").rglob("*.html"))
    assert len(list((tmp_path / "pages" / "feature").rglob("*.html"))) == 3, "those with a label"
    for page in pages:
        for link in Links(page.read_text("utf-8")).found:
            target = urldefrag(link)[0]
            assert "//" not in target, (page, link)
            assert not target or (page.parent / target).exists(), (page, link)


def test_the_search_has_every_page_and_ends_no_script(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    write_atlas(kb, tmp_path / "pages")
    text = (tmp_path / "pages" / "search-index.js").read_text("utf-8")
    assert "<" not in text
    entries: list[Any] = json.loads(text.removeprefix("window.pages = ").removesuffix(";\n"))
    assert all((tmp_path / "pages" / where).exists() for _, _, where in entries)
    assert [labels for _, labels, _ in entries if labels] == 3 * ["</script><b>corner"]


def test_an_interrupted_run_goes_on(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    def stop(what: str, share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atlas(kb, tmp_path / "pages", progress=stop)
    rest = write_atlas(kb, tmp_path / "pages")
    assert 0 < rest.new < rest.pages
    write_atlas(kb, tmp_path / "whole")
    assert tree(tmp_path / "pages") == tree(tmp_path / "whole")


def test_another_content_takes_its_place_and_other_files_stay(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    write_atlas(kb, tmp_path / "pages")
    (tmp_path / "pages" / "node" / "mine.txt").write_text("mine")
    first = kb.features(limit=None).run()["feature"][0]
    kb.annotate.add(first, "red", author="ada", license="CC0-1.0")
    assert write_atlas(kb, tmp_path / "pages").new > 1
    assert (tmp_path / "pages" / "node" / "mine.txt").read_text() == "mine"
    (tmp_path / "pages" / "node" / "mine.txt").unlink()
    write_atlas(kb, tmp_path / "whole")
    assert tree(tmp_path / "pages") == tree(tmp_path / "whole")


def test_a_folder_with_anything_else_is_left_alone(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("mine")
    with pytest.raises(ServingError, match="holds something else"):
        write_atlas(kb, tmp_path / "mine")
    assert tree(tmp_path / "mine") == {"index.html": b"mine"}


def test_a_mark_that_names_files_elsewhere_removes_nothing(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    (tmp_path / "precious.html").write_text("mine")
    (tmp_path / "pages").mkdir()
    made = {"made_by": "circuitkb", "state": "", "whole": True, "pages": ["../precious", 3, "/x"]}
    (tmp_path / "pages" / "atlas.json").write_text(json.dumps(made))
    write_atlas(kb, tmp_path / "pages")
    assert (tmp_path / "precious.html").read_text() == "mine"


def test_labels_without_a_licence_are_not_published_unasked(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    kb.annotate.add(kb.features(limit=1).run()["feature"][0], "red", author="bob")
    with pytest.raises(ServingError, match="1 annotations have no licence"):
        write_atlas(kb, tmp_path / "pages")
    assert not (tmp_path / "pages").exists()
    assert write_atlas(kb, tmp_path / "pages", with_unlicensed=True).pages > 1


def test_a_model_that_is_not_there_is_named(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="small"):
        write_atlas(kb, tmp_path / "pages", models=["large"])
