"""Records of every kind, and stores with a small model to import them into."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from circuitkb.annotations.importing import import_annotations, raise_if_refused
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table
from circuitkb.stores import open_store
from circuitkb.stores.base import Store

Record = dict[str, Any]

MODELS = ("alpha", "beta")
UNITS = 8
FINGERPRINT = "f" * 64


def model_rows() -> GraphRows:
    """Two models of two layers, eight units each."""
    places = [(model, layer) for model in MODELS for layer in ("conv1", "conv2")]
    features = [(model, layer, unit) for model, layer in places for unit in range(UNITS)]
    names = [f"{model}/{layer}" for model, layer in places]
    ids = [f"{model}/{layer}:{unit}" for model, layer, unit in features]
    return GraphRows(
        nodes={
            "Model": node_table(
                "Model",
                {
                    "id": list(MODELS),
                    "fingerprint": [FINGERPRINT] * 2,
                    "source": [f"test:{model}" for model in MODELS],
                },
            ),
            "Layer": node_table(
                "Layer",
                {
                    "id": names,
                    "model": [model for model, _ in places],
                    "name": [layer for _, layer in places],
                    "position": [int(layer[-1]) - 1 for _, layer in places],
                    "channels": [UNITS] * len(places),
                },
            ),
            "Feature": node_table(
                "Feature",
                {
                    "id": ids,
                    "model": [model for model, _, _ in features],
                    "layer": [layer for _, layer, _ in features],
                    "unit": [unit for _, _, unit in features],
                },
            ),
        },
        relations=[
            Relations(
                "IN_LAYER",
                "Feature",
                "Layer",
                relation_table(
                    "IN_LAYER", {"source": ids, "target": [id.rpartition(":")[0] for id in ids]}
                ),
            ),
            Relations(
                "IN_MODEL",
                "Layer",
                "Model",
                relation_table(
                    "IN_MODEL", {"source": names, "target": [name.split("/")[0] for name in names]}
                ),
            ),
        ],
    )


def store_at(place: Path) -> Store:
    """An embedded store with the two models."""
    store = open_store(place)
    store.write(model_rows())
    return store


def take_in(store: Store, records: Iterable[Mapping[str, Any]], folder: Path) -> None:
    """Import records; each must be good."""
    path = folder / "given.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    raise_if_refused(import_annotations(store, [path], importer="test"))


def unit(number: int = 0, *, model: str = "alpha", layer: str = "conv1", **more: Any) -> Record:
    return {"model": model, "layer": layer, "unit": number, **more}


def feature(number: int = 0, **more: Any) -> Record:
    return {"type": "feature", **unit(number, **more)}


def record(kind: str = "label", **fields: Any) -> Record:
    """A record; a label of the first unit if nothing else is said."""
    found: Record = {
        "schema": "circuitkb.annotation/1",
        "kind": kind,
        "target": feature(),
        "author": {"id": "ada", "type": "human"},
        "method": "manual",
        "source": {"uri": "https://example.org/labels"},
        "created": "2026-01-02",
        "license": "CC-BY-4.0",
    }
    if kind in ("label", "role") and "label" not in fields:
        found["label"] = {"text": "curve"}
    return found | fields


def by(author: str, type: str = "human", **more: Any) -> Record:
    return {"id": author, "type": type, **more}


def every_kind() -> list[Record]:
    """Records of every kind and target, in every state, with every field."""
    edge = {"type": "edge", "source": unit(1), "target": unit(2, layer="conv2")}
    members = [{"unit": unit(1), "role": "case"}, {"unit": unit(3, layer="conv2")}]
    edges = [{"source": unit(1), "target": unit(3, layer="conv2"), "note": "n"}]
    circuit = {"type": "circuit", "id": "curves", "members": members, "edges": edges}
    old = "urn:uuid:00000000-0000-4000-8000-000000000001"
    withdrawn = "https://example.org/annotations/7"
    contested = "urn:uuid:00000000-0000-4000-8000-000000000009"
    waiting = "ckb:" + "0" * 32

    def of(id: str) -> Record:
        return {"type": "annotation", "id": id}

    return [
        record(id=old, label={"text": "=SUM(A1)", "lang": "en-GB", "vocabulary": "ours"}),
        record(label={"text": "'tis a curve", "concept": "curve"}, supersedes=[old]),
        record(id=withdrawn, author=by("grace", name="Grace", orcid="0000-0002-1825-0097")),
        record("retraction", target=of(withdrawn), author=by("grace")),
        record("review", target=of(old), verdict="disagree", text="-no, a line", author=by("bo")),
        record("claim", target=edge, text="excites", sign="excitatory", confidence=0.25),
        record("role", target=circuit, label={"text": 'détecteur, "courbe"; more'}),
        record(
            "comment",
            text="漢字 🧠\r\nsecond line",
            target=feature(5, model="x", basis="nmf"),
            license="CC0-1.0",
            aspect="purity",
        ),
        record(id=contested, label={"text": "dog"}),
        record(id=contested, label={"text": "cat"}, author=by("grace")),
        record("review", target=of(waiting), verdict="unsure", author=by("lab", "group")),
        record(
            target=feature(2, model="elsewhere", fingerprint="a" * 64),
            author=by("m", "model"),
            method="llm-explainer",
            scores=[{"name": "f1", "value": 0.5, "params": {"k": 3}}],
            evidence=[{"type": "ablation", "stance": "contradicts", "uri": "https://x.org/e"}],
            ext={"lab": {"colour": "red"}},
            source={"uri": "notes", "path": "a/b.svg", "commit": "1a2b3c4", "locator": "p. 4"},
        ),
        record(label={"text": "kept at home"}, license="NOASSERTION", author=by("quiet")),
        record(target=feature(3, model="beta"), created="2026-03-04T05:06:07.5+02:00"),
    ]
