"""A question about a cone as a mixed-integer program, decided by HiGHS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from circuitkb.loaders.sources.extras import require
from circuitkb.proofs.bounds import Condition, Intervals
from circuitkb.proofs.cone import Cone, Made, Part
from circuitkb.proofs.wiring import Values

if TYPE_CHECKING:
    from scipy import sparse

MOST_KINKS = 20_000
"""Places on either side of a kink that a program may have: each takes one binary number or two."""


@dataclass(frozen=True, eq=False)
class Solved:
    """What the solver found.

    ``impossible``: there is no such thing. ``possible``: ``values`` are one, as the solver counts;
    ``unknown``: its time ran out.
    """

    status: Literal["impossible", "possible", "unknown"]
    values: Values | None
    nodes: int


def solver() -> Any:
    """Return the module of the solver.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    return require("highspy", extra="proofs", what="the solver of circuitkb prove")


def version() -> str:
    """Return the solver's name and version."""
    return f"HiGHS {solver().Highs().version()}"


def kinks(cone: Cone, known: Intervals) -> int:
    """Return how many places may be on either side of a kink."""
    return sum(int(known.undecided(part).sum()) for part, _ in cone.computed)


def solve(
    cone: Cone,
    known: Intervals,
    weights: Values,
    most: float,
    conditions: Sequence[Condition],
    whole: Any,
    seconds: float,
    enough: float,
) -> Solved:
    """Ask for values of the box at which conditions hold and an affine function is at most so much.

    Parameters
    ----------
    known
        Between which numbers everything lies; of variables in the box, the box.
    weights, most
        ``weights @ variables <= most``, made as small as it can be, or until it is ``enough``.
    whole
        Variables of the box that are one end or the other.
    seconds
        Time that it may take.
    """
    program = _Program(cone, known)
    for one in conditions:
        program.at_least(one.weights, one.level)
    program.at_least(-weights, -most)
    return program.run(weights, np.flatnonzero(whole), seconds, enough)


