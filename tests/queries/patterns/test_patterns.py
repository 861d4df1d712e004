"""Patterns on both engines and over every weight, against brute force over small networks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

import circuitkb as ckb
from circuitkb.errors import QueryError
from circuitkb.queries.patterns.pattern import Pattern
from circuitkb.stores.base import Store
from tests.queries.pattern_worlds import KEEP, Arrow, Check, World, brute_force, make
from tests.seeds import seeds
from tests.stores.factories import Factory

WORLDS = [make(seed) for seed in range(3)]

Case = tuple[Pattern, list[Arrow], dict[str, Check]]


@pytest.fixture(scope="module", params=WORLDS, ids=[f"world {n}" for n in range(len(WORLDS))])
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


def whole(world: World, case: Case) -> list[tuple[Any, ...]]:
    pattern, arrows, features = case
    return brute_force(world, arrows, features, pattern.names, pattern.unordered)


def kept(rank: int, sign: str = "") -> tuple[dict[str, Any], Check]:
    """A weight that the graph keeps: for the pattern, and for brute force."""
    return (
        {"max_rank": rank},
        lambda e: (
            e["rank"] <= rank and (not sign or ((e["sum"] > 0) == (sign == "+") and e["sum"] != 0))
        ),
    )


ARROWS = {"": "->", "+": "+>", "-": "-|"}


def random_case(seed: int) -> Case:
    """A random pattern of two to four features that asks only for weights that the graph keeps."""
    rng = random.Random(seed)
    names = ["p", "q", "r", "s"][: rng.choice((2, 3, 3, 4))]
    arrows, texts, edges = [], [], {}
    for number, name in enumerate(names[1:], 1):
        _add(rng, arrows, texts, edges, rng.choice(names[:number]), name)
    if len(names) > 2 and rng.random() < 0.5:
        one, other = rng.sample(names, 2)
        if not any({a.source, a.target} == {one, other} for a in arrows):
            _add(rng, arrows, texts, edges, one, other)
    for _ in range(rng.choice((0, 0, 1, 2))):
        one = rng.choice(names)
        other = rng.choice([*(n for n in names if n != one), "x"])
        _add(rng, arrows, texts, edges, one, other, absent=True)
    features: dict[str, Check] = {}
    wanted: dict[str, Any] = {}
    for name in dict.fromkeys(n for a in arrows for n in (a.source, a.target)):
        wanted[name], features[name] = _of_feature(rng)
    texts = [str(text) for text in texts]
    pairs = [("p", "q")] if rng.random() < 0.3 else []
    return Pattern("; ".join(texts), edges=edges, unordered=pairs, **wanted), arrows, features


def _add(
    rng: random.Random,
    arrows: list[Arrow],
    texts: list[str],
    edges: dict[str, Any],
    one: str,
    other: str,
    *,
    absent: bool = False,
) -> None:
    if rng.random() < 0.5:
        one, other = other, one
    if any((a.source, a.target) == (one, other) for a in arrows):
        return
    said = "not " if absent else ""
    kind = rng.random()
    if kind < 0.15 and not any({a.source, a.target} == {one, other} for a in arrows):
        arrows.append(Arrow(one, other, None, "TRANSFORMS_TO", absent))
        texts.append(f"{said}{one} ~ {other}")
        edges[f"{one} ~ {other}"] = ckb.mirror("left-right")
        return
    sign = rng.choice(("", "+", "-"))
    given, check = kept(rng.choice((2, 3, KEEP)), sign)
    arrows.append(Arrow(one, other, check, absent=absent))
    texts.append(f"{said}{one} {ARROWS[sign]} {other}")
    edges[f"{one} {ARROWS[sign]} {other}"] = ckb.edge(**given)


def _of_feature(rng: random.Random) -> tuple[Any, Check]:
    angle = rng.uniform(0, 180)
    return rng.choice(
        [
            (ckb.feature(), lambda f: True),
            (ckb.feature(), lambda f: True),
            (ckb.feature(layer="b1"), lambda f: f["layer"] == "b1"),
            (ckb.feature(model="one"), lambda f: f["model"] == "one"),
            (ckb.feature(label="CURVE"), lambda f: any("curve" in t.lower() for t in f["labels"])),
            (ckb.feature(labelled=False), lambda f: not f["labels"]),
            (
                ckb.feature(orientation=ckb.near(angle, 50)),
                lambda f: (
                    f["orientation"] is not None
                    and min(abs(f["orientation"] - angle), 180 - abs(f["orientation"] - angle))
                    <= 50
                ),
            ),
        ]
    )


@pytest.mark.parametrize("seed", seeds(40, at_first=20))
def test_a_random_pattern_has_the_matches_of_brute_force_over_graph_and_all(
    seed: int, world: World, kb: ckb.KnowledgeBase
) -> None:
    case = random_case(seed)
    expected = whole(world, case)
    for weights in ("graph", "all"):
        found = kb.pattern(case[0]).over(weights)
        assert found.run().columns == case[0].columns
        assert list(found.run().rows) == expected, (weights, case[0].text)
        assert found.count() == len(expected)


def test_the_random_patterns_are_not_idle() -> None:
    """Most have matches, and each kind of arrow occurs in some that do."""
    counts = [len(whole(WORLDS[0], random_case(seed))) for seed in range(40)]
    assert sum(count > 0 for count in counts) > 20
    busy = " ".join(random_case(s)[0].text for s, count in enumerate(counts) if count)
    assert all(arrow in busy for arrow in ("->", "+>", "-|", " ~ ", "not "))


def test_over_all_weights_those_that_the_graph_left_out_are_found(
    world: World, kb: ckb.KnowledgeBase
) -> None:
    pattern = Pattern("a -> u <- b", u=ckb.feature(layer="c1"), unordered=[("a", "b")])
    arrows = [Arrow("a", "u"), Arrow("b", "u")]
    expected = whole(world, (pattern, arrows, {"u": lambda f: f["layer"] == "c1"}))
    everything = kb.pattern(pattern)
    assert list(everything.run().rows) == expected
    assert everything.count() == len(expected)
    kept_rows = kb.pattern(pattern).over("graph").run().rows
    assert 0 < len(kept_rows) < len(expected)
    within = [row for row in expected if max(row[3:]) <= KEEP]
    assert [r for r in kept_rows if max(r[3:]) <= KEEP] == within


@pytest.mark.parametrize("condition", ["positive", "l1", "connection"])
def test_conditions_on_the_weight_hold_over_all_weights(
    condition: str, world: World, kb: ckb.KnowledgeBase
) -> None:
    wanted, check = {
        "positive": (ckb.above(1.5), lambda e: e["positive"] > 1.5),
        "l1": (ckb.between(2, 4) | ckb.above(7), lambda e: 2 <= e["l1"] <= 4 or e["l1"] > 7),
        "connection": (ckb.one_of("c1", "c3"), lambda e: e["connection"] in ("c1", "c3")),
    }[condition]
    pattern = Pattern("a -> b -> c", edges=ckb.edge(**{condition: wanted}))
    expected = whole(world, (pattern, [Arrow("a", "b", check), Arrow("b", "c", check)], {}))
    assert list(kb.pattern(pattern).over("all").run().rows) == expected


@pytest.mark.parametrize("least", [1, 2])
@pytest.mark.parametrize("weights", ["graph", "all"])
def test_matches_may_be_asked_for_that_several_models_have(
    least: int, weights: Any, world: World, kb: ckb.KnowledgeBase
) -> None:
    plain = Pattern("a +> u <+ b", edges=ckb.edge(max_rank=4), unordered=[("a", "b")])
    _, check = kept(4, "+")
    every = whole(world, (plain, [Arrow("a", "u", check), Arrow("b", "u", check)], {}))
    units = {row[1] for row in every}
    alike = world.analogous | {(b, a) for a, b in world.analogous}

    def models(unit: str) -> int:
        return 1 + len({b.split("/")[0] for a, b in alike if a == unit and b in units})

    expected = [row for row in every if models(row[1]) >= least]
    found = kb.pattern(plain).in_models(least, by="u").over(weights).run()
    assert list(found.rows) == expected
    if least == 1:
        assert expected == every


def test_a_pattern_across_models_joins_them_by_analogy(world: World, kb: ckb.KnowledgeBase) -> None:
    pattern = Pattern("a -> u; b -> v; a ~= b; u ~= v", edges=ckb.edge(max_rank=KEEP))
    _, check = kept(KEEP)
    arrows = [
        Arrow("a", "u", check),
        Arrow("b", "v", check),
        Arrow("a", "b", relation="ANALOGOUS_TO"),
        Arrow("u", "v", relation="ANALOGOUS_TO"),
    ]
    expected = whole(world, (pattern, arrows, {}))
    assert list(kb.pattern(pattern).over("all").run().rows) == expected
    assert list(kb.pattern(pattern).over("graph").run().rows) == expected


@pytest.mark.parametrize("weights", ["graph", "all"])
@pytest.mark.parametrize("limit", [0, 1, 7])
def test_a_bound_gives_the_first_rows_and_says_that_there_are_more(
    limit: int, weights: Any, kb: ckb.KnowledgeBase
) -> None:
    query = kb.pattern("a -> u <- b").over(weights)
    every = query.limit(None).run()
    first = query.limit(limit).run()
    assert first.rows == every.rows[:limit]
    assert first.truncated
    assert not every.truncated


def test_what_reads_the_rank_alone_of_a_given_feature_runs_on_the_graph(
    kb: ckb.KnowledgeBase,
) -> None:
    near = kb.pattern("a -> u", edges=ckb.edge(max_rank=2), u=ckb.feature(id="one/b1:0"))
    assert "graph keeps" in near.run().notes[0]
    assert "Over all" in kb.pattern("a -> u", u=ckb.feature(id="one/b1:0")).run().notes[0]
    assert "Over all" in kb.pattern("a -> u", edges=ckb.edge(max_rank=2)).run().notes[0]


def test_features_may_come_from_another_list(kb: ckb.KnowledgeBase) -> None:
    known = kb.features(id="one/c1:0").inputs(top=2).sources()
    ids = {row["feature"] for row in known}
    for weights in ("graph", "all"):
        found = kb.pattern("a -> b", edges=ckb.edge(max_rank=3), b=known).over(weights).run()
        assert set(found["b"]) <= ids
        plain = kb.pattern("a -> b", edges=ckb.edge(max_rank=3)).over(weights).run()
        assert found.rows == tuple(row for row in plain.rows if row[1] in ids)


def test_a_misspelt_model_in_a_pattern_is_named(kb: ckb.KnowledgeBase) -> None:
    for weights in ("graph", "all"):
        with pytest.raises(ckb.errors.NotFoundError, match=r"No model 'on' here.*'one'"):
            kb.pattern("a -> b", b=ckb.feature(model="on")).over(weights).run()


def test_a_pattern_tells_its_text_and_its_plan(kb: ckb.KnowledgeBase) -> None:
    query = kb.pattern("a +> u", u=ckb.feature(layer="c1"), edges=ckb.edge(max_rank=3))
    statement = query.to_cypher()
    assert "'c1'" not in statement.text
    assert statement.parameters["u_layer"] == "c1"
    assert "Join" in query.over("all").explain() or "Scan" in query.over("all").explain()
    assert query.over("graph").explain()


def test_a_pattern_that_runs_too_long_is_stopped(kb: ckb.KnowledgeBase) -> None:
    with pytest.raises(ckb.errors.QueryTimeoutError, match="longer than"):
        kb.pattern("a -> u <- b; c -> u <- d; e -> u <- f; g -> u <- h").over("all").limit(
            None
        ).run(timeout=0.001)


def test_every_weight_of_the_graph_has_the_rank_that_the_search_gives_it(
    kb: ckb.KnowledgeBase, kind: Factory
) -> None:
    """The published features and those of a network are ranked by one rule."""
    found = kb.pattern("a -> b", edges=ckb.edge(max_rank=KEEP)).over("all").run()
    edges = kb.edges(limit=None, max_rank=KEEP).run()
    best: dict[tuple[str, str], int] = {}
    for edge in edges:
        pair = edge["source"], edge["target"]
        best[pair] = min(edge["rank"], best.get(pair, 99))
    assert {(a, b): rank for a, b, rank in found.rows} == best


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        ("a -> -> b", {}, "column 6: a name is expected, not '-> b'"),
        ("a ->", {}, "ends where a name is expected"),
        ("a ? b", {}, "column 3: an arrow"),
        ("", {}, "ends where a name"),
        ("a -> b\nb ->> c", {}, "line 2, column 5"),
        ("a -> b; c -> d", {}, "nothing joins"),
        ("a -> b; a +> b", {}, "two arrows from 'a' to 'b'"),
        ("not a -> b", {}, "only what is not there"),
        ("a -> b; not c -> d", {}, "neither end is in the rest"),
        ("a -> b; not a -> b -> c", {}, "'not' takes one arrow"),
        ("a -> A", {}, "differ in more than case"),
        ("a -> limit", {}, "can be called 'limit'"),
        ("a -> b", {"c": ckb.feature()}, "no feature 'c'. Known: a, b"),
        ("a -> b", {"a": "curve"}, "write feature"),
        ("a -> b", {"edges": {"b -> a": ckb.edge()}}, "no arrow 'b -> a'"),
        ("a -> b", {"edges": 5}, "write edge"),
        ("a -> b", {"edges": {"a -> b": ckb.mirror("left-right")}}, "write edge"),
        ("a +> b", {"edges": ckb.edge(sign="-")}, "two signs at once"),
        ("a -> b", {"edges": ckb.edge(top=3)}, "only the weight can be asked about"),
        ("a ~ b", {"edges": {"a ~ b": ckb.edge()}}, "is no transform"),
        ("a -> b", {"unordered": [("a", "c")]}, "no feature 'c'"),
        ("a -> b", {"limit": -1}, "limit is -1"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(
    text: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(QueryError) as refused:
        Pattern(text, **given)
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 2 or "\n" in text


def test_an_unknown_property_of_a_feature_or_a_weight_is_named_with_near_ones() -> None:
    with pytest.raises(ckb.errors.SchemaError, match=r"'orientaton'.*Did you mean 'orientation"):
        ckb.feature(orientaton=3)
    with pytest.raises(ckb.errors.SchemaError, match=r"'max_rnk'.*'max_rank'"):
        ckb.edge(max_rnk=3)


def test_what_only_the_graph_knows_is_not_asked_of_all_weights(kb: ckb.KnowledgeBase) -> None:
    query = kb.pattern("a -> b", edges=ckb.edge(strength=ckb.above(1)))
    with pytest.raises(QueryError, match="strength is known of the weights that the graph"):
        query.over("all").run()
    assert len(query.over("graph").run()) == 0


def test_patterns_are_values() -> None:
    one, same = (
        Pattern("a -> b", a=ckb.feature(layer="x")),
        Pattern("a -> b", a=ckb.feature(layer="x")),
    )
    assert one == same
    assert hash(one) == hash(same)
    assert one.limited(3) != one
    assert one.limit != 3


def test_a_store_without_models_has_no_matches(tmp_path: Any) -> None:
    with ckb.open(tmp_path / "empty.ckb") as empty:
        assert len(empty.pattern("a -> b").run()) == 0


def test_rows_do_not_depend_on_the_store(kind: Factory, tmp_path: Any) -> None:
    """Stores may not even give their rows in another order."""
    store: Store
    with kind.held(tmp_path / "s") as store:
        store.write(WORLDS[1].rows)
        found = ckb.KnowledgeBase(store).pattern("a -> b -> c").over("graph").run()
    assert list(found.rows) == sorted(found.rows)
