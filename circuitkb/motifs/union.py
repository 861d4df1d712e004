"""Unions: units that are excited by two mirrored cases, each from its own side.

Where a model was observed, the responses of its units show it. Where kernels are all that is known,
they show it: kernel(A -> U) is the mirror image of kernel(B -> U). That criterion reads the
positive mass of a spatial kernel, never its net sign, which may well be negative where people found
the union. ``docs/discovery.md`` has the criteria, the nulls and what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from circuitkb.motifs.motif import Between, Motif, Pairs, Role, ShapeTest
from circuitkb.motifs.pairs import KernelPairMotif, PairMotif
from circuitkb.motifs.transforms import Mirror, Transform
from circuitkb.schema.errors import QueryError

CASE = Role(name="case")

TWO_PEAKS = ShapeTest(
    engine="circuitkb.motifs.by_responses.tuning_shape:tunings",
    shapes=("two peaks", "flat", "between", "other"),
    wanted="two peaks",
    otherwise="mirrored-inputs",
)
"""A union has a peak at each case and less between; other targets have mirrored inputs."""


@dataclass(frozen=True, kw_only=True)
class Union(Motif):
    """The motif: one unit that mirrored cases excite.

    Attributes
    ----------
    of
        What turns one case into the other.
    mirrored, same, opposed
        Two inputs match where corr(mirror(kernel of A), kernel of B) > ``mirrored`` and
        ``opposed`` < corr(kernel of A, kernel of B) < ``same``: they are neither one case twice
        nor one kernel with both signs.
    share, at_least
        Inputs that are compared: the top ``share`` by positive mass, and ``at_least`` so many.
    fdr
        False discovery rate, over all tested units of a model.
    draws
        Most draws from the null for one unit; if None, as many as let one unit alone pass. Of
        the search by kernels alone.
    answers, invariant
        Of the search by responses alone: the unit's mean response to the stimuli that a case
        responds to most, in standard deviations from its mean, is above ``answers``, and
        corr(unit on mirrored stimuli, unit) is above ``invariant``.
    permutations
        Draws from each of the two controls of the search by responses.
    seed
        Seed of the draws.

    Raises
    ------
    QueryError
        A threshold out of its range.

    Examples
    --------
    >>> Union(of=Mirror("left-right")).mirrored
    0.8
    """

    name: str = field(default="union", init=False, repr=False)
    summary: str = field(
        default="a unit that two mirrored units excite, each from its own side",
        init=False,
        repr=False,
    )
    title: str = field(default="Unions of mirrored cases", init=False, repr=False)
    roles: tuple[Role, Role] = field(default=(CASE, CASE), init=False, repr=False)
    target: str = field(default="union", init=False, repr=False)
    question: str | None = field(default="union", init=False, repr=False)
    shape: ShapeTest | None = field(default=TWO_PEAKS, init=False, repr=False)

    of: Transform = field(default_factory=lambda: Mirror("left-right"))
    mirrored: float = 0.8
    same: float = 0.5
    opposed: float = -0.8
    share: float = 0.05
    at_least: int = 4
    fdr: float = 0.05
    draws: int | None = None
    answers: float = 1.0
    invariant: float = 0.8
    permutations: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if not -1 <= self.invariant <= 1:
            raise QueryError(f"{self.name}(invariant={self.invariant}): between -1 and 1.")
        assert self.searches  # which check every other setting

    @property
    def searches(self) -> tuple[Pairs, ...]:
        """By responses, which test every criterion; else by kernels."""
        return self.by_responses(), self.by_kernels()

    @property
    def analogous(self) -> str:
        """``Evidence.kind`` of a match of unions in two models."""
        return "analogous-circuits"

    def typed(self, axis: str) -> str:
        """Return the Python that makes it for another mirror."""
        return f'ckb.Union(of=ckb.mirror("{axis}"))'

    def by_responses(self) -> PairMotif:
        """Return the motif as the search by responses reads it.

        Examples
        --------
        >>> motif = Union().by_responses()
        >>> motif.target, [role.name for role in motif.roles], motif.corr_image.low
        ('union', ['case', 'case'], 0.8)
        """
        case = Role(name="case", response=Between(low=self.answers))
        return PairMotif(
            name=self.name,
            of=self.of,
            roles=(case, case),
            target=self.target,
            seed=self.seed,
            shape=self.shape,
            trial="circuitkb.trials.united_cases:try_circuits",
            evidence="mirrored-responses",
            method="mirrored responses among the strongest inputs",
            corr_image=Between(low=self.mirrored),
            corr=Between(high=self.same),
            invariance=Between(low=self.invariant),
            share=self.share,
            at_least=self.at_least,
            fdr=self.fdr,
            permutations=self.permutations,
        )

    def by_kernels(self) -> KernelPairMotif:
        """Return the motif as the search by kernels reads it.

        Examples
        --------
        >>> Union().by_kernels().evidence
        'mirrored-inputs'
        """
        return KernelPairMotif(
            name=self.name,
            of=self.of,
            roles=self.roles,
            target=self.target,
            seed=self.seed,
            shape=self.shape,
            evidence="mirrored-inputs",
            method="mirrored kernels among the strongest inputs",
            intro="By kernels alone: the kernels of the two cases into the target are mirror "
            "images. This cannot tell a union (either case suffices) from an assembly of mirrored "
            "parts.",
            untested=(
                "each case answers to mirrored stimuli as the other does to plain ones",
                "the unit answers to either case alone",
                "the unit answers alike to mirrored stimuli",
            ),
            mirrored=self.mirrored,
            same=self.same,
            opposed=self.opposed,
            share=self.share,
            at_least=self.at_least,
            fdr=self.fdr,
            draws=self.draws,
        )


UNION = Union()
