"""Questions inside of questions: EXISTS, COUNT and COLLECT, and patterns as conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tests.stores.fuzz.clauses import Clause, Column, Projection, in_order
from tests.stores.fuzz.logic import (
    SIGNS,
    Expression,
    Row,
    both,
    combined,
    compare,
    either,
    negation,
    prop,
    variable,
)
from tests.stores.fuzz.motifs import SMALL, joining, label_of, letters, write
from tests.stores.fuzz.needs import Need
from tests.stores.fuzz.patterns import Match
from tests.stores.fuzz.projections import columns, identities
from tests.stores.fuzz.worlds import World
from tests.stores.fuzz.writer import Writer


def there(writer: Writer, motif: str) -> list[Clause]:
    """Nodes for which a motif is there, or not, or often enough."""
    letter = writer.rng.choice(letters(motif))
    start, label = writer.fresh(letter), label_of(letter)
    writer.scope[start] = label
    condition = writer.rng.choice([existing, existing, often])(writer, motif, {letter: start})
    condition = _perhaps_not(writer, condition)
    anchor = Match([f"({start}:{label})"], (), {start: label}, where=(condition,))
    return [anchor, Projection("RETURN", columns([prop(start, "id")]))]


def also(writer: Writer, motif: str) -> list[Clause]:
    """A motif whose nodes must be, or must not be, in another one."""
    *found, last = write(writer, motif)
    condition = _perhaps_not(writer, _one(writer))
    if writer.chance(0.4):
        other = _perhaps_not(writer, _one(writer))
        word, fold = writer.rng.choice([("AND", both), ("OR", either)])
        condition = combined(f"({{}} {word} {{}})", fold, condition, other)
    returned = Projection("RETURN", columns(identities(writer)))
    if writer.chance(0.3):
        kept = [Column(name, variable(name)) for name in writer.scope]
        return [*found, last, Projection("WITH", kept, where=condition), returned]
    if " OR " in condition.text:
        writer.needs.add(Need.ALTERNATIVES_WITHOUT_COMPARISON)
    return [*found, replace(last, where=(*last.where, condition)), returned]


def beside(writer: Writer, motif: str) -> list[Clause]:
    """A motif, and for each of its rows what else is there: counted, listed, or whether."""
    found = write(writer, motif)
    makers = writer.rng.sample([number, listed, existing], writer.rng.randint(1, 2))
    values = [
        maker(writer, other := writer.rng.choice(SMALL), joining(writer, other)) for maker in makers
    ]
    return [*found, Projection("RETURN", columns([*identities(writer), *values]))]


def _one(writer: Writer) -> Expression:
    """Return a condition that a small motif is there."""
    maker = writer.rng.choice([existing, often, bare, bare])
    motif = writer.rng.choice(SMALL)
    return maker(writer, motif, joining(writer, motif))


def _perhaps_not(writer: Writer, condition: Expression) -> Expression:
    if writer.chance(0.6):
        return condition
    return combined("NOT {}" if "{" in condition.text else "NOT ({})", negation, condition)


def _asking(
    writer: Writer,
    text: str,
    clauses: Sequence[Match],
    value: Callable[[World, list[Row]], object],
) -> Expression:
    """Return what a subquery is worth; it may use whatever is in scope."""

    def ask(world: World, row: Row) -> object:
        rows = [row]
        for clause in clauses:
            rows = clause.follow(world, rows)
        return value(world, rows)

    return Expression(text, frozenset(writer.scope), ask)


def _inside(
    writer: Writer, motif: str, named: Mapping[str, str]
) -> tuple[str, list[Match], Writer]:
    inner = writer.inside()
    clauses = write(inner, motif, named)
    text = " ".join(clause.text for clause in clauses)
    if len(clauses) == 1 and writer.chance(0.3):
        text = text.removeprefix("MATCH ")
    return text, clauses, inner


def existing(writer: Writer, motif: str, named: Mapping[str, str]) -> Expression:
    """Whether a motif is there."""
    text, clauses, _ = _inside(writer, motif, named)
    return _asking(writer, f"EXISTS {{ {text} }}", clauses, lambda world, rows: bool(rows))


def number(writer: Writer, motif: str, named: Mapping[str, str]) -> Expression:
    """How many times a motif is there."""
    text, clauses, _ = _inside(writer, motif, named)
    return _asking(writer, f"COUNT {{ {text} }}", clauses, lambda world, rows: len(rows))


def often(writer: Writer, motif: str, named: Mapping[str, str]) -> Expression:
    """Whether a motif is there often, or seldom."""
    found = number(writer, motif, named)
    wanted = writer.given(writer.rng.randint(0, 4))
    return compare(found, writer.rng.choice(list(SIGNS)), wanted)


def listed(writer: Writer, motif: str, named: Mapping[str, str]) -> Expression:
    """A property for each time that a motif is there, sorted, perhaps without repeats."""
    _, clauses, inner = _inside(writer, motif, named)
    taken = inner.property()[0]
    distinct = "DISTINCT " if writer.chance(0.5) else ""

    def values(world: World, rows: list[Row]) -> list[object]:
        found = [taken.value(world, row) for row in rows]
        return in_order(list(dict.fromkeys(found)) if distinct else found, lambda item: item)

    inside = " ".join(clause.text for clause in clauses)
    text = f"COLLECT {{ {inside} RETURN {distinct}{taken.text} AS x ORDER BY x }}"
    return _asking(writer, text, clauses, values)


def bare(writer: Writer, motif: str, named: Mapping[str, str]) -> Expression:
    """A pattern that is itself a condition."""
    clauses = write(writer.inside(), motif, named, bare=True)
    text = clauses[0].texts[0]
    return _asking(writer, text, clauses, lambda world, rows: bool(rows))
