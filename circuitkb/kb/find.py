"""A search: all edges of the asked models, then circuits, evidence and a record of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, get_args

from circuitkb.kb.observe import stored_model
from circuitkb.kb.sharding import share
from circuitkb.kb.trying import Network, Tried, try_findings, with_trials
from circuitkb.kb.writing import WORTH, Writing, bytes_beside
from circuitkb.motifs.motif import Basis, Motif, Pairs
from circuitkb.motifs.registry import DEFAULT, motif_named
from circuitkb.results.reports import FindReport, ModelFound
from circuitkb.schema.errors import NotFoundError, ObservationError, QueryError
from circuitkb.schema.progress import Progress, silent, together, within
from circuitkb.stores import known_names
from circuitkb.stores.base import Store
from circuitkb.workers.tasks import Done, Task

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.motifs.findings import SearchFindings
    from circuitkb.motifs.rows import Earlier, KnownCircuit
    from circuitkb.schema.kernels import Connection
    from circuitkb.schema.responses import Responses


SEARCHED = 0.4
"""Share of the work after which a search is done and its trials begin, for progress."""


class Finding(Writing):
    """Gives a knowledge base its ``find``."""

    def find(
        self,
        motif: str | Motif = DEFAULT,
        *,
        models: Sequence[str] | None = None,
        by: Basis | None = None,
        seed: int | None = None,
        shard: str | None = None,
        trials: bool = True,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        workers: int | str | None = None,
        progress: Progress = silent,
    ) -> FindReport:
        """Search all edges of the models for a motif; write circuits, evidence and trials.

        What is found is tried at once, where the motif has a trial and the network can be opened:
        see ``docs/trials.md``.

        Parameters
        ----------
        motif
            A name, as ``circuitkb find`` lists them, or a value: ``Union(of=mirror("up-down"))``,
            or any other :class:`~circuitkb.motifs.motif.Motif`.
        models
            Models to search; all if not given.
        by
            ``"responses"`` or ``"kernels"``; if not given, responses where a model was observed.
        seed
            Seed of the null's random draws; the motif's own if not given.
        shard
            ``3/40``: take the third, the 43rd, ... of the models; one job of a batch system.
        trials
            Whether to try what is found: to run the network with edges taken away.
        source, architecture, module
            The network of the model for its trials, as for :meth:`observe`, where it is not where
            it was loaded from; with one model.
        workers
            Who searches several models, as for :meth:`load`. If not given, processes where there
            is enough to read.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        NotFoundError
            No such model.
        QueryError
            No such motif, or no such way to search for it.
        ObservationError
            A model was not observed and is to be searched by responses.
        """
        store = self.store
        wanted = motif_named(motif)
        _check_basis(wanted, by)
        if isinstance(models, str):
            models = [models]
        names = known_names.models(store) if models is None else list(dict.fromkeys(models))
        known_names.check_models(store, names)
        if not names:
            raise NotFoundError(
                "There is no model to search yet. Load one, as in: "
                "circuitkb load published:inceptionv1"
            )
        if len(names) != 1 and (source is not None or module is not None):
            raise QueryError("A source, or a module, goes with one model.")
        start = perf_counter()
        names = share(names, shard)
        tells = together(progress, len(names))
        ways = [_way(store, wanted, name, by) for name in names]
        seed = wanted.seed if seed is None else seed
        given = None if source is None else os.fspath(source)
        networks = [
            Network(stored_model(store, name), given, architecture, module) if trials else None
            for name in names
        ]
        tasks = (
            Task(name, _search, _given(store, name, way, seed, network))
            for name, way, network in zip(names, ways, networks, strict=True)
        )
        if module is not None:
            workers = 1
        reports = []
        worth = workers is None and bytes_beside(store, names) >= WORTH
        with self._done(tasks, tells, workers, worth=worth) as results:
            for rows, found in results:
                assert rows is not None
                self._write(rows)
                reports.append(found)
        progress(f"{wanted.name}: searched {len(names)} models", 1.0)
        return FindReport(wanted.name, tuple(reports), perf_counter() - start)


class _Given(NamedTuple):
    """A model to search, and what the graph says of it."""

    model: str
    way: Pairs
    kernels: Sequence[Connection]
    responses: Responses | None
    seed: int
    known: list[KnownCircuit] | None
    earlier: dict[str, Earlier]
    network: Network | None


def _given(store: Store, model: str, way: Pairs, seed: int, network: Network | None) -> _Given:
    return _Given(
        model,
        way,
        store.kernels(model),
        store.responses(model),
        seed,
        known=_published(store, model) if way.by == "kernels" else None,
        earlier=_earlier(store, model),
        network=network,
    )


def _search(given: _Given, progress: Progress) -> Done:
    """Search one model, in any process."""
    from circuitkb.motifs import log
    from circuitkb.schema.tables import GraphRows

    engine: Callable[..., SearchFindings] = EntryPoint(given.way.by, given.way.engine, "").load()
    findings = engine(
        given.kernels,
        given.responses,
        given.way,
        model=given.model,
        seed=given.seed,
        progress=progress if given.network is None else within(progress, 0.0, SEARCHED),
    )
    tried = Tried()
    if given.network is not None:
        tell = within(progress, SEARCHED, 1.0)
        tried = try_findings(findings, given.network, given.kernels, given.responses, tell)
    found = _report(findings, tried)
    writer: Callable[..., GraphRows] = EntryPoint("rows", given.way.writer, "").load()
    rows = writer(findings, known_circuits=given.known, earlier=given.earlier)
    rows = with_trials(rows, tried)
    return Done(replace(rows, nodes={**rows.nodes, "Import": log.record(findings, found)}), found)


def _check_basis(motif: Motif, by: Basis | None) -> None:
    if by not in (None, *get_args(Basis)):
        raise QueryError(f"by is {by!r}: {' or '.join(map(repr, get_args(Basis)))}.")
    ways = [way.by for way in motif.searches]
    if by not in (None, *ways):
        raise QueryError(f"{motif.name} is searched by {' or '.join(ways)}, not by {by}.")


def _way(store: Store, motif: Motif, model: str, by: Basis | None) -> Pairs:
    """Return the way to search a model: the first that it allows, or the one asked for."""
    observed = store.responses(model) is not None
    for way in motif.searches:
        if by in (None, way.by) and (observed or way.by != "responses"):
            return way
    raise ObservationError(
        f"{model!r} was not observed: circuitkb observe {model} shows it the stimuli."
    )


def _report(findings: SearchFindings, tried: Tried) -> ModelFound:
    return ModelFound(
        findings.model,
        by=findings.motif.by,
        tested=findings.tested,
        not_testable=findings.not_testable,
        why=findings.why,
        circuits=findings.circuits,
        groups=findings.around,
        null=findings.figures(),
        motif=findings.motif.name,
        shapes=findings.shapes,
        tried=len(tried.trials),
        held=sum(trial.outcome == "held" for trial in tried.trials),
        untried=tried.untried,
        at="target" if findings.motif.at_target else "layer",
    )


def _earlier(store: Store, model: str) -> dict[str, Earlier]:
    """Return what is known of circuits that are here already: two mirrors may relate a pair."""
    from circuitkb.motifs.rows import Earlier

    rows = store.read(
        "MATCH (e:Evidence)-[:SUPPORTS]->(c:Circuit) WHERE c.model = $model "
        "AND (e.of IS NOT NULL OR e.detail CONTAINS '\"of\":') "
        "RETURN c.id AS circuit, c.shape AS shape, c.trial AS trial, c.trial_q AS q, "
        "e.of AS of, e.detail AS detail",
        {"model": model},
        limit=None,
    ).rows
    found: dict[str, Earlier] = {}
    for circuit, shape, trial, q, of, detail in rows:
        # Evidence of older versions says it in its detail alone.
        of = of or json.loads(detail).get("settings", {}).get("of")
        if of is not None:
            before = found.get(circuit, Earlier())
            found[circuit] = Earlier(before.of | {of}, shape, trial, q)
    return found


def _published(store: Store, model: str) -> list[KnownCircuit]:
    from circuitkb.motifs.rows import KnownCircuit

    rows = store.read(
        "MATCH (f:Feature)-[:MEMBER_OF]->(c:Circuit {origin: 'published'}) "
        "WHERE c.model = $model WITH c, f ORDER BY c.id, f.id "
        "RETURN c.id AS circuit, c.motif AS motif, collect(DISTINCT f.id) AS members "
        "ORDER BY circuit",
        {"model": model},
        limit=None,
    ).rows
    return [KnownCircuit(circuit, motif, frozenset(members)) for circuit, motif, members in rows]
