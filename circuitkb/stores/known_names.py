"""Whether the models, layers, features, labels and motifs that a query names are there at all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from circuitkb.queries.lists.conditions import Mention
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import NotFoundError
from circuitkb.schema.ids import FeatureId
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.queries.questions.mentions import Names


def models(store: Store) -> list[str]:
    """Return the names of the models, in order."""
    return _column(store, "MATCH (m:Model) RETURN m.id AS id ORDER BY id")


def names(store: Store) -> Names:
    """Return what a sentence may name: models, their layers, and the texts of labels."""
    from circuitkb.queries.questions.mentions import Names

    layers: dict[str, list[str]] = {}
    for model, layer in store.read(
        "MATCH (y:Layer) RETURN y.model AS model, y.name AS name ORDER BY model, y.position, name",
        limit=None,
    ).rows:
        layers.setdefault(model, []).append(layer)
    return Names(models(store), layers, _labels(store))


def check(store: Store, mentions: Iterable[Mention]) -> None:
    """Raise :class:`NotFoundError`, with near matches, for the first name that is not there."""
    for mention in mentions:
        _CHECKS[mention.kind](store, mention)


def there(store: Store, kind: Literal["label", "motif"]) -> bool:
    """Return whether there is any label, or any circuit, that could be named."""
    label = {"label": "Label", "motif": "Circuit"}[kind]
    return bool(store.read(f"MATCH (n:{label}) RETURN 1 AS one LIMIT 1").rows)


def check_models(store: Store, wanted: Iterable[str]) -> None:
    """Raise :class:`NotFoundError` for the first model that is not there."""
    check(store, (Mention("model", name) for name in wanted))


def check_places(
    store: Store, models: Iterable[str] | None = None, layers: Iterable[str] | None = None
) -> None:
    """Raise :class:`NotFoundError` for the first model or layer that is not there."""
    check(store, (Mention("model", name) for name in models or ()))
    check(store, (Mention("layer", name) for name in layers or ()))


def _check_model(store: Store, mention: Mention) -> None:
    known = models(store)
    if not known:
        raise NotFoundError(
            f"No model {mention.name!r}: this knowledge base is empty. "
            "Fill it, as in: circuitkb load published:inceptionv1"
        )
    if mention.name not in known:
        raise NotFoundError(f"No model {mention.name!r} here.{did_you_mean(mention.name, known)}")


def _check_layer(store: Store, mention: Mention) -> None:
    if mention.model is not None:
        _check_model(store, Mention("model", mention.model))
    known = _column(
        store,
        "MATCH (y:Layer) WHERE $model IS NULL OR y.model = $model "
        "RETURN DISTINCT y.name AS name ORDER BY name",
        model=mention.model,
    )
    if mention.name not in known:
        where = mention.model or "any model here"
        raise NotFoundError(
            f"No layer {mention.name!r} in {where}.{did_you_mean(mention.name, known)}"
        )


def _check_feature(store: Store, mention: Mention) -> None:
    if _column(store, "MATCH (f:Feature {id: $id}) RETURN f.id AS id", id=mention.name):
        return
    feature = FeatureId.parse(mention.name)
    _check_layer(store, Mention("layer", feature.layer, feature.model))
    units = _column(
        store,
        "MATCH (y:Layer {id: $id}) RETURN y.channels AS channels",
        id=str(feature.layer_id),
    )
    raise NotFoundError(
        f"No feature {mention.name!r}: {feature.layer_id} has units 0 to {units[0] - 1}."
        if feature.basis is None and units
        else f"No feature {mention.name!r} here."
    )


def _check_label(store: Store, mention: Mention) -> None:
    known = _labels(store)
    if not known:
        raise NotFoundError(
            f"No label has {mention.name!r} in it: nothing is labelled here. "
            "Bring labels, as in: circuitkb annotate import FILE"
        )
    if not any(mention.name.lower() in text.lower() for text in known):
        near = did_you_mean(mention.name, known)
        raise NotFoundError(f"No label has {mention.name!r} in it.{near}")


def _check_motif(store: Store, mention: Mention) -> None:
    known = _column(store, "MATCH (c:Circuit) RETURN DISTINCT c.motif AS motif ORDER BY motif")
    if not known:
        raise NotFoundError("No circuits here yet. Search for some, as in: circuitkb find union")
    if mention.name not in known:
        raise NotFoundError(
            f"No circuit of the motif {mention.name!r} here.{did_you_mean(mention.name, known)}"
        )


_CHECKS = {
    "model": _check_model,
    "layer": _check_layer,
    "feature": _check_feature,
    "label": _check_label,
    "motif": _check_motif,
}


def _labels(store: Store) -> list[str]:
    return _column(store, "MATCH (l:Label) RETURN DISTINCT l.text AS text ORDER BY text")


def _column(store: Store, cypher: str, **parameters: object) -> list[Any]:
    return [row[0] for row in store.read(cypher, parameters, limit=None).rows]
