"""Labels that the schema implies, written into a query before an engine sees it.

``(a)-[:WEIGHT]->(b:Feature {id: $unit})`` can only start at a Feature, as every WEIGHT does. An
engine does not know that and walks all nodes where the pattern does not say it.

Labels are added within MATCH clauses and their conditions alone, to nodes without a label whose
name stands there for the first time, so that nothing is bound to it yet. What is not understood is
left as it is: untyped relations, types that the schema lacks, paths of length zero, expressions
of labels, dynamic types and quantified paths.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from circuitkb.schema.definition import NODES, RELATIONS
from circuitkb.stores.querying.cypher_text import Token
from circuitkb.stores.querying.rewriting import Edit, Rewritten, rewritten

LABELS = frozenset(node.label for node in NODES)
"""The labels that the relations' ends were stated for: a graph with others is asked as it is."""

_ENDS = {relation.name: frozenset(relation.endpoints) for relation in RELATIONS}
_CLOSING = {")": "(", "]": "[", "}": "{"}
_BEFORE_A_PATTERN = {"(", "[", "{", ",", "|", "=", "MATCH", "WHERE", "AND", "OR", "XOR", "NOT"}
_OTHER_CLAUSES = {"RETURN", "WITH", "UNWIND", "CALL"}
_AFTER_LABELS = {")", "{", "$", "WHERE"}
_AFTER_TYPES = {"]", "*", "{", "$", "WHERE"}

Pairs = frozenset[tuple[str, str]]


@dataclass
class _Node:
    """A node of a pattern; ``labels`` are those that it may have, None where it may have any."""

    opened: int
    end: int
    bare: bool
    adds: bool
    labels: frozenset[str] | None


class _Hop(NamedTuple):
    left: _Node
    right: _Node
    pairs: Pairs
    single: bool


def labelled(cypher: str, tokens: list[Token]) -> Rewritten:
    """Return a query with the labels that the schema implies.

    Examples
    --------
    >>> from circuitkb.stores.querying.cypher_text import tokens_of
    >>> text = "MATCH (a)-[w:WEIGHT]->(b {id: $unit})-[:IN_LAYER]->() RETURN a.id"
    >>> labelled(text, tokens_of(text)).text
    'MATCH (a:Feature)-[w:WEIGHT]->(b:Feature {id: $unit})-[:IN_LAYER]->(:Layer) RETURN a.id'
    >>> text = "MATCH (a)-[]->(b), (c)-[:ABOUT]->(d) RETURN *"
    >>> labelled(text, tokens_of(text)).text == text
    True
    """
    reading = _Reading(tokens)
    added = []
    for chain in reading.chains():
        nodes = {node.opened: node for hop in chain for node in (hop.left, hop.right)}
        if all(node.bare for node in nodes.values()):
            continue  # the engine counts relations faster than it looks at their ends
        _narrow(chain)
        for node in nodes.values():
            if node.adds and node.labels is not None and len(node.labels) == 1:
                added.append(Edit(node.end, node.end, f":{next(iter(node.labels))}"))
    return rewritten(cypher, added)


def _narrow(chain: list[_Hop]) -> None:
    """Leave each node the labels that its relations allow it, given the other ends'."""
    changed = True
    while changed:
        changed = False
        for hop in chain:
            left, right = hop.left.labels, hop.right.labels
            pairs = [
                pair
                for pair in hop.pairs
                if (left is None or pair[0] in left or not hop.single)
                and (right is None or pair[1] in right or not hop.single)
            ]
            for node, place in ((hop.left, 0), (hop.right, 1)):
                allowed = frozenset(pair[place] for pair in pairs)
                narrowed = allowed if node.labels is None else node.labels & allowed
                if node.adds and narrowed != node.labels:
                    node.labels, changed = narrowed, True


