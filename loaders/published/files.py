"""A folder of published circuits: what its files look like, read and checked at the border.

``docs/published.md`` describes the format. Nothing behind this module meets a unit out of range,
a ragged kernel or a number that is none.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np

from circuitkb.loaders.published.folder import (
    check,
    find_folder,
    last_changed,
    parse_json,
    read_text,
)
from circuitkb.loaders.published.format import (
    LONGEST_TEXT,
    AboutPublished,
    CircuitRecord,
    EdgesFile,
    LayerSizes,
    MatrixFile,
)
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import IdError, PublishedDataError
from circuitkb.schema.ids import LayerId, canonical_json, check_slug
from circuitkb.schema.kernels import Floats

_LABEL_COLUMNS = ["model", "layer", "unit", "label"]
_MATRIX = re.compile(r".+_to_.+\.json")
_NAMES = ("layer_sizes.json", "labels.csv", "edges.json", "circuits.json", "about.json")

Unit = tuple[str, int]
"""Name of a layer, and the unit in it."""


@dataclass(frozen=True, eq=False)
class PublishedKernel:
    """One kernel: ``kernel`` is float32 with axes (row, column); positive excites."""

    source: Unit
    target: Unit
    kernel: Floats
    figure: str
    repository: str | None


@dataclass(frozen=True, eq=False)
class PublishedFiles:
    """Everything that a folder says, checked.

    Attributes
    ----------
    source
        The SOURCE it was read from.
    name
        Name of the model here; ``check_slug`` holds.
    fingerprint
        sha256 over the canonical content of the files.
    layers
        Channels by layer, in order of computation.
    labels, duplicate_labels
        (unit, label) in the order of the file, each once, and how many repeats were left out.
    date
        Day the files were last changed: the date of what brings none.
    """

    source: str
    name: str
    fingerprint: str
    layers: Mapping[str, int]
    labels: tuple[tuple[Unit, str], ...]
    duplicate_labels: int
    kernels: tuple[PublishedKernel, ...]
    circuits: tuple[CircuitRecord, ...]
    about: AboutPublished
    date: str


def read_published(source: str, name: str | None = None) -> PublishedFiles:
    """Read and check a packaged set or a folder of published circuits.

    Parameters
    ----------
    source
        ``published:NAME`` or ``published:DIR``; a packaged name goes before a folder of that
        name (write ``published:./NAME`` for the folder).
    name
        Name for the model; the one in ``layer_sizes.json`` unless given.

    Raises
    ------
    UnknownSourceError
        Neither a packaged set nor a folder.
    PublishedDataError
        A file is missing or breaks the format; the message names file, place and reason.
    IdError
        ``name`` cannot name a model.

    Examples
    --------
    >>> found = read_published("published:inceptionv1")
    >>> found.name, len(found.kernels), len(found.labels), found.duplicate_labels
    ('inceptionv1', 532, 1354, 4)
    """
    if name is not None:
        check_slug(name)
    folder = find_folder(source)
    sizes_text = read_text(folder, "layer_sizes.json")
    if sizes_text is None:
        raise PublishedDataError(
            f"{source}: layer_sizes.json is missing; docs/published.md describes the files."
        )
    sizes = check(LayerSizes, parse_json(sizes_text, "layer_sizes.json"), "layer_sizes.json")
    reader = _Reader(folder, sizes)
    # In order, which the canonical form of an object would lose.
    reader.content["layer_sizes.json"] = [sizes.model, *map(list, sizes.layer_sizes.items())]
    labels, duplicates = reader.labels()
    kernels = (*reader.edges(), *reader.matrices())
    circuits = reader.circuits()
    about = reader.about()
    return PublishedFiles(
        source=source,
        name=sizes.model if name is None else name,
        fingerprint=hashlib.sha256(canonical_json(reader.content).encode()).hexdigest(),
        layers=sizes.layer_sizes,
        labels=labels,
        duplicate_labels=duplicates,
        kernels=kernels,
        circuits=circuits,
        about=about,
        date=last_changed(folder),
    )


class _Reader:
    """Reads the files beside ``layer_sizes.json``; collects what the fingerprint covers."""

    def __init__(self, folder: Traversable, sizes: LayerSizes) -> None:
        self.folder = folder
        self.sizes = sizes
        self.content: dict[str, Any] = {}
        self.order = {layer: place for place, layer in enumerate(sizes.layer_sizes)}
        try:
            check_slug(sizes.model)
            for layer in sizes.layer_sizes:
                LayerId(sizes.model, layer)
        except IdError as error:
            raise PublishedDataError(f"layer_sizes.json: {error}") from None
        present = sorted(item.name for item in folder.iterdir())
        self.matrix_names = [name for name in present if _MATRIX.fullmatch(name)]
        for name in present:
            if name.endswith((".json", ".csv")) and name not in (*_NAMES, *self.matrix_names):
                raise PublishedDataError(
                    f"{name} is no file of this format.{did_you_mean(name, _NAMES)}"
                )

    def labels(self) -> tuple[tuple[tuple[Unit, str], ...], int]:
        name = "labels.csv"
        text = read_text(self.folder, name)
        if text is None:
            return (), 0
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        found: list[tuple[Unit, str]] = []
        try:
            if next(rows, None) != _LABEL_COLUMNS:
                raise PublishedDataError(f"{name}, line 1: not the header model,layer,unit,label.")
            for row in rows:
                if row:
                    found.append(self._label(row, f"{name}, line {rows.line_num}"))
        except csv.Error as error:
            raise PublishedDataError(f"{name}, line {rows.line_num}: {error}.") from None
        self.content[name] = [[layer, unit, label] for (layer, unit), label in found]
        once = tuple(dict.fromkeys(found))
        return once, len(found) - len(once)

    def _label(self, row: list[str], place: str) -> tuple[Unit, str]:
        if len(row) != len(_LABEL_COLUMNS):
            raise PublishedDataError(f"{place}: {len(row)} fields instead of 4.")
        model, layer, unit, label = row
        self._same_model(model, place)
        label = " ".join(label.split())
        if not label or len(label) > LONGEST_TEXT:
            raise PublishedDataError(f"{place}: a label has 1 to {LONGEST_TEXT} characters.")
        return self._unit(f"{layer}:{unit}", place), label

    def edges(self) -> Iterator[PublishedKernel]:
        name = "edges.json"
        value = self._json(name)
        if value is None:
            return
        seen: set[tuple[str, str, str, str | None]] = set()
        for index, edge in enumerate(check(EdgesFile, value, name).edges):
            place = f"{name}, edges[{index}]"
            key = edge.source, edge.target, edge.figure, edge.repository
            if key in seen:
                raise PublishedDataError(
                    f"{place}: {edge.source} -> {edge.target} stands twice in {edge.figure}."
                )
            seen.add(key)
            source, target = self._edge(edge.source, edge.target, place)
            kernel = _kernel(edge.kernel, place)
            yield PublishedKernel(source, target, kernel, edge.figure, edge.repository)

    def matrices(self) -> Iterator[PublishedKernel]:
        for name in self.matrix_names:
            matrix = check(MatrixFile, self._json(name), name)
            for key, rows in matrix.weights.items():
                place = f"{name}, weights[{key!r}]"
                one, arrow, other = key.partition("->")
                if not arrow:
                    raise PublishedDataError(f"{place}: a key is written layer:unit->layer:unit.")
                source, target = self._edge(one, other, place)
                if (source[0], target[0]) != (matrix.source_layer, matrix.target_layer):
                    raise PublishedDataError(
                        f"{place}: this file is from {matrix.source_layer} to "
                        f"{matrix.target_layer}."
                    )
                figure = matrix.origin.path or name
                yield PublishedKernel(
                    source, target, _kernel(rows, place), figure, matrix.origin.repo
                )

    def circuits(self) -> tuple[CircuitRecord, ...]:
        name = "circuits.json"
        value = self._json(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise PublishedDataError(f"{name}: not a list of circuits.")
        found: dict[str, CircuitRecord] = {}
        for index, item in enumerate(value):
            place = f"[{index}]"
            circuit = check(CircuitRecord, item, name, place)
            place = f"{name}, {place}"
            self._same_model(circuit.model, place)
            try:
                check_slug(circuit.id, "circuit name")
            except IdError as error:
                raise PublishedDataError(f"{place}: {error}") from None
            if circuit.id in found:
                raise PublishedDataError(f"{place}: a circuit {circuit.id!r} stands above already.")
            found[circuit.id] = circuit
            self._members(circuit, place)
        return tuple(found.values())

    def _members(self, circuit: CircuitRecord, place: str) -> None:
        members = set()
        for index, member in enumerate(circuit.members):
            self._unit(member.unit, f"{place}.members[{index}]")
            if (member.unit, member.role) in members:
                raise PublishedDataError(
                    f"{place}.members[{index}]: {member.unit} stands twice as {member.role!r}."
                )
            members.add((member.unit, member.role))
        units = {unit for unit, _ in members}
        for index, edge in enumerate(circuit.edges):
            self._edge(edge.source, edge.target, f"{place}.edges[{index}]")
            for end in (edge.source, edge.target):
                if end not in units:
                    raise PublishedDataError(
                        f"{place}.edges[{index}]: {end} is no member of {circuit.id}."
                    )

    def about(self) -> AboutPublished:
        value = self._json("about.json")
        about = AboutPublished() if value is None else check(AboutPublished, value, "about.json")
        for index, article in enumerate(about.articles):
            try:
                datetime.fromisoformat(article.published)
            except ValueError:
                raise PublishedDataError(
                    f"about.json, articles[{index}].published: {article.published} is no date."
                ) from None
        return about

    def _json(self, name: str) -> Any:
        text = read_text(self.folder, name)
        if text is None:
            return None
        self.content[name] = parse_json(text, name)
        return self.content[name]

    def _same_model(self, model: str, place: str) -> None:
        if model != self.sizes.model:
            raise PublishedDataError(
                f"{place}: model {model!r}, but layer_sizes.json is about {self.sizes.model!r}."
            )

    def _edge(self, source: str, target: str, place: str) -> tuple[Unit, Unit]:
        one, other = self._unit(source, place), self._unit(target, place)
        if self.order[one[0]] >= self.order[other[0]]:
            raise PublishedDataError(
                f"{place}: {source} -> {target} runs against the order of the layers."
            )
        return one, other

    def _unit(self, text: str, place: str) -> Unit:
        layer, colon, digits = text.rpartition(":")
        if not colon or not re.fullmatch(r"[0-9]{1,9}", digits):
            raise PublishedDataError(f"{place}: {text!r} is no unit: write layer:unit, from 0.")
        if layer not in self.order:
            raise PublishedDataError(
                f"{place}: unknown layer {layer!r}.{did_you_mean(layer, self.order)}"
            )
        unit, size = int(digits), self.sizes.layer_sizes[layer]
        if unit >= size:
            raise PublishedDataError(f"{place}: {layer} has units 0 to {size - 1}, not {unit}.")
        return layer, unit


def _kernel(rows: list[list[float]], place: str) -> Floats:
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise PublishedDataError(f"{place}: ragged kernel: rows of {sorted(lengths)} values.")
    with np.errstate(over="ignore"):
        kernel = np.array(rows, np.float32)
    if not np.isfinite(kernel).all():
        raise PublishedDataError(f"{place}: a value does not fit a 32-bit float.")
    return kernel
