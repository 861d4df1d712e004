"""Of each motif that was found, one circuit as a picture beside the report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from circuitkb.motifs.motif import Motif
from circuitkb.results.cards import card
from circuitkb.results.harmless_text import for_markdown
from circuitkb.results.pictures.card_pictures import members
from circuitkb.results.pictures.provenance import Provenance
from circuitkb.stores.base import Store
from circuitkb.stores.disk.own_files import replace_text

_SUREST = """\
MATCH (c:Circuit {origin: 'found'})<-[:SUPPORTS]-(e:Evidence)
WHERE c.motif IN $called AND c.model IN $models AND e.q IS NOT NULL
WITH c.id AS id, c.model AS model, CASE WHEN c.motif = $motif THEN 0 ELSE 1 END AS lacks,
  CASE WHEN c.trial = 'held' THEN 0 ELSE 1 END AS failed, min(e.q) AS q, min(e.p) AS p
RETURN id, model ORDER BY lacks, failed, q, p, id LIMIT 1"""


def picture_of(
    store: Store, motif: Motif, models: Sequence[str], folder: Path, beside: Path
) -> list[str]:
    """Draw a circuit of a motif, one that held or else that of the least q, and return its line.

    Parameters
    ----------
    folder
        Where ``MOTIF.svg`` is written, over an earlier one.
    beside
        Folder of the report, from which the line names the file.

    Returns
    -------
    list of str
        Markdown; nothing where no circuit of the motif was found.
    """
    asked = {"motif": motif.name, "called": list(motif.kinds), "models": list(models)}
    rows = store.read(_SUREST, asked, limit=None).rows
    if not rows:
        return []
    id, model = rows[0]
    drawn = members(store, card(store, id))
    if drawn is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{motif.name}.svg"
    replace_text(path, Provenance(store).sign(drawn.svg, id, model))
    link = Path(os.path.relpath(path, beside)).as_posix()
    said = for_markdown(f"{id}, in {model}: {drawn.caption}")
    return [f"![{said}]({link})", "", f"*{said}*", ""]
