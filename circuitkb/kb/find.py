"""A search: all edges of the asked models, then circuits, evidence and a record of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from circuitkb.annotations.resolving import resolve
from circuitkb.motifs import log as search_log
from circuitkb.results.reports import FindReport, ModelFound
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import NotFoundError, ObservationError, QueryError
from circuitkb.schema.progress import Progress, parts
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.motifs.by_kernels.findings import UnionFindings
    from circuitkb.motifs.by_kernels.rows import KnownCircuit
    from circuitkb.motifs.by_responses.findings import MeasuredFindings
    from circuitkb.motifs.union import Union
    from circuitkb.schema.tables import GraphRows

Basis = Literal["responses", "kernels"]
"""What a search reads: what units answered, or the shapes of the kernels between them."""


def search(
    store: Store,
    motif: str | Union,
    *,
    models: Sequence[str] | None,
    by: Basis | None,
    seed: int | None,
    progress: Progress,
) -> FindReport:
    """Search for a motif; see :meth:`circuitkb.kb.knowledge_base.KnowledgeBase.find`."""
    wanted = _motif(motif)
    if by not in (None, "responses", "kernels"):
        raise QueryError(f"by is {by!r}: 'responses' or 'kernels'.")
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
    for model, part in zip(names, parts(progress, len(names)), strict=True):
        findings, rows = _search_one(store, wanted, model, by, seed, part)
        found = _report(findings)
        log = search_log.record(
            wanted.name, found, of=wanted.of.name, seed=seed, seconds=findings.seconds
        )
        store.write(replace(rows, nodes={**rows.nodes, "Import": log}))
        reports.append(found)
    resolve(store)
    progress(f"{wanted.name}: searched {len(names)} models", 1.0)
    return FindReport(wanted.name, tuple(reports), perf_counter() - start)


def _search_one(
    store: Store, motif: Union, model: str, by: Basis | None, seed: int, progress: Progress
) -> tuple[UnionFindings | MeasuredFindings, GraphRows]:
    """Search one model: by its responses where it was observed, else by its kernels."""
    responses = store.responses(model)
    if responses is None and by == "responses":
        raise ObservationError(
            f"{model!r} was not observed: circuitkb observe {model} shows it the stimuli."
        )
    if responses is None or by == "kernels":
        from circuitkb.motifs.by_kernels.rows import union_rows
        from circuitkb.motifs.union import find_unions

        findings = find_unions(
            store.kernels(model), motif, model=model, seed=seed, progress=progress
        )
        return findings, union_rows(findings, known_circuits=_published(store, model))
    from circuitkb.motifs.by_responses.find import find_by_responses
    from circuitkb.motifs.by_responses.rows import measured_rows
    from circuitkb.observation.kept import images_under

    measured = find_by_responses(
        store.kernels(model),
        responses,
        images_under(responses, motif.of.name),
        motif.by_responses(),
        model=model,
        seed=seed,
        progress=progress,
    )
    return measured, measured_rows(measured)


def _motif(motif: str | Union) -> Union:
    from circuitkb.motifs.union import Union

    if isinstance(motif, Union):
        return motif
    if motif != Union.name:
        raise QueryError(f"No motif {motif!r} to search for.{did_you_mean(motif, [Union.name])}")
    return Union()


def _report(findings: UnionFindings | MeasuredFindings) -> ModelFound:
    return ModelFound(
        findings.model,
        by=findings.by,
        tested=findings.tested,
        not_testable=findings.not_testable,
        why=findings.why,
        circuits=findings.circuits,
        groups=len({unit.target for unit in findings.found}),
        null=findings.figures(),
    )


def _published(store: Store, model: str) -> list[KnownCircuit]:
    from circuitkb.motifs.by_kernels.rows import KnownCircuit

    rows = store.read(
        "MATCH (f:Feature)-[:MEMBER_OF]->(c:Circuit {origin: 'published'}) "
        "WHERE c.model = $model WITH c, f ORDER BY c.id, f.id "
        "RETURN c.id AS circuit, c.motif AS motif, collect(DISTINCT f.id) AS members "
        "ORDER BY circuit",
        {"model": model},
        limit=None,
    ).rows
    return [KnownCircuit(circuit, motif, frozenset(members)) for circuit, motif, members in rows]
