"""What measurements say of labels whose vocabulary says what should be measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from circuitkb.queries.questions.catalogue import find
from circuitkb.results.result import Result
from circuitkb.schema.ids import FeatureId
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

QUESTION = "contradicted"
"""The question of the catalogue that this runs."""

VERDICTS = ("contradicts", "not confirmed", "agrees", "not measured")

_TIED = "MATCH (l:Label) WHERE l.measure IS NOT NULL AND l.measure <> '' RETURN count(l) AS labels"


_TIED_OF_FEATURE = """\
MATCH (:Feature {id: $id})<-[:ANNOTATES]-(:Annotation)-[:USES]->(l:Label)
WHERE l.measure IS NOT NULL AND l.measure <> '' RETURN l.id AS id LIMIT 1"""


def measured_labels(
    store: Store,
    models: Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    label: str = "",
) -> Result:
    """Return a row for each feature and label that a measurement can speak to.

    ``agrees``: the measurement found what the vocabulary expects. ``contradicts``: an orientation
    beyond both nulls where none is expected, or one further off than the tolerance.
    ``not confirmed``: an orientation is expected, and the tuning is within a null. ``not
    measured``: the model was not observed, or no stimulus moved the unit.

    Parameters
    ----------
    store
        The knowledge base.
    models, layers
        Names to look in; all if not given.
    label
        Part of the label, in any case.

    Raises
    ------
    NotFoundError
        No such model or layer.
    """
    known_names.check_places(store, models, layers)
    statement = find(QUESTION).bind(
        {"models": list(models or ()), "layers": list(layers or ()), "label": label}
    )
    answer = store.read(statement.text, statement.parameters, limit=None)
    verdict = answer.columns.index("verdict")
    found = Counter(row[verdict] for row in answer.rows)
    notes = (", ".join(f"{name}: {found[name]:,}" for name in VERDICTS if found[name]),)
    if not answer.rows:
        notes = (_silence(store),)
    return Result.of_answer(answer, statement, notes=notes)


def of_feature(store: Store, feature: str) -> Result:
    """Return what measurements say of the labels of one feature, for its card.

    Parameters
    ----------
    store
        The knowledge base.
    feature
        Its id.
    """
    if not store.read(_TIED_OF_FEATURE, {"id": feature}).rows:
        return Result(tuple(find(QUESTION).columns), ())  # the question reads the whole layer
    place = FeatureId.parse(feature)
    found = measured_labels(store, [place.model], [place.layer])
    rows = tuple(row for row in found.rows if row[0] == feature)
    return replace(found, rows=rows, notes=())


def _silence(store: Store) -> str:
    """Return why there are no rows."""
    if store.read(_TIED).rows[0][0]:
        return "No feature asked for has a live label that a vocabulary ties to a measure."
    return (
        "No label here is tied to a measure: a vocabulary file says what should be measured "
        "(columns measure and expected)."
    )
