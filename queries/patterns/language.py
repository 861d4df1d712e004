"""The language of patterns: features joined by arrows, as in ``a -> u <- b; not a -> b``.

======================== ====================================================================
``a -> u``               a weight from a to u, of either sign (``u <- a`` is the same)
``a +> u``               a weight whose sum is above 0 (``u <+ a``)
``a -| u``               a weight whose sum is below 0 (``u |- a``)
``a ~ b``                each is the other's image under a transform (``TRANSFORMS_TO``)
``a ~= b``               analogous features of two models (``ANALOGOUS_TO``)
``not a -> b``           no such weight
``;``                    also; a new line does as well
``a -> u [l1 > 0.5]``    what the weight must be; several conditions stand with commas
``a -> u as au``         the weight has a name
``a.layer = "conv1"``    what a feature must be, or a weight with a name
``au.l1 > bu.l1``        two properties, of features or of weights with names, compared
``two(x, y) { ... }``    a macro; ``two(a, b)`` puts its lines in
``# ...``                a comment
======================== ====================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from circuitkb.queries.patterns.macros import Expansion, Rename, aliases_in
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import QueryError, SchemaError

if TYPE_CHECKING:
    import lark

T = TypeVar("T")

Relation = Literal["WEIGHT", "TRANSFORMS_TO", "ANALOGOUS_TO"]

_GRAMMAR = r"""
start: _ENDS? (statement | macro) (_ENDS (statement | macro))* _ENDS?
macro: names "{" _ENDS? statement (_ENDS statement)* _ENDS? "}"
?statement: clause | condition | call
call: names
names: NAME "(" NAME ("," NAME)* ")"
clause: [NOT] chain [within] [alias]
chain: NAME (ARROW NAME)+
within: "[" bound ("," bound)* "]"
bound: NAME OPERATOR (NUMBER | TEXT | TRUTH)
alias: "as" NAME
condition: reference OPERATOR (reference | NUMBER | TEXT | TRUTH)
reference: NAME "." NAME
NOT.2: /not\b/
TRUTH.2: /(true|false)\b/
NAME: /[A-Za-z][A-Za-z0-9_]*/
ARROW: "->" | "<-" | "+>" | "<+" | "-|" | "|-" | "~=" | "~"
OPERATOR: /==?|!=|<>|<=?|>=?|contains\b/
NUMBER: /[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?/
TEXT: /"[^"\n]*"|'[^'\n]*'/
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
_PART = re.compile(r"->|<-|\+>|<\+|-\||\|-|~|[<>=!]+|\(")
_COMMENT = re.compile(r"""("[^"\n]*"|'[^'\n]*')|#[^\n]*""")
MOST_PARTS = 200
"""Arrows, conditions and uses of macros, as the text has them and with its macros put in."""

MOST_CHARACTERS = 20_000
"""Of a pattern."""

_WEIGHTS = {None: "->", "+": "+>", "-": "-|"}

_EXPECTED = {
    "NAME": "a name",
    "NOT": "not",
    "ARROW": "an arrow (-> <- +> -| ~ ~=)",
    "DOT": "a dot and a property",
    "OPERATOR": "a comparison (= <> < <= > >= contains)",
    "NUMBER": "a number",
    "TEXT": "a text in quotes",
    "COMMA": "a comma",
    "RPAR": ")",
    "RSQB": "]",
    "RBRACE": "}",
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
class Reference:
    """A property of a feature, by its name in the pattern, or of the weight of an arrow."""

    part: str | Step
    name: str

    def __str__(self) -> str:
        return f"{self.part}.{self.name}"

    @property
    def ends(self) -> tuple[str, ...]:
        """The features that it is about."""
        return (self.part,) if isinstance(self.part, str) else self.part.ends


@dataclass(frozen=True)
class Comparison:
    """Two properties and how they compare: ``= <> < <= > >=``; ``place`` says where it stands."""

    left: Reference
    operator: str
    right: Reference
    place: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"

    @property
    def turned(self) -> Comparison:
        """The same, said from the other side."""
        turned = (
            self.operator.translate(str.maketrans("<>", "><")) if self.operator != "<>" else "<>"
        )
        return Comparison(self.right, turned, self.left, self.place)


@dataclass(frozen=True)
class Bound:
    """A property and the value that it is compared with; ``absent`` if of an arrow after not."""

    of: Reference
    operator: str
    value: str | float | bool
    absent: bool = False
    place: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True)
