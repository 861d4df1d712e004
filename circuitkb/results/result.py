"""The one type that every answer comes in: columns, rows, and how they came about."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from circuitkb.results.text import csv_line, show, to_json
from circuitkb.schema.errors import MissingExtraError, QueryError

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    import pyarrow as pa
    import rich.table
    from matplotlib.axes import Axes

    from circuitkb.queries.lists.statement import Statement
    from circuitkb.stores.base import Answer

HTML_ROWS = 50
"""Rows that a notebook shows; :meth:`Result.to_pandas` has them all."""

PLOT_BARS = 40
"""Bars that a plot shows, from the first row on."""


@dataclass(frozen=True, eq=False)
class Result:
    """Rows with stated columns, in the order of the query, and where they came from.

    Iterating gives one dictionary for each row; ``result["column"]`` gives one column as a list.

    Attributes
    ----------
    columns, rows
        Names, and one tuple of plain values for each row.
    truncated
        Whether a row limit cut more rows off.
    cypher, parameters
        What was run; empty where no single query was.
    seconds
        How long the store took.
    notes
        What a reader must know to read the rows rightly, one sentence each.
    illustrate
        Draws the picture of a row as SVG, for notebooks; rows of a store bring one along.

    Examples
    --------
    >>> result = Result(("feature", "l1"), (("m/a:0", 2.5), ("m/a:1", 1.0)))
    >>> len(result), result["l1"]
    (2, [2.5, 1.0])
    >>> list(result)[0]
    {'feature': 'm/a:0', 'l1': 2.5}
    >>> result.to_json()
    '[{"feature": "m/a:0", "l1": 2.5}, {"feature": "m/a:1", "l1": 1.0}]'
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool = False
    cypher: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    illustrate: Callable[[Mapping[str, Any]], str] | None = field(default=None, repr=False)

    @classmethod
    def of_answer(cls, answer: Answer, statement: Statement, **about: Any) -> Self:
        """Return what a store answered to a statement.

        Parameters
        ----------
        about
            Further attributes, and those that are otherwise than in the answer.
        """
        return cls(
            **{
                "columns": answer.columns,
                "rows": tuple(answer.rows),
                "truncated": answer.truncated,
                "cypher": answer.cypher or statement.text,
                "parameters": dict(statement.parameters),
                "seconds": answer.seconds,
                **about,
            }
        )

    @classmethod
    def of_records(cls, records: Iterable[Mapping[str, Any]], **about: Any) -> Self:
        """Return records as rows; what one of them lacks is None there.

        Parameters
        ----------
        about
            Further attributes; ``columns`` where they are not simply those of the records.

        Examples
        --------
        >>> Result.of_records([{"a": 1}, {"a": 2, "b": 3}]).rows
        ((1, None), (2, 3))
        """
        records = list(records)
        names = about.pop("columns", None) or dict.fromkeys(name for row in records for name in row)
        rows = tuple(tuple(row.get(name) for name in names) for row in records)
        return cls(tuple(names), rows, **about)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    def __getitem__(self, column: str) -> list[Any]:
        place = self._place(column)
        return [row[place] for row in self.rows]

    def __repr__(self) -> str:
        more = "+" if self.truncated else ""
        return f"<Result of {len(self)}{more} rows: {', '.join(self.columns)}>"

    def select(self, columns: Sequence[str]) -> Result:
        """Return the same rows with only these columns, in this order.

        Examples
        --------
        >>> Result(("a", "b"), ((1, 2),)).select(["b"]).rows
        ((2,),)
        """
        places = [self._place(column) for column in columns]
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        return replace(self, columns=tuple(columns), rows=rows)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one dictionary for each row."""
        return list(self)

    def to_json(self, indent: int | None = None) -> str:
        """Return a JSON list with one object for each row; numbers that are not finite are null.

        Examples
        --------
        >>> Result(("x",), ((float("nan"),),)).to_json()
        '[{"x": null}]'
        """
        return to_json(self.to_dicts(), indent)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the rows as CSV, and write them to ``path`` if one is given.

        Text that a spreadsheet would take for a formula (``= + - @`` at its start, or behind what
        is not seen) gets a ``'`` before it; numbers stay as they are. Lists and maps stand as JSON.

        Examples
        --------
        >>> print(Result(("text", "sum"), (("=1+1", -2.0),)).to_csv())
        text,sum
        '=1+1,-2.0
        """
        text = "".join(csv_line(cells) for cells in (self.columns, *self.rows))
        if path is not None:
            Path(path).write_text(text, encoding="utf-8", newline="")
        return text

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table.

        Maps become structs, in which a key that one map lacks is null. A column whose values share
        no Arrow type (a number here, text there) becomes text: text as it stands, other values as
        JSON.

        Examples
        --------
        >>> table = Result(("x", "y"), ((1, [1]), ("a", [2]))).to_arrow()
        >>> table.to_pydict()
        {'x': ['1', 'a'], 'y': [[1], [2]]}
        """
        import pyarrow as pa

        return pa.Table.from_arrays(
            [_arrow_array([row[i] for row in self.rows]) for i in range(len(self.columns))],
            names=list(self.columns),
        )

    def to_pandas(self) -> pd.DataFrame:
        """Return a pandas data frame, with the types of :meth:`to_arrow`; lists stay lists."""
        import pandas as pd

        table = self.to_arrow()
        return pd.DataFrame(
            {
                name: pd.Series(
                    table[name].to_pylist() if _is_nested(table[name].type) else table[name],
                    dtype=object if _is_nested(table[name].type) else None,
                )
                for name in table.column_names
            }
        )

    def to_polars(self) -> Any:
        """Return a polars data frame.

        Raises
        ------
        MissingExtraError
            Polars is not installed.
        """
        try:
            import polars as pl
        except ImportError:
            raise MissingExtraError(
                "to_polars() needs polars: pip install 'circuitkb[polars]'"
            ) from None
        return pl.from_arrow(self.to_arrow())

    def to_networkx(self, source: str = "source", target: str = "target") -> nx.MultiDiGraph[Any]:
        """Return a directed graph with one edge for each row; other columns are its attributes.

        Two features may be joined by several weights, so parallel edges stay apart.

        Raises
        ------
        QueryError
            There are no such columns.

        Examples
        --------
        >>> rows = (("m/a:0", "m/b:1", 2.0), ("m/a:0", "m/b:1", -1.0))
        >>> Result(("source", "target", "sum"), rows).to_networkx().number_of_edges()
        2
        """
        import networkx as nx

        self._place(source)
        self._place(target)
        graph: nx.MultiDiGraph[Any] = nx.MultiDiGraph()
        for row in self:
            graph.add_edge(row.pop(source), row.pop(target), **row)
        return graph

    def to_pyg(self, source: str = "source", target: str = "target") -> Any:
        """Return a ``torch_geometric.data.Data`` with one edge for each row.

        ``data.ids`` names the nodes, in the order of their ids; ``data.edge_index`` has axes
        (end, row); ``data.edge_attr`` holds the columns of numbers, axes (row, column), which
        ``data.edge_attr_names`` names. A number that is missing is NaN.

        Raises
        ------
        QueryError
            There are no such columns.
        MissingExtraError
            PyTorch Geometric is not installed.
        """
        ends = self[source], self[target]
        try:
            import torch
            from torch_geometric.data import Data
        except ImportError:
            raise MissingExtraError(
                "to_pyg() needs PyTorch Geometric: pip install 'circuitkb[pyg]'"
            ) from None
        ids = sorted({id for end in ends for id in end})
        number = {id: place for place, id in enumerate(ids)}
        names = [
            name
            for name in self.columns
            if name not in (source, target)
            and any(_is_number(value) for value in self[name])
            and all(value is None or _is_number(value) for value in self[name])
        ]
        values = [[math.nan if v is None else float(v) for v in self[name]] for name in names]
        return Data(
            edge_index=torch.tensor(
                [[number[id] for id in end] for end in ends], dtype=torch.long
            ).reshape(2, len(self)),
            edge_attr=torch.tensor(values, dtype=torch.float32).reshape(len(names), len(self)).T,
            edge_attr_names=names,
            ids=ids,
            num_nodes=len(ids),
        )

    def plot(self, value: str | None = None, label: str | None = None) -> Axes:
        """Draw one bar for each row, at most :data:`PLOT_BARS`, and return the axes.

        Parameters
        ----------
        value
            Column of numbers; the first one if not given.
        label
            Column that names the bars; the first column of text if not given.

        Raises
        ------
        QueryError
            There are no rows, or no column of numbers.
        """
        heights = self._place(value) if value else self._first(_is_number)
        if heights is None:
            raise QueryError("plot() needs at least one row and a column of numbers.")
        names = self._place(label) if label else self._first(lambda item: isinstance(item, str))

        from matplotlib.figure import Figure

        shown = [row for row in self.rows if _is_number(row[heights])][:PLOT_BARS]
        figure = Figure(figsize=(7, 0.9 + 0.24 * len(shown)), layout="constrained")
        axes = figure.subplots()
        places = range(len(shown))
        axes.barh(places, [row[heights] for row in shown])
        if names is not None:
            texts = [str(row[names]) for row in shown]
            axes.set_yticks(places, texts, parse_math=False)  # a label may hold a $
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_xlabel(self.columns[heights], parse_math=False)
        if len(shown) < len(self):
            axes.set_title(f"first {len(shown)} of {len(self)} rows", fontsize="small")
        return axes

    def __rich__(self) -> rich.table.Table:
        """Return a table for a terminal."""
        from rich.table import Table
        from rich.text import Text

        table = Table(header_style="bold")
        for i, name in enumerate(self.columns):
            numbers = any(_is_number(row[i]) for row in self.rows)
            table.add_column(Text(name), justify="right" if numbers else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(show(value)) for value in row))
        return table

    def _repr_html_(self) -> str:
        """Return a table for a notebook, with the first :data:`HTML_ROWS` rows."""
        shown = self.rows[:HTML_ROWS]
        pictures = [self._picture(row) for row in shown]
        if not any(pictures):
            pictures = []
        head = "<th></th>" if pictures else ""
        head += "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>"
            + (f"<td>{pictures[i]}</td>" if pictures else "")
            + "".join(f"<td>{escape(show(value))}</td>" for value in row)
            + "</tr>"
            for i, row in enumerate(shown)
        )
        lines = list(self.notes)
        if len(self) > HTML_ROWS:
            lines.append(f"{HTML_ROWS} of {len(self)} rows shown.")
        if self.truncated:
            lines.append("More rows were cut off by the limit.")
        foot = "".join(f"<p>{escape(line)}</p>" for line in lines)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{foot}"

    def _picture(self, row: Sequence[Any]) -> str:
        if self.illustrate is None:
            return ""
        return self.illustrate(dict(zip(self.columns, row, strict=True)))

    def _place(self, column: str) -> int:
        if column in self.columns:
            return self.columns.index(column)
        raise QueryError(f"No column {column!r} here; there are {', '.join(self.columns)}.")

    def _first(self, wanted: Any) -> int | None:
        for i in range(len(self.columns)):
            if any(wanted(row[i]) for row in self.rows):
                return i
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _arrow_array(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    try:
        array = pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        array = None
    if array is None:
        array = pa.array(
            [v if isinstance(v, str) or v is None else to_json(v) for v in values], pa.string()
        )
    return array


def _is_nested(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_nested(kind))
