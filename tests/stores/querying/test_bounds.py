"""What comes with a query is looked at before anything is done with it, on both engines alike."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import circuitkb as ckb
from circuitkb.schema.errors import CircuitKBError, CypherError, QueryError, QueryTimeoutError
from circuitkb.stores.base import Capability, Store
from circuitkb.stores.embedded import queried
from circuitkb.stores.querying.bounds import (
    DEEPEST,
    MOST_BYTES,
    MOST_CHARACTERS,
    MOST_ITEMS,
    check_parameters,
)
from circuitkb.stores.querying.cypher_text import columns_of, names_a_path, tokens_of
from tests.stores.contents import network
from tests.stores.factories import FACTORIES, Factory

KINDS = [factory for factory in FACTORIES if factory.name != "neo4j-staged"]
WIDE = 2**32


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    kind: Factory = request.param
    with kind.held(tmp_path_factory.mktemp("bounds")) as held:
        held.write(network())
        yield held


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def cycle() -> Any:
    value: list[Any] = []
    value.append({"again": value})
    return value


class Endless:
    """An array that says that it is small and gives another one for its list."""

    def tolist(self) -> Any:
        return self


REFUSED: list[tuple[Any, Any, str]] = [
    (None, {}, "A query is text, not None"),
    (b"RETURN 1", {}, "A query is text, not a bytes"),
    (7, {}, "A query is text"),
    (["RETURN 1"], {}, "A query is text"),
    ("RETURN 1 //" + "x" * MOST_CHARACTERS, {}, "1,000,000 are the most"),
    ("RETURN '\ud800'", {}, "surrogate"),
    ("RETURN $x", [1], "are a mapping"),
    ("RETURN $x", "x", "are a mapping"),
    ("RETURN $x", {1: 2}, "cannot name a parameter"),
    ("RETURN $x", {"x": cycle()}, "contains itself"),
    ("RETURN $x", {"x": nested(10_000)}, f"more than {DEEPEST}"),
    ("RETURN $x", {"x": nested(DEEPEST + 1)}, f"more than {DEEPEST}"),
    ("RETURN $x", {"x": "y" * (MOST_BYTES + 1)}, "10,000,000 bytes"),
    ("RETURN $x", {"x": ["é" * 3_000_000, "é" * 3_000_000]}, "10,000,000 bytes"),
    ("RETURN $x", {"x": range(3), "y": 1}, "a range cannot be a parameter"),
    ("RETURN $x", {"x": [None] * (MOST_ITEMS + 1)}, "1,000,000 values"),
    ("RETURN $x", {"x": np.zeros(MOST_ITEMS + 1)}, "1,000,000 values"),
    ("RETURN $x", {"x": [[0] * 600_000, [0] * 600_000]}, "1,000,000 values"),
    ("RETURN $x", {"x": 2**63}, "64 bits"),
    ("RETURN $x", {"x": 10**5000}, "64 bits"),
    ("RETURN $x", {"x": b"bytes"}, "a bytes cannot"),
    ("RETURN $x", {"x": np.array([1j])}, "a complex cannot"),
    ("RETURN $x", {"x": np.datetime64("2020-01-01")}, "a date cannot"),
    ("RETURN $x", {"x": Endless()}, "a Endless cannot"),
    ("RETURN $x", {"x": {1: "a", "1": "b"}}, "two values for '1'"),
    ("RETURN $x", {"x": {None: 1}}, "key of a map"),
    ("RETURN $x", {"x": {"\x01": ["n", "5"]}}, "control character"),
]


@pytest.mark.parametrize(
    ("query", "parameters", "says"), REFUSED, ids=[says[:30] for *_, says in REFUSED]
)
def test_what_is_no_query_is_refused_in_a_line(
    store: Store, query: Any, parameters: Any, says: str
) -> None:
    started = time.process_time()
    for ask in (store.read, ckb.KnowledgeBase(store).query):
        with pytest.raises(CypherError, match=says) as caught:
            ask(query, parameters)
        assert len(str(caught.value)) < 300
    with pytest.raises(CypherError, match=says):
        next(store.stream(query, parameters))
    assert time.process_time() - started < 3.0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"limit": -1}, "limit is -1"),
        ({"limit": True}, "limit is True"),
        ({"limit": 1.5}, "limit is 1.5"),
        ({"limit": "5"}, "limit is '5'"),
        ({"limit": 2**70}, "limit is"),
        ({"timeout": math.nan}, "0 to 86400 s, not nan s"),
        ({"timeout": -1}, "not -1 s"),
        ({"timeout": 0}, "not 0 s"),
        ({"timeout": math.inf}, "not inf s"),
        ({"timeout": True}, "timeout is True"),
        ({"timeout": "30"}, "timeout is '30'"),
        ({"timeout": None}, "timeout is None"),
    ],
)
def test_a_limit_that_is_none_is_refused_in_a_line(
    store: Store, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(QueryError, match=says):
        store.read("RETURN 1 AS a", **options)
    with pytest.raises(QueryError, match=says):
        ckb.KnowledgeBase(store).query("RETURN 1 AS a", **options)


def test_a_limit_of_none_or_of_nothing_is_one(store: Store) -> None:
    asked = "UNWIND range(1, 5) AS x RETURN x"
    assert (store.read(asked, limit=0).rows, store.read(asked, limit=0).truncated) == ([], True)
    assert len(store.read(asked, limit=np.int64(3)).rows) == 3  # type: ignore[arg-type]
    assert len(store.read(asked, None, limit=None, timeout=np.float32(9)).rows) == 5  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.inf, math.inf),
        (-math.inf, -math.inf),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (np.float32(0.5), 0.5),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (frozenset({"a"}), ["a"]),
        (nested(DEEPEST), nested(DEEPEST)),
        ({"a": {"b": [1, None]}}, {"a": {"b": [1, None]}}),
        ({"@rid": 1, "@type": "x", "@in": None}, {"@rid": 1, "@type": "x", "@in": None}),
        ({"@rid": "#1:0", "@cat": "v"}, {"@rid": "#1:0", "@cat": "v"}),
        ({5: "five"}, {"5": "five"}),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_value_comes_back_as_it_was_bound(store: Store, value: Any, expected: Any) -> None:
    assert store.read("RETURN $v AS v, [$v] AS l", {"v": value}).rows == [(expected, [expected])]


def test_no_number_comes_back_as_one(store: Store) -> None:
    ((found,),) = store.read("RETURN $v AS v", {"v": math.nan}).rows
    assert math.isnan(found)


def test_keys_with_an_at_sign_are_kept_in_maps(store: Store) -> None:
    asked = "MATCH (n:Feature {unit: 1}) RETURN {`@rid`: 1, `@type`: 'x', a: n} AS m"
    ((found,),) = store.read(asked).rows
    assert found == {"@rid": 1, "@type": "x", "a": found["a"]}
    assert found["a"]["id"] == "net/a:1"
    assert not [key for key in found["a"] if key.startswith("@")]


NARROWED: list[tuple[str, dict[str, Any], Any]] = [
    (f"UNWIND range(1, 5) AS x RETURN x SKIP {WIDE}", {}, []),
    (f"UNWIND range(1, 5) AS x RETURN count(x) LIMIT {WIDE}", {}, [5]),
    ("UNWIND range(1, 5) AS x RETURN x SKIP $k", {"k": WIDE}, []),
    ("UNWIND range(1, 5) AS x RETURN count(x) LIMIT $k", {"k": WIDE}, [5]),
    (f"RETURN range(1, 10)[{WIDE}] AS v", {}, [None]),
    (f"RETURN range(1, 10)[({WIDE})] AS v", {}, [None]),
    ("RETURN range(1, 10)[0x100000000] AS v", {}, [None]),
    ("RETURN range(1, 10)[$k] AS v", {"k": WIDE}, [None]),
    ("RETURN range(1, 10)[$m.k] AS v", {"m": {"k": WIDE}}, [None]),
    (f"RETURN range(1, 3)[{WIDE}..] AS v", {}, [[]]),
    (f"RETURN range(1, 3)[..{WIDE}] AS v", {}, [[1, 2, 3]]),
    (f"RETURN range(1, 3)[0..{WIDE}] AS v", {}, [[1, 2, 3]]),
    (f"WITH [1, 2] AS xs RETURN xs[-{WIDE}] AS v", {}, [None]),
    (f"RETURN left('abc', {WIDE + 1}) AS v", {}, ["abc"]),
    (f"RETURN right('abc', {WIDE + 1}) AS v", {}, ["abc"]),
    (f"RETURN substring('abc', 0, {WIDE + 1}) AS v", {}, ["abc"]),
    ("RETURN left('abc', $k) AS v", {"k": WIDE + 1}, ["abc"]),
]
"""Integers that the embedded engine would narrow, and what Cypher gives for them."""

KEPT: list[tuple[str, dict[str, Any], Any]] = [
    (f"RETURN range({WIDE}, {WIDE + 1}) AS v", {}, [[WIDE, WIDE + 1]]),
    (f"RETURN {WIDE} IN [{WIDE}, 1] AS v", {}, [True]),
    (f"RETURN [{WIDE}, {WIDE + 1}][1] AS v", {}, [WIDE + 1]),
    (f"RETURN {{a: {WIDE}}}['a'] AS v", {}, [WIDE]),
    (f"RETURN left(toString({WIDE}), 3) AS v", {}, ["429"]),
    (f"RETURN round({WIDE}.25, 1) > {WIDE} AS v", {}, [True]),
    (f"MATCH (n:Feature) WHERE n.unit < {WIDE} RETURN count(n) LIMIT 1", {}, [6]),
    ("MATCH (n:Feature) WHERE n.unit < $k RETURN count(n) SKIP 0", {"k": WIDE}, [6]),
    (f"MATCH ()-[w:WEIGHT {{rank: {WIDE + 1}}}]->() RETURN count(w)", {}, [0]),
    (f"WITH {WIDE} AS skip RETURN skip AS v", {}, [WIDE]),
    (f"WITH {{limit: {WIDE}}} AS m RETURN m.limit + {WIDE} AS v", {}, [2 * WIDE]),
    ("UNWIND range(1, 9) AS x RETURN count(x) LIMIT 2147483647", {}, [9]),
    (f"RETURN COLLECT {{ UNWIND [{WIDE}] AS x RETURN x LIMIT 1 }}[0] AS v", {}, [WIDE]),
]
"""Integers of 64 bits where nothing is counted: every engine takes them."""


@pytest.mark.parametrize(("query", "parameters", "expected"), NARROWED)
def test_a_position_beyond_32_bits_is_counted_or_refused(
    store: Store, query: str, parameters: dict[str, Any], expected: list[Any]
) -> None:
    if Capability.LONG_POSITIONS not in store.capabilities:
        with pytest.raises(CypherError, match=r"too large here: .* to 2147483647"):
            store.read(query, parameters)
        return
    try:
        found = [row[0] for row in store.read(query, parameters).rows]
    except CypherError:  # a server that has 32 bits there too says so
        return
    assert found == expected


@pytest.mark.parametrize(("query", "parameters", "expected"), KEPT)
def test_an_integer_of_64_bits_is_one_elsewhere(
    store: Store, query: str, parameters: dict[str, Any], expected: list[Any]
) -> None:
    assert [row[0] for row in store.read(query, parameters).rows] == expected


def test_a_position_that_is_computed_is_narrowed_where_that_is_declared(store: Store) -> None:
    asked = f"WITH {WIDE} AS k RETURN range(1, 10)[k] AS v"
    long = Capability.LONG_POSITIONS in store.capabilities
    try:
        found = store.read(asked).rows
    except CypherError:
        assert long
    else:
        assert found == [(None if long else 1,)]


def test_the_clock_runs_from_the_first_character(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queried, "tokens_of", lambda text: time.sleep(0.1) or tokens_of(text))  # type: ignore[func-returns-value]
    queried.UserQuery("RETURN 1", {}, 5.0)
    with pytest.raises(QueryTimeoutError, match=r"0\.05 s"):
        queried.UserQuery("RETURN 1", {}, 0.05)


@pytest.mark.parametrize("unit", ["1,", "(", "'a' ", "a.b", "\\'", "`", "$a.", "[", "/*", "{a:"])
def test_a_long_text_is_looked_at_in_no_time(unit: str) -> None:
    text = f"RETURN {unit * (50_000 // len(unit))}"
    gc.disable()  # what else this process holds is no part of it
    started = time.process_time()
    tokens = tokens_of(text)
    names_a_path(tokens)
    for look in (queried.refuse, columns_of):
        with suppress(CircuitKBError):
            look(text, tokens)
    queried.refuse_narrowed(text, tokens, {})
    took = time.process_time() - started
    gc.enable()
    assert took < 2.0, "a reader that is quadratic takes minutes"


def test_parameters_at_the_bounds_are_taken() -> None:
    assert len(check_parameters({"x": [0] * (MOST_ITEMS - 1)})["x"]) == MOST_ITEMS - 1
    assert check_parameters({"x": "y" * (MOST_BYTES - 8)})
    shared = ["a"]
    assert check_parameters({"x": [shared, shared]}) == {"x": [["a"], ["a"]]}
