"""Text of strangers, made harmless where it is shown: on terminals, in spreadsheets, in Markdown.

Labels, names of layers and names of files are whatever somebody wrote. What is kept and what JSON
gives is their text as it is; what is shown to a program that would act on it is not.
"""

from __future__ import annotations

import re
from html import escape

from circuitkb.schema.formulas import is_formula

_BIDI = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Marks that reorder what follows, so that a line reads otherwise than it is."""

_ACTS = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDI}\u2028\u2029]")
"""Control characters but for tab and line feed, and marks of direction."""

_FOLDERS = re.compile(r"^(?:file://)?(?:~[^/\\]*|[A-Za-z]:)?[/\\](?:.*[/\\])?(?=[^/\\])")
"""What stands before the name of a file in an absolute path."""

_MARKDOWN = re.compile(r"([\\`*_\[\]|~])")


def for_terminal(text: str) -> str:
    r"""Return text that moves no cursor, sets no colour and turns no line around.

    Examples
    --------
    >>> for_terminal("curve\x1b[2J\u202e"), for_terminal("é 猫 🐈\n\tfine")
    ('curve\\x1b[2J\\u202e', 'é 猫 🐈\n\tfine')
    """
    return _ACTS.sub(lambda found: _code(found.group()), text)


def without_folder(text: str) -> str:
    r"""Return the name of a file without the folders that it lay in on somebody's machine.

    Examples
    --------
    >>> [without_folder(text) for text in ("/srv/ada/nets/a.pt", r"C:\nets\mine.py:build")]
    ['a.pt', 'mine.py:build']
    >>> [without_folder(text) for text in ("nets/a.pt", "timm:resnet18", "https://e.org/a", "/")]
    ['nets/a.pt', 'timm:resnet18', 'https://e.org/a', '/']
    """
    return _FOLDERS.sub("", text)


def for_spreadsheet(text: str) -> str:
    r"""Return text that no spreadsheet runs: with a ``'`` before it where it might be a formula.

    Programs skip blanks and characters that are not seen, and read full-width signs as signs.

    Examples
    --------
    >>> for_spreadsheet("=1+1"), for_spreadsheet("\u200b\ufeff =1+1"), for_spreadsheet("＝1+1")
    ("'=1+1", "'\u200b\ufeff =1+1", "'＝1+1")
    >>> for_spreadsheet("a=1"), for_spreadsheet("'=1"), for_spreadsheet("")
    ('a=1', "'=1", '')
    """
    return "'" + text if is_formula(text) else text


def for_markdown(text: str) -> str:
    r"""Return text that reads as it is in Markdown, without mark-up, HTML or a cell's end.

    Examples
    --------
    >>> for_markdown("a|b *c* <script>")
    'a\\|b \\*c\\* &lt;script&gt;'
    """
    line = for_terminal(" ".join(text.split()))
    return _MARKDOWN.sub(r"\\\1", escape(line, quote=False))


def markdown_code(text: str) -> str:
    r"""Return text as a span of code in Markdown, whatever is in it, also within a table.

    Examples
    --------
    >>> markdown_code("features.1:7"), markdown_code("a`b"), markdown_code("a|b")
    ('`features.1:7`', '`` a`b ``', '`a\\|b`')
    """
    line = for_terminal(" ".join(text.split())).replace("|", r"\|")
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}" if longest else f"`{line}`"


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
