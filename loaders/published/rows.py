"""Published circuits as rows of the graph: labels, kernels, circuits and what disagrees.

``published:inceptionv1`` comes with the package (its attribution lies beside the data);
``published:DIR`` reads a folder of the same files, which ``docs/published.md`` describes. No
weights are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from circuitkb.loaders.annotation_formats.rows import place_of
from circuitkb.loaders.composition.summaries import strongest_inputs
from circuitkb.loaders.published.annotations import (
    annotation_rows,
    circuit_name,
    circuit_source,
    edge_records,
    feature_id,
    label_records,
    unit_of,
)
from circuitkb.loaders.published.evidence import evidence_rows, flags
from circuitkb.loaders.published.files import PublishedFiles, Unit, read_published
from circuitkb.loaders.published.folder import packaged
from circuitkb.schema.ids import FeatureId, check_slug, slugify
from circuitkb.schema.kernels import Connection
from circuitkb.schema.provenance import tool
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

__all__ = ["packaged", "published_identity", "published_rows"]


def published_identity(source: str, name: str | None = None) -> tuple[str, str]:
    """Return the model's name and fingerprint, without building rows.

    Parameters
    ----------
    source
        ``published:NAME`` or ``published:DIR``.
    name
        Name for the model instead of the one in the data.

    Returns
    -------
    tuple
        The name, and sha256 over the canonical content of the files: white space, line ends
        and the order of keys do not change it.

    Raises
    ------
    UnknownSourceError, PublishedDataError, IdError
        As :func:`published_rows`.

    Examples
    --------
    >>> published_identity("published:inceptionv1", "early")[0]
    'early'
    """
    files = read_published(source, name)
    return files.name, files.fingerprint


def published_rows(source: str, *, name: str | None = None) -> GraphRows:
    """Read published circuits and return everything they say as rows of the graph.

    Parameters
    ----------
    source
        ``published:NAME`` (packaged) or ``published:DIR`` (a folder of the same files).
    name
        Name for the model instead of the one in the data.

    Returns
    -------
    GraphRows
        Model, layers and every unit as a feature; labels and claimed signs as annotations;
        each published kernel as a ``WEIGHT`` (several figures of one edge are parallel edges)
        and, in ``kernels``, one connection for each figure and pair of layers; circuits with
        their members; evidence where figures agree, differ or miss a claimed sign.

        Kernels keep the scale of their figure, so ``rank`` counts among the inputs of a target
        within one figure, and the features carry no total of input mass.

    Raises
    ------
    UnknownSourceError
        Neither a packaged set nor a folder; the message names near matches.
    PublishedDataError
        A file is missing or breaks the format; the message names file, place and reason.
    IdError
        ``name`` cannot name a model, or a circuit's name becomes too long with it.

    Notes
    -----
    Source of ``published:inceptionv1``: the Distill Circuits thread (2020-2021), CC-BY-4.0.

    Examples
    --------
    >>> rows = published_rows("published:inceptionv1")
    >>> counts = rows.counts()
    >>> counts["Feature"], counts["WEIGHT"], counts["Circuit"]
    (3116, 532, 14)
    """
    files = read_published(source, name)
    connections, keys = _connections(files)
    nodes: dict[str, pa.Table] = {
        "Model": _model(files),
        "Layer": _layers(files),
        "Feature": _features(files),
    }
    relations = [*_places(files), _weights(files, connections, keys)]
    records = [*label_records(files), *(record for _, _, record in edge_records(files))]
    for more_nodes, more_relations in (
        annotation_rows(records),
        _circuits(files),
        evidence_rows(files, keys),
    ):
        nodes |= more_nodes
        relations += more_relations
    return GraphRows(
        nodes={label: table for label, table in nodes.items() if table.num_rows},
        relations=[item for item in relations if item.table.num_rows],
        kernels={files.name: connections},
    )


def _model(files: PublishedFiles) -> pa.Table:
    features, edges = sum(files.layers.values()), len(files.kernels)
    pairs = {(item.source, item.target) for item in files.kernels}
    row: dict[str, Any] = {
        "id": files.name,
        "fingerprint": files.fingerprint,
        "source": files.source,
        "architecture": files.about.architecture,
        "weights": "published",
        "features": features,
        "edges": edges,
        "edges_kept": edges,
        "not_composed": [
            f"only {len(pairs)} pairs of units have a published kernel; the other weights of the "
            "network are not known here"
        ],
        "linearisation": files.about.linearisation,
        "tool": tool(),
        "license": files.about.license,
        "attribution": files.about.attribution,
    }
    return node_table("Model", rows_of([row]))


def _layers(files: PublishedFiles) -> pa.Table:
    rows = [
        {
            "id": f"{files.name}/{layer}",
            "model": files.name,
            "name": layer,
            "position": position,
            "kind": files.about.layer_kind,
            "channels": channels,
        }
        for position, (layer, channels) in enumerate(files.layers.items())
    ]
    return node_table("Layer", rows_of(rows))


def _units(files: PublishedFiles) -> list[Unit]:
    return [(layer, unit) for layer, channels in files.layers.items() for unit in range(channels)]


def _features(files: PublishedFiles) -> pa.Table:
    sources: dict[Unit, set[Unit]] = {}
    for item in files.kernels:
        sources.setdefault(item.target, set()).add(item.source)
    units = _units(files)
    return node_table(
        "Feature",
        {
            "id": [f"{files.name}/{layer}:{unit}" for layer, unit in units],
            "model": [files.name] * len(units),
            "layer": [layer for layer, _ in units],
            "unit": [unit for _, unit in units],
            # How many edges the whole network has is not published; these are known to be there.
            "inputs": [len(sources[unit]) if unit in sources else None for unit in units],
        },
    )


def _places(files: PublishedFiles) -> list[Relations]:
    units = _units(files)
    in_layer = {
        "source": [f"{files.name}/{layer}:{unit}" for layer, unit in units],
        "target": [f"{files.name}/{layer}" for layer, _ in units],
    }
    in_model = {
        "source": [f"{files.name}/{layer}" for layer in files.layers],
        "target": [files.name] * len(files.layers),
    }
    return [
        Relations("IN_LAYER", "Feature", "Layer", relation_table("IN_LAYER", in_layer)),
        Relations("IN_MODEL", "Layer", "Model", relation_table("IN_MODEL", in_model)),
    ]


def _connections(files: PublishedFiles) -> tuple[list[Connection], list[str]]:
    """Gather the kernels by figure, pair of layers and grid.

    Returns the connections, and for each kernel of ``files`` the key of its own.
    """
    members: dict[tuple[Any, ...], list[int]] = {}
    for index, item in enumerate(files.kernels):
        figure = item.repository, item.figure
        group = (*figure, item.source[0], item.target[0], item.kernel.shape)
        members.setdefault(group, []).append(index)
    position = {layer: place for place, layer in enumerate(files.layers)}
    connections: list[Connection] = []
    keys = [""] * len(files.kernels)
    taken: set[str] = set()
    for (_, figure, source, target, _), indices in members.items():
        key = _key(figure, source, target, taken)
        taken.add(key)
        kernels = [files.kernels[index] for index in indices]
        for index in indices:
            keys[index] = key
        # A kernel that skips a layer was multiplied out across a nonlinearity.
        skips = position[target] - position[source] > 1
        connections.append(
            Connection(
                key,
                source,
                target,
                "gated" if skips else "direct",
                np.array([[item.target[1]] for item in kernels], np.int32),
                np.array([[item.source[1]] for item in kernels], np.int32),
                np.stack([item.kernel for item in kernels])[:, None, None],
                origin=figure,
            )
        )
    return connections, keys


def _key(figure: str, source: str, target: str, taken: set[str]) -> str:
    plain = slugify(f"{PurePosixPath(figure).stem}.{source}.{target}")
    return next(
        key
        for key in (plain, *(f"{plain}.{count}" for count in range(2, len(taken) + 3)))
        if key not in taken
    )


def _weights(
    files: PublishedFiles, connections: Sequence[Connection], keys: Sequence[str]
) -> Relations:
    # One figure at a time, since ranks across figures would compare unlike scales.
    tables = [
        strongest_inputs([connection], model=files.name, keep=connection.source_units.size).weights
        for connection in connections
    ]
    table = pa.concat_tables(tables) if tables else relation_table("WEIGHT", {})
    noted = {
        (feature_id(files, item.source), feature_id(files, item.target), key): flag
        for item, key, flag in zip(files.kernels, keys, flags(files), strict=True)
        if flag
    }
    ends = zip(
        *(table[name].to_pylist() for name in ("source", "target", "connection")), strict=True
    )
    column = pa.array([noted.get(end) for end in ends], pa.string())
    table = table.set_column(table.schema.get_field_index("flag"), "flag", column)
    return Relations("WEIGHT", "Feature", "Feature", table)


def _circuits(files: PublishedFiles) -> tuple[dict[str, pa.Table], list[Relations]]:
    rows = [
        {
            "id": check_slug(circuit_name(files, circuit), "circuit name"),
            "motif": circuit.motif,
            "model": files.name,
            "origin": "published",
            "claim": circuit.claim,
            "source": place_of(circuit_source(circuit)),
            "license": circuit.source.license or files.about.license,
        }
        for circuit in files.circuits
    ]
    members = [
        {
            "source": str(FeatureId(files.name, *unit_of(member.unit))),
            "target": circuit_name(files, circuit),
            "role": member.role,
        }
        for circuit in files.circuits
        for member in circuit.members
    ]
    member_of = relation_table("MEMBER_OF", rows_of(members))
    return (
        {"Circuit": node_table("Circuit", rows_of(rows))},
        [Relations("MEMBER_OF", "Feature", "Circuit", member_of)],
    )
