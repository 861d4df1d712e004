"""Lists and cards say of a found circuit that it comes and goes (2 s)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import circuitkb as ckb
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of


def joined(name: str, source: str, target: str, rows: list[dict[str, Any]]) -> Relations:
    return Relations(name, source, target, relation_table(name, rows_of(rows)))


def stored() -> GraphRows:
    """Three circuits of one unit: one that comes and goes, one that stays, one not asked."""
    model = {"id": "net", "fingerprint": "f", "source": "s"}
    layer = {"id": "net/a", "model": "net", "name": "a", "position": 0, "channels": 1, "kind": "k"}
    unit = {"id": "net/a:0", "model": "net", "layer": "a", "unit": 0}
    shares = {"goes": 0.44, "stays": 0.9, "unasked": None}
    circuits = [
        {"id": name, "motif": "union", "model": "net", "origin": "found", "stability": share}
        for name, share in shares.items()
    ]
    every = {"Model": [model], "Layer": [layer], "Feature": [unit], "Circuit": circuits}
    members = [{"source": "net/a:0", "target": name, "role": "union"} for name in shares]
    return GraphRows(
        {label: node_table(label, rows_of(rows)) for label, rows in every.items()},
        [
            joined("IN_LAYER", "Feature", "Layer", [{"source": "net/a:0", "target": "net/a"}]),
            joined("IN_MODEL", "Layer", "Model", [{"source": "net/a", "target": "net"}]),
            joined("MEMBER_OF", "Feature", "Circuit", members),
        ],
    )


def test_lists_and_cards_say_which_circuits_come_and_go(tmp_path: Path) -> None:
    with ckb.open(tmp_path / "kb.ckb") as kb:
        kb.store.write(stored())
        listed = kb.circuits().run()
        assert dict(zip(listed["circuit"], listed["stability"], strict=True)) == {
            "goes": 0.44,
            "stays": 0.9,
            "unasked": None,
        }
        (note,) = listed.notes
        assert note.startswith("1 of 3 circuits comes and goes")
        assert {record["stability"] for record in kb.circuit_records()} == {0.44, 0.9, None}
        said = {name: kb.show(name).sections[0].note for name in ("goes", "stays", "unasked")}
        assert "still there 44% of the time" in said["goes"]
        assert said["stays"] == said["unasked"] == ""
