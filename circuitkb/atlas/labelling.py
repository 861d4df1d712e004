"""Labels written from a page: who says what of which feature, and what others think of it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args
from urllib.parse import parse_qs

from circuitkb.atlas.given import ROWS, SECONDS
from circuitkb.atlas.links import address
from circuitkb.atlas.page import Act, Field, Page, Table
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.schema.errors import AccessError, QueryError

MOST_BYTES = 20_000
"""Of one form that comes in."""

LICENSES = ("CC0-1.0", "CC-BY-4.0")
"""Under which a label can be given here; ``circuitkb annotate`` takes any."""

Verdict = Literal["agree", "disagree", "unsure"]

_UNLABELLED = """\
MATCH (f:Feature)-[:MEMBER_OF]->(c:Circuit)
WHERE NOT EXISTS {
  MATCH (f)<-[:ANNOTATES]-(:Annotation {kind: 'label', state: 'live'})-[:BY]->(w:Annotator)
  WHERE w.type <> 'tool' }
RETURN f.id AS feature, count(DISTINCT c) AS circuits ORDER BY circuits DESC, feature"""

_SAID = """\
MATCH (f:Feature {id: $id})<-[about:ANNOTATES WHERE about.role IS NULL]-
  (a:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
MATCH (a)-[:BY]->(w:Annotator)
RETURN a.id AS id, l.text AS label, w.id AS author ORDER BY label, author, id"""

_ASKED = ("disagreements", "pending", "stale")
"""Questions of the catalogue whose answers stand on the page of labels."""


@dataclass(frozen=True)
class Given:
    """The values of a form that came in, by name; one that is not there is empty."""

    values: Mapping[str, str]

    @classmethod
    def read(cls, body: bytes) -> Given:
        """Read a form as browsers send it.

        Raises
        ------
        QueryError
            It is too long, or no text.
        """
        if len(body) > MOST_BYTES:
            raise QueryError(f"A form has {MOST_BYTES:,} bytes at most.")
        try:
            found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
        except ValueError:
            raise QueryError("This is no form.") from None
        return cls({name: values[-1].strip() for name, values in found.items()})

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")


def check_sender(given: Given, headers: Mapping[str, str], token: str) -> None:
    """Make sure that a form was sent by a page of this server.

    Raises
    ------
    AccessError
        It has not the server's token, or another site sent it.
    """
    site = headers.get("sec-fetch-site", "same-origin")
    origin, host = headers.get("origin"), headers.get("host", "")
    ours = (f"http://{host}", f"https://{host}")  # where another server in front speaks TLS
    elsewhere = site != "same-origin" or (origin is not None and origin not in ours)
    if elsewhere or not hmac.compare_digest(given["token"].encode(), token.encode()):
        raise AccessError("This form was not sent from a page of this server: open the page anew.")


def acts(kb: KnowledgeBase, feature: str, author: str) -> tuple[Act, ...]:
    """Return the forms of a feature's page: to label it, and to say what one thinks of a label."""
    who = Field("author", "who says it", author)
    label = Act(
        "Label it",
        "label",
        (
            Field("label", "what it is", wanted=True),
            Field("author", "who says it", author, wanted=True),
            Field("license", "licence", choices=LICENSES),
        ),
        {"target": feature},
        (("Label", ""),),
    )
    reviews = (
        Act(
            f"{row['label']}, says {row['author']}",
            "review",
            (who,),
            {"annotation": row["id"], "target": feature},
            (("Agree", "agree"), ("Disagree", "disagree"), ("Unsure", "unsure"))
            if row["author"] != author
            else (("Take it back", "retract"),),
        )
        for row in kb.query(_SAID, {"id": feature}, limit=ROWS, timeout=SECONDS)
    )
    return (label, *reviews)


def label(kb: KnowledgeBase, given: Given) -> str:
    """Write a label, and return the address of the page of its feature.

    Raises
    ------
    AnnotationError, NotFoundError
    """
    kb.annotate.add(
        given["target"],
        given["label"],
        author=given["author"] or None,
        license=given["license"] or None,
    )
    return address(given["target"])


def review(kb: KnowledgeBase, given: Given) -> str:
    """Write what somebody thinks of a label, or take one back; return its feature's address.

    Raises
    ------
    AnnotationError, NotFoundError
    QueryError
        No such verdict.
    """
    verdict, author = given["verdict"], given["author"] or None
    if verdict == "retract":
        kb.annotate.retract(given["annotation"], author=author)
    elif verdict in get_args(Verdict):
        kb.annotate.review(given["annotation"], cast("Verdict", verdict), author=author)
    else:
        raise QueryError(f"{verdict!r} is no verdict: {', '.join(get_args(Verdict))}.")
    return address(given["target"])


def queue(kb: KnowledgeBase) -> Page:
    """Return the page of labels: what has none, in most circuits first, and what is in dispute."""
    unlabelled = kb.query(_UNLABELLED, limit=ROWS, timeout=SECONDS)
    tables = [Table("Without a label, in most circuits first", unlabelled)]
    for name in _ASKED:
        asked = kb.ask(name, timeout=SECONDS, limit=ROWS)
        tables.append(Table(asked.question.title, asked.result, "\n".join(asked.result.notes)))
    return Page("Labels", "labels", tables=tuple(tables))
