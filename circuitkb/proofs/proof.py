"""How a statement was decided: as a value, and as rows of the graph."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from circuitkb.proofs.decide import Outcome
from circuitkb.proofs.wiring import Values
from circuitkb.schema.errors import ProofError
from circuitkb.schema.ids import canonical_json, content_hash
from circuitkb.schema.provenance import now, tool
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of

METHOD = "intervals and linear bounds, descents, HiGHS"

VERSION = "1"

KEPT = (
    *("id", "when", "then", "box", "outcome", "by", "level", "bound", "value", "measured"),
    *("variables", "free", "kinks", "nodes", "allowed", "seed", "solver", "note", "seconds"),
)
"""Properties of the node that are attributes of the same name."""

LARGEST_WITNESS = 200_000
"""Numbers of a counterexample that are kept with its proof at most."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A statement, the box it is about, and how it was decided.

    Attributes
    ----------
    model, fingerprint
        Whose kernels were read, and of which weights.
    target, cases, circuit
        What it is about.
    when, then
        The statement, with numbers in the place of words; ``asked`` has the words.
    box
        In words.
    outcome
        ``proved``, ``refuted``, ``undecided`` or ``vacuous``: nothing in the box fulfils it.
    by
        What decided.
    level, bound
        What the target is compared with; what it is at least (at most) as bounds prove it.
    value, measured
        The target at the counterexample: by kernels, and of the network that was run.
    variables, free, kinks, nodes
        Variables in all, those that the box leaves free, places on either side of a kink, and
        nodes that the solver branched over.
    seconds, allowed
        How long it took, and might have taken.
    witness
        The counterexample: see :func:`packed`; or ``{"stimulus": id}``.
    parts
        How each list of conditions ended.
    note
        Why it is undecided, or why the network was not run.
    """

    model: str
    fingerprint: str
    target: str
    cases: tuple[str, ...]
    circuit: str | None
    when: str
    then: str
    asked: str
    box: str
    outcome: Outcome
    by: str
    level: float
    bound: float | None = None
    value: float | None = None
    measured: float | None = None
    variables: int = 0
    free: int = 0
    kinks: int = 0
    nodes: int = 0
    seconds: float = 0.0
    allowed: float = 60.0
    seed: int = 0
    solver: str = ""
    witness: Mapping[str, Any] | None = None
    parts: tuple[Mapping[str, Any], ...] = ()
    note: str = ""
    pixels: tuple[tuple[float, ...], tuple[float, ...]] = field(default=((), ()))

    @property
    def id(self) -> str:
        """What the same statement has when it is decided again."""
        what = [self.fingerprint, self.model, self.circuit, self.target, list(self.cases)]
        return f"proof-{content_hash([*what, self.when, self.then, self.box])[:16]}"

    def row(self) -> dict[str, Any]:
        """Return the node."""
        detail = {
            "fingerprint": self.fingerprint,
            "asked": self.asked,
            "cases": list(self.cases),
            "target": self.target,
            "circuit": self.circuit,
            "parts": [dict(one) for one in self.parts],
            "witness": None if self.witness is None else dict(self.witness),
            "pixels": [list(side) for side in self.pixels],
        }
        return {
            **{name: getattr(self, name) for name in KEPT},
            "network": self.model,
            "method": METHOD,
            "version": VERSION,
            "seconds": round(self.seconds, 3),
            "tool": tool(),
            "created": now(),
            "detail": canonical_json(detail),
        }

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the proof that a node was made of.

        Raises
        ------
        ProofError
            The node is damaged.
        """
        try:
            detail = json.loads(row["detail"])
            own = {name: row[name] for name in KEPT if name != "id" and row[name] is not None}
            return cls(
                **own,
                model=row["network"],
                fingerprint=detail["fingerprint"],
                target=detail["target"],
                cases=tuple(detail["cases"]),
                circuit=detail["circuit"],
                asked=detail["asked"],
                witness=detail["witness"],
                parts=tuple(detail["parts"]),
                pixels=(tuple(detail["pixels"][0]), tuple(detail["pixels"][1])),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ProofError(f"The proof {row['id']} that is kept is damaged.") from error


def proof_rows(proofs: Iterable[Proof]) -> GraphRows:
    """Return proofs as rows of the graph: each is ABOUT its features and its circuit."""
    proofs = list(proofs)
    about: dict[str, list[dict[str, Any]]] = {"Feature": [], "Circuit": []}
    for one in proofs:
        roles = [(one.target, "target"), *((case, "case") for case in one.cases)]
        for feature, role in dict.fromkeys(roles):
            about["Feature"].append({"source": one.id, "target": feature, "role": role})
        if one.circuit is not None:
            about["Circuit"].append({"source": one.id, "target": one.circuit, "role": "circuit"})
    return GraphRows(
        nodes={"Proof": node_table("Proof", rows_of([one.row() for one in proofs]))},
        relations=[
            Relations("ABOUT", "Proof", label, relation_table("ABOUT", rows_of(rows)))
            for label, rows in about.items()
            if rows
        ],
    )


def packed(values: Values) -> dict[str, Any] | None:
    """Return the numbers of a counterexample as text, in the order of the cone's variables.

    None where they are more than are kept.

    Examples
    --------
    >>> unpacked(packed(np.array([0.5, 1.5])) or {}).tolist()
    [0.5, 1.5]
    """
    if len(values) > LARGEST_WITNESS:
        return None
    data = zlib.compress(np.ascontiguousarray(values, "<f8").tobytes(), 9)
    return {"count": len(values), "values": base64.b64encode(data).decode("ascii")}


def unpacked(witness: Mapping[str, Any]) -> Values:
    """Return the numbers of a counterexample that was kept.

    Raises
    ------
    ProofError
        They are damaged.
    """
    try:
        data = zlib.decompressobj().decompress(
            base64.b64decode(witness["values"], validate=True), 8 * LARGEST_WITNESS + 8
        )
        values = np.frombuffer(data, "<f8").astype(np.float64)
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise ProofError("The counterexample that was kept is damaged.") from error
    if len(values) != witness.get("count") or not np.isfinite(values).all():
        raise ProofError("The counterexample that was kept is damaged.")
    return values
