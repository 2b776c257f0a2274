"""What the page at a gateway's `/` weighs, and how soon its first forecast is drawn.

    .venv/bin/python benchmarks/page.py [http://localhost:8080] [--loads 20] [--picture docs/page.png]

Every load is one of a browser that knows nothing of the page (a new profile), then one of a browser that has
been there. It is over in the frame after the fan is in the document. `--picture` takes a screenshot too.
"""

import argparse
import gzip
import os
import shutil
import statistics
from collections.abc import Sequence

from playwright.sync_api import Browser, Page, Response, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
PICTURED = "/?model=deaths&country=BRA&above=1000&date=2020-06-17"
NGINX_LEVEL = 1  # of gzip, nginx's default
WATCH = """
window.firstView = new Promise((resolve) => {
  new MutationObserver((_, observer) => {
    if (!document.querySelector('#chart path.band')) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
  }).observe(document, {childList: true, subtree: true});
});
"""


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("url", nargs="?", default="http://localhost:8080")
    parser.add_argument("--loads", type=int, default=20)
    parser.add_argument("--picture", help="where to put a screenshot")
    options = parser.parse_args(argv)
    if not CHROMIUM:
        parser.exit(1, "there is no Chromium: install it (apt install chromium), or set CHROMIUM to one\n")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        print_weight(browser, options.url)
        print_times(browser, options.url, options.loads)
        if options.picture:
            take_picture(browser, options.url, options.picture)
        browser.close()


def print_weight(browser: Browser, url: str) -> None:
    """A line for each answer that the first view takes: bytes, gzipped, and as this server sent them."""
    page = new_page(browser)
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    view(page, url)
    page.wait_for_load_state("networkidle")
    rows = []
    for answer in {answer.url: answer for answer in reversed(answers)}.values():
        body = answer.body()
        path = answer.url.removeprefix(url.rstrip("/"))
        sent = answer.request.sizes()["responseBodySize"]
        rows.append((path, len(body), len(gzip.compress(body, NGINX_LEVEL)), sent))
    page.close()
    own = [row for row in rows if row[0] == "/" or row[0].startswith("/docs/page/")]
    print(f"{'bytes':>9} {'gzipped':>9} {'sent':>9}")
    for path, *sizes in rows:
        print(" ".join(f"{size:9,}" for size in sizes), path)
    for name, part in (("the page itself", own), ("with its data", rows)):
        print(" ".join(f"{sum(row[column] for row in part):9,}" for column in (1, 2, 3)), name)


def print_times(browser: Browser, url: str, loads: int) -> None:
    """Milliseconds from asking for the address to the fan: median, and the slowest."""
    first, again = [], []
    for _ in range(loads):
        page = new_page(browser)
        first.append(view(page, url))
        again.append(view(page, url))
        page.close()
    for name, times in (("unknown to the browser", first), ("in its cache", again)):
        median, slowest = statistics.median(times), max(times)
        print(f"first view, {name}: median {median:.0f} ms, slowest {slowest:.0f} ms of {loads}")


def new_page(browser: Browser) -> Page:
    page = browser.new_page()  # in a profile of its own
    page.add_init_script(WATCH)
    return page


def view(page: Page, url: str) -> float:
    page.goto(url)
    page.wait_for_selector("#chart path.band", timeout=20_000)  # or say what is missing
    return page.evaluate("window.firstView")


def take_picture(browser: Browser, url: str, path: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB")
    page.goto(url.rstrip("/") + PICTURED)
    page.wait_for_selector("#answers data")
    page.screenshot(path=path, full_page=True)
    print(f"{path}: {os.path.getsize(path):,} bytes")


if __name__ == "__main__":
    main()
