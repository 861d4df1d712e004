"""A package adds a kind of node in one file; it is written, listed and shown (10 s)."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from circuitkb.schema import definition
from circuitkb.schema.node_types import BUILT_IN
from circuitkb.schema.properties import RelationType
from circuitkb.schema.registry import PluginWarning
from tests.other_packages import installed

ROOT = Path(__file__).resolve().parents[2]

PROBE = """
from circuitkb.schema.properties import NodeType, RelationType, given, identity

PROBE = NodeType(
    "Probe",
    "A linear read-out that was trained on a layer.",
    (
        identity("name of the probe"),
        given("accuracy", "float", "share of images that it reads rightly", required=True),
        given("order", "string", "a word of Cypher's own"),
    ),
    relations=(
        RelationType("READS", "What it reads.", (("Probe", "Feature"),)),
        RelationType("ABOUT", "", (("Evidence", "Probe"),)),
    ),
)
"""

MADE = """
import sys, circuitkb as ckb
from tests.stores.contents import network
with ckb.open(sys.argv[1]) as kb:
    kb.store.write(network())
"""

LATER = """
import sys, circuitkb as ckb
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

with ckb.open(sys.argv[1]) as kb:
    assert len(kb.nodes("Probe").run()) == 0
    probes = [{"id": "p1", "accuracy": 0.75, "order": "first"}, {"id": "p2", "accuracy": 0.5}]
    reads = relation_table("READS", rows_of([{"source": "p1", "target": "net/a:0"}]))
    nodes = {"Probe": node_table("Probe", rows_of(probes))}
    kb.store.write(GraphRows(nodes, [Relations("READS", "Probe", "Feature", reads)]))
    assert kb.nodes("Probe", accuracy=ckb.above(0.6)).run()["order"] == ["first"]
    assert kb.nodes("Probe").where("order", "=", "first").run()["id"] == ["p1"]
    card = kb.show("p1")
    assert card.facts == {"accuracy": 0.75, "order": "first"}
    (reads,) = card.sections
    assert (reads.title, reads.result["node"]) == ("(Probe)-[:READS]->(Feature)", ["net/a:0"])
    kb.export("parquet", sys.argv[2])
with ckb.open(sys.argv[1] + "-again.ckb") as kb:
    kb.load(sys.argv[2])
    assert kb.nodes("Probe").run()["id"] == ["p1", "p2"]
"""

WITHOUT = """
import sys, circuitkb as ckb
with ckb.open(sys.argv[1]) as kb:
    assert kb.check().whole
    assert kb.nodes("Layer").run()["id"] == ["net/a"]
    assert kb.query("MATCH (p:Probe)-[:READS]->(f) RETURN f.id AS id").rows == (("net/a:0",),)
    # What ends of relations were added is not known here, so no query is given labels.
    text = "MATCH (n)-[:IN_LAYER]->(y) RETURN n.id"
    assert kb.query(text).cypher == text
"""


def test_a_package_adds_a_kind_of_node_in_one_file(tmp_path: Path) -> None:
    def python(code: str, *path: Path) -> None:
        places = os.pathsep.join(map(str, (*path, ROOT)))
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "old.ckb"), str(tmp_path / "files")],
            env=os.environ | {"PYTHONPATH": places},
            check=True,
        )

    python(MADE)  # a knowledge base that knows nothing of it
    with installed(tmp_path, definition.ADDED, "probes", PROBE, Probe="probes:PROBE"):
        python(LATER, tmp_path)
    python(WITHOUT)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            PROBE.replace('"Probe",', '"Feature",', 1),
            "The node type 'Feature' .* the first",
        ),
        (
            "PROBE = 3",
            "of the package 'probes' cannot be used: probes:PROBE is no NodeT",
        ),
        (PROBE.replace('"order"', '"in order"'), "SchemaError: 'in order' is no name"),
    ],
)
def test_a_broken_kind_of_node_is_named_and_ours_stay(
    code: str, message: str, tmp_path: Path
) -> None:
    with (
        installed(tmp_path, definition.ADDED, "probes", code, Probe="probes:PROBE"),
        pytest.warns(PluginWarning, match=message),
    ):
        assert tuple(definition._nodes()) == BUILT_IN


def test_a_relation_between_unknown_labels_is_named_and_left_out() -> None:
    wrong = RelationType("READS", "", (("Label", "Feeture"), ("Label", "Feature")))
    nodes = (*BUILT_IN[1:], replace(BUILT_IN[0], relations=(wrong,)))
    with pytest.warns(PluginWarning, match="READS of the node type 'Model' joins labels"):
        (found,) = (item for item in definition._relations(nodes) if item.name == "READS")
    assert found.endpoints == (("Label", "Feature"),)
