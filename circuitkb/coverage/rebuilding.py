"""A network rebuilt from what is explained of it: where each weight is from, and the price."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from circuitkb.coverage.chosen import Explained
from circuitkb.coverage.curve import Agreement, Whole
from circuitkb.coverage.measuring import DRAWS
from circuitkb.loaders.activations.editing.runs import Indices
from circuitkb.loaders.activations.subsets.edges import Chosen, Edges
from circuitkb.loaders.activations.subsets.rebuilt import (
    Rebuilt,
    Written,
    constant_name,
    kernel_name,
    write,
)
from circuitkb.loaders.activations.subsets.running import SubNetwork
from circuitkb.loaders.sources.extras import require
from circuitkb.results.result import Result
from circuitkb.schema.kernels import Floats
from circuitkb.schema.progress import Progress, parts, silent


@dataclass(frozen=True)
class Reimplementation:
    """A network rebuilt from explained edges.

    Attributes
    ----------
    model, explained, shown
        Whose network; what was taken for explained; which images it was compared on.
    file, parts
        The network, and the JSON that says where each weight is from.
    edges, chosen, joined
        Of the network; explained; those of them that the file holds, as the others lead nowhere.
    agreement
        Of the file, as onnxruntime runs it, with the network itself.
    random
        The same for as many random edges, not in a file: one for each draw.
    difference
        Largest difference of what the file and the edges in the network give, as a share.
    written
        What the file holds.
    units
        Units that are left, and those of the network.
    measured
        Images.
    notes
        What a reader must know.
    """

    model: str
    explained: str
    shown: str
    file: str
    parts: str
    edges: int
    chosen: int
    joined: int
    agreement: Agreement
    random: tuple[Agreement, ...]
    difference: float
    written: Written
    units: tuple[int, int]
    measured: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON can hold them."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found

    def to_result(self) -> Result:
        """Return a row for the file, and one for the mean of the random draws."""
        rows = [_row(f"{self.file}, by onnxruntime", [self.agreement])]
        rows.append(_row(f"as many random edges, mean of {len(self.random)}", self.random))
        own, all_units = self.units
        notes = (
            f"rebuilt from {self.explained}: {self.joined:,} of {self.chosen:,} explained edges "
            f"lie on a path from input to output; {self.edges:,} are in the network",
            f"{self.written.weights:,} weights, {self.written.constants:,} constants, {own:,} of "
            f"{all_units:,} units, {self.written.size / 1e6:.1f} MB; {self.parts} says which "
            "circuit or label each weight is from",
            f"compared on {self.measured} images that no mean is from ({self.shown}); the file "
            f"differs from the same edges in the network by {self.difference:.1e} at most",
            "the constants hold what all other edges give on average: they are measured, not "
            "explained, and so is whatever the weights compute that no circuit says",
            *self.notes,
        )
        return Result.of_records(rows, notes=notes)


def _row(name: str, some: list[Agreement] | tuple[Agreement, ...]) -> dict[str, Any]:
    known = [one.correlation for one in some if one.correlation is not None]
    return {
        "network": name,
        "edges": some[0].edges,
        "faithfulness": round(float(np.mean([one.faithfulness for one in some])), 4),
        "top1": round(float(np.mean([one.top1 for one in some])), 3),
        "kl": round(float(np.mean([one.kl for one in some])), 3),
        "correlation": round(float(np.mean(known)), 3) if known else None,
    }


def rebuild(
    sub: SubNetwork,
    found: Explained,
    file: Path,
    about: Mapping[str, str],
    images: Floats,
    test: Indices,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Reimplementation:
    """Write the explained edges as a network of its own, run it, and compare it with the whole.

    Parameters
    ----------
    about
        ``model``, ``fingerprint`` and ``shown``.
    images, test
        All that are shown, and the numbers of those that it is compared on.

    Raises
    ------
    TrialError
        It cannot be rebuilt.
    MissingExtraError
        The packages onnx or onnxruntime are not installed.
    """
    runtime = require("onnxruntime", extra="onnx", what="Running an ONNX file")
    ends = sub.parts.input, sub.parts.output.name
    chosen = found.edges(sub.edges, sub.parts.counts, ends)
    rebuilt = Rebuilt(sub, chosen)
    named = file.with_suffix(".json")
    tell = parts(progress, 3 + DRAWS)
    tell[0]("writing", 0.0)
    written = write(rebuilt, sub.parts.steps.view.network.example, file)
    try:
        _write_whole(named, json.dumps(_origins(sub, rebuilt, chosen, found, about), indent=1))
        session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        given = np.concatenate([session.run(None, {"image": images[[n]]})[0] for n in test])
    except BaseException:
        file.unlink(missing_ok=True)
        named.unlink(missing_ok=True)
        raise
    whole = Whole(sub.real_outputs(test), sub.outputs(sub.edges.none(), test))
    own = sub.run(rebuilt.prepared, test, tell[1])
    joined, number = rebuilt.prepared.edges, int(chosen.sum())
    draws = tuple(
        _random(sub, whole, test, number, seed + 1 + draw, telling)
        for draw, telling in enumerate(tell[2 : 2 + DRAWS])
    )
    units = sum(len(some) for some in rebuilt.prepared.units.values())
    return Reimplementation(
        about["model"],
        found.words,
        about["shown"],
        str(file),
        str(named),
        sub.edges.count,
        number,
        joined,
        whole.compare(given, number, joined),
        draws,
        float(np.abs(given - own).max() / max(float(np.abs(own).max()), 1e-30)),
        written,
        (units, sum(sub.parts.counts.values())),
        len(test),
    )


def _random(
    sub: SubNetwork, whole: Whole, test: Indices, number: int, seed: int, progress: Progress
) -> Agreement:
    prepared = sub.prepare(sub.edges.first(sub.edges.random(seed), number))
    return whole.compare(sub.run(prepared, test, progress), number, prepared.edges)


def _write_whole(file: Path, text: str) -> None:
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def _origins(
    sub: SubNetwork, rebuilt: Rebuilt, chosen: Chosen, found: Explained, about: Mapping[str, str]
) -> dict[str, Any]:
    """Return which circuits and labels each weight of a file is from, layer by layer."""
    prepared = rebuilt.prepared
    layers = []
    for layer in sub.parts.layers:
        units = prepared.units[layer.name].tolist()
        if not units:
            continue
        kernels = prepared.kernels.get(layer.name, ())
        layers.append(
            {
                "layer": layer.name,
                "computed": [str(node.target) for node in layer.chain],
                "units": units,
                "constant": rebuilt.stored_as(constant_name(layer.name)),
                "kernels": [
                    {
                        "initializer": rebuilt.stored_as(kernel_name(layer.name, number)),
                        "from": list(one.source),
                    }
                    for number, one in enumerate(kernels)
                ],
            }
        )
    return {
        **about,
        "explained": found.words,
        "layers": layers,
        "edges": _edges(sub.edges, prepared.chosen, found),
    }


def _edges(edges: Edges, chosen: Chosen, found: Explained) -> list[dict[str, Any]]:
    """Return all edges, grouped by their layers, with what each is from."""
    groups = []
    for one, mask in edges.masks(chosen):
        at, out, into = np.nonzero(mask)
        sources = one.source_units[at, into].tolist()
        targets = one.target_units[at, out].tolist()
        reasons: dict[tuple[str, ...], int] = {}
        why = [
            reasons.setdefault(tuple(found.why((one.source, a), (one.target, b))), len(reasons))
            for a, b in zip(sources, targets, strict=True)
        ]
        if sources:
            groups.append(
                {
                    "from": one.source,
                    "into": one.target,
                    "sources": sources,
                    "targets": targets,
                    "because": why,
                    "reasons": [list(reason) for reason in reasons],
                }
            )
    return groups
