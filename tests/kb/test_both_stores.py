"""One knowledge base on two engines: the same work leaves the same, and shows the same.

Only times of day, durations and addresses may differ.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.errors import CircuitKBError
from circuitkb.loaders.planted.networks import planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx
from circuitkb.queries.questions.catalogue import Question, questions
from circuitkb.stores.base import Store
from tests.annotations.shared_records import by, record
from tests.cli.conftest import Program, Run
from tests.stores.contents import Record, content_of
from tests.stores.factories import FACTORIES

pytestmark = pytest.mark.server

HEAD = "inceptionv1/mixed4b:418"
KINDS = [factory for factory in FACTORIES if factory.name in ("embedded", "neo4j")]
NETWORKS = ("first", "second")
PASSING = {"created", "seconds"}
"""Properties that say when something was done, and how long it took."""

_WHEN = re.compile(r"\d{4}-\d\d-\d\d([T ][\d:+]+)?( UTC)?|\b[\d,.]+ (s|ms|min)\b")
_STEP = re.compile(r"[\d,.]+ \| WHEN \|")
"""Times in a text; the report's table of steps has seconds beside the date."""


@dataclass(frozen=True)
class Twins:
    """The same knowledge base on each engine, and what the program is to be told to use it."""

    bases: tuple[ckb.KnowledgeBase, ...]
    programs: tuple[Callable[..., Run], ...]

    def same(self, ask: Callable[[ckb.KnowledgeBase], Any]) -> Any:
        """Ask each; return what they answer, which must be one thing."""
        embedded, server = (ask(kb) for kb in self.bases)
        assert server == embedded
        return embedded

    def printed(self, *arguments: str) -> str:
        """Run the program on each; return what it prints, which must be one thing."""
        embedded, server = (program(*arguments) for program in self.programs)
        assert (server.code, server.raw) == (embedded.code, embedded.raw), server.err
        assert embedded.code == 0, embedded.err
        return embedded.out


def open_twins(folder: Path, stack: ExitStack) -> Twins:
    """Open an empty knowledge base of each kind."""
    bases, programs = [], []
    for kind in KINDS:
        place = folder / kind.name
        place.mkdir()
        store = stack.enter_context(kind.held(place))
        bases.append(ckb.KnowledgeBase(store))
        programs.append(program(store, place))
    return Twins(tuple(bases), tuple(programs))


def program(store: Store, place: Path) -> Callable[..., Run]:
    """Return what runs ``circuitkb`` on a store, as somebody does on the same machine."""
    told = {"CIRCUITKB": store.address, "CIRCUITKB_ARRAYS": str(place / "arrays")}
    told |= {name: os.environ[name] for name in ("CIRCUITKB_NEO4J_PASSWORD",) if name in os.environ}
    return lambda *arguments: Program(place)(*arguments, env=told)


