"""The page for people: as it is served, and as a browser shows it.

The browser is Chromium, at `$CHROMIUM` or on the path; a real gateway serves it real apps with synthetic
forecasts.
"""

import base64
import csv
import datetime
import io
import json
import os
import re
import shutil
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)
from pydantic import BaseModel, Field
from starlette import requests
from starlette.types import ASGIApp, Receive, Scope, Send

import forecastle
from forecastle import artifact, sealing
from forecastle.artifact import Artifact
from forecastle.catalogue import page as page_module
from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.models import Progress, Status
from forecastle.project import local_gateway
from forecastle.project.slot import Slot
from forecastle.project.trainings import Trainings
from forecastle.runtime.any_app import AnyApp
from forecastle.service import create_app
from forecastle.web import problems

from ..conftest import DRAWS, HORIZON, NAMES, ORIGIN, TOTAL, Ask, MakeArtifact
from ..project.plain import model as plain_model
from ..project.test_slot import FORECAST, put
from ..served import eventually, live

PAGE = Path(page_module.__file__).parent
COUNTRIES = Path(forecastle.__file__).with_name("countries.csv")
ENTRY = re.compile(r"^  ([A-Z]{3}): \[(.*)\],$", re.MULTILINE)
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
# No network but the test's own, and no sandbox where the user is root.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LIGHT_ACCENT = b".0902 .3216 .5608 rg"  # in a PDF
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


# --- as it is served ---


def test_the_page_may_load_nothing_from_elsewhere_and_run_nothing_inline(ask: Ask) -> None:
    answer = ask(create_catalogue({}), "/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*src=)|<style| style=| on[a-z]+=|//", answer.text)


