"""Families: units of a layer that are turns of one another, all the way round.

``docs/discovery.md`` has the criteria, the nulls and what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.motifs.groups import Groups
from circuitkb.motifs.motif import Basis, Motif, Pairs, Role
from circuitkb.motifs.transforms import EighthTurn, Transform

SEED = Role(name="turned by 0")


@dataclass(frozen=True, kw_only=True)
class TurnedFamily(Groups):
    """By responses: a unit that a quarter turn changes, whose turns are all in its layer.

    Attributes
    ----------
    changed
        corr(unit on the stimuli turned by 90 degrees, unit) is below this.
    turned
        For each turn by 45 to 315 degrees some unit of the layer answers as the turned one, at a
        correlation above this.
    repetitions
        Times that the angles of the stimuli are permuted.
    """

    by: ClassVar[Basis] = "responses"
    engine: ClassVar[str] = "circuitkb.motifs.by_responses.turned_families:find_in_model"
    interchangeable: ClassVar[bool] = True
    score: ClassVar[str] = "lowest, over the turns, of the correlation with the best unit for it"

    changed: float = 0.5
    turned: float = 0.7
    repetitions: int = 10

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        return {
            **super().settings(),
            "changed": self.changed,
            "turned": self.turned,
            "repetitions": self.repetitions,
        }


@dataclass(frozen=True, kw_only=True)
class Family(Motif):
    """The motif: units of one layer that are turns of one another.

    Examples
    --------
    >>> [way.by for way in Family().searches]
    ['responses']
    """

    name: str = field(default="family", init=False, repr=False)
    summary: str = field(
        default="units of a layer that are turns of one another, by 45 degrees all the way round",
        init=False,
        repr=False,
    )
    title: str = field(default="Rotational and reflective families", init=False, repr=False)
    roles: tuple[Role, Role] = field(default=(SEED, SEED), init=False, repr=False)
    target: str = field(default="turned by 0", init=False, repr=False)
    question: str | None = field(default="family", init=False, repr=False)
    of: Transform = field(default_factory=EighthTurn)
    fdr: float = 0.05
    seed: int = 0

    @property
    def searches(self) -> tuple[Pairs, ...]:
        """By responses."""
        return (
            TurnedFamily(
                name=self.name,
                title=self.title,
                of=self.of,
                roles=self.roles,
                target=self.target,
                seed=self.seed,
                fdr=self.fdr,
                evidence="turned-family",
                method="best partners in the layer for turns by 45 to 315 degrees",
                intro="By responses to the stimuli that have an angle: a unit and its turns, among "
                "the units of its layer. These must hold:",
                tested=(
                    "corr(unit on the stimuli turned by 90 degrees, unit) is below 0.5",
                    "for each turn by 45, 90, ... 315 degrees the best unit of the layer answers "
                    "as the turned one at a correlation above 0.7",
                ),
                untested=(
                    "how the members are wired, and what they do: no edge is named that a trial "
                    "could take away",
                ),
                null_method="the same in units of the layer in the network with shuffled weights",
                explained="Tested are the units that a quarter turn changes; hits are those that "
                "fulfil both criteria, found those beyond the shuffled units of their layer (false "
                "discovery rate within each layer). Families: found units, those that are members "
                "of a clearer one left out. Shuffled: hits among units with shuffled weights. "
                "Angles: hits with the angles of the stimuli permuted within each kind and size.",
            ),
        )


FAMILY = Family()
