"""What strangers wrote is shown as text: it steers no terminal, runs in no spreadsheet or page."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from circuitkb.report.markdown import code, commands, table
from circuitkb.results.harmless_text import for_markdown, for_spreadsheet, for_terminal
from circuitkb.results.result import Result
from tests.cli.conftest import Program
from tests.stores.made_once import published_copy

ESCAPE = "\x1b[2J\x1b]0;owned\x07"
C1 = "\x9b31m"
TURNED = "abc\u202e\u2066cba"


@pytest.mark.parametrize("text", [ESCAPE, C1, TURNED, "a\rb", "\x00", "\x7f", "\u2028"])
def test_a_terminal_gets_no_character_that_acts(text: str) -> None:
    shown = for_terminal(text)
    assert shown != text
    assert shown.isascii()
    assert shown.isprintable()


@pytest.mark.parametrize("text", ["", "plain", "猫 🐈 é\n\tnext", "C:\\x", "a\u200db"])
def test_other_text_is_shown_as_it_is(text: str) -> None:
    assert for_terminal(text) == text


HIDDEN = [
    "\u200b=1+1",
    "\ufeff=1+1",
    " =1+1",
    "\u00a0=1+1",
    "\x00=1+1",
    "\u2060\u200d+1",
    "＝1+1",
    "﹢1",
    "－1",
    "＠SUM(1)",
    "\t=1",
    "\r\n=1",
]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", *HIDDEN])
def test_a_cell_that_a_spreadsheet_might_run_begins_with_a_quote(text: str) -> None:
    assert for_spreadsheet(text) == "'" + text
    (row,) = list(csv.reader(io.StringIO(Result(("a",), ((text,),)).to_csv(), newline="")))[1:]
    assert row == ["'" + text]


@pytest.mark.parametrize("text", ["curve", "a=1", "'=1", "1-1", "é", "", "  ", "\u200bcurve"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert for_spreadsheet(text) == text


@pytest.mark.parametrize("text", ["a`b", "``", "`a``b```", "|", "<b>", "a\nb"])
def test_a_name_stays_inside_its_span_of_code(text: str) -> None:
    shown = code(text)
    fence = shown[: len(shown) - len(shown.lstrip("`"))]
    inside = shown[len(fence) : -len(fence)]
    assert fence
    assert fence not in inside
    assert "\n" not in shown
    (line,) = table((shown,), [])[:1]
    assert line.replace("\\|", "").count("|") == 2


def test_a_command_stays_inside_its_block() -> None:
    block = commands(["circuitkb load 'a\n```\n<script>'"])
    assert block[0] == "````sh"
    assert block[-2] == "````"


def test_text_is_no_mark_up_in_markdown() -> None:
    assert for_markdown("<img src=x> [a](b) *c*") == r"&lt;img src=x&gt; \[a\](b) \*c\*"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_copy(tmp_path_factory, tmp_path_factory.mktemp("harmless") / "zoo.ckb")


def test_a_table_shows_control_characters_by_their_codes(store: Path) -> None:
    query = 'RETURN "a\\u001b[31mb\\u009b0m\\u202ec" AS text'
    run = Program(store.parent)("query", query, "--kb", str(store))
    assert run.code == 0, run.err
    assert "a\\x1b[31mb\\x9b0m\\u202ec" in run.out


def test_a_message_shows_control_characters_by_their_codes(store: Path) -> None:
    run = Program(store.parent)("show", f"m/a{ESCAPE}:0", "--kb", str(store))
    assert run.code == 2
    assert "\x1b]0;" not in run.err


def test_a_label_with_dollar_signs_is_drawn_as_it_is() -> None:
    axes = Result(("text", "$^$"), (("$\\frac{$", 1.0),)).plot()
    assert axes.get_yticklabels()[0].get_text() == "$\\frac{$"
    axes.figure.savefig(io.BytesIO(), format="svg")
