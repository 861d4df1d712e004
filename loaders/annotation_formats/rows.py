"""From records to the nodes and relations of the graph.

Several records may stand under one id. What a node says of them is chosen so that it does not
depend on the order in which they came, and never has to be taken back: of each property the
smallest value, of relations all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from circuitkb.loaders.annotation_formats.checking import feature_of, units_of
from circuitkb.schema.records import date_order, label_id, label_text, texts_of
from circuitkb.schema.tables import Relations, relation_table

Record = Mapping[str, Any]

AUTHOR_TYPES = ("human", "group", "model", "tool")
"""From human to mechanical: an author that records tell apart counts as the last of them."""


class Reference(NamedTuple):
    """What an annotation speaks of: a node by label and id, and the role of an edge's end."""

    label: str
    id: str
    role: str | None = None


def references_of(record: Record) -> list[Reference]:
    """Return the nodes that a record speaks of.

    Examples
    --------
    >>> references_of({"target": {"type": "circuit", "id": "dog-heads"}})
    [Reference(label='Circuit', id='dog-heads', role=None)]
    """
    target = record["target"]
    match target["type"]:
        case "feature":
            return [Reference("Feature", str(feature_of(target)))]
        case "edge":
            return [
                Reference("Feature", str(feature_of(target[end])), end)
                for end in ("source", "target")
            ]
        case "circuit":
            return [Reference("Circuit", target["id"])]
        case _:
            return [Reference("Annotation", target["id"])]


def member_references(record: Record) -> list[Reference]:
    """Return the members that a record gives for its circuit, with their roles."""
    if record["target"]["type"] != "circuit":
        return []
    return [
        Reference("Feature", str(feature_of(member["unit"])), member.get("role") or "member")
        for member in record["target"].get("members", ())
    ]


def annotation_properties(id: str, records: Sequence[Record]) -> dict[str, Any]:
    """Return the properties of the node of some records with one id: one that is live.

    Examples
    --------
    >>> record = {"id": "ckb:1", "kind": "label", "label": {"text": "curve"}, "method": "manual",
    ...           "target": {"type": "circuit", "id": "c"}, "source": {"uri": "x"},
    ...           "created": "2020-01-01", "license": "CC0-1.0"}
    >>> node = annotation_properties("ckb:1", [record])
    >>> node["text"], node["created"], len(node["records"])
    ('curve', '2020-01-01', 1)
    """
    first, *others = all_of = [_properties(record) for record in records]
    node: dict[str, Any] = {"id": id, "state": "live", "awaiting": "", "awaits": []}
    if not others:
        node |= first
    for name in first if others else ():
        values = [found[name] for found in all_of if found.get(name) is not None]
        if values:
            node[name] = min(values, key=date_order) if name == "created" else min(values)
    node["records"] = texts_of(records)
    return node


def _properties(record: Record) -> dict[str, Any]:
    label = record.get("label")
    text = label_text(label["text"]) if label else record.get("text") or record.get("verdict")
    return {
        "kind": record["kind"],
        "text": text or "",
        "concept": label.get("concept") if label else None,
        "aspect": record.get("aspect"),
        "method": record["method"],
        "sign": record.get("sign"),
        "verdict": record.get("verdict"),
        "confidence": record.get("confidence"),
        "created": record["created"],
        "source": place_of(record["source"]),
        "license": record["license"],
        "fingerprint": _fingerprint(record["target"]),
    }


def _fingerprint(target: Record) -> str | None:
    if target["type"] == "feature":
        return target.get("fingerprint") or None
    fingerprints = (unit.get("fingerprint") for _, unit in units_of(target))
    return min((each for each in fingerprints if each), default=None)


def place_of(source: Mapping[str, Any]) -> str:
    """Return in one line where something stands: address, path and commit, and the place there.

    Examples
    --------
    >>> place_of({"uri": "https://x.org/a", "path": "b.svg", "commit": "1a2b3c4d5e"})
    'https://x.org/a b.svg@1a2b3c4d5e'
    """
    path = source.get("path", "") + (f"@{source['commit']}" if "commit" in source else "")
    return " ".join(part for part in (source["uri"], path, source.get("locator", "")) if part)


def annotator_properties(authors: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the properties of an annotator, of all that records say of it.

    Examples
    --------
    >>> annotator_properties([{"id": "a", "type": "human", "name": "A."},
    ...                       {"id": "a", "type": "tool", "name": "A. B."}])
    {'id': 'a', 'type': 'tool', 'name': 'A. B.', 'orcid': None}
    """
    given = list(authors)
    names = {author["name"] for author in given if author.get("name")}
    orcids = {author["orcid"] for author in given if author.get("orcid")}
    return {
        "id": given[0]["id"],
        "type": max((author["type"] for author in given), key=AUTHOR_TYPES.index),
        "name": max(names, key=lambda name: (len(name), name), default=None),
        "orcid": min(orcids, default=None),
    }


def label_properties(label: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of the label that a record gives.

    Examples
    --------
    >>> label_properties({"text": " dog  head "})
    {'id': 'free:dog head', 'text': 'dog head', 'vocabulary': None}
    """
    return {
        "id": label_id(label),
        "text": label_text(label["text"]),
        "vocabulary": label.get("vocabulary"),
    }


class RelationRows:
    """Relations as they are found, gathered by name and ends."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], dict[tuple[str, str, str | None], None]] = {}

    def add(self, name: str, source: Reference, target: Reference, role: str | None = None) -> None:
        """Add one, unless it is there."""
        rows = self._rows.setdefault((name, source.label, target.label), {})
        rows[source.id, target.id, role] = None

    def said_by(self, id: str, record: Record) -> None:
        """Add who says it, and the label that it gives."""
        annotation = Reference("Annotation", id)
        self.add("BY", annotation, Reference("Annotator", record["author"]["id"]))
        if label := record.get("label"):
            self.add("USES", annotation, Reference("Label", label_id(label)))

    def tables(self) -> Iterator[Relations]:
        """Give them as tables."""
        for (name, source, target), rows in self._rows.items():
            sources, targets, roles = zip(*rows, strict=True)
            columns: dict[str, Any] = {"source": sources, "target": targets}
            if any(role is not None for role in roles):
                columns["role"] = roles
            yield Relations(name, source, target, relation_table(name, columns))
