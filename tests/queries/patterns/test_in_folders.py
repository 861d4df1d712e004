"""Patterns over exported folders: as the graph answers them. Nine seconds in all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

import circuitkb as ckb
from circuitkb.errors import QueryError, SourceError
from circuitkb.patterns.in_folders import Folders
from tests.stores.made_once import published_copy

MODEL = "inceptionv1"


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    place = tmp_path_factory.mktemp("kb") / "kb.ckb"
    with ckb.open(published_copy(tmp_path_factory, place)) as kb:
        yield kb


@pytest.fixture(scope="module")
def folder(kb: ckb.KnowledgeBase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("exported") / "zoo"
    kb.export("parquet", found)
    return found


PATTERNS: dict[str, tuple[str, dict[str, Any]]] = {
    "fan": ("a -> u <- b", {"unordered": [("a", "b")]}),
    "signs": ("a +> u; b -| u", {"edges": ckb.edge(max_rank=30)}),
    "absent": ("a -> b; b -> c; not a -> c", {}),
    "narrowed": ("a -> u", {"u": ckb.feature(layer="mixed4b")}),
    "predicate": ("a -> u", {"u": ckb.feature(layer=ckb.starting_with("mixed4"))}),
    "property": ("a -> u", {"u": ckb.feature(unit=ckb.above(300))}),
    "mass": ("a -> u", {"edges": ckb.edge(positive=ckb.above(0.5))}),
    "compared": ("a -> u <- b", {"where": [("a.unit", ">", "b.unit")]}),
    "bounded": ("a -> u <- b", {"limit": 7}),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_has_the_matches_of_the_graph(
    name: str, kb: ckb.KnowledgeBase, folder: Path
) -> None:
    text, given = PATTERNS[name]
    pattern = ckb.Pattern(text, **({"limit": None} | given))
    wanted = kb.pattern(pattern).over("graph")
    found = Folders([folder]).run(pattern)
    assert found.columns == wanted.run().columns
    assert len(found) > 0
    if pattern.limit is None:
        assert sorted(found.rows) == sorted(wanted.run().rows)
        assert Folders([folder]).count(pattern) == len(found)
    else:
        assert (len(found), found.truncated) == (7, True)
        assert Folders([folder]).run(ckb.Pattern(text, limit=None)).rows[:7] == found.rows


def test_object_storage_and_several_folders_are_read(folder: Path, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/bucket/zoo", recursive=True)
    pattern = ckb.Pattern("a -> u", limit=None)
    one = Folders([folder]).count(pattern)
    assert Folders(["memory://bucket/zoo"]).count(pattern) == one
    shutil.copytree(folder, tmp_path / "copy")
    assert Folders([folder, tmp_path / "copy"]).run(pattern).notes == (
        f"Over the weights kept in {folder}, {tmp_path / 'copy'}.",
    )


def test_what_only_a_knowledge_base_knows_is_refused(folder: Path) -> None:
    with pytest.raises(QueryError, match=r"labels, and lists .* load the folder"):
        Folders([folder]).count(ckb.Pattern("a -> u", u=ckb.feature(label="dog")))
    with pytest.raises(QueryError, match="Counterparts in other models"):
        Folders([folder]).count(ckb.Pattern("a -> u").in_models(2, by="u"))


def test_what_is_no_exported_folder_is_a_line(folder: Path, tmp_path: Path) -> None:
    pattern = ckb.Pattern("a -> u")
    with pytest.raises(SourceError, match="cannot be read as a folder that circuitkb export"):
        Folders([tmp_path]).count(pattern)
    with pytest.raises(SourceError, match="cannot be read as a folder"):
        Folders(["memory://nowhere"]).count(pattern)
    with pytest.raises(SourceError, match="Name at least one folder"):
        Folders([]).count(pattern)
    shutil.copytree(folder, tmp_path / "broken")
    (tmp_path / "broken/relations/WEIGHT.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(SourceError, match="A file of the folders cannot be read"):
        Folders([tmp_path / "broken"]).count(pattern)
