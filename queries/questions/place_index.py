"""The models and layers of a knowledge base, found by any part of their names that tells them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

Place = tuple[str, str]
"""A model and a layer of it."""

_SHORTEST_PREFIX = 5
_SHORTEST_PART = 4


class PlaceIndex:
    """Models and layers by their names, and by parts of them.

    A part of a model's name is a run of its segments (letters, or digits): ``lite1`` and ``lite``
    are parts of ``efficientnet_lite1``. A part of a layer's name is a run of segments that ends
    where a piece between dots or underscores does: ``block 0`` of ``_blocks.0._swish``, ``4a`` of
    ``mixed4a``.

    Examples
    --------
    >>> index = PlaceIndex({"efficientnet_lite1": ["_blocks.0._swish"], "inceptionv1": ["mixed4a"]})
    >>> index.models_called("Lite 1"), index.models_called("lite2")
    (['efficientnet_lite1'], [])
    >>> index.layers_called("block 0"), index.layers_called("4a")
    ([('efficientnet_lite1', '_blocks.0._swish')], [('inceptionv1', 'mixed4a')])
    """

    def __init__(self, layers: Mapping[str, Sequence[str]]) -> None:
        self._models: defaultdict[str, list[str]] = defaultdict(list)
        self._model_parts: defaultdict[str, list[str]] = defaultdict(list)
        self._layers: defaultdict[str, list[Place]] = defaultdict(list)
        self._layer_parts: defaultdict[tuple[str, ...], list[Place]] = defaultdict(list)
        for model, names in layers.items():
            self._models[_compact(model)].append(model)
            for part in _model_parts(model):
                self._model_parts[part].append(model)
            for layer in names:
                self._layers[layer.lower()].append((model, layer))
                for parts in _layer_parts(layer):
                    self._layer_parts[parts].append((model, layer))

    def models_called(self, written: str) -> list[str]:
        """Return the models of this name, or else those that it is a part of the name of."""
        wanted = _compact(written)
        return self._models.get(wanted) or self._model_parts.get(wanted) or []

    def is_model(self, written: str) -> bool:
        """Return whether this is the whole name of a model."""
        return _compact(written) in self._models

    def begins_models(self, written: str) -> bool:
        """Return whether names of models begin with this."""
        wanted = _compact(written)
        return any(name.startswith(wanted) for name in self._models)

    def layers_called(self, written: str) -> list[Place]:
        """Return the layers of this name, or else those that it is a part of the name of."""
        exact = self._layers.get(written.lower())
        return exact or self._layer_parts.get(tuple(_segments(written))) or []

    def has_layer(self, written: str) -> bool:
        """Return whether a layer has this name as it stands."""
        return written.lower() in self._layers


def _compact(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _segments(text: str) -> list[str]:
    """Return runs of letters and of digits; ``blocks`` counts as ``block``."""
    return [
        part.removesuffix("s") if len(part) > 3 else part
        for part in re.findall(r"[a-z]+|[0-9]+", text.lower())
    ]


def _model_parts(model: str) -> set[str]:
    segments = re.findall(r"[a-z]+|[0-9]+", model.lower())
    parts = {"".join(segments[i:j]) for i, j in combinations(range(len(segments) + 1), 2)}
    parts |= {
        segment[:end]
        for segment in segments
        if segment.isalpha()
        for end in range(_SHORTEST_PREFIX, len(segment))
    }
    return {part for part in parts if _is_telling(part)}


def _is_telling(part: str) -> bool:
    if part.isdigit():
        return False
    return len(part) >= _SHORTEST_PART or not part.isalpha()


def _layer_parts(layer: str) -> Iterable[tuple[str, ...]]:
    segments: list[str] = []
    ends = []
    for piece in re.findall(r"[a-z0-9]+", layer.lower()):
        segments += _segments(piece)
        ends.append(len(segments))
    return {tuple(segments[i:j]) for j in ends for i in range(j) if j - i > 1}
