"""A load shared by jobs of a batch system: parts, merged all or nothing."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import circuitkb as ckb
from circuitkb.errors import ModelConflictError, SourceError, StoreVersionError
from circuitkb.schema.kernels import Connection
from circuitkb.schema.progress import Progress, silent
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table
from circuitkb.workers.tasks import Task
from tests.workers.exported import contents

SOURCES = ["a", "b", "c", "d", "e"]


@dataclass
class MadeUp:
    """A source with one layer; its weights are its name, or what stands behind a dash."""

    name: str
    fingerprint: str
    computation: str = "torch1:a"
    notes: tuple[str, ...] = ()

    def rows(self, keep: int = 64, progress: Progress = silent) -> GraphRows:
        place = f"{self.name}/a"
        model = {"id": self.name, "fingerprint": self.fingerprint, "source": "x", "keep": keep}
        model |= {"computation": self.computation}
        layer = {"id": place, "model": self.name, "name": "a", "position": 0, "channels": 1}
        units = np.zeros((1, 1), np.int32)
        kernel = np.full((1, 1, 1, 1, 1), ord(self.name), np.float32)
        nodes = {"Model": model, "Layer": layer}
        ends = {"source": [place], "target": [self.name]}
        return GraphRows(
            {
                label: node_table(label, {k: [v] for k, v in row.items()})
                for label, row in nodes.items()
            },
            [Relations("IN_MODEL", "Layer", "Model", relation_table("IN_MODEL", ends))],
            kernels={self.name: [Connection("c0", "a", "a", "direct", units, units, kernel)]},
        )


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sources are letters; gives those that were opened."""
    found: list[str] = []

    def open_source(
        text: str, *, name: str | None = None, architecture: str | None = None
    ) -> MadeUp:
        found.append(text)
        name, _, weights = text.partition("-")
        return MadeUp(name, (weights or name) * 64)

    monkeypatch.setattr("circuitkb.loaders.open_source", open_source)
    return found


