"""The tokens of a query with the brackets that belong together."""

from __future__ import annotations

from collections.abc import Iterator

from circuitkb.stores.querying.cypher_text import Token

OPENING, CLOSING = ("(", "[", "{"), (")", "]", "}")


class Brackets:
    """Tokens by their number; nothing is known of a bracket that has no other end.

    Examples
    --------
    >>> from circuitkb.stores.querying.cypher_text import tokens_of
    >>> text = "RETURN [1, (2), 3]"
    >>> read = Brackets(text, tokens_of(text))
    >>> [read.between(index, index + 1) for index in read.within(1)]
    ['1', ',', '(', ',', '3']
    """

    def __init__(self, cypher: str, tokens: list[Token]) -> None:
        self.cypher = cypher
        self.tokens = tokens
        self.pair: dict[int, int] = {}
        """The other end of each bracket."""
        self._around: list[int | None] = []
        opened: list[int] = []
        for index, token in enumerate(tokens):
            if token.word in CLOSING and opened:
                self.pair[index] = opened.pop()
                self.pair[self.pair[index]] = index
            self._around.append(opened[-1] if opened else None)
            if token.word in OPENING:
                opened.append(index)

    def word(self, index: int) -> str:
        """Return the keyword or sign of a token, upper-case; nothing where there is no token."""
        return self.tokens[index].word if 0 <= index < len(self.tokens) else ""

    def is_name(self, index: int) -> bool:
        """Whether a token is a name or keyword."""
        return 0 <= index < len(self.tokens) and self.tokens[index].kind in ("name", "quoted")

    def between(self, begin: int, end: int) -> str:
        """Return the text of the tokens from ``begin`` to before ``end``."""
        return self.cypher[self.tokens[begin].start : self.tokens[end - 1].end]

    def within(self, opened: int) -> list[int]:
        """Return the tokens in a bracket, of brackets within it only where they open."""
        return list(self.onwards(opened + 1, self.pair[opened]))

    def onwards(self, begin: int, end: int | None = None) -> Iterator[int]:
        """Give the tokens from one on that stand in the same bracket, to its end or ``end``."""
        index = begin
        while index < (len(self.tokens) if end is None else end):
            if self.word(index) in CLOSING:
                return
            yield index
            opens = self.word(index) in OPENING and index in self.pair
            index = self.pair[index] + 1 if opens else index + 1

    def around(self, index: int) -> int | None:
        """Return the bracket that a token stands in, directly; None outside of all."""
        return self._around[index]
