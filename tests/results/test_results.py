"""The result type: the same rows in every form, whatever is in them."""

from __future__ import annotations

import builtins
import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from circuitkb.errors import MissingExtraError, QueryError
from circuitkb.results.result import HTML_ROWS, PLOT_BARS, Result

EDGES = Result(
    ("source", "target", "sum", "labels"),
    (
        ("m/a:0", "m/b:1", 2.0, ["Curves"]),
        ("m/a:0", "m/b:1", -1.0, []),
        ("m/a:2", "m/b:1", 0.5, None),
    ),
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.lists(st.tuples(values, values), max_size=6))
@settings(max_examples=200, deadline=None)
def test_any_rows_go_through_every_form_with_none_lost(rows: list[tuple[Any, Any]]) -> None:
    result = Result(("x", "y"), tuple(rows))
    assert result.to_arrow().num_rows == len(rows)
    assert len(result.to_pandas()) == len(rows)
    assert len(json.loads(result.to_json())) == len(rows)
    assert len(list(csv.reader(io.StringIO(result.to_csv(), newline="")))) == len(rows) + 1
    assert len(list(result)) == len(result["x"]) == len(rows)
    assert isinstance(result._repr_html_(), str)
    with Console(file=io.StringIO()) as console:
        console.print(result)


def test_plain_columns_keep_their_types_in_arrow() -> None:
    schema = EDGES.to_arrow().schema
    assert schema.types == [pa.string(), pa.string(), pa.float64(), pa.list_(pa.string())]


def test_a_column_of_mixed_types_becomes_text() -> None:
    table = Result(("x",), ((1,), ("a",), (None,), ([1, {"b": 2}],))).to_arrow()
    assert table["x"].to_pylist() == ["1", "a", None, '[1, {"b": 2}]']


def test_a_number_too_large_for_arrow_becomes_text() -> None:
    assert Result(("x",), ((2**80,),)).to_arrow()["x"].to_pylist() == [str(2**80)]


def test_maps_become_structs_in_which_a_missing_key_is_null() -> None:
    table = Result(("x",), (({"a": 1},), ({"b": "c"},))).to_arrow()
    assert table["x"].to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": "c"}]


def test_no_rows_keep_their_columns() -> None:
    empty = Result(("x", "y"), ())
    assert empty.to_arrow().column_names == list(empty.to_pandas().columns) == ["x", "y"]
    assert empty.to_csv() == "x,y\n"
    assert empty.to_json() == "[]"


def test_lists_stay_lists_in_pandas() -> None:
    assert EDGES.to_pandas()["labels"].tolist() == [["Curves"], [], None]


def test_polars_gets_the_same_rows() -> None:
    assert EDGES.to_polars().to_dicts() == EDGES.to_dicts()


def test_without_polars_the_install_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "polars":
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'circuitkb\[polars\]'"):
        EDGES.to_polars()


def test_parallel_edges_stay_apart_in_networkx() -> None:
    graph = EDGES.to_networkx()
    assert sorted(data["sum"] for _, _, data in graph.edges(data=True)) == [-1.0, 0.5, 2.0]
    assert set(graph) == {"m/a:0", "m/a:2", "m/b:1"}


def test_rows_without_two_ends_make_no_network() -> None:
    with pytest.raises(QueryError, match="No column 'source' here; there are x"):
        Result(("x",), ((1,),)).to_networkx()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_is_made_harmless(start: str) -> None:
    text = Result(("x",), ((f"{start}cmd()",),)).to_csv()
    assert list(csv.reader(io.StringIO(text, newline="")))[1] == [f"'{start}cmd()"]


def test_numbers_and_plain_text_stay_as_they_are_in_csv() -> None:
    text = Result(("a", "b", "c", "d"), ((-1.5, -3, "m/a:0", None),)).to_csv()
    assert text == "a,b,c,d\n-1.5,-3,m/a:0,\n"


