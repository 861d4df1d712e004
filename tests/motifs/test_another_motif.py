"""A package adds a motif in one file: found, asked for, reported, matched and explained (15 s)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import circuitkb as ckb
from circuitkb.cli.app import app
from circuitkb.errors import ObservationError, QueryError
from circuitkb.motifs.findings import Findings
from circuitkb.motifs.motif import Pairs, Role
from circuitkb.motifs.pairs import KernelPairMotif
from circuitkb.motifs.registry import MOTIFS
from circuitkb.observation.stimuli.battery import battery
from circuitkb.schema.responses import Responses
from circuitkb.schema.tables import (
    GraphRows,
    Relations,
    node_table,
    relation_schema,
    relation_table,
)
from tests.motifs.measured_networks import dense
from tests.other_packages import installed
from tests.report.report_reading import figures, section, tables

OPPOSITION = '''
"""Opposition: a unit that one unit excites, and the mirror image of that one inhibits."""

from circuitkb.motifs.motif import Between, Role
from circuitkb.motifs.pairs import PairMotif
from circuitkb.motifs.transforms import mirror

OPPOSITION = PairMotif(
    name="opposition",
    summary="a unit that one unit excites and its mirror image inhibits",
    title="Oppositions of mirrored units",
    of=mirror("left-right"),
    target="opposed",
    roles=(
        Role(name="for", response=Between(low=1)),
        Role(name="against", sign="inhibits", response=Between(high=0.5)),
    ),
    invariance=Between(high=0.5),
)
'''

OURS = list(MOTIFS.names)
MODELS = ("one", "two")
SOURCES, TARGETS = 80, 60
PLANTED = range(0, TARGETS, 6)
RUNNER = CliRunner()


def features(model: str) -> list[tuple[str, str, int]]:
    units = [("a", unit) for unit in range(SOURCES)] + [("b", unit) for unit in range(TARGETS)]
    return [(f"{model}/{layer}:{unit}", layer, unit) for layer, unit in units]


def observed_model(model: str, seed: int) -> tuple[GraphRows, dict[str, tuple[str, str]]]:
    """A model of two layers whose planted units a unit excites and its image inhibits."""
    shown = battery(channels=1, extent=32)
    image = shown.transformed("mirror left-right")
    same, own = np.random.default_rng(1), np.random.default_rng(seed)
    half = same.normal(size=(SOURCES // 2, len(image))).clip(0) ** 2
    sources = np.stack([half, half[:, image]], axis=1).reshape(SOURCES, -1)
    targets = same.normal(size=(TARGETS, len(image))).clip(0)
    weights = same.normal(size=(TARGETS, SOURCES))
    truth = {}
    for target in PLANTED:
        excites = int(same.integers(0, SOURCES))
        weights[target, [excites, excites ^ 1]] = 30, -30
        targets[target] = (sources[excites] - sources[excites ^ 1]).clip(-0.5)
        truth[f"{model}/b:{target}"] = f"{model}/a:{excites}", f"{model}/a:{excites ^ 1}"
    after = np.concatenate([sources, targets])
    after = (after + 0.05 * own.normal(size=after.shape)).astype(np.float32)
    chance = own.normal(size=after.shape).astype(np.float32)
    stimuli = tuple(item.id for item in shown.stimuli)
    layers = (("a", SOURCES), ("b", TARGETS))
    ids, names, units = zip(*features(model), strict=True)
    nodes = {
        "Model": node_table(
            "Model",
            {"id": [model], "fingerprint": [model * 8], "source": [model], "weights": ["trained"]},
        ),
        "Layer": node_table(
            "Layer",
            {
                "id": [f"{model}/a", f"{model}/b"],
                "model": [model] * 2,
                "name": ["a", "b"],
                "position": [0, 1],
                "kind": ["relu"] * 2,
                "channels": [SOURCES, TARGETS],
            },
        ),
        "Feature": node_table(
            "Feature", {"id": ids, "model": [model] * len(ids), "layer": names, "unit": units}
        ),
    }
    lives_in = {"source": ids, "target": [f"{model}/{layer}" for layer in names]}
    rows = GraphRows(
        nodes,
        [Relations("IN_LAYER", "Feature", "Layer", relation_table("IN_LAYER", lives_in))],
        kernels={model: [dense(weights)]},
        responses={model: Responses(shown.name, stimuli, layers, after, after, chance, chance, {})},
    )
    return rows, truth


@pytest.fixture(scope="module")
def truth() -> dict[str, tuple[str, str]]:
    return {}


@pytest.fixture(scope="module")
def kb(
    tmp_path_factory: pytest.TempPathFactory, truth: dict[str, tuple[str, str]]
) -> Iterator[ckb.KnowledgeBase]:
    """Two observed models, searched and matched with the package installed."""
    folder = tmp_path_factory.mktemp("package")
    with (
        installed(folder, MOTIFS, "mirrors", OPPOSITION, opposition="mirrors:OPPOSITION"),
        ckb.open(tmp_path_factory.mktemp("motif") / "kb.ckb") as kb,
    ):
        for seed, model in enumerate(MODELS):
            rows, planted = observed_model(model, seed + 2)
            kb.store.write(rows)
            truth |= planted
        kb.find("opposition")
        kb.match(*MODELS)
        yield kb


def rows_of(kb: ckb.KnowledgeBase, cypher: str) -> list[dict[str, Any]]:
    return list(kb.query(cypher, limit=None).to_dicts())


def test_what_was_planted_is_found_in_its_roles_and_nothing_else(
    kb: ckb.KnowledgeBase, truth: dict[str, tuple[str, str]]
) -> None:
    found = rows_of(
        kb,
        "MATCH (c:Circuit {motif: 'opposition'}) "
        "MATCH (u:Feature)-[:MEMBER_OF {role: 'opposed'}]->(c) "
        "MATCH (a:Feature)-[:MEMBER_OF {role: 'for'}]->(c) "
        "MATCH (b:Feature)-[:MEMBER_OF {role: 'against'}]->(c) "
        "RETURN u.id AS target, a.id AS one, b.id AS two, c.of AS of",
    )
    assert {row["target"]: (row["one"], row["two"]) for row in found} == truth
    assert len(found) == len(truth) == 2 * len(PLANTED)
    assert {tuple(row["of"]) for row in found} == {("mirror left-right",)}


def test_its_evidence_has_its_own_name_and_says_which_search_made_it(
    kb: ckb.KnowledgeBase,
) -> None:
    made = rows_of(
        kb,
        "MATCH (e:Evidence)-[r:FROM]->(i:Import) RETURN e.kind AS kind, e.of AS of, "
        "r.search AS search, i.id AS id, i.summary AS summary",
    )
    assert len(made) == 2 * len(PLANTED)
    assert {row["kind"] for row in made} == {"opposition-responses"}
    assert {row["of"] for row in made} == {"mirror left-right"}
    assert {row["id"] for row in made} == {
        f"find:opposition, mirror left-right:{model}" for model in MODELS
    }
    assert all(json.loads(row["summary"])["search"] == row["search"] for row in made)


def test_its_circuits_are_matched_role_by_role_beside_their_controls(
    kb: ckb.KnowledgeBase,
) -> None:
    matched = rows_of(
        kb,
        "MATCH (u:Feature)-[:MEMBER_OF {role: 'opposed'}]->(c:Circuit)-[r:ANALOGOUS_TO]->"
        "(d:Circuit)<-[:MEMBER_OF {role: 'opposed'}]-(v:Feature) WHERE r.q <= 0.05 "
        "RETURN u.id AS u, v.id AS v",
    )
    planted = {f"one/b:{unit}": f"two/b:{unit}" for unit in PLANTED}
    assert {row["u"]: row["v"] for row in matched}.items() <= planted.items()
    (evidence,) = rows_of(
        kb, "MATCH (e:Evidence {kind: 'analogous-opposition-circuits'}) RETURN e.value AS found"
    )
    assert evidence["found"] == len(matched) >= len(PLANTED) - 2


def test_a_report_has_a_section_of_it_with_controls_and_with_how_to_repeat_it(
    kb: ckb.KnowledgeBase,
) -> None:
    text = kb.report()
    own = section(text, "## 4. Oppositions of mirrored units")
    said = figures(tables(own)[0])
    assert said["found: targets"] == [str(len(PLANTED))] * 2
    assert said["permuted: hits, mean (max)"]
    assert "against: among the strongest inputs by negative mass times spread" in own
    assert "was not searched" in section(text, "## 3. Unions of mirrored cases")
    matches = tables(section(text, "### `one` and `two`"))
    assert int(figures(matches[-1])["found (q of at most 0.05)"][0]) >= len(PLANTED) - 2
    assert matches[-1][0][0] == "oppositions"
    assert "circuitkb find opposition --model one --by responses --seed 0" in text


def test_the_command_line_lists_and_explains_it(kb: ckb.KnowledgeBase) -> None:
    listed = RUNNER.invoke(app, ["find", "--format", "json"])
    assert [row["motif"] for row in json.loads(listed.stdout)] == [*OURS, "opposition"]
    by_option = RUNNER.invoke(app, ["find", "--list", "--format", "json"])
    assert by_option.stdout == listed.stdout
    text = " ".join(RUNNER.invoke(app, ["find", "opposition", "--help"]).stdout.split())
    assert "opposition: a unit that one unit excites and its mirror image inhibits." in text
    assert "against: among the strongest inputs by negative mass" in text
    kb.close()
    run = RUNNER.invoke(app, ["find", "opposition", "--kb", kb.address, "--format", "json"])
    assert [row["circuits"] for row in json.loads(run.stdout)] == [len(PLANTED)] * 2


def test_any_motif_may_be_searched_for_as_a_value_and_refuses_what_it_cannot_read(
    tmp_path: Path,
) -> None:
    names: dict[str, Any] = {}
    exec(OPPOSITION, names)
    motif = replace(
        names["OPPOSITION"],
        name="contrast",
        evidence="contrast-responses",
        of=ckb.mirror("up-down"),
    )
    rows, _ = observed_model("one", 2)
    with ckb.open(tmp_path / "kb.ckb") as kb:
        kb.store.write(replace(rows, responses={}))
        with pytest.raises(QueryError, match="There is no motif 'contrast'"):
            kb.find("contrast")
        with pytest.raises(ObservationError, match="circuitkb observe one"):
            kb.find(motif)
        with pytest.raises(QueryError, match="searched by responses, not by kernels"):
            kb.find(motif, by="kernels")
        kb.store.write(rows)
        (found,) = kb.find(motif).models
        assert (found.by, found.circuits) == ("responses", 0)
        # The store outlives the package: what nobody describes any more is named all the same.
        assert "`contrast`" in kb.report()


def none_found(connections: object, responses: object, motif: Pairs, **settings: Any) -> Findings:
    weights = relation_schema("WEIGHT").empty_table()
    del settings["progress"]
    return Findings(
        motif=motif,
        tested=7,
        tests=7,
        not_tested={},
        counts={"hits": 0},
        controls={},
        targets=(),
        weights=weights,
        seconds=0.0,
        **settings,
    )


class OwnSearch(KernelPairMotif):
    engine = f"{__name__}:none_found"


def test_a_motif_may_bring_a_search_of_its_own(tmp_path: Path) -> None:
    role = Role(name="part")
    motif = OwnSearch(name="own", of=ckb.mirror("up-down"), roles=(role, role), target="whole")
    with ckb.open(tmp_path / "kb.ckb") as kb:
        kb.store.write(replace(observed_model("one", 2)[0], responses={}))
        (found,) = kb.find(motif).models
    assert (found.tested, found.circuits, found.null) == (7, 0, {"hits": 0.0})
