"""What can be loaded: a SOURCE taken apart, and what a kind of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from circuitkb.schema.errors import SourceError, UnknownSourceError
from circuitkb.schema.near_matches import suggestion

if TYPE_CHECKING:
    from circuitkb.loaders.sources.built import BuiltNetwork
    from circuitkb.loaders.sources.loadable import ExportedFolder, Loadable

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Source:
    """A SOURCE, taken apart by the kind that knows it.

    Attributes
    ----------
    text
        As it was given.
    kind
        Name of the kind.
    name
        What its kind opens: the zoo's name, ``torchvision:NAME``, a path, or what stands after
        ``published:``.
    detail
        What else the text says: ``none`` or the name of weights after ``@``, or the function in a
        Python file.
    """

    text: str
    kind: str
    name: str
    detail: str | None = None


@dataclass(frozen=True)
class OpenOptions:
    """What a user says beside a SOURCE.

    Attributes
    ----------
    name
        What the model is to be called in the graph.
    architecture
        ``torchvision:NAME``, ``timm:NAME`` or ``FILE.py:FUNCTION``: the network whose weights a
        checkpoint holds.
    shape
        (channels, rows, columns) of the image, for a network of the user's own.
    """

    name: str | None = None
    architecture: str | None = None
    shape: Shape | None = None


@dataclass(frozen=True)
class SourceKind:
    """A kind of SOURCE; ``docs/extending.md`` adds one.

    Attributes
    ----------
    name
        Of the kind.
    usage
        How its texts are written, for messages.
    takes
        Takes a text apart, or returns None for one of another kind. It only looks: the text may
        come from a stranger. Its module imports neither torch nor what else takes long.
    open
        Returns the network with its weights, or something else that can be loaded. It runs nothing
        that the text names, unless ``only_where_named`` says so.
    help
        How its texts are written, for the help; ``usage`` if empty.
    is_path
        Whether its texts are paths; such kinds are asked last.
    files
        What its files are called, where it tells them by the ending of their names.
    is_network
        Whether it opens a network. If not, ``open`` is told all options and answers for them.
    options
        Which of ``architecture`` and ``shape`` it reads; the other one is refused.
    names
        Texts that it knows, for near matches.
    names_are_slow
        Whether ``names`` takes long: then it is called only where no other name is near.
    advise
        What to say of a text that nobody takes, if it is nearly one of this kind.
    only_where_named
        Why a text is opened only where the user gives it, and not because a knowledge base
        holds it; empty if opening it does nothing but read files.
    heard
        Whether what is printed while it opens is for the user.
    """

    name: str
    usage: str
    takes: Callable[[str], Source | None]
    open: Callable[[Source, OpenOptions], BuiltNetwork | Loadable | ExportedFolder]
    help: str = ""
    is_path: bool = False
    files: str = ""
    is_network: bool = True
    options: frozenset[str] = frozenset()
    names: Callable[[], Iterable[str]] = tuple
    names_are_slow: bool = False
    advise: Callable[[str], str | None] = lambda text: None
    only_where_named: str = ""
    heard: bool = False


def path_of(text: str) -> Path:
    """Return a text as a path; a name may be too long, or in the home of nobody.

    Raises
    ------
    UnknownSourceError
        No file can have that name.
    """
    try:
        path = Path(text).expanduser()
        path.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        shown = text if len(text) <= 80 else f"{text[:80]}..."
        reason = (getattr(error, "strerror", None) or str(error)).rstrip(".")
        raise UnknownSourceError(f"{shown!r} is no file that can be read: {reason}.") from error
    return path


def take_file(text: str, kind: str, suffixes: Iterable[str]) -> Source | None:
    """Take the name of a file apart, if it ends as those of a kind do.

    Raises
    ------
    UnknownSourceError
        It does, and is not there; with near names of its folder.
    """
    path = path_of(text)
    if path.suffix.lower() not in suffixes:
        return None
    if not path.is_file():
        raise UnknownSourceError(f"There is no file {text!r}. {_near_files(path)}".strip())
    return Source(text, kind, str(path))


def _near_files(path: Path) -> str:
    try:
        siblings = [item.name for item in path.parent.iterdir() if item.is_file()]
    except OSError:
        return ""
    return suggestion(path.name, siblings)


def shape_refused(text: str) -> SourceError:
    """Return the error for a shape that is given where it is known."""
    return SourceError(
        f"{text!r} knows the size of its image: --shape goes only with FILE.py:FUNCTION."
    )
