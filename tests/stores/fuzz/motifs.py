"""Motifs, and random patterns of Cypher that ask for them.

A motif is a list of chains. A letter is a node: ``k`` a circuit, ``l`` a layer, others features.
A sign is a relation: ``a>b`` and ``b<a`` from a to b, ``a-b`` either way, ``a~b`` mirrors of each
other either way, ``a|b`` a weight or a mirror from a to b.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tests.stores.fuzz.logic import Expression, compare, every, prop
from tests.stores.fuzz.needs import Need
from tests.stores.fuzz.patterns import Match, Step
from tests.stores.fuzz.writer import EDGES, PROPERTIES, Writer

MOTIFS = {
    "edge": ["a>b"],
    "chain": ["a>b>c"],
    "fan in": ["a>u<b"],
    "fan out": ["a<u>b"],
    "two into one": ["a>u", "b>u"],
    "three into one": ["a>u<b", "c>u"],
    "long chain": ["a>b>c>d"],
    "diamond": ["a>b>d", "a>c>d"],
    "ring": ["a>b>d<c<a"],
    "cross": ["a>c", "b>d", "a>d", "b>c"],
    "triangle": ["a>b>c", "a>c"],
    "union": ["a>c>u<d", "a>d"],
    "union of pathways": ["a>c>u<d<b", "a>d", "b>c"],
    "chain into fan": ["a>b>u<c"],
    "there and back": ["a>b", "b>a"],
    "self": ["a>a"],
    "either way": ["a-b"],
    "either way twice": ["a-b-c"],
    "either way and on": ["a-b>c"],
    "mirrors": ["a~b"],
    "union of mirrors": ["a~b", "a>u<b"],
    "pathways of mirrors": ["a>c>u<d<b", "a~b"],
    "weight or mirror": ["a|b>c"],
    "circuit": ["a>k<b"],
    "weights in a circuit": ["a>k<u", "a>u"],
    "circuits side by side": ["a>k", "b>k", "a>u<b"],
    "one layer": ["a>l<b"],
    "weights of one layer": ["a>l<b", "a>u<b"],
    "layers of a circuit": ["k<a>l", "a>b"],
}

LENGTHS = [(1, 2), (1, 3), (2, 3), (2, 2), (3, 3), (0, 1), (0, 2)]
"""How many relations a part of variable length has, at least and at most."""

SMALL = ("edge", "chain", "fan in", "fan out", "self", "either way", "mirrors", "circuit")
"""Motifs for parts of a query that follow others."""


def label_of(letter: str) -> str:
    return {"k": "Circuit", "l": "Layer"}.get(letter, "Feature")


def letters(motif: str) -> list[str]:
    """Return the nodes of a motif."""
    return list(dict.fromkeys(letter for chain in MOTIFS[motif] for letter in chain[0::2]))


def kinds_of(sign: str, target: str) -> tuple[str, ...]:
    if sign == "~":
        return ("TRANSFORMS_TO",)
    if sign == "|":
        return ("WEIGHT", "TRANSFORMS_TO")
    kind = {"Circuit": "MEMBER_OF", "Layer": "IN_LAYER"}.get(label_of(target), "WEIGHT")
    return (kind,)


def write(
    writer: Writer,
    motif: str,
    named: Mapping[str, str] | None = None,
    *,
    apart: float = 0.3,
    lengths: float = 0.1,
    optional: bool = False,
    bare: bool = False,
) -> list[Match]:
    """Write a motif as one or more clauses, with random conditions.

    Parameters
    ----------
    named
        Variables that stand already, by letter.
    apart
        How likely a chain starts another clause.
    lengths
        How likely a weight is a part of variable length.
    optional
        Whether the clauses are optional.
    bare
        Leave out names and conditions, as where a pattern is itself a condition.
    """
    chains = MOTIFS[motif]
    clauses: list[list[str]] = [[chains[0]]]
    for chain in chains[1:]:
        if writer.chance(apart):
            clauses.append([])
        clauses[-1].append(chain)
    edges = sum(len(chain) // 2 for chain in chains)
    lengths = lengths if edges <= 3 else lengths / edges
    patterns = PatternWriter(writer, chains, named or {}, lengths=lengths, bare=bare)
    found = []
    for clause in clauses:
        before = set(writer.scope)
        found.append(replace(patterns.write(clause), optional=optional))
        if optional:
            writer.optional |= writer.scope.keys() - before
    return found


class PatternWriter:
    """Writes the chains of one motif; ``named`` are variables that stand already."""

    def __init__(
        self,
        writer: Writer,
        chains: Sequence[str],
        named: Mapping[str, str],
        *,
        lengths: float,
        bare: bool,
    ) -> None:
        self.writer = writer
        self.bare = bare
        self.named = dict(named)
        self.lengths = lengths
        self.inline: list[Expression] = []
        letters = [letter for chain in chains for letter in chain[0::2]]
        self.once = {letter for letter in letters if letters.count(letter) == 1}

    def write(self, chains: Sequence[str]) -> Match:
        """Write some of the chains as one clause."""
        self.inline = []
        texts: list[str] = []
        steps: list[Step] = []
        labels: dict[str, str | None] = {}
        for chain in chains:
            letters, signs = chain[0::2], chain[1::2]
            text = self.node(letters[0], labels)
            if any(self.named.get(letter) in self.writer.optional for letter in letters[1:]):
                self.writer.needs.add(Need.NULL_AFTER_THE_START)
            for left, sign, right in zip(letters, signs, letters[1:], strict=False):
                node = self.node(right, labels)
                step, arrow = self.relation(left, sign, right)
                steps.append(step)
                text += arrow + node
            texts.append(text)
        wanted = 0 if self.bare else self.writer.rng.choice([0, 0, 1, 1, 2])
        where = tuple(self.writer.condition() for _ in range(wanted))
        if any(condition.mixed for condition in where):
            self.writer.needs.add(Need.ALTERNATIVES_WITHOUT_COMPARISON)
        return Match(texts, tuple(steps), labels, tuple(self.inline), where)

    def node(self, letter: str, labels: dict[str, str | None]) -> str:
        """Write a node, with its label where it stands first."""
        writer, label = self.writer, label_of(letter)
        if letter in self.named:
            labels.setdefault(self.named[letter], None)
            return f"({self.named[letter]})"
        name = self.named[letter] = writer.fresh(letter)
        # Only the first variable of a motif is always named: somebody must be asked for.
        hidden = self.bare or (letter in self.once and len(self.named) > 1 and writer.chance(0.1))
        plain = not hidden and label == "Feature" and writer.chance(0.1)
        labels[name] = None if plain else label
        writer.scope[name] = label
        inside = self.properties(name) if writer.chance(0.08) else ""
        if hidden:
            del writer.scope[name]
        return f"({'' if hidden else name}{'' if plain else ':' + label}{inside})"

    def properties(self, name: str) -> str:
        """Write a property that must be equal, inside of a node or a relation."""
        value, kind, key = self.writer.property(name)
        wanted = self.writer.given(self.writer.some_value(kind, key))
        self.inline.append(compare(value, "=", wanted))
        return f" {{{key}: {wanted.text}}}"

    def relation(self, left: str, sign: str, right: str) -> tuple[Step, str]:
        writer, backwards = self.writer, sign == "<"
        source, target = (right, left) if backwards else (left, right)
        kinds = kinds_of(sign, target)
        name, kind, length = writer.fresh("w"), "|".join(kinds), None
        if kind == "WEIGHT" and writer.chance(self.lengths):
            length = writer.rng.choice(LENGTHS)
        hidden = self.bare or writer.chance(0.15)
        inside = ""
        if length is not None:
            kind_in_scope = EDGES
            inside = self.properties_of_each(name) if writer.chance(0.08) else ""
        else:
            kind_in_scope = kind
            if kind in PROPERTIES and writer.chance(0.08):
                writer.scope[name] = kind
                inside = self.properties(name)
        if not hidden:
            writer.scope[name] = kind_in_scope
        else:
            writer.scope.pop(name, None)
        step = Step(
            name,
            kinds,
            self.named[source],
            self.named[target],
            sign not in "-~",
            length,
            backwards,
        )
        stars = "" if length is None else f"*{bounds(length)}"
        text = f"[{'' if hidden else name}:{kind}{stars}{inside}]"
        return step, f"<-{text}-" if backwards else f"-{text}-" + (">" if step.directed else "")

    def properties_of_each(self, name: str) -> str:
        """Write a property that must be equal in every edge of a list."""
        key = self.writer.rng.choice(PROPERTIES["WEIGHT"])
        wanted = self.writer.given(self.writer.some_value("WEIGHT", key))
        test = compare(prop("w", key), "=", wanted)
        self.inline.append(
            Expression(
                "",
                frozenset([name]),
                lambda world, row: every(test.value(world, {"w": edge}) for edge in row[name]),
            )
        )
        return f" {{{key}: {wanted.text}}}"


def bounds(length: tuple[int, int]) -> str:
    """Write how long a part may be.

    >>> bounds((1, 3)), bounds((2, 2))
    ('1..3', '2')
    """
    least, most = length
    return str(least) if least == most else f"{least}..{most}"


def joining(writer: Writer, motif: str) -> dict[str, str]:
    """Choose which variables in scope one or two nodes of a motif stand for."""
    found: dict[str, str] = {}
    order = letters(motif)
    writer.rng.shuffle(order)
    for letter in order:
        free = [
            name
            for name, kind in writer.scope.items()
            if kind == label_of(letter) and name not in found.values()
        ]
        if free and (not found or writer.chance(0.3)):
            found[letter] = writer.rng.choice(free)
    return found
