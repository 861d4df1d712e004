"""What several networks have, by the matches that a store holds, beside what chance gives."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from circuitkb.results.match_reports import FEATURES, FEWEST, InSeveral, compared
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.matching.several import Analogous, Several
    from circuitkb.schema.tables import GraphRows

RATE = 0.05

_PAIRS = (
    "MATCH (a:{label})-[r:ANALOGOUS_TO]->(b:{label}) WHERE r.q <= $rate RETURN DISTINCT a.id AS a, "
    "b.id AS b, a.model AS one, b.model AS other, r.score AS score, r.method AS method, "
    "r.networks AS networks, {more} ORDER BY a, b, method"
)


class _Pair(NamedTuple):
    """A relation as it is stored, and what it relates."""

    analogous: Analogous
    label: str
    method: str | None
    networks: int | None


def in_several_networks(
    store: Store, models: Sequence[str], seed: int
) -> tuple[list[GraphRows], tuple[InSeveral, ...]]:
    """Return what three networks or more have, as rows and in words.

    Asked is of all networks of the store that were matched, and, where three or more are named that
    are not all, of those. Relations say in how many networks their ends are.
    """
    from circuitkb.matching.several_rows import several_rows

    matched = _matched(store)
    every = sorted({name for two in matched for name in two})
    if len(every) < FEWEST:
        return [], ()
    pairs = _pairs(store)
    named = sorted(set(models)) if len(set(models)) >= FEWEST else every
    fingerprints = _fingerprints(store, [*every, *named])
    rows: list[GraphRows] = []
    said: list[InSeveral] = []
    for asked in [every] if named == every else [every, named]:
        missing = [two for two in _twos(asked) if two not in matched]
        for kind, found in _several(store, pairs, asked, matched, seed).items():
            rows.append(several_rows(kind, found, {name: fingerprints[name] for name in asked}))
            if asked is every:
                rows.append(_networks(pairs[kind], found))
            if asked == named:
                said += _in_words(kind, found, len(missing))
    return rows, tuple(said)


def _several(
    store: Store,
    pairs: dict[str, list[_Pair]],
    asked: Sequence[str],
    matched: set[tuple[str, str]],
    seed: int,
) -> dict[str, Several]:
    from circuitkb.matching.several import in_several

    shuffled = _shuffled(store, asked, matched)
    found = {}
    for kind, held in pairs.items():
        inside = [one.analogous for one in held if set(one.analogous.networks) <= set(asked)]
        if inside:
            found[kind] = in_several(
                inside, asked, shuffled=shuffled if kind == FEATURES else {}, seed=seed
            )
    return found


def _pairs(store: Store) -> dict[str, list[_Pair]]:
    """Return what is analogous in two networks, by the kind of its evidence."""
    from circuitkb.matching.several import Analogous
    from circuitkb.motifs.registry import MOTIFS

    kinds = {motif.name: motif.analogous for motif in MOTIFS}
    found: dict[str, list[_Pair]] = {}
    layers = _layers_of_circuits(store)
    for label, more in (
        ("Feature", "a.layer AS one_layer, b.layer AS other_layer"),
        ("Circuit", "a.motif AS motif, a.`group` AS ties"),
    ):
        text = _PAIRS.format(label=label, more=more)
        for row in store.read(text, {"rate": RATE}, limit=None).to_dicts():
            if label == "Feature":
                kind = FEATURES
                at = row["one_layer"], row["other_layer"]
            else:
                motif = str(row["ties"] or row["motif"]).partition(":")[0]
                kind = kinds.get(motif, f"analogous-{motif}-circuits")
                at = layers.get(row["a"], ""), layers.get(row["b"], "")
            pair = Analogous(
                row["a"], row["b"], (row["one"], row["other"]), at, row["score"] or 0.0
            )
            found.setdefault(kind, []).append(_Pair(pair, label, row["method"], row["networks"]))
    return found


def _layers_of_circuits(store: Store) -> dict[str, str]:
    """Return the last layer that a member of each circuit is in."""
    rows = store.read(
        "MATCH (c:Circuit)-[:ANALOGOUS_TO]-(:Circuit) WITH DISTINCT c "
        "MATCH (f:Feature)-[:MEMBER_OF]->(c) MATCH (f)-[:IN_LAYER]->(y:Layer) "
        "RETURN DISTINCT c.id AS circuit, y.position AS place, f.layer AS layer "
        "ORDER BY circuit, place, layer",
        limit=None,
    ).rows
    return {circuit: layer for circuit, _, layer in rows}


def _matched(store: Store) -> set[tuple[str, str]]:
    """Return the networks that were matched, two by two, each pair in order of names."""
    rows = store.read(
        "MATCH (i:Import {kind: 'match'}) RETURN i.summary AS summary ORDER BY summary", limit=None
    ).rows
    twos = (sorted(json.loads(summary)["models"]) for (summary,) in rows)
    return {(one, other) for one, other in twos}


def _twos(models: Iterable[str]) -> list[tuple[str, str]]:
    from itertools import combinations

    return list(combinations(sorted(models), 2))


def _fingerprints(store: Store, models: Sequence[str]) -> dict[str, str]:
    rows = store.read(
        "MATCH (m:Model) WHERE m.id IN $models RETURN m.id AS model, m.fingerprint AS print",
        {"models": list(models)},
        limit=None,
    ).rows
    return {model: str(fingerprint) for model, fingerprint in rows}


def _shuffled(
    store: Store, asked: Sequence[str], matched: set[tuple[str, str]]
) -> dict[str, list[Analogous] | None]:
    """Return what is analogous to each network with shuffled weights, where matches kept that."""
    from circuitkb.matching.several import Analogous

    rows = store.read(
        "MATCH (e:Evidence {kind: $kind}) RETURN e.detail AS detail ORDER BY detail",
        {"kind": FEATURES},
        limit=None,
    ).rows
    kept: dict[tuple[str, str], list[Any]] = {}  # shuffled, other
    for (text,) in rows:
        detail = json.loads(text)
        for control in detail["controls"]:
            if "pairs" in control:
                network = control["shuffled"]
                place = detail["models"].index(network)
                other = detail["models"][1 - place]
                kept.setdefault((network, other), []).extend(
                    (one[place], one[1 - place], one[2]) for one in control["pairs"]
                )
    found: dict[str, list[Analogous] | None] = {}
    for network in asked:
        others = [name for name in asked if tuple(sorted((name, network))) in matched]
        found[network] = None
        if all((network, other) in kept for other in others):
            found[network] = [
                Analogous(
                    f"{network} shuffled/{own}",
                    f"{other}/{theirs}",
                    (network, other),
                    (own.rpartition(":")[0], theirs.rpartition(":")[0]),
                    score,
                )
                for other in others
                for own, theirs, score in kept[network, other]
            ]
    return found


def _networks(pairs: Sequence[_Pair], found: Several) -> GraphRows:
    """Return the relations whose number of networks is another one now."""
    from circuitkb.schema.tables import GraphRows, Relations, relation_table, rows_of

    rows: dict[str, list[dict[str, Any]]] = {}
    for pair in pairs:
        one, other = sorted((pair.analogous.one, pair.analogous.other))
        size = found.largest.get((one, other), 2)
        if size != (pair.networks or 2):
            row = {"source": pair.analogous.one, "target": pair.analogous.other}
            rows.setdefault(pair.label, []).append(row | {"method": pair.method, "networks": size})
    return GraphRows(
        relations=[
            Relations("ANALOGOUS_TO", label, label, relation_table("ANALOGOUS_TO", rows_of(given)))
            for label, given in rows.items()
        ]
    )


def _in_words(kind: str, found: Several, missing: int) -> list[InSeveral]:
    said = []
    for size, count in found.sizes.items():
        counts = [one for one in found.counts if one.at_least == size and one.found]
        said.append(
            InSeveral(
                what=compared(kind),
                models=found.networks,
                at_least=size,
                found=count,
                joined=found.joined[size],
                null_mean=max((one.null_mean for one in counts), default=None),
                null_max=max(
                    (max(one.exchanged_max, one.shuffled or 0) for one in counts), default=None
                ),
                p=max((one.p for one in counts), default=None),
                q=max((one.q for one in counts), default=None),
                unmatched=missing,
            )
        )
    return said
