"""Queries that ask for properties of weights, so that what follows from one number is found.

``w.l1`` becomes ``coalesce(w.l1, abs(w._pointwise))``: the property where it is there, else what
follows from the number of :mod:`.pointwise`, else null. So it is for any expression before the
dot, since no other node, relation or map has that property.

Beside a property after a dot, a query can name one in a map projection (``w {.l1}``), in the map
of a pattern (``[w:WEIGHT {l1: 2.0}]``), by a computed name (``w[$name]``) and through ``keys(w)``;
whole weights and maps of their properties are put together when they leave (:mod:`.values`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from circuitkb.schema.errors import CypherError
from circuitkb.stores.embedded.pointwise import IN_CYPHER, NUMBER, asked
from circuitkb.stores.embedded.pointwise_patterns import WHERE, Clauses, in_a_pattern
from circuitkb.stores.querying.brackets import CLOSING, Brackets
from circuitkb.stores.querying.cypher_text import BEFORE_VALUES, Token, error_at
from circuitkb.stores.querying.rewriting import Edit

_ITEM, _KEY = "_weight", "_key"
_MOST_STEPS = 1_000_000
"""Names and brackets that are looked at to find where expressions begin: seconds at most."""

_MOST_ADDED = 10_000_000
"""Characters; the text itself has a million at most."""

_NAMES = "[" + ", ".join(f"'{name}'" for name in IN_CYPHER) + "]"


def edits_of(cypher: str, tokens: list[Token], parameters: Mapping[str, Any]) -> Iterator[Edit]:
    """Give what has to change in a query, at the offsets of its text.

    Raises
    ------
    CypherError
        A property in the map of a pattern is compared with what only a condition can be (the error
        says how to write it), or there are too many places.

    Examples
    --------
    >>> from circuitkb.stores.querying.cypher_text import tokens_of
    >>> from circuitkb.stores.querying.rewriting import rewritten
    >>> text = "MATCH ()-[w:WEIGHT]->() WHERE w.l1 > 2 RETURN w.rank"
    >>> rewritten(text, edits_of(text, tokens_of(text), {})).text
    'MATCH ()-[w:WEIGHT]->() WHERE coalesce(w.l1, abs(w._pointwise)) > 2 RETURN w.rank'
    """
    named = any(token.plain in IN_CYPHER for token in tokens if token.kind in ("name", "quoted"))
    keys = any(token.word == "KEYS" for token in tokens)
    texts = any(token.kind == "string" and token.text[1:-1] in IN_CYPHER for token in tokens)
    bound = any(token.word == "[" for token in tokens) and _name_one(parameters)
    if named or keys or texts or bound:
        reading = _Reading(Brackets(cypher, tokens))
        left = _MOST_ADDED
        for edit in _one_where(reading.edits(computed=keys or texts or bound)):
            left -= len(edit.text)
            if left < 0:
                raise _too_many(cypher, edit.start)
            yield edit


def _too_many(cypher: str, position: int) -> CypherError:
    what = "The query asks for properties of weights in too many places."
    return error_at(what, cypher, position)


def _one_where(edits: Iterator[Edit]) -> Iterator[Edit]:
    """Join conditions that several relations of a pattern bring."""
    begun = set()
    for edit in edits:
        if edit.text.startswith(WHERE):
            if edit.start in begun:
                edit = edit._replace(text=f" AND {edit.text.removeprefix(WHERE)}")
            begun.add(edit.start)
        yield edit


def _name_one(value: Any) -> bool:
    """Return whether a value is, or holds, the name of such a property."""
    if isinstance(value, str):
        return value in IN_CYPHER
    if isinstance(value, Mapping):
        return any(_name_one(item) for item in value.values())
    return isinstance(value, list) and any(_name_one(item) for item in value)


class _Reading:
    """One query, in which the properties are looked for."""

    def __init__(self, text: Brackets) -> None:
        self._text = text
        self._tokens = text.tokens
        self._pair = text.pair
        self._word = text.word
        self._is_name = text.is_name
        self._steps = 0

    def edits(self, *, computed: bool) -> Iterator[Edit]:
        clauses = Clauses()
        for index, token in enumerate(self._tokens):
            clauses.read(token.word if self._word(index - 1) != "." else "")
            if token.word == "[" and index in self._pair:
                if self._is_relation(index):
                    yield from in_a_pattern(self._text, index, clauses)
                elif computed and self._is_computed(index):
                    yield from self._by_computed_name(index)
            elif token.word == "KEYS" and self._word(index + 1) == "(" and index + 1 in self._pair:
                yield from self._all_names(index)
            elif token.word == "." and self._is_name(index + 1):
                name = self._tokens[index + 1].plain
                if name in IN_CYPHER and self._word(index + 2) != "(":
                    yield from self._after_a_dot(index, name)

    def _after_a_dot(self, dot: int, name: str) -> Iterator[Edit]:
        if self._word(dot - 1) in ("{", ","):  # in a map projection
            around = self._text.around(dot)
            if around is not None and self._is_name(around - 1):
                text = f"{name}: {asked(name, self._tokens[around - 1].text)}"
                yield Edit(self._tokens[dot].start, self._tokens[dot + 1].end, text)
            return
        start = self._owner(dot)
        if start is None or self._word(start - 1) == "$":  # a map that came with the query
            return
        begin, end = self._tokens[start].start, self._tokens[dot + 1].end
        if self._is_short(start, dot):
            owner = self._text.between(start, dot)
            number = f"{owner}.{NUMBER}"
            yield Edit(begin, begin, "coalesce(")
            yield Edit(end, end, f", {IN_CYPHER[name].format(n=number)})")
        else:
            yield Edit(begin, begin, f"[{_ITEM} IN [")
            yield Edit(self._tokens[dot].start, end, f"] | {asked(name, _ITEM)}][0]")

    def _by_computed_name(self, opened: int) -> Iterator[Edit]:
        start = self._owner(opened)
        if start is None or self._word(start - 1) == "$":
            return
        closed = self._tokens[self._pair[opened]]
        cases = " ".join(f"WHEN '{name}' THEN {asked(name, _ITEM)}" for name in IN_CYPHER)
        begin = self._tokens[start].start
        yield Edit(begin, begin, f"[{_ITEM} IN [")
        yield Edit(self._tokens[opened].start, self._tokens[opened].end, f"] | [{_KEY} IN [")
        yield Edit(
            closed.start,
            closed.end,
            f"] | CASE WHEN {_KEY} IN {_NAMES} THEN CASE {_KEY} {cases} END "
            f"ELSE {_ITEM}[{_KEY}] END][0]][0]",
        )

    def _all_names(self, index: int) -> Iterator[Edit]:
        opened, closed = self._tokens[index + 1], self._tokens[self._pair[index + 1]]
        yield Edit(self._tokens[index].start, opened.end, f"[{_ITEM} IN [")
        names = f"[{_KEY} IN {_NAMES} WHERE CASE {_KEY}"
        names += "".join(f" WHEN '{n}' THEN {asked(n, _ITEM)}" for n in IN_CYPHER)
        yield Edit(
            closed.start,
            closed.end,
            f"] | CASE WHEN {_ITEM}.{NUMBER} IS NULL THEN keys({_ITEM}) ELSE "
            f"{names} END IS NOT NULL] + [{_KEY} IN keys({_ITEM}) "
            f"WHERE NOT {_KEY} IN {_NAMES} + ['{NUMBER}']] END][0]",
        )

    def _is_relation(self, bracket: int) -> bool:
        return self._word(bracket - 1) == "-" and self._word(self._pair[bracket] + 1) == "-"

    def _is_computed(self, opened: int) -> bool:
        """Whether a bracket holds what may be a name, after something that it is a part of."""
        inside = self._text.within(opened)
        if not inside or any(self._word(index) in (",", "|", "..", ":") for index in inside):
            return False
        if all(
            self._tokens[index].kind == "number" or self._word(index) == "-" for index in inside
        ):
            return False
        return ".." not in self._text.between(
            opened + 1, self._pair[opened]
        ) and self._ends_a_value(opened - 1)

    def _ends_a_value(self, index: int) -> bool:
        if self._word(index) in CLOSING:
            return True
        return self._is_name(index) and self._word(index) not in BEFORE_VALUES

    def _owner(self, after: int) -> int | None:
        """Return where the expression begins that ends before a dot or bracket; None if unclear."""
        index = after - 1
        while self._ends_a_value(index):
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise _too_many(self._text.cypher, self._tokens[after].start)
            if self._word(index) in CLOSING:
                if index not in self._pair:
                    return None
                closing, index = self._word(index), self._pair[index]
                if closing == ")" and self._is_a_call(index):
                    index -= 1
                elif closing == "}" and self._is_name(index - 1):  # a subquery or a projection
                    return index - 1
                elif closing == "]" and self._ends_a_value(index - 1):
                    index -= 1
                    continue
                else:
                    return index
            if self._word(index - 1) != ".":
                return index
            index -= 2
        return None

    def _is_a_call(self, opened: int) -> bool:
        return self._is_name(opened - 1) and self._word(opened - 1) not in BEFORE_VALUES

    def _is_short(self, start: int, end: int) -> bool:
        """Whether an expression is names, dots and numbers in brackets, as soon read twice."""
        return all(
            token.kind in ("name", "quoted", "number") or token.word in (".", "[", "]")
            for token in self._tokens[start:end]
        )
