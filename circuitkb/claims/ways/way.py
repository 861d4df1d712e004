"""What a test is asked, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from circuitkb.schema.errors import ClaimError
from circuitkb.schema.progress import Progress, silent
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from pathlib import Path

    from circuitkb.patterns.pattern_query import PatternQuery
    from circuitkb.queries.patterns.pattern import Pattern
    from circuitkb.results.proof_report import ProofReport
    from circuitkb.results.trial_report import TrialReport

DRAWS = 999
"""Draws from a null that costs little."""


class NotTestableError(ClaimError):
    """A claim that cannot be tested here, and why: it stays untested."""


class Bench(Protocol):
    """What tests need of a knowledge base."""

    @property
    def store(self) -> Store:
        """Where everything is."""

    def trial(
        self,
        about: str,
        edit: str | None = None,
        *,
        read: str | None = None,
        seed: int = 0,
        keep: bool = True,
        progress: Progress = silent,
    ) -> TrialReport:
        """Predict, edit, run, compare, keep."""

    def prove(
        self,
        about: str,
        when: str | None = None,
        then: str = "",
        *,
        box: str = "range",
        within: Sequence[str] = (),
        seconds: float = 60.0,
        keep: bool = True,
        progress: Progress = silent,
    ) -> ProofReport:
        """Prove a statement over a box of inputs, or refute it, and keep that."""

    def export_proof(
        self,
        about: str,
        folder: Path,
        when: str | None = None,
        then: str = "",
        *,
        box: str = "range",
        within: Sequence[str] = (),
    ) -> list[Path]:
        """Write a statement as VNN-LIB 2.0, and what it is about as ONNX."""

    def pattern(self, pattern: str | Pattern) -> PatternQuery:
        """Return the matches of a pattern."""


@dataclass(frozen=True)
class Asked:
    """A prediction, and where it is to be tested.

    Attributes
    ----------
    kb
        The knowledge base.
    model, subject
        Name of the model; what the claim is about: it, or a feature or circuit of it.
    prediction
        As the claim has it.
    keep
        Whether what is tried or proved on the way is kept; not where a test is repeated.
    """

    kb: Bench
    model: str
    subject: str
    prediction: Mapping[str, Any]
    progress: Progress = silent
    keep: bool = True

    @property
    def store(self) -> Store:
        """Where everything is."""
        return self.kb.store


@dataclass(frozen=True)
class Run:
    """What a test measured.

    Attributes
    ----------
    value
        The value that is predicted.
    again
        The same on other halves, or with other seeds: what stability is judged by.
    null
        Draws of the same from chance, or from what was not claimed.
    p
        Where draws are not kept: share of the null that meets the prediction as well.
    null_mean, null_count
        Mean of the null and number of draws, where they are not kept.
    what, control, stability
        What was measured, the null, and what ``again`` is; in words.
    detail
        Further figures, as JSON can hold them.
    exact
        Whether the value needs no control: it was proved.
    left_open
        Why it was not decided; empty where it was.
    """

    value: float
    again: tuple[float, ...]
    what: str
    control: str
    stability: str
    null: tuple[float, ...] = ()
    p: float | None = None
    null_mean: float | None = None
    null_count: int | None = None
    detail: Mapping[str, Any] | None = None
    exact: bool = False
    left_open: str = ""
