"""Macros of patterns: parts with arguments, written once and put in where they are used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import QueryError

Rename = Callable[[str], str]
"""From a name as it is written to the name that it stands for."""


@dataclass(frozen=True)
class _Macro:
    arguments: tuple[str, ...]
    body: Sequence[Any]


@dataclass
class Expansion:
    """The statements of a pattern, one by one, with those of macros in their places.

    Attributes
    ----------
    most
        Statements and uses of macros at most: macros that use macros grow fast.
    place
        What a message about a token begins with: where it stands.
    """

    most: int
    place: Callable[[Any], str]
    _macros: dict[str, _Macro] = field(default_factory=dict)
    _seen: int = 0

    def statements(self, tree: Any) -> Iterator[tuple[Any, Rename]]:
        """Give each statement, with what its names stand for.

        Raises
        ------
        QueryError
            A macro that is not defined above, is defined twice, or takes other arguments; a name in
            a macro that is none of its own; more than ``most`` parts.
        """
        yield from self._of(tree.children, lambda name: name)

    def _of(self, statements: Sequence[Any], rename: Rename) -> Iterator[tuple[Any, Rename]]:
        for statement in statements:
            if statement.data == "macro":
                self._define(statement)
                continue
            self._seen += 1
            if self._seen > self.most:
                raise QueryError(
                    f"The pattern is too long: with its macros put in, it has more than "
                    f"{self.most} parts."
                )
            if statement.data == "call":
                yield from self._use(statement, rename)
            else:
                yield statement, rename

    def _define(self, statement: Any) -> None:
        tokens = statement.children[0].children
        name, *arguments = map(str, tokens)
        at = self.place(tokens[0])
        if name in self._macros:
            raise QueryError(f"{at}: the macro {name!r} is defined twice: give one another name.")
        if len(set(arguments)) < len(arguments):
            raise QueryError(f"{at}: the macro {name!r} has an argument twice: name each once.")
        self._macros[name] = _Macro(tuple(arguments), statement.children[1:])

    def _use(self, statement: Any, rename: Rename) -> Iterator[tuple[Any, Rename]]:
        tokens = statement.children[0].children
        name, *given = map(str, tokens)
        at = self.place(tokens[0])
        macro = self._macros.get(name)
        if macro is None:
            near = did_you_mean(name, self._macros) if self._macros else ""
            raise QueryError(f"{at}: no macro {name!r} is defined above its use.{near}")
        if len(given) != len(macro.arguments):
            raise QueryError(
                f"{at}: the macro {name!r} takes {len(macro.arguments)} names "
                f"({', '.join(macro.arguments)}), not {len(given)}."
            )
        known = dict(zip(macro.arguments, map(rename, given), strict=True))
        for alias in aliases_in(macro.body):  # an arrow's name holds in its macro alone
            known[alias] = f"{alias} of {name} {self._seen}"
        yield from self._of(macro.body, _renaming(name, known, at))


def _renaming(macro: str, known: Mapping[str, str], at: str) -> Rename:
    def rename(name: str) -> str:
        if name not in known:
            raise QueryError(
                f"{at}: the macro {macro!r} names {name!r}, which is none of its arguments: "
                f"{', '.join(known)}. Add it to them."
            )
        return known[name]

    return rename


def aliases_in(statements: Sequence[Any]) -> list[str]:
    """Return what ``as`` names in some statements."""
    return [str(tree.children[-1]) for part in statements for tree in part.find_data("alias")]
