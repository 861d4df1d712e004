"""What the demo draws: two analogous unions, gathered from what their units responded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circuitkb.schema.errors import ObservationError
from circuitkb.schema.ids import FeatureId

if TYPE_CHECKING:
    from circuitkb.demonstration.direction_tuning import DirectedFamily
    from circuitkb.kb.knowledge_base import KnowledgeBase
    from circuitkb.results.pictures.union_kernels import UnionDrawing
    from circuitkb.results.pictures.union_page import MeasuredUnion, Shown, Strength, Tuning
    from circuitkb.schema.responses import Responses

MIRROR = "mirror left-right"
STIMULI_DRAWN = 4
LEAST_CROP = 48
INPUTS_DRAWN = 12

LIKED = 10
"""Stimuli that a unit responds to most, as the search for unions counts them."""

Values = NDArray[np.float64]
Row = Mapping[str, Any]


class Union(NamedTuple):
    """A target, the best pair of cases that it unites, and the stimuli that show the pair best."""

    model: str
    target: str
    one: str
    other: str
    family: DirectedFamily
    row: Row


class Observed:
    """Responses of one model after the nonlinearity, as the figure reads them."""

    def __init__(self, responses: Responses) -> None:
        from circuitkb.demonstration.direction_tuning import directed_families
        from circuitkb.observation.kept import battery_of, images_under
        from circuitkb.observation.measures.tuning import grey_of

        self.kept = responses
        self.battery = battery_of(responses)
        self.mirrored = images_under(responses, MIRROR)
        self.grey = grey_of(self.battery.stimuli)
        self.families = directed_families(self.battery.stimuli)
        self._usual_peaks: dict[tuple[str, str], float] = {}

    @property
    def changed(self) -> NDArray[np.intp]:
        """Places of the stimuli that are not their own mirror image."""
        return np.flatnonzero(self.mirrored != np.arange(len(self.mirrored)))

    def responses(self, feature: str) -> Values:
        """Return a unit's responses to all stimuli."""
        responses: Values = self.kept.after[self.kept.row(feature)].astype(np.float64)
        return responses

    def curve(self, feature: str, family: DirectedFamily) -> Values:
        """Return a unit's tuning curve; see :meth:`DirectedFamily.curves`."""
        curve: Values = family.curves(self.responses(feature)[None], self.grey)[0]
        return curve

    def shuffled_curves(self, feature: str, family: DirectedFamily) -> Values:
        """Return the curves of the units of its layer that respond with shuffled weights."""
        rows = self.kept.rows[FeatureId.parse(feature).layer]
        curves = family.curves(self.kept.shuffled_after[rows].astype(np.float64), self.grey)
        responding: Values = curves[curves.any(axis=1)]
        return responding

    def prominence(self, feature: str, family: DirectedFamily) -> float:
        """Return a unit's peak over that of all but 5% of the shuffled units of its layer."""
        key = FeatureId.parse(feature).layer, family.name
        if key not in self._usual_peaks:
            peaks = self.shuffled_curves(feature, family).max(axis=1)
            self._usual_peaks[key] = float(np.percentile(peaks, 95)) if len(peaks) else 0.0
        usual = self._usual_peaks[key]
        return float(self.curve(feature, family).max()) / usual if usual else 0.0


def choose(kb: KnowledgeBase) -> tuple[Union, Union] | None:
    """Return the union to draw and the analogous one; None where no two are analogous.

    Of all analogous unions, whose tuning has two peaks, and all families of directed stimuli, those
    in which the tuning curves of the cases show most clearly that they are mirror images and
    beyond chance: what their correlation gains by mirroring, times their
    :meth:`Observed.prominence`, each the least of both unions. Ties: the smaller q, then the name.
    """
    seen: dict[str, Observed] = {}
    best: tuple[Any, tuple[Union, Union]] | None = None
    for pair in analogous(kb):
        for item in pair:
            if item["model"] not in seen:
                seen[item["model"]] = observed(kb, item["model"])
        row, other = pair
        views = [seen[item["model"]] for item in pair]
        for families in zip(*(view.families for view in views), strict=False):
            if families[0].name != families[1].name:
                continue
            unions = _union(row, families[0]), _union(other, families[1])
            key = (
                -_clarity(views, unions),
                row["q"],
                row["target"],
                other["target"],
                families[0].name,
            )
            if best is None or key < best[0]:
                best = key, unions
    return best[1] if best else None


