"""What a picture says of itself: whatever it is called, it stays well-formed XML."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from circuitkb.results.pictures.measured_value import measured_picture
from circuitkb.results.pictures.png import png_of
from circuitkb.results.pictures.provenance import said, signed

PLAIN = measured_picture({"measured": 2.0, "null_mean": 1.0})

HOSTILE = [
    "</dc:title></metadata><script>alert(1)</script>",
    "]]><!-- &amp; \" '",
    "a\x00b\x1b[2J\u202e",
    "\ud800\uffff",
    "\u00e9 \u732b \U0001f408",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_strangers_text_stays_text(text: str) -> None:
    model = dict.fromkeys(("id", "source", "fingerprint", "license", "attribution"), text)
    svg = signed(PLAIN, text, model)
    assert {part.tag.rpartition("}")[2] for part in ET.fromstring(svg).iter()} == {
        *(part.tag.rpartition("}")[2] for part in ET.fromstring(PLAIN).iter()),
        *("metadata", "RDF", "Description", "title", "creator", "source", "identifier", "rights"),
    }
    info = Image.open(io.BytesIO(png_of(svg))).info
    assert {name: info[name] for name in said(svg)} == said(svg)
    assert info["Software"].startswith("circuitkb ")


def test_its_name_stays_first_and_it_is_signed_once() -> None:
    svg = signed(PLAIN, "net/a:1", {})
    names = [next(iter(ET.fromstring(each))).text for each in (svg, PLAIN)]
    assert names[0] == names[1]
    assert signed(svg, "net/a:2", {}) == svg


def test_a_picture_within_a_picture_keeps_its_own() -> None:
    inner = signed(PLAIN, "net/a:1 to net/b:2", {})
    outer = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{inner}</svg>'
    whole = signed(outer, "net/b:2", {})
    assert said(whole)["Title"] == "net/b:2"
    assert "<dc:title>net/a:1 to net/b:2</dc:title>" in whole
