"""Addresses of pages: readable, and the same on a server and as names of files.

A feature ``model/layer:unit`` is at ``feature/model/layer/unit``, every other node at
``node/ID``. Whatever a browser, a file system or a web host would read otherwise than as a name is
written as ``~`` and two hexadecimal digits for each byte.
"""

from __future__ import annotations

import re

from circuitkb.schema.errors import IdError
from circuitkb.schema.ids import FeatureId

_PLAIN = re.compile(r"[A-Za-z0-9_@+,-]([A-Za-z0-9._@+,-]*[A-Za-z0-9_@+,-])?")
"""A part of an address that means itself everywhere; one that ends with a dot does not."""

_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Names that Windows gives to devices."""

_ENDING = re.compile(r"\.(html|json|csv|svg|png)$", re.IGNORECASE)
"""What comes after an address, and so not at the end of one."""

_ESCAPED = re.compile(r"~([0-9A-F]{2})")


def address(id: str) -> str:
    """Return where the page of a node is, relative to the first page, without an ending.

    Examples
    --------
    >>> address("inceptionv1/mixed4b:418"), address("union-15716d66f6c7c243")
    ('feature/inceptionv1/mixed4b/418', 'node/union-15716d66f6c7c243')
    >>> address("net/../a b"), address("nul")
    ('node/net/~2E~2E/a~20b', 'node/~6Eul')
    >>> address("net.json")
    'node/net~2Ejson'
    """
    if is_feature(id):
        place, _, unit = id.rpartition(":")
        return "/".join(["feature", *map(_escaped, place.split("/")), unit])
    return "/".join(["node", *map(_escaped, id.split("/"))])


def map_address(model: str) -> str:
    """Return where the map of a model's features is.

    Examples
    --------
    >>> map_address("efficientnet_lite0")
    'map/efficientnet_lite0'
    """
    return "map/" + address(model).partition("/")[2]


def of_address(address: str) -> str:
    """Return the id of the node whose page is there.

    Raises
    ------
    IdError
        No page can be there.

    Examples
    --------
    >>> of_address("feature/inceptionv1/mixed4b/418"), of_address("node/net/~2E~2E/a~20b")
    ('inceptionv1/mixed4b:418', 'net/../a b')
    """
    kind, _, rest = address.partition("/")
    parts = rest.split("/")
    if kind == "feature" and len(parts) > 2:
        *place, unit = map(_read, parts)
        return f"{'/'.join(place)}:{unit}"
    if kind == "node":
        return "/".join(map(_read, parts))
    raise IdError(f"{address!r} is no address of a page.")


def is_address(text: object) -> bool:
    """Tell whether a text is an address as :func:`address` makes them: it leads nowhere else.

    Examples
    --------
    >>> is_address("node/a"), is_address("index"), is_address("node/../../x"), is_address("/x")
    (True, True, False, False)
    """
    parts = text.split("/") if isinstance(text, str) else [""]
    return all(re.fullmatch(r"[A-Za-z0-9_@+,~-][A-Za-z0-9._@+,~-]*", part) for part in parts)


def is_feature(text: str) -> bool:
    """Tell whether a text is the id of a feature.

    Examples
    --------
    >>> is_feature("inceptionv1/mixed4b:418"), is_feature("dog: a head"), is_feature("a/b")
    (True, False, False)
    """
    try:
        FeatureId.parse(text)
    except IdError:
        return False
    return True


def _escaped(part: str) -> str:
    if _RESERVED.fullmatch(part):
        return _hexadecimal(part[0]) + part[1:]
    if _PLAIN.fullmatch(part) and not _ENDING.search(part):
        return part
    if not part:
        return "~"
    ending = _ENDING.search(part)
    if ending is not None:
        return _escaped(part[: ending.start()]) + "~2E" + ending[1]
    middle = part.strip(".")  # dots at an end are no dots of a name
    first, _, last = part.partition(middle) if middle else (part, "", "")
    plain = "".join(c if c == "." or _PLAIN.fullmatch(c) else _hexadecimal(c) for c in middle)
    return _hexadecimal(first) + plain + _hexadecimal(last)


def _hexadecimal(text: str) -> str:
    return "".join(f"~{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def _read(part: str) -> str:
    if part == "~":
        return ""
    found = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), part)
    try:
        return found.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        raise IdError(f"{part!r} is no part of an address of a page.") from None