def test_what_it_loads_may_be_kept_for_good(ask: Ask) -> None:
    catalogue = create_catalogue({})
    addresses = re.findall(r'(?:href|src)="(/docs/page/[^"]+)"', ask(catalogue, "/").text)
    assert {path.rpartition(".")[2] for path in addresses} == {"css", "js", "svg"}
    for address in addresses:
        answer = ask(catalogue, address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        # Modules name each other by paths that lead into the same folder; types, in comments, are not served.
        for name in re.findall(r"(?m)^(?!/\*\*).*from '\./([^']+)'|url\(\"([^\"]+)\"\)", answer.text):
            assert ask(catalogue, f"{address.rpartition('/')[0]}/{''.join(name)}").status_code == 200, name


def test_the_page_itself_is_new_within_seconds_and_known_by_its_tag(ask: Ask) -> None:
    answer = ask(create_catalogue({}), "/")
    assert answer.headers["cache-control"].startswith("public, max-age=2, stale-while-revalidate=3")
    known = ask(create_catalogue({}), "/", headers={"If-None-Match": f"W/{answer.headers['etag']}"})
    assert (known.status_code, known.text) == (304, "")


@pytest.mark.parametrize("path", ["/docs/page/0123456789abcdef/page.js", "/docs/page/x/../index.html"])
def test_files_of_another_version_are_problems(path: str, ask: Ask) -> None:
    answer = ask(create_catalogue({}), path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


# --- as a browser shows it ---


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        reason = "there is no Chromium: install it (apt install chromium), or name one with CHROMIUM="
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


UKRAINE = {"excluded": {"UKR": {"name": "Ukraine", "reason": "it has 40 cases, and 50 are needed"}}}
KNOWN = {
    **{"file": "flu.csv", "sha256": "0" * 64, "last_day": "2020-04-24", "changes": []},
    **{"title": "Influenza: deaths a day", "source": "Sentinel", "url": "https://sentinel.test/flu"},
}


def species() -> ASGIApp:
    """A model that forecasts nothing."""

    class Flower(BaseModel):
        measures: list[float] = Field(examples=[[5.1, 3.5]])

    app = FastAPI()

    @app.post("/predict/{way}")
    def predict(way: str, flower: Flower) -> dict[str, Any]:
        return {"way": way, "sum": sum(flower.measures)}

    folder = Path(tempfile.mkdtemp())
    (folder / "train.py").write_text('"""Species of iris."""')
    (folder / "artifact").mkdir()
    (folder / "artifact/model.json").write_text("{}")
    sealing.seal(folder, folder, "species", 1)
    return AnyApp(app, folder)


class Down:
    """A model whose app can be taken down."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.down = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.down and scope["type"] == "http":
            failed = problems.answer(requests.Request(scope), 503, "colds does not answer at the moment.")
            await failed(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class Under:
    """A proxy that serves a gateway under /forecasts as well."""

    def __init__(self, gateway: ASGIApp) -> None:
        self.gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/forecasts/"):
            headers = [*scope["headers"], (b"x-forwarded-prefix", b"/forecasts")]
            path, raw_path = (scope[name][len("/forecasts") :] for name in ("path", "raw_path"))
            scope = {**scope, "headers": headers, "path": path, "raw_path": raw_path}
        await self.gateway(scope, receive, send)


@pytest.fixture(scope="module")
def colds(make_artifact: MakeArtifact) -> Down:
    return Down(create_app(Artifact.load(make_artifact("colds", draws=counts(5, 30), unit="colds"))))


@pytest.fixture(scope="module")
def url(make_artifact: MakeArtifact, colds: Down) -> Iterator[str]:
    """A gateway of models of daily counts and of running totals, one of which can be taken down."""
    cases: dict[str, Any] = {"target": "cumulative cases", "unit": "cases", "cumulative": True}
    independent = np.random.default_rng(4).permuted(totals(3, 90), axis=0)  # so that they may fall
    apps: dict[str, ASGIApp] = {
        "colds": colds,
        "flu": create_app(Artifact.load(make_artifact("flu", draws=counts(1, 60), data=KNOWN))),
        "growth": create_app(Artifact.load(make_artifact("growth", draws=totals(2, 40), **cases))),
        "low": create_app(Artifact.load(make_artifact("low", draws=counts(6, 40), **UKRAINE, **cases))),
        "plain": FastAPI(),
        "species": species(),
        "profit": create_app(Artifact.load(profit(make_artifact, "profit", 1))),
        "profit-again": create_app(Artifact.load(profit(make_artifact, "profit-again", 2))),
        "rival": create_app(
            Artifact.load(make_artifact("rival", draws=independent, reference=True, **cases))
        ),
        "steep": create_app(Artifact.load(make_artifact("steep", draws=totals(8, 4000), **cases))),
        "wave": create_app(Artifact.load(after_a_wave(make_artifact("wave", draws=counts(7, 10))))),
    }
    server = uvicorn.Server(
        uvicorn.Config(Under(local_gateway.Gateway(apps)), host="127.0.0.1", port=0, log_level="warning")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


STORES = {"s1": "High Street", "s2": "Station, North"}
WEEKS, AHEAD = 60, 8
SATURDAY = datetime.date(2020, 4, 25)


def profit(make_artifact: MakeArtifact, name: str, seed: int) -> Path:
    """Of stores, a week: real numbers, around -1.2 in one store and 2.5 in the other."""
    rng, levels = np.random.default_rng(seed), {"s1": 2.5, "s2": -1.2}
    weeks = [SATURDAY - datetime.timedelta(7 * before) for before in reversed(range(WEEKS))]
    rows = [
        f"{week},{code},{value:.3f}"
        for code, level in levels.items()
        for week, value in zip(weeks, rng.normal(level, 0.4, WEEKS), strict=True)
    ]
    of_stores = {
        code: {
            "name": STORES[code],
            "first_day": weeks[0].isoformat(),
            "origin_date": SATURDAY.isoformat(),
            "total": None,
        }
        for code in STORES
    }
    known = {"noun": "store", "plural": "stores", "measure": "profit", "real": True, "minimum": None}
    return make_artifact(
        name,
        draws=rng.normal(list(levels.values()), 0.5, (DRAWS, AHEAD, 2)).swapaxes(1, 2),
        observations=["date,store,observed", *rows],
        series=of_stores,
        excluded={"s3": {"name": "Harbour", "reason": "it opened in April"}},
        target="weekly profit",
        unit="thousand euros",
        frequency="W-SAT",
        horizon=AHEAD,
        data={"file": "stores.csv", "sha256": "0" * 64, "last_day": SATURDAY.isoformat(), "changes": []},
        **known,
    )


def after_a_wave(folder: Path) -> Path:
    """The artifact, fitted to six weeks of 2,000 a day and four of 20 in each country."""
    with artifact.amend(folder) as scratch:
        rows = [
            f"{ORIGIN - datetime.timedelta(before)},{code},{2000 if before >= 28 else 20}"
            for code in NAMES
            for before in reversed(range(70))
        ]
        (scratch / "observations.csv").write_text("\n".join(["date,country,observed", *rows]) + "\n")
    return folder


def counts(seed: int, mean: float) -> np.ndarray:
    """Daily counts, shape (draw, country, day): more in each country than in the one before."""
    scale = mean * np.arange(1, len(NAMES) + 1)[:, None] * np.ones(HORIZON)
    return np.random.default_rng(seed).negative_binomial(4, 4 / (4 + scale), (DRAWS, *scale.shape))


def totals(seed: int, mean: float) -> np.ndarray:
    return TOTAL + counts(seed, mean).cumsum(axis=2)


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, url: str) -> Iterator[Open]:
    """`open_page("/?model=flu", color_scheme="dark")` opens an address, and waits until it is all there.

    In the end it fails if the browser complained, of the policy say, or asked another host; answers that are
    problems are what it may complain of, with `problems=True`.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(path: str = "/", *, problems: bool = False, at: str = url, **options: Any) -> Page:
        usual: dict[str, Any] = {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}}
        context = browser.new_context(**{**usual, **options})
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()

        def hear(message: ConsoleMessage) -> None:
            network = (
                "the server responded with a status of" in message.text or "DISCONNECTED" in message.text
            )
            # Not every catalogue keeps scores.
            expected = problems or message.location["url"].endswith("/scores")
            # Containers come and go on the machine: then the page asks again.
            if not (network and expected) and "ERR_NETWORK_CHANGED" not in message.text:
                complaints.append(message.text)

        def watch(request: Request) -> None:
            if not request.url.startswith((at, "blob:")):
                complaints.append(request.url)

        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", watch)
        page.goto(at + path)
        settled(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def settled(page: Page) -> None:
    """Wait until all is loaded, drawn and asked for."""
    expect(page.locator("main:not([aria-busy])")).to_be_attached()
    answered = "#answers:not([aria-busy]) li, #problem:visible, form.try"
    expect(page.locator(answered).first).to_be_attached()


def choose(page: Page, what: str, typed: str) -> None:
    """Type into the combobox, and take what it finds."""
    field = page.locator(f"#{what}-input")
    field.focus()
    page.keyboard.type(typed)
    expect(page.locator(f"#{what}-list [role=option]:not([aria-disabled])").first).to_be_visible()
    page.keyboard.press("Enter")
    settled(page)


def shown(page: Page) -> list[float]:
    """The probabilities that the page tells."""
    return [float(each.get_attribute("value") or "nan") for each in page.locator("#answers data").all()]


def api_probability(url: str, model: str, country: str, **event: Any) -> float:
    """The probability that the API tells."""
    answer = httpx.get(f"{url}/{model}/countries/{country}/probability", params=event)
    return answer.raise_for_status().json()["probability"]


def parameters(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def ticks(page: Page) -> list[float]:
    return [float(text.replace(",", "")) for text in page.locator(".counts text").all_text_contents()]


def test_it_starts_with_a_forecast_of_a_model_that_is_for_use(open_page: Open) -> None:
    page = open_page("/")
    expect(page.locator("#model-input")).to_have_value("colds")
    expect(page.locator("#title")).to_contain_text("Daily colds")
    assert page.locator("#chart path.band").count() == 3
    assert len(shown(page)) == 1


def test_it_works_under_a_path_of_a_proxy(open_page: Open, url: str) -> None:
    asked: list[str] = []
    page = open_page("/forecasts/?model=flu&country=GBR")
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    page.reload()
    settled(page)
    choose(page, "series", "fra")
    assert shown(page)
    assert {"/forecasts/models", "/forecasts/flu/countries/FRA/forecast"} <= set(asked)
    own = page.locator(f"a[href]:not([href='{KNOWN['url']}'])")  # all but the data's source
    links = [link.get_attribute("href") or "" for link in own.all()]
    assert {"/forecasts/", "/forecasts/docs", "/forecasts/flu/docs", "/forecasts/flu/card"} <= set(links)
    assert all(path.startswith("/forecasts/") for path in (*asked, *links))
    assert all(httpx.get(url + link).status_code == 200 for link in links)


def test_a_model_and_a_country_are_chosen_by_typing(open_page: Open, url: str) -> None:
    page = open_page("/")
    choose(page, "model", "fl")
    choose(page, "series", "united k")
    expect(page.locator("#title")).to_have_text("Daily deaths, United Kingdom")
    assert parameters(page) == {"model": "flu", "country": "GBR"}
    for typed in ("fra", "France", "FRANCE", "ran"):
        choose(page, "series", "uk")
        expect(page.locator("#title")).to_contain_text("United Kingdom")
        choose(page, "series", typed)
        expect(page.locator("#title")).to_contain_text("France")


def test_the_combobox_follows_the_pattern(open_page: Open) -> None:
    page = open_page("/?model=flu&country=GBR")
    field, options = page.locator("#series-input"), page.locator("#series-list [role=option]")
    expect(field).to_have_attribute("aria-expanded", "false")
    field.focus()
    page.keyboard.press("ArrowDown")
    expect(field).to_have_attribute("aria-expanded", "true")
    active = page.locator(f"#{field.get_attribute('aria-activedescendant')}")
    expect(active).to_have_text("United Kingdom")
    expect(active).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    assert field.get_attribute("aria-activedescendant") != active.get_attribute("id")
    page.keyboard.press("Escape")
    expect(field).to_have_attribute("aria-expanded", "false")
    expect(field).to_have_value("United Kingdom")
    page.keyboard.type("zzz")
    expect(options).to_have_text(["No match"])
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(field).to_have_value("United Kingdom")
    assert parameters(page) == {"model": "flu", "country": "GBR"}
    field.click()
    options.filter(has_text="Greece").click()
    settled(page)
    expect(page.locator("#title")).to_contain_text("Greece")


def test_the_probability_is_what_the_api_says_of_threshold_and_date(open_page: Open, url: str) -> None:
    page = open_page("/?model=flu&country=GBR")
    page.fill("#threshold", "150")
    page.fill("#date", "2020-05-10")
    settled(page)
    expect(page.locator("#answers data")).to_have_attribute(
        "value", str(api_probability(url, "flu", "GBR", above=150, on="2020-05-10"))
    )
    expect(page.locator("#answers")).to_contain_text("above 150")
    page.select_option("#side", "below")
    expect(page.locator("#answers data")).to_have_attribute(
        "value", str(api_probability(url, "flu", "GBR", below=150, on="2020-05-10"))
    )
    assert parameters(page) == {"model": "flu", "country": "GBR", "below": "150", "date": "2020-05-10"}


def test_the_lines_are_dragged(open_page: Open, url: str) -> None:
    page = open_page("/?model=flu&country=GBR&above=150&date=2020-05-10")
    before = shown(page)
    for line, (across, down) in {"threshold": (0, -60), "day": (40, 0)}.items():
        tag = page.locator(f".handle.{line} .tag").bounding_box()
        assert tag
        page.mouse.move(tag["x"] + 5, tag["y"] + 10)
        page.mouse.down()
        page.mouse.move(tag["x"] + 5 + across, tag["y"] + 10 + down, steps=5)
        page.mouse.up()
    settled(page)
    moved = parameters(page)
    assert float(moved["above"]) > 150
    assert moved["date"] > "2020-05-10"
    assert page.input_value("#threshold") == moved["above"]
    assert page.input_value("#date") == moved["date"]
    assert (
        shown(page) == [api_probability(url, "flu", "GBR", above=moved["above"], on=moved["date"])] != before
    )


def test_a_date_is_taken_anywhere_at_its_tag_and_stays(open_page: Open) -> None:
    page = open_page("/?model=flu&country=GBR&above=150&date=2020-05-10")
    tag = page.locator(".handle.day .tag").bounding_box()
    assert tag
    for x in (tag["x"] + 4, tag["x"] + tag["width"] - 4):
        page.mouse.move(x, tag["y"] + 10)
        page.mouse.down()
        page.mouse.move(x, tag["y"] + 12)
        page.mouse.up()
        assert page.input_value("#date") == "2020-05-10"
    settled(page)


def test_the_lines_are_moved_by_keys(open_page: Open, url: str) -> None:
    page = open_page("/?model=flu&country=GBR&above=150&date=2020-05-10")
    threshold, day = page.locator(".handle.threshold"), page.locator(".handle.day")
    threshold.focus()
    page.keyboard.press("ArrowUp")
    above = int(threshold.get_attribute("aria-valuenow") or "")
    assert above > 150
    expect(threshold).to_have_attribute("aria-valuetext", f"{above} deaths")
    day.focus()
    page.keyboard.press("ArrowRight")
    expect(day).to_have_attribute("aria-valuetext", "11 May 2020")
    page.keyboard.press("End")
    expect(day).to_have_attribute("aria-valuetext", "22 May 2020")
    page.keyboard.press("ArrowRight")
    expect(day).to_have_attribute("aria-valuetext", "22 May 2020")
    settled(page)
    assert shown(page) == [api_probability(url, "flu", "GBR", above=above, on="2020-05-22")]
    assert page.locator("#answers").get_attribute("role") == "status"


def test_a_day_outside_the_forecast_is_said_to_be(open_page: Open) -> None:
    page = open_page("/?model=flu&country=GBR&date=2021-01-01")
    expect(page.locator("#answers")).to_contain_text("reaches from 25 April 2020 to 22 May 2020")


def test_a_line_off_the_chart_is_an_arrow_until_it_comes_back(open_page: Open) -> None:
    page = open_page("/?model=flu&country=GBR&above=1000000&date=2020-11-30")
    for line, tag in {"threshold": "↑ 1,000,000", "day": "30 November 2020 →"}.items():
        expect(page.locator(f".handle.{line} text")).to_have_text(tag)
        expect(page.locator(f".handle.{line} .line")).to_have_attribute("visibility", "hidden")
    box = page.locator("#chart svg").bounding_box()
    for each in page.locator(".handle .tag").all():
        inside = each.bounding_box()
        assert box and inside
        assert inside["x"] >= box["x"] and inside["x"] + inside["width"] <= box["x"] + box["width"]
        length = each.evaluate("tag => tag.parentElement.querySelector('text').getComputedTextLength()")
        assert length < inside["width"] - 2
    page.fill("#date", "2020-05-10")
    page.fill("#threshold", "150")
    for line, tag in {"threshold": "150", "day": "10 May 2020"}.items():
        expect(page.locator(f".handle.{line} text")).to_have_text(tag)
        expect(page.locator(f".handle.{line} .line")).to_have_attribute("visibility", "visible")
    settled(page)


def test_a_threshold_below_the_least_total_is_an_arrow_too(open_page: Open) -> None:
    page = open_page("/?model=growth&country=GRC&above=0&scale=log")
    expect(page.locator(".handle.threshold text")).to_have_text("↓ 0")
    expect(page.locator(".handle.threshold .line")).to_have_attribute("visibility", "hidden")


@pytest.mark.parametrize(
    ("field", "entry", "why"),
    [
        ("threshold", "-3", "The threshold must be a number, 0 or more."),
        ("threshold", "", "The threshold must be a number, 0 or more."),
        ("date", "", "The date is missing."),
        ("date", "2020-03-01", "The forecast reaches from 25 April 2020 to 22 May 2020."),
    ],
)
def test_an_entry_without_an_answer_leaves_no_old_answer(
    field: str, entry: str, why: str, open_page: Open
) -> None:
    page = open_page("/?model=flu&country=GBR&above=150&date=2020-05-10")
    before = shown(page)
    page.fill(f"#{field}", entry)
    expect(page.locator("#answers data")).to_have_count(0)
    expect(page.locator("#answers")).to_contain_text(why)
    page.select_option("#side", "below")  # which does not bring the old entry back
    expect(page.locator(f"#{field}")).to_have_value(entry)
    expect(page.locator("#answers")).to_contain_text(why)
    page.select_option("#side", "above")
    page.fill(f"#{field}", {"threshold": "150", "date": "2020-05-10"}[field])
    settled(page)
    expect(page.locator("#answers data")).to_have_attribute("value", str(before[0]))


def test_a_total_that_was_passed_already_is_certain(open_page: Open, url: str) -> None:
    """The observed days tell when; where they start above the threshold, it was by the first of them."""
    page = open_page("/?model=flu&country=GBR&counts=cumulative&above=950&date=2020-05-10")
    chance, words = page.locator(".chance"), page.locator("#answers .quiet")
    expect(chance).to_have_text("100 %")
    expect(words).to_contain_text("Passed on 23 April 2020.")
    expect(words).to_contain_text("1,000 on 24 April 2020 already")
    page.select_option("#side", "below")
    expect(chance).to_have_text("0 %")
    expect(words).to_contain_text("Reached on 23 April 2020.")
    page.fill("#threshold", "10")
    expect(words).to_contain_text("Reached by 20 April 2020.")
    page.fill("#threshold", "3500")
    expect(words).to_contain_text("Monte Carlo error")


def test_a_certainty_that_the_draws_contradict_is_warned_of(open_page: Open, url: str) -> None:
    page = open_page("/?model=low&country=GBR&above=950&date=2020-05-10")
    expect(page.locator(".chance")).to_have_text("100 %")
    expect(page.locator("#answers")).to_contain_text("this model's forecast contradicts what was observed")


def test_scales_are_linear_or_logarithmic(open_page: Open) -> None:
    page = open_page("/?model=flu&country=GBR")
    linear = np.diff(ticks(page))
    assert len(linear) > 2 and len(set(linear)) == 1
    page.get_by_label("Log").check(force=True)
    assert parameters(page)["scale"] == "log"
    labels = page.locator(".counts text").all()
    height = {label.text_content(): float(label.get_attribute("y") or "") for label in labels}
    assert height["10"] - height["20"] == pytest.approx(height["100"] - height["200"], abs=1.1)
    assert "NaN" not in page.content()


def test_counts_are_daily_or_cumulative_whatever_the_model_forecasts(open_page: Open, url: str) -> None:
    page = open_page("/?model=flu&country=GBR")
    page.get_by_label("Cumulative").check(force=True)
    settled(page)
    expect(page.locator("#title")).to_have_text("Cumulative deaths, United Kingdom")
    page.fill("#threshold", "3500")
    settled(page)
    date = page.input_value("#date")
    assert shown(page) == [api_probability(url, "flu", "GBR", above=3500, by=date)]
    page.locator("#table summary").click()
    # The last day's total, and backwards from it what was counted each day.
    rows = page.locator("#table tbody tr").all_text_contents()
    assert any(row.startswith("24 April 20201,000") for row in rows)
    assert any(row.startswith("23 April 2020960") for row in rows)

    choose(page, "model", "growth")
    expect(page.locator("#title")).to_have_text("Cumulative cases, United Kingdom")
    page.get_by_label("Daily").check(force=True)
    settled(page)
    page.fill("#threshold", "100")
    settled(page)
    date = page.input_value("#date")
    assert shown(page) == [api_probability(url, "growth", "GBR", above=100, on=date, counts="daily")]
    rows = page.locator("#table tbody tr").all_text_contents()
    assert any(row.startswith("24 April 202010") for row in rows)


def test_weeks_are_shown_in_the_place_of_days(open_page: Open, url: str) -> None:
    """In the chart, the table, the file and the answer, as the API has them; the address says so."""
    page = open_page("/?model=wave&country=GBR")
    expect(page.get_by_label("By day")).to_be_checked()
    page.get_by_label("By week").check(force=True)
    settled(page)
    expect(page.locator("#title")).to_have_text("Weekly deaths, United Kingdom")
    assert parameters(page) == {"model": "wave", "country": "GBR", "period": "week"}
    expect(page.get_by_label("Cumulative")).to_be_hidden()
    expect(page.locator("#what")).to_have_text("deaths in the week to")
    # Seventy days were reported, to a Friday: nine whole weeks from Sunday to Saturday.
    expect(page.locator("circle.observed")).to_have_count(7)  # of eight weeks before the forecast
    page.get_by_label("All", exact=True).check(force=True)
    expect(page.locator("circle.observed")).to_have_count(9)
    forecast = httpx.get(f"{url}/wave/countries/GBR/forecast?period=week").json()["forecast"]
    assert len(forecast) == 3
    median = page.locator("#chart path.median").first.get_attribute("d") or ""
    assert median.count("L") == len(forecast) - 1
    page.locator("#table summary").click()
    rows = page.locator("#table tbody tr").all_text_contents()
    assert page.locator("#table thead th").first.text_content() == "Week to"
    assert len(rows) == 9 + len(forecast)
    assert rows[0].startswith(f"16 May 2020{forecast[-1]['median']:,.0f}")
    assert rows[3] == "18 April 2020140"
    assert "21 March 202014,000" in rows

    page.fill("#threshold", "200")
    settled(page)
    date = page.input_value("#date")
    assert date == "2020-05-09"  # two weeks ahead
    assert shown(page) == [api_probability(url, "wave", "GBR", above=200, on=date, period="week")]
    assert shown(page) != [api_probability(url, "wave", "GBR", above=200, on=date)]
    with page.expect_download() as download:
        page.click("#csv")
    assert download.value.suggested_filename == "wave-GBR-weekly-2020-04-24.csv"
    saved = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert {row["counts"] for row in saved} == {"weekly"}
    assert [float(row["mean"]) for row in saved if row["mean"]] == [week["mean"] for week in forecast]

    page.reload()
    settled(page)
    expect(page.get_by_label("By week")).to_be_checked()
    expect(page.locator("#threshold")).to_have_value("200")
    page.get_by_label("By day").check(force=True)
    settled(page)
    expect(page.locator("#title")).to_have_text("Daily deaths, United Kingdom")
    assert parameters(page) == {"model": "wave", "country": "GBR", "past": "all"}
    expect(page.get_by_label("Cumulative")).to_be_visible()
    page.go_back()
    expect(page.locator("#title")).to_have_text("Weekly deaths, United Kingdom")
    settled(page)


def test_days_and_weeks_are_chosen_by_keys(open_page: Open) -> None:
    page = open_page("/?model=flu&country=GBR")
    page.locator("#compare-input").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_label("By day")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#title")).to_have_text("Weekly deaths, United Kingdom")
    settled(page)
    expect(page.get_by_label("By week")).to_be_focused()
    page.locator(".handle.day").focus()
    page.keyboard.press("Home")
    expect(page.locator(".handle.day")).to_have_attribute("aria-valuetext", "2 May 2020")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".handle.day")).to_have_attribute("aria-valuetext", "9 May 2020")
    expect(page.locator("#reading-date")).to_have_text("Week to 9 May 2020")
    page.get_by_label("By week").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#title")).to_have_text("Daily deaths, United Kingdom")
    settled(page)
    assert page.input_value("#date") == "2020-05-09"


def test_a_date_names_the_week_that_holds_it(open_page: Open, url: str) -> None:
    page = open_page("/?model=flu&country=GBR&date=2020-05-03&above=900&period=week")
    assert page.input_value("#date") == "2020-05-09"  # that of its Saturday
    assert shown(page) == [api_probability(url, "flu", "GBR", above=900, on="2020-05-03", period="week")]
    page.fill("#date", "2020-04-26")  # a Sunday
    settled(page)
    assert page.input_value("#date") == "2020-05-02" == parameters(page)["date"]
    page.fill("#date", "2020-04-25")
    expect(page.locator("#answers")).to_contain_text("reaches from 26 April 2020 to 16 May 2020")
    page.get_by_label("By day").check(force=True)
    settled(page)
    page.fill("#date", "2020-05-22")  # in no whole week
    settled(page)
    page.get_by_label("By week").check(force=True)
    settled(page)
    assert "date" not in parameters(page) and page.input_value("#date") == "2020-05-09"


def test_weeks_of_a_running_total_are_sums_of_its_days(open_page: Open, url: str) -> None:
    page = open_page("/?model=growth&country=GBR")
    expect(page.locator("#title")).to_have_text("Cumulative cases, United Kingdom")
    page.get_by_label("By week").check(force=True)
    settled(page)
    expect(page.locator("#title")).to_have_text("Weekly cases, United Kingdom")
    choose(page, "compare", "steep")
    page.fill("#threshold", "900")
    settled(page)
    date = page.input_value("#date")
    asked = {"above": 900, "on": date, "period": "week"}
    assert shown(page) == [api_probability(url, model, "GBR", **asked) for model in ("growth", "steep")]
    assert page.locator("#chart path.band").count() == 2
    page.get_by_label("By day").check(force=True)
    settled(page)
    expect(page.locator("#title")).to_have_text("Cumulative cases, United Kingdom")


def test_only_daily_models_have_weeks_to_choose(open_page: Open) -> None:
    page = open_page("/?model=profit&series=s1&period=week")  # which is weekly itself
    expect(page.locator("#title")).to_have_text("Weekly profit, High Street")
    expect(page.locator("#periods")).to_be_hidden()
    page.locator("#compare-input").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_label("26 weeks")).to_be_focused()
    page.get_by_label("52 weeks").check(force=True)
    assert "period" not in parameters(page)
    choose(page, "model", "flu")
    expect(page.locator("#periods")).to_be_visible()


