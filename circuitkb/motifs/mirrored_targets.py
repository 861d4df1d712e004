"""Mirrored targets: two units of a layer that mirror one another, and so does their wiring.

A union ends a mirrored pathway; mirrored targets go on with it: what A is to U, the mirror image of
A is to V. ``docs/discovery.md`` has the criteria, the nulls and what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from circuitkb.motifs.groups import Groups
from circuitkb.motifs.motif import Basis, Between, Motif, Pairs, Role
from circuitkb.motifs.transforms import Mirror, Transform

TARGET = Role(name="target")
INPUT = "input"
"""Role of the inputs that are named beside each target."""


@dataclass(frozen=True, kw_only=True)
class MirroredWiring(Groups):
    """By responses: units that mirror one another, whose weights from asymmetric inputs do too.

    Attributes
    ----------
    corr_image, corr
        corr(U on the images of the stimuli, V), and corr(U, V); the same of two inputs.
    least
        Asymmetric inputs that each of the two needs for its wiring to be compared.
    draws
        Permutations of the mirror map.
    named
        Mirrored inputs that a circuit names beside its targets: the strongest that excite.
    """

    by: ClassVar[Basis] = "responses"
    version: ClassVar[str] = "2"
    engine: ClassVar[str] = "circuitkb.motifs.by_responses.mirrored_wiring:find_in_model"
    score: ClassVar[str] = (
        "correlation of one target's answers to transformed stimuli ({of}) with the other's"
    )

    corr_image: Between = field(default_factory=lambda: Between(low=0.8))
    corr: Between = field(default_factory=lambda: Between(high=0.5))
    least: int = 10
    draws: int = 999
    named: int = 2

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        return {
            **super().settings(),
            "turned": self.corr_image.ends(),
            "same": self.corr.ends(),
            "least": self.least,
            "draws": self.draws,
        }


@dataclass(frozen=True, kw_only=True)
class MirroredKernels(Groups):
    """By kernels alone: units whose kernels, one by one, are mirror images of each other's.

    Attributes
    ----------
    mirrored, same
        Two kernels match where corr(mirror(kernel into U), kernel into V) > ``mirrored`` and the
        same without the mirror < ``same``. Opposed ones may match: left of the one is right of the
        other.
    draws
        Most draws from each null for one pair; if None, as many as let one pair alone pass.
    """

    by: ClassVar[Basis] = "kernels"
    engine: ClassVar[str] = "circuitkb.motifs.by_kernels.mirrored_wiring:find_in_model"
    score: ClassVar[str] = "mean correlation of the kernels' mirror images with those they match"
    label: ClassVar[str] = "{plural} by kernels"

    mirrored: float = 0.8
    same: float = 0.5
    draws: int | None = None

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        return {
            **super().settings(),
            "mirrored": self.mirrored,
            "same": self.same,
            "share": self.share,
            "at_least": self.at_least,
        }


@dataclass(frozen=True, kw_only=True)
class MirroredTargets(Motif):
    """The motif: two units of one layer, mirrored in what they answer and in how they are wired.

    Examples
    --------
    >>> [way.by for way in MirroredTargets().searches]
    ['responses', 'kernels']
    """

    name: str = field(default="mirrored-targets", init=False, repr=False)
    summary: str = field(
        default="two units of a layer that mirror one another, and whose wiring does too",
        init=False,
        repr=False,
    )
    title: str = field(default="Mirrored targets with mirrored wiring", init=False, repr=False)
    roles: tuple[Role, Role] = field(default=(TARGET, TARGET), init=False, repr=False)
    target: str = field(default="target", init=False, repr=False)
    question: str | None = field(default="mirrored-targets", init=False, repr=False)
    of: Transform = field(default_factory=lambda: Mirror("left-right"))
    fdr: float = 0.05
    seed: int = 0

    @property
    def searches(self) -> tuple[Pairs, ...]:
        """By responses, which relate the units and their inputs; else by kernels."""
        shared: dict[str, Any] = {
            "name": self.name,
            "title": self.title,
            "of": self.of,
            "roles": self.roles,
            "target": self.target,
            "seed": self.seed,
            "fdr": self.fdr,
        }
        return _by_responses(shared), _by_kernels(shared)


def _by_responses(shared: dict[str, Any]) -> MirroredWiring:
    return MirroredWiring(
        **shared,
        trial="circuitkb.trials.mirrored_pairs:try_circuits",
        evidence="mirrored-wiring",
        method="mirrored responses with mirrored wiring",
        intro="By responses: two units of one layer, tested over all edges from inputs that have a "
        "mirrored partner in their own layer. These must hold:",
        tested=(
            "corr(U on the images of the stimuli, V) is above 0.8",
            "corr(U, V) is below 0.5",
            "asymmetric inputs: those with a partner in their layer for which the same holds",
            "the weights of U from them (kernel times spread) correlate with the weights of V "
            "from their partners, mirrored",
        ),
        untested=("what the two do for the network",),
        null_method="the larger p of two: V (and U) exchanged for units of the layer that are not "
        "its mirror image; partners of the inputs permuted",
        explained="Pairs fulfil the criteria on responses, and have wiring to compare; hits are "
        "those whose wiring has a p of at most .05, found those that pass at the rate over all "
        "pairs. Exchanged: V exchanged for a random unit of its layer that is not U's mirror "
        "image. Shuffled: the same pairs in the network with shuffled weights. Pairs repeat where "
        "units do: a layer with several copies of a feature has as many pairs of them.",
    )


def _by_kernels(shared: dict[str, Any]) -> MirroredKernels:
    return MirroredKernels(
        **shared,
        evidence="mirrored-kernels",
        method="mirrored kernels of two units' strongest inputs",
        intro="By kernels alone: two units of one layer whose strongest inputs have kernels that "
        "are mirror images. These must hold:",
        tested=(
            "kernels of U's strongest inputs, mirrored, correlate with kernels of V's above 0.8, "
            "and without the mirror below 0.5",
            "the sum of such correlations, each kernel at most once, is beyond both nulls",
        ),
        untested=(
            "U and V answer to mirrored stimuli",
            "the inputs of matched kernels are mirror images, or their own",
            "what the two do for the network: found by kernels alone they have no trial",
        ),
        null_method="the larger p of two: kernels dealt from the strongest of all units of the "
        "layer (of the model where it has few); the same kernels shifted around their grid, turned "
        "and mirrored at random",
        explained="Hits are pairs of units with two matching kernels or more; found those beyond "
        "both nulls. Dealt: kernels dealt anew among the units.",
    )


MIRRORED_TARGETS = MirroredTargets()
