"""Names of things: models, layers, features, circuits, annotations.

A feature is written ``model/layer:unit`` (a neuron) or ``model/layer@basis:index`` (a direction
in the space of that layer); counting starts at zero.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

from circuitkb.schema.errors import IdError

_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_LAYER = re.compile(r"[^\s@\x00-\x1f\x7f]{1,128}")
_NOT_IN_A_LAYER = re.compile(r"[\s@\x00-\x1f\x7f]")
_BASIS = re.compile(r"[^\s@:\x00-\x1f\x7f]{1,64}")
_UNIT = re.compile(r"0|[1-9][0-9]{0,17}")


def check_slug(text: str, what: str = "model name") -> str:
    """Return ``text`` if it can name a model or a circuit.

    A name starts with a lower-case letter or a digit; letters, digits, dots, underscores and
    hyphens may follow, 128 characters in all.

    Raises
    ------
    IdError
        Otherwise; the message proposes a name that would do.

    Examples
    --------
    >>> check_slug("efficientnet_lite0")
    'efficientnet_lite0'
    >>> check_slug("My Net")
    Traceback (most recent call last):
    circuitkb.schema.errors.IdError: 'My Net' cannot be a model name: ... Try 'my-net'.
    """
    if _SLUG.fullmatch(text):
        return text
    raise IdError(
        f"{text!r} cannot be a {what}: use a-z, 0-9, '.', '_' and '-', starting with a letter or "
        f"digit, at most 128 characters. Try {slugify(text)!r}."
    )


def slugify(text: str) -> str:
    """Return the nearest name that :func:`check_slug` accepts.

    Examples
    --------
    >>> slugify("ResNet 50 (v2).onnx")
    'resnet-50-v2-.onnx'
    >>> slugify("")
    'model'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-._")[:128]
    return slug or "model"


def nearest_layer_name(text: str) -> str:
    """Return the nearest name that a layer can have.

    Examples
    --------
    >>> nearest_layer_name("blocks.0.conv 1@left"), nearest_layer_name("features.3")
    ('blocks.0.conv_1_left', 'features.3')
    """
    plain = _NOT_IN_A_LAYER.sub("_", text)
    plain = "".join("_" if _is_foreign_digit(character) else character for character in plain)
    return plain[:128] or "layer"


def _is_foreign_digit(character: str) -> bool:
    return character.isdigit() and not character.isascii()


@lru_cache(maxsize=4096)  # a hundred thousand records name a few hundred layers
def _check_layer(model: str, layer: str) -> None:
    check_slug(model)
    if not _LAYER.fullmatch(layer) or any(map(_is_foreign_digit, layer)):
        raise IdError(
            f"{layer!r} cannot be a layer name: 1 to 128 characters, no white space, "
            f"no control characters, no '@', no digits but 0-9."
        )


@dataclass(frozen=True, order=True, slots=True)
class LayerId:
    """``model/layer``: the place where a set of features lives.

    Examples
    --------
    >>> LayerId.parse("inceptionv1/mixed4b")
    LayerId(model='inceptionv1', layer='mixed4b')
    >>> str(LayerId("inceptionv1", "mixed4b"))
    'inceptionv1/mixed4b'
    """

    model: str
    layer: str

    def __post_init__(self) -> None:
        _check_layer(self.model, self.layer)

    def __str__(self) -> str:
        return f"{self.model}/{self.layer}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``model/layer``; raises :class:`IdError`."""
        model, slash, layer = text.partition("/")
        if not slash:
            raise IdError(f"{text!r} is no layer id: it is written model/layer.")
        return cls(model, layer)


