"""What the published data says about itself: figures that agree, disagree, or miss a claimed sign.

Nothing is decided here. Where two figures differ, both kernels stay in the graph and the
difference stands beside them as evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from circuitkb.loaders.published.annotations import edge_records, feature_id, unit_of
from circuitkb.loaders.published.files import PublishedFiles, PublishedKernel, Unit
from circuitkb.schema.ids import annotation_id, canonical_json, content_hash
from circuitkb.schema.kernels import Floats
from circuitkb.schema.tables import Relations, node_table, relation_table, rows_of

VERSION = "1"

SAME = 0.999
"""Correlation from which two kernels count as one: what is left is the figures' 8-bit colours."""

_Pair = tuple[Unit, Unit]


@dataclass
class _Evidence:
    """Nodes and relations as they are collected."""

    files: PublishedFiles
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    about: list[dict[str, Any]] = field(default_factory=list)
    speaks: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"SUPPORTS": [], "REFUTES": []}
    )

    def add(
        self,
        kind: str,
        method: str,
        *,
        value: float | None,
        stance: str,
        about: Sequence[tuple[str, Unit]],
        detail: Mapping[str, Any],
        annotation: str | None = None,
    ) -> None:
        what = [self.files.name, self.files.fingerprint, method, VERSION, about, detail]
        key = f"{kind}-{content_hash(what)}"
        self.nodes[key] = {
            "id": key,
            "kind": kind,
            "stance": stance,
            "value": value,
            "method": method,
            "version": VERSION,
            "detail": canonical_json(detail),
        }
        self.about += [
            {"source": key, "target": feature_id(self.files, unit), "role": role}
            for role, unit in about
        ]
        relation = {"supports": "SUPPORTS", "refutes": "REFUTES"}.get(stance)
        if annotation and relation:
            self.speaks[relation].append({"source": key, "target": annotation})


def evidence_rows(
    files: PublishedFiles, keys: Sequence[str]
) -> tuple[dict[str, Any], list[Relations]]:
    """Return the tables of evidence nodes and their relations.

    Parameters
    ----------
    files
        The checked folder.
    keys
        For each kernel of ``files``, the key of the connection that it stands in.
    """
    found = _Evidence(files)
    by_pair: dict[_Pair, list[int]] = {}
    for index, item in enumerate(files.kernels):
        by_pair.setdefault((item.source, item.target), []).append(index)
    differing = _agreement(found, by_pair, keys)
    _swaps(found, differing)
    _claimed_signs(found, by_pair, keys)
    nodes = {"Evidence": node_table("Evidence", rows_of(list(found.nodes.values())))}
    relations = [
        Relations("ABOUT", "Evidence", "Feature", relation_table("ABOUT", rows_of(found.about)))
    ]
    relations += [
        Relations(name, "Evidence", "Annotation", relation_table(name, rows_of(rows)))
        for name, rows in found.speaks.items()
    ]
    return nodes, relations


def correlation(one: Floats, other: Floats) -> float | None:
    """Return Pearson's correlation of two kernels of one size, None where one is constant.

    Examples
    --------
    >>> correlation(np.eye(2, dtype=np.float32), 1 - np.eye(2, dtype=np.float32))
    -1.0
    """
    a, b = (kernel.ravel().astype(np.float64) - kernel.mean(dtype=float) for kernel in (one, other))
    norm = np.sqrt((a @ a) * (b @ b))
    return round(float(a @ b / norm), 6) if norm > 0 else None


def _agreement(
    found: _Evidence, by_pair: Mapping[_Pair, list[int]], keys: Sequence[str]
) -> list[tuple[int, int]]:
    """Compare every two kernels of one pair; return those that differ."""
    kernels = found.files.kernels
    differing = []
    for (source, target), indices in by_pair.items():
        for one, other in combinations(indices, 2):
            a, b = kernels[one], kernels[other]
            value = correlation(a.kernel, b.kernel) if a.kernel.shape == b.kernel.shape else None
            stance = "neutral" if value is None else "supports" if value >= SAME else "refutes"
            if stance == "refutes":
                differing.append((one, other))
            found.add(
                "published-kernel-agreement",
                "correlation of the kernels that two figures give",
                value=value,
                stance=stance,
                about=[("source", source), ("target", target)],
                detail={
                    "figures": [a.figure, b.figure],
                    "connections": [keys[one], keys[other]],
                    "same_from": SAME,
                },
            )
    return differing


