"""Stores that were written before evidence pointed to its search answer as before (25 s)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import circuitkb as ckb
from circuitkb.schema.tables import GraphRows
from tests.report.report_reading import section
from tests.stores.made_once import published_copy

UP_DOWN = {"of": "mirror up-down"}


def as_it_was(rows: GraphRows) -> GraphRows:
    """Leave out what circuits, evidence and searches did not say."""
    nodes = dict(rows.nodes)
    for label in nodes.keys() & {"Circuit", "Evidence"}:
        table = nodes[label]
        place = table.schema.get_field_index("of")
        nothing = pa.nulls(table.num_rows, table.schema.field(place).type)
        nodes[label] = table.set_column(place, table.schema.field(place), nothing)
    if "Import" in nodes:
        table = nodes["Import"]
        said = [json.loads(text) for text in table["summary"].to_pylist()]
        texts = [json.dumps({k: v for k, v in one.items() if k != "search"}) for one in said]
        place = table.schema.get_field_index("summary")
        nodes["Import"] = table.set_column(place, table.schema.field(place), pa.array(texts))
    relations = [item for item in rows.relations if item.name != "FROM"]
    return GraphRows(nodes, relations, rows.kernels, rows.responses)


@pytest.fixture(scope="module")
def stores(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[ckb.KnowledgeBase, ckb.KnowledgeBase]]:
    """Published circuits, searched for two mirrors: of today, and as they were written before."""
    folder: Path = tmp_path_factory.mktemp("stores")
    published_copy(tmp_path_factory, folder / "new.ckb")
    with ckb.open(folder / "new.ckb") as new, ckb.open(folder / "old.ckb") as old:
        new.find(ckb.Union(of=ckb.mirror("up-down"), fdr=0.99))
        new.find("union")
        for piece in new.store.export():
            old.store.write(as_it_was(piece))
        yield new, old


@pytest.mark.parametrize("parameters", [{}, UP_DOWN])
def test_the_question_of_a_motif_has_the_same_answer(
    stores: tuple[ckb.KnowledgeBase, ckb.KnowledgeBase], parameters: dict[str, str]
) -> None:
    answers = [kb.ask("union", parameters=parameters).result for kb in stores]
    assert answers[0].rows == answers[1].rows
    assert answers[0].notes == answers[1].notes
    assert "found" in answers[0]["origin"]


def test_a_report_is_the_same(stores: tuple[ckb.KnowledgeBase, ckb.KnowledgeBase]) -> None:
    new, old = stores
    assert new.report() == old.report()


def test_a_search_tells_circuits_of_an_older_version_what_all_they_are_of(
    stores: tuple[ckb.KnowledgeBase, ckb.KnowledgeBase],
) -> None:
    new, old = stores
    before = [kb.ask("union", parameters=UP_DOWN).result.rows for kb in stores]
    kinds = "MATCH (n) RETURN labels(n)[0] AS label, count(n) AS count ORDER BY label"
    counts = old.query(kinds).rows
    old.find("union")
    assert old.query(kinds).rows == counts
    of = (
        "MATCH (c:Circuit {origin: 'found'}) WHERE c.of IS NOT NULL RETURN c.id, c.of ORDER BY c.id"
    )
    told = dict(old.query(of).rows)
    assert told
    assert told == {id: of for id, of in new.query(of).rows if id in told}
    assert [kb.ask("union", parameters=UP_DOWN).result.rows for kb in stores] == before
    one, other = (section(kb.report(), "## 3. Unions of mirrored cases") for kb in stores)
    assert one == other
