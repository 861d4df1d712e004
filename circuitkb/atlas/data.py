"""What a folder of pages has for programs: its lists as data, and how to cite it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import pyarrow.parquet as pq

from circuitkb.atlas.page import Page
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.moving.releases.citation import citation
from circuitkb.results.harmless_text import without_folder
from circuitkb.results.text import to_json

LISTS = ("circuits", "features", "trials")
"""Pages whose tables lie beside them as data."""

_MODELS = """\
MATCH (m:Model) WHERE $models IS NULL OR m.id IN $models
RETURN m.id AS id, m.source AS source, m.fingerprint AS fingerprint, m.license AS license,
  m.attribution AS attribution
ORDER BY id"""

_CHANGED = "MATCH (i:Import) RETURN max(i.created) AS day"


def data_of(page: Page) -> Mapping[str, bytes]:
    """Return the files of a list by their endings: JSON and CSV for people, Parquet for programs.

    Values that are lists of maps are JSON in CSV and in Parquet.
    """
    result, file = page.tables[0].result, io.BytesIO()
    pq.write_table(result.to_arrow(), file, compression="zstd")
    return {
        ".json": to_json(page.to_dict()).encode("utf-8", "replace"),
        ".csv": result.to_csv().encode("utf-8", "replace"),
        ".parquet": file.getvalue(),
    }


def cited(kb: KnowledgeBase, models: Sequence[str] | None) -> str:
    """Return how to cite the pages of some models, or of all, as a file ``CITATION.cff``."""
    found = kb.query(_MODELS, {"models": None if models is None else list(models)}, limit=None)
    rows = [{**row, "source": without_folder(str(row["source"]))} for row in found]
    (day,) = kb.query(_CHANGED)["day"]
    names = ", ".join(str(row["id"]) for row in rows)
    return citation(
        f"Circuits of {names or 'no network'}", models=rows, released=str(day or "")[:10]
    )
