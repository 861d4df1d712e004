"""Who gives which concept to which unit: what agreement and consensus are computed from.

A rater *rates* a unit by giving it a label, or by agreeing with somebody's label of it. Of every
concept that such a rater did not give, the rating is no. A review that disagrees is a no to that
one concept and to nothing else; one that is unsure is no rating. Where one rater says both yes and
no, yes counts. Only live annotations count; what ``circuitkb observe`` writes is a measurement and
no rating.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.ids import FeatureId
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

By = Literal["concept", "label"]
Indices = NDArray[np.int64]
Triple = tuple[int, int, int]

TIMEOUT = 300.0
"""Seconds that reading all labels may take."""

_SCOPE = """\
  AND (size($models) = 0 OR f.model IN $models) AND (size($layers) = 0 OR f.layer IN $layers)"""

_GIVEN: dict[By, str] = {"concept": "coalesce(l.concept, a.concept, l.text)", "label": "l.id"}

_NAMED = "f.id AS feature, who.id AS rater, who.type AS type"

_SAID = f"""\
MATCH (f:Feature)<-[r:ANNOTATES]-(a:Annotation {{kind: 'label', state: 'live'}})-[:USES]->(l:Label)
WHERE r.role IS NULL AND a.records IS NOT NULL
{_SCOPE}
MATCH (a)-[:BY]->(who:Annotator)
RETURN {_NAMED}, %s AS concept, 'agree' AS verdict"""

_REVIEWED = f"""\
MATCH (v:Annotation {{kind: 'review', state: 'live'}})-[:ANNOTATES]->
  (a:Annotation {{kind: 'label', state: 'live'}})-[r:ANNOTATES]->(f:Feature)
