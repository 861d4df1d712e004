"""JSON read so that nothing in it is lost, doubled or out of range."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from circuitkb.schema.errors import AnnotationFileError

MOST_BYTES = 64 * 2**20
"""Size of the largest file that is one JSON document, in bytes (64 MiB)."""

MOST_DEPTH = 64
"""Depth to which objects and lists may stand in one another."""

_MOST_DIGITS = 18
# A string (which may lack its end), or a comma before a closing bracket.
_STRING_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|,(?=\s*+[\]}])', re.DOTALL)


class JsonError(ValueError):
    """A text that is no JSON, or JSON that two readers could take for different things."""


def read_json(text: str) -> Any:
    r"""Return what a JSON text says.

    Raises
    ------
    JsonError
        If it is no JSON, names a key twice, holds a number that is not finite or has more than
        18 digits, stands deeper than 64 levels, or writes half a surrogate pair.

    Examples
    --------
    >>> read_json('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> read_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
        ...
    circuitkb.loaders.annotation_formats.strict_json.JsonError: the key 'a' stands twice...
    """
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise JsonError(f"no JSON: {_place(error, text)}") from None
    except RecursionError:
        raise JsonError(f"it is nested deeper than {MOST_DEPTH} levels") from None
    if text.count("{") + text.count("[") > MOST_DEPTH:
        _check_depth(value)
    if "\\u" in text:
        _check_surrogates(value)
    return value


def read_document(path: Path, *, trailing_commas: bool = False) -> Any:
    """Return what a file says that is one JSON document of at most 64 MiB.

    Parameters
    ----------
    path
        The file; UTF-8, with or without a byte order mark.
    trailing_commas
        Whether a comma may stand before a closing bracket, as JavaScript allows.

    Raises
    ------
    AnnotationFileError
        If it is larger, no UTF-8 or no JSON.
    """
    with path.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise AnnotationFileError(
            f"{path} is larger than {MOST_BYTES // 2**20} MiB, the most that is read of a format "
            f"that is one JSON document. Split it, or write it as JSON Lines."
        )
    try:
        text = data.decode("utf-8-sig")
        return read_json(without_trailing_commas(text) if trailing_commas else text)
    except (UnicodeDecodeError, JsonError) as error:
        raise AnnotationFileError(f"{path} cannot be read: {reason_of(error)}.") from None


def reason_of(error: UnicodeDecodeError | JsonError) -> str:
    r"""Return in words why bytes are no UTF-8, or a text no JSON.

    Examples
    --------
    >>> try:
    ...     b"caf\xe9".decode()
    ... except UnicodeDecodeError as error:
    ...     print(reason_of(error))
    no UTF-8: byte 0xE9 at 4
    """
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8: byte 0x{error.object[error.start]:02X} at {error.start + 1}"
    return str(error)


def without_trailing_commas(text: str) -> str:
    """Return a text without the commas that stand before a closing bracket, outside of strings.

    Examples
    --------
    >>> without_trailing_commas('[{"name": "a,]", "units": [1, 2, ],},]')
    '[{"name": "a,]", "units": [1, 2 ]}]'
    """
    return _STRING_OR_COMMA.sub(lambda found: "" if found[0] == "," else found[0], text)


def _place(error: json.JSONDecodeError, text: str) -> str:
    where = f"at {error.pos + 1}"
    if "\n" in text:
        where = f"in line {error.lineno} at {error.colno}"
    if error.pos >= len(text.rstrip()):
        where = "at its end"
    return f"{error.msg[:1].lower()}{error.msg[1:]} {where}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise JsonError(f"the key {key[:60]!r} stands twice in one object")
            seen.add(key)
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise JsonError(f"{text[:60]} is beyond every finite number")
    return value


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > _MOST_DIGITS:
        raise JsonError(f"a number has {len(text.lstrip('-')):,} digits; {_MOST_DIGITS} may stand")
    return int(text)


def _no_number(name: str) -> Any:
    raise JsonError(f"{name} is no number in JSON; write null")


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MOST_DEPTH + 1):
        inside = [item for item in level if isinstance(item, dict | list)]
        if not inside:
            return
        level = [
            part for item in inside for part in (item.values() if isinstance(item, dict) else item)
        ]
    raise JsonError(f"it is nested deeper than {MOST_DEPTH} levels")


def _check_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        code = ord(error.object[error.start])
        raise JsonError(f"\\u{code:04x} is half of a surrogate pair: no character") from None


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_finite,
    parse_int=_integer,
    parse_constant=_no_number,
)
