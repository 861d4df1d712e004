"""An export replaces an export, and nothing that somebody put beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from circuitkb.moving.files.folder import whole_folder, write_about
from circuitkb.schema.errors import StoreError


def export(target: Path, *, force: bool = True) -> None:
    with whole_folder(target, force=force) as folder:
        (folder / "nodes").mkdir()
        (folder / "nodes" / "Model.parquet").write_text("table")
        write_about(folder, {"format": "circuitkb-parquet"})


def test_files_that_no_export_wrote_are_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "zoo"
    export(target)
    export(target)
    for name in ("notes.txt", "nodes/mine.tsv", "kernels/thesis.pdf"):
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_text("precious")
        with pytest.raises(StoreError, match=f"holds {name}, which no export wrote"):
            export(target)
        assert (target / name).read_text() == "precious"
        (target / name).unlink()
    export(target)
    assert [path.name for path in tmp_path.iterdir()] == ["zoo"]
