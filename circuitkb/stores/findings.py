"""What a look at a store found of one part of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One part of a store, how much of it was looked at, and what was found.

    Attributes
    ----------
    part
        What was looked at.
    looked_at
        How much of it.
    found
        What was found.
    remedy
        What to do about it; empty where there is nothing to do.
    damage
        Whether something is not what was written.
    """

    part: str
    looked_at: str
    found: str = "whole"
    remedy: str = ""
    damage: bool = False
