"""Reading a report back: its sections, its tables, and the store that it speaks of."""

from __future__ import annotations

import json
import re
from typing import Any

import circuitkb as ckb


def section(text: str, title: str) -> str:
    """The part of a report below a heading, up to the next one of its level or above.

    Numbers of headings are not compared: measures and motifs that are added change them.
    """
    level, _, said = title.partition(" ")
    words = re.escape(re.sub(r"^\d+\. ", "", said))
    found = re.search(
        rf"^{level} (?:\d+\. )?{words}$\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.M | re.S
    )
    assert found, f"{title!r} is not in the report"
    return found[1]


def tables(text: str) -> list[list[list[str]]]:
    """All tables: lists of rows, the heads first, cells without emphasis and backticks."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        lines = [line.strip("|").split("|") for line in block.splitlines()]
        assert len({len(line) for line in lines}) == 1, block
        assert set("".join(lines[1])) == {"-"}
        rows = [lines[0], *lines[2:]]
        found.append([[re.sub(r"[*`]", "", cell).strip() for cell in row] for row in rows])
    return found


def figures(table: list[list[str]]) -> dict[str, list[str]]:
    """A table whose first column says what the figures of a row are."""
    return {row[0]: row[1:] for row in table[1:]}


def ask(kb: ckb.KnowledgeBase, cypher: str, **parameters: Any) -> list[dict[str, Any]]:
    return list(kb.query(cypher, parameters, limit=None).to_dicts())


def summary(kb: ckb.KnowledgeBase, id: str) -> Any:
    (row,) = ask(kb, "MATCH (i:Import {id: $id}) RETURN i.summary AS text", id=id)
    return json.loads(row["text"])
