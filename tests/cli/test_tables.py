"""A table never breaks an id, loses a value, or is wider than it may be."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from circuitkb.cli.tables import layout

WORD = st.text("abcxyz019/:._", min_size=1, max_size=30)
CELL = st.one_of(st.none(), st.integers(-(10**6), 10**6), st.lists(WORD, max_size=8).map(" ".join))
WIDTHS = st.integers(60, 200)


def text(shown: RenderableType, width: int) -> str:
    out = Console(file=io.StringIO(), width=width, color_system=None)
    out.print(shown)
    return out.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@given(
    st.integers(1, 6).flatmap(
        lambda count: st.lists(st.tuples(*[CELL] * count), min_size=1, max_size=5)
    ),
    WIDTHS,
)
def test_every_word_stands_whole_within_the_width(
    rows: list[tuple[str | int | None, ...]], width: int
) -> None:
    columns = [f"column_{i}" for i in range(len(rows[0]))]
    shown = text(layout(columns, rows, width), width)
    assert max(len(line) for line in shown.splitlines()) <= width
    words = shown.split()
    for row in rows:
        for cell in row:
            for word in str("" if cell is None else cell).split():
                assert word in words


def test_columns_that_nobody_needs_are_left_out_unless_all_are_asked_for() -> None:
    columns, rows = ("id", "empty", "long"), [("m/a:0", None, "x" * 50)]
    assert "empty" not in text(layout(columns, rows, 80, hidden=("long",)), 80)
    assert "long" not in text(layout(columns, rows, 80, hidden=("long",)), 80)
    for everything in (layout(columns, rows, None, hidden=("long",)), layout(columns, rows, 80)):
        assert {"id", "empty", "long"} <= set(text(everything, 300).split())


def test_what_all_rows_share_stands_above_a_table_that_would_not_fit() -> None:
    columns = ("source", "target", "sum")
    rows = [(f"m/{'a' * 25}:{i}", f"m/{'b' * 25}:0", 0.5) for i in range(3)]
    shown = text(layout(columns, rows, 60), 60)
    assert shown.count(rows[0][1]) == 1
    assert "in every row" in shown
    roomy = text(layout(columns, rows, 100), 100)
    assert roomy.count(rows[0][1]) == 3


def test_rows_too_wide_for_a_table_become_blocks() -> None:
    columns = tuple(f"column_{i}" for i in range(6))
    rows = [tuple(f"m/{'c' * 25}:{i}{j}" for i in range(6)) for j in range(2)]
    lines = text(layout(columns, rows, 60), 60).splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["column_0", rows[0][0]],
        ["column_1", rows[0][1]],
    ]


def test_members_of_a_circuit_stand_one_on_a_line_with_role_side_and_labels() -> None:
    members = [
        {"feature": "m/a:0", "role": "case", "side": 1, "weight": 0.5, "labels": ["Heads"]},
        {"feature": "m/b:0", "role": "union", "side": None, "weight": None, "labels": []},
    ]
    shown = text(layout(("circuit", "members"), [("c", members)], 60), 60)
    assert "case 1: m/a:0 (Heads)" in shown
    assert "union: m/b:0\n" in "\n".join(line.rstrip() for line in shown.splitlines()) + "\n"
