"""The knowledge base as tables in DuckDB, asked in SQL."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from circuitkb.schema.tables import GraphRows

from .questions import INPUTS, SHARED, TRIANGLES, UNIONS, UNITED, Question, Rows

SQL = {
    INPUTS: """
SELECT source, rank, l1 FROM WEIGHT_Feature_Feature
WHERE target = $unit ORDER BY rank LIMIT $top""",
    UNITED: """
SELECT t.source, t.target, v.target, v.rank, w.rank
FROM TRANSFORMS_TO_Feature_Feature t
JOIN WEIGHT_Feature_Feature v ON v.source = t.source
JOIN WEIGHT_Feature_Feature w ON w.source = t.target AND w.target = v.target
WHERE t."group" = 'mirror' AND t.source < t.target
  AND v.rank <= $rank AND w.rank <= $rank AND v.positive > $mass AND w.positive > $mass""",
    SHARED: """
SELECT v.target, w.target, count(*)
FROM IN_LAYER_Feature_Layer i
JOIN WEIGHT_Feature_Feature v ON v.target = i.source
JOIN WEIGHT_Feature_Feature w ON w.source = v.source
JOIN Feature y ON y.id = w.target
WHERE i.target = $layer_1 AND y.layer = $layer_2 AND v.rank <= $rank AND w.rank <= $rank
GROUP BY v.target, w.target HAVING count(*) >= $least""",
    TRIANGLES: """
SELECT x.source, w.source, x.target
FROM IN_MODEL_Layer_Model m
JOIN IN_LAYER_Feature_Layer i ON i.target = m.source
JOIN WEIGHT_Feature_Feature x ON x.target = i.source
JOIN WEIGHT_Feature_Feature w ON w.target = x.target
JOIN WEIGHT_Feature_Feature v ON v.source = x.source AND v.target = w.source
WHERE m.target = $model AND x.rank <= $rank AND w.rank <= $rank AND v.rank <= $rank
  AND x.path = 'residual' AND w.path = 'direct' AND v.path = 'direct'""",
    UNIONS: """
WITH sound AS (
  SELECT DISTINCT c.id, c.model, c.score
  FROM Circuit c
  JOIN SUPPORTS_Evidence_Circuit s ON s.target = c.id
  JOIN Evidence e ON e.id = s.source
  WHERE c.motif = 'union' AND c.origin = 'found' AND contains(e.detail, '"of":"' || $of || '"')
), found AS (
  SELECT c.id, c.model, c.score, u.source AS target, a.source AS one, b.source AS other
  FROM sound c
  JOIN MEMBER_OF_Feature_Circuit u ON u.target = c.id AND u.role = 'union'
  JOIN MEMBER_OF_Feature_Circuit a ON a.target = c.id AND a.side = 1
  JOIN MEMBER_OF_Feature_Circuit b ON b.target = c.id AND b.side = 2
), alike AS (
  SELECT source, target FROM ANALOGOUS_TO_Circuit_Circuit WHERE q <= 0.05
  UNION SELECT target, source FROM ANALOGOUS_TO_Circuit_Circuit WHERE q <= 0.05
), twins AS (
  SELECT f.target, list(DISTINCT u.source) AS units
  FROM found f JOIN alike s ON s.source = f.id
  JOIN MEMBER_OF_Feature_Circuit u ON u.target = s.target AND u.role = 'union'
  GROUP BY f.target
), words AS (
  SELECT s.target, list(DISTINCT l.text) AS words
  FROM ANNOTATES_Annotation_Feature s
  JOIN Annotation a ON a.id = s.source AND a.kind = 'label'
  JOIN USES_Annotation_Label u ON u.source = a.id
  JOIN Label l ON l.id = u.target
  WHERE s.target IN (SELECT target FROM found)
  GROUP BY s.target
)
SELECT any_value(f.model), f.target, list(DISTINCT f.one), list(DISTINCT f.other),
  count(DISTINCT f.id), max(f.score),
  coalesce(any_value(t.units), []), coalesce(any_value(w.words), [])
FROM found f LEFT JOIN twins t ON t.target = f.target LEFT JOIN words w ON w.target = f.target
GROUP BY f.target""",
}

UNUSED = {
    "models",
    "label",
    "one_label",
    "other_label",
    "orientation",
    "tolerance",
    "published_motifs",
    "cases",
    "shape",
    "trial",
}
"""Parameters of the union question that select nothing here: any model, any label."""


class DuckdbTables:
    """A DuckDB file with one table for each label and each kind of relation, without indexes.

    Parameters
    ----------
    file
        The database.
    threads
        That DuckDB may use.
    """

    def __init__(self, file: Path, threads: int = 2) -> None:
        self._file = file
        self._threads = threads
        self._database: duckdb.DuckDBPyConnection | None = None

    def load(self, pieces: Iterable[GraphRows]) -> None:
        """Make a table for each kind of row and insert the rows into it."""
        with duckdb.connect(str(self._file), config={"threads": self._threads}) as database:
            for piece in pieces:
                tables = dict(piece.nodes)
                for item in piece.relations:
                    name = f"{item.name}_{item.source_label}_{item.target_label}"
                    tables[name] = item.table
                for name, table in tables.items():
                    database.register("rows", table)
                    database.execute(
                        f'CREATE TABLE IF NOT EXISTS "{name}" AS FROM rows WITH NO DATA'
                    )
                    database.execute(f'INSERT INTO "{name}" FROM rows')
                    database.unregister("rows")

    def open(self) -> None:
        """Open the file, for reading only."""
        config: dict[str, str | bool | int | float | list[str]] = {"threads": self._threads}
        self._database = duckdb.connect(str(self._file), read_only=True, config=config)

    def answer(self, question: Question) -> Rows:
        """Return the rows of a question."""
        given = {name: v for name, v in question.parameters.items() if name not in UNUSED}
        if self._database is None:
            raise RuntimeError("Open it first.")
        return self._database.execute(SQL[question.name], given).fetchall()

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()
