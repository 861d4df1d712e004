"""The card of anything in a knowledge base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuitkb.queries.lists.conditions import Mention
from circuitkb.results.card import Card
from circuitkb.results.card_sections import CHOSEN, sections
from circuitkb.schema.definition import NODES, did_you_mean, node_type
from circuitkb.schema.errors import CircuitKBError, IdError, NotFoundError
from circuitkb.schema.ids import FeatureId, LayerId
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.results.pictures.figure import Figure


def card(store: Store, id: str) -> Card:
    """Return the card of a feature, a layer, a model, a circuit, or a node of any other kind.

    Raises
    ------
    NotFoundError
        There is no such thing; the message has near matches.
    """
    for label in dict.fromkeys([*CHOSEN, *(node.label for node in NODES)]):
        properties = ", ".join(f"n.`{p.name}` AS `{p.name}`" for p in node_type(label).properties)
        answer = store.read(f"MATCH (n:{label} {{id: $id}}) RETURN {properties}", {"id": id})
        if answer.rows:
            values = zip(answer.columns, answer.rows[0], strict=True)
            facts = {
                name: value for name, value in values if name != "id" and value not in (None, [])
            }
            tables = sections(store, label, id, facts)
            return Card(
                label.lower(),
                id,
                facts,
                tables,
                lambda card: _pictures(store, card),
                lambda card: _images(store, card),
            )
    raise _not_found(store, id)


def _pictures(store: Store, card: Card) -> tuple[Figure, ...]:
    from circuitkb.results.pictures.card_pictures import card_pictures  # which needs NumPy

    return card_pictures(store, card)


def _images(store: Store, card: Card) -> str:
    from circuitkb.results.pictures.card_images import card_images

    return card_images(store, card)


def _not_found(store: Store, id: str) -> CircuitKBError:
    try:
        feature = FeatureId.parse(id)
        known_names.check(store, [Mention("feature", str(feature))])
    except NotFoundError as error:
        return error
    except IdError:
        pass
    try:
        place = LayerId.parse(id)
        known_names.check(store, [Mention("layer", place.layer, place.model)])
    except NotFoundError as error:
        return error
    except IdError:
        pass
    circuits = store.read("MATCH (c:Circuit) RETURN c.id AS id", limit=None).rows
    known = [*known_names.models(store), *(row[0] for row in circuits)]
    near = did_you_mean(id, known) if known else ""
    return NotFoundError(f"Nothing here has the id {id!r}.{near}")
