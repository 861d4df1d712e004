"""Five questions, as Cypher and in words; every engine and peer answers all of them.

Rows come in the order of the columns, and as sorted lists where a column holds several ids, so
that the answers of different engines can be compared as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from synthetic import Shape

from circuitkb.queries.questions import catalogue
from circuitkb.schema.tables import GraphRows

Rows = list[tuple[Any, ...]]

INPUTS, UNITED, SHARED, TRIANGLES, UNIONS = "inputs", "united", "shared", "triangles", "unions"

CYPHER = {
    INPUTS: """
MATCH (s:Feature)-[w:WEIGHT]->(:Feature {id: $unit})
RETURN s.id AS source, w.rank AS rank, w.l1 AS l1
ORDER BY rank LIMIT $top""",
    UNITED: """
MATCH (a:Feature)-[t:TRANSFORMS_TO]->(b:Feature)
WHERE t.group = 'mirror' AND a.id < b.id
MATCH (a)-[v:WEIGHT]->(u:Feature)<-[w:WEIGHT]-(b)
WHERE v.rank <= $rank AND w.rank <= $rank AND v.positive > $mass AND w.positive > $mass
RETURN a.id AS one, b.id AS other, u.id AS target, v.rank AS rank_1, w.rank AS rank_2""",
    SHARED: """
MATCH (x:Feature)-[:IN_LAYER]->(:Layer {id: $layer_1})
MATCH (s:Feature)-[v:WEIGHT]->(x) WHERE v.rank <= $rank
MATCH (s)-[w:WEIGHT]->(y:Feature) WHERE w.rank <= $rank AND y.layer = $layer_2
WITH x, y, count(*) AS shared WHERE shared >= $least
RETURN x.id AS one, y.id AS other, shared""",
    TRIANGLES: """
MATCH (:Model {id: $model})<-[:IN_MODEL]-(:Layer)<-[:IN_LAYER]-(c:Feature)
MATCH (a:Feature)-[x:WEIGHT]->(c)<-[w:WEIGHT]-(b:Feature)
WHERE x.rank <= $rank AND x.path = 'residual' AND w.rank <= $rank AND w.path = 'direct'
MATCH (a)-[v:WEIGHT]->(b) WHERE v.rank <= $rank AND v.path = 'direct'
RETURN a.id AS first, b.id AS second, c.id AS third""",
    UNIONS: catalogue.find("union").cypher,
}

WORDS = {
    INPUTS: "the strongest inputs of one unit",
    UNITED: "units that get strong positive weights from both units of a mirrored couple",
    SHARED: "units of two layers that share strong inputs",
    TRIANGLES: "strong weights a to b to c, and past b from a to c, in one model",
    UNIONS: "the union question of the catalogue, over all models",
}

COLUMNS = ("model", "target", "side_1", "side_2", "pairs", "score", "analogous", "target_labels")
"""What of the union question's answer is compared."""


@dataclass(frozen=True)
class Question:
    """One of the five, with its parameters."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cypher(self) -> str:
        """The text for a graph engine."""
        return CYPHER[self.name]


class Peer(Protocol):
    """What holds the knowledge base and answers questions."""

    def load(self, pieces: Iterable[GraphRows]) -> None:
        """Take the whole knowledge base, and keep it on the disk where the peer can."""

    def open(self) -> None:
        """Make ready what was loaded, in a new process."""

    def answer(self, question: Question) -> Rows:
        """Return the rows, in any order."""

    def close(self) -> None:
        """Close it."""


def questions(shape: Shape) -> list[Question]:
    """Return the five questions for a knowledge base of a shape."""
    network = shape.models_in_it()[-1]
    middle = len(network.layers) // 2
    layers = network.layers[middle : middle + 2]
    return [
        Question(INPUTS, {"unit": f"{network.name}/{network.layers[-1]}:0", "top": 20}),
        Question(UNITED, {"rank": 8, "mass": 0.5}),
        Question(
            SHARED,
            {
                "layer_1": f"{network.name}/{layers[0]}",
                "layer_2": layers[1],
                "rank": 8,
                "least": 2,
            },
        ),
        Question(TRIANGLES, {"model": network.name, "rank": 6}),
        Question(UNIONS, catalogue.find("union").bind({}).parameters),
    ]


def comparable(rows: Iterable[Sequence[Any]]) -> Rows:
    """Return rows sorted, and lists in them as sorted tuples, to compare answers.

    Examples
    --------
    >>> comparable([("b", ["y", "x"]), ("a", [])])
    [('a', ()), ('b', ('x', 'y'))]
    """
    plain = [
        tuple(tuple(sorted(value)) if isinstance(value, list | tuple) else value for value in row)
        for row in rows
    ]
    return sorted(plain, key=repr)
