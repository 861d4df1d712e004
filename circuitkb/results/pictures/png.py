"""An SVG as PNG, which says of itself what the SVG does."""

from __future__ import annotations

import io
from collections.abc import Mapping

from circuitkb.results.pictures.provenance import said

SCALE = 2.0
"""Pixels for each unit of the SVG."""


def png_of(svg: str) -> bytes:
    """Return the PNG of a picture; what it shows and comes from stands in it as text.

    Examples
    --------
    >>> from PIL import Image
    >>> from circuitkb.results.pictures.provenance import signed
    >>> svg = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="10"></svg>'
    >>> picture = Image.open(io.BytesIO(png_of(signed(svg, "net/a:1", {}))))
    >>> picture.size, picture.info["Title"]
    ((80, 20), 'net/a:1')
    """
    import vl_convert

    return with_text(vl_convert.svg_to_png(svg, scale=SCALE), said(svg))


def with_text(png: bytes, texts: Mapping[str, str]) -> bytes:
    """Return a PNG with texts in it, by their keywords, and the same pixels."""
    from PIL import Image, PngImagePlugin

    chunks = PngImagePlugin.PngInfo()
    for name, value in texts.items():
        chunks.add_itxt(name, value)
    file = io.BytesIO()
    with Image.open(io.BytesIO(png)) as drawn:
        drawn.save(file, format="png", pnginfo=chunks)
    return file.getvalue()
