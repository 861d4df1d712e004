"""An import leaves Python's look for circles of objects as it found it."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

import circuitkb as ckb
from circuitkb.annotations.importing import _Checking
from circuitkb.errors import AnnotationFileError


def test_circles_are_looked_for_again_after_an_import_however_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def take_all(*_: object) -> int:
        seen.append(gc.isenabled())
        raise AnnotationFileError("no")

    monkeypatch.setattr(_Checking, "take_all", take_all)
    file = tmp_path / "labels.jsonl"
    file.write_text('{"schema": "circuitkb.annotation/1"}\n')
    with ckb.open(tmp_path / "zoo.ckb") as kb, pytest.raises(AnnotationFileError, match=r"^no$"):
        kb.annotate.import_files(str(file))
    assert seen == [False]
    assert gc.isenabled()
