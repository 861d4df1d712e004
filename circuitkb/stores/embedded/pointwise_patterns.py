"""Properties of weights in the map of a pattern, as conditions; see :mod:`.pointwise_queries`.

``[w:WEIGHT {l1: 2.0}]`` becomes ``[w:WEIGHT WHERE coalesce(w.l1, abs(w._pointwise)) = 2.0]``. Of a
path of several weights each has to fulfil it, which its MATCH is told in a WHERE.
"""

from __future__ import annotations

from collections.abc import Iterator

from circuitkb.schema.errors import CypherError
from circuitkb.stores.embedded.pointwise import IN_CYPHER, asked
from circuitkb.stores.querying.brackets import CLOSING, OPENING, Brackets
from circuitkb.stores.querying.cypher_text import BEFORE_VALUES, error_at
from circuitkb.stores.querying.rewriting import Edit

WHERE = " WHERE "
"""What an edit begins with that begins a condition."""

_NAME = "_weight"
_MOST_PATHS = 100
_ENDS = {
    "CALL",
    "FINISH",
    "LIMIT",
    "MATCH",
    "OFFSET",
    "OPTIONAL",
    "ORDER",
    "RETURN",
    "SKIP",
    "UNION",
    "UNWIND",
    "WITH",
    ";",
    "|",
}
"""What ends the condition of a MATCH, or of a pattern in a list."""


class Clauses:
    """Whether what stands at a place of a query is matched, or stands in a condition."""

    def __init__(self) -> None:
        self._levels = ["MATCH"]
        self.far = 0
        """Paths so far whose MATCH was looked through to its end."""

    def read(self, word: str) -> None:
        """Take notice of the next word."""
        if word in OPENING:
            self._levels.append("" if word == "(" else "MATCH")
        elif word in CLOSING and len(self._levels) > 1:
            self._levels.pop()
        elif word in _ENDS or word == "WHERE":
            self._levels[-1] = word

    @property
    def matched(self) -> bool:
        """Whether a relation whose bracket was just opened is in the pattern of a MATCH or list."""
        return self._levels[-2] == "MATCH"


def in_a_pattern(text: Brackets, bracket: int, clauses: Clauses) -> Iterator[Edit]:
    """Give the edits of a relation in a pattern.

    Parameters
    ----------
    text
        The query.
    bracket
        Where the relation's bracket opens.
    clauses
        What was read up to there.

    Raises
    ------
    CypherError
        It cannot be told as a condition; the error says how to write it.
    """
    inside = text.within(bracket)
    opened = next((index for index in inside if text.word(index) == "{"), None)
    if opened is None:
        return
    entries = _entries(text, opened)
    named = [begin for begin, _ in entries if text.tokens[begin].plain in IN_CYPHER]
    if not named:
        return
    several = any(text.word(index) == "*" for index in inside)
    owner, edits = _owner(text, bracket)
    item = _NAME if several else owner
    kept, tests = [], []
    for begin, end in entries:
        name = text.tokens[begin].plain
        if name not in IN_CYPHER:
            kept.append(text.between(begin, end))
            continue
        if any(token.plain in IN_CYPHER for token in text.tokens[begin + 2 : end]):
            raise _better_as_condition(text, begin)
        tests.append(f"{asked(name, item)} = ({text.between(begin + 2, end)})")
    closed = text.pair[opened]
    rest = f"{{{', '.join(kept)}}}" if kept else ""
    yield from edits
    yield Edit(text.tokens[opened].start, text.tokens[closed].end, rest)
    condition = " AND ".join(tests)
    if several:
        condition = f"all({_NAME} IN {owner} WHERE {condition})"
    after = text.pair[bracket] + 1
    if clauses.matched:
        clauses.far += several
        if clauses.far > _MOST_PATHS:
            raise _better_as_condition(text, named[0])
        yield from _also(text, after if several else closed + 1, condition)
        return
    begin, end = _pattern(text, bracket)
    others = (i for i in range(begin, end) if not bracket < i < after)
    if not text.word(begin) or any(text.tokens[index].plain in IN_CYPHER for index in others):
        raise _better_as_condition(text, named[0])
    yield Edit(text.tokens[begin].start, text.tokens[begin].start, "EXISTS { MATCH ")
    offset = text.tokens[end - 1].end
    yield Edit(offset, offset, f"{WHERE}{condition} }}")


def _pattern(text: Brackets, bracket: int) -> tuple[int, int]:
    """Return where a pattern in a condition begins and ends; from -1 where it is none."""
    begin, end = bracket, text.pair[bracket] + 1
    while text.word(begin - 1) in ("-", "<", ">"):
        begin -= 1
        if text.word(begin - 1) in (")", "]") and begin - 1 in text.pair:
            begin = text.pair[begin - 1]
    while text.word(end) in ("-", "<", ">"):
        end += 1
        if text.word(end) in ("(", "[") and end in text.pair:
            end = text.pair[end] + 1
    before = text.word(begin - 1)
    if before == "(" and text.word(begin - 2) in ("SHORTESTPATH", "ALLSHORTESTPATHS"):
        return -1, end
    if text.word(begin) != "(" or (text.is_name(begin - 1) and before not in BEFORE_VALUES):
        return -1, end
    return begin, end


def _also(text: Brackets, begin: int, condition: str) -> Iterator[Edit]:
    """Add a condition to a pattern that goes on at ``begin``, beside one that it has."""
    where = None
    end = begin
    for index in text.onwards(begin):
        word = text.word(index) if text.word(index - 1) != "." else ""
        if word in _ENDS and not (word == "WITH" and text.word(index - 1) in ("STARTS", "ENDS")):
            break
        if word == "WHERE" and where is None:
            where = index
        end = text.pair.get(index, index) + 1
    offset = text.tokens[end - 1].end
    if where is None:
        yield Edit(offset, offset, f"{WHERE}{condition}")
    else:
        after = text.tokens[where].end
        yield Edit(after, after, f" {condition} AND (")
        yield Edit(offset, offset, ")")


def _owner(text: Brackets, bracket: int) -> tuple[str, list[Edit]]:
    """Return the name of a relation, and what names it where it has none."""
    first = text.tokens[bracket + 1]
    if text.is_name(bracket + 1):
        return first.text, []
    name = f"{_NAME}_{bracket}"
    return name, [Edit(first.start, first.start, name)]


def _entries(text: Brackets, opened: int) -> list[tuple[int, int]]:
    """Return where each entry of a map begins and ends."""
    commas = [index for index in text.within(opened) if text.word(index) == ","]
    begins = [opened + 1, *(index + 1 for index in commas)]
    ends = [*commas, text.pair[opened]]
    return [pair for pair in zip(begins, ends, strict=True) if text.word(pair[0] + 1) == ":"]


def _better_as_condition(text: Brackets, entry: int) -> CypherError:
    name = text.tokens[entry].plain
    return error_at(
        f"{name} cannot be compared here in the map of a pattern: write it as a condition, "
        f"as in WHERE w.{name} = 2.0, or all(w IN relationships(p) WHERE w.{name} = 2.0).",
        text.cypher,
        text.tokens[entry].start,
    )