class _Reading:
    """The patterns of one query."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._pair: dict[int, int] = {}
        self._live: set[int] = set()
        self._first: set[int] = set()
        self._whole = self._read()

    def _read(self) -> bool:
        """Find what brackets belong together, where MATCH reaches, and names' first places."""
        opened: list[int] = []
        levels = [(True, False)]  # whether a MATCH there counts, and whether one has begun
        seen: set[str] = set()
        for index, token in enumerate(self._tokens):
            before = self._word(index - 1)
            if token.word == "\\":
                return False
            if token.word in _CLOSING:
                if not opened or self._word(opened[-1]) != _CLOSING[token.word]:
                    return False
                self._pair[index] = opened.pop()
                self._pair[self._pair[index]] = index
                levels.pop()
            elif token.word in ("(", "[", "{"):
                opened.append(index)
            elif token.kind in ("name", "quoted") and before not in (".", "$"):
                counts, _ = levels[-1]
                if token.word == "MATCH":
                    levels[-1] = counts, counts
                elif token.word in _OTHER_CLAUSES and before not in ("STARTS", "ENDS", ":"):
                    levels[-1] = counts, False
                elif token.word == "UNION" and not opened:
                    seen.clear()
                if token.plain not in seen:
                    self._first.add(index)
                    seen.add(token.plain)
            if levels[-1][1]:
                self._live.add(index)
            if token.word in ("(", "[", "{"):
                inside = levels[-1][1]
                calls = token.word == "{" and levels[-1][0] and self._calls(index)
                levels.append((inside or calls, inside))
        return not opened

    def _calls(self, index: int) -> bool:
        """Return whether a bracket opens the subquery of a CALL, which is as the query itself."""
        if self._word(index - 1) == ")":
            index = self._pair[index - 1]
        return self._word(index - 1) == "CALL"

    def _word(self, index: int) -> str:
        return self._tokens[index].word if 0 <= index < len(self._tokens) else ""

    def chains(self) -> Iterator[list[_Hop]]:
        """Give the hops that are understood, those that share a node together."""
        chain: list[_Hop] = []
        for index, token in enumerate(self._tokens):
            if token.word != ")" or index not in self._live or not self._whole:
                continue
            left = self._pair[index]
            follows = bool(chain) and chain[-1].right.opened == left
            if not follows and self._word(left - 1) not in _BEFORE_A_PATTERN:
                continue
            hop = self._hop(index, chain[-1].right if follows else None)
            if hop is None:
                continue
            if not follows and chain:
                yield chain
                chain = []
            chain.append(hop)
        if chain:
            yield chain

    def _hop(self, closed: int, left: _Node | None) -> _Hop | None:
        """Return the relation after a node that ends at ``closed``, with both of its ends."""
        index = closed + 1
        to_left = self._word(index) == "<"
        index += to_left
        if self._word(index) != "-" or self._word(index + 1) != "[":
            return None
        bracket, index = index + 1, self._pair[index + 1] + 1
        to_right = self._word(index + 1) == ">"
        right = index + 1 + to_right
        if self._word(index) != "-" or self._word(right) != "(":
            return None
        found = self._types(bracket)
        if found is None:
            return None
        pairs, single = found
        turned = frozenset((target, source) for source, target in pairs)
        if to_left == to_right:
            pairs |= turned
        elif to_left:
            pairs = turned
        return _Hop(left or self._node(self._pair[closed]), self._node(right), pairs, single)

    def _types(self, bracket: int) -> tuple[Pairs, bool] | None:
        """Return the ends of the relations in a bracket, and whether it is one relation."""
        index = bracket + 1
        if self._tokens[index].kind in ("name", "quoted"):
            index += 1
        pairs: Pairs = frozenset()
        while self._word(index) == (":" if not pairs else "|"):
            index += 1 + (bool(pairs) and self._word(index + 1) == ":")
            named = self._tokens[index]
            ends = _ENDS.get(named.plain) if named.kind in ("name", "quoted") else None
            if not ends:
                return None
            pairs |= ends
            index += 1
        if not pairs or self._word(index) not in _AFTER_TYPES:
            return None
        if self._word(index) != "*":
            return pairs, True
        length = self._tokens[index + 1]
        known = length.kind != "number" or (length.text.isdecimal() and int(length.text) > 0)
        return (pairs, False) if known else None

    def _node(self, opened: int) -> _Node:
        """Return the node whose bracket opens there."""
        index, name = opened + 1, None
        if self._tokens[index].kind in ("name", "quoted"):
            if self._word(index) == "WHERE" and self._word(index + 1) != ")":
                return _Node(opened, 0, bare=False, adds=False, labels=None)
            name, index = index, index + 1
        labels = None
        if self._word(index) == ":" and self._word(index + 2) in _AFTER_LABELS:
            labels = frozenset([self._tokens[index + 1].plain])
        unlabelled = self._word(index) in _AFTER_LABELS
        adds = unlabelled and (name is None or name in self._first)
        return _Node(
            opened,
            self._tokens[opened if name is None else name].end,
            bare=name is None and self._word(index) == ")",
            adds=adds,
            labels=labels,
        )
