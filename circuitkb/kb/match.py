"""A match: which features and circuits of two observed models are analogous, with controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from circuitkb.kb.writing import Writing
from circuitkb.motifs.motif import Motif
from circuitkb.motifs.registry import MOTIFS
from circuitkb.results.reports import Analogous, MatchReport, compared
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.schema.provenance import import_node
from circuitkb.schema.responses import Responses
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.matching.circuits import CircuitMatches, TwoSidedCircuit
    from circuitkb.matching.features import FeatureMatches
    from circuitkb.matching.match import Matches

MATCHING = 0.95
"""Share of the time that comparing takes; writing takes the rest."""


class Matching(Writing):
    """Gives a knowledge base its ``match``."""

    def match(
        self, first: str, second: str, *, seed: int = 0, progress: Progress = silent
    ) -> MatchReport:
        """Find analogous features of two observed models, and analogous circuits, with controls.

        Parameters
        ----------
        first, second
            Names of the models; ``ANALOGOUS_TO`` goes from the first to the second.
        seed
            Seed of the nulls' random draws.

        Raises
        ------
        NotFoundError
            No such model.
        ObservationError
            A model was not observed, or both saw other batteries.
        """
        store = self.store
        from circuitkb.matching.match import match
        from circuitkb.matching.rows import matching_rows

        start = perf_counter()
        known_names.check_models(store, [first, second])
        if first == second:
            raise ObservationError(f"{first!r} is matched with itself: name two models.")
        responses = _responses(store, first), _responses(store, second)
        found = match(
            *responses,
            layers=(_layers(store, first), _layers(store, second)),
            circuits={
                motif.analogous: (_circuits(store, motif, first), _circuits(store, motif, second))
                for motif in MOTIFS
            },
            earlier_features=_earlier(store, "Feature", first, second),
            earlier_circuits=_earlier(store, "Circuit", first, second),
            seed=seed,
            progress=within(progress, 0.0, MATCHING),
        )
        fingerprints = _fingerprint(store, first), _fingerprint(store, second)
        rows = matching_rows(found, models=(first, second), fingerprints=fingerprints)
        report = MatchReport(first, second, tuple(_figures(found)), perf_counter() - start)
        provenance = import_node(
            f"match:{first}:{second}",
            "match",
            source=found.battery,
            model=first,
            seconds=report.seconds,
            summary={
                "models": [first, second],
                "battery": found.battery,
                "stimuli": found.stimuli,
                "seed": seed,
                "compared": report.to_result().to_dicts(),
                "depth_correlation": found.features.depth.correlation,
            },
        )
        progress("Writing", MATCHING)
        self._write(replace(rows, nodes={**rows.nodes, "Import": provenance}))
        progress("Matched", 1.0)
        return report


def _responses(store: Store, model: str) -> Responses:
    responses = store.responses(model)
    if responses is None:
        raise ObservationError(
            f"{model!r} was not observed, and units are matched by what they answer: "
            f"circuitkb observe {model}"
        )
    return responses


def _fingerprint(store: Store, model: str) -> str:
    answer = store.read("MATCH (m:Model {id: $id}) RETURN m.fingerprint AS print", {"id": model})
    return str(answer.rows[0][0])


def _layers(store: Store, model: str) -> list[str]:
    """Return the layers that take part: all but the input and the output."""
    rows = store.read(
        "MATCH (l:Layer {model: $model}) WHERE NOT l.kind IN ['input', 'output'] "
        "RETURN l.name AS name ORDER BY l.position, name",
        {"model": model},
        limit=None,
    ).rows
    return [name for (name,) in rows]


def _circuits(store: Store, motif: Motif, model: str) -> list[TwoSidedCircuit]:
    """Return the circuits found by responses; sides, or roles, mean the same in all models."""
    from circuitkb.matching.circuits import TwoSidedCircuit

    kinds = [way.evidence for way in motif.searches if way.by == "responses"]
    names = [role.name for role in motif.roles]
    end = "side: {}" if names[0] == names[1] else "role: $role_{}"
    rows = store.read(
        "MATCH (e:Evidence)-[:SUPPORTS]->(c:Circuit) WHERE e.kind IN $kinds "
        "AND c.model = $model AND c.motif = $motif AND c.origin = 'found' WITH DISTINCT c "
        "MATCH (u:Feature)-[:MEMBER_OF {role: $target}]->(c) "
        f"MATCH (a:Feature)-[:MEMBER_OF {{{end.format(1)}}}]->(c) "
        f"MATCH (b:Feature)-[:MEMBER_OF {{{end.format(2)}}}]->(c) "
        "RETURN DISTINCT c.id AS id, u.id AS target, a.id AS one, b.id AS two ORDER BY id",
        {
            "kinds": kinds,
            "model": model,
            "motif": motif.name,
            "target": motif.target,
            "role_1": names[0],
            "role_2": names[1],
        },
        limit=None,
    ).rows
    return [TwoSidedCircuit(*row) for row in rows]


def _earlier(store: Store, label: str, first: str, second: str) -> list[tuple[str, str]]:
    """Return the pairs that an earlier match wrote."""
    rows = store.read(
        f"MATCH (a:{label} {{model: $first}})-[:ANALOGOUS_TO]->(b:{label} {{model: $second}}) "
        "RETURN DISTINCT a.id AS one, b.id AS two ORDER BY one, two",
        {"first": first, "second": second},
        limit=None,
    ).rows
    return [(one, two) for one, two in rows]


def _figures(found: Matches) -> Sequence[Analogous]:
    circuits = [_circuit_figures(kind, found.circuits[kind]) for kind in found.circuits]
    return [_features(found.features), *circuits]


def _features(found: FeatureMatches) -> Analogous:
    from statistics import fmean

    above = [control.above(found.threshold) for control in found.controls]
    return Analogous(
        what="features",
        compared=(len(found.first.rows), len(found.second.rows)),
        mutual=len(found.score),
        above=int((found.score > found.threshold).sum()),
        found=int(found.found.sum()),
        null="weights of either model shuffled",
        null_above=fmean(above),
        null_above_max=float(max(above)),
        q_max=float(found.q[found.found].max()) if found.found.any() else None,
    )


def _circuit_figures(kind: str, found: CircuitMatches) -> Analogous:
    from statistics import fmean

    worst = max(found.nulls, key=lambda null: fmean(null.above) / null.drawn, default=None)
    return Analogous(
        what=compared(kind),
        compared=(len(found.first), len(found.second)),
        mutual=len(found.score),
        above=int((found.score > found.threshold).sum()),
        found=int(found.found.sum()),
        null=worst.name if worst else "",
        null_above=fmean(worst.above) / worst.drawn if worst else None,
        null_above_max=max(worst.above) / worst.drawn if worst else None,
        q_max=float(found.q[found.found].max()) if found.found.any() else None,
    )
