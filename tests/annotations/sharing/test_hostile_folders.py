"""Folders of strangers: nothing they say runs, nothing outside of them is written."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from circuitkb.annotations.importing import import_annotations
from circuitkb.annotations.sharing.author_files import ATTRIBUTES, file_name
from circuitkb.annotations.sharing.syncing import sync
from circuitkb.loaders.annotation_formats.lines import Defaults
from circuitkb.schema.ids import canonical_json
from circuitkb.schema.records import canonical_record
from tests.annotations.shared_records import by, record, store_at, take_in


def line(author: str = "grace") -> str:
    return canonical_json(canonical_record(record(author=by(author)))) + "\n"


def test_attributes_and_names_that_are_no_utf8_are_kept_as_they_are(tmp_path: Path) -> None:
    store, folder = store_at(tmp_path / "kb.ckb"), tmp_path / "labels"
    folder.mkdir()
    attributes = folder / ".gitattributes"
    attributes.write_bytes(b"caf\xe9.png binary")
    odd = Path(os.fsdecode(bytes(folder) + b"/caf\xe9\x1b[31m.jsonl"))
    odd.write_text(line(), "utf-8")
    report = sync(store, folder)
    assert report.read is not None
    assert report.read.new == 1
    assert attributes.read_bytes() == b"caf\xe9.png binary\n" + ATTRIBUTES.encode() + b"\n"
    told = report.read.files[0].file
    assert told.endswith("caf\\xe9\\x1b[31m.jsonl")
    assert told.isprintable()
    (sources,) = store.read("MATCH (i:Import) RETURN i.source AS source").rows
    assert sources[0] == told
    odd.write_text("no record\n", "utf-8")
    refused = import_annotations(store, [odd], format="jsonl")
    assert refused.rejections[0].file.isprintable()
    sheet = Path(os.fsdecode(bytes(folder) + b"/caf\xe9.csv"))
    sheet.write_text("target,label\nalpha/conv1:1,curve\n", "utf-8")
    assert import_annotations(store, [sheet], defaults=Defaults(author="ada")).new == 1
    store.close()


def test_no_file_is_written_that_has_another_name_outside(tmp_path: Path) -> None:
    store, folder = store_at(tmp_path / "kb.ckb"), tmp_path / "labels"
    folder.mkdir()
    names = (".gitattributes", file_name("ada"))
    for name in names:
        (tmp_path / name).write_text("*.png binary\n" if name.startswith(".") else line("ada"))
        (folder / name).hardlink_to(tmp_path / name)
    before = [(tmp_path / name).read_bytes() for name in names]
    take_in(store, [record(label={"text": "another"})], tmp_path)
    sync(store, folder)
    assert [(tmp_path / name).read_bytes() for name in names] == before
    assert ATTRIBUTES in (folder / ".gitattributes").read_text()
    assert len((folder / file_name("ada")).read_text("utf-8").splitlines()) == 2
    assert sync(store, folder).wrote.written == ()
    store.close()


def test_pipes_and_folders_in_the_place_of_files_are_left_alone(tmp_path: Path) -> None:
    store, folder = store_at(tmp_path / "kb.ckb"), tmp_path / "labels"
    (folder / "sub.jsonl").mkdir(parents=True)
    os.mkfifo(folder / ".gitattributes")
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "-x.jsonl").write_text(line(), "utf-8")
    report = sync(store, folder)
    assert report.read is not None
    assert (len(report.read.files), report.read.new) == (1, 1)
    assert not (folder / ".gitattributes").is_file()
    store.close()


def test_nothing_that_a_folder_or_gits_environment_says_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, folder = store_at(tmp_path / "kb.ckb"), tmp_path / "labels"
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho yes >> {ran}\ncat\n")
    script.chmod(0o755)
    hooks = folder / ".git" / "hooks"
    hooks.mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / ".git" / "config").write_text(
        f'[core]\n  fsmonitor = {script}\n  sshCommand = {script}\n[filter "x"]\n'
        f'  clean = {script}\n  smudge = {script}\n[diff "x"]\n  textconv = {script}\n'
    )
    for hook in ("pre-commit", "post-checkout", "post-index-change"):
        (hooks / hook).symlink_to(script)
    (folder / ".gitattributes").write_text("*.csv filter=x diff=x\n")
    for name in ("GIT_EXTERNAL_DIFF", "GIT_SSH_COMMAND", "GIT_PAGER", "GIT_EDITOR"):
        monkeypatch.setenv(name, str(script))
    started: list[Any] = []

    class Started(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, command: Any, *rest: Any, **more: Any) -> None:
            started.append(command)
            super().__init__(command, *rest, **more)

    monkeypatch.setattr(subprocess, "Popen", Started)
    take_in(store, [record()], tmp_path)
    (folder / "grace.jsonl").write_text(line(), "utf-8")
    assert sync(store, folder).wrote.added == 1
    assert (started, ran.exists()) == ([], False)
    store.close()
