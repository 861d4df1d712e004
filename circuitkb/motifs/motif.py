"""A motif, as a value: which roles there are, what relates them, and how it may be searched for.

Nothing else knows a motif by name: rows, reports, matches and the command line read these values.
:mod:`~circuitkb.motifs.pairs` has two classes whose values are motifs, one for each way of testing;
:mod:`~circuitkb.motifs.union` is a motif with both ways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from circuitkb.motifs.transforms import Transform
from circuitkb.schema.errors import QueryError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Basis = Literal["responses", "kernels"]
"""What a search reads: the responses of units, or the shapes of the kernels between them."""

Sign = Literal["excites", "inhibits"]

SIGNS: tuple[Sign, ...] = ("excites", "inhibits")


@dataclass(frozen=True, slots=True)
class Between:
    """An open interval that a figure must lie in.

    Raises
    ------
    QueryError
        It is empty.

    Examples
    --------
    >>> import numpy as np
    >>> Between(-1, 1)(np.array([0, 1, 2])).tolist()
    [True, False, False]
    >>> str(Between(0.8)), str(Between())
    ('above 0.8', 'anything')
    """

    low: float = -inf
    high: float = inf

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise QueryError(f"Between({self.low:g}, {self.high:g}): nothing lies there.")

    def __call__(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which of them lie there; what is not a number does not."""
        found: NDArray[np.bool_] = (values > self.low) & (values < self.high)
        return found

    def __str__(self) -> str:
        low, high = self.ends()
        ends = [
            f"above {low:g}" if low is not None else "",
            f"below {high:g}" if high is not None else "",
        ]
        return " and ".join(filter(None, ends)) or "anything"

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
    response
        How the target responds, in standard deviations from its mean, to the stimuli that this
        input responds to most.
    """

    name: str
    sign: Sign = "excites"
    response: Between = field(default_factory=Between)


@dataclass(frozen=True, kw_only=True)
class ShapeTest:
    """What a motif asks of the tuning of its targets, and what circuits are called that lack it.

    Attributes
    ----------
    engine
        The function that tells the shapes, as ``module:function``. It takes the responses of
        units, the stimuli, the permutation that gives their images, and the rows of targets and
        cases; it returns a :class:`~circuitkb.motifs.by_responses.tuning_shape.Tuning`, or None,
        for each circuit.
    shapes
        Those that there are.
    wanted
        The one that makes a circuit what the motif is called.
    otherwise
        ``Circuit.motif`` of those with another shape, and where it cannot be tested.
    """

    engine: str
    shapes: tuple[str, ...]
    wanted: str
    otherwise: str


class Motif:
    """What a search looks for: two inputs that a transform relates, and a target.

    Attributes
    ----------
    name
        What users type, and ``Circuit.motif`` in the graph.
    summary
        What it is, in a line: for lists and for help.
    title
        Heading of its section in a report.
    of
        The transform that turns one input into the other.
    roles
        Of the two inputs. Where they differ, each pair is tried both ways round.
    target
        Role of the target.
    seed
        Seed of the draws, unless a search is told another one.
    question
        The question of the catalogue that lists what was found, if there is one.
    shape
        What it asks of the tuning of its targets; None if nothing.
    """

    name: str
    summary: str
    title: str
    of: Transform
    roles: tuple[Role, Role]
    target: str
    seed: int
    question: str | None
    shape: ShapeTest | None = None

    def called(self, shape: str | None) -> str:
        """Return ``Circuit.motif`` of a circuit whose target has a shape, or an unknown one.

        Examples
        --------
        >>> from circuitkb.motifs.union import UNION
        >>> UNION.called("two peaks"), UNION.called("flat"), UNION.called(None)
        ('union', 'mirrored-inputs', 'mirrored-inputs')
        """
        test = self.shape
        return self.name if test is None or shape == test.wanted else test.otherwise

    @property
    def kinds(self) -> tuple[str, ...]:
        """All that its circuits may be called."""
        return (self.name, self.shape.otherwise) if self.shape else (self.name,)

    @property
    def searches(self) -> tuple[Pairs, ...]:
        """The ways to search for it, first the one that tells most."""
        return ()

    @property
    def plural(self) -> str:
        """Its name, of several."""
        if self.name.endswith("s"):
            return self.name.replace("-", " ")
        return f"{self.name[:-1]}ies" if self.name.endswith("y") else f"{self.name}s"

    @property
    def analogous(self) -> str:
        """``Evidence.kind`` of a match of its circuits in two models."""
        return f"analogous-{self.name}-circuits"

    def typed(self, axis: str) -> str:
        """Return the Python that makes it for the mirror across another axis."""
        return f'replace(MOTIFS.get("{self.name}"), of=ckb.mirror("{axis}"))'


@dataclass(frozen=True, kw_only=True)
class Pairs(Motif):
    """What both ways of testing ask; the attributes that a subclass adds are its criteria.

    Attributes
    ----------
    name, summary, title, of, roles, target, seed, question, shape
        As in :class:`~circuitkb.motifs.motif.Motif`.
    evidence, method
        ``Evidence.kind`` and ``Evidence.method``; made of the name unless given.
    intro
        What a report says before its figures.
    share, at_least
        What counts as strongest: the top ``share`` of the target's inputs, and ``at_least`` so
        many.
    fdr
        False discovery rate over all hits (or tests) of a model.
    by, version
        What is read, and the version of the method.
    engine
        The function that searches a model, as ``module:function``. It takes the model's
        connections, its responses (None where it was not observed) and this value, and by name
        ``model``, ``seed`` and ``progress``; it returns
        :class:`~circuitkb.motifs.findings.Findings`.
    trial
        The function that tries what was found, as ``module:function``; None where there is none.
        It takes and returns what :func:`circuitkb.trials.united_cases.try_circuits` does.
    score, label
        What ``Circuit.score`` measures, and what hits are called beside those of other motifs.
    at_target
        Whether a circuit is two inputs of one target; otherwise it is a group of units
        (:class:`~circuitkb.motifs.groups.Groups`).
    writer, section
        The functions that make rows of what ``engine`` returns, and lines of a report of what the
        graph holds of it, as ``module:function``.
    """

    by: ClassVar[Basis]
    version: ClassVar[str] = "1"
    engine: ClassVar[str]
    score: ClassVar[str]
    label: ClassVar[str]
    at_target: ClassVar[bool] = True
    writer: ClassVar[str] = "circuitkb.motifs.rows:found_rows"
    section: ClassVar[str] = "circuitkb.report.motifs:pair_lines"

    name: str
    of: Transform
    roles: tuple[Role, Role]
    target: str
    summary: str = ""
    title: str = ""
    seed: int = 0
    question: str | None = None
    shape: ShapeTest | None = None
    trial: str | None = None
    evidence: str = ""
    method: str = ""
    intro: str
    share: float = 0.05
    at_least: int = 4
    fdr: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise QueryError(f"{self.name}(share={self.share}): between 0 and 1.")
        if self.at_least < 1:
            raise QueryError(f"{self.name}(at_least={self.at_least}): 1 or more.")
        if not 0 < self.fdr < 1:
            raise QueryError(f"{self.name}(fdr={self.fdr}): between 0 and 1.")
        given = {
            "title": self.plural.capitalize(),
            "evidence": f"{self.name}-{self.by}",
            "method": f"{self.name} by {self.by}, among the strongest inputs",
        }
        for name, value in given.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)

    @property
    def searches(self) -> tuple[Pairs, ...]:
        """This one."""
        return (self,)

    def part(self, role: str, side: int | None) -> tuple[str, int]:
        """Return which part of a circuit a member is: those of one name are compared by a match.

        Two inputs of a target are told apart by their roles, or by their sides where these are one.
        """
        if role == self.target:
            return role, 0
        names = [each.name for each in self.roles]
        if names[0] != names[1] and role in names:
            return role, names.index(role) + 1
        return role, side or 0

    def words(self, said: str) -> str:
        """Return ``score`` or ``label`` for its transform."""
        axis = self.of.name.removeprefix("mirror ")
        return said.format(of=self.of.name, axis=axis, plural=self.plural)

    def settings(self) -> Mapping[str, Any]:
        """Return the settings as JSON can hold them."""
        return {}

    def criteria(self) -> Mapping[str, Sequence[str]]:
        """Return what circuits are ``tested`` for, in sentences, and what is left ``untested``."""
        return {"tested": [], "untested": []}