Job = Callable[..., str]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Write one part, as a job does; return its folder."""

    def job(shard: str, sources: list[str] = SOURCES, *, keep: int = 64, to: str = "") -> str:
        part = tmp_path / (to or f"part {shard.replace('/', ' of ')}")
        with ckb.open(tmp_path / "nowhere.ckb") as kb:
            kb.load(sources, shard=shard, part=part, keep=keep, workers=1)
        assert not (tmp_path / "nowhere.ckb").exists()
        return str(part)

    return job


@pytest.fixture
def kb(tmp_path: Path) -> ckb.KnowledgeBase:
    return ckb.open(tmp_path / "merged.ckb")


def models(kb: ckb.KnowledgeBase) -> list[str]:
    return sorted(kb.query("MATCH (m:Model) RETURN m.id AS id")["id"])


def test_merged_parts_are_what_one_process_loads(
    job: Job, kb: ckb.KnowledgeBase, tmp_path: Path, opened: list[str]
) -> None:
    parts = [job(f"{number}/3") for number in (3, 1, 2)]
    assert opened == ["c", "a", "d", "b", "e"]
    (report,) = kb.load(parts)
    assert (report.created, report.models) == (True, dict.fromkeys(SOURCES, True))
    assert report.counts == {"Model": 5, "Layer": 5, "IN_MODEL": 5}
    with ckb.open(tmp_path / "one.ckb") as one:
        one.load(SOURCES, workers=1)
        assert contents(kb) == contents(one)
    again = kb.load(tuple(parts))[0]
    assert (again.created, set(again.models.values())) == (False, {False})
    kb.close()


def test_a_job_that_is_repeated_replaces_its_part_and_nothing_else(
    job: Job, tmp_path: Path
) -> None:
    first = job("1/1", ["a"], to="part")
    assert job("1/1", ["b"], to="part") == first
    assert json.loads((tmp_path / "part/circuitkb.json").read_text())["sources"] == ["b"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(ckb.StoreError, match="holds something that is no export"):
        job("1/1", ["a"], to="mine")


def test_more_jobs_than_sources_are_no_harm(job: Job, kb: ckb.KnowledgeBase) -> None:
    kb.load([job(f"{number}/3", ["a", "b"]) for number in (1, 2, 3)])
    assert models(kb) == ["a", "b"]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([("1/3",), ("3/3",)], "1 of 3 shards are missing: 2/3. Give all parts at once."),
        ([("1/2",), ("2/2",), ("2/2", SOURCES, "copy")], "Shard 2/2 stands twice: {1} and {2}."),
        (
            [("1/2",), ("2/3",)],
            "{0} is shard 1/2 and {1} shard 2/3 of the same sources: they overlap. Give all parts "
            "of one of the two.",
        ),
        (
            [("1/2",), ("2/2", ["a", "z"])],
            "{0} and {1} are shards of different loads (other sources or options): load each by "
            "itself.",
        ),
    ],
)
def test_parts_that_do_not_make_a_whole_are_a_line(
    job: Job, kb: ckb.KnowledgeBase, parts: list[tuple[str, ...]], said: str
) -> None:
    folders = [job(*part[:2], to=part[2] if len(part) > 2 else "") for part in parts]
    with pytest.raises(SourceError) as refused:
        kb.load(folders)
    assert str(refused.value) == said.format(*folders)
    assert models(kb) == []


def test_other_options_are_another_load(job: Job, kb: ckb.KnowledgeBase) -> None:
    with pytest.raises(SourceError, match="different loads"):
        kb.load([job("1/2", keep=3), job("2/2", keep=4)])


def test_parts_and_sources_do_not_mix(job: Job, kb: ckb.KnowledgeBase) -> None:
    with pytest.raises(SourceError, match="give all of its parts, and nothing else"):
        kb.load([job("1/1"), "a"])


def test_all_or_nothing(job: Job, kb: ckb.KnowledgeBase) -> None:
    kb.load("e-x")
    before = contents(kb)
    with pytest.raises(ModelConflictError, match="'e' is here already with other weights"):
        kb.load([job("1/2"), job("2/2")])
    assert contents(kb) == before


def test_a_part_that_was_changed_or_is_of_another_version_is_refused(
    job: Job, kb: ckb.KnowledgeBase
) -> None:
    part = Path(job("1/1"))
    strange = part / "2/kernels/other.safetensors"
    strange.write_bytes(b"")
    with pytest.raises(SourceError, match=r"2/kernels/other.safetensors is no file of this part"):
        kb.load(str(part))
    strange.unlink()
    table = part / "2/0.arrow"
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(SourceError, match=re.escape(f"{table} is not what was exported")):
        kb.load(str(part))
    about = json.loads((part / "circuitkb.json").read_text())
    about["files"]["../x"] = about["files"]["2/0.arrow"]
    (part / "circuitkb.json").write_text(json.dumps(about))
    with pytest.raises(SourceError, match=r"names '\.\./x', which has no place"):
        kb.load(str(part))
    (part / "circuitkb.json").write_text(json.dumps(about | {"version": 9}))
    with pytest.raises(StoreVersionError, match="make the part again"):
        kb.load(str(part))
    shutil.rmtree(part / "2")
    assert models(kb) == []


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "1/0", "a/b", "-1/3"])
def test_a_shard_that_is_none_is_a_line(job: Job, shard: str) -> None:
    with pytest.raises(
        SourceError, match=r"^--shard is '.*': write 3/40 for the third of forty\.$"
    ):
        job(shard, to="part")


def test_a_shard_and_its_part_go_together(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    for given in ({"shard": "1/2"}, {"part": str(tmp_path / "part")}):
        with pytest.raises(SourceError, match="--shard 1/2 --part PART"):
            kb.load(["a"], **given)


class Shared(Exception):
    """Raised in the place of work, once it is known what it is about."""


@pytest.mark.parametrize("verb", ["observe", "find", "match"])
def test_jobs_share_what_else_is_done_with_many_models(
    kb: ckb.KnowledgeBase, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    kb.load(SOURCES, workers=1)
    names: list[str] = []

    def done(_: object, tasks: Iterable[Task], *others: object, **more: object) -> None:
        names.extend(task.name for task in tasks)
        raise Shared

    monkeypatch.setattr("circuitkb.kb.writing.Writing._done", done)
    monkeypatch.setattr("circuitkb.kb.match._known", lambda _, model: SimpleNamespace(model=model))
    jobs = {
        "observe": lambda shard: kb.observe(SOURCES, shard=shard),
        "find": lambda shard: kb.find("union", by="kernels", shard=shard),
        "match": lambda shard: kb.match(*SOURCES, shard=shard),
    }
    found = []
    for shard in ("1/2", "2/2"):
        with pytest.raises(Shared):
            jobs[verb](shard)
        found.append(list(names))
        names.clear()
    wanted = SOURCES
    if verb == "match":
        wanted = [f"{one} and {other}" for one, other in combinations(SOURCES, 2)]
    assert found == [wanted[::2], wanted[1::2]]
    with pytest.raises(SourceError, match=r"^--shard is '3/2': write 3/40"):
        jobs[verb]("3/2")


def test_a_job_without_a_model_does_nothing(kb: ckb.KnowledgeBase) -> None:
    kb.load(SOURCES[:1], workers=1)
    assert kb.observe(SOURCES[:1], shard="2/2") == []
    assert kb.find("union", shard="2/2").models == ()