class _Program:
    """Rows and columns of a mixed-integer program."""

    def __init__(self, cone: Cone, known: Intervals) -> None:
        self._cone = cone
        self._low = list(known.low)
        self._high = list(known.high)
        self._rows: list[sparse.csr_matrix] = []
        self._ends: list[tuple[Values, Values]] = []
        self._binary: list[int] = []
        self._count = cone.size
        for part, made in cone.computed:
            self._add(part, made, known)

    def _new(self, low: Values, high: Values) -> np.ndarray[Any, Any]:
        first = self._count
        self._low += list(low)
        self._high += list(high)
        self._count += len(low)
        return np.arange(first, self._count)

    def _row(self, entries: Sequence[tuple[Any, Any]], low: Values, high: Values) -> None:
        """Add rows, one for each place: pairs of columns and weights, added up."""
        from scipy import sparse

        count = len(low)
        each = np.arange(count)
        rows = np.tile(each, len(entries))
        columns = np.concatenate([np.asarray(column) for column, _ in entries])
        values = np.concatenate([np.broadcast_to(weight, count) for _, weight in entries])
        self._keep(
            sparse.csr_matrix((values, (rows, columns)), shape=(count, self._count)), low, high
        )

    def _keep(self, matrix: sparse.csr_matrix, low: Values, high: Values) -> None:
        self._rows.append(matrix)
        self._ends.append((np.asarray(low, float), np.asarray(high, float)))

    def at_least(self, weights: Values, level: float) -> None:
        """Add that an affine function is at least so much."""
        from scipy import sparse

        self._keep(sparse.csr_matrix(weights[None]), np.array([level]), np.array([np.inf]))

    def _add(self, part: Part, made: Made, known: Intervals) -> None:
        from scipy import sparse

        here = slice(part.start, part.stop)
        before_low, before_high = known.before_low[here], known.before_high[here]
        own = np.arange(part.start, part.stop)
        unsettled = known.undecided(part)
        constant = (before_high <= part.low) | (before_low >= part.high)
        for at in np.flatnonzero(constant).tolist():
            value = part.low if before_high[at] <= part.low else part.high
            self._low[part.start + at] = self._high[part.start + at] = float(value)
        affine = ~unsettled & ~constant
        inside = affine | unsettled
        if not inside.any():
            return
        pre = own.copy()
        if unsettled.any():
            pre[unsettled] = self._new(before_low[unsettled], before_high[unsettled])
        # pre - A x = b, with ``pre`` the variable itself where nothing is cut off
        which = np.flatnonzero(inside)
        left = sparse.csr_matrix(
            (np.ones(len(which)), (np.arange(len(which)), pre[which])),
            shape=(len(which), self._count),
        )
        right = made.matrix[which]
        right = sparse.csr_matrix(
            (right.data, right.indices, right.indptr), shape=(len(which), self._count)
        )
        bias = made.bias[which]
        self._keep(left - right, bias, bias)
        if not unsettled.any():
            return
        y, z = own[unsettled], pre[unsettled]
        low, high = before_low[unsettled], before_high[unsettled]
        self._kink(y, z, low, high, part.low, part.high)

    def _kink(
        self, y: Any, z: Any, low: Values, high: Values, floor: float, ceiling: float
    ) -> None:
        """Add ``y = clip(z)``: a binary number says whether z is above a kink."""
        none, infinite = np.zeros(len(y)), np.full(len(y), np.inf)
        dips, tops = low < floor, high > ceiling
        on = self._new(np.where(dips, 0.0, 1.0), np.ones(len(y)))
        over = self._new(none, np.where(tops, 1.0, 0.0))
        self._binary += [*on.tolist(), *over.tolist()]
        top = np.minimum(high, ceiling)
        down, up = np.maximum(floor - low, 0.0), np.maximum(high - top, 0.0)
        # y <= z + (floor - low)(1 - on);  y <= floor + (top - floor) on
        self._row([(y, 1.0), (z, -1.0), (on, down)], -infinite, down)
        self._row([(y, 1.0), (on, -(top - floor))], -infinite, np.full(len(y), floor))
        # y >= z - (high - top) over;  y >= floor + (top - floor) over
        self._row([(y, 1.0), (z, -1.0), (over, up)], none, infinite)
        self._row([(y, 1.0), (over, -(top - floor))], np.full(len(y), floor), infinite)
        self._row([(on, 1.0), (over, -1.0)], none, infinite)

    def run(self, objective: Values, whole: Any, seconds: float, enough: float) -> Solved:
        """Run the solver."""
        from scipy import sparse

        highspy = solver()
        model = highspy.Highs()
        for name, value in {
            "output_flag": False,
            "log_to_console": False,
            "threads": 1,
            "random_seed": 0,
            "time_limit": max(seconds, 0.01),
            "objective_target": enough,
            "mip_feasibility_tolerance": 1e-7,
            "primal_feasibility_tolerance": 1e-8,
            "dual_feasibility_tolerance": 1e-8,
        }.items():
            model.setOptionValue(name, value)
        rows = [
            sparse.csr_matrix((one.data, one.indices, one.indptr), (one.shape[0], self._count))
            for one in self._rows
        ]
        matrix = sparse.vstack(rows, format="csc")
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self._count, matrix.shape[0]
        lp.col_cost_ = np.concatenate([objective, np.zeros(self._count - len(objective))])
        lp.col_lower_, lp.col_upper_ = np.array(self._low), np.array(self._high)
        lp.row_lower_ = np.concatenate([one for one, _ in self._ends])
        lp.row_upper_ = np.concatenate([one for _, one in self._ends])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = matrix.indptr
        lp.a_matrix_.index_ = matrix.indices
        lp.a_matrix_.value_ = matrix.data
        kinds = np.full(self._count, highspy.HighsVarType.kContinuous, dtype=object)
        kinds[[*self._binary, *whole.tolist()]] = highspy.HighsVarType.kInteger
        lp.integrality_ = kinds.tolist()
        model.passModel(lp)
        model.run()
        return self._read(highspy, model)

    def _read(self, highspy: Any, model: Any) -> Solved:
        status, info = model.getModelStatus(), model.getInfo()
        nodes = max(int(info.mip_node_count), 0)
        kinds = highspy.HighsModelStatus
        if status in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible):
            return Solved("impossible", None, nodes)
        solution = model.getSolution()
        if solution.value_valid and info.primal_solution_status == highspy.kSolutionStatusFeasible:
            values = np.array(solution.col_value)[: self._cone.size]
            return Solved("possible", values, nodes)
        return Solved("unknown", None, nodes)
