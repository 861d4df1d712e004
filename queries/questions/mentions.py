"""The features, models, labels and numbers that a sentence names, read off against what exists."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from circuitkb.queries.questions.label_index import LabelIndex, forms_of
from circuitkb.queries.questions.vocabulary import FILLERS
from circuitkb.queries.questions.words import is_plain, words
from circuitkb.schema.errors import UnknownQuestionError

_ID = re.compile(r"(?<!\S)[\"'(]?([a-z0-9][a-z0-9._-]*+/[^\s@]+?(?:@[^\s:]+)?:[0-9]+)(?!\w)")
# Possessive, so that a run of letters and dots is read once, wherever it ends.
_SHORT = re.compile(r"(?<![\w/.\-])(?=[\w.\-]*?[A-Za-z])([\w.\-/]++):([0-9]+)(?!\w)")
_UNIT_OF = re.compile(
    r"\b(?:unit|neuron|channel|feature) (?:number |no\.? ?|#)?([0-9]+) "
    r"(?:of|in|from) (?:layer )?(\S+)",
    re.IGNORECASE,
)
_LAYER_UNIT = re.compile(
    r"(?<!\S)(\S+)(?:'s)?,? (?:(?:unit|neuron|channel|feature) )?#?([0-9]+)(?![\w.])",
    re.IGNORECASE,
)
_ANGLE = re.compile(r"(?<![\w.])([0-9]{1,3}(?:\.[0-9]+)?)\s*(?:°|deg(?:rees?)?\b)", re.IGNORECASE)
_QUOTED = re.compile(r"\"([^\"]+)\"|(?<!\w)'([^']+)'(?!\w)|“([^”]+)”")
_NAMED = re.compile(
    r"\b(?:labell?ed|called|named|tagged|annotated|(?:the|a) label)(?: as| with| is)? ([^?.!,]+)",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[\w.\-]*\w")
_LAYER = re.compile(r"(?<![\w/])[\w.\-/]*\w(?![\w:])")

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
    def layers_by_name(self) -> dict[str, list[tuple[str, str]]]:
        """The layers as (model, layer), by their name in lower case."""

        def make() -> dict[str, list[tuple[str, str]]]:
            found: dict[str, list[tuple[str, str]]] = {}
            for model, layers in self.layers.items():
                for layer in layers:
                    found.setdefault(layer.lower(), []).append((model, layer))
            return found

        return self.once(("layers",), make)


def take_features(text: str, names: Names) -> tuple[str, list[str]]:
    """Replace each feature by ``{feature}``; return the text and the ids.

    ``mixed4b:418``, ``4b:418`` and ``unit 418 of mixed4b`` are read where one model has the layer.

    Raises
    ------
    UnknownQuestionError
        Several models or layers fit.

    Examples
    --------
    >>> names = Names(["inceptionv1"], {"inceptionv1": ["mixed4a", "mixed4b"]})
    >>> take_features("inputs of unit 418 of mixed4b?", names)
    ('inputs of {feature}?', ['inceptionv1/mixed4b:418'])
    """
    found: list[str] = []

    def whole(match: re.Match[str]) -> str:
        found.append(match[1])
        return "{feature}"

    def part(layer: str, unit: str, match: re.Match[str]) -> str:
        tail = "" if layer.rstrip("?.!,") == layer else layer[len(layer.rstrip("?.!,")) :]
        place = _layer(layer.rstrip("?.!,"), unit, text, names)
        if place is None:
            return match[0]
        found.append(f"{place}:{int(unit)}")
        return "{feature}" + tail

    text = _ID.sub(whole, text)
    text = _UNIT_OF.sub(lambda m: part(m[2], m[1], m), text)
    text = _SHORT.sub(lambda m: part(m[1], m[2], m), text)
    text = _LAYER_UNIT.sub(lambda m: part(m[1], m[2], m), text)
    return text, found


def _layer(written: str, unit: str, text: str, names: Names) -> str | None:
    wanted = written.lower()
    said = take_models(text, names)[1]
    for fits_name in (True, False):
        if not fits_name and len(wanted) < 2:
            continue
        fits = [
            f"{model}/{layer}"
            for model, layer in _layers_called(wanted, names, whole=fits_name)
            if not said or model in said
        ]
        if len(fits) > 1:
            shown = ", ".join(f"{fit}:{unit:.20}" for fit in fits[:4])
            raise UnknownQuestionError(f"{written:.80}:{unit:.20} may be {shown}: write which.")
        if fits:
            return fits[0]
    return None


def _layers_called(wanted: str, names: Names, *, whole: bool) -> list[tuple[str, str]]:
    """Return the layers of this name, or those whose names end with it."""
    known = names.layers_by_name
    if whole:
        return known.get(wanted, [])
    return names.once(
        ("ending", wanted),
        lambda: [
            place for name, places in known.items() if name.endswith(wanted) for place in places
        ],
    )


def take_models(text: str, names: Names) -> tuple[str, list[str]]:
    """Replace each name of a model by ``{models}``; return the text and the names.

    Spaces and hyphens in a name do not count: ``EfficientNet-Lite 0`` is ``efficientnet_lite0``.

    Examples
    --------
    >>> take_models("unions in Inception V1", Names(["inceptionv1"]))
    ('unions in {models}', ['inceptionv1'])
    """
    return names.once(("models", text), lambda: _take_models(text, names))


def _take_models(text: str, names: Names) -> tuple[str, list[str]]:
    compact = {_compact(model): model for model in names.models}
    tokens = list(_TOKEN.finditer(text))
    found: list[str] = []
    pieces: list[str] = []
    end = place = 0
    while place < len(tokens):
        for length in range(min(5, len(tokens) - place), 0, -1):
            first, last = tokens[place], tokens[place + length - 1]
            model = compact.get(_compact(text[first.start() : last.end()]))
            if model is not None:
                found.append(model)
                pieces += [text[end : first.start()], "{models}"]
                end = last.end()
                place += length - 1
                break
        place += 1
    return "".join([*pieces, text[end:]]), list(dict.fromkeys(found))


def take_layers(text: str, names: Names) -> tuple[str, list[str]]:
    """Replace each name of a layer by ``{layers}``; return the text and the names.

    A name that might be a plain word (``input``, ``features``) is not taken for a layer.

    Examples
    --------
    >>> take_layers("curves in mixed3b?", Names(layers={"inceptionv1": ["mixed3b"]}))
    ('curves in {layers}?', ['mixed3b'])
    """
    return names.once(("layers", text), lambda: _take_layers(text, names))


def _take_layers(text: str, names: Names) -> tuple[str, list[str]]:
    known = {
        lower: places[-1][1]
        for lower, places in names.layers_by_name.items()
        if re.search(r"[\d._]", lower)
    }
    found: list[str] = []

    def take(match: re.Match[str]) -> str:
        layer = known.get(match[0].lower())
        if layer is None:
            return match[0]
        found.append(layer)
        return "{layers}"

    return _LAYER.sub(take, text), list(dict.fromkeys(found))


def _compact(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def take_label(text: str, names: Names) -> tuple[str, str | None]:
    """Replace a label by ``{label}``; return the text and the label.

    It is what stands in quotes; else the longest run of words that a label of the knowledge base
    has, if not all of them are words of the catalogue; else a label that such a run is a slip of
    the keyboard away from; else what follows ``labelled``, ``called`` or ``named``.

    Examples
    --------
    >>> take_label("where are the dog heads?", Names(labels=["Oriented Dog Heads"]))
    ('where are the {label}?', 'dog heads')
    >>> take_label("where are the oriented dog haeds?", Names(labels=["Oriented Dog Heads"]))
    ('where are the {label}?', 'Oriented Dog Heads')
    """
    return names.once(("label", text), lambda: _take_label(text, names))


def _take_label(text: str, names: Names) -> tuple[str, str | None]:
    quoted = _QUOTED.search(text)
    if quoted:
        label = next(group for group in quoted.groups() if group)
        return text[: quoted.start()] + "{label}" + text[quoted.end() :], label
    index = names.label_index
    for start, end in _runs(text):
        for label in forms_of(text[start:end]):
            if index.holds(label):
                return text[:start] + "{label}" + text[end:], label
        near = index.nearest(text[start:end])
        if near is not None:
            return text[:start] + "{label}" + text[end:], near
    named = _NAMED.search(text)
    if named and words(named[1]):
        label = named[1].strip()
        start, end = named.span(1)
        return text[:start] + "{label}" + text[end:], label
    return text, None


def _runs(text: str) -> Iterable[tuple[int, int]]:
    """Give runs of one to five words, long ones first, of which some word may be a label."""
    tokens = list(re.finditer(r"\{\w+\}|[\w/\-]*\w", text))
    for length in range(5, 0, -1):
        for place in range(len(tokens) - length + 1):
            run = tokens[place : place + length]
            ends = run[0][0].lower(), run[-1][0].lower()
            if "{" in text[run[0].start() : run[-1].end()] or not FILLERS.isdisjoint(ends):
                continue
            if not all(is_plain(token[0]) for token in run):
                yield run[0].start(), run[-1].end()


def take_integer(text: str, cues: Sequence[str]) -> tuple[str, int | None]:
    """Replace a number next to a word among ``cues`` (common forms); return text and number.

    Examples
    --------
    >>> take_integer("the 5 strongest inputs", ["strong"])
    ('the {integer} strongest inputs', 5)
    """
    for match in re.finditer(r"(?<![\w.:])([0-9]{1,6})(?![\w.:])", text):
        before = words(" ".join(text[: match.start()].rsplit(maxsplit=1)[-1:]))
        after = words(" ".join(text[match.end() :].split(maxsplit=2)[:2]))
        if set(before + after) & set(cues):
            return text[: match.start()] + "{integer}" + text[match.end() :], int(match[1])
    return text, None


def take_angle(text: str) -> tuple[str, float | None]:
    """Replace an angle in degrees by ``{angle}``; return text and angle.

    Examples
    --------
    >>> take_angle("unions of detectors at 45 degrees")
    ('unions of detectors at {angle}', 45.0)
    """
    found = _ANGLE.search(text)
    if found is None:
        return text, None
    return text[: found.start()] + "{angle}" + text[found.end() :], float(found[1])
