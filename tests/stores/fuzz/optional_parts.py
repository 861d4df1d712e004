"""Questions with parts that may be missing: OPTIONAL MATCH, and nulls where nothing fits."""

from __future__ import annotations

from tests.stores.fuzz.clauses import Aggregate, Clause, Column, Projection
from tests.stores.fuzz.logic import combined, prop, variable
from tests.stores.fuzz.motifs import SMALL, joining, label_of, letters, write
from tests.stores.fuzz.patterns import Match
from tests.stores.fuzz.projections import COUNT, aggregates, collected, columns, identities, node
from tests.stores.fuzz.writer import Writer


def _with_optional_parts(writer: Writer, motif: str) -> list[Clause]:
    """Write a motif and one or two optional ones, or a node and the motif, which is optional."""
    found: list[Clause] = []
    if writer.chance(0.4):
        letter = writer.rng.choice(letters(motif))
        start, label = writer.fresh(letter), label_of(letter)
        writer.scope[start] = label
        found.append(Match([f"({start}:{label})"], (), {start: label}))
        found += write(writer, motif, {letter: start}, optional=True)
        further = writer.rng.choice([0, 0, 1])
    else:
        found += write(writer, motif)
        further = writer.rng.choice([1, 1, 2])
    for _ in range(further):
        other = writer.rng.choice(SMALL)
        named = joining(writer, other)
        found += write(writer, other, named, optional=True)
    return found


def optional_rows(writer: Writer, motif: str) -> list[Clause]:
    """Each row, with nulls for what is missing."""
    found = _with_optional_parts(writer, motif)
    values = identities(writer) + [writer.computed() for _ in range(writer.rng.randint(1, 2))]
    return [*found, Projection("RETURN", columns(values))]


def optional_groups(writer: Writer, motif: str) -> list[Clause]:
    """Aggregates over what may be missing: nulls do not count."""
    found = _with_optional_parts(writer, motif)
    key = prop(node(writer), "id")
    name = writer.rng.choice(list(writer.scope))
    made: list[Aggregate] = [Aggregate(f"count({name})", len, variable(name)), *aggregates(writer)]
    return [*found, Projection("RETURN", [*columns([key, COUNT, *made]), collected(writer)])]


def missing(writer: Writer, motif: str) -> list[Clause]:
    """Rows for which the optional part is missing, or is not."""
    found = _with_optional_parts(writer, motif)
    name = writer.rng.choice(list(writer.scope)[1:] or list(writer.scope))
    wanted = writer.chance(0.7)
    test = combined(
        "{} IS NULL" if wanted else "{} IS NOT NULL",
        lambda value: (value is None) is wanted,
        variable(name),
        strict=False,
    )
    kept = [Column(other, variable(other)) for other in writer.scope]
    returned = Projection("RETURN", columns(identities(writer)))
    return [*found, Projection("WITH", kept, where=test), returned]
