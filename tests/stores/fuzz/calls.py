"""Questions that call subqueries, and questions about lists that are given."""

from __future__ import annotations

from tests.stores.fuzz.clauses import Aggregate, Call, Clause, Column, Projection, Unwind
from tests.stores.fuzz.logic import Expression, compare, constant, prop, variable
from tests.stores.fuzz.motifs import SMALL, joining, write
from tests.stores.fuzz.patterns import Match
from tests.stores.fuzz.projections import COUNT, columns, identities, node
from tests.stores.fuzz.writer import Writer


def either_motif(writer: Writer, motif: str) -> list[Clause]:
    """What two motifs find, one after the other."""
    parts: list[list[Clause]] = []
    for each in (motif, writer.rng.choice(SMALL)):
        inner = writer.inside()
        found = write(inner, each)
        least, kind, _ = inner.property(node(inner))
        value = Aggregate(f"count({least.text})", len, least)
        made = [Column("part", constant(repr(kind), kind)), Column("n", COUNT), Column("v", value)]
        parts.append([*found, Projection("RETURN", [Column("id", prop(node(inner), "id")), *made])])
    returned = [Column(name, variable(name)) for name in ("id", "part", "n", "v")]
    return [Call([], parts), Projection("RETURN", returned)]


def for_each(writer: Writer, motif: str) -> list[Clause]:
    """A motif, and for each of its rows the first few of another, or how many there are."""
    found = write(writer, motif)
    other = writer.rng.choice(SMALL)
    named = joining(writer, other)
    inner = writer.inside()
    inner.scope = {name: writer.scope[name] for name in dict.fromkeys(named.values())}
    inside = write(inner, other, named)
    if writer.chance(0.4):
        made = [Column("n", COUNT)]
        part = Projection("RETURN", made)
    else:
        made = [Column(f"y{i}", value) for i, value in enumerate(identities(inner))]
        order = [(item.alias, writer.chance(0.4)) for item in made]
        writer.rng.shuffle(order)
        part = Projection("RETURN", made, order=order, limit=writer.given(writer.rng.randint(1, 3)))
    called = Call(list(dict.fromkeys(named.values())), [[*inside, part]])
    values = [*identities(writer), *(variable(item.alias) for item in made)]
    return [*found, called, Projection("RETURN", columns(values))]


def given_features(writer: Writer, motif: str) -> list[Clause]:
    """A motif for each of some given features, which may be given twice or not be there."""
    ids = [node.properties["id"] for node in writer.world.nodes if node.label == "Feature"]
    wanted = [writer.rng.choice([*ids, *ids, "m/none:0"]) for _ in range(writer.rng.randint(1, 6))]
    item, name = writer.fresh("i"), writer.fresh("a")
    writer.scope[name] = "Feature"
    listed, key = writer.given(wanted), variable(item)
    where: tuple[Expression, ...] = ()
    if writer.chance(0.5):
        least = [writer.some_value("Feature", "bias") for _ in wanted]
        rows = [{"id": i, "least": bound} for i, bound in zip(wanted, least, strict=True)]
        listed, key = writer.given(rows), _entry(item, "id")
        where = (compare(prop(name, "bias"), ">=", _entry(item, "least")),)
    inline = (compare(prop(name, "id"), "=", key),)
    text = f"({name}:Feature {{id: {key.text}}})"
    anchor = Match([text], (), {name: "Feature"}, inline, where)
    found = write(writer, motif, joining(writer, motif))
    values = [key, *identities(writer)]
    return [Unwind(item, listed), anchor, *found, Projection("RETURN", columns(values))]


def _entry(name: str, key: str) -> Expression:
    return Expression(f"{name}.{key}", frozenset([name]), lambda world, row: row[name][key])
