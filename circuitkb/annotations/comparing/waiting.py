"""Labels that wait for a model: they count nowhere until it is loaded, and a reader must know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from circuitkb.schema.errors import IdError
from circuitkb.schema.ids import FeatureId
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

Raters = Literal["human", "all"]

_WAITING = """\
MATCH (a:Annotation {awaiting: 'model'})-[:BY]->(who:Annotator)
WHERE a.state = 'pending' AND a.kind = 'label'
  AND any(r IN a.records WHERE r CONTAINS '"type":"feature"')
MATCH (a)-[:USES]->(l:Label)
UNWIND a.awaits AS feature
RETURN feature, coalesce(l.concept, a.concept, l.text) AS concept, who.type AS type,
  count(DISTINCT a.id) AS labels"""

_TIMEOUT = 300.0
_NAMED = 3
"""Models that notes are given for, one each; of more they say how many."""


@dataclass(frozen=True)
class Waiting:
    """Labels of features that are not here, by model.

    Attributes
    ----------
    labels
        How many wait, by model, concept and whether a human gave them.
    models
        Models that are here: they lack the units.
    examples
        A feature that is waited for, by model.
    """

    labels: Counter[tuple[str, str, bool]]
    models: frozenset[str]
    examples: dict[str, str]

    def count(self, concept: str | None = None, raters: Raters = "all") -> int:
        """Return how many labels wait: of one concept, or of all."""
        return sum(
            number
            for (_, of, human), number in self.labels.items()
            if (concept is None or of == concept) and (raters == "all" or human)
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What waits for which model, and the command that brings it; empty where nothing waits."""
        of_model: Counter[str] = Counter()
        for (model, _, _), number in self.labels.items():
            of_model[model] += number
        ranked = sorted(of_model, key=lambda model: (-of_model[model], model))
        lines = [self._note(model, of_model[model]) for model in ranked[:_NAMED]]
        if left := ranked[_NAMED:]:
            more = sum(of_model[model] for model in left)
            lines.append(
                f"{labels_wait(more)} for {len(left):,} other models. "
                "To see for what: circuitkb ask pending"
            )
        return tuple(lines)

    def _note(self, model: str, number: int) -> str:
        if model in self.models:
            which = f"a unit of {model} that it does not have"
            if number > 1:
                which = f"units of {model} that it does not have"
            return f"{labels_wait(number)} for {which}, as {self.examples[model]}"
        return f"{labels_wait(number)} for {model}, which is not loaded: {_load(model)}"


def waiting(
    store: Store, models: Sequence[str] | None = None, layers: Sequence[str] | None = None
) -> Waiting:
    """Find the labels of features that wait for a model, or for a unit that a model lacks.

    Parameters
    ----------
    store
        The knowledge base.
    models, layers
        Names to look in; all if not given.
    """
    labels: Counter[tuple[str, str, bool]] = Counter()
    examples: dict[str, str] = {}
    for id, concept, kind, number in store.read(_WAITING, timeout=_TIMEOUT, limit=None).rows:
        try:
            feature = FeatureId.parse(id)
        except IdError:  # an annotation that it supersedes, which is not here either
            continue
        if (models and feature.model not in models) or (layers and feature.layer not in layers):
            continue
        labels[feature.model, concept, kind == "human"] += number
        examples[feature.model] = min(id, examples.get(feature.model, id))
    return Waiting(labels, frozenset(known_names.models(store)), examples)


def labels_wait(number: int) -> str:
    """Return how many labels wait, in words."""
    return "1 label waits" if number == 1 else f"{number:,} labels wait"


def _load(model: str) -> str:
    from circuitkb.loaders.sources.opening import known_source

    return f"circuitkb load {known_source(model) or f'SOURCE --name {model}'}"
