"""Lists that compose (inputs of sources of inputs, unions of lists, paths) against brute force."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.errors import SchemaError
from tests.queries.pattern_worlds import World, make
from tests.stores.factories import Factory

WORLDS = [make(seed) for seed in (11, 12)]


@pytest.fixture(scope="module", params=WORLDS, ids=["world 0", "world 1"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.param
    return found


@pytest.fixture(scope="module")
def kb(
    world: World, kind: Factory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ckb.KnowledgeBase]:
    with kind.held(tmp_path_factory.mktemp("store")) as store:
        store.write(world.rows)
        yield ckb.KnowledgeBase(store)


def kept(world: World) -> list[dict[str, Any]]:
    """The weights that the graph keeps, by target and rank."""
    found = [e for e in world.edges if e["rank"] <= 5]
    return sorted(
        found, key=lambda e: (_place(e["target"]), e["rank"], e["connection"], e["source"])
    )


def _place(id: str) -> tuple[str, str, int]:
    model, rest = id.split("/")
    layer, unit = rest.split(":")
    return model, layer, int(unit)


def ids(rows: Any, column: str = "feature") -> list[str]:
    return [row[column] for row in rows]


def chosen(world: World, check: Callable[[dict[str, Any]], bool]) -> list[str]:
    return sorted((id for id, f in world.features.items() if check(f)), key=_place)


def off(angle: float | None, other: float) -> float:
    """Degrees between two lines; nothing is near what has no angle."""
    if angle is None:
        return 999
    return min(abs(angle - other), 180 - abs(angle - other))


PREDICATES: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = {
    "near round the half circle": (
        {"orientation": ckb.near(175, 20)},
        lambda f: off(f["orientation"], 175) <= 20,
    ),
    "near, written a period off": (
        {"orientation": ckb.near(-5, 20)},
        lambda f: off(f["orientation"], 175) <= 20,
    ),
    "either of two angles": (
        {"orientation": ckb.near(45, 15) | ckb.near(135, 15)},
        lambda f: off(f["orientation"], 45) <= 15 or off(f["orientation"], 135) <= 15,
    ),
    "not near, where measured": (
        {"orientation": ~ckb.near(45, 30)},
        lambda f: f["orientation"] is not None and off(f["orientation"], 45) > 30,
    ),
    "not measured": ({"orientation": ckb.missing()}, lambda f: f["orientation"] is None),
    "measured": ({"orientation": ~ckb.missing()}, lambda f: f["orientation"] is not None),
    "between": ({"unit": ckb.between(1, 2)}, lambda f: 1 <= f["unit"] <= 2),
    "one of": ({"unit": ckb.one_of(0, 3)}, lambda f: f["unit"] in (0, 3)),
    "not one of": ({"unit": ~ckb.one_of(0, 3)}, lambda f: f["unit"] not in (0, 3)),
    "a layer by its start": ({"layer": ckb.starting_with("b")}, lambda f: f["layer"] == "b1"),
    "a model by its end": ({"model": ckb.ending_with("wo")}, lambda f: f["model"] == "two"),
    "several at once": (
        {"model": "one", "unit": ckb.at_least(1) & ckb.below(3), "layer": "c1"},
        lambda f: f["model"] == "one" and f["layer"] == "c1" and 1 <= f["unit"] < 3,
    ),
    "a part of a label": (
        {"label": "CURVE"},
        lambda f: any("curve" in t.lower() for t in f["labels"]),
    ),
    "a label as it is": ({"label": ckb.one_of("Curves")}, lambda f: "Curves" in f["labels"]),
    "a label in a layer": (
        {"label": "dog", "layer": "a1"},
        lambda f: f["layer"] == "a1" and "Dog Heads" in f["labels"],
    ),
    "labelled": ({"labelled": True}, lambda f: bool(f["labels"])),
    "not labelled": ({"labelled": False, "unit": 2}, lambda f: not f["labels"] and f["unit"] == 2),
}


@pytest.mark.parametrize("name", PREDICATES)
def test_features_are_those_that_fulfil_the_predicates(
    name: str, world: World, kb: ckb.KnowledgeBase
) -> None:
    given, check = PREDICATES[name]
    assert ids(kb.features(**given)) == chosen(world, check)


SETS: dict[str, tuple[Callable[[Any], Any], Callable[[dict[str, Any]], bool]]] = {
    "either": (
        lambda kb: kb.features(label="dog") | kb.features(layer="b1", unit=0),
        lambda f: "Dog Heads" in f["labels"] or (f["layer"] == "b1" and f["unit"] == 0),
    ),
    "both": (
        lambda kb: kb.features(label="dog") & kb.features(label="curve"),
        lambda f: "Dog Heads" in f["labels"] and any("urve" in t for t in f["labels"]),
    ),
    "one without the other, which has no value for some": (
        lambda kb: kb.features(layer="a1") - kb.features(orientation=ckb.above(90)),
        lambda f: f["layer"] == "a1" and not (f["orientation"] or 0) > 90,
    ),
    "three": (
        lambda kb: (kb.features(model="one") - kb.features(labelled=True)) | kb.features(unit=3),
        lambda f: (f["model"] == "one" and not f["labels"]) or f["unit"] == 3,
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_lists_combine_as_sets_do(name: str, world: World, kb: ckb.KnowledgeBase) -> None:
    make_list, check = SETS[name]
    assert ids(make_list(kb)) == chosen(world, check)


@pytest.mark.parametrize("sign", [None, "+", "-"])
@pytest.mark.parametrize("top", [None, 1, 2])
def test_inputs_may_be_the_strongest_of_a_sign_of_each_feature(
    sign: Any, top: int | None, world: World, kb: ckb.KnowledgeBase
) -> None:
    targets = chosen(world, lambda f: any("urve" in t for t in f["labels"]))
    expected = []
    for target in targets:
        into = [e for e in kept(world) if e["target"] == target]
        if sign:
            into = [e for e in into if (e["sum"] > 0 if sign == "+" else e["sum"] < 0)]
        expected += [(e["source"], target, e["rank"]) for e in into[:top]]
    found = kb.features(label="curve").inputs(sign=sign, top=top)
    assert [(r["source"], r["target"], r["rank"]) for r in found] == expected
    assert sorted(set(ids(found.sources())), key=_place) == ids(found.sources())
    assert set(ids(found.sources())) == {source for source, _, _ in expected}


@pytest.mark.parametrize("top", [1, 2])
def test_outputs_may_be_the_strongest_of_each_feature(
    top: int, world: World, kb: ckb.KnowledgeBase
) -> None:
    expected = set()
    for source in chosen(world, lambda f: f["layer"] == "a1"):
        out = [e for e in kept(world) if e["source"] == source]
        out.sort(key=lambda e: (-e["l1"], e["connection"], e["target"]))
        expected |= {(source, e["target"], e["connection"]) for e in out[:top]}
    found = kb.features(layer="a1").outputs(top=top)
    assert {(r["source"], r["target"], r["connection"]) for r in found} == expected
    assert set(ids(found.targets())) == {target for _, target, _ in expected}


@pytest.mark.parametrize("top", [None, 2])
def test_steps_follow_one_another(top: int | None, world: World, kb: ckb.KnowledgeBase) -> None:
    start = "one/c1:1"

    def inputs(of: set[str]) -> set[str]:
        found = set()
        for target in of:
            into = [e for e in kept(world) if e["target"] == target]
            found |= {e["source"] for e in into[:top]}
        return found

    once = kb.features(id=start).inputs(top=top).sources()
    twice = once.inputs(top=top).sources()
    assert set(ids(once)) == inputs({start})
    assert set(ids(twice)) == inputs(inputs({start}))
    # What is reached can be a condition as well as a start.
    both = kb.features(layer="a1") & twice
    assert set(ids(both)) == {i for i in inputs(inputs({start})) if "/a1:" in i}
    rest = kb.features(layer="a1", model="one") - twice
    everyone = set(chosen(world, lambda f: f["layer"] == "a1" and f["model"] == "one"))
    assert set(ids(rest)) == everyone - inputs(inputs({start}))


def test_edges_between_two_reached_lists(world: World, kb: ckb.KnowledgeBase) -> None:
    sources = kb.features(id="one/b1:0").inputs(top=3).sources()
    targets = kb.features(id="one/a1:0").outputs(top=3).targets()
    found = kb.edges(source=sources, target=targets)
    starts, ends = set(ids(sources)), set(ids(targets))
    expected = [
        (e["source"], e["target"], e["connection"])
        for e in kept(world)
        if e["source"] in starts and e["target"] in ends
    ]
    assert [(r["source"], r["target"], r["connection"]) for r in found] == expected


@pytest.mark.parametrize("at_least", [1, 2, 3])
def test_common_inputs_count_the_features_that_they_feed(
    at_least: int, world: World, kb: ckb.KnowledgeBase
) -> None:
    targets = [f"one/b1:{unit}" for unit in range(4)]
    shared: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for edge in kept(world):
        if edge["target"] in targets:
            shared[edge["source"]][edge["target"]].append(edge)
    expected = []
    for source, fed in shared.items():
        if len(fed) >= at_least:
            features = sorted(fed)
            ranks = [min(e["rank"] for e in fed[f]) for f in features]
            sums = [sum(e["sum"] for e in fed[f]) for f in features]
            expected.append((source, len(features), features, ranks, sums))
    expected.sort(key=lambda row: (-row[1], min(row[3]), row[0]))
    found = kb.features(id=targets).common_inputs(at_least=at_least)
    assert [
        (r["feature"], r["count"], r["features"], r["ranks"], r["sums"]) for r in found
    ] == expected


def test_common_outputs_count_the_features_that_feed_them(
    world: World, kb: ckb.KnowledgeBase
) -> None:
    sources = ["two/a1:0", "two/a1:1"]
    fed = defaultdict(set)
    for edge in kept(world):
        if edge["source"] in sources:
            fed[edge["target"]].add(edge["source"])
    found = kb.features(id=sources).common_outputs()
    assert {r["feature"]: r["features"] for r in found} == {
        target: sorted(of) for target, of in fed.items() if len(of) == 2
    }


@pytest.mark.parametrize("sign", [None, "+"])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_paths_are_all_chains_of_weights_between_two_features(
    length: int, sign: Any, world: World, kb: ckb.KnowledgeBase
) -> None:
    edges = [e for e in kept(world) if sign is None or e["sum"] > 0]
    by_source = defaultdict(list)
    for edge in edges:
        by_source[edge["source"]].append(edge)
    chains: list[list[dict[str, Any]]] = [[e] for e in by_source["one/a1:1"]]
    every = list(chains)
    for _ in range(length - 1):
        chains = [[*c, e] for c in chains for e in by_source[c[-1]["target"]]]
        every += chains
    expected = sorted(
        (
            len(c),
            [c[0]["source"], *(e["target"] for e in c)],
            [e["rank"] for e in c],
            [e["connection"] for e in c],
        )
        for c in every
        if c[-1]["target"] == "one/c1:2"
    )
    paths = kb.features(id="one/a1:1").paths("one/c1:2", max_length=length, sign=sign)
    assert [(r["length"], r["path"], r["ranks"], r["connections"]) for r in paths] == expected
    shortest = min((row[0] for row in expected), default=0)
    assert [(r["length"], r["path"], r["ranks"], r["connections"]) for r in paths.shortest()] == [
        row for row in expected if row[0] == shortest
    ]


def test_paths_may_start_and_end_in_lists(world: World, kb: ckb.KnowledgeBase) -> None:
    """Wherever the engine starts from, the paths are the same."""
    few, many = kb.features(id=["one/a1:0", "one/a1:2"]), kb.features(layer="c1", model="one")
    whole = kb.features(layer="a1", model="one").paths(many, max_length=2)
    wanted = [r["path"] for r in whole if r["source"] in ("one/a1:0", "one/a1:2")]
    assert [r["path"] for r in few.paths(many, max_length=2)] == wanted
    one_end = [r["path"] for r in whole if r["target"] == "one/c1:0"]
    assert [
        r["path"] for r in kb.features(layer="a1", model="one").paths("one/c1:0", max_length=2)
    ] == one_end


def test_partners_are_joined_in_either_direction(world: World, kb: ckb.KnowledgeBase) -> None:
    for layer in ("a1", "b1"):
        own = set(chosen(world, lambda f, layer=layer: f["layer"] == layer))
        for joined, found in (
            (world.analogous, kb.features(layer=layer).analogous()),
            (world.mirrored, kb.features(layer=layer).transforms(ckb.mirror("left-right"))),
        ):
            both = joined | {(b, a) for a, b in joined}
            expected = {b for a, b in both if a in own}
            assert set(ids(found)) == expected
            as_condition = kb.features(model="two") & found
            assert set(ids(as_condition)) == {i for i in expected if i.startswith("two/")}


def test_a_bound_on_the_false_discovery_rate_can_be_moved(
    world: World, kb: ckb.KnowledgeBase
) -> None:
    def pairs(max_q: float) -> int:
        of = chosen(world, lambda f: True)
        return sum(len(kb.features(id=id).analogous(max_q=max_q).run()) for id in of)

    assert pairs(0.05) == 2 * len(world.analogous)
    assert pairs(1) == 2 * 30


def test_features_of_chosen_models(world: World, kb: ckb.KnowledgeBase) -> None:
    found = kb.models(keep=ckb.at_least(2), id="two").features(layer="b1", unit=ckb.below(2))
    assert ids(found) == ["two/b1:0", "two/b1:1"]
    assert ids(kb.models(fingerprint="x").features()) == []


def test_annotations_lead_to_features_and_back(world: World, kb: ckb.KnowledgeBase) -> None:
    dogs = chosen(world, lambda f: "Dog Heads" in f["labels"])
    said = kb.annotations(label="dog")
    assert sorted(row["targets"][0] for row in said) == sorted(dogs)
    assert {row["label"] for row in said} == {"Dog Heads"}
    assert ids(said.features()) == dogs
    again = kb.features(label="dog").annotations(kind="label")
    both = [text for id in dogs for text in world.features[id]["labels"]]
    assert sorted(row["label"] for row in again) == sorted(both)
    gone = kb.annotations(state="retracted")
    assert len(gone.run()) == len(world.features)
    assert len(kb.annotations(state=None).run()) == len(gone.run()) + sum(
        len(f["labels"]) for f in world.features.values()
    )
    assert ids(kb.features(layer="a1") & said.features()) == [i for i in dogs if "/a1:" in i]


def test_circuits_lead_to_members_and_back(stored: Any) -> None:
    graph, store = stored
    kb = ckb.KnowledgeBase(store)
    unions = [c for c in graph.circuits if c["motif"] == "union"]
    for role, side in (("union", None), ("case", None), (None, 1), (None, None)):
        expected = {
            m["feature"]
            for c in unions
            for m in c["members"]
            if (role is None or m["role"] == role) and (side is None or m["side"] == side)
        }
        assert set(ids(kb.circuits(motif="union").members(role=role, side=side))) == expected
    start = unions[0]["members"][0]["feature"]
    own = {c["id"] for c in graph.circuits if start in graph.members(c)}
    assert set(ids(kb.features(id=start).circuits(), "circuit")) == own
    cases = kb.circuits(motif="union").members(role="case")
    together = {c["id"] for c in graph.circuits if graph.members(c) & set(ids(cases))}
    assert set(ids(cases.circuits(), "circuit")) == together
    good = kb.circuits(score=ckb.at_least(0.9)).run()
    assert set(good["circuit"]) == {c["id"] for c in graph.circuits if (c["score"] or 0) >= 0.9}


def test_an_annotation_is_found_by_its_author(stored: Any) -> None:
    graph, store = stored
    kb = ckb.KnowledgeBase(store)
    for who in ("Ada", "Grace"):
        found = kb.annotations(author=who.lower(), kind="label", limit=None).run()
        assert sorted(found["annotation"]) == sorted(
            item["id"] for item in graph.labels if item["who"] == who
        )
        assert set(found["author"]) == {who.lower()}
    assert len(kb.annotations(author_type="tool").run()) == 0


def test_every_list_tells_its_plan(kb: ckb.KnowledgeBase) -> None:
    for query in (
        kb.features(layer="a1"),
        kb.edges(source="one/a1:0"),
        kb.models(),
        kb.circuits(),
        kb.annotations(),
        kb.features(id="one/a1:0").paths("one/c1:0"),
        kb.features(id=["one/b1:0", "one/b1:1"]).common_inputs(),
    ):
        assert len(query.explain().splitlines()) > 1


@pytest.mark.parametrize(
    ("make_list", "message"),
    [
        (lambda kb: kb.features(orientaton=3), "'orientaton' is not a property of Feature. Did"),
        (lambda kb: kb.features(lable="x"), "'label'"),
        (lambda kb: kb.features(id="one/a1:0").inputs(tpo=3), "'tpo'.*'top'"),
        (lambda kb: kb.circuits(scor=1), "'scor'.*'score'"),
        (lambda kb: kb.annotations(athor="x"), "'athor'.*'author'"),
        (lambda kb: kb.models(sourc="x"), "'sourc'.*'source'"),
    ],
)
def test_an_unknown_field_is_named_with_near_ones(
    make_list: Callable[[Any], Any], message: str, kb: ckb.KnowledgeBase
) -> None:
    with pytest.raises(SchemaError, match=message):
        make_list(kb)


def test_no_value_is_ever_part_of_the_text(kb: ckb.KnowledgeBase) -> None:
    evil = "x'}) DETACH DELETE f //"
    lists = [
        kb.features(model=evil, layer=evil, label=evil),
        kb.features(model=ckb.one_of(evil) | ckb.containing(evil)),
        kb.features(id="one/a1:0").inputs(path=evil).sources().where(layer=evil),
        kb.annotations(author=evil, label=ckb.ending_with(evil), text=ckb.starting_with(evil)),
        kb.circuits(motif=evil, feature=kb.features(label=evil)),
        kb.models(source=evil).features(layer=evil),
        kb.pattern("a -> b", a=ckb.feature(label=evil), edges=ckb.edge(path=evil)),
    ]
    for query in lists:
        statement = query.to_cypher()
        assert "DELETE" not in statement.text
        assert evil in itertools.chain.from_iterable(
            v if isinstance(v, list) else [v] for v in statement.parameters.values()
        )
