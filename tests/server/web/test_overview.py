"""The overview, the stations and the bookings: true numbers, and unknown is never zero."""

import re

import pytest
from fastapi.testclient import TestClient

from server.store import refusals
from server.store.refusals import Tally
from tests.server.web.town import DAY, HOUR, Town

MINUTE = 60_000


def cards(page: str) -> dict[str, list[str]]:
    """Each card's name with the texts below it."""
    found = {}
    for card in re.findall(r'<div class="card">\s*<dt>(.*?)</div>', page, re.DOTALL):
        texts = [re.sub(r"<[^>]+>", "", text).strip() for text in re.split(r"</d[td]>", card)]
        found[texts[0]] = [text for text in texts[1:] if text]
    return found


def rows(page: str) -> dict[str, list[str]]:
    """Each row of the table of hours by its label."""
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    found = [re.findall(r"<span>(.*?)</span>", row) for row in body.split("</tr>")]
    return {cells[0]: cells[1:] for cells in found if cells}


@pytest.fixture
def morning(town: Town) -> Town:
    """Three stations, all complete to 10:20 except one, which is lost since 08:38."""
    for name in ("east", "west", "north"):
        town.add(name, f"{name} 站")
    town.complete(["east", "west"], town.hour(10) + 20 * MINUTE)
    town.complete(["north"], town.hour(8) + 38 * MINUTE)
    town.heard(["north"], ago=106 * MINUTE)
    town.visits("east", 7, "delivery", 1200)
    town.visits("west", 8, "courier", 30)
    town.visits("north", 8, "courier", 3)
    town.visits("east", 10, "unsaid", 1)
    return town


def test_an_empty_headquarters_says_what_to_do_first(browser: TestClient) -> None:
    page = browser.get("/").text
    assert "yizhan server add-station" in page
    assert cards(page)["数据完整到"] == ["未知", "还没有站点报过数"]


def test_cards_show_sums_and_what_is_missing_from_them(browser: TestClient, morning: Town) -> None:
    found = cards(browser.get("/").text)
    assert found["到站人次"] == ["1,234", "还没有可比的数", "3 个站中 2 个完整"]
    assert found["在线站点"] == ["2 / 3", "1 站失联超过 15 分钟"]
    assert found["数据完整到"] == ["10:20", "66.6% 的站已对账，其余未知"]


def test_hours_say_unknown_and_never_zero(browser: TestClient, morning: Town) -> None:
    found = rows(browser.get("/").text)
    assert list(found) == [f"{hour}时" for hour in range(11)]
    assert found["7时"] == ["1,200", "0", "0", "0", "0", "0", "0", "1,200", "3 / 3"]
    assert found["8时"] == ["未知", "33", "未知", "未知", "未知", "未知", "未知", "33", "2 / 3"]
    assert found["9时"][-2:] == ["未知", "2 / 3"]
    assert found["10时"][-3:] == ["1", "1", "0 / 3"]


def test_a_complete_day_is_not_marked(browser: TestClient, morning: Town) -> None:
    morning.complete(["east", "west", "north"], morning.hour(10) + 20 * MINUTE)
    found = cards(browser.get("/").text)
    assert found["到站人次"] == ["1,234", "还没有可比的数"]
    assert found["数据完整到"] == ["10:20", "各站都已对账"]


def test_today_is_compared_with_the_same_hours_a_week_ago(browser: TestClient, morning: Town) -> None:
    morning.visits("east", 7 - 7 * 24, "delivery", 1000)
    morning.visits("east", 23 - 7 * 24, "delivery", 5000)
    assert cards(browser.get("/").text)["到站人次"][1] == "比上周六同时段 +23.3%"


def test_a_week_shows_days_and_sums(browser: TestClient, morning: Town) -> None:
    morning.visits("west", 9 - 24, "trucker", 100)
    page = browser.get("/?range=week").text
    found = rows(page)
    assert list(found) == ["11-15", "11-16", "11-17", "11-18", "11-19", "11-20", "11-21"]
    assert found["11-20"] == ["0", "0", "0", "100", "0", "0", "0", "100", "3 / 3"]
    assert found["11-21"][-2:] == ["1,234", "0 / 3"]
    assert cards(page)["到站人次"][0] == "1,334"


def test_a_week_is_compared_with_as_much_of_the_week_before(browser: TestClient, morning: Town) -> None:
    morning.visits("west", 9 - 14 * 24, "trucker", 1)
    morning.visits("west", 9 - 7 * 24, "trucker", 617)
    morning.visits("west", 12 - 7 * 24, "trucker", 9999)
    assert cards(browser.get("/?range=week").text)["到站人次"][1] == "比前 7 天 +100.0%"


