"""The pictures of a folder in which a feature has its largest values, as tables on its card."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from circuitkb.results.card import Section
from circuitkb.results.result import Result
from circuitkb.schema.ids import FeatureId
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.observation.photographs.kept import Observed

BEST_TITLE, CLASSES_TITLE = "Best photographs", "Classes of photographs"

MOST_CLASSES = 12
"""Classes that a card shows: those that stand out most, both ways."""


def photograph_sections(store: Store, id: str) -> list[Section]:
    """Return the best pictures of a feature, and the classes of pictures, for each observation."""
    feature = FeatureId.parse(id)
    if not store.picture_keys(feature.model):
        return []  # else NumPy is imported for nothing
    from circuitkb.observation.photographs.kept import observations

    found = list(observations(store, feature.model))
    return [
        section
        for observed in found
        for section in _sections(observed, feature, several=len(found) > 1)
    ]


def _sections(observed: Observed, feature: FeatureId, *, several: bool) -> Iterator[Section]:
    of = f": {observed.collection}" if several else ""
    best = [
        {
            "place": one.place,
            "file": one.name,
            "class": one.group or None,
            "sd": None if math.isnan(one.sd) else round(one.sd, 2),
            "value": one.value,
            "rows": None if one.frame is None else f"{one.frame[0]}-{one.frame[2]}",
            "columns": None if one.frame is None else f"{one.frame[1]}-{one.frame[3]}",
            "sha256": one.sha256,
            "photographs": observed.pictures.key,
        }
        for one in observed.examples(feature)
    ]
    if not best:
        return
    unshown = ("sha256", "photographs")
    yield Section(f"{BEST_TITLE}{of}", Result.of_records(best), said_of_best(observed), unshown)
    classes = observed.classes(feature)
    if classes:
        order = sorted(classes, key=lambda one: -abs(one.mean / one.null_spread))[:MOST_CLASSES]
        rows = [
            {
                "class": one.name,
                "pictures": one.pictures,
                "mean_sd": round(one.mean, 3),
                "null_sd": round(one.null_spread, 3),
                "photographs": observed.pictures.key,
            }
            for one in classes
            if one in order
        ]
        title, note = f"{CLASSES_TITLE}{of}", said_of_classes(observed, feature)
        if len(classes) > len(rows):
            note = f"{note} The {len(rows)} of {len(classes)} classes that stand out most."
        yield Section(title, Result.of_records(rows), note, ("photographs",))


def said_of_best(observed: Observed) -> str:
    """Return what a reader must know of the best pictures of a unit."""
    rows, columns = observed.size
    return (
        f"Best of the {len(observed.about['pictures']):,} pictures of "
        f"{observed.about['folder']!r}, and of these only: they do not show what else it answers "
        "to. The largest value anywhere in the picture, before the nonlinearity; sd: in standard "
        "deviations above its mean over the pictures. Rows and columns: its receptive field "
        f"there, in images of {rows} x {columns}."
    )


def said_of_classes(observed: Observed, feature: FeatureId) -> str:
    """Return which class a unit prefers, beside what permuted classes and shuffled weights give."""
    about, found = observed.about, observed.preference(feature)
    if found is None:
        return "It answers alike to all pictures."
    units = sum(units for _, units in about["layers"])
    beyond = "beyond chance" if found.is_beyond_chance else "not beyond chance"
    return (
        f"{found.name!r} stands out most, by {found.statistic:.1f} standard deviations of the mean "
        f"of as many pictures; with classes permuted the largest is {found.null_mean:.1f} on "
        f"average. p = {found.p:.2g}, q = {found.q:.2g}: {beyond} ({about['permutations']} "
        f"permutations).\n{found.layer_passed:,} of {found.layer_tested:,} units of the layer "
        "prefer a class beyond chance; of the whole network "
        f"{about['beyond_chance']:,} of {units:,}, and of a copy with shuffled weights "
        f"{about['shuffled']:,}: classes differ in whatever goes with them, as backgrounds do, and "
        "a preference is no meaning.\nmean_sd: mean answer to the class, in standard deviations "
        "over pictures; null_sd: its spread about 0 with classes permuted."
    )