def test_csv_is_written_where_asked(tmp_path: Path) -> None:
    text = EDGES.to_csv(tmp_path / "edges.csv")
    assert (tmp_path / "edges.csv").read_text() == text


def test_numbers_that_are_not_finite_are_null_in_json() -> None:
    rows = Result(("x",), ((float("nan"),), ([float("inf"), 1.0],)))
    assert json.loads(rows.to_json()) == [{"x": None}, {"x": [None, 1.0]}]


def test_a_plot_has_one_bar_for_each_row_from_the_first_on() -> None:
    axes = EDGES.plot()
    assert [bar.get_width() for bar in axes.patches] == [2.0, -1.0, 0.5]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["m/a:0", "m/a:0", "m/a:2"]
    many = Result(("x",), tuple((i,) for i in range(PLOT_BARS + 5)))
    assert len(many.plot().patches) == PLOT_BARS


def test_a_plot_of_chosen_columns_shows_those() -> None:
    axes = Result(("a", "b", "n"), ((1, 5, "x"),)).plot(value="b", label="a")
    assert axes.patches[0].get_width() == 5
    assert axes.get_xlabel() == "b"


@pytest.mark.parametrize("rows", [(), (("text",),), ((None,),)])
def test_rows_without_a_number_cannot_be_plotted(rows: Any) -> None:
    with pytest.raises(QueryError, match="column of numbers"):
        Result(("x",), rows).plot()


def test_a_notebook_shows_the_first_rows_escaped_and_what_was_cut_off() -> None:
    rows = tuple((f"<b>{i}</b>",) for i in range(HTML_ROWS + 1))
    html = Result(("x",), rows, truncated=True, notes=("a <note>",))._repr_html_()
    assert "&lt;b&gt;0&lt;/b&gt;" in html
    assert f"&lt;b&gt;{HTML_ROWS}&lt;/b&gt;" not in html
    assert "a &lt;note&gt;" in html
    assert "cut off" in html


def test_square_brackets_in_a_cell_are_not_markup_in_a_terminal() -> None:
    out = io.StringIO()
    Console(file=out, width=60).print(Result(("[x]",), (("[red]a[/red]",),)))
    assert "[red]a[/red]" in out.getvalue()
    assert "[x]" in out.getvalue()


def test_pytorch_geometric_gets_the_graph_that_networkx_gets() -> None:
    from torch_geometric.utils import to_networkx

    rows = (
        ("m/b:1", "m/c:0", 2.0, 1, "direct", None),
        ("m/a:0", "m/b:1", -1.5, 2, "direct", 0.25),
        ("m/a:0", "m/b:1", 3.0, 3, "residual", None),
    )
    result = Result(("source", "target", "sum", "rank", "path", "dx"), rows)
    data = result.to_pyg()
    assert data.validate()
    assert data.ids == ["m/a:0", "m/b:1", "m/c:0"]
    assert data.edge_attr_names == ["sum", "rank", "dx"]
    assert data.edge_attr[:, :2].tolist() == [[2.0, 1.0], [-1.5, 2.0], [3.0, 3.0]]
    assert data.edge_attr[:, 2].isnan().tolist() == [True, False, True]
    ours, theirs = result.to_networkx(), to_networkx(data, to_multi=True)
    named = [(data.ids[a], data.ids[b]) for a, b in theirs.edges()]
    assert sorted(named) == sorted(ours.edges())


def test_a_graph_without_rows_has_no_nodes_in_pytorch_geometric() -> None:
    data = Result(("source", "target", "sum"), ()).to_pyg()
    assert (data.num_nodes, tuple(data.edge_index.shape), data.edge_attr_names) == (0, (2, 0), [])


def test_without_pytorch_geometric_the_command_that_installs_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    monkeypatch.setitem(sys.modules, "torch_geometric.data", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'circuitkb\[pyg\]'"):
        Result(("source", "target"), (("a", "b"),)).to_pyg()
