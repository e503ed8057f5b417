"""The report as a reader sees it: on a phone, filtered, and without a network."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fashion_rir.reporting import report
from fashion_rir.thesis import claims, ledger
from fashion_rir.workspace.folders import Workspace

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
PAGES = ("index.html", "ledger.html", "notebooks/09-thesis-ledger.html", "cards/data.html")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the committed records, with one notebook."""
    workspace = Workspace(tmp_path_factory.mktemp("site"), "full")
    shutil.copytree(ROOT / "reports" / "full" / "results", workspace.results)
    notebooks = report.folder(workspace) / "notebooks"
    notebooks.mkdir()
    shutil.copy(ROOT / "notebooks" / "09-thesis-ledger.ipynb", notebooks)
    report.write(workspace)
    return report.folder(workspace)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_the_screen_or_asks_a_network(
    browser: object, pages: Path, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name in PAGES:
        page.goto((pages / name).as_uri())
        sizes = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert sizes[0] <= sizes[1] == width, name
    assert {address.split(":")[0] for address in asked} <= {"file", "data"}
    assert len(asked) >= len(PAGES)
    page.close()


def test_the_verdict_filter_shows_what_it_says(browser: object, pages: Path) -> None:
    found = ledger.verdicts(claims.load(), pages / "results")
    counts = ledger.summary(found, with_asides=True)
    page = browser.new_page()
    page.goto((pages / "index.html").as_uri())
    page.click('a[href="ledger.html"]')  # from the index to the ledger
    assert page.url.endswith("ledger.html")
    assert page.locator(".claim:visible").count() == counts.sum()
    for verdict, count in counts[counts > 0].items():
        button = page.locator(f'button[data-verdict="{verdict}"]')
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        assert page.locator(".claim:visible").count() == count
        shown = page.locator(".claim:visible .verdict").all_inner_texts()
        assert all(text.endswith(verdict) for text in shown)
    page.locator('button[data-verdict=""]').click()
    assert page.locator(".claim:visible").count() == counts.sum()
    page.close()


def test_dark_mode_and_paper(browser: object, pages: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto((pages / "ledger.html").as_uri())
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(22, 24, 28)"
    page.emulate_media(media="print")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    assert page.locator(".filters").is_hidden() and page.locator("nav").is_hidden()
    assert page.locator(".claim").first.is_visible()
    page.close()


def test_every_figure_has_a_text_in_its_place(browser: object, pages: Path) -> None:
    page = browser.new_page()
    page.goto((pages / "notebooks" / "09-thesis-ledger.html").as_uri())
    texts = page.evaluate("[...document.images].map((image) => image.alt)")
    assert texts and all(texts)
    page.close()