def analogous(kb: KnowledgeBase, model: str | None = None) -> list[tuple[Row, Row]]:
    """Return unions with an analogous one, that of the first model by name first.

    Each has ``model, target, one, other, q, hits, null_mean, pairs``, and ``sides``: the side of
    each case of its target.
    """
    rows = kb.query(
        "MATCH (c:Circuit {motif: 'union'})-[r:ANALOGOUS_TO]-(d:Circuit {motif: 'union'}) "
        "WHERE r.q <= 0.05 AND c.model < d.model AND ($model IS NULL OR c.model = $model) "
        "RETURN DISTINCT c.id AS one, d.id AS other ORDER BY one, other",
        {"model": model},
        limit=None,
    ).rows
    unions = _unions(kb, sorted({circuit for pair in rows for circuit in pair}))
    return [(unions[one], unions[other]) for one, other in rows]


def _unions(kb: KnowledgeBase, circuits: Sequence[str]) -> dict[str, Row]:
    rows = kb.query(
        "MATCH (e:Evidence {kind: 'mirrored-responses'})-[:SUPPORTS]->(c:Circuit) "
        "WHERE c.id IN $circuits "
        "MATCH (u:Feature)-[:MEMBER_OF {role: 'union'}]->(c) "
        "MATCH (a:Feature)-[:MEMBER_OF {side: 1}]->(c) "
        "MATCH (b:Feature)-[:MEMBER_OF {side: 2}]->(c) "
        "RETURN c.id AS circuit, c.model AS model, u.id AS target, a.id AS one, b.id AS other, "
        "e.q AS q, e.value AS hits, e.null_mean AS null_mean, e.detail AS detail "
        "ORDER BY circuit, e.id",
        {"circuits": list(circuits)},
        limit=None,
    ).to_dicts()
    found: dict[str, Row] = {}
    for row in rows:
        pairs = json.loads(row.pop("detail"))["pairs"]
        sides = {pair[f"side_{side}"]: side for pair in pairs for side in (1, 2)}
        found[row.pop("circuit")] = {**row, "pairs": len(pairs), "sides": sides}
    return found


def _clarity(views: Sequence[Observed], unions: Sequence[Union]) -> float:
    """Return how clearly the cases of all unions are mirror images, and beyond chance."""
    from circuitkb.demonstration.direction_tuning import gain_by_mirroring

    gains, prominences = [], []
    for view, union in zip(views, unions, strict=True):
        one, other = (view.curve(name, union.family) for name in (union.one, union.other))
        gains.append(gain_by_mirroring(one, other, union.family))
        prominences += [view.prominence(name, union.family) for name in (union.one, union.other)]
    return round(min(gains) * min(prominences), 6)


def observed(kb: KnowledgeBase, model: str) -> Observed:
    """Return the responses of a model; raises :class:`ObservationError` if it was not observed."""
    responses = kb.responses(model)
    if responses is None:
        raise ObservationError(f"{model!r} was not observed: circuitkb observe {model}")
    return Observed(responses)


def _union(row: Row, family: DirectedFamily) -> Union:
    return Union(row["model"], row["target"], row["one"], row["other"], family, row)


