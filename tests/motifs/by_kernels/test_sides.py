"""Cases of one union stand on the same side in every pair that they are in."""

from __future__ import annotations

from circuitkb.motifs.members import two_sides


def test_pairs_that_name_their_cases_in_any_order_agree_about_sides() -> None:
    side_score = {"a": -0.3, "b": 0.1, "x": 0.4, "y": 0.3}
    pairs = two_sides([("a", "x"), ("y", "b"), ("y", "a"), ("b", "x")], side_score)
    sides = {case: side for pair in pairs.values() for side, case in enumerate(pair, 1)}
    assert all(sides[one] == 1 and sides[two] == 2 for one, two in pairs.values())
    assert sides["a"] == sides["b"] == 1
    assert sides["x"] == sides["y"] == 2
