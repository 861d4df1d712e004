"""The features, models, labels and numbers that a sentence names, read off against what exists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rapidfuzz.distance import DamerauLevenshtein

from circuitkb.schema.errors import UnknownQuestionError

from .vocabulary import FILLERS
from .words import is_plain, words

_ID = re.compile(r"(?<!\S)[\"'(]?([a-z0-9][a-z0-9._-]*/[^\s@]+?(?:@[^\s:]+)?:\d+)(?!\w)")
_SHORT = re.compile(r"(?<![\w/])([\w.\-]*[A-Za-z][\w.\-/]*):(\d+)(?!\w)")
_UNIT_OF = re.compile(
    r"\b(?:unit|neuron|channel|feature) (?:number |no\.? ?|#)?(\d+) "
    r"(?:of|in|from) (?:layer )?(\S+)",
    re.IGNORECASE,
)
_LAYER_UNIT = re.compile(
    r"(?<!\S)(\S+)(?:'s)?,? (?:(?:unit|neuron|channel|feature) )?#?(\d+)(?![\w.])", re.IGNORECASE
)
_ANGLE = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d+)?)\s*(?:°|deg(?:rees?)?\b)", re.IGNORECASE)
_QUOTED = re.compile(r"\"([^\"]+)\"|(?<!\w)'([^']+)'(?!\w)|“([^”]+)”")
_NAMED = re.compile(
    r"\b(?:labell?ed|called|named|tagged|annotated|(?:the|a) label)(?: as| with| is)? ([^?.!,]+)",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[\w.\-]*\w")


@dataclass(frozen=True)
class Names:
    """What a knowledge base holds: models, the layers of each, and the texts of its labels."""

    models: Sequence[str] = ()
    layers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Sequence[str] = ()


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
    for same in (str.__eq__, str.endswith):
        fits = [
            f"{model}/{layer}"
            for model, layers in names.layers.items()
            if not said or model in said
            for layer in layers
            if same(layer.lower(), wanted) and (same is not str.endswith or len(wanted) > 1)
        ]
        if len(fits) > 1:
            shown = ", ".join(f"{fit}:{unit}" for fit in fits[:4])
            raise UnknownQuestionError(f"{written}:{unit} may be {shown}: write which.")
        if fits:
            return fits[0]
    return None


def take_models(text: str, names: Names) -> tuple[str, list[str]]:
    """Replace each name of a model by ``{models}``; return the text and the names.

    Spaces and hyphens in a name do not count: ``EfficientNet-Lite 0`` is ``efficientnet_lite0``.

    Examples
    --------
    >>> take_models("unions in Inception V1", Names(["inceptionv1"]))
    ('unions in {models}', ['inceptionv1'])
    """
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
    known = {
        layer.lower(): layer
        for layers in names.layers.values()
        for layer in layers
        if re.search(r"[\d._]", layer)
    }
    found: list[str] = []

    def take(match: re.Match[str]) -> str:
        layer = known.get(match[0].lower())
        if layer is None:
            return match[0]
        found.append(layer)
        return "{layers}"

    return re.sub(r"(?<![\w/])[\w.\-/]*\w(?![\w:])", take, text), list(dict.fromkeys(found))


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
    quoted = _QUOTED.search(text)
    if quoted:
        label = next(group for group in quoted.groups() if group)
        return text[: quoted.start()] + "{label}" + text[quoted.end() :], label
    for start, end in _runs(text):
        for label in _forms(text[start:end]):
            if _in_labels(label, names.labels):
                return text[:start] + "{label}" + text[end:], label
        near = _nearest(text[start:end], names.labels)
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


def _forms(run: str) -> list[str]:
    return [run, run[:-1]] if run.endswith("s") else [run]


def _in_labels(run: str, labels: Iterable[str]) -> bool:
    pattern = re.compile(rf"(?<![^\W_]){re.escape(run)}", re.IGNORECASE)
    return len(run) > 2 and any(pattern.search(label) for label in labels)


def _nearest(run: str, labels: Iterable[str]) -> str | None:
    """Return the one label that a run of words is a slip away from: two from nine letters on."""
    if len(run) < 5 or run.isdigit():
        return None
    run = run.lower()
    slips = 1 if len(run) < 9 else 2
    near = {
        label
        for label in labels
        for form in _forms(label.lower())
        if form[:1] == run[0] and abs(len(form) - len(run)) <= slips
        if DamerauLevenshtein.distance(run, form, score_cutoff=slips) <= slips
    }
    return near.pop() if len(near) == 1 else None


def take_integer(text: str, cues: Sequence[str]) -> tuple[str, int | None]:
    """Replace a number next to a word among ``cues`` (common forms); return text and number.

    Examples
    --------
    >>> take_integer("the 5 strongest inputs", ["strong"])
    ('the {integer} strongest inputs', 5)
    """
    for match in re.finditer(r"(?<![\w.:])(\d{1,6})(?![\w.:])", text):
        before = words(" ".join(text[: match.start()].split()[-1:]))
        after = words(" ".join(text[match.end() :].split()[:2]))
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
