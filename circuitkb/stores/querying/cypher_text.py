"""What can be told of a Cypher text without running it: its tokens, column names, a mark."""

from __future__ import annotations

import re
from typing import NamedTuple

from circuitkb.schema.errors import CypherError

# The lexical rules of both engines: any character may follow a backslash in a string, a quoted name
# doubles its quote, comments do not nest and end with the line at \r or \n. What has no end is one
# token to the end of the text. (Neo4j also decodes \uXXXX before; see server/refusing.py.)
_TOKEN = re.compile(
    r"""
    (?P<blank>\s+|//[^\r\n]*|/\*.*?\*/)
  | (?P<string>'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*")
  | (?P<quoted>`[^`]*(?:``[^`]*)*`)
  | (?P<unclosed>(?:['"`]|/\*).*)
  | (?P<number>[0-9]\w*(?:\.[0-9]\w*)?|\.[0-9]\w*)
  | (?P<name>[^\W\d]\w*)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_AFTER_ITEMS = {"ORDER", "SKIP", "OFFSET", "LIMIT", "UNION", ";"}
_WIDTH = 100

BEFORE_VALUES = {
    "ALL",
    "AND",
    "ANY",
    "AS",
    "BY",
    "CASE",
    "CONTAINS",
    "DISTINCT",
    "ELSE",
    "IN",
    "LIMIT",
    "NONE",
    "NOT",
    "OR",
    "RETURN",
    "SINGLE",
    "SKIP",
    "THEN",
    "UNWIND",
    "WHEN",
    "WHERE",
    "WITH",
    "XOR",
}
"""Keywords after which a value begins, so that a bracket there is no index and no call."""


class Token(NamedTuple):
    """A piece of a query that means something.

    ``word`` is the text to compare keywords and signs with, upper-case; it is empty for strings,
    numbers and quoted names.
    """

    kind: str
    text: str
    start: int
    word: str

    @property
    def end(self) -> int:
        """Offset after its last character."""
        return self.start + len(self.text)

    @property
    def plain(self) -> str:
        """The name itself, without its quotes."""
        return self.text[1:-1].replace("``", "`") if self.kind == "quoted" else self.text


def tokens_of(cypher: str) -> list[Token]:
    """Return the tokens of a query, without blanks and comments, in time linear in its length."""
    tokens = []
    for found in _TOKEN.finditer(cypher):
        kind = found.lastgroup
        if kind == "blank":
            continue
        text = found[0]
        word = text if kind == "sign" else text.upper() if kind == "name" else ""
        tokens.append(Token(str(kind), text, found.start(), word))
    return tokens


def columns_of(cypher: str, tokens: list[Token]) -> tuple[str, ...] | None:
    """Return the names of the columns that a query gives, in order; None for ``RETURN *``.

    A column has its alias, or the very text of its expression.

    Raises
    ------
    CypherError
        ``RETURN *`` with further columns: the engine drops those without a word.

    Examples
    --------
    >>> text = "MATCH (n)-[w]->(m) RETURN DISTINCT n.id AS id, count( * ) ORDER BY id"
    >>> columns_of(text, tokens_of(text))
    ('id', 'count( * )')
    """
    top = _outside_brackets(tokens)
    starts = [i for i, token in enumerate(top) if token.word == "RETURN" and _is_keyword(top, i)]
    if not starts:
        return None
    begin = starts[-1] + 1
    if begin < len(top) and top[begin].word == "DISTINCT":
        begin += 1
    items: list[list[Token]] = [[]]
    for index in range(begin, len(top)):
        if top[index].word in _AFTER_ITEMS and index > begin and _is_keyword(top, index):
            break
        if top[index].word == ",":
            items.append([])
        else:
            items[-1].append(top[index])
    if not all(items):
        return None
    if items[0][0].word == "*":
        if len(items) > 1:
            raise error_at(
                "RETURN * takes no further columns in this store: name every column.",
                cypher,
                items[1][0].start,
            )
        return None
    return tuple(
        item[-1].plain
        if len(item) > 2 and item[-2].word == "AS"
        else cypher[item[0].start : item[-1].end]
        for item in items
    )


def _outside_brackets(tokens: list[Token]) -> list[Token]:
    outside, depth = [], 0
    for token in tokens:
        depth -= token.word in (")", "]", "}")
        if depth == 0:
            outside.append(token)
        depth += token.word in ("(", "[", "{")
    return outside


def _is_keyword(tokens: list[Token], index: int) -> bool:
    """Return whether a word stands where an expression is complete, and so is no name."""
    if index == 0:
        return True
    before = tokens[index - 1]
    return before.word not in ("AS", "DISTINCT") and (
        before.kind != "sign" or before.word in (")", "]", "}", "*")
    )


def names_a_path(tokens: list[Token]) -> bool:
    """Return whether a query may give paths: it binds one to a name, or calls what makes them.

    Examples
    --------
    >>> names_a_path(tokens_of("MATCH p = (a)-[:WEIGHT]->(b) RETURN p"))
    True
    >>> names_a_path(tokens_of("MATCH (a) WHERE a.unit = (1 + 2) RETURN a"))
    False
    """
    quadruples = zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False)
    return any(token.word == "CALL" for token in tokens) or any(
        before.word in ("MATCH", ",", "[")
        and name.kind in ("name", "quoted")
        and equals.word == "="
        and (pattern.word == "(" or pattern.kind == "name")
        for before, name, equals, pattern in quadruples
    )


def error_at(message: str, cypher: str, position: int) -> CypherError:
    """Return an error that shows the spot; without it where ``position`` is negative."""
    if position < 0:
        return CypherError(message)
    line = cypher.count("\n", 0, position) + 1
    column = position - cypher.rfind("\n", 0, position)
    return CypherError(
        f"{message} (line {line}, column {column})\n{marked(cypher, position)}", position=position
    )


def marked(cypher: str, position: int) -> str:
    """Return the line of a query that holds ``position``, with a mark under the spot.

    Examples
    --------
    >>> print(marked("MATCH (n RETURN n", 9))
      MATCH (n RETURN n
               ^
    """
    position = min(max(position, 0), len(cypher))
    begin = cypher.rfind("\n", 0, position) + 1
    end = cypher.find("\n", position)
    line = cypher[begin : len(cypher) if end < 0 else end].rstrip("\r").replace("\t", " ")
    column = position - begin
    cut = max(0, column - _WIDTH // 2)
    return f"  {line[cut : cut + _WIDTH]}\n  {' ' * (column - cut)}^"


def position_of(cypher: str, line: int, column: int) -> int:
    """Return the offset of a place given as line (from 1) and column (from 0)."""
    lines = cypher.split("\n")
    before = lines[: max(0, min(line - 1, len(lines) - 1))]
    return min(sum(len(text) + 1 for text in before) + column, len(cypher))
