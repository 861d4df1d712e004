"""Lists of things as values that compose and become Cypher: one door to all of them.

A value says what is wanted; ``to_cypher()`` gives the text and the parameters. Nothing here
runs a query. Values go in as parameters, names are checked against the definition of the graph.
"""

from __future__ import annotations

from circuitkb.queries.lists.annotations import Annotations
from circuitkb.queries.lists.circuits import MEMBER, STEADY, Circuits, come_and_go
from circuitkb.queries.lists.common_ends import CommonEnds
from circuitkb.queries.lists.conditions import Criteria
from circuitkb.queries.lists.edges import Edges, Sign
from circuitkb.queries.lists.features import Features, as_features, labels_of
from circuitkb.queries.lists.models import Models
from circuitkb.queries.lists.nodes import Nodes
from circuitkb.queries.lists.paths import Paths
from circuitkb.queries.lists.trials import Trials

__all__ = [
    "MEMBER",
    "STEADY",
    "Annotations",
    "Circuits",
    "CommonEnds",
    "Criteria",
    "Edges",
    "Features",
    "Models",
    "Nodes",
    "Paths",
    "Sign",
    "Trials",
    "as_features",
    "come_and_go",
    "labels_of",
]
