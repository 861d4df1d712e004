"""More of what stands around a feature or a circuit, where its page is asked for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from circuitkb.atlas.feature_map import mapped
from circuitkb.atlas.given import PICTURES, SECONDS, known, whole_number
from circuitkb.atlas.links import map_address
from circuitkb.atlas.page import Page, Way
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.results.card import Card
from circuitkb.results.card_sections import STRONGEST
from circuitkb.results.pictures.circuit_diagram import MOST, diagram
from circuitkb.results.pictures.figure import Figure
from circuitkb.results.pictures.provenance import Provenance
from circuitkb.results.pictures.thumbnails import Thumbnails

STEP, MOST_ENDS = 20, 190
"""How many more inputs or outputs a link shows, and how many a page shows at most."""

MOST_NEIGHBOURS = 8
"""Inputs of each member that a circuit is shown with at most."""

_ENDS = {"inputs": ("Strongest inputs", "target"), "outputs": ("Strongest outputs", "source")}

_NEIGHBOURS = """\
MATCH (c:Circuit {id: $id})<-[:MEMBER_OF]-(t:Feature)
MATCH (s:Feature)-[w:WEIGHT]->(t) WHERE w.rank <= $rank
RETURN DISTINCT s.id AS source, t.id AS target, w.positive AS positive, w.negative AS negative,
  w.rank AS rank, w.connection AS connection, s.layer AS layer
ORDER BY rank, target, source"""

_PLACES = "MATCH (y:Layer) WHERE y.id IN $ids RETURN y.id AS id, y.position AS position"


def around(kb: KnowledgeBase, page: Page, card: Card, query: Mapping[str, str]) -> Page:
    """Return the page of a card with as many inputs, outputs or neighbours as a link asks for.

    Raises
    ------
    QueryError
        The link asks for what such a page has not, or for too much.
    """
    if card.kind == "feature":
        return _ends(kb, page, card.id, known(query, set(_ENDS)))
    if card.kind == "circuit":
        return _neighbours(kb, page, card, known(query, {"neighbours"}))
    known(query, set())
    if card.kind == "model" and card.id in mapped(kb):
        return replace(page, ways=(*page.ways, Way("Map of its features", map_address(card.id))))
    return page


def _ends(kb: KnowledgeBase, page: Page, feature: str, given: Mapping[str, str]) -> Page:
    counts = {name: whole_number(name, given.get(name, ""), STRONGEST, MOST_ENDS) for name in _ENDS}
    tables = {table.title: table for table in page.tables}
    ways = list(page.ways)
    for name, (title, other) in _ENDS.items():
        if title not in tables:
            continue
        if name in given:
            wanted = {"feature": feature, "top": counts[name]}
            found = kb.ask(name, parameters=wanted, timeout=SECONDS, limit=MOST_ENDS).result
            rows = [{**row, other: feature} for row in found.to_dicts()]
            drawn = tuple(map(Thumbnails(kb.store), rows[:PICTURES]))
            tables[title] = replace(
                tables[title], result=found, pictures=drawn if any(drawn) else ()
            )
        if len(tables[title].result.rows) == counts[name] < MOST_ENDS:
            more = {**given, name: str(counts[name] + STEP)}
            ways.append(Way(f"The next {STEP} {name}", page.address, more))
    return replace(page, tables=tuple(tables.values()), ways=tuple(ways), query={**given})


def _neighbours(kb: KnowledgeBase, page: Page, card: Card, given: Mapping[str, str]) -> Page:
    rank = whole_number("neighbours", given.get("neighbours", "") or "1", 1, MOST_NEIGHBOURS)
    ways = list(page.ways)
    if "neighbours" not in given or rank < MOST_NEIGHBOURS:
        wider = rank if "neighbours" not in given else min(rank + 1, MOST_NEIGHBOURS)
        said = "input" if wider == 1 else f"{wider} inputs"
        query = {"neighbours": str(wider)}
        ways.append(Way(f"With the strongest {said} of each member", page.address, query))
    if "neighbours" not in given:
        return replace(page, ways=tuple(ways))
    figure = _with_inputs(kb, card, rank)
    figures = (figure, *page.figures[1:]) if page.figures else (figure,)
    ways.append(Way("The circuit alone", page.address))
    return replace(page, figures=figures, ways=tuple(ways), query={**given})


def _with_inputs(kb: KnowledgeBase, card: Card, rank: int) -> Figure:
    members, weights, _ = card.drawn()
    within = {member["feature"] for member in members}
    found = kb.query(_NEIGHBOURS, {"id": card.id, "rank": rank}, limit=1000, timeout=SECONDS)
    joined = {(w["source"], w["target"], w["connection"]): w for w in weights}
    outside: dict[str, dict[str, Any]] = {}
    for row in found.to_dicts():
        joined.setdefault((row["source"], row["target"], row["connection"]), row)
        if row["source"] not in within:
            outside.setdefault(row["source"], {"feature": row["source"], "role": "input"})
    room = max(0, MOST - len(members))
    shown = [*members, *list(outside.values())[:room]]
    lines = list(joined.values())
    svg = diagram(_placed(kb, shown), lines, [*map(Thumbnails(kb.store), lines)])
    left_out = len(outside) - room
    caption = f"With the inputs of rank up to {rank} of each member, members or not." + (
        f" {left_out} of them are not drawn: a picture has {MOST} features." if left_out > 0 else ""
    )
    return Figure(Provenance(kb.store).sign(svg, card.id), caption)


def _placed(kb: KnowledgeBase, members: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return members with the position of their layer, which those from elsewhere lack."""
    layers = {member["feature"]: member["feature"].rpartition(":")[0] for member in members}
    rows = kb.query(_PLACES, {"ids": sorted(set(layers.values()))}, limit=None).to_dicts()
    places = {row["id"]: row["position"] for row in rows}
    return [{**m, "position": places.get(layers[m["feature"]])} for m in members]
