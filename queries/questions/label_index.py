"""The labels of a knowledge base, arranged so that a sentence's words are looked up at once."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator

from rapidfuzz.distance import DamerauLevenshtein

_LONGEST = 100  # characters of a label from a word on: no run of words in a sentence is longer


class LabelIndex:
    """Labels by the words in them, and by their beginnings.

    Examples
    --------
    >>> index = LabelIndex(["Oriented Dog Heads"])
    >>> index.holds("dog head"), index.holds("og"), index.nearest("oriented dog haeds")
    (True, False, 'Oriented Dog Heads')
    """

    def __init__(self, labels: Iterable[str]) -> None:
        known = list(labels)
        self._whole = {form for label in known for form in forms_of(label.lower())}
        self._from_words = sorted({part for label in known for part in _from_words(label.lower())})
        self._forms: defaultdict[tuple[str, int], list[tuple[str, str]]] = defaultdict(list)
        for label in known:
            for form in forms_of(label.lower()):
                self._forms[form[:1], len(form)].append((form, label))
        self._near: dict[str, str | None] = {}

    def holds(self, run: str) -> bool:
        """Return whether a label has these words, from the beginning of one of its own on."""
        wanted = run.lower()
        if not 2 < len(wanted) <= _LONGEST:
            return False
        place = bisect_left(self._from_words, wanted)
        return place < len(self._from_words) and self._from_words[place].startswith(wanted)

    def is_whole(self, run: str) -> bool:
        """Return whether a label is these words, in the singular or the plural."""
        return not self._whole.isdisjoint(forms_of(run.lower()))

    def nearest(self, run: str) -> str | None:
        """Return the one label that the words are a slip away from: two from nine letters on."""
        if len(run) < 5 or run.isdigit():
            return None
        if run not in self._near:
            self._near[run] = self._nearest(run.lower())
        return self._near[run]

    def _nearest(self, run: str) -> str | None:
        slips = 1 if len(run) < 9 else 2
        near = {
            label
            for length in range(len(run) - slips, len(run) + slips + 1)
            for form, label in self._forms.get((run[:1], length), ())
            if DamerauLevenshtein.distance(run, form, score_cutoff=slips) <= slips
        }
        return near.pop() if len(near) == 1 else None


def forms_of(words: str) -> list[str]:
    """Return words as they stand, and without the ``s`` of a plural."""
    return [words, words[:-1]] if words.endswith("s") else [words]


def _from_words(label: str) -> Iterator[str]:
    """Give a label from each of its words on."""
    before = " "
    for place, letter in enumerate(label):
        if letter != " " and not before.isalnum():
            yield label[place : place + _LONGEST]
        before = letter
