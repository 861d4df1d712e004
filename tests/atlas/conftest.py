"""Published circuits as pages, with labels by which a page could be made to do something else."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

import circuitkb as ckb
from circuitkb.atlas.server import build
from circuitkb.results.harmless_text import for_spreadsheet
from tests.stores.made_once import published_copy

HEAD = "inceptionv1/mixed4b:418"

HOSTILE = [
    *(
        f"<{tag}>"
        for tag in ("script>alert(1)</script", "img src=x onerror=alert(1)", "svg/onload=a")
    ),
    *(
        f"<{tag}>"
        for tag in ("iframe src=//evil.example", "style>*{display:none}</style", "base href=//e")
    ),
    *(
        f"<{tag}>"
        for tag in ("meta http-equiv=refresh content=0", "form action=//e", "math", "template")
    ),
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</svg><script>alert(1)</script>",
    "</td></tr></table><h1>owned</h1>",
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "\\u003cscript\\u003e",
    "{{ 7 * 7 }}",
    "{% include '/etc/passwd' %}",
    "${7*7}",
    "#{7*7}",
    "<!--",
    "-->",
    "<![CDATA[x]]>",
    "]]>",
    "<?php echo 1 ?>",
    "../../etc/passwd",
    "//evil.example/x",
    "curve\u202egnp.exe",
    "curve\u2066hidden",
    "＜script＞",
    "<scr\u200bipt>",
    "%3Cscript%3E",
    '=HYPERLINK("//e")',
    "inceptionv1/mixed4b:418",
    "$(touch x)",
    "`touch x`",
]


KEPT = [text for text in HOSTILE if not {"\u202e", "\u2066"} & set(text)]
"""Those that a label can be: a mark that turns the direction of text is refused when it comes."""


@pytest.fixture(scope="session")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    folder = tmp_path_factory.mktemp("atlas")
    with ckb.open(published_copy(tmp_path_factory, folder / "zoo.ckb", searched=True)) as kb:
        sheet = folder / "labels.csv"
        with sheet.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["layer", "unit", "label"])
            rows.writerows(["mixed4b", 418, for_spreadsheet(text)] for text in KEPT)
        kb.annotate.import_files(sheet, author="stranger", unit_base=0, model="inceptionv1")
        yield kb


@pytest.fixture(scope="session")
def browser(kb: ckb.KnowledgeBase) -> Iterator[TestClient]:
    with TestClient(build(kb), base_url="http://127.0.0.1:8421") as client:
        yield client
