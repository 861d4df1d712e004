"""Read-only means read-only: every hostile query that we know, on every kind of store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from circuitkb.schema.errors import QueryError
from circuitkb.stores.base import Store
from circuitkb.stores.embedded import EmbeddedStore
from tests.stores.contents import fingerprint, network, values
from tests.stores.factories import FACTORIES, Factory
from tests.stores.hostile_queries import EVERY, FILES, NOT_SENT
from tests.stores.querying.test_refusals import SECRET, hits

__all__ = ["hits"]

KINDS = [factory for factory in FACTORIES if factory.name != "neo4j-staged"]
LONGEST = 8.0
"""Seconds that the refusal of a query may take that is given two."""

HARMLESS = [
    query for query in NOT_SENT if "'\\u" in query or "// \\u" in query or "/* \\u" in query
]
HARMLESS += ["RETURN '\\\\u0041'", "RETURN 1;;"]
"""Escapes within text and comments: Neo4j decodes them first, so there they are refused; to the
embedded engine they are text and comments."""

pytestmark = pytest.mark.long_on_a_server


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    kind: Factory = request.param
    with kind.held(tmp_path_factory.mktemp("hostile")) as held:
        held.write(network())
        yield held


def test_there_are_many_of_them_and_few_are_harmless_anywhere() -> None:
    assert len(EVERY) > 200
    assert len(HARMLESS) == 7


def test_every_hostile_query_is_refused_or_stopped_and_nothing_happens(
    store: Store, tmp_path: Path, hits: list[str]
) -> None:
    canary = tmp_path / "canary.csv"
    canary.write_text(SECRET)
    before, files = fingerprint(store), sorted(tmp_path.iterdir())
    through: list[tuple[str, Any]] = []
    for query in EVERY:
        text = query
        if query in FILES:
            text = query.format(file=canary.as_posix(), web=hits[0])
        parameters = {"url": canary.as_uri()} if "$url" in text else {"key": "bias"}
        started = time.monotonic()
        try:
            rows = store.read(text, parameters, timeout=2).rows
        except QueryError as error:
            if SECRET in str(error):
                through.append((query, "told the secret"))
        else:
            if query not in HARMLESS or not isinstance(store, EmbeddedStore):
                through.append((query, rows[:2]))
        if time.monotonic() - started > LONGEST:
            through.append((query, "took too long"))
    assert not through, "\n".join(f"{query!r} -> {what!r:.200}" for query, what in through)
    assert fingerprint(store) == before
    assert sorted(tmp_path.iterdir()) == files
    assert len(hits) == 1, "the web server was asked"
    assert values(store, "MATCH (n:Feature) RETURN count(n)") == [6]