def without_times(value: Any) -> Any:
    """Leave out when something was done and how long it took, however deep."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in PASSING}
    if isinstance(value, list | tuple):
        return [without_times(item) for item in value]
    return _STEP.sub("WHEN |", _WHEN.sub("WHEN", value)) if isinstance(value, str) else value


def in_any_order(card: Record) -> Record:
    """Sort what a card lists by its time: two steps in one second here may be in two there."""
    for section in card["sections"]:
        if section["title"] == "Written by":
            section["rows"].sort(key=str)
    return card


def everything(kb: ckb.KnowledgeBase) -> Record:
    """All nodes, relations, kernels and responses."""
    found = content_of(kb.store)
    found["nodes"] = {
        key: {name: value for name, value in node.items() if name not in PASSING}
        for key, node in found["nodes"].items()
    }
    found["responses"] = without_times(found["responses"])
    return found


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """The published circuits, loaded by the program, and searched for unions."""
    with ExitStack() as stack:
        twins = open_twins(tmp_path_factory.mktemp("published"), stack)
        for run in twins.programs:
            done = run("load", "published:inceptionv1")
            assert done.code == 0, done.err
        twins.same(lambda kb: without_times(kb.find("union").to_result().to_dicts()))
        labels, words = annotation_files(tmp_path_factory.mktemp("annotations"))
        for kb in twins.bases:
            kb.annotate.import_files(labels, importer="ada")
            kb.annotate.declare(words)
        yield twins


def annotation_files(folder: Path) -> tuple[Path, Path]:
    """Labels that disagree, that wait, and that were made on other weights; and a vocabulary."""
    unit = {"type": "feature", "model": "inceptionv1", "layer": "mixed3b", "unit": 1}
    records = [
        record(target=unit, id="https://example.org/annotations/1"),
        record(target=unit, author=by("grace"), label={"text": "line"}),
        record(target=unit | {"unit": 2, "fingerprint": "f" * 64}),
        record(target=unit | {"model": "elsewhere"}),
    ]
    first = {"type": "annotation", "id": records[0]["id"]}
    records.append(
        record("review", target=first, author=by("grace"), verdict="disagree", text="no curve")
    )
    labels, words = folder / "labels.jsonl", folder / "words.csv"
    labels.write_text("".join(json.dumps(each) + "\n" for each in records), "utf-8")
    words.write_text("concept,label,measure,expected\ncurve,curve,oriented,yes\n", "utf-8")
    return labels, words


def test_both_hold_the_same_nodes_relations_and_kernels(published: Twins) -> None:
    held = published.same(everything)
    assert len(held["nodes"]) > 4_000
    assert held["kernels"]


def test_a_second_load_by_the_program_changes_nothing_on_either(published: Twins) -> None:
    before = [content_of(kb.store) for kb in published.bases]
    assert "nothing changed" in published.printed("load", "published:inceptionv1")
    assert [content_of(kb.store) for kb in published.bases] == before


ACROSS = (
    "analogous",
    "analogous-circuits",
    "in-several-models",
    "mirrored",
    "oriented",
    "shared-labels",
)
"""Questions about measured networks, of which published circuits know nothing."""


def has_rows(question: Question) -> bool:
    """Whether published circuits, searched for unions, have something to answer with."""
    return question.motif in (None, "union") and question.name != "features-in-several-models"


@pytest.mark.parametrize(
    "question",
    [question for question in questions() if question.name not in ACROSS],
    ids=lambda question: question.name,
)
def test_every_question_has_one_answer(published: Twins, question: Question) -> None:
    def ask(kb: ckb.KnowledgeBase) -> Any:
        asked = kb.ask(question.example, limit=None)
        result = asked.result
        rows = without_times([list(row) for row in result.rows])
        if question.name == "imports":
            place = result.columns.index("created"), result.columns.index("seconds")
            rows = [[v for i, v in enumerate(row) if i not in place] for row in rows]
        return asked.understood, asked.cypher, result.columns, rows, result.notes

    rows = published.same(ask)[3]
    assert bool(rows) == has_rows(question)


@pytest.mark.long
@pytest.mark.parametrize("name", ACROSS)
def test_every_question_about_measured_networks_has_one_answer(networks: Twins, name: str) -> None:
    def ask(kb: ckb.KnowledgeBase) -> Any:
        matched = kb.query(
            "MATCH (f:Feature)-[r:ANALOGOUS_TO]-(:Feature) WHERE r.q <= 0.05 "
            "RETURN f.id AS id ORDER BY id LIMIT 1"
        )["id"]
        mirrored = kb.query(
            "MATCH (f:Feature)-[:TRANSFORMS_TO]-(:Feature) RETURN f.id AS id ORDER BY id LIMIT 1"
        )["id"]
        given: dict[str, dict[str, Any]] = {
            "analogous": {"feature": matched[0]},
            "mirrored": {"feature": mirrored[0]},
            "oriented": {"orientation": 45, "tolerance": 45},
        }
        return kb.ask(name, parameters=given.get(name, {}), limit=None).result.rows

    assert networks.same(ask)


LISTS: dict[str, Callable[[ckb.KnowledgeBase], Any]] = {
    "models": lambda kb: kb.models(),
    "features": lambda kb: kb.features(limit=None),
    "edges": lambda kb: kb.edges(limit=None),
    "circuits": lambda kb: kb.circuits(limit=None),
    "few features": lambda kb: kb.features(limit=7),
    "few edges": lambda kb: kb.edges(limit=7),
    "few circuits": lambda kb: kb.circuits(limit=7),
    "features by label": lambda kb: kb.features(model="inceptionv1", label="dog head"),
    "features of a layer": lambda kb: kb.features(layer="mixed3b").where("unit", "<", 40),
    "a feature": lambda kb: kb.features(id=HEAD),
    "features by part of a layer's name": lambda kb: kb.features().where("layer", "contains", "4"),
    "features by the end of a layer's name": lambda kb: kb.features().where(
        "layer", "ends with", "a"
    ),
    "features by the start of an id": lambda kb: kb.features().where("id", "starts with", HEAD),
    "features by units": lambda kb: kb.features().where("unit", "in", [1, 2, 418]),
    "inputs": lambda kb: kb.features(id=HEAD).inputs(),
    "strong inputs of many": lambda kb: kb.features(label="head").inputs(max_rank=2),
    "outputs": lambda kb: kb.features(label="head").outputs(min_rank=2),
    "edges between": lambda kb: kb.edges(
        model="inceptionv1", source=kb.features(label="curve"), sign="positive"
    ).where("l1", ">", 0.1),
    "circuits of features": lambda kb: kb.features(label="head").circuits(),
    "circuits of a feature": lambda kb: kb.circuits(feature=HEAD, origin="found"),
    "circuits by part of their kind": lambda kb: kb.circuits().where("motif", "contains", "union"),
    "circuits by score": lambda kb: kb.circuits(motif="mirrored-inputs").where("score", ">=", 0.95),
}


@pytest.mark.parametrize("name", LISTS)
def test_every_list_has_the_same_rows_in_the_same_order(published: Twins, name: str) -> None:
    def run(kb: ckb.KnowledgeBase) -> Any:
        result = LISTS[name](kb).run()
        return result.columns, result.rows, result.truncated

    _, rows, truncated = published.same(run)
    assert rows
    assert truncated == name.startswith("few")


def test_cards_of_all_kinds_say_the_same(published: Twins) -> None:
    circuits = published.same(lambda kb: kb.circuits(limit=None).run()["circuit"])
    members = published.same(lambda kb: kb.features(label="head").run()["feature"])
    for id in ("inceptionv1", "inceptionv1/mixed4b", *circuits[::3], HEAD, *members[:4]):
        card = published.same(lambda kb, id=id: without_times(kb.show(id).to_dict()))
        assert card["sections"]


def test_circuits_as_records_carry_the_same_nulls(published: Twins) -> None:
    records = published.same(lambda kb: kb.circuit_records(limit=None))
    assert any(record["nulls"] for record in records)


def test_kernels_between_two_features_are_the_same(published: Twins) -> None:
    def kernels(kb: ckb.KnowledgeBase) -> Any:
        found = kb.kernels("inceptionv1/mixed4a:308", HEAD)
        return [(k.connection, k.origin, k.values.tobytes()) for k in found]

    assert published.same(kernels)


def test_the_report_says_the_same(published: Twins) -> None:
    assert "## " in published.same(lambda kb: without_times(kb.report()))


REFUSED: dict[str, Callable[[ckb.KnowledgeBase], Any]] = {
    "a model": lambda kb: kb.features(model="inceptionv2").run(),
    "a layer": lambda kb: kb.features(layer="mixed4z").run(),
    "a layer of a model": lambda kb: kb.features(model="inceptionv1", layer="mixed").run(),
    "a feature": lambda kb: kb.edges(target="inceptionv1/mixed4b:9999").run(),
    "a label": lambda kb: kb.features(label="hot dog heads").run(),
    "a motif": lambda kb: kb.circuits(motif="onion").run(),
    "a thing": lambda kb: kb.show("inceptionv1.dog-head-onion"),
    "a question": lambda kb: kb.ask("what is the weather in inceptionv1?"),
    "a label in a question": lambda kb: kb.ask("labels", parameters={"label": "hot dog heads"}),
    "responses": lambda kb: kb.find("union", by="responses"),
    "an observation": lambda kb: kb.observe("inceptionv1"),
    "a match": lambda kb: kb.match("inceptionv1", "inceptionv2"),
    "other weights": lambda kb: kb.load("published:inceptionv1", name="inceptionv1", keep=0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_there_is_refused_in_the_same_words(published: Twins, name: str) -> None:
    def refused(kb: ckb.KnowledgeBase) -> Any:
        with pytest.raises(CircuitKBError) as error:
            REFUSED[name](kb)
        return type(error.value), str(error.value)

    published.same(refused)


COMMANDS = (
    ("models",),
    ("models", "--format", "json"),
    ("features", "--label", "curve", "--format", "csv"),
    ("features", "--model", "inceptionv1", "--limit", "5"),
    ("edges", "--target", HEAD),
    ("circuits", "--motif", "mirrored-inputs", "--format", "json"),
    ("circuits", "--origin", "published"),
    ("show", HEAD),
    ("ask", "union", "--format", "json"),
    ("ask", "which features stand in more than one family?"),
    (
        "query",
        "MATCH p = (:Feature {id: $id})<-[w:WEIGHT]-() RETURN p, $x AS x ORDER BY w.rank",
        "-p",
        f"id={HEAD}",
        "-p",
        "x=[1, 2.5, null]",
        "--format",
        "json",
    ),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_the_program_prints_the_same(published: Twins, arguments: tuple[str, ...]) -> None:
    assert published.printed(*arguments)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """Two networks with planted unions: loaded, observed, searched by responses, matched."""
    folder = tmp_path_factory.mktemp("networks")
    sources = []
    for seed, name in enumerate(NETWORKS):
        planted = planted_network(
            one_sided=4, false_unions=4, symmetric=4, random=4, noise=0.1, size=45, seed=seed
        )
        sources.append(write_onnx(planted, folder / f"{name}.onnx", any_size=False))
    with ExitStack() as stack:
        twins = open_twins(folder, stack)
        for kb in twins.bases:
            for source, name in zip(sources, NETWORKS, strict=True):
                kb.load(source)
                kb.observe(name)
            kb.find("union")
            kb.match(*NETWORKS)
        yield twins


@pytest.mark.long
def test_networks_observed_searched_and_matched_leave_the_same_on_both(networks: Twins) -> None:
    held = networks.same(everything)
    kinds = {label for label, _ in held["nodes"]}
    assert {"Model", "Layer", "Feature", "Circuit", "Evidence", "Annotation", "Import"} <= kinds
    assert {name for name, *_ in held["relations"]} >= {"WEIGHT", "ANALOGOUS_TO", "TRANSFORMS_TO"}
    assert set(held["kernels"]) == set(held["responses"]) == set(NETWORKS)


@pytest.mark.long
def test_networks_and_what_was_found_in_them_read_the_same(networks: Twins) -> None:
    rows = networks.same(lambda kb: kb.ask("union", limit=None).result.rows)
    assert rows
    circuits = networks.same(lambda kb: kb.circuits(limit=None).run().rows)
    assert len(circuits) >= len(rows)
    for id in (*NETWORKS, rows[0][1], circuits[0][0], f"{NETWORKS[0]}/detectors"):
        networks.same(lambda kb, id=id: in_any_order(without_times(kb.show(id).to_dict())))
    for name in ("unexplained", "labels", "several-families"):
        given = {"label": "orientation"} if name == "labels" else {}
        networks.same(lambda kb, name=name, g=given: kb.ask(name, parameters=g).result.rows)
    assert "## " in networks.same(lambda kb: without_times(kb.report()))


@pytest.mark.long
def test_the_same_work_again_changes_nothing_on_either(networks: Twins) -> None:
    before = networks.same(everything)
    for kb in networks.bases:
        assert not kb.observe(NETWORKS[0]).created
        kb.find("union")
        kb.match(*NETWORKS)
    assert networks.same(everything) == before
