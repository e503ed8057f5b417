"""How long does a visitor of the storefront wait, and how much memory does he take?

    python benchmarks/storefront.py --profile full

Starts `fashion-rir storefront` and opens it in headless chromium, as visitors would: one after the
other, then ten at once; every answer is compared with a search in this process. Prints what it
measured and writes the record `storefront-<model>` of the profile. Times are of this machine, with
browser and server on the same cores; what else ran is told by the load before and after.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import limits
import numpy as np
from playwright.sync_api import Page, TimeoutError, sync_playwright

from fashion_rir.embedding import onnx_engine
from fashion_rir.evaluation import intervals
from fashion_rir.storefront import models
from fashion_rir.storefront.prepare import first_model
from fashion_rir.storefront.shop import Shop, open_shop
from fashion_rir.system import usable_cores
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import open_workspace
from fashion_rir.workspace.parameters import profile_parameters

N_OPENINGS = 5
N_SEARCHES = 20
N_VISITORS = 10
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update")  # fmt: skip
WAIT = 180_000  # milliseconds


def main() -> None:
    """Measure, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="quick")
    profile = parser.parse_args().profile
    if not shutil.which("chromium"):
        print("chromium: not installed; it opens the page")
        return
    workspace = open_workspace(profile)
    model = first_model(profile_parameters(workspace, "10-storefront"))
    load_before = os.getloadavg()[0]
    server, address = start(profile)
    try:
        shop = open_shop(workspace)
        asked = np.random.default_rng(0).choice(shop.products["id"], N_VISITORS, replace=False)
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            timings = one_after_the_other(browser, address, server, shop)
            answers, seconds = at_once(browser, address, asked.tolist())
            browser.close()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
    expected = true_answers(shop, model, asked.tolist())
    metadata = models.store_metadata(shop, model)
    export = onnx_engine.ExportedBackbone(models.export_path(workspace, metadata))
    inputs = {"profile": profile, "data_hash": shop.data_hash, "n_products": len(shop.products),
              "model": model, "measure": "cosine"}  # fmt: skip
    content = {
        "difference_to_keras": intervals.rounded(export.difference),
        "visitors_at_once": {
            "visitors": N_VISITORS,
            "right_answers": sum(a == e for a, e in zip(answers, expected, strict=True)),
        },
    }
    timings["least_server_ms"] = least_ms(shop, model, export)
    timings |= {"ten_at_once_seconds": seconds, "cores": usable_cores(), "niceness": os.nice(0),
                "load_before": load_before, "load_after": os.getloadavg()[0]}  # fmt: skip
    record = result_records.make_record("storefront", f"storefront-{model}", inputs, **content,
                                 timings=timings)  # fmt: skip
    result_records.write(record, workspace.results)
    for name, value in (content | timings).items():
        print(f"{name:<36}{value}")


def start(profile: str) -> tuple[subprocess.Popen, str]:
    """The server, once it listens, and its address."""
    command = [sys.executable, "-m", "fashion_rir", "storefront", "--profile", profile,
               "--port", "8970", "--no-browser"]  # fmt: skip
    with open(os.devnull, "w") as nowhere:
        subprocess.run([*command, "--no-serve"], check=True, stdout=nowhere)
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
            # From here on the server's log is let go.
            os.set_blocking(server.stderr.fileno(), False)
            return server, found.group(0)
    raise SystemExit("The storefront did not start.")


