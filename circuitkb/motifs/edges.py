"""The edges from the cases of found circuits to their targets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import pyarrow as pa

from circuitkb.loaders.composition.summaries import edges_between
from circuitkb.motifs.findings import FoundTarget
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.kernels import Connection
from circuitkb.schema.tables import relation_schema


def case_weights(
    targets: Iterable[FoundTarget], connections: Sequence[Connection], model: str
) -> pa.Table:
    """Return the ``WEIGHT`` rows from all cases to their targets, kept by the graph or not."""
    edges: dict[str, dict[tuple[int, int], None]] = {}
    for found in targets:
        target = FeatureId.parse(found.target)
        for case in found.cases.values():
            source = FeatureId.parse(case.feature)
            ends = source.layer, target.layer
            for connection in connections:
                # By responses no kernel is chosen: all that join the two are written.
                if connection.key == case.connection or (
                    case.connection is None and (connection.source, connection.target) == ends
                ):
                    edges.setdefault(connection.key, {})[source.unit, target.unit] = None
    return _weight_rows(edges, connections, model)


def _weight_rows(
    edges: Mapping[str, Collection[tuple[int, int]]], connections: Sequence[Connection], model: str
) -> pa.Table:
    """Return the ``WEIGHT`` rows of edges, given by connection as (source unit, target unit)."""
    tables = [relation_schema("WEIGHT").empty_table()]
    for connection in connections:
        if not edges.get(connection.key):
            continue
        sources, targets = zip(*edges[connection.key], strict=True)
        # Published kernels have the scale of their figure, and are ranked within it.
        ranked = [connection] if connection.origin else connections
        tables.append(edges_between(ranked, connection.key, sources, targets, model=model))
    return pa.concat_tables(tables)
