"""Labels written from a page: who says what of which feature, and what others think of it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args
from urllib.parse import parse_qs

from circuitkb.annotations.comparing.agreement import OVERALL
from circuitkb.atlas.given import MOST_ROWS, ROWS, SECONDS, known, whole_number
from circuitkb.atlas.links import address
from circuitkb.atlas.page import Act, Field, Gallery, Page, Table, Way
from circuitkb.atlas.stimuli import best
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.results.result import Result
from circuitkb.schema.errors import AccessError, QueryError
from circuitkb.schema.ids import FeatureId

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

QUEUE = "labels"
"""Address of the queue."""

_ALPHA = (
    "1: all agree; 0: as chance would; with a bootstrap's 95% interval over units. Concepts that "
    "fewer than two raters gave have none. Humans alone, and all raters together."
)

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


def acts(kb: KnowledgeBase, feature: str, author: str, back: str = "") -> tuple[Act, ...]:
    """Return the forms about a feature: to label it, and to say what one thinks of a label.

    Parameters
    ----------
    author
        Who wrote last in this browser.
    back
        ``labels`` where the next of the queue is to follow; empty for the feature's own page.
    """
    who = Field("author", "who says it", author)
    label = Act(
        "Label it",
        "label",
        (
            Field("label", "what it is", wanted=True),
            Field("author", "who says it", author, wanted=True),
            Field("license", "licence", choices=LICENSES),
        ),
        {"target": feature, "back": back},
        (("Label", ""),),
    )
    reviews = (
        Act(
            f"{row['label']}, says {row['author']}",
            "review",
            (who,),
            {"annotation": row["id"], "target": feature, "back": back},
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
    return _back(given)


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
    return _back(given)


def _back(given: Given) -> str:
    """Return where a form leads: to the queue, or to what it was about, and nowhere else."""
    return QUEUE if given["back"] == QUEUE else address(given["target"])


def queue(kb: KnowledgeBase, query: Mapping[str, str]) -> Page:
    """Return the page of labels: what has none, in most circuits first, and what is in dispute.

    The next one to label stands above with its pictures; ``skip`` leaves so many for later, and
    ``agreement`` asks how far raters agree.

    Raises
    ------
    QueryError
        The query asks for something else.
    """
    given = known(query, {"skip", "agreement"})
    if given.get("agreement"):
        return _agreement(kb)
    skip = whole_number("skip", given.get("skip", ""), 0, MOST_ROWS)
    unlabelled = kb.query(_UNLABELLED, limit=skip + ROWS, timeout=SECONDS)
    following = [row["feature"] for row in unlabelled][skip : skip + 1]
    tables = [Table("Without a label, in most circuits first", unlabelled)]
    for name in _ASKED:
        asked = kb.ask(name, timeout=SECONDS, limit=ROWS)
        tables.append(Table(asked.question.title, asked.result, "\n".join(asked.result.notes)))
    ways = [Way("How far raters agree", QUEUE, {"agreement": "yes"})]
    if following:
        ways = [
            Way(f"The page of {following[0]}", address(following[0])),
            Way("Skip it", QUEUE, {"skip": str(skip + 1)}),
            *ways,
        ]
    return Page(
        "Labels",
        QUEUE,
        (f"Next without a label: {following[0]}.",) if following else (),
        figures=kb.show(following[0]).figures if following else (),
        galleries=_best(kb, following[0]) if following else (),
        tables=tuple(tables),
        query={**given},
        ways=tuple(ways),
        labelled=following[0] if following else "",
    )


def _best(kb: KnowledgeBase, feature: str) -> tuple[Gallery, ...]:
    responses = kb.responses(FeatureId.parse(feature).model)
    return () if responses is None else best(responses, feature)


def _agreement(kb: KnowledgeBase) -> Page:
    report = kb.annotate.agreement()
    rows = [row for row in report.alphas if row.concept == OVERALL or row.alpha is not None]
    table = Table(
        "Krippendorff's alpha",
        Result.of_records(row._asdict() for row in rows),
        "\n".join((_ALPHA, *report.notes)),
        ("concept", "raters", "alpha", "low", "high", "units", "pairable", "rater_count", "why"),
    )
    return Page(
        "How far raters agree", QUEUE, tables=(table,), query={"agreement": "yes"}, kind="labels"
    )
