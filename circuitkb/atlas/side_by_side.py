"""Two models or two circuits beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from circuitkb.atlas.given import ROWS, SECONDS
from circuitkb.atlas.page import Field, Page, Table
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.observation.measures.measure import PICTURE as SIZE
from circuitkb.results.card import Card
from circuitkb.results.pictures.card_pictures import members
from circuitkb.results.pictures.figure import Figure
from circuitkb.results.pictures.layer_shares import layers
from circuitkb.results.pictures.thumbnails import Thumbnails
from circuitkb.results.result import Result
from circuitkb.schema.errors import QueryError

_FEATURES = """\
MATCH (f:Feature {model: $one})-[r:ANALOGOUS_TO]-(g:Feature {model: $other}) WHERE r.q <= 0.05
RETURN f.id AS feature, g.id AS analogue, r.score AS score, r.null_mean AS null_mean, r.q AS q
ORDER BY score DESC, feature, analogue"""

_CIRCUITS = """\
MATCH (c:Circuit {model: $one})-[r:ANALOGOUS_TO]-(d:Circuit {model: $other}) WHERE r.q <= 0.05
RETURN c.id AS circuit, d.id AS node, c.trial AS held, d.trial AS other_held, r.score AS score,
  r.null_mean AS null_mean, r.q AS q
ORDER BY score DESC, circuit, node"""

_ANALOGOUS = {"Analogous circuits": _CIRCUITS, "Analogous features": _FEATURES}

_BETWEEN = """\
MATCH (a {id: $one})-[r:ANALOGOUS_TO]-(b {id: $other})
RETURN r.score AS score, r.null_mean AS null_mean, r.p AS p, r.q AS q, r.method AS method"""


def compare(kb: KnowledgeBase, query: Mapping[str, str]) -> Page:
    """Return two models, or two circuits, beside each other; without them, the form.

    Raises
    ------
    NotFoundError
        One is not here.
    QueryError
        They are not of one kind.
    """
    one, other = query.get("one", "").strip(), query.get("other", "").strip()
    form = (Field("one", "a model or a circuit", one), Field("other", "and another", other))
    if not (one and other):
        return Page("Compare", "compare", form=form)
    cards = kb.show(one), kb.show(other)
    kinds = {card.kind for card in cards}
    if kinds == {"model"}:
        given = {"one": one, "other": other}
        tables = tuple(
            Table(title, kb.query(text, given, limit=ROWS, timeout=SECONDS))
            for title, text in _ANALOGOUS.items()
        )
        figures = tuple(filter(None, (layers(kb.store, one), layers(kb.store, other))))
    elif kinds == {"circuit"}:
        tables = (
            Table("Both", _both(*cards)),
            *_analogy(kb, one, other),
            *_aligned(kb, *cards),
        )
        figures = tuple(found for card in cards if (found := _named(kb, card)) is not None)
    else:
        raise QueryError(f"Two models or two circuits, and not {' and '.join(sorted(kinds))}.")
    return Page(
        f"{one} and {other}",
        "compare",
        figures=figures,
        tables=tables,
        form=form,
        query={"one": one, "other": other},
    )


def _named(kb: KnowledgeBase, card: Card) -> Figure | None:
    figure = members(kb.store, card)
    return figure and Figure(figure.svg, f"{card.id}. {figure.caption}", card.id)


def _both(one: Card, other: Card) -> Result:
    """Return the facts of two cards, a row each, where they have any."""
    names = list(dict.fromkeys([*one.facts, *other.facts]))
    return Result.of_records(
        {"fact": name, one.id: one.facts.get(name), other.id: other.facts.get(name)}
        for name in names
    )


def _analogy(kb: KnowledgeBase, one: str, other: str) -> tuple[Table, ...]:
    found = kb.query(_BETWEEN, {"one": one, "other": other}, limit=ROWS, timeout=SECONDS)
    return (Table("How far they are analogous, beside the null", found),)


def _aligned(kb: KnowledgeBase, one: Card, other: Card) -> Iterator[Table]:
    """Give the weights of both circuits that join members of the same roles, kernels beside."""
    draw = Thumbnails(kb.store)
    mine, theirs = _by_roles(one), _by_roles(other)
    both = [roles for roles in mine if roles in theirs]
    if not both:
        return
    rows = [
        {
            "roles": roles,
            one.id: f"{mine[roles]['source']} -> {mine[roles]['target']}",
            other.id: f"{theirs[roles]['source']} -> {theirs[roles]['target']}",
            "excites": mine[roles]["positive"],
            "other_excites": theirs[roles]["positive"],
            "inhibits": mine[roles]["negative"],
            "other_inhibits": theirs[roles]["negative"],
        }
        for roles in both
    ]
    pictures = tuple(_beside(draw(mine[roles]), draw(theirs[roles])) for roles in both)
    note = f"Kernels: of {one.id} left, of {other.id} right, each as strong as in its own kernel."
    yield Table(
        "Weights between members of the same roles",
        Result.of_records(rows),
        note if any(pictures) else "",
        pictures=pictures if any(pictures) else (),
    )


def _by_roles(card: Card) -> dict[str, Mapping[str, Any]]:
    """Return the weights between members, by the roles of their ends."""
    members, weights, _ = card.drawn()
    roles = {
        member["feature"]: f"{member['role']} {member['side'] or ''}".strip() for member in members
    }
    return {
        f"{roles.get(weight['source'], '')} to {roles.get(weight['target'], '')}": weight
        for weight in weights
    }


def _beside(left: str, right: str) -> str:
    if not (left or right):
        return ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * SIZE + 6}" height="{SIZE}">'
        f'{left}<svg x="{SIZE + 6}">{right}</svg></svg>'
    )
