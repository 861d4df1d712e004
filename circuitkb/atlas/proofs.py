"""What was proved or refuted of a circuit or feature, and the counterexamples, drawn."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from circuitkb.atlas.given import MOST_ROWS, SECONDS
from circuitkb.atlas.page import Gallery, Image, Table
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.schema.errors import CircuitKBError, NotFoundError
from circuitkb.stores.base import Store

COUNTEREXAMPLE = "counterexample"
"""What the addresses of these pictures begin with."""

DRAWN = 4
"""Counterexamples that a page shows at most."""

_SAID = (
    "A proof holds over its box, and says nothing beyond it: with others at their mean (mean), "
    "with every input anywhere in the range observed (range), or for all images (pixels)."
)

_PICTURED = (
    "What each input gives the target there, or the image. The network was run with it: measured "
    "is what it gave."
)

_PROOFS = """\
MATCH (p:Proof)-[a:ABOUT]->(n:{label} {{id: $id}}) WHERE a.role IN ['circuit', 'target']
RETURN p.id AS id, p.outcome AS outcome, p.when AS when, p.then AS then, p.box AS box, p.by AS by,
  p.bound AS bound, p.value AS value, p.measured AS measured, p.note AS note, p.network AS model
ORDER BY box, outcome, id"""

_DRAWABLE = """\
MATCH (p:Proof {outcome: 'refuted'}) WHERE p.id IN $ids AND NOT p.detail CONTAINS '"witness":null'
RETURN p.id AS id, p.box AS box, p.measured AS measured, p.value AS value ORDER BY box, id"""

_ADDRESS = re.compile(rf"{COUNTEREXAMPLE}/(proof-[0-9a-f]{{16}})")


def proofs(kb: KnowledgeBase, kind: str, id: str) -> tuple[tuple[Table, ...], tuple[Gallery, ...]]:
    """Return the proofs about a circuit or a target, and pictures of counterexamples.

    Parameters
    ----------
    kind
        Of the page: ``circuit``, ``feature`` or ``proof``; of others there is nothing.
    """
    if kind == "proof":
        return (), counterexamples(kb, [id])
    if kind not in ("circuit", "feature"):
        return (), ()
    text = _PROOFS.format(label=kind.capitalize())
    found = kb.query(text, {"id": id}, limit=MOST_ROWS, timeout=SECONDS)
    if not found.rows:
        return (), ()
    return (Table("Proved or refuted", found, _SAID),), counterexamples(kb, found["id"])


def counterexamples(kb: KnowledgeBase, ids: Sequence[str]) -> tuple[Gallery, ...]:
    """Return the counterexamples of those of some proofs that have one that is kept."""
    if not ids:
        return ()
    found = kb.query(_DRAWABLE, {"ids": list(ids)}, limit=DRAWN, timeout=SECONDS).to_dicts()
    images = [
        Image(
            f"{COUNTEREXAMPLE}/{row['id']}",
            f"{row['id']}, over {row['box']}: "
            + (
                f"by kernels {row['value']:.4g}"
                if row["measured"] is None
                else f"the network gives {row['measured']:.4g}"
            ),
        )
        for row in found
        if _ADDRESS.fullmatch(f"{COUNTEREXAMPLE}/{row['id']}")
        and (row["measured"] is not None or row["value"] is not None)
    ]
    return (Gallery("Counterexamples", tuple(images), _PICTURED, whole=True),) if images else ()


def png(store: Store, address: str) -> bytes:
    """Return the picture of a counterexample by its address.

    Raises
    ------
    NotFoundError
        There is no such proof, or nothing of it can be drawn.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise NotFoundError(f"There is no picture at {address!r}.")
    with tempfile.TemporaryDirectory(prefix="circuitkb-") as folder:
        file = Path(folder) / "counterexample.png"
        try:
            KnowledgeBase(store).draw_proof(found[1], file)
        except NotFoundError:
            raise
        except CircuitKBError as error:
            raise NotFoundError(str(error)) from error
        return file.read_bytes()
