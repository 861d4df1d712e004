"""Branch specialisation: parallel branches whose units answer to other kinds of stimuli.

After Voss et al. (Branch Specialization, 2021). ``docs/discovery.md`` has what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.motifs.groups import Groups
from circuitkb.motifs.motif import Basis, Between, Role
from circuitkb.motifs.transforms import Unchanged

BRANCH = Role(name="of a branch")


@dataclass(frozen=True, kw_only=True)
class SpecialBranches(Groups):
    """By responses: how much of what units answer to goes with the branch that they are in.

    Attributes
    ----------
    share
        Share of the variance between units' profiles that lies between branches.
    least
        Units of each branch that answer.
    draws
        Draws from either null.
    named
        Units that a circuit names of each branch: those nearest to its mean.
    """

    by: ClassVar[Basis] = "responses"
    engine: ClassVar[str] = "circuitkb.motifs.by_responses.special_branches:find_in_model"
    score: ClassVar[str] = "share of the variance of units' profiles that lies between branches"

    explained_share: Between = field(default_factory=lambda: Between(low=0.02))
    least: int = 10
    draws: int = 100
    named: int = 3

    @property
    def plural(self) -> str:
        """Its name, of several."""
        return "specialised branches"

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        return {
            **super().settings(),
            "explained_share": self.explained_share.ends(),
            "least": self.least,
            "draws": self.draws,
        }


BRANCH_SPECIALISATION = SpecialBranches(
    name="branch-specialisation",
    summary="parallel branches of a network whose units answer to other kinds of stimuli",
    title="Branch specialisation",
    of=Unchanged(),
    roles=(BRANCH, BRANCH),
    target=BRANCH.name,
    question="branch-specialisation",
    evidence="special-branches",
    method="share of the variance of units' profiles that lies between branches",
    intro="By responses: layers that come together in a later one with no way from one to another. "
    "A unit's profile is its mean answer to each kind of stimulus, in standard deviations. This "
    "must hold:",
    tested=(
        "more than 2% of the variance between the units' profiles lies between branches, and "
        "more than both nulls give",
    ),
    untested=("what the branches do for the network: no trial yet",),
    null_method="the larger q of two: units exchanged among the branches; units of the network "
    "with shuffled weights, drawn with replacement within each branch",
    explained="Tested are sets of branches, not units. Shuffled: branches of other kernel sizes "
    "differ without any training; that is what this null has.",
)
