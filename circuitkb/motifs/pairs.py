"""Motifs of a pair of inputs and a target: one class for each way of testing them.

:class:`PairMotif` is tested by the responses of units, :class:`KernelPairMotif` by kernels alone.
The engines (:mod:`~circuitkb.motifs.by_responses.find`, :mod:`~circuitkb.motifs.by_kernels.find`)
know no motif by name: another value is another motif.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.motifs.motif import SIGNS, Basis, Between, Pairs, Role, Sign
from circuitkb.schema.errors import QueryError


@dataclass(frozen=True, kw_only=True)
class PairMotif(Pairs):
    """Two inputs that a transform relates, and a target; all criteria are measured by responses.

    Attributes
    ----------
    corr_image, corr
        corr(A on transformed stimuli, B), and corr(A, B).
    invariance
        corr(target on transformed stimuli, target).
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
    ...     roles=(Role(name="for", response=Between(1)),
    ...            Role(name="against", sign="inhibits", response=Between(high=0))),
    ...     invariance=Between(high=0.5))
    >>> opposition.ordered, opposition.evidence
    (True, 'opposition-responses')
    """

    by: ClassVar[Basis] = "responses"
    engine: ClassVar[str] = "circuitkb.motifs.by_responses.find:find_in_model"
    score: ClassVar[str] = (
        "correlation of one input's answers to transformed stimuli ({of}) with the other's"
    )
    label: ClassVar[str] = "{axis} {plural}"

    intro: str = (
        "By responses: a target and two of its inputs, the cases A and B, tested over every edge "
        "of the model. These must hold:"
    )
    corr_image: Between = field(default_factory=lambda: Between(low=0.8))
    corr: Between = field(default_factory=lambda: Between(high=0.5))
    invariance: Between = field(default_factory=Between)
    permutations: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.permutations < 1:
            raise QueryError(f"{self.name}(permutations={self.permutations}): 1 or more.")

    @property
    def ordered(self) -> bool:
        """Whether the roles ask different things, so that a pair has two ways round."""
        one, other = self.roles
        return (one.sign, one.response) != (other.sign, other.response)

    @property
    def signs(self) -> tuple[Sign, ...]:
        """Signs of the masses that are needed, each once."""
        return tuple(sign for sign in SIGNS if any(role.sign == sign for role in self.roles))

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them; ranges as [low, high], null is endless."""
        return {
            "of": self.of.name,
            "turned": self.corr_image.ends(),
            "same": self.corr.ends(),
            "invariance": self.invariance.ends(),
            "roles": [
                {"role": role.name, "sign": role.sign, "answer": role.response.ends()}
                for role in self.roles
            ],
            "share": self.share,
            "at_least": self.at_least,
            "fdr": self.fdr,
            "permutations": self.permutations,
        }

    def criteria(self) -> dict[str, list[str]]:
        """Return what its circuits are tested for, in sentences.

        Examples
        --------
        >>> from circuitkb.motifs.union import Union
        >>> for sentence in Union().by_responses().criteria()["tested"]:
        ...     print(sentence)
        corr(A on the images of the stimuli, B) is above 0.8
        corr(A, B) is below 0.5
        case: among the strongest inputs by positive mass times spread
        case: the target's mean z on what it answers to most is above 1
        corr(target on the images of the stimuli, target) is above 0.8
        """
        found = [
            f"corr(A on the images of the stimuli, B) is {self.corr_image}",
            f"corr(A, B) is {self.corr}",
        ]
        for role in dict.fromkeys(self.roles):
            mass = "positive" if role.sign == "excites" else "negative"
            found.append(f"{role.name}: among the strongest inputs by {mass} mass times spread")
            if role.response != Between():
                what = "the target's mean z on what it answers to most"
                found.append(f"{role.name}: {what} is {role.response}")
        if self.invariance != Between():
            what = "corr(target on the images of the stimuli, target)"
            found.append(f"{what} is {self.invariance}")
        return {"tested": found, "untested": []}


@dataclass(frozen=True, kw_only=True)
class KernelPairMotif(Pairs):
    """Two inputs whose kernels into a target a transform relates; kernels alone are read.

    Attributes
    ----------
    mirrored, same, opposed
        Two inputs match where corr(transform(kernel of A), kernel of B) > ``mirrored`` and
        ``opposed`` < corr(kernel of A, kernel of B) < ``same``.
    draws
        Most draws from the null for one unit; if None, as many as let one unit alone pass.
    untested
        What else must hold, and kernels cannot tell.

    Raises
    ------
    QueryError
        A setting out of its range, or roles that ask for more than kernels tell.
    """

    by: ClassVar[Basis] = "kernels"
    engine: ClassVar[str] = "circuitkb.motifs.by_kernels.find:find_in_model"
    score: ClassVar[str] = "correlation of one kernel's mirror image with the other"
    label: ClassVar[str] = "{axis} kernels"

    intro: str = "By kernels alone: the kernels of the two cases into the target are related."
    mirrored: float = 0.8
    same: float = 0.5
    opposed: float = -0.8
    draws: int | None = None
    untested: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("mirrored", "same", "opposed"):
            if not -1 <= getattr(self, name) <= 1:
                raise QueryError(f"{self.name}({name}={getattr(self, name)}): between -1 and 1.")
        if self.at_least < 2:
            raise QueryError(f"{self.name}(at_least={self.at_least}): a pair needs 2 or more.")
        if self.draws is not None and self.draws < 1:
            raise QueryError(f"{self.name}(draws={self.draws}): 1 or more.")
        if self.roles[0] != self.roles[1] or self.roles[0] != Role(name=self.roles[0].name):
            raise QueryError(
                f"{self.name}: by kernels both inputs excite the target, and have one role."
            )

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        return {
            "of": self.of.name,
            "mirrored": self.mirrored,
            "same": self.same,
            "opposed": self.opposed,
            "share": self.share,
            "at_least": self.at_least,
            "fdr": self.fdr,
        }

    def criteria(self) -> dict[str, list[str]]:
        """Return what its circuits are tested for, and what kernels cannot tell, in sentences."""
        return {
            "tested": [
                "the cases' kernels into the unit are mirror images and not alike",
                "the cases are among the unit's strongest inputs by positive mass",
            ],
            "untested": list(self.untested),
        }
