"""The storefront as everyone gets it, in a real browser: phone photos, and all real products.

It is prepared in a folder of its own, from what travels with the project alone.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import study_runs

from fashion_rir.data import shipped

playwright = pytest.importorskip("playwright.sync_api", reason="the extra 'test' is needed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 60_000  # milliseconds

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("home")
    for name in ("notebooks", "profiles"):
        (folder / name).symlink_to(study_runs.ROOT / name)
    (folder / "data").mkdir()
    (folder / "data" / "shipped").symlink_to(study_runs.ROOT / "data" / "shipped")
    own = {"FASHION_RIR_HOME": str(folder), "PYTHONPATH": str(study_runs.ROOT)}
    command = [sys.executable, "-m", "fashion_rir", "storefront", "--port", "8991", "--no-browser"]
    server = subprocess.Popen(
        command, cwd=folder, env=study_runs.without_archive() | own | {"TQDM_DISABLE": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        said = []
        for line in server.stdout:
            said.append(line)
            if "http://127.0.0.1:8991" in line:
                break
        else:
            raise AssertionError("".join(said[-5:]))
        yield "http://127.0.0.1:8991/"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as one:
        flags = ["--no-sandbox", "--disable-gpu"]
        opened = one.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def dress(tmp_path_factory) -> Path:
    """A phone photo of a dress."""
    photos = shipped.phone_photos()
    name = photos.products.set_index("id").loc[900023, "image_name"]
    path = tmp_path_factory.mktemp("photo") / "my dress.jpg"
    path.write_bytes(photos.source.read(name))
    return path


def opened(browser: object, address: str, **options: object) -> object:
    page = browser.new_page(**options)
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.wait_for_selector(".picks button")
    return page


def kinds(page: object) -> list[str]:
    return [text.partition(" · ")[0] for text in page.locator(".card .about").all_inner_texts()]


def test_a_photo_finds_its_kind_in_both_catalogues(browser, address, dress) -> None:
    page = opened(browser, address)
    page.set_input_files(".file-input", dress)
    page.wait_for_selector(".card")
    assert kinds(page).count("Dresses") >= 8
    page.locator("header select").select_option(index=1)
    page.wait_for_selector("header .hint")  # says that these are drawings
    page.wait_for_selector(".card")
    assert page.locator(".query-photo").count() == 1  # the photo went along
    assert kinds(page).count("Dresses") >= 3
    shown = page.locator(".card > img").evaluate_all("all => all.map((one) => one.alt)")
    assert all(text.startswith("Drawing: ") for text in shown)
    assert "catalogue=44" in page.url
    page.close()


def test_words_find_alone_by_keyboard_on_a_phone_in_the_dark(browser, address) -> None:
    page = opened(browser, address, viewport={"width": 360, "height": 780}, color_scheme="dark")
    page.locator("header select").select_option(index=1)
    page.wait_for_selector("header .hint")
    page.locator(".words input").focus()
    page.keyboard.type("blue kurtas")
    page.keyboard.press("Enter")
    page.wait_for_selector(".card")
    found = page.locator(".card .about").all_inner_texts()
    assert sum(text.startswith("Kurtas · ") and "Blue" in text for text in found) >= 6
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    ground = page.evaluate(
        "getComputedStyle(document.querySelector('.storefront')).backgroundColor"
    )
    assert ground == "rgb(20, 24, 31)"
    page.close()
