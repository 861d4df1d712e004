"""The list of tests that only the long check runs names tests that there are."""

from __future__ import annotations

import re

import pytest

from tests.conftest import LONG, ROOT, is_listed, long_ones


def test_every_listed_test_stands_where_the_list_says() -> None:
    exactly, begins = long_ones()
    for name in (*exactly, *begins):
        file, _, test = name.partition("::")
        function = test.partition("[")[0]
        assert re.search(rf"^def {function}", (ROOT / file).read_text("utf-8"), re.M) or (
            not function and (ROOT / file).exists()
        ), name


def test_the_list_is_in_order_and_names_nothing_twice() -> None:
    names = [line[6:] for line in LONG.read_text("utf-8").splitlines() if line[0] != "#"]
    assert names == sorted(set(names))


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("tests/a.py::test_one", True),
        ("tests/a.py::test_one[2]", False),
        ("tests/a.py::test_two[2-x]", True),
        ("tests/a.py::test_two[3]", False),
    ],
)
def test_a_name_is_listed_whole_or_by_how_it_begins(name: str, listed: bool) -> None:
    assert is_listed(name, (frozenset({"tests/a.py::test_one"}), ("tests/a.py::test_two[2",))) is (
        listed
    )