def test_countries_and_models_are_compared(open_page: Open, url: str) -> None:
    page = open_page("/?model=growth&country=GBR")
    choose(page, "compare", "france")
    choose(page, "compare", "rival")
    assert parameters(page)["with"] == "FRA,rival"
    assert page.locator("#chart path.band").count() == 3
    page.fill("#threshold", "3000")
    page.fill("#date", "2020-05-10")
    settled(page)
    assert page.locator("#answers .name").all_text_contents() == [
        "United Kingdom, growth",
        "France, growth",
        "United Kingdom, rival",
    ]
    event = {"above": 3000, "by": "2020-05-10"}
    asked = [("growth", "GBR"), ("growth", "FRA"), ("rival", "GBR")]
    assert shown(page) == [api_probability(url, model, country, **event) for model, country in asked]
    expect(page.locator("#notices")).to_contain_text("rival is a reference model")
    page.get_by_role("button", name="Remove France").click()
    settled(page)
    assert parameters(page)["with"] == "rival"


def test_a_comparison_says_what_is_shaded(open_page: Open) -> None:
    page = open_page("/?model=growth&country=GBR")
    expect(page.locator("#shaded")).to_have_text("")
    choose(page, "compare", "france")
    expect(page.locator("#shaded")).to_have_text("Shaded: central intervals of 80 %.")
    expect(page.get_by_label("Linear")).to_be_checked()


