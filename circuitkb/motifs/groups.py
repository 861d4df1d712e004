"""Motifs whose circuits are groups of units, not two inputs of one target.

:class:`Groups` is a way to search for one; its ``engine`` returns
:class:`~circuitkb.motifs.group_findings.GroupFindings`, whatever is tested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from circuitkb.motifs.motif import Pairs
from circuitkb.schema.errors import QueryError


@dataclass(frozen=True, kw_only=True)
class Groups(Pairs):
    """One way to search for groups of units; the attributes of a subclass are its criteria.

    Attributes
    ----------
    tested, untested
        What circuits are tested for, in sentences, and what this way cannot tell.
    null_method
        What chance is, in a sentence.
    explained
        What a report says below its figures.
    interchangeable
        Whether any member of a group may take any other's place: where roles count from a member
        that another model may have begun elsewhere.
    """

    at_target: ClassVar[bool] = False
    writer: ClassVar[str] = "circuitkb.motifs.group_rows:group_rows"
    section: ClassVar[str] = "circuitkb.report.groups:group_lines"
    score: ClassVar[str] = "see the evidence"
    label: ClassVar[str] = "{plural}"
    interchangeable: ClassVar[bool] = False

    tested: tuple[str, ...] = ()
    untested: tuple[str, ...] = ()
    null_method: str = ""
    explained: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("draws", "repetitions", "named"):
            count = getattr(self, name, None)
            if count is not None and count < 1:
                raise QueryError(f"{self.name}({name}={count}): 1 or more.")

    def settings(self) -> Mapping[str, Any]:
        """Return the settings as JSON can hold them."""
        return {"of": self.of.name, "fdr": self.fdr}

    def part(self, role: str, side: int | None) -> tuple[str, int]:
        """Return which part of a group a member is: that of its role and side."""
        return ("member", 0) if self.interchangeable else (role, side or 0)

    def criteria(self) -> Mapping[str, Sequence[str]]:
        """Return what circuits are ``tested`` for, in sentences, and what is left ``untested``."""
        return {"tested": list(self.tested), "untested": list(self.untested)}
