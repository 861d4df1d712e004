"""A statement for other solvers: VNN-LIB 2.0, and what its target reads as an ONNX file.

What is asserted is a counterexample: a solver that finds none has proved the statement. Features
inside the network that the statement names are declared as hidden nodes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitkb.loaders.sources.extras import require
from circuitkb.moving.files.folder import whole_folder
from circuitkb.proofs.bounds import Condition
from circuitkb.proofs.cone import Cone, Indices
from circuitkb.proofs.proof import Proof, unpacked
from circuitkb.schema.errors import ProofError

if TYPE_CHECKING:
    from circuitkb.proofs.prover import Encoded

LARGEST = 50_000_000
"""Weights of the file, in which every layer is a whole matrix, at most: 200 MB."""

OPSET = 17

INPUT, OUTPUT = "X", "Y"

_FILES = re.compile(r"statement\.vnnlib|network\.onnx|variables\.json")

_Columns = dict[int, str]


def write_vnnlib(encoded: Encoded, plan: Proof, folder: Path) -> list[Path]:
    """Write ``statement.vnnlib``, ``network.onnx`` and ``variables.json``, all or none.

    Parameters
    ----------
    plan
        The statement; where it was refuted, with its counterexample, which goes along as numbers.
    folder
        New, or empty.

    Raises
    ------
    ProofError
        The folder holds something, or the network is too large.
    MissingExtraError
        The package onnx is not installed.
    """
    onnx = require("onnx", extra="onnx", what="The export of a statement")
    cone = encoded.cone
    size = cone.size + sum(made.matrix.shape[0] * part.start for part, made in cone.computed)
    if size > LARGEST:
        raise ProofError(
            f"It is too large to export: {size:,} weights as whole matrices, at most {LARGEST:,}."
        )
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ProofError(f"{folder} is there already: name a folder that is not.")
    model = _model(onnx, cone)
    onnx.checker.check_model(model)
    names = [
        f"{part.layer}:{unit}@{row},{column}"
        for part in cone.boxed
        for unit, row, column in zip(
            part.units.tolist(), part.rows.tolist(), part.columns.tolist(), strict=True
        )
    ]
    about = {
        "model": plan.model,
        "fingerprint": plan.fingerprint,
        "statement": f"{plan.when} => {plan.then}",
        "box": plan.box,
        "target": plan.target,
        "circuit": plan.circuit,
        "inputs": names,
    }
    if plan.witness is not None and plan.witness.get("count") == cone.size:
        about["counterexample"] = unpacked(plan.witness)[cone.in_box].tolist()
    files = {
        "network.onnx": model.SerializeToString(),
        "statement.vnnlib": statement(encoded, plan).encode(),
        "variables.json": (json.dumps(about, indent=1) + "\n").encode(),
    }
    with whole_folder(folder, force=False, own=_FILES) as unfinished:
        for name, data in files.items():
            (unfinished / name).write_bytes(data)
    return [folder / name for name in files]


def statement(encoded: Encoded, plan: Proof) -> str:
    """Return the counterexample that is asked for, as VNN-LIB 2.0."""
    cone, bounds = encoded.cone, encoded.bounds
    question = encoded.bound.question(cone)
    boxed = np.flatnonzero(cone.in_box)
    name = {int(number): f"{INPUT}[0,{place}]" for place, number in enumerate(boxed)}
    hidden = []
    for number, (part, _) in enumerate(cone.computed):
        used = any(
            one.weights[part.start : part.stop].any()
            for all_of in question.any_of
            for one in all_of
        )
        if used:
            count = part.stop - part.start
            hidden.append(f'  (declare-hidden H{number} float32 [1,{count}] "{_after(number)}")')
            name |= {part.start + at: f"H{number}[0,{at}]" for at in range(count)}
    lines = [
        f"; {plan.model}: {plan.asked}, over the box {plan.box}",
        "; what is asserted is a counterexample: if there is none, the statement is proved",
        "(vnnlib-version <2.0>)",
        "(declare-network N",
        f"  (declare-input {INPUT} float32 [1,{len(boxed)}])",
        *hidden,
        f"  (declare-output {OUTPUT} float32 [1,1])",
        ")",
        *_box_lines(encoded, name, bounds.whole),
    ]
    cases = [_all([_condition(one, name) for one in all_of]) for all_of in question.any_of]
    lines.append(f"(assert {_any(cases)})")
    sign = (
        ("<=" if question.strict else "<")
        if question.sign > 0
        else (">=" if question.strict else ">")
    )
    lines.append(f"(assert ({sign} {OUTPUT}[0,0] {_number(question.level)}))")
    return "\n".join(lines) + "\n"


def _box_lines(encoded: Encoded, name: _Columns, whole: Any) -> Iterator[str]:
    low, high = encoded.bounds.low, encoded.bounds.high
    for number in np.flatnonzero(encoded.cone.in_box).tolist():
        least, most = _number(low[number]), _number(high[number])
        if whole[number]:
            ends = " ".join(f"(== {name[number]} {end})" for end in (least, most))
            yield f"(assert (or {ends}))"
        elif low[number] == high[number]:
            yield f"(assert (== {name[number]} {least}))"
        else:
            yield f"(assert (>= {name[number]} {least}))"
            yield f"(assert (<= {name[number]} {most}))"


def _condition(one: Condition, name: _Columns) -> str:
    parts = [
        name[number]
        if one.weights[number] == 1
        else f"(* {_number(one.weights[number])} {name[number]})"
        for number in np.flatnonzero(one.weights).tolist()
    ]
    total = parts[0] if len(parts) == 1 else f"(+ {' '.join(parts)})"
    return f"(>= {total} {_number(one.level)})"


def _all(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"(and {' '.join(parts)})"


def _any(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"(or {' '.join(parts)})"


def _number(value: float) -> str:
    """Return a number as VNN-LIB writes it: no exponent, always a point."""
    return np.format_float_positional(float(value), trim="0")


def _after(number: int) -> str:
    return f"layer_{number}"


def _model(onnx: Any, cone: Cone) -> Any:
    """Return a cone as an ONNX model: each layer one matrix of all that stands before it."""
    helper, numpy_helper, kind = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT
    boxed = np.flatnonzero(cone.in_box)
    constants: list[Any] = []
    nodes: list[Any] = []

    def constant(name: str, value: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    # Variables in the order in which they come to stand beside each other.
    known, order = INPUT, boxed.tolist()
    for number, (part, made) in enumerate(cone.computed):
        rows = _columns(made.matrix, np.array(order, np.int64))
        weight = constant(f"weights_{number}", rows)
        bias = constant(f"bias_{number}", made.bias)
        before, after = f"before_{number}", _after(number)
        nodes.append(helper.make_node("Gemm", [known, weight, bias], [before]))
        if np.isfinite(part.low) or np.isfinite(part.high):
            ends = [
                constant(f"{end}_{number}", value) if np.isfinite(value) else ""
                for end, value in (("low", part.low), ("high", part.high))
            ]
            relu = part.low == 0 and not np.isfinite(part.high)
            nodes.append(
                helper.make_node("Relu", [before], [after])
                if relu
                else helper.make_node("Clip", [before, *ends], [after])
            )
        else:
            nodes.append(helper.make_node("Identity", [before], [after]))
        both = f"known_{number}"
        nodes.append(helper.make_node("Concat", [known, after], [both], axis=1))
        known = both
        order = [*order, *range(part.start, part.stop)]
    last = constant("weights", cone.weights[order][:, None])
    nodes.append(helper.make_node("Gemm", [known, last, constant("bias", [cone.bias])], [OUTPUT]))
    graph = helper.make_graph(
        nodes,
        "cone",
        [helper.make_tensor_value_info(INPUT, kind, [1, len(boxed)])],
        [helper.make_tensor_value_info(OUTPUT, kind, [1, 1])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def _columns(matrix: Any, order: Indices) -> Any:
    """Return the columns of a matrix of earlier variables, transposed; later ones are zero."""
    dense = matrix.toarray()
    found = np.zeros((len(order), dense.shape[0]))
    earlier = order < dense.shape[1]
    found[earlier] = dense[:, order[earlier]].T
    return found