def test_a_comparison_is_logarithmic_where_one_would_flatten_the_others(open_page: Open) -> None:
    page = open_page("/?model=growth&country=GBR")
    choose(page, "compare", "steep")
    expect(page.get_by_label("Log")).to_be_checked()
    expect(page.locator("#shaded")).to_contain_text(
        "Log scale, since the forecasts differ more than tenfold."
    )
    assert "scale" not in parameters(page)
    page.get_by_label("Linear").check(force=True)
    assert parameters(page)["scale"] == "linear"
    expect(page.locator("#shaded")).not_to_contain_text("Log scale")
    settled(page)
    page.reload()
    expect(page.get_by_label("Linear")).to_be_checked()
    settled(page)
    page.get_by_role("button", name="Remove steep").click()
    settled(page)


def test_the_past_is_four_weeks_until_more_is_asked_for(open_page: Open) -> None:
    """So that the peak of a wave does not press its end flat."""
    page = open_page("/?model=wave&country=GBR")
    expect(page.get_by_label("4 weeks")).to_be_checked()
    seen = {}
    for past in ("4 weeks", "8 weeks", "All"):
        page.get_by_label(past, exact=True).check(force=True)
        settled(page)
        seen[past] = (page.locator("circle.observed").count(), band_height(page))
    days = [count for count, _ in seen.values()]
    assert days == [28, 56, 70]
    assert seen["4 weeks"][1] > 0.3 > 0.1 > seen["8 weeks"][1]
    assert parameters(page)["past"] == "all"
    page.get_by_label("4 weeks").check(force=True)
    assert "past" not in parameters(page)


def band_height(page: Page) -> float:
    """Of the widest band, as a share of the chart's."""
    chart, band = (page.locator(name).bounding_box() for name in ("#chart", "#chart .level-95"))
    assert chart and band
    return band["height"] / chart["height"]


def test_only_models_that_count_the_same_are_compared(open_page: Open) -> None:
    page = open_page("/?model=growth&country=GBR")
    page.locator("#compare-input").click()
    offered = page.locator("#compare-list [role=option]").all_text_contents()
    assert [text for text in offered if "cumulative" in text or "daily" in text] == [
        "lowcumulative cases",
        "rivalcumulative cases, reference",
        "steepcumulative cases",
    ]
    page.goto(page.url + "&with=flu")
    settled(page)
    expect(page.locator("#readings")).to_contain_text("flu counts deaths, not cases")
    page.get_by_role("button", name="Remove flu").click()
    settled(page)
    assert parameters(page) == {"model": "growth", "country": "GBR"}