def test_one_day_can_be_chosen_and_tomorrow_cannot(browser: TestClient, morning: Town) -> None:
    morning.visits("west", 9 - 24, "trucker", 100)
    page = browser.get("/?day=2026-11-20").text
    assert "2026-11-20 用得怎么样" in page
    assert cards(page)["到站人次"][0] == "100"
    assert cards(page)["数据完整到"] == ["全天", "各站都已对账"]
    for wrong in ("2026-11-22", "1999-01-01", "yesterday", ""):
        assert "今日用得怎么样" in browser.get(f"/?day={wrong}").text


def test_services_are_listed_by_use_with_their_share_of_finished_visits(
    browser: TestClient, morning: Town
) -> None:
    hour = morning.hour(9)
    for plugin, event, dims, n in (
        ("jobs", "opened", "{}", 40),
        ("jobs", "closed", '{"how":"finished"}', 30),
        ("jobs", "closed", '{"how":"idle"}', 10),
        ("check_in", "opened", "{}", 90),
    ):
        morning.count({(hour, "east", plugin, event, dims): n})  # type: ignore[arg-type]
    page = browser.get("/").text
    counts = re.findall(r'class="counts">(.*?)</span>', page)
    assert counts == ["90 · —", "40 · 75%"]


def test_faults_and_lost_stations_are_to_be_looked_after(browser: TestClient, morning: Town) -> None:
    for _ in range(3):
        morning.fault("west", "jobs", 22 * MINUTE)
    page = browser.get("/").text
    assert "west 站 找活干 10:02 出错 3 次" in page
    assert "north 站 失联 106 分钟，最后完整到 08:38" in page


def test_what_was_turned_away_is_said_with_what_to_do(browser: TestClient, morning: Town) -> None:
    tally = Tally()
    tally.add("unknown_station", "stranger-<1>")
    tally.add("gzip", "east")
    with morning.store.write() as conn:
        refusals.store(conn, tally, morning.now() - 5 * MINUTE)
    page = browser.get("/").text
    assert "没登记的站点 stranger-&lt;1&gt; 发来 1 次数据，没有收" in page
    assert "用新的开通码重新设置" in page
    assert "east 站 有 1 次数据没有计入：发来的一包压缩坏了，解不开" in page


def test_a_missing_broker_and_a_stuck_database_are_said(browser: TestClient, morning: Town) -> None:
    assert "消息服务没有连上" not in browser.get("/").text
    morning.live.broker_connected = False
    morning.live.stale_since = morning.hour(9)
    page = browser.get("/").text
    assert "消息服务没有连上" in page
    assert "数据库从 09:00 起写不进" in page


def test_every_station_has_a_cell_that_says_how_it_is(browser: TestClient, morning: Town) -> None:
    morning.add("new", "新站", claimed=False)
    morning.fault("west", "jobs", MINUTE)
    page = browser.get("/").text
    looks = dict(re.findall(r'class="cell ([a-z0-9-]+)" href="/stations/([a-z]+)"', page))
    assert {name: look for look, name in looks.items()} == {
        "east": "shade-5",
        "north": "lost",
        "west": "fault",
        "new": "new",
    }


def test_bookings_show_neither_contact_nor_more_than_the_office_needs(
    browser: TestClient, morning: Town
) -> None:
    morning.book("east", 1, morning.at + HOUR)
    morning.book("east", 2, morning.at - DAY, state="cancelled")
    morning.ask("east", "unanswered", None)
    page = browser.get("/bookings").text
    assert "c2VhbGVk" not in page
    assert page.index("20037") < page.index("20074")
    assert "2 号律师" in page
    assert "已取消" in page
    assert cards(browser.get("/").text)["法援预约"] == [
        "3",
        "确认 2 · 待确认 1",
        "3 个站中 2 个完整",
    ]


def test_the_stations_page_lists_all_with_their_state(browser: TestClient, morning: Town) -> None:
    morning.add("new", "新站", claimed=False)
    page = browser.get("/stations").text
    states = re.findall(r'state state-(\w+)"', page)
    assert states == ["lost", "online", "new", "online"]
    assert "11-21 08:38" in page


def test_names_of_stations_are_escaped(browser: TestClient, town: Town) -> None:
    town.add("s1", "<img src=x onerror=alert(1)>")
    for path in ("/", "/stations"):
        page = browser.get(path).text
        assert "<img" not in page
        assert "&lt;img" in page


def test_an_unchanged_page_is_not_sent_again(browser: TestClient, morning: Town) -> None:
    tag = browser.get("/").headers["etag"]
    again = browser.get("/", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    morning.visits("east", 9, "delivery", 1)
    assert browser.get("/", headers={"If-None-Match": tag}).status_code == 200
