"""Time of wide patterns over all edges: this search, networkx, and the graph engine.

    python benchmarks/patterns.py [--rank 16] [--count] [STORE]

Loads EfficientNet-Lite0 (or takes a store that has it). Each pattern asks for weights up to a
rank that the graph keeps, so that all have the same answer to give. It is asked of the search over
all 17 million weights, of networkx's own matcher
(``DiGraphMatcher.subgraph_monomorphisms_iter``, which takes any pattern, as the search does), of
loops written by hand for this one pattern over networkx's dictionaries, and of the store's engine.
Networkx gets its graph ready in memory, with the edges of other ranks left out already. All
answers must be the same. Then matches are counted, beside DuckDB's own join of a table of the
same weights (``--count`` measures this alone, in process CPU seconds, those of the engine's
process included). Then the search is timed with its kernels unread. Last, what a query in
Python adds to the same Cypher. Prints ratios; exits with 1 where a target is missed or answers
differ.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import networkx as nx
import pyarrow as pa

import circuitkb as ckb
from circuitkb.queries.patterns.pattern import Pattern

MODEL = "efficientnet_lite0"
AGAINST_NETWORKX, AGAINST_ENGINE, OVERHEAD = 50.0, 5.0, 0.10
AGAINST_DUCKDB = 2.0
PATIENCE = 900.0

Row = tuple[Any, ...]
Graph = Any
"""networkx.MultiDiGraph, whose type takes parameters only in its stubs."""


def shared(graph: Graph) -> set[Row]:
    """Two that excite one, each pair once, by loops."""
    return {
        (a, unit, b)
        for unit in graph
        for a in graph.pred[unit]
        if graph[a][unit]["sign"] > 0
        for b in graph.pred[unit]
        if a < b and graph[b][unit]["sign"] > 0
    }


def diamond(graph: Graph) -> set[Row]:
    """One excites and inhibits two that feed the same, by loops."""
    return {
        (a, b, c, d)
        for a in graph
        for b in graph[a]
        if graph[a][b]["sign"] > 0
        for c in graph[a]
        if graph[a][c]["sign"] < 0
        for d in graph[b]
        if d in graph[c]
    }


def chain(graph: Graph) -> set[Row]:
    """Three steps that excite, one after the other, by loops."""
    return {
        (a, b, c, d)
        for a in graph
        for b in graph[a]
        if graph[a][b]["sign"] > 0
        for c in graph[b]
        if graph[b][c]["sign"] > 0
        for d in graph[c]
        if graph[c][d]["sign"] > 0
    }


def matched(graph: Graph, pattern: Pattern) -> set[Row]:
    """The same by networkx's own matcher."""
    motif: Graph = nx.DiGraph()
    for step in pattern.parsed.present:
        motif.add_edge(step.source, step.target, sign={"+": 1, "-": -1}.get(step.sign or "", 0))
    matcher = nx.algorithms.isomorphism.DiGraphMatcher(
        graph, motif, edge_match=lambda edge, wanted: wanted["sign"] in (0, edge["sign"])
    )
    found = set()
    for mapping in matcher.subgraph_monomorphisms_iter():
        at = {name: feature for feature, name in mapping.items()}
        if all(at[one] < at[other] for one, other in pattern.unordered):
            found.add(tuple(at[name] for name in pattern.names))
    return found