def one_after_the_other(browser, address: str, server: subprocess.Popen, shop: Shop) -> dict:
    """Openings, each by a new visitor; then searches of the last one, and his process' memory."""
    products = np.random.default_rng(1).choice(shop.products["id"], N_OPENINGS, replace=False)
    openings, used, page = [], [], None
    for product in products.tolist():
        if page:
            page.context.close()
        page = browser.new_context().new_page()
        page.set_default_timeout(WAIT)
        begin = time.perf_counter()
        page.goto(f"{address}?product={product}", wait_until="commit")
        page.wait_for_selector(".card")
        openings.append(time.perf_counter() - begin)
        used.append(cpu_seconds(newest_kernel(server.pid)))
    more = [timed(page, lambda: page.click(".card button >> nth=0")) for _ in range(N_SEARCHES)]
    rows = np.random.default_rng(2).choice(len(shop.products), N_SEARCHES, replace=False)
    uploads = []
    for row in rows.tolist():
        file = {"name": f"{row}.jpg", "mimeType": "image/jpeg", "buffer": shop.photo(row)}
        uploads.append(timed(page, lambda file=file: page.set_input_files(".file-input", file)))
    return {
        "opening_seconds": summary(openings),
        "opening_cpu_seconds_of_his_process": summary(used),
        "more_like_this_server_ms": summary([server_ms for server_ms, _ in more]),
        "more_like_this_seen_ms": summary([seen for _, seen in more]),
        "upload_server_ms": summary([server_ms for server_ms, _ in uploads[1:]]),
        "upload_seen_ms": summary([seen for _, seen in uploads[1:]]),
        "first_upload_seen_ms": uploads[0][1],
        "memory_mib": memory(server.pid),
    }


def timed(page: Page, act) -> tuple[float, float]:
    """Milliseconds that the search took by the page's own words, and until they stood there."""
    page.evaluate("document.querySelector('.status').textContent = ''")
    begin = time.perf_counter()
    act()
    handle = page.wait_for_function(
        r"/after (\d+) ms/.exec(document.querySelector('.status').textContent)?.[1]"
    )
    seen = 1000 * (time.perf_counter() - begin)
    return float(handle.json_value()), round(seen, 1)


def at_once(browser, address: str, products: list[int]) -> tuple[list[list[int]], float]:
    """The answers that visitors get who all come at the same moment, and the seconds for all."""
    pages = [browser.new_context().new_page() for _ in products]
    begin = time.perf_counter()
    for page, product in zip(pages, products, strict=True):
        page.set_default_timeout(WAIT)
        # The page is asked for, but not waited for.
        page.evaluate(f"setTimeout(() => location.href = '{address}?product={product}')")
    answers = []
    for page in pages:
        with contextlib.suppress(TimeoutError):  # then there is no card, and the answer is wrong
            page.wait_for_selector(".card")
        found = page.locator(".card").evaluate_all("all => all.map(one => one.dataset.product)")
        answers.append([int(product) for product in found])
    return answers, round(time.perf_counter() - begin, 1)


def true_answers(shop: Shop, model: str, products: list[int]) -> list[list[int]]:
    """What each of them should have got: the twelve nearest, by a search in this process."""
    gallery, _ = models.open_gallery(shop, model, "cosine")
    rows = [shop.row_of[product] for product in products]
    found = gallery.search(np.array(gallery.vectors[rows]), 12, exclude_ids=products)
    return found.ids.tolist()


def least_ms(shop: Shop, model: str, export: onnx_engine.ExportedBackbone) -> float:
    """The limit of an upload's answer: the network on a picture that is ready, and the search."""
    gallery, _ = models.open_gallery(shop, model, "cosine")
    picture = np.zeros((1, export.image_size, export.image_size, 3), np.uint8)
    work = [limits.seconds_of(lambda: gallery.search(export.embed(picture), 12))
            for _ in range(N_SEARCHES)]  # fmt: skip
    return round(1000 * min(work), 1)


def memory(server: int) -> dict[str, float]:
    """Memory of the newest kernel: all that is mapped, its share of it, and its own alone."""
    text = Path(f"/proc/{newest_kernel(server)}/smaps_rollup").read_text()
    kib = {key: int(value) for key, value in re.findall(r"(\w+):\s+(\d+) kB", text)}
    private = kib["Private_Clean"] + kib["Private_Dirty"]
    return {"resident": kib["Rss"] // 1024, "proportional": kib["Pss"] // 1024,
            "private": private // 1024}  # fmt: skip


def newest_kernel(server: int) -> int:
    """The process of the visitor who came last."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return int(children[-1])


def cpu_seconds(process: int) -> float:
    """What a process has used of the processor, whatever else ran beside it."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def summary(values: list[float]) -> dict[str, float]:
    """Median, smallest and largest of some numbers."""
    rounded = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: round(value, 2) for name, value in rounded.items()}


if __name__ == "__main__":
    main()
