"""The rooms of the house: who may import whom, and what every file keeps to."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import circuitkb.errors
from circuitkb.schema import errors as defined

ROOT = Path(__file__).resolve().parents[2]
ARROWS = {
    "schema": {"schema"},
    "loaders": {"schema", "loaders"},
    "queries": {"schema", "queries"},
    "circuitkb": {"schema", "loaders", "queries", "circuitkb"},
}
HEAVY = {"torch", "torchvision", "timm", "onnx", "onnx2torch", "pandas", "matplotlib", "scipy"}
LINES = 450


def modules(room: str) -> list[Path]:
    if room != "circuitkb":
        return sorted((ROOT / room).rglob("*.py"))
    links = {ROOT / "circuitkb" / other for other in ("schema", "loaders", "queries")}
    return [
        path for path in sorted((ROOT / "circuitkb").rglob("*.py")) if not links & set(path.parents)
    ]


@cache
def imports(path: Path, *, everywhere: bool) -> tuple[str, ...]:
    """Absolute dotted names that a module imports, relative ones resolved to their room."""
    return tuple(_imports(ast.parse(path.read_text("utf-8")), path, everywhere=everywhere))


def _imports(tree: ast.AST, path: Path, *, everywhere: bool) -> Iterator[str]:
    nodes = ast.walk(tree) if everywhere else at_import_time(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{origin(node, path)}.{alias.name}" for alias in node.names)


def origin(node: ast.ImportFrom, path: Path) -> str:
    if node.level == 0:
        return node.module or ""
    inside = path.relative_to(ROOT).parent.parts
    package = inside if inside[0] == "circuitkb" else ("circuitkb", *inside)
    base = package[: len(package) - node.level + 1]
    return ".".join((*base, node.module) if node.module else base)


def at_import_time(tree: ast.AST) -> Iterator[ast.AST]:
    """Statements that run when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from at_import_time(node)


def room_of(name: str) -> str | None:
    parts = name.split(".")
    if parts[0] in ("schema", "loaders", "queries", "tests", "benchmarks"):
        return f"plain {parts[0]}"
    if parts[0] != "circuitkb":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in ARROWS else "circuitkb"


@pytest.mark.parametrize("room", ARROWS)
def test_imports_point_one_way(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(room)
        for name in imports(path, everywhere=True)
        if room_of(name) not in ARROWS[room] | {None}
    ]
    assert wrong == []


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    dotted = parts if parts[0] == "circuitkb" else ("circuitkb", *parts)
    return ".".join(dotted[:-1] if dotted[-1] == "__init__" else dotted)


def test_no_modules_import_one_another_in_a_circle() -> None:
    """Imports within functions and for types count too: who needs whom goes one way."""
    paths = {module_name(path): path for room in ARROWS for path in modules(room)}
    needs: dict[str, set[str]] = {}
    for name, path in paths.items():
        named = imports(path, everywhere=True)
        found = {item if item in paths else item.rpartition(".")[0] for item in named}
        needs[name] = (found & set(paths)) - {name}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize("room", ["schema", "queries", "circuitkb"])
def test_no_module_outside_the_loaders_imports_heavy_packages_when_it_is_imported(
    room: str,
) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(room)
        for name in imports(path, everywhere=False)
        if name.split(".")[0] in HEAVY
    ]
    assert wrong == []


def test_the_command_line_calls_the_facade_and_no_store_loader_or_search() -> None:
    below = ("circuitkb.stores", "circuitkb.loaders", "circuitkb.motifs")
    listed = "circuitkb.motifs.registry."  # a table of what there is: help reads it
    wrong = [
        f"{path.name} imports {name}"
        for path in [
            *sorted((ROOT / "circuitkb/cli").rglob("*.py")),
            ROOT / "circuitkb/demonstration/demo.py",
        ]
        for name in imports(path, everywhere=True)
        if name.startswith(below) and not name.startswith(listed)
    ]
    assert wrong == []


def test_importing_circuitkb_imports_nothing_heavy() -> None:
    script = (
        "import sys, circuitkb, circuitkb.cli\n"
        f"print(*sorted({HEAVY!r} & {{name.split('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_the_drawn_tree_of_errors_is_the_real_one() -> None:
    drawing = circuitkb.errors.__doc__ or ""
    drawn: dict[str, str | None] = {}
    path: list[str] = []
    for line in drawing.splitlines():
        found = re.match(r"^    ((?:│   |    )*)(?:[├└]── )?(\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4 + ("──" in line)
            path[depth:] = [found[2]]
            drawn[found[2]] = path[depth - 1] if depth else None
    classes = {
        name: item
        for name, item in vars(defined).items()
        if inspect.isclass(item) and issubclass(item, defined.CircuitKBError)
    }
    real = {
        name: None if item is defined.CircuitKBError else item.__bases__[0].__name__
        for name, item in classes.items()
    }
    assert drawn == real
    assert sorted(circuitkb.errors.__all__) == sorted(classes)
    assert all(getattr(circuitkb.errors, name) is item for name, item in classes.items())


@pytest.mark.parametrize("room", ["schema", "loaders", "queries"])
def test_the_room_is_reached_through_a_relative_link(room: str) -> None:
    link = ROOT / "circuitkb" / room
    assert link.is_symlink()
    assert link.readlink() == Path(f"../{room}")


def sources() -> list[Path]:
    """Every text file of the project, as a fresh clone has it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def test_no_module_is_too_long_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if path.suffix == ".py" and (lines := len(path.read_text("utf-8").splitlines())) > LINES
    }
    assert long == {}


def test_no_file_names_a_folder_of_one_machine_or_a_package_index() -> None:
    # Written in pieces, so that this file does not find itself.
    hosts = [".".join(("pypi", "org")), ".".join(("pythonhosted", "org"))]
    options = ["-".join(("index", "url")), "-".join(("extra", "index"))]
    folders = r"(?<![\w.~/-])/(?:work|home|Users|root|tmp)/\w"
    forbidden = re.compile("|".join([*map(re.escape, hosts + options), folders]))
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in sources()
        if path.suffix not in {".png", ".gz"} and path.stat().st_size < 2_000_000
        for match in [forbidden.search(path.read_text("utf-8", errors="replace"))]
        if match
    ]
    assert found == []
