"""The package of docs/extending.md, built, installed from its folder and used (cost: 12 s)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.kb.test_added_node_type import PROBE
from tests.loaders.annotation_formats.test_added_formats import NOTES
from tests.loaders.sources.test_added_sources import GABOR
from tests.motifs.test_another_motif import OPPOSITION
from tests.observation.measures import wavelength
from tests.stores.test_added_stores import SHELF

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/extending.md").read_text("utf-8")
FILES = dict(re.findall(r"```(?:toml|python)\n# (\S+)\n(.*?)```", PAGE, re.S))

USED = """
import sys
import circuitkb as ckb
from pathlib import Path

with ckb.open(f"shelf://{sys.argv[1]}/zoo") as kb:
    kb.load("gabor:4")
    kb.annotate.import_files(Path(sys.argv[1]) / "ada.txt")
    assert [row["labels"] for row in kb.features(label="curves")] == [["curves"]]
    assert len(kb.nodes("Probe").run()) == 0
    assert list(kb.features(wavelength=ckb.above(2))) == []
    try:
        kb.find("opposition", by="kernels")
    except ckb.errors.CircuitKBError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed."""
    folder = tmp_path_factory.mktemp("extras")
    for name, text in FILES.items():
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / name).write_text(text, "utf-8")
    (folder / "tree/circuit_extras/__init__.py").touch()
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    subprocess.run([*build, folder / "tree"], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(site: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": str(site), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_it_adds_is_used_like_our_own(site: Path, tmp_path: Path) -> None:
    (tmp_path / "ada.txt").write_text("# notes\ngabor-4/0:1: curves\n")
    assert "opposition" in run(site, "-c", USED, str(tmp_path))


def test_the_command_line_names_it(site: Path) -> None:
    assert "opposition" in run(site, "-m", "circuitkb", "find", "--help")
    assert "gabor:FILTERS" in run(site, "-m", "circuitkb", "load", "--help")
    schema = run(site, "-m", "circuitkb", "schema")
    assert "Probe" in schema
    assert "wavelength" in schema


@pytest.mark.parametrize(
    ("name", "tested"),
    [
        ("opposition", OPPOSITION),
        ("notes", NOTES),
        ("gabor", GABOR),
        ("shelf", SHELF),
        ("probe", PROBE),
        ("wavelength", Path(wavelength.__file__).read_text("utf-8")),
    ],
)
def test_its_code_is_what_the_tests_of_each_subject_run(name: str, tested: str) -> None:
    assert FILES[f"circuit_extras/{name}.py"].strip() == tested.strip()
