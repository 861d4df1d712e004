"""What a knowledge base holds by name, and the models and layers that a sentence names."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from circuitkb.queries.questions.label_index import LabelIndex
from circuitkb.queries.questions.place_index import PlaceIndex
from circuitkb.queries.questions.vocabulary import PREPOSITIONS
from circuitkb.queries.questions.words import is_plain

_TOKEN = re.compile(r"(?<![{\w])[\w.\-]*\w(?!\})")
_WORD = re.compile(r"(?<![{\w/])[\w.\-/]*\w(?![\w:}])")
_SEVERAL = {"nets", "networks", "models", "architectures", "ones", "family", "variants"}
_ONE = {"net", "network", "model", "architecture"}
_LONG = 5  # letters of the beginning of a model's name that tell it anywhere in a sentence

T = TypeVar("T")


@dataclass(frozen=True)
class Names:
    """What a knowledge base holds: models, the layers of each, and the texts of its labels."""

    models: Sequence[str] = ()
    layers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Sequence[str] = ()
    _kept: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, key: tuple[Hashable, ...], make: Callable[[], T]) -> T:
        """Return what ``make`` gives, asked once for each key: every question reads the same."""
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    @property
    def label_index(self) -> LabelIndex:
        """The labels, to be looked up."""
        return self.once(("labels",), lambda: LabelIndex(self.labels))

    @property
    def place_index(self) -> PlaceIndex:
        """The models and their layers, to be looked up."""
        return self.once(
            ("places",), lambda: PlaceIndex({**dict.fromkeys(self.models, ()), **self.layers})
        )


def take_models(text: str, names: Names) -> tuple[str, list[str]]:
    """Replace each name of a model by ``{models}``; return the text and the names.

    Spaces and hyphens in a name do not count, and a part of it will do that no other model has.

    Examples
    --------
    >>> names = Names(["efficientnet_lite0", "efficientnet_lite1", "inceptionv1"])
    >>> take_models("unions in Inception V1 and lite1", names)
    ('unions in {models} and {models}', ['inceptionv1', 'efficientnet_lite1'])
    >>> take_models("layers of the lite nets", names)
    ('layers of the {models} nets', ['efficientnet_lite0', 'efficientnet_lite1'])
    """
    return names.once(("models", text), lambda: _take_models(text, names))


def _take_models(text: str, names: Names) -> tuple[str, list[str]]:
    found: list[str] = []
    pieces: list[str] = []
    end = 0
    for start, stop in _runs(text, _TOKEN, 5):
        if start < end:
            continue
        models = _models_called(text, start, stop, names)
        if models:
            found += models
            pieces += [text[end:start], "{models}"]
            end = stop
    return "".join([*pieces, text[end:]]), list(dict.fromkeys(found))


def _models_called(text: str, start: int, stop: int, names: Names) -> Sequence[str]:
    run = text[start:stop]
    index = names.place_index
    found = index.models_called(run)
    if not found or index.is_model(run):
        return found
    before = text[:start].lower().split()[-1:] or [""]
    after = re.match(r"[\s-]*(\w*)", text[stop:].lower())
    follows = after[1] if after else ""
    if re.sub(r"[\s-]", "", run).isalpha():
        # A word of the language, perhaps: it is a model where it stands as one.
        if is_plain(run) or names.label_index.holds(run):
            return ()
        placed = before[0] in PREPOSITIONS | {"and", "or", "both"} or follows in _SEVERAL | _ONE
        if not placed and not (index.begins_models(run) and len(run) >= _LONG):
            return ()
    elif index.layers_called(run):
        return ()
    if len(found) > 1 and follows not in _SEVERAL:
        return ()
    return found


def take_layers(text: str, names: Names) -> tuple[str, list[str]]:
    """Replace each name of a layer by ``{layers}``; return the text and the names.

    A part of a name will do, and names all layers that have it. A name that might be a plain word
    (``input``, ``features``) is not taken for a layer.

    Examples
    --------
    >>> take_layers("curves in layer 3b?", Names(layers={"inceptionv1": ["mixed3b"]}))
    ('curves in {layers}?', ['mixed3b'])
    """
    return names.once(("layers", text), lambda: _take_layers(text, names))


def _take_layers(text: str, names: Names) -> tuple[str, list[str]]:
    said = take_models(text, names)[1]
    found: list[str] = []
    pieces: list[str] = []
    end = 0
    for start, stop in _runs(text, _WORD, 3):
        if start < end or not re.search(r"[\d._]", text[start:stop]):
            continue
        places = names.place_index.layers_called(text[start:stop])
        if places:
            found += [y for m, y in places if m in said] or [y for _, y in places]
            word = re.search(r"\blayers? $", text[end:start], re.IGNORECASE)
            pieces += [text[end : start - len(word[0]) if word else start], "{layers}"]
            end = stop
    return "".join([*pieces, text[end:]]), list(dict.fromkeys(found))


def _runs(text: str, word: re.Pattern[str], most: int) -> Iterator[tuple[int, int]]:
    """Give runs of words: from each word on, the longest first."""
    tokens = list(word.finditer(text))
    for place, first in enumerate(tokens):
        for last in reversed(tokens[place : place + most]):
            if "{" not in text[first.start() : last.end()]:
                yield first.start(), last.end()
