"""Addresses of pages: every id has one, gets it back, and is a plain name on any disk and host."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitkb.atlas.links import address, of_address
from circuitkb.schema.errors import IdError

IDS = st.text(min_size=1).filter(lambda text: max(text) < "\udcff")


@given(IDS)
def test_the_id_of_an_address_is_the_id(id: str) -> None:
    assert of_address(address(id)) == id


@given(IDS)
def test_an_address_is_a_plain_path_that_a_browser_leaves_as_it_is(id: str) -> None:
    found = address(id)
    assert urljoin("http://host/", found) == f"http://host/{found}"
    for part in found.split("/"):
        assert re.fullmatch(r"[A-Za-z0-9._@+,~-]+", part)
        assert not part.startswith(".")
        assert not part.endswith((".", ".html", ".json", ".csv", ".svg"))
        assert not re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", part)


@given(IDS, IDS)
def test_two_ids_have_two_addresses(one: str, other: str) -> None:
    assert (address(one) == address(other)) == (one == other)


def test_directions_and_layers_with_slashes_have_pages() -> None:
    assert address("m/a/b@nmf:3") == "feature/m/a/b@nmf/3"
    assert of_address("feature/m/a/b@nmf/3") == "m/a/b@nmf:3"


@pytest.mark.parametrize("wrong", ["", "feature/m/3", "elsewhere/x", "node/~FF"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(IdError, match="address of a page"):
        of_address(wrong)
