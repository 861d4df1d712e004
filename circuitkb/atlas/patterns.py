"""The page of a motif pattern: drawn, as text, its matches, and its count beside the null."""

from __future__ import annotations

import json
from collections.abc import Mapping

from circuitkb.atlas.given import ROWS, SECONDS, known, whole_number
from circuitkb.atlas.page import Drawing, Field, Page, Table
from circuitkb.atlas.views import viewed
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.queries.patterns.language import Bound, Parsed, Step, parse
from circuitkb.queries.patterns.pattern import edge
from circuitkb.results.result import Result

RANK = 16
"""Of the weights of a pattern, where nothing else is said."""

MOST_DRAWS = 100
"""Times that weights are permuted for one page at most."""

PERMUTED = (
    "Weights permuted: each keeps its target, its rank there and its values, and each source the "
    "number of its outputs; who is joined to whom is drawn anew. What relates features beside "
    "weights stays. p is the share of permutations, and of what was found, with as many matches "
    "or more, or with as many or fewer."
)

_EMPTY = {"features": ["a", "b", "u"], "arrows": [], "whole": True}


def pattern(kb: KnowledgeBase, query: Mapping[str, str]) -> Page:
    """Return the matches of a motif pattern; without one, the form and an empty drawing.

    Raises
    ------
    QueryError
        A pattern that cannot be read.
    """
    given = known(query, {"text", "rank", "permuted", "view"})
    text = given.get("text", "").strip()
    rank = whole_number("rank", given.get("rank", "").strip(), RANK, 2**31 - 1)
    draws = whole_number("permuted", given.get("permuted", "").strip() or "1", 1, MOST_DRAWS)
    form = (
        Field("text", "a pattern, as in a +> u <+ b; not a -> b", text, lines=2),
        Field("rank", "each weight among so many of its target's strongest", str(rank)),
        Field(
            "permuted",
            "count, and count so many times with weights permuted",
            given.get("permuted", ""),
        ),
    )
    if not text:
        return Page("Pattern", "pattern", form=form, drawing=_drawing(_EMPTY))
    asked = kb.pattern(text, edges=edge(max_rank=rank), unordered=True, limit=ROWS)
    result = asked.run()
    tables = [Table("Matches", result, "\n".join(result.notes))]
    if given.get("permuted"):
        counted = asked.count_permuted(draws, timeout=SECONDS)
        row = {
            "matches": counted.matches,
            "permuted_mean": round(counted.mean, 2),
            "permuted_deviation": round(counted.deviation, 2),
            "permutations": draws,
            "p_more": round(counted.p_more, 4),
            "p_fewer": round(counted.p_fewer, 4),
        }
        tables.insert(0, Table("How many", Result.of_records([row]), PERMUTED))
    page = Page(
        "Pattern",
        "pattern",
        tables=tuple(tables),
        form=form,
        query={"text": text, "rank": str(rank), **given},
        drawing=_drawing(drawn(parse(text))),
    )
    return viewed(kb, page, given.get("view", ""))


def drawn(parsed: Parsed) -> dict[str, object]:
    """Return the features and arrows of a pattern, and whether that is all that it says.

    An arrow has its source, what it does, its target, whether it may not be there, and the rank up
    to which it counts, if one is said.

    Examples
    --------
    >>> drawn(parse("a +> u [rank <= 8]; not a -> b"))["arrows"]
    [['a', '+>', 'u', False, 8], ['a', '->', 'b', True, None]]
    >>> drawn(parse("a -> u [l1 > 2]"))["whole"]
    False
    """
    steps = [(step, False) for step in parsed.present] + [(step, True) for step in parsed.absent]
    ranks = {(b.of.part, b.absent): b.value for b in parsed.bounds if _is_rank(b)}
    return {
        "features": list(dict.fromkeys(end for step, _ in steps for end in step.ends)),
        "arrows": [
            [step.source, str(step).split(" ")[1], step.target, absent, ranks.get((step, absent))]
            for step, absent in steps
        ],
        "whole": len(ranks) == len(parsed.bounds) and not (parsed.comparisons or parsed.weights),
    }


def _is_rank(bound: Bound) -> bool:
    whole = isinstance(bound.value, int | float) and bound.value == int(bound.value) > 0
    return isinstance(bound.of.part, Step) and (bound.of.name, bound.operator, whole) == (
        "rank",
        "<=",
        True,
    )


def _drawing(pattern: Mapping[str, object]) -> Drawing:
    return Drawing("pattern.js", json.dumps(pattern))
