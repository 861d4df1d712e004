"""Paths of weights from some features to others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.queries.lists.conditions import Criteria, Mention, Parameters
from circuitkb.queries.lists.edges import Edges
from circuitkb.queries.lists.features import Features
from circuitkb.queries.lists.statement import Statement
from circuitkb.schema.definition import relation_type
from circuitkb.schema.errors import QueryError

LONGEST = 4
"""Weights in a path: each further one multiplies the work by the inputs that a unit keeps."""


@dataclass(frozen=True, kw_only=True)
class Paths(Criteria):
    """Chains of weights from a source to a target, short ones first, then by their features.

    Every length is written out, since engines differ in patterns of variable length. ``share`` is
    the product, over the chain, of each weight's part of its target's whole input (l1): what of
    the target's input comes along this chain, if all inputs were equally active. It is null where
    the whole input is not known, as for published weights.

    Attributes
    ----------
    source, target
        Where it starts and where it ends.
    max_length
        Weights in it at most, from 1 to 4.
    edges
        What each weight must be; its ends and ``top`` are not looked at.
    shortest
        Whether only the shortest of each pair of ends are wanted.
    """

    source: Features
    target: Features
    max_length: int = 2
    edges: Edges = field(default_factory=Edges)
    shortest: bool = False

    owner: ClassVar[Any] = relation_type("WEIGHT")

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.max_length, bool) or not 1 <= self.max_length <= LONGEST:
            raise QueryError(
                f"max_length is {self.max_length!r}: it is a number of weights from 1 to {LONGEST}."
            )
        ends = self.edges.source, self.edges.target, self.edges.model, self.edges.top
        if any(part is not None for part in ends):
            raise QueryError("Of the weights of a path, only the weight itself can be asked about.")

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        return self.source.mentions() + self.target.mentions()

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""
        parameters = Parameters()
        lengths = range(1, self.max_length + 1)
        # The engine goes from the left, so what is known best stands there.
        backwards = self.target.selectivity >= self.source.selectivity
        if backwards:
            anchor = self.target.anchor("z", parameters, "target_")
            conditions = self.target.matches("z", parameters, "target_", anchored=True)
            conditions += self.source.matches("a", parameters, "source_")
        else:
            anchor = self.source.anchor("a", parameters, "source_")
            conditions = self.source.matches("a", parameters, "source_", anchored=True)
            conditions += self.target.matches("z", parameters, "target_")
        ends = "\n    AND ".join(conditions)
        steps = [self.edges.on_weight(f"w{i}", parameters) for i in lengths]
        parts = "\n  UNION ALL\n".join(
            self._of_length(length, anchor, ends, steps[:length], backwards=backwards)
            for length in lengths
        )
        fewest = (
            "WITH source, target, collect([path, ranks, sums, connections, share]) AS found,\n"
            "  collect(length) AS lengths, min(length) AS length\n"
            "UNWIND range(0, size(found) - 1) AS i\n"
            "WITH source, target, length, lengths[i] AS own, found[i] AS kept\n"
            "WHERE own = length\n"
            "WITH source, target, length, kept[0] AS path, kept[1] AS ranks, kept[2] AS sums,\n"
            "  kept[3] AS connections, kept[4] AS share\n"
        )
        return Statement(
            f"CALL () {{\n{parts}\n}}\n{fewest if self.shortest else ''}"
            "RETURN source, target, length, path, ranks, sums, connections, share\n"
            "ORDER BY length, source, target, path, ranks, connections"
            f"{self.row_bound(parameters)}",
            parameters,
        )

    def _of_length(
        self, length: int, anchor: str, ends: str, steps: list[list[str]], *, backwards: bool
    ) -> str:
        names = ["a", *(f"m{i}" for i in range(1, length)), "z"]
        label = "" if anchor else ":Feature"
        if backwards:
            chain = f"(z{label})"
            for i in range(length, 0, -1):
                chain += f"<-[w{i}:WEIGHT]-({names[i - 1]}:Feature)"
        else:
            chain = f"(a{label})"
            for i in range(1, length + 1):
                chain += f"-[w{i}:WEIGHT]->({names[i]}:Feature)"
        conditions = [condition for step in steps for condition in step]
        if ends:
            conditions.append(ends)
        where = "  WHERE " + "\n    AND ".join(conditions) + "\n" if conditions else ""

        def listed(values: list[str]) -> str:
            return f"[{', '.join(values)}]"

        weights = range(1, length + 1)
        share = " * ".join(f"w{i}.l1 / {names[i]}.input_l1" for i in weights)
        return (
            f"  {anchor}  MATCH {chain}\n{where}"
            f"  RETURN a.id AS source, z.id AS target, {length} AS length,\n"
            f"    {listed([f'{name}.id' for name in names])} AS path,\n"
            f"    {listed([f'w{i}.rank' for i in weights])} AS ranks,\n"
            f"    {listed([f'w{i}.sum' for i in weights])} AS sums,\n"
            f"    {listed([f'w{i}.connection' for i in weights])} AS connections,\n"
            f"    {share} AS share"
        )
