"""Which pages a folder of them holds, and by what it is known whether they are still right."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from circuitkb import __version__
from circuitkb.atlas.claims import claims_of
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.schema.errors import NotFoundError

_OF_MODELS = {
    "Model": "MATCH (n:Model) WHERE n.id IN $models RETURN n.id AS id ORDER BY id",
    "Layer": "MATCH (n:Layer) WHERE n.model IN $models RETURN n.id AS id ORDER BY n.position, id",
    "Circuit": "MATCH (n:Circuit) WHERE n.model IN $models RETURN n.id AS id ORDER BY id",
    "member": (
        "MATCH (n:Feature)-[:MEMBER_OF]->(c:Circuit) WHERE c.model IN $models "
        "RETURN DISTINCT n.id AS id ORDER BY id"
    ),
    "labelled": (
        "MATCH (w:Annotator)<-[:BY]-(:Annotation {kind: 'label', state: 'live'})"
        "-[:ANNOTATES]->(n:Feature) WHERE w.type <> 'tool' AND n.model IN $models "
        "RETURN DISTINCT n.id AS id ORDER BY id"
    ),
}

_INPUTS = """\
MATCH (s:Feature)-[w:WEIGHT]->(f:Feature) WHERE f.id IN $features AND w.rank <= $rank
RETURN DISTINCT s.id AS id ORDER BY id"""

_STATES = (
    "MATCH (n:Import) RETURN n.id AS id ORDER BY id",
    "MATCH (n:Import {kind: 'photographs'}) RETURN n.summary AS summary ORDER BY n.id",
    "MATCH (n:Circuit) RETURN n.id AS id, n.trial AS trial ORDER BY id",
    "MATCH (n:Trial) RETURN n.id AS id ORDER BY id",
    "MATCH (n:Annotation) RETURN n.id AS id, n.state AS state ORDER BY id",
    "MATCH (n:Claim) RETURN n.id AS id, n.state AS state, n.standing AS standing, "
    "size(n.records) AS records ORDER BY id",
    "MATCH (n:Proof) RETURN n.id AS id, n.outcome AS outcome ORDER BY id",
    "MATCH (n:Evidence {kind: 'coverage'}) RETURN n.id AS id ORDER BY id",
)

STRONGEST = 10
"""Inputs of a feature whose pages come along, where they do."""

UNLICENSED = "NOASSERTION"


@dataclass(frozen=True)
class Contents:
    """The nodes that have a page, in order.

    Attributes
    ----------
    models, nodes
        Ids of models; and of models, layers, circuits, claims and features.
    features
        Those of them that are features.
    state
        Changes with whatever the pages say, and with the version that writes them.
    """

    models: tuple[str, ...]
    nodes: tuple[str, ...]
    features: tuple[str, ...]
    state: str


def contents(kb: KnowledgeBase, models: Sequence[str] | None, *, inputs: bool) -> Contents:
    """Choose the pages: models, layers, circuits, their members, and what people labelled.

    Parameters
    ----------
    models
        Only these; all if None.
    inputs
        Whether the strongest inputs of these features have pages, too.

    Raises
    ------
    NotFoundError
        There is no such model.
    """
    known = kb.models(limit=None).run()["model"]
    for model in models or ():
        if model not in known:
            raise NotFoundError(f"No model {model!r} here. Known: {', '.join(known)}.")
    given = {"models": sorted(set(models)) if models else known}
    found = {
        kind: [row["id"] for row in kb.query(text, given, limit=None)]
        for kind, text in _OF_MODELS.items()
    }
    features = list(dict.fromkeys([*found.pop("member"), *found.pop("labelled")]))
    if inputs:
        among = {"features": features, "rank": STRONGEST}
        features += [row["id"] for row in kb.query(_INPUTS, among, limit=None)]
    features = list(dict.fromkeys(features))
    claims = claims_of(kb, given["models"])
    nodes = [*(id for ids in found.values() for id in ids), *claims, *features]
    return Contents(tuple(found["Model"]), tuple(nodes), tuple(features), _state(kb, nodes))


def unlicensed(kb: KnowledgeBase) -> str:
    """Return how many annotations and claims have no licence of their author; empty if none."""
    text = "MATCH (a:{} {{license: $license}}) RETURN count(a) AS count"
    counts = {
        label: int(kb.query(text.format(label), {"license": UNLICENSED}).rows[0][0])
        for label in ("Annotation", "Claim")
    }
    return " and ".join(f"{n:,} {label.lower()}s" for label, n in counts.items() if n)


def _state(kb: KnowledgeBase, nodes: Sequence[str]) -> str:
    digest = hashlib.sha256(f"{__version__}\n".encode())
    for text in _STATES:
        for row in kb.query(text, limit=None).rows:
            digest.update(repr(row).encode())
    digest.update("\n".join(nodes).encode())
    return digest.hexdigest()
