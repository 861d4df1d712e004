"""Graph files: written whole, and read by programs that are not networkx."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import igraph
import pytest

import circuitkb as ckb
from tests.stores.made_once import published_copy

HEAD = "inceptionv1/mixed4b:418"
TEXT = 'a "quoted" <label> & more; ünïcode'


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("graph") / "zoo.ckb"
    with ckb.open(published_copy(tmp_path_factory, place, searched=True)) as base:
        base.annotate.add(HEAD, TEXT, author="ada")
        yield base


def expected(kb: ckb.KnowledgeBase) -> tuple[set[str], int, int]:
    """Ids of all nodes, and how many weights and members there are."""
    features = {row["feature"] for row in kb.features(limit=None)}
    circuits = kb.circuits(limit=None).run()
    members = sum(len(listed) for listed in circuits["members"])
    return features | set(circuits["circuit"]), len(kb.edges(limit=None).run()), members


@pytest.mark.parametrize("again", [False, True])
def test_igraph_reads_graphml_with_all_nodes_weights_and_labels(
    again: bool, kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    file = tmp_path / "zoo.graphml"
    report = kb.export("graphml", file)
    if again:
        before = file.read_bytes()
        kb.export("graphml", file, force=True)
        assert file.read_bytes() == before
    graph = igraph.Graph.Read_GraphML(str(file))
    nodes, weights, members = expected(kb)
    assert set(graph.vs["id"]) == nodes
    relations = graph.es["relation"]
    assert relations.count("WEIGHT") == report.counts["WEIGHT"] == weights
    assert relations.count("MEMBER_OF") == members
    head = graph.vs.find(id=HEAD)
    assert TEXT in head["labels"]
    into = {e.source_vertex["id"]: e for e in head.in_edges() if e["relation"] == "WEIGHT"}
    rows = kb.features(id=HEAD).inputs().run()
    assert into.keys() == set(rows["source"])
    for row in rows:
        edge = into[row["source"]]
        assert edge["weight"] == pytest.approx(row["sum"], rel=1e-6)
        assert (edge["positive"], edge["negative"]) == pytest.approx(
            (row["positive"], row["negative"]), rel=1e-6
        )


READER = """
const graph = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
const known = new Map(graph.nodes.map(node => [node.id, node]));
const loose = graph.edges.filter(e => !known.has(e.source) || !known.has(e.target)).length;
const head = known.get(process.argv[2]);
console.log(JSON.stringify({
  nodes: graph.nodes.length, edges: graph.edges.length, loose, labels: head.labels,
  directed: graph.directed, multigraph: graph.multigraph,
}));
"""


def test_a_javascript_program_reads_node_link_json(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    file = tmp_path / "zoo.json"
    report = kb.export("json", file)
    node = shutil.which("node")
    assert node, "this test needs node: apt-get install nodejs"
    done = subprocess.run(
        [node, "-e", READER, str(file), HEAD], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["nodes"] == report.counts["Feature"] + report.counts["Circuit"]
    assert found["edges"] == sum(report.counts.values()) - found["nodes"]
    assert (found["loose"], found["directed"], found["multigraph"]) == (0, True, True)
    assert TEXT in found["labels"]


def test_a_reader_made_from_the_schema_of_gexf_reads_all_nodes_weights_and_labels(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    from gexfpy import parse

    file = tmp_path / "zoo.gexf"
    report = kb.export("gexf", file)
    graph = parse(str(file)).graph
    (nodes,), (edges,) = graph.nodes, graph.edges
    ids, weights, members = expected(kb)
    assert {node.id for node in nodes.node} == ids
    assert len(edges.edge) == sum(report.counts.values()) - len(ids)
    assert report.counts["WEIGHT"] == weights
    assert report.counts["MEMBER_OF"] == members
    names = {
        attribute.id: attribute.title
        for listed in graph.attributes
        if str(listed.class_value.value) == "node"
        for attribute in listed.attribute
    }
    head = next(node for node in nodes.node if node.id == HEAD)
    said = {names[v.for_value]: v.value for listed in head.attvalues for v in listed.attvalue}
    assert TEXT in said["labels"]
    assert said["layer"] == "mixed4b"


def test_a_bound_on_the_rank_keeps_the_strongest(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    report = kb.export("json", tmp_path / "a.json", max_rank=1)
    assert report.counts["WEIGHT"] == len(kb.edges(max_rank=1, limit=None).run())


def test_what_is_there_gives_way_only_when_told(kb: ckb.KnowledgeBase, tmp_path: Path) -> None:
    file = tmp_path / "mine.graphml"
    file.write_text("mine")
    with pytest.raises(ckb.errors.StoreError, match="is there already"):
        kb.export("graphml", file)
    assert file.read_text() == "mine"
    with pytest.raises(ckb.errors.NotFoundError, match="No model 'inception'"):
        kb.export("graphml", tmp_path / "b.graphml", models=["inception"])
    with pytest.raises(ckb.errors.QueryError, match="max_rank is 0"):
        kb.export("graphml", tmp_path / "b.graphml", max_rank=0)
    with pytest.raises(ckb.errors.QueryError, match="bound on the rank"):
        kb.export("parquet", tmp_path / "b", max_rank=3)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.graphml"]
