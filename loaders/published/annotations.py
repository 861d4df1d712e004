"""What a folder of published circuits says in words, as annotation records and their rows.

A record follows ``schema/resources/annotation.schema.json``, so it can be exported as it is; its
id comes from its content, so the same folder read twice says the same once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from circuitkb.loaders.annotation_formats.rows import (
    Reference,
    RelationRows,
    annotation_properties,
    annotator_properties,
    label_properties,
    references_of,
)
from circuitkb.loaders.published.files import PublishedFiles, Unit
from circuitkb.loaders.published.format import CircuitRecord
from circuitkb.schema.ids import FeatureId, annotation_id, slugify
from circuitkb.schema.records import Record, canonical_record
from circuitkb.schema.tables import Relations, node_table, rows_of

Sign = Literal["excitatory", "inhibitory", "mixed"]

# A sign stands alone or before a word ("-bottom"); after a letter it is a hyphen ("BW-colour").
_SIGNS = re.compile(r"(?<!\w)[+−-]")


def sign_of(claim: str) -> Sign | None:
    """Return the sign that an article claims for an edge, or None where it claims none.

    Examples
    --------
    >>> [sign_of(text) for text in ("+ (bottom)", "-", "+top/-bottom", "spatial")]
    ['excitatory', 'inhibitory', 'mixed', None]
    """
    signs = {"+" if sign == "+" else "-" for sign in _SIGNS.findall(claim)}
    if len(signs) == 2:
        return "mixed"
    return {"+": "excitatory", "-": "inhibitory"}[signs.pop()] if signs else None  # type: ignore[return-value]


def feature_id(files: PublishedFiles, unit: Unit) -> str:
    """Return the id of a unit's feature."""
    return str(FeatureId(files.name, *unit))


def unit_of(text: str) -> Unit:
    """Return the unit that a checked ``layer:unit`` names."""
    layer, _, unit = text.rpartition(":")
    return layer, int(unit)


def circuit_name(files: PublishedFiles, circuit: CircuitRecord) -> str:
    """Return the id of a published circuit: the model's name goes before its own."""
    return f"{files.name}.{circuit.id}"


def label_records(files: PublishedFiles) -> Iterator[Record]:
    """Yield one record for each label of each unit, in the order of the file."""
    about = files.about.labels
    vocabulary = about.vocabulary if about else files.name
    for unit, text in files.labels:
        if about:
            path = about.path.replace("{layer}", unit[0]) if about.path else None
            source = _source(about.article, about.repo, path, about.commit)
        else:
            source = _source(files.source)
        yield _record(files, "label", {"type": "feature", **_unit(files, unit)}, source) | {
            "label": {"text": text, "vocabulary": vocabulary},
            "license": about.license if about else files.about.license,
        }


def edge_records(files: PublishedFiles) -> Iterator[tuple[CircuitRecord, int, Record]]:
    """Yield circuit, index of its edge and record for each edge that a circuit claims."""
    for circuit in files.circuits:
        source = circuit_source(circuit)
        for index, edge in enumerate(circuit.edges):
            target = {
                "type": "edge",
                "source": _unit(files, unit_of(edge.source)),
                "target": _unit(files, unit_of(edge.target)),
            }
            text = edge.claimed_sign or f"an edge of {circuit.id}, without a claimed sign"
            record = _record(files, "claim", target, source) | {
                "text": text,
                "license": circuit.source.license or files.about.license,
            }
            if sign := sign_of(edge.claimed_sign or ""):
                record["sign"] = sign
            yield circuit, index, record


def _record(files: PublishedFiles, kind: str, target: Record, source: Mapping[str, Any]) -> Record:
    author, date = _author(files, source["uri"])
    return {
        "schema": "circuitkb.annotation/1",
        "kind": kind,
        "target": target,
        "author": author,
        "method": "published",
        "source": dict(source),
        "created": date,
    }


def _author(files: PublishedFiles, uri: str) -> tuple[Record, str]:
    """Return the group that speaks in an article, and the day it did."""
    for article in files.about.articles:
        if article.uri == uri:
            name = f"{', '.join(article.names)}: {article.title}"
            return {"id": article.author, "type": "group", "name": name[:200]}, article.published
    return {"id": f"published.{slugify(uri)}", "type": "group", "name": uri[:200]}, files.date


def _unit(files: PublishedFiles, unit: Unit) -> Record:
    return {"model": files.name, "layer": unit[0], "unit": unit[1]}


def circuit_source(circuit: CircuitRecord) -> Record:
    """Return where a circuit was published, as the ``source`` of a record."""
    at = circuit.source
    return _source(at.article, at.repo, at.path, at.commit) | {"locator": circuit.id}


def _source(
    uri: str, repo: str | None = None, path: str | None = None, commit: str | None = None
) -> Record:
    found = {"uri": uri}
    if repo or path:
        found["path"] = ":".join(part for part in (repo, path) if part)
    if commit:
        found["commit"] = commit
    return found


def annotation_rows(
    records: Sequence[Record],
) -> tuple[dict[str, Any], list[Relations]]:
    """Return the tables of nodes and relations that the records make.

    Parameters
    ----------
    records
        Records whose targets are features or edges of the same folder; the same one twice counts
        once.
    """
    unique = {annotation_id(record): canonical_record(record) for record in records}
    authors: dict[str, list[Record]] = {}
    labels: dict[str, Record] = {}
    relations = RelationRows()
    for key, record in unique.items():
        authors.setdefault(record["author"]["id"], []).append(record["author"])
        relations.said_by(key, record)
        for reference in references_of(record):
            relations.add("ANNOTATES", Reference("Annotation", key), reference, reference.role)
        if "label" in record:
            label = label_properties(record["label"])
            labels[label["id"]] = label
    annotations = [annotation_properties(key, [record]) for key, record in unique.items()]
    nodes = {
        "Annotation": node_table("Annotation", rows_of(annotations)),
        "Annotator": node_table(
            "Annotator", rows_of([annotator_properties(said) for said in authors.values()])
        ),
        "Label": node_table("Label", rows_of(list(labels.values()))),
    }
    return nodes, list(relations.tables())
