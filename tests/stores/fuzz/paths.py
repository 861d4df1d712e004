"""Questions about whole paths: ``p = (a)-[:WEIGHT]->(b)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.stores.fuzz.clauses import Clause, Projection
from tests.stores.fuzz.logic import SIGNS, Expression, Row, Truth, compare, every, some
from tests.stores.fuzz.motifs import MOTIFS, write
from tests.stores.fuzz.patterns import Step
from tests.stores.fuzz.projections import columns, identities
from tests.stores.fuzz.worlds import Edge, Node, World
from tests.stores.fuzz.writer import Writer


def path(writer: Writer, motif: str) -> list[Clause]:
    """A motif whose first chain has a name: its length, nodes, relations, or all of it."""
    match, *_ = write(writer, motif, apart=0, lengths=0.4)
    texts = list(match.texts)
    made = Path(writer.fresh("p"), match.steps[: len(MOTIFS[motif][0]) // 2])
    texts[0] = f"{made.name} = {texts[0]}"
    where = match.where
    if writer.chance(0.6):
        where = (*where, made.condition(writer))
    values = writer.rng.sample([made.length, made.whole, made.ids, made.connections], 2)
    returned = columns([*identities(writer), *(value() for value in values)])
    return [replace(match, texts=texts, where=where), Projection("RETURN", returned)]


@dataclass(frozen=True)
class Path:
    """A chain of relations with a name."""

    name: str
    steps: Sequence[Step]

    def parts(self, row: Row) -> list[Node | Edge]:
        """Return nodes and edges in turn, in the order of the text."""
        first = self.steps[0]
        found: list[Node | Edge] = [row[first.target if first.backwards else first.source]]
        for step in self.steps:
            bound = row[step.name]
            for edge in bound if isinstance(bound, list) else [bound]:
                found += [edge, edge.source if edge.target is found[-1] else edge.target]
        return found

    def worth(self, text: str, function: Callable[[list[Any]], Any]) -> Expression:
        """Return an expression: ``{}`` in the text is the path, the function gets its parts."""
        names = {name for step in self.steps for name in (step.name, step.source, step.target)}
        return Expression(
            text.format(self.name),
            frozenset(names),
            lambda world, row: function(self.parts(row)),
        )

    def length(self) -> Expression:
        return self.worth("length({})", lambda parts: len(parts) // 2)

    def whole(self) -> Expression:
        return self.worth("{}", lambda parts: parts)

    def ids(self) -> Expression:
        return self.worth(
            "[n IN nodes({}) | n.id]", lambda parts: [n.properties["id"] for n in parts[0::2]]
        )

    def connections(self) -> Expression:
        return self.worth(
            "[r IN relationships({}) | r.connection]",
            lambda parts: [edge.properties.get("connection") for edge in parts[1::2]],
        )

    def condition(self, writer: Writer) -> Expression:
        """Return a condition on the length, or on all or some of the nodes or relations."""
        draw = writer.rng.random()
        if draw < 0.3:
            wanted = writer.given(writer.rng.randint(1, 4))
            return compare(self.length(), writer.rng.choice(list(SIGNS)), wanted)
        word, fold = writer.rng.choice([("all", every), ("any", some)])
        if draw < 0.65:
            return self._of_each(writer, word, fold, "r", "WEIGHT", "relationships", 1)
        return self._of_each(writer, word, fold, "n", "Feature", "nodes", 0)

    def _of_each(
        self,
        writer: Writer,
        word: str,
        fold: Callable[[Any], Truth],
        name: str,
        kind: str,
        function: str,
        start: int,
    ) -> Expression:
        test = replace(writer, scope={name: kind}).condition_on_property(name)
        given: World = writer.world
        return self.worth(
            f"{word}({name} IN {function}({{}}) WHERE {test.text})".replace("{}", self.name),
            lambda parts: fold(test.value(given, {name: item}) for item in parts[start::2]),
        )