def test_an_address_holds_the_view(open_page: Open, url: str) -> None:
    view = "model=flu&country=FRA&counts=cumulative&scale=log&past=all&with=DEU&below=3000&date=2020-05-03"
    page = open_page(f"/?{view}")
    expect(page.locator("#title")).to_have_text("Cumulative deaths, France, Germany")
    for name in ("Cumulative", "Log", "All"):
        expect(page.get_by_label(name, exact=True)).to_be_checked()
    expect(page.locator("#side")).to_have_value("below")
    event = {"below": 3000, "by": "2020-05-03"}
    assert shown(page) == [api_probability(url, "flu", country, **event) for country in ("FRA", "DEU")]
    page.get_by_label("Linear").check(force=True)
    page.get_by_label("Log").check(force=True)
    assert parameters(page) == {name: values[0] for name, values in parse_qs(view).items()}


def test_back_and_forward_lead_through_what_was_chosen(open_page: Open) -> None:
    page = open_page("/?model=flu&country=FRA")
    choose(page, "series", "greece")
    page.fill("#threshold", "7")  # which is no step of its own
    choose(page, "series", "germany")
    page.go_back()
    expect(page.locator("#title")).to_contain_text("Greece")
    settled(page)
    expect(page.locator("#threshold")).to_have_value("7")
    page.go_back()
    expect(page.locator("#title")).to_contain_text("France")
    page.go_forward()
    expect(page.locator("#title")).to_contain_text("Greece")
    settled(page)


def test_the_link_is_copied_with_all_that_is_shown(open_page: Open, url: str) -> None:
    page = open_page("/", permissions=["clipboard-read", "clipboard-write"])
    page.click("#share")
    expect(page.locator("#done")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert {"model", "country", "above", "date"} <= parse_qs(urlsplit(copied).query).keys()


def test_a_model_that_is_down_is_said_to_be_and_tried_again(open_page: Open, colds: Down) -> None:
    page = open_page("/?model=flu&country=GBR", problems=True)
    try:
        colds.down = True
        page.reload()
        settled(page)
        page.locator("#model-input").click()
        expect(page.locator("#model-list [role=option]").first).to_contain_text("down")
        page.keyboard.press("Escape")
        choose(page, "model", "colds")
        expect(page.locator("#problem")).to_contain_text("colds does not answer at the moment")
        expect(page.locator(".health")).to_have_text("Down")
        expect(page.locator("#notices")).to_contain_text("colds does not answer")
        expect(page.locator("#answers")).to_be_hidden()
    finally:
        colds.down = False
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#title")).to_have_text("Daily colds, United Kingdom")
    expect(page.locator(".health")).to_have_text("Answering")
    settled(page)


def test_a_server_out_of_reach_is_said_to_be(open_page: Open) -> None:
    page = open_page("/?model=flu&country=GBR", problems=True)
    page.context.set_offline(True)
    choose(page, "series", "greece")
    expect(page.locator("#problem")).to_contain_text("The server cannot be reached")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#title")).to_have_text("Daily deaths, Greece")
    settled(page)


def test_it_starts_with_another_model_while_one_is_down(open_page: Open, colds: Down) -> None:
    colds.down = True
    try:
        page = open_page("/")
        expect(page.locator("#model-input")).to_have_value("flu")
    finally:
        colds.down = False


def test_a_country_without_a_forecast_tells_why(open_page: Open) -> None:
    page = open_page("/?model=flu&country=GBR", problems=True)
    choose(page, "series", "andorra")
    expect(page.locator("#problem")).to_contain_text(
        "Andorra has no forecast: it has 40 deaths, and 50 are needed"
    )
    expect(page.locator("#title")).to_have_text("Andorra")
    expect(page).to_have_title("Andorra · Forecastle")
    choose(page, "series", "greece")
    expect(page.locator("#title")).to_have_text("Daily deaths, Greece")
    expect(page.locator("#problem")).to_be_hidden()


def test_a_misspelt_country_is_asked_about(open_page: Open) -> None:
    page = open_page("/?model=flu&country=GRB", problems=True)
    expect(page.locator("#problem")).to_contain_text("There is no country GRB here")
    assert not page.get_by_role("button", name="Try again").is_visible()
    page.get_by_role("button", name="United Kingdom").click()
    expect(page.locator("#title")).to_have_text("Daily deaths, United Kingdom")
    settled(page)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/?model=nosuch", "There is no model nosuch here"),
        ("/?model=constructor", "There is no model constructor here"),
        ("/?model=plain", "plain has no forecasts that this page can show"),
        ("/?model=flu&country=%3Cimg%20src=x%20onerror=alert(1)%3E", "There is no country"),
    ],
)
def test_an_address_that_names_nothing_is_said_to(path: str, words: str, open_page: Open) -> None:
    page = open_page(path, problems=True)
    expect(page.locator("#problem")).to_contain_text(words)
    expect(page.locator("#about")).not_to_contain_text("behind the newest data")


def test_health_age_and_past_forecasts_are_told(open_page: Open) -> None:
    page = open_page("/?model=rival&country=GBR")
    about, past = page.locator("#about"), page.locator("#past")
    expect(about).to_contain_text("A synthetic model of rival")
    expect(about).to_contain_text("Answering")
    expect(about).to_contain_text("24 April 2020")
    expect(about).to_contain_text("years ago")
    expect(past).to_contain_text("0.80")
    rows = page.locator("#past tr").all_text_contents()
    assert rows == ["50 %48 %right", "90 %91 %right"]
    expect(page.locator("#notices")).to_contain_text("rival is a reference model")
    for link in page.locator("#about a").all():
        assert httpx.get(str(link.evaluate("link => link.href"))).status_code == 200


def test_what_the_api_warns_of_is_passed_on(open_page: Open, url: str) -> None:
    page = open_page("/?model=rival&country=GBR&counts=daily")
    caveat = httpx.get(f"{url}/rival/countries/GBR/forecast?counts=daily").json()["caveat"]
    expect(page.locator("#notices")).to_contain_text(caveat)
    page.get_by_label("Cumulative").check(force=True)
    settled(page)
    expect(page.locator("#notices")).not_to_contain_text(caveat)


def test_scores_of_forecasts_in_use_are_told_where_they_are_kept(open_page: Open) -> None:
    page = open_page("/?model=rival&country=GBR")
    kept = {"forecasts": 40, "wis": 9.5, "wis_naive": 5.0, "wis_ratio": 1.9, "bias": 0.2}
    scores = {
        "model": "flu",
        "first_date": "2020-04-25",
        "last_date": "2020-05-02",
        "scores": {**kept, "coverage": {"0.5": 0.6, "0.9": 0.7}},
    }
    page.route("**/models/flu/scores", lambda route: route.fulfill(json=scores))
    choose(page, "model", "flu")
    past = page.locator("#past")
    expect(past).to_contain_text("for 25 April 2020 to 2 May 2020 came no closer than a naive forecast")
    assert past.locator("tr").all_text_contents() == [
        *("50 %48 %right", "90 %91 %right"),
        *("50 %60 %too wide", "90 %70 %too narrow"),
    ]


def test_the_table_tells_what_the_chart_draws(open_page: Open, url: str) -> None:
    page = open_page("/?model=flu&country=GBR")
    page.locator("#table summary").click()
    rows = page.locator("#table tbody tr")
    expect(rows).to_have_count(HORIZON + 5)
    day = httpx.get(f"{url}/flu/countries/GBR/forecast", params={"days": 28}).json()["forecast"][-1]
    expect(rows.first).to_contain_text(f"22 May 2020{day['median']:.0f}")
    said = page.locator("#chart [role=img]").get_attribute("aria-label") or ""
    assert said.startswith("daily deaths, United Kingdom, model flu: observed through 24 April 2020")


def test_values_under_the_pointer_are_read(open_page: Open) -> None:
    page = open_page("/?model=flu&country=DEU")
    box = page.locator("#chart svg").bounding_box()
    assert box
    expect(page.locator("#reading-date")).to_have_text("8 May 2020")
    dot = page.locator("circle.observed").last.bounding_box()
    assert dot
    page.mouse.move(dot["x"] + 2, box["y"] + 60)
    expect(page.locator("#reading-date")).to_have_text("24 April 2020")
    expect(page.locator("#readings")).to_contain_text("Observed40")
    page.mouse.move(0, 0)
    expect(page.locator("#reading-date")).to_have_text("8 May 2020")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_band_is_found_by_the_colour_of_its_swatch(scheme: str, open_page: Open) -> None:
    page = open_page("/?model=flu&country=GBR", color_scheme=scheme)
    in_chart = {level: band_colour(page, level) for level in (50, 80, 95)}
    in_legend = {level: pixel(page, f"#readings .level-{level}") for level in (50, 80, 95)}
    assert in_chart == in_legend
    assert len(set(in_legend.values())) == 3


