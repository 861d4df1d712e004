"""The question of unions against brute force over the records of small random graphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from circuitkb.queries.questions.catalogue import find
from circuitkb.schema.tables import GraphRows, node_table
from circuitkb.stores.base import Store
from tests.queries.conftest import GRAPHS, rows
from tests.queries.questions.test_catalogue_answers import MODELS, answer


@pytest.mark.parametrize("label", ["", "dog"])
@pytest.mark.parametrize("models", MODELS, ids=str)
def test_union_gathers_the_circuits_of_each_target_and_the_published_ones_not_found(
    stored: Any, models: list[str], label: str
) -> None:
    graph, store = stored
    kinds = ("union-over-cases", "mirror-pathways+union")
    other = {e["circuit"] for e in graph.evidence if "up-down" in (e.get("detail") or "")}
    all_circuits = [c for c in graph.circuits if c["id"] not in other]
    circuits = [
        c
        for c in all_circuits
        if (not models or c["model"] in models)
        and (not label or any(label in t.lower() for t in graph.labels_of(*graph.members(c))))
    ]
    published = [c for c in graph.circuits if c["origin"] == "published"]
    found: dict[str, list[dict[str, Any]]] = {}
    for circuit in circuits:
        if circuit["motif"] == "union":
            target = next(m["feature"] for m in circuit["members"] if m["role"] == "union")
            found.setdefault(target, []).append(circuit)
    expected = []
    for target, group in found.items():
        group.sort(key=lambda c: (-c["score"], c["id"]))
        sides = [
            list(dict.fromkeys(m["feature"] for c in group for m in c["members"] if m["side"] == n))
            for n in (1, 2)
        ]
        best = group[0]
        evidence = next(e for e in graph.evidence if e["circuit"] == best["id"])
        by = {"mirrored-inputs": "kernels", "mirrored-responses": "responses"}[evidence["kind"]]
        holding = [
            p
            for p in published
            if target in graph.members(p) and all(graph.members(p) & {*side} for side in sides)
        ]
        expected.append(
            row(graph, target, *sides, by=by)
            | {
                "by": by,
                "analogous": analogous(graph, group),
                "pairs": len(group),
                "score": best["score"],
                "origin": "found",
                "hits": evidence["value"],
                "null_mean": evidence["null_mean"],
                "p": evidence["p"],
                "q": evidence["q"],
                "published_as": sorted(p["id"] for p in holding if p["motif"] in kinds),
                "also_in": sorted(
                    f"{p['id']} ({p['motif']})" for p in holding if p["motif"] not in kinds
                ),
            }
        )
    for circuit in circuits:
        if circuit["motif"] not in kinds:
            continue
        deepest = max(graph.place(id)[1] for id in graph.members(circuit))
        for target in graph.members(circuit):
            twin = any(
                c["motif"] == "union"
                and graph.members(c) <= graph.members(circuit)
                and any(m["feature"] == target and m["role"] == "union" for m in c["members"])
                for c in all_circuits
            )
            if graph.place(target)[1] == deepest and not twin:
                expected.append(
                    row(graph, target, [], [], by=None)
                    | {
                        "by": None,
                        "analogous": [],
                        "pairs": None,
                        "score": None,
                        "hits": None,
                        "null_mean": None,
                        "p": None,
                        "q": None,
                        "origin": "published",
                        "published_as": [circuit["id"]],
                        "also_in": [],
                    }
                )
    expected.sort(
        key=lambda r: (
            r["origin"],
            r["q"] or 1,
            -(r["score"] or 0),
            r["model"],
            r["target"],
            r["published_as"],
        )
    )
    got = answer(store, "union", models=models, label=label)
    assert got == expected


@pytest.fixture(scope="module")
def searched_again(
    kind: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, Store, list[dict[str, Any]]]]:
    """A graph whose found circuits have shapes, pairs and asymmetries, as searches write them."""
    graph = GRAPHS[0]
    shapes, asymmetries = ("two peaks", "flat", "between", None), ("tilt", "curve side")
    outcomes = ("held", "failed", None, "held", "undecided")
    other = {e["circuit"] for e in graph.evidence if "up-down" in (e.get("detail") or "")}
    circuits = []
    for number, circuit in enumerate(c for c in graph.circuits if c["origin"] == "found"):
        shape = shapes[number % 4]
        told = {
            "shape": shape,
            "motif": "union" if shape == "two peaks" else "mirrored-inputs",
            "asymmetry": asymmetries[number % 2],
            "pair_q": (number % 3) / 10,
            "trial": outcomes[number % 5],
            "pair": " ".join(sorted(m["feature"] for m in circuit["members"] if m["side"])),
            "of": ["mirror up-down" if circuit["id"] in other else "mirror left-right"],
        }
        circuits.append(circuit | told)
    columns = [name for name in circuits[0] if name != "members"]
    table = {name: [circuit[name] for circuit in circuits] for name in columns}
    with kind.held(tmp_path_factory.mktemp("searched")) as store:
        store.write(rows(graph))
        store.write(GraphRows({"Circuit": node_table("Circuit", table)}))
        yield graph, store, circuits


@pytest.mark.parametrize("shape", ["two peaks", "flat", "any"])
@pytest.mark.parametrize(
    ("cases", "trial"),
    [("", ""), ("oriented", ""), ("curve side", ""), ("", "held"), ("", "untried")],
)
def test_unions_are_pairs_of_the_shape_and_the_cases_that_are_asked_for_and_the_rest_is_counted(
    searched_again: Any, shape: str, cases: str, trial: str
) -> None:
    graph, store, circuits = searched_again
    pairs: dict[Any, set[str]] = {}
    held: Counter[Any] = Counter()
    left_out = 0
    for circuit in circuits:
        if circuit["of"] != ["mirror left-right"]:
            continue
        side = {m["side"] or m["role"]: m["feature"] for m in circuit["members"]}
        two = [side[1], side[2]]
        fits = {
            "": True,
            "oriented": all(graph.feature(f).get("orientation") is not None for f in two)
            or any("orient" in text.lower() for text in graph.labels_of(*two)),
            "curve side": circuit["asymmetry"] == "curve side"
            or any("curve" in text.lower() for text in graph.labels_of(*two)),
        }[cases]
        of_this_shape = shape == "any" or circuit["shape"] == shape
        fits = fits and trial in ("", circuit["trial"] or "untried")
        if not (of_this_shape and fits):
            left_out += 1
        else:
            key = (*sorted(two), circuit["shape"])
            held[key] += circuit["trial"] == "held"
            pairs.setdefault(key, set()).add(side["union"])
    given = {"shape": shape, "cases": cases, "trial": trial}
    got = [r for r in answer(store, "union", **given) if r["origin"] == "found"]
    assert {(*sorted([*r["side_1"], *r["side_2"]]), r["shape"]): r["held"] for r in got} == held
    assert {
        (*sorted([*r["side_1"], *r["side_2"]]), r["shape"]): set(r["targets"]) for r in got
    } == pairs
    assert all(r["unions"] == len(r["targets"]) and r["target"] in r["targets"] for r in got)
    order = [(r["pair_q"], -r["unions"]) for r in got]
    assert order == sorted(order)
    values = find("union").bind(given).parameters
    statement = find("union").leaving_out(values)
    assert statement is not None
    said = store.read(statement.text, statement.parameters).rows
    assert sum(circuits for _, circuits in said) == left_out


@pytest.mark.parametrize("orientation", [None, 40.0])
@pytest.mark.parametrize(
    ("one", "other"), [("", ""), ("curve", ""), ("curve", "dog"), ("", "heads")]
)
def test_unions_are_found_by_what_people_call_the_cases_and_by_what_they_were_measured_to_prefer(
    stored: Any, one: str, other: str, orientation: float | None
) -> None:
    graph, store = stored
    measured = {
        f["id"]: f["orientation"] for f in graph.features if f.get("orientation") is not None
    }

    def near(feature: str) -> bool:
        if feature not in measured:
            return False
        apart = abs(measured[feature] - (orientation or 0)) % 180
        return min(apart, 180 - apart) <= 15

    def says(side: set[str], word: str) -> bool:
        return not word or any(word in text.lower() for text in graph.labels_of(*side))

    expected = set()
    other_motifs = {e["circuit"] for e in graph.evidence if "up-down" in (e.get("detail") or "")}
    for circuit in graph.circuits:
        if circuit["motif"] != "union" or circuit["id"] in other_motifs:
            continue
        sides = [{m["feature"] for m in circuit["members"] if m["side"] == n} for n in (1, 2)]
        fits = [says(a, one) and says(b, other) for a, b in (sides, sides[::-1])]
        if any(fits) and (orientation is None or any(map(near, set.union(*sides)))):
            expected.add(next(m["feature"] for m in circuit["members"] if m["role"] == "union"))
    given = {"one_label": one, "other_label": other}
    if orientation is not None:
        given["orientation"] = orientation
    got = answer(store, "union", **given)
    assert {r["target"] for r in got if r["origin"] == "found"} == expected


def analogous(graph: Any, circuits: list[dict[str, Any]]) -> list[str]:
    """Targets of the believable analogues of some circuits, whichever was matched with which."""
    here = {circuit["id"] for circuit in circuits}
    others = {
        end
        for link in graph.analogous
        if link["q"] <= 0.05
        for start, end in ((link["source"], link["target"]), (link["target"], link["source"]))
        if start in here
    }
    return sorted(
        {
            member["feature"]
            for circuit in graph.circuits
            for member in circuit["members"]
            if circuit["id"] in others and member["role"] == "union"
        }
    )


def row(
    graph: Any, target: str, ones: list[str], twos: list[str], *, by: str | None
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "model": graph.feature(target)["model"],
        "target": target,
        "target_labels": graph.labels_of(target),
        "targets": [target],
        "unions": 1,
        "held": 0 if ones else None,
        "tried": 0 if ones else None,
        "orientations": [
            orientation
            for side in (ones, twos)
            for orientation in [graph.feature(side[0]).get("orientation") if side else None]
            if orientation is not None
        ],
        # What searches of older versions did not tell.
        **dict.fromkeys(("shape", "facing_1", "facing_2", "asymmetry")),
        **dict.fromkeys(("pair_targets", "pair_null", "pair_p", "pair_q")),
    }
    for number, side in ((1, ones), (2, twos)):
        offsets = [
            w["positive_dx"]
            for w in graph.weights
            if w["target"] == target
            and w["source"] in side
            and w["positive_dx"] is not None
            and by == "kernels"
        ]
        found |= {
            f"side_{number}": side,
            f"labels_{number}": graph.labels_of(*side),
            f"dx_{number}": pytest.approx(sum(offsets) / len(offsets)) if offsets else None,
        }
    return found