@dataclass(frozen=True, order=True, slots=True)
class FeatureId:
    """``model/layer:unit``, or ``model/layer@basis:index`` for a direction; zero-based.

    Examples
    --------
    >>> FeatureId.parse("inceptionv1/mixed4b:418")
    FeatureId(model='inceptionv1', layer='mixed4b', unit=418, basis=None)
    >>> str(FeatureId("inceptionv1", "mixed4b", 3, basis="nmf"))
    'inceptionv1/mixed4b@nmf:3'
    >>> FeatureId.parse("mixed4b:418")
    Traceback (most recent call last):
    circuitkb.schema.errors.IdError: 'mixed4b:418' is no feature id: it is written model/layer:unit, as in inceptionv1/mixed4b:418.
    """  # noqa: E501

    model: str
    layer: str
    unit: int
    basis: str | None = None

    def __post_init__(self) -> None:
        _check_layer(self.model, self.layer)
        if isinstance(self.unit, bool) or not 0 <= self.unit < 10**18:
            raise IdError(f"{self.unit!r} cannot be a unit: units count from 0.")
        if self.basis is not None and (
            not _BASIS.fullmatch(self.basis) or any(map(_is_foreign_digit, self.basis))
        ):
            raise IdError(
                f"{self.basis!r} cannot name a basis: 1 to 64 characters without '@:', no digits "
                "but 0-9."
            )

    def __str__(self) -> str:
        basis = "" if self.basis is None else f"@{self.basis}"
        return f"{self.model}/{self.layer}{basis}:{self.unit}"

    @property
    def layer_id(self) -> LayerId:
        """The layer that the feature lives in."""
        return LayerId(self.model, self.layer)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the written form; the exact inverse of ``str``; raises :class:`IdError`."""
        model, slash, rest = text.partition("/")
        place, colon, unit = rest.rpartition(":")
        if not slash or not colon or not _UNIT.fullmatch(unit):
            raise IdError(
                f"{text!r} is no feature id: it is written model/layer:unit, "
                f"as in inceptionv1/mixed4b:418."
            )
        layer, at, basis = place.partition("@")
        return cls(model, layer, int(unit), basis if at else None)


def canonical_json(value: Any) -> str:
    """Return JSON that is the same for equal values: sorted keys, no spaces, NFC text.

    Examples
    --------
    >>> canonical_json({"b": [1, 2.5], "a": "é"})
    '{"a":"é","b":[1,2.5]}'
    """

    text = plain_json(value)
    return text if text.isascii() else plain_json(_normalised(value))  # ASCII is NFC


def _normalised(item: Any) -> Any:
    if isinstance(item, str):
        return unicodedata.normalize("NFC", item)
    if isinstance(item, Mapping):
        return {_normalised(str(key)): _normalised(part) for key, part in item.items()}
    if isinstance(item, list | tuple):
        return [_normalised(part) for part in item]
    return item


def _plain_writer() -> Callable[[Any], str]:
    """Return what writes JSON with sorted keys and no spaces.

    ``json`` makes its writer in C anew for each value, a third of the time of a small one.
    """
    encoder = json.JSONEncoder(
        sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return encoder.encode
    quoted = json.encoder.encode_basestring
    pieces = make(None, encoder.default, quoted, None, ":", ",", True, False, False)
    return lambda value: "".join(pieces(value, 0))


plain_json = _plain_writer()
"""Writes a value as :func:`canonical_json` does, without a look at its text."""


def content_hash(value: Any) -> str:
    """Return the first 32 hex digits of sha256 over :func:`canonical_json`.

    Examples
    --------
    >>> content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:32]


CORE = ("target", "kind", "label", "text", "sign", "verdict", "method", "author", "source")
"""Fields of an annotation record that make up what it states."""


def annotation_id(record: Mapping[str, Any]) -> str:
    """Return the id of an annotation record: the one it brings, or the hash of its core.

    The core is target, kind, label, text, sign, verdict, method, the author's id and source; not
    the date, so the same statement imported twice is one. Text counts without outer and
    repeated white space.

    Examples
    --------
    >>> one = {"kind": "label", "target": {"type": "circuit", "id": "a"}, "created": "2020-01-01",
    ...        "label": {"text": "dog  head "}, "author": {"id": "ada", "type": "human"},
    ...        "method": "manual", "source": {"uri": "x"}}
    >>> other = one | {"created": "2021-06-30", "label": {"text": "dog head"}}
    >>> annotation_id(one) == annotation_id(other)
    True
    >>> annotation_id(one).startswith("ckb:")
    True
    """
    given = record.get("id")
    if isinstance(given, str):
        return given
    core: dict[str, Any] = {key: record[key] for key in CORE if record.get(key) is not None}
    if "author" in core:
        core["author"] = core["author"]["id"]
    if "text" in core:
        core["text"] = " ".join(core["text"].split())
    if "label" in core:
        core["label"] = core["label"] | {"text": " ".join(core["label"]["text"].split())}
    return f"ckb:{content_hash(core)}"


def circuit_id(motif: str, model: str, members: Iterable[tuple[str, str, int | None]]) -> str:
    """Return the id of a discovered circuit: the same members in the same roles, the same id.

    Parameters
    ----------
    motif, model
        The motif's name and the model's.
    members
        ``(feature, role, side)`` in any order; side is None outside of cases.

    Examples
    --------
    >>> a = ("m/l:1", "case", 1), ("m/l:2", "case", 2), ("m/k:0", "union", None)
    >>> circuit_id("union", "m", a) == circuit_id("union", "m", reversed(a))
    True
    """
    rows = sorted([feature, role, side or 0] for feature, role, side in members)
    return f"{motif}-{content_hash([motif, model, rows])[:16]}"
