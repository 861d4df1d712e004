"""Questions about chains of any length, and whole paths."""

from __future__ import annotations

from tests.stores.fuzz.clauses import Aggregate, Clause, Projection
from tests.stores.fuzz.logic import combined, prop, variable
from tests.stores.fuzz.motifs import write
from tests.stores.fuzz.projections import COUNT, columns, identities, node
from tests.stores.fuzz.writer import EDGES, Writer


def reach(writer: Writer, motif: str) -> list[Clause]:
    """What a motif with parts of variable length leads to, how far away, in how many ways."""
    found = write(writer, motif, lengths=0.6)
    lists = writer.names(of=lambda kind: kind == EDGES)
    if not lists:
        return [*found, Projection("RETURN", columns([prop(node(writer), "id"), COUNT]))]
    size = combined("size({})", len, variable(writer.rng.choice(lists)))
    keys = [prop(node(writer), "id"), prop(node(writer), "id")]
    if writer.chance(0.5):
        return [*found, Projection("RETURN", columns([*keys, size, COUNT]))]
    shortest = Aggregate(f"min({size.text})", lambda v: min(v, default=None), size)
    return [*found, Projection("RETURN", columns([*keys, shortest, COUNT]))]


def lists(writer: Writer, motif: str) -> list[Clause]:
    """What is in the lists of relations, in their order."""
    found = write(writer, motif, lengths=0.6)
    values = [writer.computed_from_list(name) for name in writer.names(of=lambda k: k == EDGES)]
    return [*found, Projection("RETURN", columns([*identities(writer), *values]))]
