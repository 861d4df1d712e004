"""A table of lines has one for each row, cuts no id, and says what it left out."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from circuitkb.cli.line_tables import LineTable, citations, cite, line_table

ID = st.builds(
    "{}/{}:{}".format,
    st.text("abc_", min_size=1, max_size=9),
    st.text("xyz.", min_size=1, max_size=9),
    st.integers(0, 9999),
)
TEXT = st.lists(st.text("curves", min_size=1, max_size=14), max_size=12).map(" ".join)
CELL = st.one_of(
    st.none(),
    st.integers(-(10**6), 10**6),
    TEXT,
    st.lists(TEXT, max_size=4),
    st.lists(ID, max_size=4),
)
AUTHORS = "Chris Olah, Nick Cammarata, Ludwig Schubert: Zoom In: An Introduction to Circuits"


def lines(table: LineTable, width: int) -> list[str]:
    out = Console(file=io.StringIO(), width=width, color_system=None)
    out.print(table.shown)
    return out.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


@settings(max_examples=50)
@given(
    st.integers(0, 7).flatmap(
        lambda count: st.lists(st.tuples(ID, *[CELL] * count), min_size=2, max_size=5)
    ),
    st.integers(60, 140),
)
def test_every_row_is_one_line_within_the_width_and_its_id_is_whole(
    rows: list[tuple[object, ...]], width: int
) -> None:
    columns = ["id", *(f"column_{i}" for i in range(len(rows[0]) - 1))]
    table = line_table(columns, rows, width)
    shown = lines(table, width)
    assert max(map(len, shown)) <= width
    rule = next(i for i, line in enumerate(shown) if set(line) == {"─"})
    assert len(shown) - rule - 1 == len(rows)
    if rows[0][0] != rows[1][0]:
        for row, line in zip(rows, shown[rule + 1 :], strict=True):
            assert str(row[0]) in line.split()


@settings(max_examples=50)
@given(st.lists(st.tuples(ID, ID, ID), min_size=2, max_size=4), st.integers(45, 90))
def test_an_id_is_whole_or_its_column_left_out(
    rows: list[tuple[str, str, str]], width: int
) -> None:
    table = line_table(["one", "two", "three"], rows, width)
    known = {cell for row in rows for cell in row}
    words = {word for line in lines(table, width) for word in line.split() if "/" in word}
    assert {word.rstrip(";") for word in words} <= known


def test_what_finds_no_room_is_named_the_wanted_columns_last() -> None:
    rows = [(f"m/{'a' * 20}:{i}", f"m/{'b' * 20}:{i}", i) for i in range(2)]
    columns = ("one", "two", "rank")
    assert line_table(columns, rows, 60).left_out == ()
    assert line_table(columns, rows, 40).left_out == ("two",)
    assert line_table(columns, rows, 40, first=("two",)).left_out == ("one",)


def test_lists_and_texts_are_cut_with_a_sign() -> None:
    ids, text = ["m/b:1", "m/b:2", "m/b:3"], "a long text of many words"
    rows = [(f"m/a:{i}", ids, text) for i in range(2)]
    table = line_table(("id", "inputs", "claim"), rows, 36)
    assert table.cut
    assert lines(table, 36)[-1].split() == ["m/a:1", "m/b:1,", "+2", "a", "long", "text", "of…"]
    assert not line_table(("id", "inputs", "claim"), rows, 100).cut


def test_a_single_row_without_room_stands_as_one_block() -> None:
    row = tuple(f"m/{'c' * 25}:{i}" for i in range(4))
    shown = lines(line_table(("a", "b", "c", "d"), [row], 60), 60)
    assert [line.split() for line in shown] == [[n, v] for n, v in zip("abcd", row, strict=True)]


def test_authors_are_cited_and_other_texts_with_commas_are_not() -> None:
    assert cite(AUTHORS, "2020") == "Olah et al. 2020"
    assert cite("Ada Lovelace, Charles Babbage", "1843") == "Lovelace & Babbage 1843"
    assert citations(["Dog Heads, Cat Ears, Car Doors"], {}) == {}
    rows = [("m/a:0", [AUTHORS]), ("m/a:1", [AUTHORS, "Ada"])]
    shown = lines(line_table(("id", "said_by"), rows, 60, years={AUTHORS: "2020"}), 60)
    assert [line.split(maxsplit=1)[1].rstrip() for line in shown[-2:]] == [
        "Olah et al. 2020",
        "Olah et al. 2020, Ada",
    ]