def _swaps(found: _Evidence, differing: Sequence[tuple[int, int]]) -> None:
    """Find pairs of sources whose kernels two figures give crosswise."""
    kernels = found.files.kernels
    for first, second in combinations(differing, 2):
        a, b = (tuple(kernels[index] for index in pair) for pair in (first, second))
        figures = [(item.repository, item.figure) for item in a]
        if a[0].target != b[0].target or figures != [(k.repository, k.figure) for k in b]:
            continue
        crossed = [(a[0], b[1]), (b[0], a[1])]
        values = [correlation(one.kernel, other.kernel) for one, other in crossed]
        if any(value is None or value < SAME for value in values):
            continue
        found.add(
            "published-kernel-swap",
            "correlation of one source's kernel in a figure with the other's in another figure",
            value=min(value for value in values if value is not None),
            stance="refutes",
            about=[("source", a[0].source), ("source", b[0].source), ("target", a[0].target)],
            detail={
                "figures": [a[0].figure, a[1].figure],
                "crossed": [
                    {
                        f"{_name(one)} in {one.figure}": f"{_name(other)} in {other.figure}",
                        "correlation": value,
                    }
                    for (one, other), value in zip(crossed, values, strict=True)
                ],
                "same_source": {
                    _name(one): correlation(one.kernel, other.kernel) for one, other in (a, b)
                },
                "note": "one of the figures swaps the two sources; which one is not known",
            },
        )


def _name(item: PublishedKernel) -> str:
    layer, unit = item.source
    return f"{layer}:{unit}"


def _claimed_signs(
    found: _Evidence, by_pair: Mapping[_Pair, list[int]], keys: Sequence[str]
) -> None:
    """Compare each claimed sign with the share of the kernel's mass that has it."""
    for circuit, index, record in edge_records(found.files):
        sign = record.get("sign")
        if sign not in ("excitatory", "inhibitory"):
            continue
        edge = circuit.edges[index]
        pair = unit_of(edge.source), unit_of(edge.target)
        for place in by_pair.get(pair, ()):
            item = found.files.kernels[place]
            share = _share(item.kernel, 1 if sign == "excitatory" else -1)
            if share is None:
                continue
            found.add(
                "published-sign-agreement",
                "share of the kernel's absolute mass that has the claimed sign",
                value=share,
                stance="supports" if share > 0.5 else "refutes" if share == 0 else "neutral",
                about=[("source", pair[0]), ("target", pair[1])],
                annotation=(annotation := annotation_id(record)),
                detail={
                    "annotation": annotation,
                    "circuit": circuit.id,
                    "claimed_sign": edge.claimed_sign,
                    "figure": item.figure,
                    "connection": keys[place],
                    "net_sum": round(float(item.kernel.sum(dtype=float)), 6),
                    "net_sign_agrees": share > 0.5,
                },
            )


def _share(kernel: Floats, sign: int) -> float | None:
    mass = float(np.abs(kernel).sum(dtype=float))
    return round(float((sign * kernel).clip(min=0).sum(dtype=float)) / mass, 6) if mass else None


def flags(files: PublishedFiles) -> Iterator[str | None]:
    """Yield for each kernel the defect that a circuit notes of it in the same figure."""
    noted = {
        (
            circuit.source.repo,
            (circuit.source.path or "").rpartition("/")[2],
            edge.source,
            edge.target,
        ): edge.flag
        for circuit in files.circuits
        for edge in circuit.edges
        if edge.flag
    }
    for item in files.kernels:
        source, target = (f"{layer}:{unit}" for layer, unit in (item.source, item.target))
        yield noted.get((item.repository, item.figure, source, target))
