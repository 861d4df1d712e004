"""Counts of patterns with weights permuted: what stays, what goes, and by which odds.

Costs about nine seconds of a processor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, product
from statistics import fmean

import numpy as np
import pytest
from scipy.stats import chisquare

import circuitkb as ckb
from circuitkb.errors import QueryError, QueryTimeoutError
from circuitkb.loaders.planted.networks import planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx
from circuitkb.patterns.edge_table import EdgeTable, Numbering, edge_table
from circuitkb.patterns.permuted import PermutedCount, Permuting
from circuitkb.schema.kernels import Connection

Pair = tuple[int, int]


def connection(key: str, source: str, target: str, there: np.ndarray) -> Connection:
    """Weights of random values where ``there`` says so, axes (target, source)."""
    random = np.random.default_rng(1)
    targets, sources = there.shape
    kernel = np.where(there, random.normal(size=there.shape), 0).astype(np.float32)
    units = [np.arange(n, dtype=np.int32)[None] for n in (targets, sources)]
    return Connection(key, source, target, "direct", *units, kernel[None, :, :, None, None])


@pytest.fixture(scope="module")
def network() -> tuple[EdgeTable, Numbering]:
    """Two connections, a third and a half of their weights there."""
    random = np.random.default_rng(0)
    parts = [
        connection("c0", "a", "b", random.random((30, 20)) < 0.33),
        connection("c1", "b", "c", random.random((25, 30)) < 0.5),
    ]
    numbering = Numbering.of({"m": parts})
    return edge_table(parts, numbering, "m", columns=["sum", "connection"]), numbering


def test_targets_ranks_and_values_stay_and_every_source_keeps_its_number_of_outputs(
    network: tuple[EdgeTable, Numbering],
) -> None:
    edges, _ = network
    permute = Permuting(edges, None, np.random.default_rng(0))
    before = edges.table
    for _ in range(3):
        after = permute().table
        assert after.drop_columns("source").equals(before.drop_columns("source"))
        pairs = after.select(["source", "target"]).to_pylist()
        assert len({tuple(pair.values()) for pair in pairs}) == len(pairs)
        counts = [Counter(table["source"].to_pylist()) for table in (before, after)]
        assert counts[0] == counts[1]
        moved = np.mean(before["source"].to_numpy() != after["source"].to_numpy())
        assert moved > 0.5


@pytest.mark.parametrize("count", [400, pytest.param(2000, marks=pytest.mark.long)])
def test_every_way_to_join_the_same_degrees_comes_as_often(count: int) -> None:
    """All 3 by 4 graphs with given degrees, written down by hand, against many permutations."""
    there = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 1]], bool)
    degrees = there.sum(axis=0).tolist()
    ways = {
        frozenset((s, t) for t, chosen in enumerate(rows) for s in chosen)
        for rows in product(list(combinations(range(4), 2)), repeat=3)
        if [sum(s in chosen for chosen in rows) for s in range(4)] == degrees
    }
    part = connection("c0", "a", "b", there)
    numbering = Numbering.of({"m": [part]})
    permute = Permuting(
        edge_table([part], numbering, "m", columns=["connection"]), None, np.random.default_rng(0)
    )
    seen: Counter[frozenset[Pair]] = Counter()
    for _ in range(count):
        for _ in range(4):  # what follows on one another is alike
            permute()
        table = permute().table
        seen[frozenset(zip(table["source"].to_pylist(), _local(table), strict=True))] += 1
    assert set(seen) == ways
    assert chisquare([seen[way] for way in ways]).pvalue > 0.001


def _local(table: object) -> list[int]:
    return [number - 4 for number in table["target"].to_pylist()]  # type: ignore[index]


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    folder = tmp_path_factory.mktemp("permuted")
    planted = planted_network(one_sided=4, false_unions=4, symmetric=4, random=8, size=45, seed=0)
    with ckb.open(folder / "kb.ckb") as kb:
        kb.load(write_onnx(planted, folder / "net.onnx", any_size=False))
        yield kb


def test_what_degrees_alone_decide_is_the_same_in_every_permutation(kb: ckb.KnowledgeBase) -> None:
    two = kb.pattern("a -> u <- b", edges=ckb.edge(max_rank=4), unordered=True)
    found = two.count_permuted(5)
    assert found.matches == two.count() > 0
    assert set(found.null) == {found.matches}
    assert (found.mean, found.deviation, found.p_more, found.p_fewer) == (found.matches, 0, 1, 1)


def test_the_null_of_a_chain_is_its_expectation_by_hand(kb: ckb.KnowledgeBase) -> None:
    """Two targets that share two sources: against plain shuffles of a dictionary of inputs."""
    shared = kb.pattern(
        "a -> u; b -> u; a -> v; b -> v", edges=ckb.edge(max_rank=4), unordered=True
    )
    found = shared.count_permuted(15, seed=1)
    inputs: dict[str, dict[str, set[str]]] = {}
    for edge in kb.edges(max_rank=4, limit=None):
        place = f"{edge['source'].rpartition(':')[0]} {edge['target'].rpartition(':')[0]}"
        inputs.setdefault(place, {}).setdefault(edge["target"], set()).add(edge["source"])
    random = np.random.default_rng(0)
    assert found.matches == _sharing(inputs)
    by_hand = []
    for _ in range(15):
        for into in inputs.values():
            _exchange(into, random)
        by_hand.append(_sharing(inputs))
    spread = np.std(by_hand) / np.sqrt(15) + found.deviation / np.sqrt(15)
    assert abs(fmean(by_hand) - found.mean) < 4 * spread + 1e-9


def _sharing(inputs: dict[str, dict[str, set[str]]]) -> int:
    every: dict[str, set[str]] = {}
    for into in inputs.values():
        for target, sources in into.items():
            every.setdefault(target, set()).update(sources)
    shared = (len(one & other) for one, other in combinations(every.values(), 2))
    return sum(count * (count - 1) // 2 for count in shared)


def _exchange(into: dict[str, set[str]], random: np.random.Generator) -> None:
    targets = list(into)
    for _ in range(8 * sum(map(len, into.values()))):
        one, other = (targets[i] for i in random.integers(len(targets), size=2))
        mine, theirs = (
            sorted(into[target])[random.integers(len(into[target]))] for target in (one, other)
        )
        if mine not in into[other] and theirs not in into[one]:
            into[one] = into[one] - {mine} | {theirs}
            into[other] = into[other] - {theirs} | {mine}


def test_the_same_seed_gives_the_same_null_and_another_another(kb: ckb.KnowledgeBase) -> None:
    shared = kb.pattern("a -> u; b -> u; a -> v; b -> v", edges=ckb.edge(max_rank=4))
    assert shared.count_permuted(3, seed=5) == shared.count_permuted(3, seed=5)
    assert shared.count_permuted(3, seed=5).null != shared.count_permuted(3, seed=6).null


def test_shares_count_what_was_found_as_one_of_the_permutations() -> None:
    found = PermutedCount(5, (5, 4, 3, 6))
    assert (found.p_more, found.p_fewer) == (3 / 5, 4 / 5)


def test_no_draws_and_no_time_are_refused(kb: ckb.KnowledgeBase) -> None:
    two = kb.pattern("a -> u <- b", edges=ckb.edge(max_rank=4))
    with pytest.raises(QueryError, match="once or more"):
        two.count_permuted(0)
    with pytest.raises(QueryTimeoutError):
        two.count_permuted(1000, timeout=0.2)
