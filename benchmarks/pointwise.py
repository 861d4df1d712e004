"""What it saves to keep a weight of one number as that number, and what questions then take.

    uv run --group dev python benchmarks/pointwise.py circuits-demo.ckb [--weights 300000]

The weights of a store are written into two new ones: as they are kept, and with all properties of
each, as before format version 3. Printed are processor seconds and bytes of both, with their
ratios; then the seconds of questions that look at all of them, the least of five, and whether both
give the same rows, in turns. It ends with 1 where they do not, or where the short ones take more
than .8 of the time of such a write or .6 of the bytes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa

from circuitkb.schema.tables import GraphRows, Relations
from circuitkb.stores import open_store
from circuitkb.stores.base import Store
from circuitkb.stores.embedded import edge_loading
from circuitkb.stores.embedded.pointwise import NUMBER

MOST = {"CPU seconds": 0.8, "bytes a weight": 0.6}
EACH = "MATCH (a:Feature)-[w:WEIGHT]->(b:Feature)"
QUESTIONS = [
    f"{EACH} WHERE w.l1 > 3 RETURN count(*) AS n",
    f"{EACH} WHERE w.positive > 1 AND w.rank < 3 RETURN count(*) AS n",
    f"{EACH} WHERE w.rank = 1 RETURN a.id, b.id, w.l1 ORDER BY w.l1 DESC, a.id, b.id LIMIT 20",
    f"{EACH} RETURN w.path AS path, max(w.max_abs) AS most, count(*) AS n ORDER BY path",
]


def rows_of(store: Store, most: int) -> GraphRows:
    """Return some weights of a store, and all features."""
    parts = list(store.export())
    found = [i.table for part in parts for i in part.relations if i.name == "WEIGHT"]
    features = [part.nodes["Feature"] for part in parts if "Feature" in part.nodes]
    weights = pa.concat_tables(found).slice(0, most)
    return GraphRows(
        nodes={"Feature": pa.concat_tables(features)},
        relations=[Relations("WEIGHT", "Feature", "Feature", weights)],
    )


def written(rows: GraphRows, path: Path, *, whole: bool) -> tuple[float, float]:
    """Write weights into a new store; return the processor seconds of it, and the bytes of each."""
    store = open_store(path)
    store.write(GraphRows(nodes=rows.nodes))
    way = mock.patch.object(edge_loading, "taken_apart", _as_they_are) if whole else nullcontext()
    with way:
        begun = time.process_time()
        store.write(GraphRows(relations=rows.relations))
        seconds = time.process_time() - begun
    store.close()
    sizes = (file.stat().st_size for file in path.glob("generation-*/graph/WEIGHT*"))
    return seconds, sum(sizes) / rows.relations[0].table.num_rows


def _as_they_are(name: str, table: pa.Table) -> pa.Table:
    return table


def asked(store: Store, question: str) -> tuple[float, list[Any]]:
    """Return the least seconds that a question takes, and its rows."""
    answers = [store.read(question, timeout=600) for _ in range(5)]
    return min(answer.seconds for answer in answers), answers[0].rows


def main() -> int:
    """Run it."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("kb", help="a knowledge base with networks in it")
    arguments.add_argument("--weights", type=int, default=300_000)
    given = arguments.parse_args()
    rows = rows_of(open_store(given.kb, create=False), given.weights)
    number = rows.relations[0].table.num_rows
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder) / f"{name}.ckb" for name in ("short", "whole")}
        cost = {n: written(rows, place, whole=n == "whole") for n, place in places.items()}
        stores = [open_store(place) for place in places.values()]
        count = f"MATCH ()-[w:WEIGHT]->() RETURN count(w.`{NUMBER}`) AS n"
        share = stores[0].read(count).rows[0][0] / number
        print(f"{number:,} weights, {share:.3f} of them one number")
        wrong = False
        for at, (what, most) in enumerate(MOST.items()):
            short, whole = cost["short"][at], cost["whole"][at]
            wrong |= short > most * whole
            print(f"{what}: {short:.2f}, whole {whole:.2f}, ratio {short / whole:.2f}")
        for question in QUESTIONS:
            (short, found), (whole, others) = (asked(store, question) for store in stores)
            wrong |= found != others
            said = "" if found == others else "  OTHER ROWS"
            print(f"{short:.3f} s, whole {whole:.3f}, ratio {short / whole:.2f}: {question}{said}")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
