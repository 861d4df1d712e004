"""What an import of annotations did, or would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from circuitkb.results.result import Result

KEPT = 1_000
"""Rejections and conflicts that a report tells one by one; it counts all."""


class Place(NamedTuple):
    """Something about one line of a file."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True)
class FileReport:
    """What one file held.

    Attributes
    ----------
    file, format, sha256
        Its path, the format it was read as, the checksum of its bytes.
    read, rejected
        Records that stand in it, and those of them that were refused.
    """

    file: str
    format: str
    sha256: str
    read: int
    rejected: int


@dataclass(frozen=True)
class ImportReport:
    """What became of the records of an import.

    Attributes
    ----------
    files
        What was read.
    new, known, conflicting, pending, rejected
        Annotations that were not here before; records that were; records whose id stands for
        another record; of the new ones those that wait for what they refer to; refused records.
    rejections, conflicts
        Where and why, the first thousand of each.
    contested_circuits
        Circuits that records define in more than one way.
    unknown_models
        Models that records speak of and that are not here, with the number of records.
    without_fingerprint
        Records on features or edges that do not say which weights they were made on.
    written
        Whether the knowledge base was changed.
    dry_run, partial
        Whether it was not to be changed; whether refused records were to be left out.
    seconds
        How long it took.
    """

    files: tuple[FileReport, ...]
    new: int
    known: int
    conflicting: int
    pending: int
    rejected: int
    rejections: tuple[Place, ...] = ()
    conflicts: tuple[Place, ...] = ()
    contested_circuits: tuple[str, ...] = ()
    unknown_models: Mapping[str, int] = field(default_factory=dict)
    without_fingerprint: int = 0
    written: bool = False
    dry_run: bool = False
    partial: bool = False
    seconds: float = 0.0

    @property
    def refused(self) -> bool:
        """Whether nothing was written because of some records."""
        return self.rejected > 0 and not self.partial

    def to_result(self) -> Result:
        """Return the counts as one row."""
        row = {
            "files": len(self.files),
            "read": sum(file.read for file in self.files),
            "new": self.new,
            "known": self.known,
            "conflicting": self.conflicting,
            "pending": self.pending,
            "rejected": self.rejected,
            "written": self.written,
            "seconds": round(self.seconds, 2),
        }
        return Result.of_records([row])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dictionaries and lists."""
        row = self.to_result().to_dicts()[0]
        return row | {
            "dry_run": self.dry_run,
            "partial": self.partial,
            "files": [vars(file) for file in self.files],
            "rejections": [place._asdict() for place in self.rejections],
            "conflicts": [place._asdict() for place in self.conflicts],
            "contested_circuits": list(self.contested_circuits),
            "unknown_models": dict(self.unknown_models),
            "without_fingerprint": self.without_fingerprint,
        }
