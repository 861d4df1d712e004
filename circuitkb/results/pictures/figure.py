"""A picture with what stands below it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A picture of a card or a page.

    Attributes
    ----------
    svg
        As this package makes it, which escapes all texts in it.
    caption
        What it shows, and beside what.
    about
        The id of what it shows, where that is not what the card or page is about.
    """

    svg: str
    caption: str = ""
    about: str = ""
