"""A search: every kernel of the asked models, then circuits, evidence and a record of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from time import perf_counter
from typing import TYPE_CHECKING

from circuitkb import known_names, search_log
from circuitkb.reports import FindReport, ModelFound
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import NotFoundError, QueryError
from circuitkb.schema.progress import Progress
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.discovery.findings import UnionFindings
    from circuitkb.discovery.rows import KnownCircuit
    from circuitkb.discovery.union import Union


def search(
    store: Store,
    motif: str | Union,
    *,
    models: Sequence[str] | None,
    seed: int | None,
    progress: Progress,
) -> FindReport:
    """Search for a motif; see :meth:`circuitkb.knowledge_base.KnowledgeBase.find`."""
    from circuitkb.discovery.rows import union_rows
    from circuitkb.discovery.union import find_unions

    wanted = _motif(motif)
    seed = wanted.seed if seed is None else seed
    if isinstance(models, str):
        models = [models]
    names = known_names.models(store) if models is None else list(dict.fromkeys(models))
    known_names.check_models(store, names)
    if not names:
        raise NotFoundError(
            "There is no model to search yet. Load one, as in: circuitkb load published:inceptionv1"
        )
    start = perf_counter()
    reports = []
    for place, model in enumerate(names):
        findings = find_unions(
            store.kernels(model),
            wanted,
            model=model,
            seed=seed,
            progress=_part(progress, place, len(names)),
        )
        found = _report(findings)
        rows = union_rows(findings, known_circuits=_published(store, model))
        log = search_log.record(
            wanted.name, found, of=wanted.of.name, seed=seed, seconds=findings.seconds
        )
        store.write(replace(rows, nodes={**rows.nodes, "Import": log}))
        reports.append(found)
    progress(f"{wanted.name}: searched {len(names)} models", 1.0)
    return FindReport(wanted.name, tuple(reports), perf_counter() - start)


def _motif(motif: str | Union) -> Union:
    from circuitkb.discovery.union import Union

    if isinstance(motif, Union):
        return motif
    if motif != Union.name:
        raise QueryError(f"No motif {motif!r} to search for.{did_you_mean(motif, [Union.name])}")
    return Union()


def _part(progress: Progress, place: int, count: int) -> Progress:
    def say(doing: str, done: float) -> None:
        progress(doing, (place + done) / count)

    return say


def _report(findings: UnionFindings) -> ModelFound:
    null = {"hits": float(findings.hits)}
    if findings.shuffled:
        null["shuffled_hits_mean"] = fmean(findings.shuffled)
        null["shuffled_hits_max"] = float(max(findings.shuffled))
    return ModelFound(
        findings.model,
        tested=findings.tested,
        not_testable=findings.not_testable,
        why=findings.why,
        circuits=findings.circuits,
        groups=len({unit.target for unit in findings.found}),
        null=null,
    )


def _published(store: Store, model: str) -> list[KnownCircuit]:
    from circuitkb.discovery.rows import KnownCircuit

    rows = store.read(
        "MATCH (f:Feature)-[:MEMBER_OF]->(c:Circuit {origin: 'published'}) "
        "WHERE c.model = $model WITH c, f ORDER BY c.id, f.id "
        "RETURN c.id AS circuit, c.motif AS motif, collect(DISTINCT f.id) AS members "
        "ORDER BY circuit",
        {"model": model},
        limit=None,
    ).rows
    return [KnownCircuit(circuit, motif, frozenset(members)) for circuit, motif, members in rows]
