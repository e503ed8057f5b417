"""The storefront in a real browser, served by Voila as a visitor gets it.

One server for all; each page opened is a visitor with a process of his own.
"""

import base64
import http.client
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from drawn_shop import FORMULA_NAME, HOSTILE_NAME, MODEL, ROOT, embedded_shop, picture
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="the extra 'test' is needed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE = 60_000  # milliseconds; a kernel takes some seconds to start, and more on a busy machine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def shop_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    embedded_shop(root)
    return root


@pytest.fixture(scope="module")
def address(shop_root):
    """Starts `fashion-rir storefront` as a reader would, and waits until it listens."""
    environment = os.environ | {
        "FASHION_RIR_ARCHIVE": str(shop_root / "catalogue"),
        "FASHION_RIR_HOME": str(shop_root),
        "PYTHONPATH": str(ROOT),
        "JUPYTER_DATA_DIR": str(shop_root / "jupyter"),
    }
    command = [sys.executable, "-m", "fashion_rir", "storefront", "--profile", "shop",
               "--port", "8990", "--no-browser"]  # fmt: skip
    server = subprocess.Popen(command, cwd=shop_root, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    log = []
    for line in server.stdout:
        log.append(line)
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
            break
    assert found, "".join(log)
    # The pipe is read on, so that the server never waits for it.
    threading.Thread(target=lambda: log.extend(server.stdout), daemon=True).start()
    yield found.group(0)
    server.send_signal(signal.SIGTERM)
    server.wait(timeout=30)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, address):
    """Opens the page for a new visitor; checks at the end that it asked no other host."""
    contexts, asked = [], []

    def open_page(query: str = "", *, width: int = 1280, ready: str = ".picks button"):
        context = browser.new_context(viewport={"width": width, "height": 800},
                                      accept_downloads=True)  # fmt: skip
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + query)
        page.wait_for_selector(ready, state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    foreign = [url for url in asked if not url.startswith((address, "blob:", "data:"))]
    assert foreign == []


def upload(page, data: bytes, name: str = "photo.png") -> None:
    file = {"name": name, "mimeType": "image/png", "buffer": data}
    page.set_input_files(".file-input", file)


def cards(page) -> list[str]:
    return page.locator(".card h3").all_inner_texts()


def settled(page) -> None:
    page.wait_for_selector(".storefront:not([aria-busy])")


def two_in_one() -> bytes:
    """A picture with a red half and a blue half."""
    both = Image.new("RGB", (120, 80))
    for left, colour in ((0, (180, 10, 10)), (60, (10, 10, 180))):
        both.paste(Image.open(io.BytesIO(picture(colour))), (left, 0))
    buffer = io.BytesIO()
    both.save(buffer, "PNG")
    return buffer.getvalue()


def test_from_an_upload_to_results_crop_filters_threshold_and_no_match(visit):
    page = visit()
    assert page.title() == "Find it by photo"
    upload(page, two_in_one(), "<b>two.png")
    page.wait_for_selector(".card")
    assert page.locator(".card").count() == 12
    assert "<b>two.png, 120 × 80 pixels" in page.inner_text(".query")
    assert re.search(r"after \d+ ms", page.inner_text(".status"))

    # Crop: the left half is red, the right half is blue.
    box = page.locator(".query-photo").bounding_box()
    for left, kind in ((0.02, "Red Shirt"), (0.52, "Blue Shoe")):
        top, bottom = box["y"] + 2, box["y"] + box["height"] - 2
        page.mouse.move(box["x"] + left * box["width"], top)
        page.mouse.down()
        page.mouse.move(box["x"] + (left + 0.46) * box["width"], bottom, steps=3)
        page.mouse.up()
        page.wait_for_function(f"document.querySelector('.card h3').innerText.includes('{kind}')")
    assert page.locator(".crop-box").is_visible()

    # Filters: the nearest red ones although the crop is blue; then none at all.
    page.get_by_label("Type").select_option("Shirts")
    page.wait_for_selector("text=1 to 12 of 50")
    assert set(page.locator(".card .about").all_inner_texts()) <= {
        f"Shirts · Red · {gender}" for gender in ("Men", "Women")
    }
    page.get_by_label("Season").select_option("Fall")
    page.wait_for_selector("text=No product has all of the chosen filters")
    page.get_by_label("Season").select_option("")
    page.wait_for_selector(".card")

    # The loosest threshold that is none: blue finds no shirt, and the nearest stand apart.
    page.locator(".threshold input").evaluate(
        "slider => { slider.value = 1; slider.dispatchEvent(new Event('input')) }"
    )
    page.wait_for_selector("text=No match")
    assert "Expected precision 100%" in page.inner_text(".threshold")
    assert "which are not matches" in page.inner_text(".no-match")
    assert page.locator(".grid.apart .card").count() == 12
    page.get_by_label("Type").select_option("")
    page.wait_for_selector(".grid:not(.apart) .card")
    assert "matching products" in page.inner_text(".results h2")


def test_more_like_this_why_pages_map_and_table(visit):
    page = visit()
    page.get_by_label("Find a product by its name").fill("socks")
    page.get_by_role("button", name="Find").click()
    page.wait_for_function("document.querySelectorAll('.picks button').length == 1")
    page.locator(".picks button").click()
    page.wait_for_selector(".card")
    # A product's name is text, whatever it holds.
    assert HOSTILE_NAME in page.inner_text(".query")
    assert page.locator("img[src='x']").count() == 0
    assert page.title() == "Find it by photo"

    first = cards(page)[0]
    page.get_by_role("button", name=f"More like {first}").first.click()
    page.wait_for_function(f"document.querySelector('.query').innerText.includes({first!r})")
    settled(page)
    assert first not in cards(page)
    assert page.evaluate("document.activeElement.matches('.results h2')")
    page.locator(".card summary").first.click()
    assert "Same: type" in page.inner_text(".card details >> nth=0")

    before = cards(page)
    page.get_by_role("button", name="Next").click()
    page.wait_for_selector("text=13 to 24 of 100")
    assert not set(before) & set(cards(page))
    page.get_by_role("button", name="Show it on the map").click()
    page.wait_for_selector("canvas")
    assert "on the map of 101 products" in page.locator("canvas").get_attribute("aria-label")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    table = Path(download.value.path()).read_text(encoding="utf-8")
    assert table.startswith("rank,id,name,type")
    assert len(table.splitlines()) == 13


def test_a_link_and_a_reload_bring_the_same_search_back(visit):
    query = f"?product=2002&model={MODEL}&measure=manhattan&n=24&threshold=60&gender=Women&page=1"
    page = visit(query, ready=".card")
    assert FORMULA_NAME in page.inner_text(".query")
    expected = cards(page)
    assert 0 < len(expected) <= 24
    assert page.get_by_label("Gender").input_value() == "Women"
    assert page.get_by_label("Similarity measure").input_value() == "manhattan"
    assert "distance at most" in page.inner_text(".threshold")
    for part in ("product=2002", "measure=manhattan", "n=24", "gender=Women"):
        assert part in page.url
    page.reload()
    page.wait_for_selector(".card")
    assert cards(page) == expected


def test_by_keyboard_alone(visit):
    page = visit()
    page.locator("h1").click()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('.file-input')")
    outline = page.locator(".drop").evaluate("drop => getComputedStyle(drop).outlineStyle")
    assert outline == "solid"
    for _ in range(3):  # the fold, the finder, its button
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('.pick')")
    page.keyboard.press("Enter")
    page.wait_for_selector(".card")
    settled(page)
    assert page.evaluate("document.activeElement.matches('.results h2')")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Why this one?"
    page.keyboard.press("Enter")
    assert page.locator(".card details[open]").count() == 1
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # more like this
    page.wait_for_function("document.activeElement.matches('.results h2')")
    # Crop by sliders.
    page.locator(".query summary").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Left edge of the crop box").focus()
    page.keyboard.press("PageUp")
    page.wait_for_selector(".crop-box", state="visible")
    settled(page)
    assert page.locator(".card").count() == 12


def test_drop_and_paste_and_what_is_refused(visit):
    page = visit()
    for event, holder in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.evaluate(
            """([event, holder, data]) => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([new Uint8Array(data)], event, {type: "image/png"}));
                const target = event === "drop" ? document.querySelector(".storefront") : document;
                const options = {bubbles: true, cancelable: true, [holder]: transfer};
                target.dispatchEvent(event === "drop" ? new DragEvent(event, options)
                    : new ClipboardEvent(event, options));
            }""",
            [event, holder, list(picture((160, 5, 5), kind="PNG"))],
        )
        page.wait_for_selector(f"text={event}, 60 × 80 pixels")
        page.wait_for_selector(".card")
    upload(page, b"x" * 8_000_001, "large.jpg")
    page.wait_for_selector("text=large.jpg has 8.0 MB; the limit is 8 MB")
    upload(page, b"x" * 7_999_999, "noise.jpg")  # just under the limit: it arrives, as no picture
    page.wait_for_selector("text=noise.jpg cannot be read as a picture")
    upload(page, picture((160, 5, 5), kind="GIF"), "again.txt")
    page.wait_for_selector("text=again.txt, 60 × 80 pixels")
    assert page.locator(".fault").is_hidden()


def test_a_photo_of_a_phone_is_scaled_down_upright_before_it_is_sent(visit):
    page = visit()
    page.evaluate(  # to see what is sent
        """() => { const send = WebSocket.prototype.send; window.sent = [];
            WebSocket.prototype.send = function (data) {
                window.sent.push(data.byteLength ?? data.length); send.call(this, data); }; }"""
    )
    noise = np.random.default_rng(0).integers(0, 80, (3000, 4000, 3), dtype=np.uint8)
    noise[:1500, :, 0] += 175  # red above, as it is stored; on the right, once it is turned
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(noise).save(buffer, "JPEG", quality=97, exif=exif)
    assert len(buffer.getvalue()) > 8_000_000
    upload(page, buffer.getvalue(), "IMG_0001.JPG")
    page.wait_for_selector("text=IMG_0001.JPG, 1536 × 2048 pixels")
    assert 100_000 < max(page.evaluate("window.sent")) < 8_000_000
    shown = page.evaluate(
        """async () => {
            const image = document.querySelector(".query-photo");
            await image.decode();
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            const pen = canvas.getContext("2d");
            pen.drawImage(image, 0, 0);
            return [0.2, 0.8].map((x) =>
                pen.getImageData(x * canvas.width, canvas.height / 2, 1, 1).data[0]); }"""
    )
    assert shown[0] < 120 < shown[1]


def test_a_small_photo_is_sent_as_it_is(visit):
    page = visit()
    upload(page, picture((160, 5, 5), kind="BMP"), "small.bmp")
    page.wait_for_selector("text=small.bmp, 60 × 80 pixels")


def test_on_a_phone_nothing_sticks_out_and_every_photo_has_a_text(visit):
    page = visit("?product=2010", width=360, ready=".card")
    page.get_by_text("Settings and filters").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    wide = page.evaluate(
        """[...document.querySelectorAll(".storefront *")].filter(
            part => part.getBoundingClientRect().right > 361).map(part => part.outerHTML)"""
    )
    assert wide == []
    assert page.locator(".card img:not([alt]), .card img[alt='']").count() == 0
    unnamed = """[...document.querySelectorAll("button, input, select")].filter(part =>
        !(part.textContent || part.ariaLabel || part.labels?.length))"""
    assert page.evaluate(f"{unnamed}.length") == 0


def test_all_text_stands_out_from_its_ground(visit):
    page = visit("?product=2010&threshold=0&n=12", ready=".card")
    ratios = page.evaluate(CONTRASTS)
    assert len(ratios) > 40
    assert [one for one in ratios if one[0] < 4.5] == []


def test_several_visitors_at_once_get_their_own_answers_and_faults(visit, shop_root):
    pages = [visit(f"?product={product}", ready=".storefront") for product in (2005, 3005, 9)]
    for page, kind in zip(pages[:2], ("Red Shirt", "Blue Shoe"), strict=True):
        page.wait_for_selector(".card")
        assert all(kind in name or name == FORMULA_NAME for name in cards(page))
    pages[2].wait_for_selector("text=There is no product 9 in this catalogue")

    # A store that breaks while people shop: who asks for it is told; the others go on.
    store = shop_root / "data" / "features" / "shop" / "raw-pixels-16-resize.sqlite"
    kept = store.read_bytes()
    try:
        store.write_bytes(kept[:5000])
        pages[0].get_by_label("Model").select_option("raw-pixels-16-resize")
        pages[0].wait_for_selector(".fault:visible")
        assert "raw-pixels-16-resize.sqlite" in pages[0].inner_text(".fault")
        pages[1].get_by_role("button", name="Next").click()
        pages[1].wait_for_selector("text=13 to 24")
    finally:
        store.write_bytes(kept)
    pages[0].get_by_label("Model").select_option(MODEL)
    pages[0].wait_for_selector(".card")
    assert pages[0].locator(".fault").is_hidden()


@pytest.mark.parametrize(
    "path",
    [
        "/voila/files/10-storefront.ipynb", "/10-storefront.ipynb", "/voila/files/photo.png",
        "/voila/files/../data/features/shop/mean-colour-32-resize.sqlite",
        "/voila/files/%2e%2e/profiles/shop.yaml", "/../profiles/shop.yaml",
        "/voila/files//etc/passwd",
        "/voila/static/../../../../../../../../etc/passwd", "/voila/static/%2e%2e/%2e%2e/app.py",
        "/voila/templates/lab/static/../../../../../../../etc/passwd", "/voila/tree",
        "/voila/render/10-storefront.ipynb", "/voila/api/contents/10-storefront.ipynb",
        "/api/contents/10-storefront.ipynb", "/api/kernels", "/files/10-storefront.ipynb",
    ],
)  # fmt: skip
def test_no_file_is_served_but_the_pages_own(address, path):
    status, body = fetch(address, path)
    assert status >= 400
    for secret in (b"SQLite format", b"open_storefront", b"root:", b"notebooks:"):
        assert secret not in body


def test_the_page_shows_no_source_and_a_foreign_host_name_is_refused(address):
    status, body = fetch(address, "/?template=reveal&theme=dark")
    assert status == 200
    assert b"open_storefront" not in body
    assert b"reveal" not in body
    assert b'data-storefront="page"' in body
    assert b"http://" not in body.replace(address.encode(), b"")
    assert b"https://" not in body
    assert fetch(address, "/", host="shop.example")[0] == 403


def fetch(address: str, path: str, host: str | None = None) -> tuple[int, bytes]:
    """Ask for a path as it stands, without the browser's tidying; follow one redirection."""
    place = address.split("//")[1].rstrip("/")
    connection = http.client.HTTPConnection(place, timeout=60)
    connection.request("GET", path, headers={"Host": host or place})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status in (301, 302):
        return fetch(address, answer.headers["Location"], host)
    return answer.status, body


# The contrast of every text that is seen with the ground behind it, by WCAG's formula.
CONTRASTS = """() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(value => value / 255).map(
    value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = part => {
    for (; part; part = part.parentElement) {
      const colour = channels(getComputedStyle(part).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [];
  for (const part of document.querySelectorAll(".storefront *")) {
    const own = [...part.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own || !part.checkVisibility() || part.disabled) continue;
    const [a, b] = [light(channels(getComputedStyle(part).color)), light(ground(part))];
    texts.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), part.outerHTML]);
  }
  return texts;
}"""


def test_programs_ask_the_same_server(address, shop_root):
    photo = (shop_root / "catalogue" / "images" / "3006.jpg").read_bytes()
    form = (b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n' + photo
            + b"\r\n--x--\r\n")  # fmt: skip
    json_type = {"Content-Type": "application/json"}
    asked = [
        ({"Content-Type": "multipart/form-data; boundary=x"}, form, 200),
        (json_type, b'{"product": 2011}', 200),
        (json_type, b'{"product": 1}', 400),
        (json_type | {"Host": "shop.example"}, b'{"product": 2011}', 403),
        ({"Content-Length": "99000000"}, b"", 400),
    ]
    replies = []
    for headers, body, expected in asked:
        connection = http.client.HTTPConnection(address.split("/")[2], timeout=60)
        connection.request("POST", "/search", body, headers)
        answer = connection.getresponse()
        assert answer.status == expected
        replies.append(json.loads(answer.read()))
        connection.close()
    assert replies[0]["cards"][0]["id"] == 3006
    assert 2011 not in [card["id"] for card in replies[1]["cards"]]
    assert all(list(reply) == ["error"] for reply in replies[2:])


def test_a_picture_dragged_from_another_tab_is_used_or_refused_in_words(visit):
    page = visit()
    drop = """([kind, text]) => {
        const given = new DataTransfer();
        given.setData(kind, text);
        document.querySelector(".storefront").dispatchEvent(
            new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(drop, ["text/uri-list", "https://shop.example/shoe.jpg"])
    page.wait_for_selector(".fault:not([hidden])")
    assert "Save the picture first" in page.inner_text(".fault")
    data = base64.b64encode(picture((10, 10, 180))).decode()
    page.evaluate(drop, ["text/uri-list", f"data:image/jpeg;base64,{data}"])
    page.wait_for_selector(".card")
    assert any("Blue Shoe" in name for name in cards(page))