def band_colour(page: Page, level: int) -> tuple[int, ...]:
    """The colour that most of a band has where no narrower one covers it: just below its upper edge."""
    points = page.locator(f"#chart .level-{level}").evaluate(
        """band => {
            const box = band.ownerSVGElement.getBoundingClientRect();
            const upper = band.getAttribute('d').slice(1, -1).split('L').map((point) => point.split(' '));
            return upper.slice(2, upper.length / 2 - 2).map(([x, y]) => [box.x + +x + 3, box.y + +y + 5]);
        }"""
    )
    picture = page.screenshot()
    return Counter(colours(page, picture, points)).most_common(1)[0][0]


def pixel(page: Page, selector: str) -> tuple[int, ...]:
    """The colour in the middle of an element."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    assert box
    points = [[box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]]
    return colours(page, page.screenshot(), points)[0]


def colours(page: Page, picture: bytes, points: list[list[float]]) -> list[tuple[int, ...]]:
    """The pixels of a PNG at these points, red, green and blue; the browser decodes it."""
    assert page.context.browser
    blank = page.context.browser.new_page()  # without the page's policy
    pixels = blank.evaluate(
        """async ([picture, points]) => {
            const blob = await (await fetch(`data:image/png;base64,${picture}`)).blob();
            const bitmap = await createImageBitmap(blob);
            const drawing = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
            drawing.drawImage(bitmap, 0, 0);
            return points.map(([x, y]) => [...drawing.getImageData(x, y, 1, 1).data.slice(0, 3)]);
        }""",
        [base64.b64encode(picture).decode(), points],
    )
    blank.close()
    return [tuple(each) for each in pixels]


def test_csv_and_png_are_downloaded(open_page: Open, url: str, tmp_path: Path) -> None:
    page = open_page("/?model=flu&country=GBR&with=FRA")
    with page.expect_download() as download:
        page.click("#csv")
    assert download.value.suggested_filename == "flu-GBR-FRA-daily-2020-04-24.csv"
    text = download.value.path().read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 2 * (5 + HORIZON)
    assert {len(row) for row in csv.reader(io.StringIO(text))} == {11 + 2 * 3}
    answer = httpx.get(f"{url}/flu/countries/FRA/forecast", params={"days": 28, "level": 0.95}).json()
    (last,) = [row for row in rows if row["country"] == "FRA" and row["date"] == "2020-05-22"]
    expected = answer["forecast"][-1]
    assert float(last["median"]) == expected["median"]
    assert float(last["mean"]) == expected["mean"]
    assert float(last["lower_0.95"]) == expected["intervals"][0]["lower"]
    assert float(last["upper_0.95"]) == expected["intervals"][0]["upper"]
    assert last["observed"] == ""
    assert {row["observed"] for row in rows if row["date"] == "2020-04-24"} == {"40"}

    with page.expect_download() as download:
        page.click("#png")
    assert download.value.suggested_filename == "flu-GBR-FRA-daily-2020-04-24.png"
    picture = download.value.path().read_bytes()
    assert picture.startswith(b"\x89PNG")
    width = int.from_bytes(picture[16:20])
    assert width == 1920
    assert len(picture) > 20_000  # there is something on it


@pytest.mark.parametrize(
    "path",
    [
        "/?model=flu&country=GBR",
        "/?model=growth&country=GBR&with=FRA,rival&past=all",
        "/?model=wave&country=GBR&period=week",
        "/?model=profit&series=s2&past=all",
    ],
)
def test_it_fits_a_phone(path: str, open_page: Open) -> None:
    page = open_page(path, **PHONE)
    page.locator("#table summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    box = page.locator("#chart svg").bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= 360
    for button in page.locator("button:visible, input:visible, select:visible").all():
        size = button.bounding_box()
        assert size and size["height"] >= 24 and size["width"] >= 24
    # A tap on the chart moves the date.
    page.touchscreen.tap(box["x"] + box["width"] - 60, box["y"] + 100)
    settled(page)
    assert "date" in parameters(page) or page.input_value("#date")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path",
    [
        "/?model=flu&country=GBR",
        "/?model=growth&country=GBR&with=FRA,rival&scale=log",
        "/?model=wave&country=GBR&with=FRA&period=week",
        "/?model=flu&country=AND",
        "/?model=profit&series=s2&with=/s1",
    ],
)
def test_axe_finds_no_violation(path: str, scheme: str, open_page: Open) -> None:
    page = open_page(path, color_scheme=scheme, problems=True)
    if page.locator("#table").is_visible():
        page.locator("#table summary").click()
        page.locator("#series-input").click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_date_is_written_in_one_way(open_page: Open) -> None:
    """In the table, on the chart's line, and where the API says it; only the axis leaves out the year."""
    page = open_page("/?model=flu&country=GBR&above=150&date=2020-05-10")
    expect(page.locator("#answers")).to_contain_text("on 10 May 2020 above 150")
    expect(page.locator("#reading-date")).to_have_text("10 May 2020")
    expect(page.locator(".handle.day text")).to_have_text("10 May 2020")
    page.locator("#table summary").click()
    expect(page.locator("#table tbody th").first).to_have_text("22 May 2020")
    page.locator("#chart .dates").evaluate("axis => axis.remove()")
    texts = page.locator("main").inner_text().replace(page.locator(".facts dd").last.inner_text(), "")
    written = r"\d{4}-\d\d-\d\d|\d+/\d+/\d+|[A-Z]?[a-z]*day|\b\d{1,2} [A-Z][a-z]{2,}\b(?: \d{4})?"
    dates = [date for date in re.findall(written, texts) if date not in {"day", "Horizon"}]
    assert len(dates) > 30
    assert all(re.fullmatch(r"\d{1,2} (April|May) 2020", date) for date in dates), dates


def test_a_print_shows_what_is_chosen_in_light_colours(open_page: Open) -> None:
    page = open_page("/?model=flu&country=GBR", color_scheme="dark")
    with_options = printed(page).count(LIGHT_ACCENT)
    page.locator("#options").evaluate("form => form.remove()")
    assert with_options - printed(page).count(LIGHT_ACCENT) == 4  # one of each group


def test_a_print_without_backgrounds_shows_what_is_chosen(open_page: Open) -> None:
    page = open_page("/?model=flu&country=GBR")
    page.evaluate("document.documentElement.style.printColorAdjust = 'economy'")
    with_options = printed(page).count(LIGHT_ACCENT)
    page.locator("#options").evaluate("form => form.remove()")
    assert with_options - printed(page).count(LIGHT_ACCENT) == 4  # one of each group


