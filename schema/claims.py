"""Claims: what makes two of them the same, and the words for how they stand.

A claim is a dictionary that follows ``resources/claim.schema.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from circuitkb.schema.ids import content_hash

SCHEMA = "circuitkb.claim/1"

STANDINGS = ("refuted", "untested", "undecided", "supported")
"""How a claim may stand, the weakest first: of several parts the first of these decides."""

_CORE = (
    *("statement", "subject", "aspect", "prediction", "tolerance", "refuted_by", "parts"),
    *("said_of", "source"),
)


def claim_id(record: Mapping[str, Any]) -> str:
    """Return the id of a claim: the one it brings, or the hash of what it states, and who does.

    Examples
    --------
    >>> one = {"statement": "It  unites two cases.", "author": {"id": "ada", "type": "human"}}
    >>> other = one | {"statement": "It unites two cases.", "created": "2021-06-30"}
    >>> claim_id(one) == claim_id(other), claim_id(one | {"id": "a"})
    (True, 'a')
    """
    given = record.get("id")
    return given if isinstance(given, str) else f"ckb:{content_hash(core_of_claim(record))}"


def core_of_claim(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a claim states, and who states it; not when, and not under which licence."""
    core = {key: record[key] for key in _CORE if record.get(key) is not None}
    for key in ("statement", "refuted_by"):
        if key in core:
            core[key] = " ".join(core[key].split())
    if "parts" in core:
        core["parts"] = sorted(core["parts"])
    return core | {"author": record.get("author", {}).get("id")}
