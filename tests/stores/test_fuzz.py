"""The fuzz itself: it notices what is wrong, makes it small, and tells how to see it again."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from circuitkb.errors import CypherError
from circuitkb.stores.base import Answer, Store
from tests.stores.fuzz.campaign import Tally, factory_of, play
from tests.stores.fuzz.clauses import Column, Projection, Query
from tests.stores.fuzz.differential import Opener, Round, make_round, same, smaller
from tests.stores.fuzz.logic import variable
from tests.stores.fuzz.motifs import MOTIFS
from tests.stores.fuzz.questions import SHAPES
from tests.stores.fuzz.worlds import World, from_json

COMMAND = Path(__file__).resolve().parents[2] / "scripts" / "fuzz"
SEED = 5

Forget = Callable[[World], World]


@cache
def rounds() -> tuple[Round, ...]:
    return tuple(make_round(SEED, graph) for graph in range(3))


class Forgetful:
    """A store that answers rightly, but about another graph than the one it was given."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.queries = {q.query.text: q.query for given in rounds() for q, _ in given.asked}

    def read(self, cypher: str, parameters: Mapping[str, Any], *, limit: int | None) -> Answer:
        query = self.queries[cypher]
        return Answer((), query.answer(self.world), truncated=False, seconds=0.0)


def forgetting(forget: Forget) -> Opener:
    @contextmanager
    def open_it(world: World) -> Iterator[Store]:
        yield cast(Store, Forgetful(forget(world)))

    return open_it


def side_by_side(world: World) -> World:
    """A graph of an engine that keeps one edge of those between two nodes."""
    kept = {(e.kind, e.source, e.target): e for e in world.edges}
    return world.without(set(world.edges) - set(kept.values()))


def played(given: Round, opener: Opener) -> Tally:
    tally = Tally("forgetful")
    play(given, opener, tally)
    return tally


def test_an_engine_that_does_all_rightly_differs_in_nothing() -> None:
    for given in rounds():
        tally = played(given, forgetting(lambda world: world))
        assert tally.differences == []
        assert tally.asked == len(given.asked) > 30


def test_an_engine_that_loses_edges_side_by_side_is_found_out_and_the_graph_made_small() -> None:
    opener = forgetting(side_by_side)
    found = [item for given in rounds() for item in played(given, opener).differences]
    assert len(found) > 10
    for difference in found[:10]:
        least = smaller(difference, opener)
        assert len(least.world.edges) < 12 < len(difference.world.edges)
        assert len(side_by_side(least.world).edges) < len(least.world.edges)
        # Without any one of its parts, the graph shows it no longer.
        for part in (*least.world.nodes, *least.world.edges):
            rest = least.world.without([part])
            query = least.question.query
            assert same(query, query.answer(side_by_side(rest)), query.answer(rest))


def test_a_report_holds_the_query_and_a_graph_that_can_be_written_again() -> None:
    opener = forgetting(side_by_side)
    difference = next(d for given in rounds() for d in played(given, opener).differences)
    text = difference.report()
    blocks = dict(re.findall(r"```(cypher)\n(.*?)\n```", text, re.DOTALL))
    assert blocks["cypher"] == difference.question.query.text
    assert f"`{json.dumps(difference.question.query.parameters)}`" in text
    graph = from_json(re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)[-1])
    assert graph.records == difference.world.records
    assert same(
        difference.question.query,
        difference.question.query.answer(graph),
        difference.expected,
    )


def query(*, ordered: bool = False, in_any_order: bool = False) -> Query:
    column = Column("x", variable("x"), in_any_order)
    return Query([Projection("RETURN", [column], order=[("x", False)] if ordered else ())])


def test_rows_are_compared_as_often_as_they_come_and_in_order_where_there_is_one() -> None:
    assert same(query(), [(1,), (2,), (1,)], [(2,), (1,), (1,)])
    assert not same(query(), [(1,), (2,), (1,)], [(1,), (2,), (2,)])
    assert not same(query(), [(1,)], [(1,), (1,)])
    assert not same(query(ordered=True), [(1,), (2,)], [(2,), (1,)])
    assert same(query(in_any_order=True), [([1, 2],)], [([2, 1],)])
    assert not same(query(), [([1, 2],)], [([2, 1],)])
    assert not same(query(), CypherError("no"), [])


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, True), (None, 0), ("1", 1), ({"a": 1}, {"a": 1.0})]
)
def test_values_of_different_types_differ(one: Any, other: Any) -> None:
    assert not same(query(), [(one,)], [(other,)])


@pytest.fixture
def command() -> ModuleType:
    """The script as a module."""
    loader = importlib.machinery.SourceFileLoader("fuzz_command", str(COMMAND))
    spec = importlib.util.spec_from_loader("fuzz_command", loader)
    assert spec is not None
    found = importlib.util.module_from_spec(spec)
    loader.exec_module(found)
    return found


@pytest.mark.parametrize(("forget", "code"), [(side_by_side, 1), (lambda world: world, 0)])
def test_the_command_ends_with_one_if_anything_differs_and_writes_it_down(
    command: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    forget: Forget,
    code: int,
) -> None:
    report = tmp_path / "differences.md"
    monkeypatch.setattr(command, "factory_of", lambda name: SimpleNamespace(name=name))
    monkeypatch.setattr(command, "opener", lambda factory, folder: forgetting(forget))
    arguments = ["fuzz", "--seed", "5", "--queries", "70", "--store", "forgetful"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--report", str(report)])
    assert command.main() == code
    assert report.exists() == bool(code)
    if code:
        assert report.read_text("utf-8").startswith("### forgetful: ")
    printed = capsys.readouterr().out
    asked = re.search(r"forgetful │\s+2 │\s+(\d+) │", printed)
    assert asked, printed
    assert 70 <= int(asked[1]) <= 80
    assert all(shape in printed for shape in SHAPES)
    assert all(motif in printed for motif in MOTIFS)


def test_the_command_asks_a_real_store(tmp_path: Path) -> None:
    arguments = ["--seed", "5", "--graph", "1", "--store", "embedded"]
    done = subprocess.run(
        [sys.executable, COMMAND, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "embedded" in done.stdout
    assert not any(tmp_path.iterdir())


def test_a_store_that_is_unknown_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'kuzu' is no store\. Known: embedded, neo4j"):
        factory_of("kuzu")
    done = subprocess.run(
        [sys.executable, COMMAND, "--store", "kuzu"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "'kuzu' is no store" in done.stderr
