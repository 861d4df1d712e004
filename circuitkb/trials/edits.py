"""Edits of a network, as values and as words.

An :class:`Edit` is a set of changes. In words they are joined by ``; ``, and read back to the same
value::

    remove layer:278 into layer:5            take the edge away
    scale layer:278 into layer:5 by 0.5
    flip layer:3 into layer:5                turn the sign
    mirror layer:3 into layer:5 left-right   or up-down
    rotate layer:3 into layer:5 by 90        or 180, 270: counterclockwise
    swap layer:1 and layer:2 into layer:5    each gets the kernel of the other
    set layer:3 into layer:5 to [[0, 1, 0], [1, 2, 1], [0, 1, 0]]
    ablate layer:5 by zero                   or by mean, by resampling, by resampling 7 (the seed)

``into layer:5`` may be left out where the target is known, as ``layer:5`` after ``ablate``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self, get_args

from circuitkb.schema.errors import TrialError
from circuitkb.trials.single_changes import (
    Ablate,
    Axis,
    By,
    Change,
    Flip,
    Mirror,
    Put,
    Remove,
    Rotate,
    Scale,
    Swap,
    Unit,
)


@dataclass(frozen=True, slots=True)
class Edit:
    """Changes that are made together, in no order.

    Raises
    ------
    TrialError
        There are none, or two of them clash.

    Examples
    --------
    >>> edit = Edit.parse("scale a:3 by 0.5; remove a:1", "b:7")
    >>> str(edit)
    'remove a:1 into b:7; scale a:3 into b:7 by 0.5'
    >>> edit.words("b:7")
    'remove a:1; scale a:3 by 0.5'
    >>> Edit.parse(str(edit)) == edit
    True
    >>> Edit.parse("remove a:1; swap a:1 and a:2", "b:7")
    Traceback (most recent call last):
    circuitkb.schema.errors.TrialError: Two changes clash: remove a:1 into b:7, and swap a:1 and ...
    """

    changes: tuple[Change, ...]

    def __post_init__(self) -> None:
        if not self.changes:
            raise TrialError("An edit changes something: give at least one change.")
        inorder = tuple(sorted(self.changes, key=lambda change: change.words()))
        object.__setattr__(self, "changes", inorder)
        _check_clashes(inorder)

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Self:
        """Return the edit of some changes."""
        return cls(tuple(changes))

    @classmethod
    def parse(
        cls, text: str, target: str | Unit | None = None, *, model: str | None = None
    ) -> Self:
        """Read an edit in words.

        Parameters
        ----------
        target
            The unit that edges lead into, or that is ablated, where the words name none.
        model
            Name that units may carry in front, as in the ids of features.

        Raises
        ------
        TrialError
            The words are none of the language, or two changes clash.
        """
        into = Unit.parse(target, model) if isinstance(target, str) else target
        parts = re.split(r";(?=\s|$)", text.strip().removesuffix(";"))
        return cls(tuple(_change(part.strip(), into, model) for part in parts))

    def words(self, target: str | Unit | None = None) -> str:
        """Return the edit in words; what concerns ``target`` does not name it."""
        into = Unit.parse(target) if isinstance(target, str) else target
        return "; ".join(change.words(into) for change in self.changes)

    def __str__(self) -> str:
        return self.words()

    @property
    def edges(self) -> tuple[tuple[Unit, Unit], ...]:
        """The edges that change, source first."""
        return tuple(edge for change in self.changes for edge in change.edges)

    @property
    def ablated(self) -> tuple[Ablate, ...]:
        """The ablations."""
        return tuple(change for change in self.changes if isinstance(change, Ablate))


def _check_clashes(changes: tuple[Change, ...]) -> None:
    ablations: dict[Unit, Ablate] = {}
    edges: dict[tuple[Unit, Unit], Change] = {}
    for change in changes:
        if isinstance(change, Ablate):
            if change.unit in ablations:
                raise _clash(ablations[change.unit], change, "give one")
            ablations[change.unit] = change
        for edge in change.edges:
            if edge in edges:
                why = f"both change the edge from {edge[0]} to {edge[1]}"
                raise _clash(edges[edge], change, why)
            edges[edge] = change
    for (_, target), change in edges.items():
        if target in ablations:
            why = f"what leads into {target} does not count then"
            raise _clash(change, ablations[target], why)


def _clash(change: Change, other: Change, why: str) -> TrialError:
    return TrialError(f"Two changes clash: {change.words()}, and {other.words()}: {why}.")


_BY: dict[str, By] = {"zero": "zero", "mean": "mean", "resampling": "resampling"}
_INTO = r"(?: into (?P<target>\S+))?"
_FORMS = {
    "remove": rf"(?P<source>\S+){_INTO}",
    "flip": rf"(?P<source>\S+){_INTO}",
    "scale": rf"(?P<source>\S+){_INTO} by (?P<value>\S+)",
    "mirror": rf"(?P<source>\S+){_INTO} (?P<value>left-right|up-down)",
    "rotate": rf"(?P<source>\S+){_INTO} by (?P<value>-?\d{{1,3}})",
    "swap": rf"(?P<source>\S+) and (?P<other>\S+){_INTO}",
    "set": rf"(?P<source>\S+){_INTO} to (?P<value>\[.*\])",
    "ablate": (
        r"(?P<target>(?!by )\S+)?"
        r"(?: ?\bby (?P<value>zero|mean|resampling)(?: (?P<seed>\d{1,18}))?)?"
    ),
}
_EXAMPLES = {
    "remove": "remove layer:3",
    "flip": "flip layer:3",
    "scale": "scale layer:3 by 0.5",
    "mirror": "mirror layer:3 left-right",
    "rotate": "rotate layer:3 by 90",
    "swap": "swap layer:3 and layer:4",
    "set": "set layer:3 to [[0, 1, 0], [1, 2, 1], [0, 1, 0]]",
    "ablate": "ablate layer:3 by mean",
}


def _change(text: str, into: Unit | None, model: str | None) -> Change:
    verb, _, rest = " ".join(text.split()).partition(" ")
    form = _FORMS.get(verb)
    if form is None:
        raise TrialError(
            f"{text!r} is no edit: it begins with one of {', '.join(_FORMS)}, as in "
            f"{_EXAMPLES['scale']!r}."
        )
    found = re.fullmatch(form, rest)
    if found is None:
        raise TrialError(f"{text!r} is no edit: write it as in {_EXAMPLES[verb]!r}.")
    said = found.groupdict()
    target = into if said["target"] is None else Unit.parse(said["target"], model)
    if target is None:
        raise TrialError(f"{text!r} does not say of which target: add 'into layer:unit'.")
    if verb == "ablate":
        return Ablate(target, _BY[said["value"] or "zero"], int(said["seed"] or 0))
    source = Unit.parse(said["source"], model)
    if verb == "swap":
        return Swap(source, Unit.parse(said["other"], model), target)
    made: dict[str, Callable[[], Change]] = {
        "remove": lambda: Remove(source, target),
        "flip": lambda: Flip(source, target),
        "scale": lambda: Scale(source, target, _parsed(said["value"], text)),
        "mirror": lambda: Mirror(source, target, _axis(said["value"])),
        "rotate": lambda: Rotate(source, target, int(said["value"])),
        "set": lambda: Put(source, target, _table(said["value"], text)),
    }
    return made[verb]()


def _axis(text: str) -> Axis:
    return next(axis for axis in get_args(Axis) if axis == text)


def _parsed(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise TrialError(f"{whole!r} is no edit: {text!r} is no number.") from None


def _table(text: str, whole: str) -> tuple[tuple[float, ...], ...]:
    try:
        rows = json.loads(text)
        return tuple(tuple(float(value) for value in row) for row in rows)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise TrialError(
            f"{whole!r} is no edit: write rows of numbers, as in {_EXAMPLES['set']!r}."
        ) from None
