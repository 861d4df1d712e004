"""A match: which features and circuits of two observed models are analogous, with controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, combinations
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, overload

from circuitkb.kb.several import in_several_networks
from circuitkb.kb.sharding import share
from circuitkb.kb.writing import WORTH, Writing, bytes_beside
from circuitkb.motifs.motif import Motif
from circuitkb.motifs.registry import MOTIFS
from circuitkb.results.match_reports import Analogous, MatchReport, compared
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.progress import Progress, silent, together, within
from circuitkb.stores import known_names
from circuitkb.stores.base import Store
from circuitkb.workers.tasks import Done, Task

if TYPE_CHECKING:
    from circuitkb.matching.circuits import CircuitMatches
    from circuitkb.matching.features import FeatureMatches
    from circuitkb.matching.match import Matches
    from circuitkb.matching.parts import PartedCircuit
    from circuitkb.results.result import Result
    from circuitkb.schema.responses import Responses

MATCHING = 0.95
"""Share of the time that comparing takes; writing takes the rest."""


class Matching(Writing):
    """Gives a knowledge base its ``match``."""

    @overload
    def match(
        self,
        first: str,
        second: str,
        *,
        seed: int = 0,
        workers: int | str | None = None,
        progress: Progress = silent,
    ) -> MatchReport: ...

    @overload
    def match(
        self,
        first: str,
        second: str,
        *others: str,
        seed: int = 0,
        shard: str | None = None,
        workers: int | str | None = None,
        progress: Progress = silent,
    ) -> list[MatchReport]: ...

    def match(
        self,
        first: str,
        second: str,
        *others: str,
        seed: int = 0,
        shard: str | None = None,
        workers: int | str | None = None,
        progress: Progress = silent,
    ) -> MatchReport | list[MatchReport]:
        """Find analogous features of two observed models, and analogous circuits, with controls.

        Parameters
        ----------
        first, second
            Names of the models; ``ANALOGOUS_TO`` goes from the first to the second.
        others
            More of them: each is matched with all that stand after it, which gives a report for
            each pair.
        seed
            Seed of the nulls' random draws.
        shard
            ``3/40``: take the third, the 43rd, ... of the pairs; one job of a batch system.
        workers
            Who compares several pairs, as for :meth:`load`. If not given, processes where there is
            enough to read.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        NotFoundError
            No such model.
        ObservationError
            A model was not observed, or both saw other batteries.
        WorkerError
            A worker died twice, or there is no such cluster.
        """
        store = self.store
        names = [first, second, *others]
        known_names.check_models(store, names)
        for place, name in enumerate(names):
            if name in names[:place]:
                raise ObservationError(f"{name!r} is matched with itself: name two models.")
        pairs = share(list(combinations(names, 2)), shard)
        known = {name: _known(store, name) for name in dict.fromkeys(chain.from_iterable(pairs))}
        tells = [progress] if len(pairs) == 1 else together(progress, len(pairs))
        tasks = (
            Task(f"{one} and {other}", _match, _given(store, known[one], known[other], seed))
            for one, other in pairs
        )
        matching = [within(tell, 0.0, MATCHING) for tell in tells]
        reports = []
        worth = workers is None and len(pairs) > 1 and bytes_beside(store, names) >= WORTH
        with self._done(tasks, matching, workers, worth=worth) as results:
            for tell, (rows, report) in zip(tells, results, strict=True):
                assert rows is not None
                tell("Writing", MATCHING)
                self._write(rows)
                tell("Matched", 1.0)
                reports.append(report)
        if reports:
            several, said = in_several_networks(store, names, seed)
            for rows in several:
                self._write(rows)
            reports[-1] = replace(reports[-1], several=said)
        return reports if others or shard is not None else reports[0]

    def universality(
        self, *, controls: Sequence[str] = (), models: Sequence[str] = (), motif: str = ""
    ) -> Result:
        """Return motif by network: what was found, beside chance and beside other networks.

        One row for each search; the columns are those of the question ``motif-by-network``. Notes
        compare the networks with ``controls``, motif by motif.

        Parameters
        ----------
        controls
            Networks that were trained on something else, as you say.
        models
            Networks to look in beside these; all if not given.
        motif
            One motif; all if not given.

        Raises
        ------
        NotFoundError
            No such model or motif.
        """
        from circuitkb.kb.universality import universality

        return universality(self.store, controls, models, motif)


class _Known(NamedTuple):
    """What is known of one model: its layers in order, and for each motif its circuits."""

    model: str
    responses: Responses
    layers: list[str]
    circuits: dict[str, list[PartedCircuit]]
    fingerprint: str


class _Given(NamedTuple):
    """Two models, and the pairs that an earlier match wrote."""

    first: _Known
    second: _Known
    features: list[tuple[str, str]]
    circuits: list[tuple[str, str]]
    seed: int


def _known(store: Store, model: str) -> _Known:
    return _Known(
        model,
        _responses(store, model),
        _layers(store, model),
        {motif.analogous: _circuits(store, motif, model) for motif in MOTIFS},
        _fingerprint(store, model),
    )


def _given(store: Store, first: _Known, second: _Known, seed: int) -> _Given:
    features, circuits = (
        _earlier(store, label, first.model, second.model) for label in ("Feature", "Circuit")
    )
    return _Given(first, second, features, circuits, seed)


def _match(given: _Given, progress: Progress) -> Done:
    """Compare two models, in any process."""
    from circuitkb.matching.match import match
    from circuitkb.matching.rows import matching_rows

    start = perf_counter()
    one, other = given.first, given.second
    found = match(
        one.responses,
        other.responses,
        layers=(one.layers, other.layers),
        circuits={kind: (one.circuits[kind], other.circuits[kind]) for kind in one.circuits},
        earlier_features=given.features,
        earlier_circuits=given.circuits,
        seed=given.seed,
        progress=progress,
    )
    models = one.model, other.model
    rows = matching_rows(found, models=models, fingerprints=(one.fingerprint, other.fingerprint))
    report = MatchReport(*models, tuple(_figures(found)), perf_counter() - start)
    from circuitkb.schema.provenance import import_node

    provenance = import_node(
        f"match:{one.model}:{other.model}",
        "match",
        source=found.battery,
        model=one.model,
        seconds=report.seconds,
        summary={
            "models": list(models),
            "battery": found.battery,
            "stimuli": found.stimuli,
            "seed": given.seed,
            "compared": report.to_result().to_dicts(),
            "depth_correlation": found.features.depth.correlation,
        },
    )
    return Done(replace(rows, nodes={**rows.nodes, "Import": provenance}), report)


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


def _circuits(store: Store, motif: Motif, model: str) -> list[PartedCircuit]:
    """Return the circuits found by responses; sides, or roles, mean the same in all models."""
    from circuitkb.matching.parts import PartedCircuit

    ways = [way for way in motif.searches if way.by == "responses"]
    rows = store.read(
        "MATCH (e:Evidence)-[:SUPPORTS]->(c:Circuit) WHERE e.kind IN $kinds "
        "AND c.model = $model AND c.motif IN $motifs AND c.origin = 'found' WITH DISTINCT c "
        "MATCH (f:Feature)-[m:MEMBER_OF]->(c) "
        "RETURN DISTINCT c.id AS id, m.role AS role, m.side AS side, f.id AS feature "
        "ORDER BY id, role, coalesce(side, 0), feature",
        {"kinds": [way.evidence for way in ways], "model": model, "motifs": list(motif.kinds)},
        limit=None,
    ).rows
    circuits: dict[str, dict[tuple[str, int], tuple[str, ...]]] = {}
    for circuit, role, side, feature in rows:
        parts = circuits.setdefault(circuit, {})
        name = ways[0].part(role, side)
        parts[name] = (*parts.get(name, ()), feature)
    return [
        PartedCircuit(
            circuit,
            dict(sorted(parts.items(), key=lambda part: (part[0][0] != motif.target, part))),
        )
        for circuit, parts in circuits.items()
    ]


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
