"""What is to be proved, in words: ``case 1 >= best or case 2 >= best``, and then ``target > 0``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from circuitkb.schema.errors import ProofError

if TYPE_CHECKING:
    from lark import Lark

Sign = Literal[">", ">=", "<", "<="]

WHEN, THEN = "any case >= best", "target > 0"
"""What is asked where nobody says what: every case alone moves the target above zero."""

BEST = 10
"""``best`` is what a feature answers at least to so many of the stimuli it answers to most."""

_GRAMMAR = r"""
    start: both ("or" both)*
    both: comparison ("and" comparison)*
    comparison: sum SIGN level
    sum: (part | less) (("+" part) | less)*
    less: "-" part
    part: [NUMBER "*"] name [place]
    name: "case" INT -> case
        | "any" "case" -> any
        | "target" -> target
        | FEATURE -> feature
    place: "@" SIGNED "," SIGNED
    level: REAL -> number
         | REAL "%" -> share
         | "best" -> best
         | "mean" -> mean
    SIGN: ">=" | "<=" | ">" | "<"
    FEATURE.2: /[^\s@*+<>=,-][^\s@*+<>=,]*:\d+/
    SIGNED: /[+-]?\d+/
    REAL: /[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?/i
    NUMBER: /(\d+\.?\d*|\.\d+)(e[+-]?\d+)?/i
    INT: /\d+/
    %ignore /\s+/
"""


@dataclass(frozen=True)
class Term:
    """A feature of a comparison, times a factor.

    ``name`` is ``target``, ``case 1``, ``any case``, or a feature: ``layer:unit`` or its whole id.
    ``down`` and ``right`` count places on its map from the one that the target reads.
    """

    name: str
    factor: float = 1.0
    down: int = 0
    right: int = 0

    def __str__(self) -> str:
        place = f"@{self.down},{self.right}" if self.down or self.right else ""
        factor = "" if abs(self.factor) == 1 else f"{abs(self.factor):g}*"
        return f"{factor}{self.name}{place}"


@dataclass(frozen=True)
class Level:
    """What a feature is compared with: a number, a share of its range, or what it answers."""

    kind: Literal["number", "share", "best", "mean"]
    value: float = 0.0

    def __str__(self) -> str:
        return {"number": f"{self.value:.12g}", "share": f"{self.value:g}%"}.get(
            self.kind, self.kind
        )


@dataclass(frozen=True)
class Comparison:
    """``2*a:0 + b:1 >= 3``."""

    terms: tuple[Term, ...]
    sign: Sign
    level: Level

    def __str__(self) -> str:
        first, *rest = self.terms
        text = f"-{first}" if first.factor < 0 else str(first)
        text += "".join(f" {'-' if one.factor < 0 else '+'} {one}" for one in rest)
        return f"{text} {self.sign} {self.level}"


@dataclass(frozen=True)
class Statement:
    """Whenever all comparisons of one of several lists hold, another one does.

    Examples
    --------
    >>> said = Statement.parse("case 1 >= best or a:3 > 0.5 and a:4 < 20%", "target > 0")
    >>> [[str(one) for one in all_of] for all_of in said.when]
    [['case 1 >= best'], ['a:3 > 0.5', 'a:4 < 20%']]
    >>> Statement.parse("case 1 >= ", "target > 0")
    Traceback (most recent call last):
    circuitkb.schema.errors.ProofError: 'case 1 >= ' ends too early...
    """

    when: tuple[tuple[Comparison, ...], ...]
    then: Comparison

    @classmethod
    def parse(cls, when: str, then: str, cases: int = 0) -> Statement:
        """Read a statement; ``any case`` stands for each of so many cases, joined by *or*.

        Raises
        ------
        ProofError
            It cannot be read.
        """
        said = tuple(_spread(_parsed(when), cases))
        concluded = _parsed(then)
        if len(concluded) != 1 or len(concluded[0]) != 1:
            raise ProofError(f"{then!r}: what follows is one comparison, as in: target > 0")
        (then_,) = concluded[0]
        if [one.name for one in then_.terms] != ["target"] or then_.terms[0].factor != 1:
            raise ProofError(f"{then!r}: what follows is about the target, as in: target > 0")
        if then_.terms[0].down or then_.terms[0].right:
            raise ProofError(f"{then!r}: the target is read at one place.")
        if any(one.name == "target" for all_of in said for said_ in all_of for one in said_.terms):
            raise ProofError(f"{when!r}: the target is what follows; name features that it reads.")
        return cls(said, then_)

    def __str__(self) -> str:
        return f"{self.condition} => {self.then}"

    @property
    def condition(self) -> str:
        """What must hold, in words that read back to it."""
        return " or ".join(" and ".join(map(str, all_of)) for all_of in self.when)


def _spread(said: Sequence[tuple[Comparison, ...]], cases: int) -> Iterator[tuple[Comparison, ...]]:
    """Put each case in the place of ``any case``."""
    for all_of in said:
        if not any(term.name == "any case" for one in all_of for term in one.terms):
            yield all_of
            continue
        if not cases:
            raise ProofError("There are no cases here: say in --when which features must answer.")
        for number in range(1, cases + 1):
            yield tuple(
                Comparison(
                    tuple(
                        Term(f"case {number}", term.factor, term.down, term.right)
                        if term.name == "any case"
                        else term
                        for term in one.terms
                    ),
                    one.sign,
                    one.level,
                )
                for one in all_of
            )


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr")


def _parsed(text: str) -> list[tuple[Comparison, ...]]:
    from lark.exceptions import UnexpectedInput, UnexpectedToken

    example = "write it as in: case 1 >= best or layer:3 > 0.5 and layer:4 < 20%"
    try:
        tree: Any = _parser().parse(text)
    except UnexpectedInput as error:
        if isinstance(error, UnexpectedToken) and error.token.type == "$END":
            raise ProofError(f"{text!r} ends too early; {example}") from error
        rest = text[error.pos_in_stream or 0 :]
        raise ProofError(f"{text!r} is not understood from {rest!r} on; {example}") from error
    return [tuple(_comparison(one) for one in all_of.children) for all_of in tree.children]


def _comparison(tree: Any) -> Comparison:
    total, sign, level = tree.children
    terms = [
        _term(part.children[0], -1.0) if part.data == "less" else _term(part, 1.0)
        for part in total.children
    ]
    value = float(level.children[0]) if level.children else 0.0
    return Comparison(tuple(terms), str(sign), Level(level.data, value))  # type: ignore[arg-type]


def _term(part: Any, sign: float) -> Term:
    factor, name, place = part.children
    said = {"case": "case {}", "any": "any case", "target": "target", "feature": "{}"}[name.data]
    down, right = (int(one) for one in place.children) if place is not None else (0, 0)
    return Term(
        said.format(*name.children), sign * float(factor if factor is not None else 1), down, right
    )
