"""What the documentation tells a reader to type exists."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from circuitkb.cli.app import app
from circuitkb.demonstration.demo import next_commands
from circuitkb.loaders.sources.zoo import EfficientNetLite

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAM: Any = typer.main.get_command(app)


def documented_commands() -> list[str]:
    """Lines that run circuitkb in the pages' shell blocks, in help pages, and after the demo."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```(?:sh|console)?\n(.*?)```", page.read_text("utf-8"), re.S):
            joined = block.replace("\\\n", " ")
            found += re.findall(r"^(?:\$ |.* && )?(?:\S*/)?(circuitkb .*)$", joined, re.M)
            found += re.findall(r"uv run .*?(circuitkb .*)$", joined, re.M)
    for command in PROGRAM.commands.values():
        lines = command.epilog.replace(r"\[", "[").splitlines()
        found += [line for line in lines if line.startswith("circuitkb ")]
    return sorted({*found, *next_commands("circuits demo.ckb")})


@pytest.mark.parametrize("line", documented_commands())
def test_a_documented_command_parses(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    words = words[: next((i for i, word in enumerate(words) if word in "|<>"), len(words))]
    if words != ["COMMAND", "--help"]:
        name, *arguments = words
        with PROGRAM.commands[name].make_context(name, arguments):
            pass


def test_every_command_has_help_with_examples_and_a_line_in_the_reference() -> None:
    reference = (ROOT / "docs/cli.md").read_text("utf-8")
    commands = dict(PROGRAM.commands)
    for group in ("annotate", "claim", "planted"):
        within = commands.pop(group).commands
        commands |= {f"{group} {name}": command for name, command in within.items()}
    for name, command in commands.items():
        assert f"`{name}" in reference, name
        assert f"circuitkb {name}" in command.epilog, name


def test_the_commands_are_those_of_the_design_so_far() -> None:
    assert set(PROGRAM.commands) == {
        "annotate",
        "ask",
        "atlas",
        "check",
        "circuits",
        "claim",
        "composites",
        "coverage",
        "demo",
        "edges",
        "export",
        "features",
        "find",
        "hypotheses",
        "list",
        "load",
        "mcp",
        "match",
        "models",
        "observe",
        "planted",
        "pull",
        "prove",
        "push",
        "query",
        "reimplement",
        "release",
        "report",
        "schema",
        "serve",
        "show",
        "trial",
        "trials",
        "universality",
        "visualize",
    }


@pytest.mark.parametrize("command", ["models", "features", "edges", "circuits"])
def test_every_list_command_takes_the_same_options(command: str) -> None:
    options = {name for item in PROGRAM.commands[command].params for name in item.opts}
    assert {"--kb", "--model", "--limit", "--format"} <= options


def test_continuous_integration_runs_the_two_commands_of_the_readme() -> None:
    """The demo with one network and without stimuli, which takes half a minute."""
    readme = (ROOT / "README.md").read_text("utf-8")
    script = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    for command, option in (
        ("uv run --extra zoo circuitkb demo", " --model efficientnet_lite0 --by kernels"),
        ("uv run --all-extras --group dev scripts/check", ""),
    ):
        assert re.search(rf"^(?:.* && )?{re.escape(command)}$", readme, re.M)
        assert command + option in script


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_readme_shows_what_python_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```pycon\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    test = doctest.DocTestParser().get_doctest(block, {}, "README.md", "README.md", 0)
    differences: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(
        test, out=differences.append, clear_globs=False
    )
    test.globs["kb"].close()
    assert differences == []


def small_network() -> Any:
    from torch import manual_seed, nn

    manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 12, 7, stride=4),
        nn.ReLU(),
        nn.Conv2d(12, 16, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    ).eval()


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small network with small images: the demo, which CI runs too, takes one of the zoo."""
    monkeypatch.setattr(EfficientNetLite, "build", lambda network: small_network())
    monkeypatch.setattr(EfficientNetLite, "size", property(lambda network: 96), raising=False)
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), names)
    assert (tmp_path / "zoo.ckb").is_dir()
