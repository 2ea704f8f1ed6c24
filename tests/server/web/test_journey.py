"""A person at headquarters with a real Chromium: the numbers they see, and what is left without scripts."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from server.store import gaps
from server.web import vendor
from server.web.app import create_app
from tests.server.web.town import NAME, PASSWORD, Town

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
MINUTE = 60_000

needs_charts = pytest.mark.skipif(not vendor.has_charts(), reason="npm has not fetched the chart library")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    assert CHROMIUM.exists(), "Debian's chromium is missing: make test installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*QUIET, "--disable-sync"], chromium_sandbox=False
        )
        yield browser
        browser.close()


@pytest.fixture
def site(town: Town) -> Iterator[str]:
    """The address of a running headquarters with a morning's numbers."""
    for name in ("east", "west"):
        town.add(name, f"{name} 站")
    town.complete(["east"], town.hour(10) + 20 * MINUTE)
    town.complete(["west"], town.hour(9) + 30 * MINUTE)
    town.visits("east", 8, "delivery", 1200)
    town.visits("west", 8, "courier", 300)
    town.visits("east", 9, "sanitation", 700)
    town.post("J001")
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(town.store, town.manifests, town.live, now=town.now, hold=0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.fixture
def wrong() -> list[str]:
    """What the browser complained about: scripts, the policy, missing files."""
    return []


def visit(context: BrowserContext, site: str, wrong: list[str]) -> Page:
    """A page on the overview, logged in by hand."""
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("console", lambda each: wrong.append(each.text) if each.type == "error" else None)
    page.on("pageerror", lambda each: wrong.append(str(each)))
    page.on(
        "response", lambda each: wrong.append(f"{each.status} {each.url}") if each.status >= 400 else None
    )
    page.on("request", lambda each: None if each.url.startswith(site) else wrong.append(each.url))
    page.goto(f"{site}/")
    page.get_by_label("账号").fill(NAME)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("今日用得怎么样")
    return page


def row(page: Page, label: str) -> list[str]:
    cells = page.locator("#hours-table tbody tr", has=page.get_by_text(label, exact=True))
    return cells.locator("td").all_text_contents()


COLOURED = """([red, green, blue]) => {
  const canvas = document.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let n = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) n += 1;
  }
  return n;
}"""


@needs_charts
def test_numbers_stand_in_chart_and_table_and_move_without_a_reload(
    chromium: Browser, site: str, town: Town, wrong: list[str]
) -> None:
    context = chromium.new_context(viewport={"width": 1440, "height": 960})
    context.clock.install()
    page = visit(context, site, wrong)
    expect(page.locator("canvas")).to_be_visible()
    expect(page.locator("#hours-table")).to_be_hidden()
    delivery = page.evaluate(COLOURED, [0xC8, 0x40, 0x2A])
    assert delivery > 1000
    assert page.evaluate(COLOURED, [0xD3, 0xC7, 0xB9]) > 50, "unknown hours are hatched"
    page.get_by_text("看数字").click()
    assert row(page, "8时")[:2] == ["1,200", "300"]
    assert row(page, "9时")[-1] == "1 / 2"

    town.visits("west", 9, "delivery", 1900)
    page.clock.fast_forward(5000)
    expect(page.locator(".number").first).to_have_text("4,100")
    assert row(page, "9时")[0] == "1,900"
    assert page.evaluate(COLOURED, [0xC8, 0x40, 0x2A]) > delivery

    context.set_offline(True)
    page.clock.fast_forward(5000)
    expect(page.get_by_role("status")).to_contain_text("连不上服务器")
    context.set_offline(False)
    page.clock.fast_forward(5000)
    expect(page.get_by_role("status")).to_be_hidden()
    assert [each for each in wrong if "ERR_INTERNET_DISCONNECTED" not in each] == []
    context.close()


def test_without_scripts_the_tables_show_the_same_numbers(
    chromium: Browser, site: str, wrong: list[str]
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = visit(context, site, wrong)
    expect(page.locator("#hours-table")).to_be_visible()
    expect(page.locator("figure")).to_be_hidden()
    assert row(page, "8时")[:2] == ["1,200", "300"]
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("登录")
    assert wrong == []
    context.close()


def test_without_npm_nothing_is_missing(
    chromium: Browser, site: str, wrong: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(vendor, "ECHARTS", tmp_path / "echarts.js")
    context = chromium.new_context()
    page = visit(context, site, wrong)
    expect(page.locator("#hours-table")).to_be_visible()
    expect(page.locator("figure")).to_be_hidden()
    assert wrong == []
    context.close()


def test_a_station_is_reached_from_the_overview_and_its_day_read_without_scripts(
    chromium: Browser, site: str, town: Town, wrong: list[str]
) -> None:
    with town.store.write() as conn:
        gaps.record(conn, "west", town.hour(9), None, "clone", 0, town.hour(9))
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 1366, "height": 768})
    page = visit(context, site, wrong)
    page.get_by_role("link", name="west 站 有两台机器在用同一个身份").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("west 站")
    expect(page.get_by_role("alert")).to_contain_text("claim-code west")
    expect(page.locator("#hours-table tbody tr")).to_have_count(24)
    expect(page.locator(".strip .hour-complete")).to_have_count(9)
    page.get_by_role("link", name="前一天").click()
    expect(page.get_by_role("heading", level=2).first).to_contain_text("2026-11-20")
    expect(page.locator(".strip .hour-complete")).to_have_count(24)
    assert wrong == []
    context.close()


def test_everything_fits_a_phone(chromium: Browser, site: str, wrong: list[str]) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page = visit(context, site, wrong)
    for path in (
        "/",
        "/stations",
        "/stations/west",
        "/bookings",
        "/?lang=en",
        "/stations/west",
        "/p/jobs/J001",
    ):
        page.goto(site + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    expect(page.get_by_role("link", name="0572")).to_have_attribute("href", "tel:05725550100")
    assert wrong == []
    context.close()
