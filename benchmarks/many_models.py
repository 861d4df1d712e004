"""What a load, a question and a pattern cost beside ten models and beside a hundred.

    uv run --extra torch --group dev python benchmarks/many_models.py
    uv run --extra torch --group dev python benchmarks/many_models.py --models 10 30

Generated networks (301 units, some 10,000 kept weights) are loaded one after the other. At each of
the numbers of ``--models`` the last loads and writes are timed, and questions and patterns whose
answers have the same size however many models there are. Printed are CPU seconds of a load (the
middle of five, of this process and those that it started) and seconds of a question (the least of
several), each with its ratio to the first number and the exponent of its growth. It ends with 1
where one of them is more than twice as long beside the last number as beside the first.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from math import log
from pathlib import Path
from typing import Any, Literal

import psutil

import circuitkb as ckb
from circuitkb.loaders.planted.networks import planted_network

MOST_RATIO = 2.0
LAST = 5
"""Loads of which the middle one is taken."""
REPEATS = 7
KEPT = 45
LABELLED = 5

Figures = dict[str, float]


def spent() -> float:
    """Return the CPU seconds of this process and of those that it started and that live."""
    own = psutil.Process()
    times = [own.cpu_times()]
    for child in own.children(recursive=True):
        try:
            times.append(child.cpu_times())
        except psutil.NoSuchProcess:
            continue
    return float(sum(each.user + each.system for each in times))


def asked(ask: Callable[[], Any]) -> tuple[float, int]:
    """Return the least time of several, by the clock, and the size of the answer."""
    found, size = [], 0
    for _ in range(REPEATS):
        started = time.perf_counter()
        answer = ask()
        found.append(time.perf_counter() - started)
        size = answer if isinstance(answer, int) else len(answer)
    return min(found), size


def questions(kb: ckb.KnowledgeBase, unit: str) -> dict[str, Callable[[], Any]]:
    """Return what is asked; all of it of the first model, or of what stands in it alone."""
    edge = ckb.edge(max_rank=8)
    first, labelled = ckb.feature(model="net-0"), ckb.feature(label="planted")

    def pattern(way: Literal["graph", "all"], **features: Any) -> Callable[[], int]:
        return lambda: (
            kb.pattern("a +> u <+ b", edges=edge, unordered=[("a", "b")], **features)
            .over(way)
            .count()
        )

    return {
        "features of a model": lambda: kb.features(model="net-0", limit=None).run(),
        "inputs of a unit": lambda: kb.edges(target=unit, limit=None).run(),
        "features with a label, of all": lambda: kb.features(label="planted").run(),
        "query: a unit, its layer and model": lambda: kb.query(
            "MATCH (f:Feature {id: $id})-[:IN_LAYER]->(l:Layer)-[:IN_MODEL]->(m:Model) RETURN m.id",
            {"id": unit},
        ),
        "pattern in a model, kept weights": pattern("graph", u=first),
        "pattern in a model, all weights": pattern("all", u=first),
        "pattern at a label, kept weights": pattern("graph", u=labelled),
        "pattern at a label, all weights": pattern("all", u=labelled),
    }


def load(kb: ckb.KnowledgeBase, number: int) -> tuple[float, float]:
    """Load a network; return the CPU seconds of all of it, and of writing."""
    module = planted_network(seed=number, size=45).module
    write, writing = kb.store.write, 0.0

    def timed(*given: Any) -> None:
        nonlocal writing
        started = spent()
        write(*given)
        writing += spent() - started

    kb.store.write = timed  # type: ignore[method-assign]
    try:
        started = spent()
        kb.load(module, name=f"net-{number}", input_shape=(3, 45, 45), keep=KEPT)
        return spent() - started, writing
    finally:
        kb.store.write = write  # type: ignore[method-assign]


def measure(folder: Path, stops: Sequence[int]) -> tuple[dict[int, Figures], bool]:
    """Load up to the last of the numbers, and measure at each."""
    found: dict[int, Figures] = {}
    sizes: dict[str, set[int]] = {}
    with ckb.open(folder / "many.ckb") as kb:
        loads: list[tuple[float, float]] = []
        unit = ""
        for number in range(stops[-1]):
            loads.append(load(kb, number))
            if number == 0:
                rows = kb.query(
                    "MATCH (f:Feature)-[w:WEIGHT]->(u:Feature) RETURN u.id, count(w) AS n "
                    "ORDER BY n DESC, u.id LIMIT 5"
                ).rows
                unit = rows[0][0]
                for target, _ in rows:
                    kb.annotate.add(target, "planted", author="bench")
            if number + 1 not in stops:
                continue
            whole, writes = zip(*loads[-LAST:], strict=True)
            figures = {"load": statistics.median(whole), "of it writing": statistics.median(writes)}
            for name, ask in questions(kb, unit).items():
                figures[name], size = asked(ask)
                sizes.setdefault(name, set()).add(size)
            found[number + 1] = figures
            kept = kb.query("MATCH ()-[w:WEIGHT]->() RETURN count(w)").rows[0][0]
            print(f"{number + 1} models, {kept:,} weights", file=sys.stderr)
    differ = [name for name, size in sizes.items() if len(size) > 1]
    if differ:
        print(f"answers of another size: {', '.join(differ)}")
    return found, bool(differ)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, nargs="+", default=[10, 100])
    stops = sorted(set(parser.parse_args().models))
    with tempfile.TemporaryDirectory() as folder:
        found, failed = measure(Path(folder), stops)
    first, last = found[stops[0]], found[stops[-1]]
    print("".ljust(36) + "".join(f"{n:>10,}" for n in stops) + "     ratio  exponent")
    for name in first:
        cells = "".join(f"{found[n][name]:>10.4f}" for n in stops)
        ratio = last[name] / first[name]
        exponent = log(ratio) / log(stops[-1] / stops[0]) if len(stops) > 1 else 0.0
        print(f"{name:36}{cells}{ratio:>10.2f}{exponent:>10.2f}")
        failed |= ratio > MOST_RATIO
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