def gather(kb: KnowledgeBase, union: Union) -> MeasuredUnion:
    """Return everything that is drawn of one union."""
    from circuitkb.results.pictures.union_page import MeasuredUnion

    view = observed(kb, union.model)
    changed, pair = view.changed, (union.one, union.other)
    target = view.responses(union.target)
    responses = (target - target[changed].mean()) / target[changed].std()
    liked = np.zeros(len(target), int)
    for side, feature in enumerate(pair, start=1):
        liked[_liked(view, feature)] = side
    crop = _crop(kb, view, pair)
    labels = labels_of(kb, [union.target, *pair])
    return MeasuredUnion(
        model=union.model,
        target=union.target,
        target_label=labels.get(union.target, ""),
        cases=pair,
        labels=(labels.get(union.one, ""), labels.get(union.other, "")),
        tuning=(_tuning(view, union.one, union), _tuning(view, union.other, union)),
        family=union.family.words,
        crop=crop,
        stimuli=(_shown(view, union.one, crop), _shown(view, union.other, crop)),
        responses=responses[changed],
        mirrored=responses[view.mirrored[changed]],
        liked=liked[changed],
        correlation=float(np.corrcoef(target[changed], target[view.mirrored[changed]])[0, 1]),
        strengths=_strengths(kb, view, union),
        inputs=_inputs(kb, union.target),
        pairs=int(union.row["pairs"]),
        hits=int(union.row["hits"]),
        null_mean=float(union.row["null_mean"]),
        q=float(union.row["q"]),
    )


def _most(responses: Values, count: int) -> NDArray[np.intp]:
    """Return the places of the largest responses, the earlier ones first among equals."""
    return np.argsort(-responses, kind="stable")[:count]


def _tuning(view: Observed, feature: str, union: Union) -> Tuning:
    """Return a unit's curve, and those of shuffled units turned so that they peak where it does."""
    from circuitkb.results.pictures.union_page import Tuning

    curve = view.curve(feature, union.family)
    shuffled = view.shuffled_curves(feature, union.family)
    peak = int(curve.argmax())
    turned = [np.roll(own, peak - int(own.argmax())) for own in shuffled]
    low, high = np.percentile(turned, [5, 95], axis=0) if turned else 2 * (0 * curve,)
    return Tuning(union.family.angles, curve, low, high, len(turned))


def _liked(view: Observed, feature: str) -> NDArray[np.intp]:
    """Return the places of what a unit responds to most, of the stimuli that the mirror changes."""
    changed = view.changed
    liked: NDArray[np.intp] = changed[_most(view.responses(feature)[changed], LIKED)]
    return liked


def _crop(kb: KnowledgeBase, view: Observed, pair: tuple[str, str]) -> int:
    """Return how many pixels to draw: what the stimuli span, and no more than the units see."""
    layers = [FeatureId.parse(feature) for feature in pair]
    rows = kb.query(
        "MATCH (l:Layer) WHERE l.id IN $ids AND l.receptive_field IS NOT NULL "
        "RETURN l.receptive_field AS side",
        {"ids": [f"{name.model}/{name.layer}" for name in layers]},
    )
    drawn = [place for feature in pair for place in _liked(view, feature)[:STIMULI_DRAWN]]
    span = max(view.battery.stimuli[place].span for place in drawn)
    return int(min([max(2.5 * span, LEAST_CROP), *rows["side"]]))


def _shown(view: Observed, feature: str, crop: int) -> tuple[Shown, ...]:
    """Return the stimuli that a unit responds to most."""
    from circuitkb.results.pictures.union_page import Shown

    responses, changed = view.responses(feature), view.changed
    places = _liked(view, feature)[:STIMULI_DRAWN]
    scores = (responses[places] - responses[changed].mean()) / responses[changed].std()
    drawn = view.battery.images(places, rows=crop, columns=crop)
    return tuple(
        Shown(image.transpose(1, 2, 0), view.battery.stimuli[place].id, float(score))
        for image, place, score in zip(drawn, places, scores, strict=True)
    )


def _inputs(kb: KnowledgeBase, target: str) -> int:
    """Return how many inputs of a target the search counted: those that respond."""
    rows = kb.query(
        "MATCH (e:Evidence {kind: 'mirrored-responses'})-[:SUPPORTS]->(c:Circuit)"
        "<-[:MEMBER_OF {role: 'union'}]-(:Feature {id: $target}) RETURN e.detail AS detail "
        "ORDER BY e.id LIMIT 1",
        {"target": target},
    )
    return int(json.loads(rows["detail"][0])["inputs"])


