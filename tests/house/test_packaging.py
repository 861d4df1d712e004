"""What is built from the tree holds all of it, and installs nothing under a plain name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {"circuitkb": "circuitkb"} | {
    f"circuitkb/{room}": room for room in ("schema", "loaders", "queries")
}
NOT_SOURCE = (".*", "__pycache__", "*.ckb", "*.egg-info", "build", "dist", "uv.lock")

SMOKE = """
import importlib, importlib.resources, importlib.util, json, sys
target, packages, modules, data = json.loads(sys.stdin.read())
sys.path[:0] = [target]
sys.path.append(packages)
import circuitkb
assert circuitkb.__file__.startswith(target), circuitkb.__file__
for name in modules:
    importlib.import_module(name)
for name in data:
    resource = importlib.resources.files("circuitkb").joinpath(*name.split("/")[1:])
    resource.read_bytes()
plain = [name for name in ("schema", "loaders", "queries") if importlib.util.find_spec(name)]
print(json.dumps(plain))
"""


def rooms_files() -> dict[str, Path]:
    """Every file of the four rooms by the path it has when installed."""
    found = {}
    for installed, folder in ROOMS.items():
        for path in (ROOT / folder).rglob("*"):
            below = path.relative_to(ROOT / folder)
            through_link = folder == "circuitkb" and below.parts[0] in {
                "schema",
                "loaders",
                "queries",
            }
            if path.is_file() and "__pycache__" not in below.parts and not through_link:
                found[f"{installed}/{below.as_posix()}"] = path
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a source distribution that was built from the tree."""
    folder = tmp_path_factory.mktemp("house")
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, symlinks=True, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", tree],
        check=True,
        capture_output=True,
    )
    (built,) = (folder / "dist").glob("*.whl")
    assert list((folder / "dist").glob("*.tar.gz"))
    return built


def test_the_wheel_holds_every_file_of_the_rooms_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert held == set(rooms_files())
        for name, path in rooms_files().items():
            assert archive.read(name) == path.read_bytes(), name


def test_the_wheel_carries_licence_and_notice(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [Path(name).name for name in archive.namelist()]
    assert {"LICENSE", "NOTICE"} <= set(names)


def test_from_the_wheel_alone_every_module_imports_and_every_data_file_opens(
    wheel: Path, tmp_path: Path
) -> None:
    # A pure wheel is installed by unpacking it; -S keeps the editable install out of the way.
    target = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        assert b"Root-Is-Purelib: true" in archive.read(
            next(name for name in archive.namelist() if name.endswith(".dist-info/WHEEL"))
        )
        archive.extractall(target)
    files = rooms_files()
    modules = [
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in files
        if name.endswith(".py")
    ]
    data = [name for name in files if not name.endswith(".py")]
    for wanted in ("annotation.schema.json", "inceptionv1/labels.csv", ".cypher"):
        assert any(name.endswith(wanted) for name in data), wanted
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", SMOKE],
        input=json.dumps([str(target), sysconfig.get_path("purelib"), modules, data]),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_every_package_in_the_tree_is_listed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    packages = {
        name.removesuffix("/__init__.py").replace("/", ".")
        for name in rooms_files()
        if name.endswith("/__init__.py")
    }
    assert sorted(settings["packages"]) == sorted(packages)


def test_both_lists_of_versions_agree() -> None:
    written = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in written if not line.startswith("#")]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]
    assert settings["constraint-dependencies"] == pins
    assert not [pin for pin in pins if "/" in pin or "@" in pin]


def test_every_dependency_has_a_version_written_down() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    pins = (ROOT / "constraints.txt").read_text("utf-8")
    wanted = [
        *settings["project"]["dependencies"],
        *(
            item
            for extra in settings["project"]["optional-dependencies"].values()
            for item in extra
        ),
        *settings["dependency-groups"]["dev"],
    ]
    for requirement in wanted:
        name = requirement
        for mark in "=<>[":
            name = name.split(mark)[0]
        if name != "circuitkb":
            assert f"\n{name.lower()}==" in pins, f"run scripts/make_constraints: {name}"


def test_the_graph_engine_is_pinned_exactly() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (engine,) = [d for d in settings["project"]["dependencies"] if d.startswith("arcadedb")]
    assert "==" in engine
    assert engine in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
