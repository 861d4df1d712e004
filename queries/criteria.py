"""Lists of things as values that compose and become Cypher: one door to all of them.

A value says what is wanted; ``to_cypher()`` gives the text and the parameters. Nothing here
runs a query. Values go in as parameters, names are checked against the definition of the graph.
"""

from __future__ import annotations

from .annotations import Annotations
from .circuits import MEMBER, Circuits
from .common_ends import CommonEnds
from .conditions import Criteria
from .edges import Edges, Sign
from .features import Features, as_features, labels_of
from .models import Models
from .paths import Paths

__all__ = [
    "MEMBER",
    "Annotations",
    "Circuits",
    "CommonEnds",
    "Criteria",
    "Edges",
    "Features",
    "Models",
    "Paths",
    "Sign",
    "as_features",
    "labels_of",
]
