"""A motif of measured answers, as a value: which roles there are, and what holds between them.

The search (:mod:`~circuitkb.motifs.by_responses.search`) knows no motif by name. A union is one
value (:meth:`circuitkb.motifs.union.Union.by_responses`); another motif is another value, as the
example of :class:`PairMotif` shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from circuitkb.motifs.transforms import Transform
from circuitkb.schema.errors import QueryError

Sign = Literal["excites", "inhibits"]

SIGNS: tuple[Sign, ...] = ("excites", "inhibits")


@dataclass(frozen=True, slots=True)
class Between:
    """An open interval that a figure must lie in.

    Examples
    --------
    >>> Between(-1, 1)(np.array([0, 1, 2])).tolist()
    [True, False, False]
    """

    low: float = -inf
    high: float = inf

    def __call__(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which of them lie there; what is not a number does not."""
        found: NDArray[np.bool_] = (values > self.low) & (values < self.high)
        return found

    def ends(self) -> list[float | None]:
        """Return both ends as JSON can hold them; None is endless."""
        return [end if isfinite(end) else None for end in (self.low, self.high)]


@dataclass(frozen=True, kw_only=True)
class Role:
    """What one of the two inputs does to the target.

    Attributes
    ----------
    name
        ``MEMBER_OF.role`` in the graph.
    sign
        ``excites``: it is among the strongest inputs by positive mass (sum of the positive values
        of its kernels) times its spread; ``inhibits``: by negative mass. The net sign of a kernel
        is not asked.
    answer
        How the target answers, in standard deviations from its mean, to the stimuli that this
        input answers to most.
    """

    name: str
    sign: Sign = "excites"
    answer: Between = field(default_factory=Between)


@dataclass(frozen=True, kw_only=True)
class PairMotif:
    """Two inputs that a transform relates, and a target; all criteria are measured.

    Attributes
    ----------
    name
        ``Circuit.motif`` in the graph.
    of
        The transform that turns one input into the other.
    roles
        Of the two inputs. Where they differ, each pair is tried both ways round.
    target
        Role of the target.
    turned, same
        corr(A on transformed stimuli, B), and corr(A, B).
    invariance
        corr(target on transformed stimuli, target).
    share, at_least
        What counts as strongest: the top ``share`` of the target's inputs that answer, and
        ``at_least`` so many.
    fdr
        False discovery rate over all hits in a model.
    permutations
        Draws from each control.

    Raises
    ------
    QueryError
        A setting out of its range.

    Examples
    --------
    Opposition, in which the mirrored input inhibits; no engine is needed for it:

    >>> from circuitkb.motifs.transforms import mirror
    >>> opposition = PairMotif(
    ...     name="opposition", of=mirror("up-down"), target="opposed",
    ...     roles=(Role(name="for", answer=Between(1)),
    ...            Role(name="against", sign="inhibits", answer=Between(high=0))),
    ...     invariance=Between(high=0.5))
    >>> opposition.ordered
    True
    """

    name: str
    of: Transform
    roles: tuple[Role, Role]
    target: str
    turned: Between = Between(low=0.8)
    same: Between = Between(high=0.5)
    invariance: Between = Between()
    share: float = 0.05
    at_least: int = 4
    fdr: float = 0.05
    permutations: int = 20

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise QueryError(f"{self.name}(share={self.share}): between 0 and 1.")
        if self.at_least < 1:
            raise QueryError(f"{self.name}(at_least={self.at_least}): 1 or more.")
        if not 0 < self.fdr < 1:
            raise QueryError(f"{self.name}(fdr={self.fdr}): between 0 and 1.")
        if self.permutations < 1:
            raise QueryError(f"{self.name}(permutations={self.permutations}): 1 or more.")

    @property
    def ordered(self) -> bool:
        """Whether the roles ask different things, so that a pair has two ways round."""
        one, other = self.roles
        return (one.sign, one.answer) != (other.sign, other.answer)

    @property
    def signs(self) -> tuple[Sign, ...]:
        """Signs of the masses that are needed, each once."""
        return tuple(sign for sign in SIGNS if any(role.sign == sign for role in self.roles))

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them; ranges as [low, high], null is endless."""
        return {
            "of": self.of.name,
            "turned": self.turned.ends(),
            "same": self.same.ends(),
            "invariance": self.invariance.ends(),
            "roles": [
                {"role": role.name, "sign": role.sign, "answer": role.answer.ends()}
                for role in self.roles
            ],
            "share": self.share,
            "at_least": self.at_least,
            "fdr": self.fdr,
            "permutations": self.permutations,
        }
