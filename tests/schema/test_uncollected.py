"""What is done without Python's look for circles leaves it as it was, however it ends."""

from __future__ import annotations

import gc

import pytest

from circuitkb.schema.uncollected import uncollected


def test_circles_are_looked_for_again_after_an_error_and_not_before_the_outermost_end() -> None:
    within = []

    def fail() -> None:
        with uncollected():
            with uncollected():
                pass
            within.append(gc.isenabled())
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert within == [False]
    assert gc.isenabled()


def test_who_looks_for_no_circles_goes_on_so() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
