"""Answers of a store against brute force, on seeded random graphs with edges side by side.

Run longer, or from another seed::

    CIRCUITKB_DIFFERENTIAL_GRAPHS=500 CIRCUITKB_DIFFERENTIAL_SEED=7 pytest tests/stores/test_differential.py
"""  # noqa: E501

from __future__ import annotations

import os
import random
from collections import Counter
from typing import Any

from circuitkb.stores.base import Store

from .motifs import MOTIFS, world
from .questions import Query, query

GRAPHS = int(os.environ.get("CIRCUITKB_DIFFERENTIAL_GRAPHS", "12"))
SEED = int(os.environ.get("CIRCUITKB_DIFFERENTIAL_SEED", "0"))
QUERIES = 30
LARGEST = 4_000


def comparable(rows: list[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    """Count rows, for answers whose order is free; a collected list is in no order either."""
    return Counter(
        tuple(tuple(sorted(item)) if isinstance(item, list) else item for item in row)
        for row in rows
    )


def wrong(store: Store, asked: Query) -> str:
    found = store.read(asked.text, asked.parameters, limit=None).rows
    same = (
        found == asked.expected
        if asked.ordered
        else comparable(found) == comparable(asked.expected)
    )
    return "" if same else f"{asked.text}\n{asked.parameters}\n{found[:5]}\n{asked.expected[:5]}"


def test_every_answer_is_what_brute_force_finds(open_again: Any) -> None:
    told: Counter[str] = Counter()
    mistakes = []
    for number in range(GRAPHS):
        rng = random.Random(SEED + number)
        graph = world(rng)
        store = open_again(f"graph{number}")
        store.write(graph.rows())
        for _ in range(QUERIES):
            asked = query(rng, graph)
            if len(asked.expected) > LARGEST:
                continue
            told[asked.motif] += bool(asked.expected)
            mistake = wrong(store, asked)
            if mistake:
                mistakes.append(mistake)
        store.close()
    assert not mistakes, f"{len(mistakes)} wrong answers, the first:\n{mistakes[0]}"
    assert len(+told) == len(MOTIFS), "every motif was found somewhere"