def _strengths(kb: KnowledgeBase, view: Observed, union: Union) -> tuple[Strength, ...]:
    """Return the strongest of a target's inputs, and its best cases wherever they stand."""
    from circuitkb.results.pictures.union_page import Strength

    target = FeatureId.parse(union.target)
    mass: dict[str, float] = {}
    for connection in kb.store.kernels(union.model):
        if connection.target != target.layer or connection.source not in view.kept.rows:
            continue
        for group, out in np.argwhere(connection.target_units == target.unit).tolist():
            kernels = np.clip(connection.kernel[group, out], 0, None).sum(axis=(1, 2))
            for unit, value in zip(
                connection.source_units[group].tolist(), kernels.tolist(), strict=True
            ):
                source = f"{union.model}/{connection.source}:{unit}"
                mass[source] = mass.get(source, 0.0) + value
    changed = view.changed
    strength = {
        source: value * float(view.responses(source)[changed].std())
        for source, value in mass.items()
    }
    ranked = sorted(strength, key=lambda source: (-strength[source], source))
    sides = union.row["sides"]
    chosen = ranked[:INPUTS_DRAWN]
    chosen += [name for name in (union.one, union.other) if name not in chosen]
    return tuple(
        Strength(ranked.index(name) + 1, name, strength[name], sides.get(name)) for name in chosen
    )


def in_words(search: Mapping[str, Any]) -> str:
    """Return what a search found in a model, and what its controls give."""
    null = search["null"]
    return (
        f"{search['model']}: {null['hits']:,.0f} hits at {search['tested']:,} units tested, where "
        f"permuted weights give {null['permuted_hits_mean']:.0f} (at most "
        f"{null['permuted_hits_max']:.0f}) and matched pairs that are no mirrors "
        f"{null['matched_hits_mean']:.0f} (at most {null['matched_hits_max']:.0f}); "
        f"{search['circuits']:,} circuits pass at q ≤ 5%."
    )


def published_union(kb: KnowledgeBase, target: str) -> UnionDrawing:
    """Gather the cases of all circuits found at a published unit, each kernel with its side."""
    from circuitkb.results.pictures.union_kernels import Case, UnionDrawing

    circuits = kb.circuit_records(origin="found", feature=target, limit=None)
    # The search gives a case the same side in all circuits of one target.
    sides = {
        member["feature"]: member["side"]
        for circuit in circuits
        for member in circuit["members"]
        if member["role"] == "case"
    }
    labels = labels_of(kb, [target, *sides])
    cases: list[Case] = []
    for feature, side in sorted(sides.items(), key=lambda item: (item[1], item[0])):
        kernel = kb.kernels(feature, target)[0]
        short = feature.partition("/")[2]
        cases.append(Case(short, labels.get(feature, ""), side, kernel.values))
    return UnionDrawing(
        target=target,
        label=labels.get(target, ""),
        cases=tuple(cases),
        unit="weight, relative to the published figure's scale",
        caption="Kernels: Olah et al., Zoom In: An Introduction to Circuits "
        "(Distill, 2020), CC-BY-4.0.\n"
        "+ marks the centroid of the positive mass, in columns and rows from the centre.",
    )


def labels_of(kb: KnowledgeBase, features: Sequence[str]) -> dict[str, str]:
    """Return the labels of features that have any, joined by commas."""
    rows = kb.query(
        "MATCH (f:Feature)<-[about:ANNOTATES WHERE about.role IS NULL]-"
        "(:Annotation {kind: 'label', state: 'live'})"
        "-[:USES]->(l:Label) "
        "WHERE f.id IN $features RETURN DISTINCT f.id AS feature, l.text AS label "
        "ORDER BY feature, label",
        {"features": list(features)},
        limit=None,
    )
    found: dict[str, str] = {}
    for row in rows:
        before = found.get(row["feature"])
        found[row["feature"]] = f"{before}, {row['label']}" if before else row["label"]
    return found
