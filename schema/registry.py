"""What other packages may add: a name, and the value that stands under it.

A package adds a motif, say, by an entry point in its ``pyproject.toml``::

    [project.entry-points."circuitkb.motifs"]
    opposition = "my_package.opposition:OPPOSITION"

Ours stand in the same tables, so an extension is as good as what is built in. ``docs/extending.md``
has an example for each table.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Generic, TypeVar

from circuitkb.schema.errors import CircuitKBError, PluginError
from circuitkb.schema.near_matches import suggestion

if TYPE_CHECKING:
    from importlib.metadata import SelectableGroups  # EntryPoints in Pythons after 3.11

T = TypeVar("T")
R = TypeVar("R")

_SAID_ELSEWHERE = (CircuitKBError, OSError, MemoryError)
"""Errors that say by themselves what is wrong: with what was given, or with the machine."""


class PluginWarning(UserWarning):
    """Something that another package adds cannot be used; everything else works."""


class Registry(Generic[T]):
    """Values by name: ours, and those of other packages, each imported when it is first used.

    Parameters
    ----------
    group
        Name of the entry points: ``circuitkb.motifs``.
    what
        What one of them is called in messages: ``motif``.
    kind
        The class of the values.
    built_in
        Ours: by name, where each stands, as ``module:object``.
    unknown
        The error for a name that is not there.

    Examples
    --------
    >>> numbers = Registry("circuitkb.numbers", "number", float, {"pi": "math:pi", "e": "math:e"})
    >>> numbers.names, numbers.get("pi")
    (('pi', 'e'), 3.141592653589793)
    >>> numbers.get("tau")
    Traceback (most recent call last):
    circuitkb.schema.errors.CircuitKBError: There is no number 'tau'. There are pi, e.
    """

    def __init__(
        self,
        group: str,
        what: str,
        kind: type[T],
        built_in: Mapping[str, str],
        *,
        unknown: type[CircuitKBError] = CircuitKBError,
    ) -> None:
        self.group = group
        self.what = what
        self.kind = kind
        self.unknown = unknown
        self._built_in = built_in
        self._found: dict[str, T] = {}
        self._warned: set[str] = set()

    @cached_property
    def _points(self) -> dict[str, list[EntryPoint]]:
        """Every entry point by its name: more than one where several packages take a name."""
        found = {
            name: [EntryPoint(name, place, self.group)] for name, place in self._built_in.items()
        }
        others = _installed(tuple(sys.path)).select(group=self.group)
        for point in sorted(others, key=lambda point: (point.name, _package(point))):
            found.setdefault(point.name, []).append(point)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """All names, ours first; nothing is imported for it."""
        return tuple(self._points)

    def get(self, name: str) -> T:
        """Return the value under a name.

        Raises
        ------
        CircuitKBError
            There is no such name: the error that the registry was made with.
        PluginError
            It cannot be imported, is of another kind, or two packages take its name.
        """
        if name not in self._points:
            near = suggestion(name, self.names) or f"There are {', '.join(self.names)}."
            raise self.unknown(f"There is no {self.what} {name!r}. {near}")
        if name not in self._found:
            self._found[name] = self._load(name)
        return self._found[name]

    def __iter__(self) -> Iterator[T]:
        """Yield every value that works; of the others a :class:`PluginWarning` says why, once."""
        for name in self.names:
            try:
                value = self.get(name)
            except PluginError as error:
                self._warn(name, error)
                continue
            yield value

    def ask(self, question: Callable[[T], R]) -> Iterator[tuple[T, R]]:
        """Ask every value that works; one that fails at it is passed over, as by iterating.

        A :class:`CircuitKBError` is an answer too, and is raised.
        """
        for name in self.names:
            try:
                value = self.get(name)
                with self.running(name):
                    answer = question(value)
            except PluginError as error:
                self._warn(name, error)
                continue
            yield value, answer

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Let what another package's code raises here say whose it is.

        Raises
        ------
        PluginError
            For an error that is no :class:`CircuitKBError`, none of the machine's, and not ours.
        """
        try:
            yield
        except Exception as error:
            point = self._points[name][0]
            if point.dist is None or isinstance(error, _SAID_ELSEWHERE):
                raise
            raise PluginError(f"{self._whose(point)} fails: {_said(error)}") from error

    def guarded(self, name: str, items: Iterator[R]) -> Iterator[R]:
        """Give what comes from another package's code; see :meth:`running`."""
        with self.running(name):
            yield from items

    def _warn(self, name: str, error: PluginError) -> None:
        if name not in self._warned:
            self._warned.add(name)
            warnings.warn(str(error), PluginWarning, stacklevel=3)

    def _whose(self, point: EntryPoint) -> str:
        return f"The {self.what} {point.name!r} of {_package(point)}"

    def _load(self, name: str) -> T:
        point, *others = self._points[name]
        if others:
            places = " and ".join(
                f"{point.value} ({_package(point)})" for point in (point, *others)
            )
            raise PluginError(
                f"The {self.what} {name!r} is taken twice: by {places}. Uninstall one of them."
            )
        whose = self._whose(point)
        try:
            value = point.load()
        except Exception as error:  # whatever another package's code may raise
            raise PluginError(f"{whose} cannot be used: {_said(error)}") from error
        if not isinstance(value, self.kind):
            raise PluginError(
                f"{whose} cannot be used: {point.value} is no {self.kind.__name__} but a "
                f"{type(value).__name__}."
            )
        found: T = value
        return found


@cache
def _installed(path: tuple[str, ...]) -> SelectableGroups:
    """Return what all packages add: read once, as it takes 20 ms for a hundred packages."""
    return entry_points()


def _said(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}"


def _package(point: EntryPoint) -> str:
    return "circuitkb" if point.dist is None else f"the package {point.dist.name!r}"
