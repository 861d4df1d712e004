"""The pictures of a card, for a notebook and for a page: each says what it shows."""

from __future__ import annotations

from circuitkb.results.card import Card
from circuitkb.results.pictures.circuit_diagram import MOST, diagram
from circuitkb.results.pictures.figure import Figure
from circuitkb.results.pictures.layer_shares import layers
from circuitkb.results.pictures.measured_value import measured_picture
from circuitkb.results.pictures.provenance import Provenance
from circuitkb.results.pictures.thumbnails import Thumbnails
from circuitkb.results.pictures.tuning_curves import tuning_picture
from circuitkb.schema.errors import CircuitKBError
from circuitkb.stores.base import Store

TUNING = (
    "How it answers to orientations, before its nonlinearity, in standard deviations above grey. "
    "Grey band: the middle 90% of the units of its layer in the network with shuffled weights, "
    "each turned so that it peaks where this one does: what lies within is what chance gives."
)

MEASURED = (
    "Black dot: what was measured. Grey band: the interval that was predicted before the run. "
    "Orange: the mean of the controls, or of the null."
)


def card_pictures(store: Store, card: Card) -> tuple[Figure, ...]:
    """Return the pictures of a card; one that cannot be drawn is no reason to show no card."""
    sign = Provenance(store).sign
    model = str(card.facts.get("model") or card.facts.get("network") or "")
    found = []
    for draw in (_members, _measured, _tuning, _layers):
        try:
            figure = draw(store, card)
            if figure is not None:
                found.append(Figure(sign(figure.svg, card.id, model), figure.caption))
        except (CircuitKBError, OSError):
            continue
    return tuple(found)


def _members(store: Store, card: Card) -> Figure | None:
    return members(store, card)


def _measured(store: Store, card: Card) -> Figure | None:
    beside = measured_picture(card.facts) if card.kind in ("trial", "evidence") else ""
    return Figure(beside, MEASURED) if beside else None


def _tuning(store: Store, card: Card) -> Figure | None:
    if card.kind != "feature" or not card.facts.get("answers"):
        return None
    responses = store.responses(str(card.facts["model"]))
    return None if responses is None else Figure(tuning_picture(responses, card.id), TUNING)


def _layers(store: Store, card: Card) -> Figure | None:
    return layers(store, card.id) if card.kind == "model" else None


def members(store: Store, card: Card) -> Figure | None:
    """Return a circuit, or a feature's strongest inputs, as a picture; None without any."""
    shown, weights, caption = card.drawn()
    left_out = len(shown) - MOST
    if left_out > 0:
        caption = f"{left_out} more members are not drawn. {caption}"
    drawn = diagram(shown, weights, [*map(Thumbnails(store), weights)])
    return Figure(drawn, caption) if drawn else None
