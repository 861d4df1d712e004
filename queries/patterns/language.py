"""The language of patterns: features joined by arrows, as in ``a -> u <- b; not a -> b``.

================ ============================================================================
``a -> u``       a weight from a to u, of either sign (``u <- a`` is the same)
``a +> u``       a weight whose sum is above 0 (``u <+ a``)
``a -| u``       a weight whose sum is below 0 (``u |- a``)
``a ~ b``        each is the other's image under a transform (``TRANSFORMS_TO``)
``a ~= b``       analogous features of two models (``ANALOGOUS_TO``)
``not a -> b``   no such weight
``;``            also; a new line does as well
================ ============================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from circuitkb.schema.errors import QueryError

if TYPE_CHECKING:
    import lark

T = TypeVar("T")

Relation = Literal["WEIGHT", "TRANSFORMS_TO", "ANALOGOUS_TO"]

_GRAMMAR = r"""
start: _ENDS? clause (_ENDS clause)* _ENDS?
clause: [NOT] NAME (ARROW NAME)+
NOT.2: /not\b/
NAME: /[A-Za-z][A-Za-z0-9_]*/
ARROW: "->" | "<-" | "+>" | "<+" | "-|" | "|-" | "~=" | "~"
_ENDS: /[ \t]*[;\n][;\s]*/
%import common.WS_INLINE
%ignore WS_INLINE
"""

_ARROWS: dict[str, tuple[Relation, str | None, bool]] = {
    "->": ("WEIGHT", None, False),
    "<-": ("WEIGHT", None, True),
    "+>": ("WEIGHT", "+", False),
    "<+": ("WEIGHT", "+", True),
    "-|": ("WEIGHT", "-", False),
    "|-": ("WEIGHT", "-", True),
    "~": ("TRANSFORMS_TO", None, False),
    "~=": ("ANALOGOUS_TO", None, False),
}
_ARROW = re.compile(r"->|<-|\+>|<\+|-\||\|-|~")
MOST_PARTS = 200
"""Arrows of a pattern."""

MOST_CHARACTERS = 20_000
"""Of a pattern."""

_WEIGHTS = {None: "->", "+": "+>", "-": "-|"}

_EXPECTED = {
    "NAME": "a name",
    "NOT": "not",
    "ARROW": "an arrow (-> <- +> -| ~ ~=)",
    "_ENDS": "; or a new line",
    "$END": "the end",
}


@dataclass(frozen=True)
class Step:
    """One arrow of a pattern, from its source to its target."""

    source: str
    target: str
    relation: Relation = "WEIGHT"
    sign: str | None = None

    def __str__(self) -> str:
        arrow = {"TRANSFORMS_TO": "~", "ANALOGOUS_TO": "~="}.get(self.relation)
        return f"{self.source} {arrow or _WEIGHTS[self.sign]} {self.target}"

    @property
    def ends(self) -> tuple[str, str]:
        """Source and target."""
        return self.source, self.target


@dataclass(frozen=True)
class Parsed:
    """What must be there, and what must not.

    ``names`` are the features that a match names, in the order in which they are written.
    """

    present: tuple[Step, ...]
    absent: tuple[Step, ...]
    names: tuple[str, ...]


def parse(text: str) -> Parsed:
    """Read a pattern.

    Raises
    ------
    QueryError
        It cannot be read (the message says where), names a feature that is joined to itself, or
        has parts that nothing joins.

    Examples
    --------
    >>> parse("a +> u <+ b; not a -> b")
    Parsed(present=(Step(source='a', target='u', relation='WEIGHT', sign='+'),
                    Step(source='b', target='u', relation='WEIGHT', sign='+')),
           absent=(Step(source='a', target='b', relation='WEIGHT', sign=None),),
           names=('a', 'u', 'b'))
    >>> parse("a -> -> b")
    Traceback (most recent call last):
    circuitkb.schema.errors.QueryError: The pattern 'a -> -> b', column 6: a name is expected,
    not '-> b'.
    """
    import lark

    _check_size(text)
    try:
        tree = _parser().parse(text)
    except lark.exceptions.UnexpectedInput as error:
        raise QueryError(_unread(text, error)) from None
    present: list[Step] = []
    absent: list[Step] = []
    names: list[str] = []
    for clause in tree.find_data("clause"):
        negated, *parts = clause.children
        chain = [str(part) for part in parts]
        steps = [
            _step(chain[place], chain[place + 1], chain[place + 2], text)
            for place in range(0, len(chain) - 2, 2)
        ]
        if negated and len(steps) > 1:
            raise QueryError(
                f"The pattern {_quoted(text)}: 'not' takes one arrow; write not a; not b."
            )
        (absent if negated else present).extend(steps)
        names += [] if negated else chain[::2]
    parsed = Parsed(_once(present), _once(absent), _once(names))
    _check(parsed, text)
    return parsed


def _quoted(text: str) -> str:
    """Return a pattern as a message shows it."""
    return repr(text if len(text) <= 200 else text[:197] + "...")


def _check_size(text: Any) -> None:
    """Raise for what is no text, or has more arrows or characters than are read."""
    if not isinstance(text, str):
        raise QueryError(f"A pattern is text, not a {type(text).__name__}.")
    arrows = len(_ARROW.findall(text)) if len(text) <= MOST_CHARACTERS else MOST_PARTS + 1
    if arrows > MOST_PARTS:
        raise QueryError(
            f"The pattern is too long: {MOST_PARTS} arrows and {MOST_CHARACTERS:,} characters are "
            "the most."
        )


def _once(found: list[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(found))


@cache
def _parser() -> lark.Lark:
    import lark

    return lark.Lark(_GRAMMAR, parser="lalr", maybe_placeholders=True)


def _step(source: str, arrow: str, target: str, text: str) -> Step:
    relation, sign, backwards = _ARROWS[arrow]
    if source == target:
        raise QueryError(f"The pattern {_quoted(text)} joins {source!r} to itself.")
    if backwards:
        source, target = target, source
    return Step(source, target, relation, sign)


def _check(parsed: Parsed, text: str) -> None:
    if not parsed.present:
        raise QueryError(f"The pattern {_quoted(text)} says only what is not there.")
    every = {name for step in parsed.present + parsed.absent for name in step.ends}
    if "not" in every or len({name.lower() for name in every}) < len(every):
        raise QueryError(
            f"The pattern {_quoted(text)}: names must differ in more than case, and none is 'not'."
        )
    joined = [(*step.ends, step.relation) for step in parsed.present]
    twice = next((ends for ends in joined if joined.count(ends) > 1), None)
    if twice:
        raise QueryError(
            f"The pattern {_quoted(text)} has two arrows from {twice[0]!r} to {twice[1]!r}."
        )
    reached = {parsed.names[0]}
    for _ in parsed.present:
        for step in parsed.present:
            if not reached.isdisjoint(step.ends):
                reached.update(step.ends)
    apart = [name for name in parsed.names if name not in reached]
    if apart:
        raise QueryError(
            f"The pattern {_quoted(text)} has parts that nothing joins: {apart[0]!r} and "
            f"{parsed.names[0]!r}. Ask for each on its own."
        )
    for step in parsed.absent:
        if reached.isdisjoint(step.ends):
            raise QueryError(
                f"The pattern {_quoted(text)}: in 'not {step}' neither end is in the rest."
            )


def _unread(text: str, error: Any) -> str:
    import lark

    column = max(getattr(error, "column", 0) or 0, 0)
    line = getattr(error, "line", 1) or 1
    where = f"column {column}" if line <= 1 else f"line {line}, column {column}"
    ended = isinstance(error, lark.exceptions.UnexpectedEOF) or (
        isinstance(error, lark.exceptions.UnexpectedToken) and error.token.type == "$END"
    )
    names = error.accepts if isinstance(error, lark.exceptions.UnexpectedToken) else set()
    names = names or getattr(error, "expected", None) or getattr(error, "allowed", None) or {"NAME"}
    wanted = " or ".join(_EXPECTED[name] for name in _EXPECTED if name in names)
    if ended:
        return f"The pattern {_quoted(text)} ends where {wanted or 'more'} is expected."
    rest = text.splitlines()[line - 1][column - 1 :][:20] if text.strip() else text
    return (
        f"The pattern {_quoted(text)}"
        f", {where}: {wanted or 'something else'} is expected, not {rest!r}."
    )