def printed(page: Page) -> bytes:
    """What the page draws on paper: the streams of its PDF."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", page.pdf(), re.DOTALL)
    return b"".join(zlib.decompress(stream) for stream in streams if stream.startswith(b"x"))


def test_it_is_dark_where_the_system_is(open_page: Open) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        page = open_page("/?model=flu&country=GBR", color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
        brightness[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
    assert brightness["light"] > 240 and brightness["dark"] < 50


def test_a_model_that_forecasts_nothing_shows_its_routes_to_be_tried(open_page: Open) -> None:
    page = open_page("/?model=species")
    assert page.locator("#title").text_content() == "Species of iris"
    form = page.locator("form.try")
    assert form.locator("h3").text_content() == "POST /species/predict/{way}"
    assert json.loads(form.locator("textarea").input_value()) == {"measures": [5.1, 3.5]}
    form.locator("input").fill("/species/predict/quickly")
    form.get_by_role("button", name="Try it").click()
    expect(form.locator(".answer")).to_contain_text('"way": "quickly"')
    expect(form.locator(".answer")).to_contain_text("200 OK")
    assert page.locator("#about a", has_text="Model card").get_attribute("href") == "/species/card"
    assert not page.locator("#chart").is_visible()
    page.goto(page.url.replace("species", "flu"))
    page.wait_for_selector("#chart svg")
    assert page.locator("form.try").count() == 0


def test_it_says_what_is_counted_by_whom_and_that_the_data_are_old(open_page: Open, tmp_path: Path) -> None:
    page = open_page("/?model=flu")
    assert (page.locator("#source").text_content() or "").startswith("Influenza: deaths a day, by Sentinel.")
    assert page.locator("#about a", has_text="Sentinel").get_attribute("href") == "https://sentinel.test/flu"
    notice = page.locator("#notices").text_content() or ""
    assert notice.startswith("The data of flu end on 24 April 2020, ") and "years ago" in notice
    size = "element => getComputedStyle(element).fontSize"
    assert page.locator("#notices p").first.evaluate(size) == page.locator("body").evaluate(size)
    with page.expect_download() as download:
        page.click("#csv")
    download.value.save_as(tmp_path / "flu.csv")
    rows = list(csv.DictReader((tmp_path / "flu.csv").open()))
    assert {row["data"] for row in rows} == {"Influenza: deaths a day, by Sentinel"}


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        *(("UK", "GBR"), ("U.K.", "GBR"), ("england", "GBR"), ("Deutschland", "DEU"), ("fra", "FRA")),
        *(("hellas", "GRC"), ("Ελλάδα", "GRC"), ("ελλ", "GRC")),
    ],
)
def test_a_country_is_found_by_whatever_it_is_called(typed: str, code: str, open_page: Open) -> None:
    page = open_page("/?model=flu")
    page.locator("#series-input").fill(typed)
    assert page.locator("#series-list li").first.text_content() == NAMES[code]


def test_stores_a_week_stand_beside_countries_a_day(open_page: Open) -> None:
    page = open_page("/?model=flu&country=GBR")
    expect(page.locator("#series-label")).to_have_text("Country")
    page.locator("#model-input").click()
    offered = page.locator("#model-list [role=option]")
    expect(offered.filter(has_text="profit").first).to_have_text("profitweekly profit, stores")
    expect(offered.filter(has_text="flu")).to_have_text("fludaily deaths, countries")
    page.keyboard.press("Escape")
    choose(page, "model", "profit")
    expect(page.locator("#series-label")).to_have_text("Store")
    expect(page.locator("#series-input")).to_have_value("High Street")  # the highest last value
    expect(page.locator("#title")).to_have_text("Weekly profit, High Street")
    expect(page.locator("#about")).to_contain_text("Horizon8 weeks")
    expect(page.locator("#about")).to_contain_text("Stores2")
    expect(page.locator("#about")).not_to_contain_text("behind")
    expect(page.locator("#what")).to_have_text("thousand euros in the week to")
    expect(page.locator("#compare-input")).to_have_attribute("placeholder", "Another store or model")
    expect(page.locator("#past caption")).to_have_text("The share of values that lay in the intervals:")
    assert not page.get_by_label("Cumulative").is_visible()
    assert not page.get_by_label("Log").is_visible()
    expect(page.locator("#notices")).to_contain_text("its forecasts are of the weeks after that")
    said = page.locator("main").inner_text()
    assert not re.findall(r"\b(?:country|countries|days?|daily|deaths|counts?)\b", said, re.IGNORECASE)
    choose(page, "model", "flu")
    expect(page.locator("#series-label")).to_have_text("Country")
    expect(page.locator("#title")).to_contain_text("Daily deaths")
    assert page.get_by_label("Cumulative").is_visible() and page.get_by_label("Log").is_visible()


def test_real_numbers_may_be_negative_and_keep_their_digits(open_page: Open, url: str) -> None:
    page = open_page("/?model=profit&series=s2&past=all")
    expect(page.locator("#title")).to_have_text("Weekly profit, Station, North")
    expect(page.locator("circle.observed")).to_have_count(WEEKS)
    assert ticks(page)[0] < 0 and min(np.diff(ticks(page))) > 0
    threshold = float(page.input_value("#threshold"))
    assert -1.7 < threshold < -0.7 and threshold != round(threshold)
    date = page.input_value("#date")
    assert date == "2020-05-23"  # four weeks ahead
    event = {"above": threshold, "on": date}
    answer = httpx.get(f"{url}/profit/stores/s2/probability", params=event).raise_for_status().json()
    assert shown(page) == [answer["probability"]]
    page.locator(".handle.threshold").focus()
    page.keyboard.press("ArrowDown")
    lower = float(page.input_value("#threshold"))
    assert threshold - 0.2 < lower < threshold
    settled(page)
    assert float(parameters(page)["above"]) == lower
    page.reload()
    settled(page)
    assert float(page.input_value("#threshold")) == lower
    page.fill("#threshold", "-0.25")
    settled(page)
    expect(page.locator("#answers")).to_contain_text("-0.25")


def test_dates_are_those_of_the_series(open_page: Open) -> None:
    page = open_page("/?model=profit&series=s1&date=2020-05-23")
    page.locator(".handle.day").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".handle.day")).to_have_attribute("aria-valuetext", "30 May 2020")
    page.keyboard.press("PageDown")
    expect(page.locator(".handle.day")).to_have_attribute("aria-valuetext", "2 May 2020")
    page.fill("#date", "2020-06-05")  # a Friday
    settled(page)
    assert page.input_value("#date") == "2020-06-06"
    assert parameters(page)["date"] == "2020-06-06"
    for past, number in (("26 weeks", 26), ("52 weeks", 52), ("All", WEEKS)):
        page.get_by_label(past, exact=True).check(force=True)
        expect(page.locator("circle.observed")).to_have_count(number)
    years = page.locator(".dates text").all_text_contents()
    assert all(re.fullmatch(r"[A-Z][a-z]{2,3} (2019|2020)", text) for text in years) and len(years) > 3
    box = page.locator("#chart svg").bounding_box()
    assert box
    for x in range(100, int(box["width"]) - 40, 97):
        page.mouse.move(box["x"] + x, box["y"] + 60)
        read = page.locator("#reading-date").text_content() or ""
        assert datetime.datetime.strptime(read, "%d %B %Y").weekday() == 5
    settled(page)


MONTHS = 30


def homes(make_artifact: MakeArtifact) -> Path:
    """Of cities, a month: counts of homes sold to January 2020."""
    numbers = [12 * 2017 + 7 + month for month in range(MONTHS)]
    months = [datetime.date(number // 12, number % 12 + 1, 1) for number in numbers]
    cities = {"austin": ("Austin", 2400), "waco": ("Waco", 200)}
    rows = [f"{month},{code},{sold}" for code, (_, sold) in cities.items() for month in months]
    series = {
        code: {
            "name": name,
            "first_day": months[0].isoformat(),
            "origin_date": months[-1].isoformat(),
            "total": sold * MONTHS,
        }
        for code, (name, sold) in cities.items()
    }
    sold = [sold for _, sold in cities.values()]
    return make_artifact(
        "homes",
        draws=np.random.default_rng(1).poisson(sold, (DRAWS, 12, len(sold))).swapaxes(1, 2),
        observations=["date,city,observed", *rows],
        series=series,
        excluded={},
        target="homes sold a month",
        unit="homes",
        noun="city",
        plural="cities",
        measure="sales",
        frequency="MS",
        horizon=12,
        data={"file": "homes.csv", "sha256": "0" * 64, "last_day": months[-1].isoformat(), "changes": []},
    )


def test_cities_a_month_are_told_in_months(open_page: Open, make_artifact: MakeArtifact) -> None:
    apps: dict[str, ASGIApp] = {"homes": create_app(Artifact.load(homes(make_artifact)))}
    with live(local_gateway.Gateway(apps), lifespan="off") as at:
        page = open_page("/", at=at)
        expect(page.locator("#series-label")).to_have_text("City")
        expect(page.locator("#series-input")).to_have_value("Austin")
        expect(page.locator("#title")).to_have_text("Monthly homes, Austin")
        expect(page.locator("#what")).to_have_text("homes in the month from")
        expect(page.locator("#about")).to_contain_text("Horizon12 months")
        expect(page.locator("#about")).to_contain_text("Cities2")
        assert page.input_value("#date") == "2020-07-01"  # six months ahead
        page.locator(".handle.day").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".handle.day")).to_have_attribute("aria-valuetext", "1 August 2020")
        expect(page.locator("circle.observed")).to_have_count(24)
        page.get_by_label("5 years", exact=True).check(force=True)
        expect(page.locator("circle.observed")).to_have_count(MONTHS)
        settled(page)
        page.fill("#threshold", "2000")
        settled(page)
        path, event = "/homes/cities/austin/probability", {"above": 2000, "on": "2020-08-01"}
        answer = httpx.get(at + path, params=event).raise_for_status().json()
        assert shown(page) == [answer["probability"]]
        said = page.locator("main").inner_text()
        assert not re.findall(r"\b(?:country|countries|days?|daily|weeks?|deaths)\b", said, re.IGNORECASE)


def test_stores_are_compared_though_they_may_be_called_as_models(open_page: Open, url: str) -> None:
    page = open_page("/?model=profit&series=s1")
    page.locator("#compare-input").click()
    options = page.locator("#compare-list [role=option]")
    expect(options).to_have_text(["profit-againweekly profit", "Station, North"])
    page.keyboard.press("Escape")
    choose(page, "compare", "station")
    choose(page, "compare", "again")
    assert parameters(page)["with"] == "/s2,profit-again"
    assert page.locator("#answers .name").all_text_contents() == [
        *("High Street, profit", "Station, North, profit", "High Street, profit-again"),
    ]
    with page.expect_download() as download:
        page.click("#csv")
    assert download.value.suggested_filename == "profit-s1-s2-profit-again-weekly-2020-04-25.csv"
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert len(rows) == 3 * (WEEKS + AHEAD)
    assert {row["store"] for row in rows} == {"s1", "s2"} and "country" not in rows[0]
    page.reload()
    settled(page)
    assert page.locator("#chart path.band").count() == 3
    page.goto(page.url.replace("profit-again", "flu"))
    settled(page)
    expect(page.locator("#readings")).to_contain_text("flu counts deaths, not thousand euros")


def test_a_store_without_a_forecast_tells_why_and_an_unknown_one_is_asked_about(open_page: Open) -> None:
    page = open_page("/?model=profit&series=s1", problems=True)
    choose(page, "series", "harbour")
    expect(page.locator("#problem")).to_contain_text("Harbour has no forecast: it opened in April")
    page.goto(page.url.replace("s3", "nosuch"))
    settled(page)
    expect(page.locator("#problem")).to_contain_text("There is no store nosuch here")


def test_aliases_are_of_countries_alone(open_page: Open) -> None:
    page = open_page("/?model=profit")
    page.locator("#series-input").fill("england")
    expect(page.locator("#series-list li")).to_have_text(["No match"])


def test_an_exact_name_comes_before_a_longer_one(open_page: Open) -> None:
    """UK is no other name of Ukraine, whose name starts with it."""
    page = open_page("/?model=low")
    page.locator("#series-input").click()
    expect(page.locator("#series-list li")).to_have_count(len(NAMES) + 1)
    page.locator("#series-input").fill("UK")
    expect(page.locator("#series-list li")).to_have_text([NAMES["GBR"], re.compile("^Ukraine")])
    page.locator("#series-input").fill("ukr")
    expect(page.locator("#series-list li")).to_have_text([re.compile("^Ukraine")])


def test_other_names_are_of_countries_and_no_two_countries_have_one() -> None:
    """Of all countries, not only of those of the synthetic models."""
    text = (PAGE / "aliases.js").read_text()
    aliases = {code: re.findall(r"""'([^']+)'|"([^"]+)\"""", names) for code, names in ENTRY.findall(text)}
    places = {row["alpha3"]: row["name"] for row in csv.DictReader(COUNTRIES.open())}
    assert aliases.keys() <= places.keys() and len(aliases) == text.count(": [")  # each on a line of its own
    names = [(one or other).lower() for entry in aliases.values() for one, other in entry]
    assert len(names) == len({*names})
    for code, entry in aliases.items():
        others = {name.lower() for other, name in places.items() if other != code}
        assert not others & {(one or other).lower() for one, other in entry}, code
    assert {"america", "england", "deutschland", "ivory coast", "uk", "uae", "st lucia", "日本"} <= {*names}


