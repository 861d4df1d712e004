"""The knowledge base as arrays: NumPy and SciPy, memory-mapped, no engine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.sparse import csr_array

from circuitkb.schema.tables import GraphRows

from .questions import INPUTS, SHARED, TRIANGLES, UNITED, Question, Rows

_NUMBERS = (
    "rank",
    "sum",
    "positive",
    "negative",
    "l1",
    "l2",
    "max_abs",
    "positive_dy",
    "positive_dx",
    "negative_dy",
    "negative_dx",
)

Array = NDArray[Any]


class NumpySearch:
    """Edges as arrays by target and rank; everything else as Parquet files.

    Parameters
    ----------
    folder
        Where the files lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._edges: dict[str, Array] = {}
        self._tables: dict[str, pa.Table] = {}

    def load(self, pieces: Iterable[GraphRows]) -> None:
        """Number the features, sort the edges by target and rank, and save all of it."""
        edges: dict[str, list[Array]] = defaultdict(list)
        tables: dict[str, list[pa.Table]] = defaultdict(list)
        features = 0
        for piece in pieces:
            for label, table in piece.nodes.items():
                tables[label].append(table)
            ids = piece.nodes["Feature"]["id"].combine_chunks()
            for item in piece.relations:
                if item.name != "WEIGHT":
                    tables[f"{item.name}.{item.source_label}.{item.target_label}"].append(
                        item.table
                    )
                    continue
                for end in ("source", "target"):
                    number = pc.index_in(item.table[end], value_set=ids).to_numpy()
                    edges[end].append((number + features).astype(np.int32))
                for name in _NUMBERS:
                    edges[name].append(item.table[name].to_numpy())
                skips = pc.equal(item.table["path"], "residual")
                edges["skips"].append(skips.to_numpy())
                connection = pc.utf8_slice_codeunits(item.table["connection"], 1)
                edges["connection"].append(connection.cast(pa.int32()).to_numpy())
            features += len(ids)
        self._folder.mkdir(parents=True)
        order = np.lexsort((np.concatenate(edges["rank"]), np.concatenate(edges["target"])))
        for name, parts in edges.items():
            np.save(self._folder / f"{name}.npy", np.concatenate(parts)[order])
        for name, pieces_of_it in tables.items():
            pq.write_table(pa.concat_tables(pieces_of_it), self._folder / f"{name}.parquet")

    def open(self) -> None:
        """Map the edges into memory and read the names of the features."""
        self._edges = {
            path.stem: np.load(path, mmap_mode="r") for path in self._folder.glob("*.npy")
        }
        columns = ["id", "model", "layer"]
        features = pq.read_table(self._folder / "Feature.parquet", columns=columns)
        self._ids = features["id"].combine_chunks()
        self._model = features["model"].combine_chunks()
        self._layer = features["layer"].combine_chunks()
        units = np.arange(len(self._ids) + 1)
        self._starts = np.searchsorted(self._edges["target"], units)

    def answer(self, question: Question) -> Rows:
        """Return the rows of a question."""
        given = dict(question.parameters)
        if question.name == INPUTS:
            return self._inputs(**given)
        if question.name == UNITED:
            return self._united(**given)
        if question.name == SHARED:
            return self._shared(**given)
        if question.name == TRIANGLES:
            return self._triangles(**given)
        return self._unions(given["of"])

    def close(self) -> None:
        """Close the files."""
        self._edges = {}

    def _table(self, name: str) -> pa.Table:
        if name not in self._tables:
            self._tables[name] = pq.read_table(self._folder / f"{name}.parquet")
        return self._tables[name]

    def _numbers(self, ids: Any) -> Array:
        found: Array = pc.index_in(ids, value_set=self._ids).to_numpy(zero_copy_only=False)
        return found

    def _named(self, *ends: Array) -> list[list[str]]:
        return [self._ids.take(pa.array(end)).to_pylist() for end in ends]

    def _into(self, units: Array, rank: int) -> Array:
        """Return the edges of at most a rank into some units."""
        starts, ends = self._starts[units], self._starts[units + 1]
        counts = ends - starts
        edges = np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts)
        found: Array = edges[self._edges["rank"][edges] <= rank]
        return found

    def _inputs(self, unit: str, top: int) -> Rows:
        (target,) = self._numbers(pa.array([unit]))
        edges = slice(
            self._starts[target], min(self._starts[target + 1], self._starts[target] + top)
        )
        (sources,) = self._named(self._edges["source"][edges])
        rank, l1 = (self._edges[name][edges].tolist() for name in ("rank", "l1"))
        return list(zip(sources, rank, l1, strict=True))

    def _united(self, rank: int, mass: float) -> Rows:
        edges, units = self._edges, len(self._ids)
        strong = np.flatnonzero((edges["rank"] <= rank) & (edges["positive"] > mass))
        ends = edges["source"][strong], edges["target"][strong]
        ranks = csr_array((edges["rank"][strong], ends), (units, units))
        mirrors = self._table("TRANSFORMS_TO.Feature.Feature")
        mirrors = mirrors.filter(
            pc.and_(
                pc.equal(mirrors["group"], "mirror"), pc.less(mirrors["source"], mirrors["target"])
            )
        )
        one, other = (self._numbers(mirrors[end].combine_chunks()) for end in ("source", "target"))
        first, second = ranks[one], ranks[other]
        rank_1 = first.multiply(second > 0).tocoo()
        rank_2 = second.multiply(first > 0).tocsr()[rank_1.row, rank_1.col]
        names = self._named(one[rank_1.row], other[rank_1.row], rank_1.col)
        return list(zip(*names, rank_1.data.tolist(), rank_2.tolist(), strict=True))

    def _shared(self, layer_1: str, layer_2: str, rank: int, least: int) -> Rows:
        model, layer = layer_1.split("/")
        of_model = pc.equal(self._model, model)
        first = pc.and_(of_model, pc.equal(self._layer, layer))
        second = pc.equal(self._layer, layer_2)
        found = []
        for wanted in (first, second):
            units = np.flatnonzero(wanted.to_numpy(zero_copy_only=False))
            edges = self._into(units, rank)
            rows = np.searchsorted(units, self._edges["target"][edges])
            shape = len(units), len(self._ids)
            ones = np.ones(len(edges), np.int32)
            ends = rows, self._edges["source"][edges]
            found.append((units, csr_array((ones, ends), shape)))
        (ones_units, ones_inputs), (others_units, others_inputs) = found
        shared = (ones_inputs @ others_inputs.T).tocoo()
        kept = shared.data >= least
        names = self._named(ones_units[shared.row[kept]], others_units[shared.col[kept]])
        return list(zip(*names, shared.data[kept].tolist(), strict=True))

    def _triangles(self, model: str, rank: int) -> Rows:
        units = np.flatnonzero(pc.equal(self._model, model).to_numpy(zero_copy_only=False))
        edges = self._into(units, rank)
        source, target, skips = (self._edges[name][edges] for name in ("source", "target", "skips"))
        size = len(self._ids)
        direct = ~skips
        # Each edge a -> c that skips a layer, with each direct edge b -> c.
        by_target = np.searchsorted(target[direct], np.arange(size + 1))
        first, third = source[skips], target[skips]
        counts = by_target[third + 1] - by_target[third]
        place = np.arange(counts.sum()) + np.repeat(
            by_target[third] - np.cumsum(counts) + counts, counts
        )
        first, third = np.repeat(first, counts), np.repeat(third, counts)
        second = source[direct][place]
        # Kept where a -> b is there too.
        known = np.sort(source[direct].astype(np.int64) * size + target[direct])
        wanted = first.astype(np.int64) * size + second
        where = np.searchsorted(known, wanted)
        where[where == len(known)] = 0
        kept = known[where] == wanted
        return list(zip(*self._named(first[kept], second[kept], third[kept]), strict=True))

    def _unions(self, of: str) -> Rows:
        """Join what is said of a few hundred circuits: nothing that arrays would make faster."""
        evidence = self._table("Evidence").select(["id", "detail"])
        passed = pc.match_substring(evidence["detail"], f'"of":"{of}"')
        sound = set(evidence.filter(passed)["id"].to_pylist())
        supported = {
            row["target"]
            for row in self._table("SUPPORTS.Evidence.Circuit").to_pylist()
            if row["source"] in sound
        }
        circuits = {row["id"]: row for row in self._table("Circuit").to_pylist()}
        members: dict[str, dict[Any, str]] = defaultdict(dict)
        for row in self._table("MEMBER_OF.Feature.Circuit").to_pylist():
            members[row["target"]][row["side"] or row["role"]] = row["source"]
        similar: dict[str, set[str]] = defaultdict(set)
        twins = "ANALOGOUS_TO.Circuit.Circuit"
        if (self._folder / f"{twins}.parquet").exists():
            for row in self._table(twins).to_pylist():
                if row["q"] <= 0.05:
                    similar[row["source"]].add(row["target"])
                    similar[row["target"]].add(row["source"])
        by_target: dict[str, list[str]] = defaultdict(list)
        for key, circuit in circuits.items():
            if circuit["motif"] == "union" and circuit["origin"] == "found" and key in supported:
                by_target[members[key]["union"]].append(key)
        labels = self._labels(by_target)
        return [
            (
                circuits[keys[0]]["model"],
                target,
                list({members[key][1] for key in keys}),
                list({members[key][2] for key in keys}),
                len(keys),
                max(circuits[key]["score"] for key in keys),
                list({members[twin]["union"] for key in keys for twin in similar[key]}),
                sorted(labels[target]),
            )
            for target, keys in by_target.items()
        ]

    def _labels(self, features: Iterable[str]) -> dict[str, set[str]]:
        about = self._table("ANNOTATES.Annotation.Feature")
        about = about.filter(pc.is_in(about["target"], value_set=pa.array(list(features))))
        kinds = self._table("Annotation").select(["id", "kind"])
        said = set(kinds.filter(pc.equal(kinds["kind"], "label"))["id"].to_pylist())
        text = {row["id"]: row["text"] for row in self._table("Label").to_pylist()}
        uses = self._table("USES.Annotation.Label").to_pylist()
        word = {row["source"]: text[row["target"]] for row in uses}
        found: dict[str, set[str]] = defaultdict(set)
        for row in about.to_pylist():
            if row["source"] in said:
                found[row["target"]].add(word[row["source"]])
        return found
