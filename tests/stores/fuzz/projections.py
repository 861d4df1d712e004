"""Shapes of what a query returns, or hands on to its next part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.stores.fuzz.clauses import Aggregate, Clause, Column, Projection
from tests.stores.fuzz.logic import Expression, compare, prop, variable
from tests.stores.fuzz.motifs import write
from tests.stores.fuzz.writer import IDENTITY, Writer

Shape = Callable[[Writer, str], Sequence[Clause]]
"""Writes a query about a motif."""

COUNT = Aggregate("count(*)", len)


def matches(writer: Writer, motif: str, named: Mapping[str, str] | None = None) -> list[Clause]:
    """Write a motif as MATCH clauses."""
    return list(write(writer, motif, named))


def identities(writer: Writer) -> list[Expression]:
    """Return what tells the rows of a pattern apart."""
    return [
        prop(name, key) for name, kind in writer.scope.items() for key in IDENTITY.get(kind, [])
    ]


def columns(values: Sequence[Expression | Aggregate], letter: str = "x") -> list[Column]:
    """Return columns x0, x1, ...; no variable begins with x or y."""
    return [Column(f"{letter}{number}", value) for number, value in enumerate(values)]


def rows(writer: Writer, motif: str) -> list[Clause]:
    """Each row, with computed values."""
    found = matches(writer, motif)
    values = identities(writer) + [writer.computed() for _ in range(writer.rng.randint(1, 3))]
    return [*found, Projection("RETURN", columns(values))]


def whole(writer: Writer, motif: str) -> list[Clause]:
    """Whole nodes, relations and lists of relations."""
    found = matches(writer, motif)
    chosen = [name for name in writer.scope if writer.chance(0.6)] or list(writer.scope)[:1]
    return [*found, Projection("RETURN", columns([variable(name) for name in chosen]))]


def total(writer: Writer, motif: str) -> list[Clause]:
    """Counts and extremes of everything together."""
    found = matches(writer, motif)
    return [*found, Projection("RETURN", columns([COUNT, *(aggregates(writer))]))]


def aggregates(writer: Writer) -> list[Aggregate]:
    """Return aggregates whose value does not depend on the order of rows."""
    made = []
    for _ in range(writer.rng.randint(1, 3)):
        over, kind, key = writer.property()
        known = writer.world.records.get(kind, [])
        whole = any(type(record.get(key)) is int for record in known)
        choices = [
            Aggregate(f"count({over.text})", len, over),
            Aggregate(f"count(DISTINCT {over.text})", len, over, True),
            Aggregate(f"size(collect({over.text}))", len, over),
            Aggregate(f"min({over.text})", _least, over),
            Aggregate(f"max({over.text})", _most, over),
        ]
        # The sum of numbers with a fraction depends on their order.
        choices += [Aggregate(f"sum({over.text})", sum, over)] * 2 if whole else []
        made.append(writer.rng.choice(choices))
    return made


def _least(values: list[Any]) -> Any:
    return min(values, default=None)


def _most(values: list[Any]) -> Any:
    return max(values, default=None)


def collected(writer: Writer) -> Column:
    """Return a column with the list of a property, in any order."""
    value = writer.property()[0]
    distinct = writer.chance(0.5)
    text = f"collect({'DISTINCT ' if distinct else ''}{value.text})"
    return Column("found", Aggregate(text, list, value, distinct), in_any_order=True)


def distinct(writer: Writer, motif: str) -> list[Clause]:
    """Different combinations of a few values, nulls among them."""
    found = matches(writer, motif)
    values = [writer.property()[0] for _ in range(writer.rng.randint(1, 3))]
    return [*found, Projection("RETURN", columns(values), distinct=True)]


def groups(writer: Writer, motif: str) -> list[Clause]:
    """Aggregates for each value of a property, null among them."""
    found = matches(writer, motif)
    key = writer.property()[0]
    made = [*columns([key, COUNT, *aggregates(writer)]), collected(writer)]
    return [*found, Projection("RETURN", made)]


def many(writer: Writer, motif: str) -> list[Clause]:
    """Nodes that are in many rows."""
    found = matches(writer, motif)
    name = node(writer)
    least = compare(variable("n"), ">", writer.given(writer.rng.randint(0, 3)))
    kept = [Column(name, variable(name)), Column("n", COUNT)]
    returned = [Column("id", prop(name, "id")), Column("n", variable("n"))]
    return [
        *found,
        Projection("WITH", kept, where=least),
        Projection("RETURN", returned),
    ]


def node(writer: Writer, label: str | None = None) -> str:
    """Return a variable in scope that stands for a node, of a label if one is given."""
    labels = {label} if label else {"Feature", "Layer", "Circuit"}
    return writer.rng.choice(writer.names(of=lambda kind: kind in labels))


def page(writer: Writer, motif: str) -> list[Clause]:
    """A page of the rows in a total order, nulls among the values."""
    found = matches(writer, motif)
    made = columns([writer.property()[0], *identities(writer)])
    order = [(item.alias, writer.chance(0.4)) for item in made]
    writer.rng.shuffle(order)
    skip = writer.given(writer.rng.randint(0, 3)) if writer.chance(0.7) else None
    limit = writer.given(writer.rng.randint(1, 8)) if writer.chance(0.7) else None
    return [*found, Projection("RETURN", made, order=order, skip=skip, limit=limit)]


def strongest(writer: Writer, motif: str) -> list[Clause]:
    """The first few values of each group: collected in order, then cut."""
    found = matches(writer, motif)
    name = node(writer)
    kept = [Column("key", prop(name, "id")), *columns([writer.property()[0], *identities(writer)])]
    order = [(item.alias, writer.chance(0.4)) for item in kept]
    most = writer.rng.randint(1, 3)
    top = Aggregate(f"collect(x0)[0..{most}]", lambda values: values[:most], variable("x0"))
    returned = [Column("key", variable("key")), Column("n", COUNT), Column("top", top)]
    return [*found, Projection("WITH", kept, order=order), Projection("RETURN", returned)]


def first_ones(writer: Writer, motif: str) -> list[Clause]:
    """The first rows in a total order, which the next part starts from."""
    found = matches(writer, motif)
    name = node(writer, "Feature")
    kept = [Column(name, variable(name)), *columns(identities(writer), "y")]
    order = [(item.alias, writer.chance(0.4)) for item in kept[1:]]
    writer.rng.shuffle(order)
    cut = Projection("WITH", kept, order=order, limit=writer.given(writer.rng.randint(1, 6)))
    writer.scope = {name: "Feature"}
    return [*found, cut, *_onwards(writer, name)]


def two_parts(writer: Writer, motif: str) -> list[Clause]:
    """Aggregates of one pattern, compared with what another finds from the same feature."""
    found = matches(writer, motif)
    name = node(writer, "Feature")
    kept = [Column(name, variable(name)), *columns([COUNT, *aggregates(writer)], "y")]
    if writer.chance(0.3):
        kept = kept[:1]
    part = Projection("WITH", kept, distinct=len(kept) == 1)
    writer.scope = {name: "Feature"}
    return [*found, part, *_onwards(writer, name, [variable(c.alias) for c in kept[1:]])]


def _onwards(writer: Writer, name: str, carried: Sequence[Expression] = ()) -> list[Clause]:
    further = matches(writer, writer.rng.choice(["edge", "fan in", "mirrors"]), {"a": name})
    return [*further, Projection("RETURN", columns([*identities(writer), *carried]))]