class Parsed:
    """What must be there, and what must not.

    ``names`` are the features that a match names, in the order in which they are written;
    ``weights`` the arrows by the names that ``as`` gives them.
    """

    present: tuple[Step, ...]
    absent: tuple[Step, ...]
    names: tuple[str, ...]
    weights: dict[str, Step] = field(default_factory=dict, hash=False, repr=False)
    bounds: tuple[Bound, ...] = field(default=(), repr=False)
    comparisons: tuple[Comparison, ...] = field(default=(), repr=False)

    def reference(self, part: str, property: str) -> Reference:
        """Return a property of a feature or of an arrow with a name.

        Raises
        ------
        QueryError
            The pattern has no part of this name, or has it after ``not`` alone.
        """
        if part in self.weights:
            return Reference(self.weights[part], property)
        if part not in self.names:
            raise QueryError(
                f"'{part}.{property}' is compared, but no feature and no weight that is there is "
                f"called {part!r}.{did_you_mean(part, (*self.names, *self.weights))}"
            )
        return Reference(part, property)


def parse(text: str) -> Parsed:
    """Read a pattern.

    Raises
    ------
    QueryError
        It cannot be read (the message says where), has more than 200 parts with its macros put
        in, compares what it does not have, or has parts that nothing joins.

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

    written = _without_comments(text)
    try:
        tree = _parser().parse(written)
    except lark.exceptions.UnexpectedInput as error:
        raise QueryError(_unread(text, error)) from None
    read = _Reader(text)
    conditions = []
    for statement, rename in Expansion(MOST_PARTS, read.place).statements(tree):
        if statement.data == "clause":
            read.clause(statement, rename)
        else:
            conditions.append((statement, rename))
    parsed = Parsed(_once(read.present), _once(read.absent), _once(read.names), read.weights)
    _check(parsed, text)
    bounds, comparisons = read.bounds, []
    for statement, rename in conditions:  # an arrow may get its name further down
        left, operator, right = statement.children
        place = read.place(left.children[0])
        with said_at(place):
            found = parsed.reference(*_reference(left, rename))
        if isinstance(right, lark.Tree):
            with said_at(read.place(right.children[0])):
                other = parsed.reference(*_reference(right, rename))
            comparisons.append(Comparison(found, _operator(operator), other, place))
        else:
            bounds.append(Bound(found, _operator(operator), _value(right), place=place))
    return replace(parsed, bounds=_once(bounds), comparisons=_once(comparisons))


@dataclass
class _Reader:
    """What the arrows of a pattern say, one clause after the other."""

    text: str
    present: list[Step] = field(default_factory=list)
    absent: list[Step] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    weights: dict[str, Step] = field(default_factory=dict)
    bounds: list[Bound] = field(default_factory=list)

    def clause(self, tree: Any, rename: Rename) -> None:
        """Take in one chain of arrows."""
        negated, chain, within, alias = tree.children
        parts = [part if part.type == "ARROW" else rename(str(part)) for part in chain.children]
        steps = [
            _step(parts[place], parts[place + 1], parts[place + 2])
            for place in range(0, len(parts) - 2, 2)
        ]
        step = steps[0]

        def refused(why: str) -> QueryError:
            return QueryError(f"{self.place(chain.children[0])}: {why}")

        if len(steps) > 1 and (negated or within or alias):
            word = "'not'" if negated else "'[...]'" if within else "'as'"
            raise refused(f"{word} takes one arrow; write a -> b; b -> c.")
        if step.relation != "WEIGHT" and (within or alias):
            raise refused(f"'{step}' is no weight, so it takes neither '[...]' nor 'as'.")
        if negated and step in self.absent and (within or any(b.absent for b in self.bounds)):
            raise refused(f"'not {step}' stands twice: ask for each on its own.")
        (self.absent if negated else self.present).extend(steps)
        self.names += [] if negated else parts[::2]
        for bound in within.children if within else ():
            name, operator, value = bound.children
            of, place = Reference(step, str(name)), self.place(name)
            self.bounds.append(Bound(of, _operator(operator), _value(value), bool(negated), place))
        if alias:
            (written,) = aliases_in([tree])
            if negated:
                raise refused(f"'as {written}' names a weight that is not there: leave it out.")
            name = rename(written)
            if self.weights.setdefault(name, step) != step:
                raise refused(f"two weights get the name {written!r}: give one another.")

    def place(self, token: Any) -> str:
        """Return where a token stands, as messages begin."""
        return f"The pattern {_quoted(self.text)}, {_place(token.line, token.column)}"


def _without_comments(text: Any) -> str:
    """Return a pattern with blanks for its comments.

    Raises
    ------
    QueryError
        It is no text, or has more parts or characters than are read.
    """
    if not isinstance(text, str):
        raise QueryError(f"A pattern is text, not a {type(text).__name__}.")
    if len(text) <= MOST_CHARACTERS:
        written = _COMMENT.sub(lambda found: found[1] or " " * len(found[0]), text)
        if len(_PART.findall(written)) <= MOST_PARTS:
            return written
    raise QueryError(
        f"The pattern is too long: {MOST_PARTS} parts (arrows, conditions, uses of macros) and "
        f"{MOST_CHARACTERS:,} characters are the most."
    )


def _reference(tree: Any, rename: Rename) -> tuple[str, str]:
    part, property = tree.children
    return rename(str(part)), str(property)


def _operator(token: Any) -> str:
    return {"==": "=", "!=": "<>"}.get(token, str(token))


def _value(token: Any) -> str | float | bool:
    if token.type == "TEXT":
        return str(token[1:-1])
    if token.type == "TRUTH":
        return bool(token == "true")
    # A whole number that no store holds is read as the number that it is nearest to.
    return int(token) if re.fullmatch(r"[+-]?\d{1,18}", token) else float(token)


def _quoted(text: str) -> str:
    """Return a pattern as a message shows it."""
    return repr(text if len(text) <= 200 else text[:197] + "...")


def _once(found: list[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(found))


@cache
def _parser() -> lark.Lark:
    import lark

    return lark.Lark(_GRAMMAR, parser="lalr", maybe_placeholders=True)


def _step(source: str, arrow: str, target: str) -> Step:
    relation, sign, backwards = _ARROWS[arrow]
    if backwards:
        source, target = target, source
    return Step(source, target, relation, sign)


def _check(parsed: Parsed, text: str) -> None:
    if not parsed.present:
        raise QueryError(f"The pattern {_quoted(text)} says only what is not there.")
    every = {name for step in parsed.present + parsed.absent for name in step.ends}
    called = [*every, *parsed.weights]
    if "not" in called or len({name.lower() for name in called}) < len(called):
        raise QueryError(
            f"The pattern {_quoted(text)}: names must differ in more than case, and none is 'not'."
        )
    joined = [(*step.ends, step.relation) for step in parsed.present]
    twice = next((ends for ends in joined if joined.count(ends) > 1), None)
    if twice:
        raise QueryError(
            f"The pattern {_quoted(text)} has two arrows from {twice[0]!r} to {twice[1]!r}: "
            "write one, with its conditions in [...]."
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


@contextmanager
def said_at(place: str) -> Iterator[None]:
    """Begin the message of what is refused with the place that it is about."""
    try:
        yield
    except (QueryError, SchemaError) as error:
        raise type(error)(f"{place}: {error}" if place else str(error)) from None


def _place(line: int, column: int) -> str:
    return f"column {column}" if line <= 1 else f"line {line}, column {column}"


def _unread(text: str, error: Any) -> str:
    import lark

    column = max(getattr(error, "column", 0) or 0, 0)
    line = getattr(error, "line", 1) or 1
    ended = isinstance(error, lark.exceptions.UnexpectedEOF) or (
        isinstance(error, lark.exceptions.UnexpectedToken) and error.token.type == "$END"
    )
    names = error.accepts if isinstance(error, lark.exceptions.UnexpectedToken) else set()
    names = names or getattr(error, "expected", None) or getattr(error, "allowed", None) or {"NAME"}
    wanted = " or ".join(_EXPECTED[name] for name in _EXPECTED if name in names)
    if wanted == _EXPECTED["DOT"]:
        wanted += " (a text stands in quotes)"
    if ended:
        return f"The pattern {_quoted(text)} ends where {wanted or 'more'} is expected."
    rest = text.splitlines()[line - 1][column - 1 :][:20] if text.strip() else text
    return (
        f"The pattern {_quoted(text)}"
        f", {_place(line, column)}: {wanted or 'something else'} is expected, not {rest!r}."
    )
