"""Beside a server, too, a store removes only arrays, and never through a link."""

from __future__ import annotations

import os
from pathlib import Path

from circuitkb.stores.server.arrays import Files, clean


def test_only_old_or_replaced_arrays_are_removed(tmp_path: Path) -> None:
    names = [f"{digit * 32}.safetensors" for digit in "0123"]
    theirs = ["notes.txt", "weights.safetensors", "weights.new"]
    elsewhere = tmp_path / "elsewhere"
    own = tmp_path / "own"
    for folder in (elsewhere, own / "kernels"):
        folder.mkdir(parents=True)
        for name in [*names, f"{'4' * 32}.{'5' * 32}.new", *theirs]:
            (folder / name).write_text("precious")
            if name not in names[:3]:
                os.utime(folder / name, (0, 0))
    (own / "responses").symlink_to(elsewhere)
    named = {"a": names[0], "b": names[1]}
    before: Files = {"kernels": named, "responses": {"a": names[0]}, "pictures": {}}
    now: Files = {"kernels": {"b": names[1]}, "responses": {}, "pictures": {}}
    clean(own, before, now)
    left = sorted(path.name for path in (own / "kernels").iterdir())
    assert left == sorted([names[1], names[2], *theirs])
    assert len(list(elsewhere.iterdir())) == 8