def patterns(rank: int) -> dict[str, tuple[Pattern, Callable[[Graph], set[Row]]]]:
    """The patterns, each with its loops."""
    few, here = ckb.edge(max_rank=rank), ckb.feature(model=MODEL)
    return {
        "shared excitation": (
            Pattern("a +> u <+ b", edges=few, a=here, unordered=[("a", "b")], limit=None),
            shared,
        ),
        "diamond": (
            Pattern("a +> b; a -| c; b -> d; c -> d", edges=few, a=here, limit=None),
            diamond,
        ),
        "chain": (Pattern("a +> b +> c +> d", edges=few, a=here, limit=None), chain),
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return seconds and the result."""
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def compare(kb: ckb.KnowledgeBase, rank: int) -> bool:
    """Print one line for each pattern; return whether all targets were met."""
    graph: Graph = nx.DiGraph()
    for edge in kb.edges(model=MODEL, max_rank=rank, limit=None).run(timeout=PATIENCE):
        graph.add_edge(edge["source"], edge["target"], sign=(edge["sum"] > 0) - (edge["sum"] < 0))
    print(f"{graph.number_of_edges():,} weights of {MODEL} up to rank {rank}", flush=True)
    good = True
    for name, (pattern, loops) in patterns(rank).items():
        query = kb.pattern(pattern)
        width = len(pattern.names)
        query.over("all").run(timeout=PATIENCE)
        ours = [timed(lambda q=query: q.over("all").run(timeout=PATIENCE)) for _ in range(5)]
        seconds = statistics.median(s for s, _ in ours)
        rows = {row[:width] for row in ours[0][1].rows}
        by_hand, looped = timed(lambda loops=loops: loops(graph))
        matcher, found = timed(lambda p=pattern: matched(graph, p))
        engine, asked = timed(lambda q=query: q.over("graph").run(timeout=PATIENCE).rows)
        same = rows == looped == found == {row[:width] for row in asked}
        met = matcher / seconds >= AGAINST_NETWORKX and engine / seconds >= AGAINST_ENGINE
        good &= same and met
        print(
            f"{name:<18}{len(rows):>9,} matches in {seconds:6.3f} s; networkx's matcher "
            f"{matcher:7.2f} s = {matcher / seconds:7.1f} times; loops by hand {by_hand:6.2f} s = "
            f"{by_hand / seconds:5.1f} times; engine {engine:7.2f} s = {engine / seconds:6.1f} "
            f"times; {'same answers' if same else 'ANSWERS DIFFER'}, {'met' if met else 'MISSED'}",
            flush=True,
        )
    return good


JOINS = {
    "fan in": (
        "a -> u <- b",
        "FROM edges a, edges b WHERE a.target = b.target AND a.source <> b.source",
    ),
    "shared excitation": (
        "a +> u <+ b",
        "FROM edges a, edges b WHERE a.target = b.target AND a.source < b.source "
        "AND a.sum > 0 AND b.sum > 0",
    ),
    "diamond": (
        "a +> b; a -| c; b -> d; c -> d",
        "FROM edges x, edges y, edges v, edges w WHERE x.source = y.source "
        "AND x.target = v.source AND y.target = w.source AND v.target = w.target "
        "AND x.target <> y.target AND x.source <> v.target AND x.sum > 0 AND y.sum < 0",
    ),
    "chain": (
        "a +> b +> c +> d",
        "FROM edges x, edges y, edges z WHERE x.target = y.source AND y.target = z.source "
        "AND x.source <> y.target AND x.source <> z.target AND y.source <> z.target "
        "AND x.sum > 0 AND y.sum > 0 AND z.sum > 0",
    ),
}
"""Patterns, and the same counted by a join that was written for it."""


def counting(kb: ckb.KnowledgeBase, rank: int, rounds: int = 9) -> bool:
    """Print how a count compares with DuckDB's own; return whether it is as quick as wanted."""
    rows = kb.edges(model=MODEL, max_rank=rank, limit=None).run(timeout=PATIENCE)
    number: dict[str, int] = {}
    for id in sorted({*rows["source"], *rows["target"]}):
        number[id] = len(number)
    columns = {name: [number[id] for id in rows[name]] for name in ("source", "target")}
    whole = {name: pa.array(column, pa.int32()) for name, column in columns.items()}
    edges = pa.table({**whole, "sum": pa.array(rows["sum"], pa.float32())})

    def joined(text: str) -> int:
        with duckdb.connect() as database:
            database.register("edges", edges)
            row = database.execute(f"SELECT count(*) {text}").fetchone()
            return int(row[0]) if row else 0

    good = True
    for name, (text, join) in JOINS.items():
        pairs = [("a", "b")] if name == "shared excitation" else []
        here = {n: ckb.feature(model=MODEL) for n in Pattern(text).names}
        few = ckb.edge(max_rank=rank)
        query = kb.pattern(text, edges=few, unordered=pairs, limit=None, **here).over("all")
        same = query.count(timeout=PATIENCE) == joined(join)
        ours, theirs = [], []
        for _ in range(rounds):  # by turns, so that both have the same machine
            ours.append(spent(lambda q=query: q.count(timeout=PATIENCE)))
            theirs.append(spent(lambda j=join: joined(j)))
        a, b = statistics.median(ours), statistics.median(theirs)
        met = a / b < AGAINST_DUCKDB
        good &= same and met
        print(
            f"{name:<18}counted in {1000 * a:6.1f} ms of CPU; DuckDB's own join {1000 * b:6.1f} ms:"
            f" {a / b:.2f} times, {'met' if met else 'MISSED'}"
            f"{'' if same else ', COUNTS DIFFER'}"
        )
    return good


def spent(work: Callable[[], Any]) -> float:
    """Return CPU seconds of this process and of those that it has begun."""
    before = _cpu()
    work()
    return _cpu() - before


def _cpu() -> float:
    """Children count by the scheduler's clock: the one of ticks is too coarse."""
    seconds = time.process_time()
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            for task in Path(f"/proc/{child}/task").iterdir():
                seconds += int((task / "schedstat").read_text().split()[0]) / 1e9
    return seconds


def unread(kb: ckb.KnowledgeBase, rank: int) -> None:
    """Print how long the search takes where it must read the kernels first."""
    for name, (pattern, _) in patterns(rank).items():
        fresh = ckb.KnowledgeBase(kb.store)
        first, _ = timed(lambda p=pattern, u=fresh: u.pattern(p).count(timeout=PATIENCE))
        again, found = timed(lambda p=pattern, u=fresh: u.pattern(p).count(timeout=PATIENCE))
        print(f"{name:<18}counted: {found:,} in {first:.2f} s, kernels unread; {again:.2f} s after")
    here = ckb.feature(model=MODEL)
    everything = ckb.KnowledgeBase(kb.store).pattern("a -> u <- b", a=here, u=here)
    first, _ = timed(lambda: everything.run(timeout=PATIENCE))
    again, _ = timed(lambda: everything.run(timeout=PATIENCE))
    print(f"all weights, no condition, first 10,000 rows: {first:.2f} s, {again:.2f} s after")


def overhead(kb: ckb.KnowledgeBase, rounds: int = 40) -> bool:
    """Print what a query in Python adds to the same Cypher; return whether it is little."""
    from circuitkb.queries.lists.statement import Statement

    layer = "_blocks.10._swish"
    lists = {
        "inputs of a layer": lambda: kb.features(model=MODEL, layer=layer).inputs(sign="+", top=5),
        "features of a layer": lambda: kb.features(model=MODEL, layer=layer),
        "inputs of one": lambda: kb.features(id=f"{MODEL}/{layer}:3").inputs(),
    }
    good = True
    for name, make in lists.items():
        statement: Statement = make().to_cypher()
        plain, python = [], []
        for _ in range(rounds):
            plain.append(timed(lambda s=statement: kb.store.read(s.text, s.parameters))[0])
            python.append(timed(lambda make=make: make().run())[0])
        a, b = statistics.median(plain), statistics.median(python)
        met = b / a - 1 < OVERHEAD
        good &= met
        print(
            f"{name:<24}{1000 * a:8.2f} ms in Cypher, {1000 * b:8.2f} ms in Python: "
            f"{100 * (b / a - 1):+.1f}%, {'met' if met else 'MISSED'}"
        )
    return good


def main() -> int:
    """Measure, print, and return the exit code."""
    given = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    given.add_argument(
        "--rank", type=int, default=16, help="rank up to which weights are looked at"
    )
    given.add_argument("--count", action="store_true", help="measure counting alone")
    given.add_argument("store", nargs="?", help="a store that has the network")
    options = given.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        ckb.open(options.store or Path(folder) / "zoo.ckb") as kb,
    ):
        if options.store is None:
            kb.load(MODEL)
        good = counting(kb, options.rank)
        if options.count:
            return 0 if good else 1
        good &= compare(kb, options.rank)
        unread(kb, options.rank)
        good &= overhead(kb)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
