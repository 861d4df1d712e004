"""What a question may need that not every engine does: the declared differences.

A question says what it needs; a store that lacks it is not asked. For each need there is an
example, which ``test_declared_differences.py`` asks of every store.
"""

from __future__ import annotations

from enum import Enum

from circuitkb.stores.base import Store
from circuitkb.stores.embedded import EmbeddedStore


class Need(Enum):
    """A way of asking that some engine answers wrongly."""

    NULL_AFTER_THE_START = (
        "a variable that OPTIONAL MATCH left null fits nowhere in a later pattern, also where "
        "that pattern does not start with it"
    )
    ALTERNATIVES_WITHOUT_COMPARISON = (
        "in the WHERE of a MATCH, OR and XOR may join conditions on "
        "several variables, also where one is no comparison of a property: a boolean property "
        "alone, all(), any(), none(), single(), COUNT {} or a pattern"
    )
    COUNTED_LOOPS = (
        "relations of a node to itself are counted for each value of its properties by "
        "MATCH (a)-[w]->(a) RETURN a.id, count(*)"
    )


def lacks(store: Store) -> frozenset[Need]:
    """Return what a store's engine does not do."""
    return frozenset(Need) if isinstance(store, EmbeddedStore) else frozenset()
