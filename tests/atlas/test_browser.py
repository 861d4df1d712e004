"""Pages in a real browser: tasks as a user does them, read aloud rightly, and nothing from outside.

Needs Debian's chromium (``apt-get install chromium``). Costs about thirty seconds of a processor.
"""

from __future__ import annotations

import re
import shutil
import socket
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

import circuitkb as ckb
from circuitkb.atlas.folder import write_atlas
from circuitkb.atlas.server import build
from circuitkb.loaders.planted.networks import planted_network
from circuitkb.loaders.planted.onnx_files import write_onnx
from circuitkb.results.pictures.provenance import said
from tests.atlas.conftest import HEAD

pytestmark = [pytest.mark.browser, pytest.mark.long]

PAGES = [
    "/",
    "/feature/inceptionv1/mixed4b/418",
    "/node/inceptionv1.dog-head-union",
    "/node/inceptionv1",
    "/features?label=dog",
    "/circuits",
    "/trials",
    "/questions",
    "/ask?question=union",
    "/query?cypher=RETURN 1 AS one",
    "/about",
    "/coverage",
    "/labels",
    "/compare?one=inceptionv1.dog-head-union&other=inceptionv1.car-from-parts",
    "/pattern?text=a -> b&permuted=1",
    "/ask?question=union&view=matrix",
    "/ask?question=union&view=graph",
    "/labels?agreement=yes",
    "/node/inceptionv1.dog-head-union?neighbours=3",
    "/nowhere",
]


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A site whose network was observed."""
    folder = tmp_path_factory.mktemp("observed")
    planted = planted_network(one_sided=2, false_unions=2, symmetric=2, random=4, size=45, seed=0)
    with ckb.open(folder / "kb.ckb") as kb:
        kb.load(write_onnx(planted, folder / "net.onnx", any_size=False))
        kb.observe("net")
        with served(kb) as address:
            yield address


@pytest.fixture(scope="module")
def site(kb: ckb.KnowledgeBase) -> Iterator[str]:
    with served(kb) as address:
        yield address


@contextmanager
def served(kb: ckb.KnowledgeBase) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as at:
        server = uvicorn.Server(uvicorn.Config(build(kb, write=True), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [at]})
        thread.start()
        yield f"http://127.0.0.1:{at.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def folder(kb: ckb.KnowledgeBase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("folder") / "pages"
    write_atlas(kb, place, with_unlicensed=True)
    return place


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "chromium is missing: apt-get install chromium"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A tab in which a script error, a refused resource or a call elsewhere fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    tab.on("request", lambda asked: wrong.append(asked.url) if not ours(asked.url) else None)
    yield tab
    context.close()
    assert [line for line in wrong if "404" not in line and "400" not in line] == []


def ours(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "file://"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_no_violation(page: Page, site: str, path: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(site + path)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_wider_than_a_telephone(page: Page, site: str, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(site + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_feature_is_found_and_its_picture_saved(page: Page, site: str, tmp_path: Path) -> None:
    page.goto(site)
    page.get_by_role("searchbox").fill(HEAD)
    page.get_by_role("button", name="Search").click()
    assert page.get_by_role("heading", level=1).inner_text() == HEAD
    assert page.locator("section", has_text="Strongest inputs").locator("svg").count() == 4
    with page.expect_response(re.compile(r"\.svg$")) as answer:
        page.get_by_role("link", name="SVG", exact=True).first.click()
    assert ET.fromstring(answer.value.text()).tag.endswith("svg")


def test_a_circuit_leads_to_its_members_and_back(page: Page, site: str) -> None:
    page.goto(f"{site}/circuits")
    page.get_by_role("link", name="inceptionv1.dog-head-union").first.click()
    page.get_by_role("link", name=HEAD).first.click()
    assert page.url.endswith("/feature/inceptionv1/mixed4b/418")
    page.go_back()
    assert page.url.endswith("/node/inceptionv1.dog-head-union")


def test_a_list_is_narrowed_by_a_form_and_the_link_keeps_it(page: Page, site: str) -> None:
    page.goto(f"{site}/features")
    page.get_by_label("label", exact=True).fill("dog head")
    page.get_by_role("button", name="Show").click()
    rows = page.locator("tbody tr").count()
    assert rows > 0
    page.goto(page.url)
    assert page.locator("tbody tr").count() == rows
    assert page.get_by_label("label", exact=True).input_value() == "dog head"


def test_a_question_in_words_is_answered_and_narrowed(page: Page, site: str) -> None:
    page.goto(site)
    page.get_by_role("searchbox").fill("what does mixed4a:308 feed?")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "Read as outputs" in page.locator("main").inner_text()
    assert page.locator("details").get_attribute("open") is not None, "the unit stands there"
    page.get_by_label("top").fill("1")
    with page.expect_navigation():
        page.get_by_role("button", name="Show").click()
    assert page.locator("tbody tr").count() == 1


def test_cypher_is_kept_in_its_link_and_may_not_write(page: Page, site: str) -> None:
    page.goto(f"{site}/query")
    page.get_by_label("a query that only reads").fill("MATCH (m:Model) RETURN m.id AS model")
    page.get_by_role("button", name="Show").click()
    assert page.get_by_role("link", name="inceptionv1").first.is_visible()
    page.get_by_label("a query that only reads").fill("MATCH (n) DETACH DELETE n")
    page.get_by_role("button", name="Show").click()
    assert "may only read" in page.locator("main").inner_text()


def test_a_unit_is_labelled_by_the_keyboard(page: Page, site: str, kb: ckb.KnowledgeBase) -> None:
    page.goto(f"{site}/feature/inceptionv1/mixed4a/308")
    page.get_by_label("what it is").focus()
    page.keyboard.type("dog head, facing right")
    page.keyboard.press("Tab")
    page.keyboard.type("ada")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "dog head, facing right" in page.locator("main").inner_text()
    said = kb.annotate.history("inceptionv1/mixed4a:308")
    assert [row["said"] for row in said if row["said_by"] == ["ada"]] == ["dog head, facing right"]


def test_a_pattern_is_drawn_and_its_rows_come(page: Page, site: str, kb: ckb.KnowledgeBase) -> None:
    page.goto(f"{site}/pattern")
    drawn = page.locator("#drawing")
    for source in ("a", "b"):
        drawn.get_by_role("button", name=f"feature {source}").click()
        drawn.get_by_role("button", name="feature u").click()
    text = page.get_by_label("a pattern, as in")
    assert text.input_value() == "a +> u; b +> u"
    page.get_by_label("count, and count so many times").fill("2")
    page.get_by_role("button", name="Show").click()
    wanted = kb.pattern("a +> u; b +> u", edges=ckb.edge(max_rank=16), unordered=True)
    assert page.get_by_role("region", name="Matches").locator("tbody tr").count() == min(
        50, wanted.count()
    )
    assert page.locator("#drawing line").count() == 2, "the link draws it again"


def test_a_pattern_is_drawn_by_the_keyboard_and_taken_back(page: Page, site: str) -> None:
    page.goto(f"{site}/pattern")
    drawn = page.locator("#drawing")
    page.get_by_label("the source", exact=True).select_option("inhibits")
    page.get_by_label("there is no such weight").check()
    drawn.get_by_role("button", name="feature a").focus()
    page.keyboard.press("Enter")
    drawn.get_by_role("button", name="feature b").focus()
    page.keyboard.press("Space")
    text = page.get_by_label("a pattern, as in")
    assert text.input_value() == "not a -| b"
    page.get_by_label("there is no such weight").uncheck()
    page.get_by_label("among so many strongest inputs").fill("8")
    drawn.get_by_role("button", name="feature b").click()
    drawn.get_by_role("button", name="feature u").click()
    assert text.input_value() == "not a -| b; b -| u [rank <= 8]"
    page.get_by_role("button", name="Show").click()
    assert text.input_value() == "not a -| b; b -| u [rank <= 8]"
    assert "b inhibits u, among its 8 strongest" in page.locator("#drawing").inner_text()
    drawn.get_by_role("button", name="Another feature").click()
    assert drawn.get_by_role("button", name="feature c").is_visible()
    drawn.get_by_role("button", name="Remove: not: a inhibits b").click()
    assert text.input_value() == "b -| u [rank <= 8]"


def test_a_pattern_that_says_more_than_a_drawing_keeps_its_text(page: Page, site: str) -> None:
    page.goto(f"{site}/pattern?text=a -> b [l1 > 0.1]")
    assert "says more than is drawn" in page.locator("#drawing").inner_text()
    assert page.get_by_label("a pattern, as in").input_value() == "a -> b [l1 > 0.1]"


def test_the_kernel_of_a_line_shows_under_the_pointer(page: Page, site: str) -> None:
    page.goto(f"{site}/node/inceptionv1.dog-head-union")
    line = page.locator(".weight").first
    kernel = line.locator(".kernel")
    assert kernel.evaluate("e => getComputedStyle(e).visibility") == "hidden"
    line.locator("line").last.hover(force=True)
    assert kernel.evaluate("e => getComputedStyle(e).visibility") == "visible"
    page.locator('[data-feature="inceptionv1/mixed4b:418"]').click()
    assert page.url.endswith("/feature/inceptionv1/mixed4b/418")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_map_is_a_chart_whose_points_lead_to_their_features(
    page: Page, observed: str, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{observed}/node/net")
    page.get_by_role("link", name="Map of its features").click()
    page.get_by_label("colour", exact=True).select_option("orientation")
    page.get_by_role("button", name="Show").click()
    canvas = page.locator("#drawing canvas")
    canvas.wait_for()
    assert not page.locator(".figures .picture").is_visible(), "the chart stands in its place"
    assert Axe().run(page).violations_count == 0
    box = canvas.bounding_box()
    assert box is not None
    for step in range(2000):  # over the chart, until there is a feature under the pointer
        page.mouse.move(box["x"] + 10 + step % 100 * 6, box["y"] + 10 + step // 100 * 25)
        if page.locator("#drawing .note").inner_text().startswith("net/"):
            break
    said = page.locator("#drawing .note").inner_text().split(" · ")[0]
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url("**/feature/**")
    assert page.get_by_role("heading", level=1).inner_text() == said


def test_the_keyboard_alone_reaches_the_content(page: Page, site: str) -> None:
    page.goto(site)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")


def test_a_picture_of_a_folder_is_saved_from_the_disk(
    page: Page, folder: Path, tmp_path: Path
) -> None:
    page.goto((folder / "feature/inceptionv1/mixed4b/418.html").as_uri())
    links = page.get_by_role("link", name=re.compile("Save picture"))
    assert links.count() == 1 + 4, "its inputs, and the kernel of each"
    for number in range(1, 6):
        with page.expect_download() as saved:
            page.get_by_role("link", name=f"Save picture {number} as SVG").click()
        assert saved.value.suggested_filename == f"418.{number}.svg"
        saved.value.save_as(tmp_path / "saved.svg")
        text = (tmp_path / "saved.svg").read_text("utf-8")
        assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
        assert HEAD in said(text)["Title"]
        assert "CC-BY-4.0" in said(text)["Copyright"]


def test_a_folder_is_searched_from_the_disk_without_a_network(page: Page, folder: Path) -> None:
    page.context.set_offline(True)
    page.goto((folder / "index.html").as_uri())
    page.get_by_role("searchbox").fill("oriented dog 222")
    page.locator("#found a").first.click()
    assert page.get_by_role("heading", level=1).inner_text() == "inceptionv1/mixed4a:222"
    page.get_by_role("link", name=HEAD).first.click()
    assert page.get_by_role("heading", level=1).inner_text() == HEAD
    assert page.evaluate("document.querySelectorAll('script').length") == 3
    assert Axe().run(page, options={"preload": False}).violations_count == 0