def test_the_tab_follows_what_is_shown_and_errors(open_page: Open) -> None:
    page = open_page("/?model=flu&country=GBR", problems=True)
    expect(page).to_have_title("Daily deaths, United Kingdom · Forecastle")
    choose(page, "series", "Fra")
    expect(page).to_have_title("Daily deaths, France · Forecastle")
    page.evaluate(
        "history.pushState(null, '', '/?model=flu&country=XXX'); dispatchEvent(new PopStateEvent('popstate'))"
    )
    expect(page.locator("#problem")).to_be_visible()
    expect(page).to_have_title("XXX · Forecastle")


# --- while models are trained ---

SOON = 20_000  # milliseconds: the page looks every two seconds, and the gateway every second


class Trained:
    """A gateway as `make run` has it, of two forecasts without an artifact, and what is said of them."""

    def __init__(self, root: Path) -> None:
        self.folders = {name: plain_model(root, name, main=FORECAST) for name in ("deaths", "waves")}
        trainings = Trainings([], root / "trainings", root)
        slots = {name: Slot(name, root / "run" / name, trainings, root) for name in self.folders}
        self.gateway = local_gateway.Gateway(slots, trainings=trainings)
        self.url = ""
        self.by_model = trainings.by_model
        self.by_model["deaths"] = training(0.4)
        self.by_model["waves"] = Status(status="waiting")

    def finish(self, name: str, artifact: Path) -> None:
        """Let the training of a model end with this artifact."""
        put(artifact, self.folders[name])
        self.by_model.pop(name, None)


def training(fraction: float | None) -> Status:
    step = "training" if fraction is None else "sampling"
    return Status(status="training", progress=Progress(step=step, fraction=fraction, seconds=12))


@pytest.fixture
def trained(tmp_path: Path) -> Iterator[Trained]:
    """A gateway that outlives the pages of the tests, which ask it again and again."""
    trained = Trained(tmp_path)
    with live(trained.gateway) as trained.url:
        yield trained


def test_a_model_that_is_trained_says_how_far_it_is_and_is_shown_when_it_answers(
    trained: Trained, open_page: Open, make_artifact: MakeArtifact
) -> None:
    page = open_page("/", at=trained.url)
    expect(page.locator("#model-input")).to_have_value("deaths")
    expect(page.locator("#problem")).to_contain_text("deaths does not answer yet")
    expect(page.locator("#problem .stage")).to_have_text("sampling, 40 %")
    expect(page.locator("#about .stage")).to_have_text("sampling, 40 %")
    expect(page.locator(".health")).to_have_text("Not answering yet")
    assert page.locator("#problem progress").get_attribute("value") == "0.4"
    page.locator("#model-input").click()
    expect(page.locator("#model-list [role=option]")).to_have_text(["deathstraining", "waveswaiting"])
    page.keyboard.press("Escape")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert Axe().run(page).response["violations"] == []
    trained.by_model["deaths"] = training(0.85)
    expect(page.locator("#problem .stage")).to_have_text("sampling, 85 %", timeout=SOON)
    trained.by_model["deaths"] = training(None)
    expect(page.locator("#problem .stage")).to_have_text("training, 12 s so far", timeout=SOON)
    trained.finish("deaths", make_artifact("deaths"))
    expect(page.locator("#title")).to_contain_text("Daily deaths", timeout=SOON)
    expect(page.locator(".health")).to_have_text("Answering")
    expect(page.locator("#about .stage")).to_have_count(0)
    settled(page)


def test_it_shows_the_first_forecast_that_answers_unless_a_model_was_chosen(
    trained: Trained, open_page: Open, make_artifact: MakeArtifact
) -> None:
    page, chosen = open_page("/", at=trained.url), open_page("/?model=deaths", at=trained.url)
    trained.finish("waves", make_artifact("waves"))
    expect(page.locator("#model-input")).to_have_value("waves", timeout=SOON)
    expect(page.locator("#title")).to_contain_text("Daily deaths")
    settled(page)
    expect(chosen.locator("#problem .stage")).to_have_text("sampling, 40 %")
    expect(chosen.locator("#model-input")).to_have_value("deaths")


def test_a_model_that_failed_says_why(trained: Trained, open_page: Open) -> None:
    page = open_page("/?model=deaths", at=trained.url)
    lines = ["  R-hat 1.4 of growth", "deaths: the fit is not to be used, and the last artifact stays"]
    trained.by_model["deaths"] = Status(status="failed", verdict=lines)
    expect(page.locator("#notices pre")).to_have_text("\n".join(lines), timeout=SOON)
    expect(page.locator("#problem")).to_contain_text("deaths is not served")
    expect(page.locator(".health")).to_have_text("Down")
    assert Axe().run(page).response["violations"] == []
    page.locator("#model-input").click()
    expect(page.locator("#model-list [role=option]").first).to_have_text("deathsfailed")


def test_an_older_forecast_is_shown_until_the_new_one_answers(
    trained: Trained, open_page: Open, make_artifact: MakeArtifact
) -> None:
    older, newer = (make_artifact("deaths", draws=counts(seed, 60)) for seed in (1, 2))
    put(older, trained.folders["deaths"])
    eventually(lambda: httpx.get(f"{trained.url}/deaths/").is_success)
    page = open_page("/?model=deaths&country=GBR", at=trained.url)
    expect(page.locator("#title")).to_have_text("Daily deaths, United Kingdom")
    expect(page.locator("#about .stage")).to_have_text("sampling, 40 %")
    expect(page.locator("#about")).to_contain_text(Artifact.load(older).version)
    trained.finish("deaths", newer)
    expect(page.locator("#about")).to_contain_text(Artifact.load(newer).version, timeout=SOON)
    expect(page.locator("#about .stage")).to_have_count(0)
    settled(page)
