"""What people claim, and how it stands: a page of all claims, and one of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from circuitkb.atlas.given import known, limit_of
from circuitkb.atlas.page import Field, Page, Table
from circuitkb.atlas.proofs import counterexamples
from circuitkb.claims.card import predicted
from circuitkb.claims.listing import shown
from circuitkb.claims.stored import StoredClaims
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.results.result import Result
from circuitkb.schema.claims import STANDINGS

LEAD = (
    "A claim says beforehand what would refute it. Its standing follows from its trials and its "
    "parts: of a whole the weakest part decides, never a vote.",
    "Supported means that what was predicted was measured here, beyond its control; it does not "
    "say that a feature means what a claim calls it.",
)

NOTHING = "Nobody claims anything here: circuitkb claim add --shipped adds what articles claim."

_COLUMNS = ("id", "standing", "statement", "aspect", "subject", "test", "measured", "p", "source")

_OF_TRIAL = ("trial", "outcome", "counts", "measured", "again", "null_mean", "p", "proof", "why")


def claims(kb: KnowledgeBase, query: Mapping[str, str], *, most: int | None = None) -> Page:
    """Return all claims with their standings, narrowed by what the form gives.

    Parameters
    ----------
    most
        Rows at most, where the query does not say.

    Raises
    ------
    QueryError
        The query has what the form has not.
    ClaimError
        There is no such standing.
    """
    given = known(query, {"model", "standing", "limit"})
    limit = limit_of(given.pop("limit", "")) if most is None else most
    found = kb.claims.list(
        model=given.get("model") or None, standing=given.get("standing") or None, limit=limit
    )
    models = {id: claim.model for id, claim in StoredClaims.of(kb.store).claims.items()}
    rows = [_renamed(row) | {"model": models.get(row["claim"])} for row in found.to_dicts()]
    listed = Result.of_records(rows, truncated=found.truncated)
    return Page(
        "Claims",
        "claims",
        LEAD if rows or given else (NOTHING,),
        tables=(Table("Claims", listed, "; ".join(found.notes), _COLUMNS if rows else ()),),
        form=(
            Field("model", "model", given.get("model", "")),
            Field("standing", "standing", given.get("standing", ""), STANDINGS),
        ),
        query=given,
    )


def _renamed(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose claim is a link: what people wrote never is one."""
    return {"id" if name == "claim" else name: value for name, value in row.items()}


def claim(kb: KnowledgeBase, id: str, address: str) -> Page:
    """Return the page of a claim: what it says, what would refute it, its parts and trials."""
    found = shown(kb.store, id)
    source = found["source"]
    facts = {
        "standing": found["standing"],
        "why": found["why"],
        "aspect": found["aspect"],
        "subject": found.get("subject"),
        "said_of": found.get("said_of"),
        "predicts": predicted(found["prediction"]) if "prediction" in found else None,
        "tolerance": found.get("tolerance"),
        "refuted_by": found["refuted_by"],
        "source": f"{source['title']}, {source['section']} ({source['year']})",
        "uri": source.get("uri"),
        "author": found["author"].get("name") or found["author"]["id"],
        "created": found["created"],
        "license": found["license"],
    }
    lead = [found["statement"], f"{found['standing'].capitalize()}: {found['why']}"]
    if found["contested"]:
        lead.append("Its id stands for two different statements.")
    parts = [{"id": part, "standing": standing} for part, standing in found["parts"].items()]
    trials = [
        {name: trial.get("id" if name == "trial" else name) for name in _OF_TRIAL}
        for trial in found["trials"]
    ]
    tables = (
        ("Its parts: the weakest decides", parts),
        ("What it is a part of", [{"id": whole} for whole in found["part_of"]]),
        ("Its trials", trials),
    )
    return Page(
        id,
        address,
        tuple(lead),
        "claim",
        {name: value for name, value in facts.items() if value is not None},
        galleries=counterexamples(kb, [one["proof"] for one in trials if one["proof"]]),
        tables=tuple(Table(title, Result.of_records(rows)) for title, rows in tables if rows),
    )


def claims_of(kb: KnowledgeBase, models: Collection[str]) -> list[str]:
    """Return the ids of the claims about some models, and of what these are parts of."""
    every = StoredClaims.of(kb.store).claims
    found = {id for id, claim in every.items() if claim.model in models}
    while True:
        more = {id for id, one in every.items() if found & {*(one.node["parts"] or ())}} - found
        if not more:
            return sorted(found)
        found |= more