WHERE r.role IS NULL AND a.records IS NOT NULL
{_SCOPE}
MATCH (a)-[:USES]->(l:Label)
MATCH (v)-[:BY]->(who:Annotator)
RETURN {_NAMED}, %s AS concept, v.verdict AS verdict"""


class Unit(NamedTuple):
    """A rated feature: its id, and where it is."""

    id: str
    model: str
    layer: str
    unit: int

    @classmethod
    def of(cls, id: str) -> Unit:
        """Return the unit that the id of a feature names."""
        place = FeatureId.parse(id)
        return cls(id, place.model, place.layer, place.unit)


class Counts(NamedTuple):
    """Ratings of single concepts, counted; only cells in which somebody spoke of the concept.

    ``rated[u]`` raters rated unit ``u``. In cell ``i``, of unit ``unit[i]`` and concept
    ``concept[i]``, ``raters[i]`` raters said yes or no, and ``yes[i]`` of them yes. In all other
    cells ``rated[u]`` raters say no.
    """

    rated: Indices
    unit: Indices
    concept: Indices
    yes: Indices
    raters: Indices


@dataclass(frozen=True)
class Ratings:
    """Ratings of units by raters.

    Attributes
    ----------
    units, raters, concepts
        What the indices stand for: units by model, layer and number, others in order of ids.
    types
        human, group, model or tool, for each rater.
    yes, no, unsure
        Rows of unit, rater and concept, each once and in order: given or agreed with; disagreed
        with; reviewed as unsure. No row is in two of them.
    """

    units: tuple[Unit, ...]
    raters: tuple[str, ...]
    types: tuple[str, ...]
    concepts: tuple[str, ...]
    yes: Indices
    no: Indices
    unsure: Indices

    def humans(self) -> Ratings:
        """Return the ratings of humans alone; units and concepts keep their indices."""
        human = np.array([kind == "human" for kind in self.types], dtype=bool)
        return replace(
            self,
            yes=self.yes[human[self.yes[:, 1]]],
            no=self.no[human[self.no[:, 1]]],
            unsure=self.unsure[human[self.unsure[:, 1]]],
        )

    @cached_property
    def present(self) -> Indices:
        """Indices of the raters that rated or reviewed anything."""
        return np.unique(np.concatenate([self.yes[:, 1], self.no[:, 1]]))

    def counts(self) -> Counts:
        """Return how many raters rated each unit, and each concept where somebody spoke of it."""
        pairs = np.unique(self.yes[:, :2], axis=0)
        rated = np.bincount(pairs[:, 0], minlength=len(self.units))
        of_rater = pairs[:, 0] * len(self.raters) + pairs[:, 1]

        def has_rated(rows: Indices) -> NDArray[np.bool_]:
            return np.isin(rows[:, 0] * len(self.raters) + rows[:, 1], of_rater)

        # Whoever rated the unit says no to the concept anyway; others add a rating by a no, and
        # being unsure takes the rating away.
        width = max(1, len(self.concepts))
        cells = [rows[:, 0] * width + rows[:, 2] for rows in (self.yes, self.no, self.unsure)]
        keys, place = np.unique(np.concatenate(cells), return_inverse=True)
        ends = np.cumsum([len(part) for part in cells])
        yes, no, unsure = np.split(place.reshape(-1), ends[:-1])
        count = len(keys)
        raters = (
            rated[keys // width]
            + np.bincount(no[~has_rated(self.no)], minlength=count)
            - np.bincount(unsure[has_rated(self.unsure)], minlength=count)
        )
        return Counts(rated, keys // width, keys % width, np.bincount(yes, minlength=count), raters)


def ratings(
    store: Store,
    models: Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    by: By = "concept",
) -> Ratings:
    """Read the ratings of features from the live labels and their live reviews.

    Parameters
    ----------
    store
        The knowledge base.
    models, layers
        Names to look in; all if not given.
    by
        ``concept``: labels of one concept are one; that a vocabulary file declares, else that the
        author named, else the text as it is. ``label``: every label for itself.

    Raises
    ------
    NotFoundError
        No such model or layer.
    """
    known_names.check_places(store, models, layers)
    parameters = {"models": list(models or ()), "layers": list(layers or ())}
    rows = [
        row
        for text in (_SAID, _REVIEWED)
        for row in store.read(text % _GIVEN[by], parameters, timeout=TIMEOUT, limit=None).rows
    ]
    units = {id: Unit.of(id) for id in {row[0] for row in rows}}
    return from_rows((units[row[0]], *row[1:]) for row in rows)


def from_rows(rows: Iterable[tuple[Unit, str, str, str, str]]) -> Ratings:
    """Return ratings from rows of unit, rater, type of rater, concept and verdict.

    Examples
    --------
    >>> unit = Unit("m/a:0", "m", "a", 0)
    >>> found = from_rows([(unit, "ada", "human", "curve", "agree"),
    ...                    (unit, "grace", "human", "curve", "disagree")])
    >>> found.yes.tolist(), found.no.tolist(), found.counts().raters.tolist()
    ([[0, 0, 0]], [[0, 1, 0]], [2])
    """
    kept = list(rows)
    units = sorted({row[0] for row in kept}, key=lambda unit: (*unit[1:], unit.id))
    types = {row[1]: row[2] for row in kept}
    raters = sorted(types)
    concepts = sorted({row[3] for row in kept})
    unit_at = {unit: i for i, unit in enumerate(units)}
    rater_at = {rater: i for i, rater in enumerate(raters)}
    concept_at = {concept: i for i, concept in enumerate(concepts)}
    said: dict[str, set[Triple]] = {"agree": set(), "disagree": set(), "unsure": set()}
    for unit, rater, _, concept, verdict in kept:
        said[verdict].add((unit_at[unit], rater_at[rater], concept_at[concept]))
    no = said["disagree"] - said["agree"]
    unsure = said["unsure"] - said["agree"] - no
    return Ratings(
        tuple(units),
        tuple(raters),
        tuple(types[rater] for rater in raters),
        tuple(concepts),
        *(_array(part) for part in (said["agree"], no, unsure)),
    )


def _array(triples: set[Triple]) -> Indices:
    return np.array(sorted(triples), dtype=np.int64).reshape(-1, 3)
