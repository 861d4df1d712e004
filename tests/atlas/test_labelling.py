"""Labels written from a page: by whom, in the same records as ever, and from these pages alone.

Costs about six seconds of a processor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import circuitkb as ckb
from circuitkb.atlas.links import address
from circuitkb.atlas.server import build
from tests.atlas.conftest import HEAD
from tests.stores.made_once import published_copy

PAGE = f"/{address(HEAD)}"
HERE = "http://127.0.0.1:8421"


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    place = tmp_path_factory.mktemp("labels") / "zoo.ckb"
    with ckb.open(published_copy(tmp_path_factory, place)) as kb:
        yield kb


@pytest.fixture
def client(kb: ckb.KnowledgeBase) -> TestClient:
    return TestClient(build(kb, write=True), base_url=HERE)


def token(client: TestClient) -> str:
    found = re.search(r'name="token" value="([^"]+)"', client.get(PAGE).text)
    assert found is not None
    return found[1]


def count(kb: ckb.KnowledgeBase) -> int:
    return int(kb.query("MATCH (a:Annotation) RETURN count(a)").rows[0][0])


def test_a_label_is_written_as_the_command_writes_it(
    client: TestClient, kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    given = {"token": token(client), "target": HEAD, "label": "dog, any pose", "author": "ada"}
    answer = client.post("/label", data={**given, "license": "CC0-1.0"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    assert "dog, any pose" in client.get(PAGE).text
    (said,) = (row for row in kb.annotate.history(HEAD) if row["said_by"] == ["ada"])
    assert said["said"] == "dog, any pose"
    report = kb.annotate.export(tmp_path / "labels.jsonl", authors=["ada"])
    assert report.records == 1


@pytest.mark.parametrize("author", ["Grace Hopper", "猫; x=1", 'é "q"'])
def test_who_writes_is_asked_once(client: TestClient, author: str) -> None:
    given = {"token": token(client), "target": HEAD, "label": f"by {author}", "author": author}
    answer = client.post("/label", data=given, follow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert f'value="{author}"' in unescape(client.get(PAGE).text)


def test_labels_are_agreed_with_disputed_and_taken_back(
    client: TestClient, kb: ckb.KnowledgeBase
) -> None:
    mark = {"token": token(client), "target": HEAD}
    client.post("/label", data={**mark, "label": "snout", "author": "bob"})
    page = client.get(PAGE).text
    form = page[page.index("snout, says bob") :]
    found = re.search(r'name="annotation" value="([^"]+)"', form)
    assert found is not None
    mark["annotation"] = found[1]
    client.post("/review", data={**mark, "author": "eve", "verdict": "disagree"})
    kinds = [row["kind"] for row in kb.ask("disagreements", limit=None).result]
    assert "review" in kinds
    assert "snout" in client.get("/labels").text
    before = count(kb)
    refused = client.post("/review", data={**mark, "author": "eve", "verdict": "retract"})
    assert refused.status_code == 400, "it is bob's"
    assert count(kb) == before
    client.post("/review", data={**mark, "author": "bob", "verdict": "retract"})
    assert "snout, says bob" not in client.get(PAGE).text
    wrong = client.post("/review", data={**mark, "author": "eve", "verdict": "perhaps"})
    assert "no verdict" in wrong.text


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"origin": "http://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": "http://127.0.0.1:9"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({}, False),
    ],
)
def test_another_site_writes_nothing(
    client: TestClient, kb: ckb.KnowledgeBase, headers: dict[str, str], own: bool
) -> None:
    before = count(kb)
    mark = token(client) if own else "guessed"
    given = {"token": mark, "target": HEAD, "label": "owned", "author": "eve"}
    answer = client.post("/label", data=given, headers=headers)
    assert answer.status_code == 403
    assert "not sent from a page of this server" in answer.text
    assert count(kb) == before


@pytest.mark.parametrize(
    ("act", "given", "status"),
    [
        ("label", {"label": "x" * 30_000, "author": "ada"}, 400),
        ("label", {"label": "", "author": "ada"}, 400),
        ("label", {"label": "a", "author": "ada", "target": "inceptionv1/mixed4b:99999"}, 400),
        ("label", {"label": "a\u202eb", "author": "ada"}, 400),
        ("import", {"label": "a"}, 404),
    ],
)
def test_what_cannot_be_written_is_said_and_changes_nothing(
    client: TestClient, kb: ckb.KnowledgeBase, act: str, given: dict[str, str], status: int
) -> None:
    before = count(kb)
    answer = client.post(f"/{act}", data={"token": token(client), "target": HEAD, **given})
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert count(kb) == before


def test_without_being_asked_to_pages_take_nothing(kb: ckb.KnowledgeBase) -> None:
    client = TestClient(build(kb), base_url=HERE)
    assert 'method="post"' not in client.get(PAGE).text
    assert client.post("/label", data={"target": HEAD, "label": "a"}).status_code == 405


def test_the_queue_goes_on_to_the_next_unit_without_a_label(
    client: TestClient, kb: ckb.KnowledgeBase
) -> None:
    def first() -> str:
        page = client.get("/labels").text
        found = re.search(r"Next without a label: (\S+)\.<", page)
        assert found is not None
        return unescape(found[1])

    before = first()
    skipped = client.get("/labels", params={"skip": "1"}).text
    given = {"token": token(client), "target": before, "label": "corner", "author": "ada"}
    answer = client.post("/label", data={**given, "back": "labels"}, follow_redirects=False)
    assert answer.headers["location"] == "/labels"
    assert first() != before
    assert f"Next without a label: {first()}." in skipped


def test_a_form_leads_nowhere_else(client: TestClient) -> None:
    given = {"token": token(client), "target": HEAD, "label": "nose", "author": "ada"}
    answer = client.post("/label", data={**given, "back": "//evil.example"}, follow_redirects=False)
    assert answer.headers["location"] == PAGE


def test_agreement_stands_on_a_page_with_its_interval(
    client: TestClient, kb: ckb.KnowledgeBase
) -> None:
    for unit, author, text in (
        (410, "ada", "fur"),
        (410, "bob", "fur"),
        (411, "ada", "fur"),
        (411, "bob", "eye"),
        (412, "ada", "eye"),
        (412, "bob", "eye"),
    ):
        kb.annotate.add(f"inceptionv1/mixed4b:{unit}", text, author=author)
    shown = client.get("/labels.json", params={"agreement": "yes"}).json()["tables"][0]["rows"]
    known = {(row.concept, row.raters): row for row in kb.annotate.agreement().alphas}
    assert {(row["concept"], row["raters"]) for row in shown} >= {
        ("fur", "human"),
        ("eye", "human"),
    }
    for row in shown:
        told = known[row["concept"], row["raters"]]
        assert (row["alpha"], row["low"], row["high"]) == (told.alpha, told.low, told.high)
