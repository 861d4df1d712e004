"""A query as a user wrote it beside the text that is sent, with the edits that lead there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Edit(NamedTuple):
    """What stands from ``start`` to ``end`` of a text gives way to ``text``."""

    start: int
    end: int
    text: str


class Rewritten(NamedTuple):
    """A query as a user wrote it, as it is sent, and the edits, in order, each at its offset."""

    cypher: str
    text: str
    edits: tuple[Edit, ...] = ()

    def written(self, position: int) -> int:
        """Return where a spot of what was sent stands in what the user wrote.

        Examples
        --------
        >>> text = "MATCH (a)-[:BY]->(b) RETURN a.x"
        >>> sent = rewritten(text, [Edit(8, 8, ":Annotation"), Edit(28, 31, "coalesce(a.x, 0)")])
        >>> text[sent.written(sent.text.index("RETURN")) :]
        'RETURN a.x'
        >>> text[sent.written(sent.text.index("0)")) :]
        'a.x'
        """
        moved = 0
        for start, end, text in self.edits:
            begins = start + moved
            if position < begins:
                break
            if position < begins + len(text):
                return start
            moved += len(text) - (end - start)
        return position - moved


def rewritten(cypher: str, edits: Iterable[Edit]) -> Rewritten:
    """Return a query after edits that do not overlap.

    Examples
    --------
    >>> rewritten("RETURN 1", [Edit(7, 8, "2")]).text
    'RETURN 2'
    """
    # One that only adds something comes before one that replaces what stands there.
    ordered = tuple(sorted(edits, key=lambda edit: edit[:2]))
    pieces, done = [], 0
    for start, end, text in ordered:
        pieces += [cypher[done:start], text]
        done = end
    return Rewritten(cypher, "".join([*pieces, cypher[done:]]), ordered)
