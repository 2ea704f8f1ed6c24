"""A station's page and its API: what is there, what is missing and why, and who speaks with its name."""

import re
from datetime import datetime
from typing import Any

import msgspec
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, insert

from protocol import frame as frames
from protocol import messages
from protocol.frame import Frame
from protocol.messages import Event, Heartbeat, Loss, Message
from server import queries
from server.downlink import Downlink
from server.ingest import Arrival, Ingest
from server.store import clones, gaps, refusals, stations, streams
from server.store.clones import Machine
from server.store.refusals import Tally
from server.store.schema import part
from tests.server.web.test_overview import MINUTE, cards, rows
from tests.server.web.test_strings import refused
from tests.server.web.town import DAY, HOUR, ZONE, Town

REASONS = sorted(refused())


class Station:
    """A station whose frames go straight into the collector's own ingest."""

    def __init__(self, town: Town, name: str) -> None:
        self.town, self.name, self.last = town, name, 0
        self.ingest = Ingest(town.store, town.manifests, Downlink(lambda to, data: None, town.now))

    def say(self, *said: Message, hole: int = 0) -> None:
        """Messages arrive now, in one frame; the `hole` numbers before them no longer exist."""
        gone, first = (self.last + 1 if hole else 0), self.last + hole + 1
        raws = [msgspec.Raw(messages.encode(each)) for each in said]
        now = self.town.now()
        frame = Frame(
            v=1, stream="s", first=first, gone=gone, run="r1", boot="b", sent=now, up=now, msgs=raws
        )
        self.ingest.take([Arrival(self.name, frames.encode(frame), now)])
        self.last = first + len(said) - 1

    def check_in(self, at: int) -> Event:
        return Event(
            plugin="check_in", name="checked_in", d={"trade": "courier", "method": "tap"}, at=at, up=at
        )

    def heartbeat(self, at: int) -> Heartbeat:
        return Heartbeat(version="0.1.0", at=at, up=at)


@pytest.fixture
def east(town: Town) -> Station:
    town.add("east", "<b>东站", number="W1", hours="06:00–22:00")
    return Station(town, "east")


def hours(page: str) -> dict[str, list[str]]:
    """Each hour's state, visits and records, by its label."""
    body = page.partition('id="hours-table"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    texts = [
        [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[dh].*?</t[dh]>", row)]
        for row in body.split("</tr>")
    ]
    return {cells[0]: cells[1:] for cells in texts if cells}


def test_late_data_makes_an_hour_known_then_complete_and_its_number_grow(
    browser: TestClient, town: Town, east: Station
) -> None:
    day = "2026-11-20"
    noon = town.hour(12 - 24)

    def seen() -> tuple[object, ...]:
        overview = browser.get(f"/api/v1/overview?day={day}").json()
        hour = overview["hours"][12]
        one = browser.get(f"/api/v1/stations/east?day={day}").json()
        count = browser.get(f"/api/v1/events/count?day={day}&name=checked_in").json()
        (line,) = browser.get(f"/api/v1/completeness?day={day}").json()["stations"]
        assert one["hours"][12]["state"] == hour["state"]
        assert one["hours"][12]["visits"] == one["hours"][12]["n"] == hour["n"]
        assert overview["visits"] == one["station"]["visits"] == count["n"]
        return hour["state"], hour["n"], overview["sums"]["state"], count["state"], line["hours"]

    assert seen() == ("unknown", 0, "unknown", "unknown", "u" * 24)
    east.say(east.heartbeat(noon - HOUR // 2))
    assert seen() == ("unknown", 0, "partial", "partial", "c" * 11 + "p" + "u" * 12)
    east.say(*[east.check_in(noon + 5 * MINUTE)] * 2)
    assert seen() == ("partial", 2, "partial", "partial", "c" * 11 + "pp" + "u" * 11)
    east.say(east.check_in(noon + 20 * MINUTE), east.heartbeat(noon + 30 * MINUTE))
    assert seen() == ("partial", 3, "partial", "partial", "c" * 12 + "p" + "u" * 11)
    east.say(east.check_in(noon + 40 * MINUTE), east.heartbeat(noon + HOUR))
    assert seen() == ("complete", 4, "partial", "partial", "c" * 13 + "u" * 11)
    east.say(east.heartbeat(town.now()))
    assert seen() == ("complete", 4, "complete", "complete", "c" * 24)


def test_what_is_lost_for_good_never_counts_as_complete(
    browser: TestClient, town: Town, east: Station
) -> None:
    east.say(east.heartbeat(town.hour(5)))
    east.say(east.heartbeat(town.hour(7) + MINUTE), hole=9)
    east.say(
        Loss(why="disk", n=3, since=town.hour(8), until=town.hour(8) + MINUTE, at=town.now(), up=town.now())
    )
    east.say(east.heartbeat(town.now()))
    found = browser.get("/api/v1/stations/east").json()
    states = [hour["state"] for hour in found["hours"]]
    assert states[:5] == ["complete"] * 5
    assert "complete" not in states[5:7]
    assert states[8:11] == ["partial", "complete", "partial"]
    assert {(gap["why"], gap["n"]) for gap in found["gaps"]} == {("lost", 9), ("disk", 3)}
    assert found["sums"]["state"] == "partial"
    assert found["sums"]["complete"] == 0
    page = browser.get("/stations/east").text
    assert "站上已经没有这些数据了，9 条" in page
    assert "请清理那台机器的磁盘" in page
    assert cards(page)["今日人次"] == ["未知", "数据不完整"]


def test_the_page_shows_every_hour_with_its_state_and_number(
    browser: TestClient, town: Town, east: Station
) -> None:
    town.complete(["east"], town.hour(9) + 30 * MINUTE)
    town.visits("east", 8, "courier", 1234)
    with town.store.write() as conn:
        gaps.record(conn, "east", town.hour(3), town.hour(4) - 1, "damaged", 0, town.hour(5))
    page = browser.get("/stations/east").text
    found = hours(page)
    assert list(found) == [f"{hour:02}:00" for hour in range(24)]
    assert found["03:00"] == ["未知", "未知", "未知"]
    assert found["04:00"] == ["完整", "0", "0"]
    assert found["08:00"] == ["完整", "1,234", "1,234"]
    assert found["09:00"] == ["不完整", "未知", "未知"]
    assert found["10:00"] == ["未知", "未知", "未知"]
    assert found["11:00"] == ["还没到", "—", "—"]
    assert len(re.findall(r'class="hour hour-', page)) == 24
    assert "03:00 到 03:59 站上的数据库坏了" in page
    assert cards(page)["数据完整到"] == ["09:30", "中间有缺的，见下面"]


def test_days_can_be_turned_back_to_before_the_station_was_there(
    browser: TestClient, town: Town, east: Station
) -> None:
    town.complete(["east"], town.hour(9))
    yesterday = browser.get("/stations/east?day=2026-11-20").text
    assert cards(yesterday)["当天人次"] == ["0"]
    assert 'href="?day=2026-11-21"' in yesterday
    page = browser.get("/stations/east?day=2026-09-01").text
    assert {cells[0] for cells in hours(page).values()} == {"没有这一站"}
    assert cards(page)["当天人次"] == ["—"]


def test_two_machines_with_one_name_are_named_with_what_to_do_until_it_is_done(
    browser: TestClient, town: Town, east: Station
) -> None:
    town.complete(["east"], town.now())
    tally = Tally()
    one = Machine("s1", "3f2a99c0ffee", "b1", town.hour(10) + 4 * MINUTE)
    other = Machine("s2", "", "<77bc>", town.hour(-1))
    tally.add("clone", "east", problem=clones.written([one, other]))
    with town.store.write() as conn:
        refusals.store(conn, tally, town.hour(9))
        gaps.record(conn, "east", town.hour(9), None, "clone", 0, town.hour(9))
    for path in ("/", "/stations/east"):
        page = browser.get(path).text
        assert "&lt;b&gt;东站 有两台机器在用同一个身份" in page
        assert "一台运行编号 3f2a99…，最后一次 10:04；另一台 &lt;77bc&gt;…，最后一次 11-20 23:00" in page
        assert "yizhan server claim-code east" in page
    assert 'href="/stations/east"' in browser.get("/").text
    english = browser.get("/stations/east?lang=en").text
    assert "One is run 3f2a99…, last heard 10:04; the other &lt;77bc&gt;…" in english
    assert "s1" not in english.partition('id="troubles"')[2]
    browser.get("/?lang=zh")
    with town.store.write() as conn:
        stations.claim(conn, stations.new_code(conn, "east", town.hour(10)), town.hour(10))
    assert "有两台机器在用同一个身份。" not in browser.get("/").text
    page = browser.get("/stations/east").text
    assert 'role="alert"' not in page
    assert "09:00 到 10:00 两台机器在用同一个身份" in page


@pytest.mark.parametrize("language", ["zh", "en"])
def test_everything_turned_away_is_said_in_a_plain_sentence_and_never_as_bytes(
    browser: TestClient, town: Town, east: Station, language: str
) -> None:
    tally = Tally()
    for reason in REASONS:
        tally.add(reason, "east", b"RAW-BYTES", "<script>alert(1)</script>")
    tally.add("novel_reason", "east", b"RAW-BYTES")
    with town.store.write() as conn:
        refusals.store(conn, tally, town.hour(9))
    page = browser.get(f"/stations/east?lang={language}").text
    assert "RAW-BYTES" not in page
    assert "<script>" not in page
    shown = page.partition('id="troubles"')[2]
    assert not [reason for reason in REASONS if re.search(rf"\b{reason}\b(?!s)", shown) and "_" in reason]
    assert "novel_reason" in page
    found = browser.get("/api/v1/stations/east").json()["refusals"]
    assert {each["reason"] for each in found} == {*REASONS, "novel_reason"}
    assert "RAW-BYTES" not in str(found)


def test_clocks_streams_and_runs_of_the_day_are_told(browser: TestClient, town: Town, east: Station) -> None:
    east.say(east.check_in(town.hour(8)), east.check_in(town.hour(9)))
    assert cards(browser.get("/stations/east").text)["站上的钟"] == ["准"]
    east.say(msgspec.structs.replace(east.check_in(town.hour(9)), at=0))
    east.say(msgspec.structs.replace(east.check_in(0), up=town.now() + DAY))
    with town.store.write() as conn:
        cursor = streams.begin(conn, "east", "older", 0, town.hour(1))
        conn.execute(insert(part).values(stream=cursor.id, first=1, run="run-9", boot="b", at=town.hour(1)))
    found = browser.get("/api/v1/stations/east").json()
    assert found["clocks"] == {"corrected": 1, "unsure": 1}
    assert {each["name"]: each["upto"] for each in found["streams"]} == {"s": 4, "older": 0}
    assert {run["run"] for each in found["streams"] for run in each["runs"]} == {"r1", "run-9"}
    assert browser.get("/api/v1/stations/east?day=2026-11-20").json()["clocks"]["unsure"] == 0
    assert cards(browser.get("/stations/east?day=2026-11-20").text)["站上的钟"] == ["—"]
    page = browser.get("/stations/east").text
    assert cards(page)["站上的钟"] == ["有时不准", "已改正 1 条 · 说不准 1 条"]
    assert "run-9 · 01:00" in page


def test_wrong_clocks_are_counted_without_a_look_at_all_messages(town: Town, east: Station) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_conn: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        asked.append((statement, given))

    event.listen(town.store.engine, "before_cursor_execute", note)
    with town.store.read() as conn:
        queries.station_day(
            conn, town.manifests, "east", datetime.fromtimestamp(town.at / 1000, ZONE).date(), town.at
        )
        told = [each for each in asked if "FROM message" in each[0]]
        assert told
        for statement, given in told:
            plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
            assert any("ix_message_clock" in str(row) for row in plan), plan
            assert not any("SCAN message" in str(row) for row in plan), plan


def test_plugin_failures_of_the_day_are_told(browser: TestClient, town: Town, east: Station) -> None:
    town.add("west")
    town.fault("east", "jobs", 22 * MINUTE)
    town.fault("west", "broadcast", 22 * MINUTE)
    page = browser.get("/stations/east").text
    assert "找活干（1.0.0）出错 1 次，最近 10:02" in page
    assert "工友广播" not in page


def test_an_unknown_station_is_a_sentence(browser: TestClient, town: Town) -> None:
    for station in ("nobody", "%3Cb%3E", "a" * 300, "..%2f..%2fetc"):
        page, api = browser.get(f"/stations/{station}"), browser.get(f"/api/v1/stations/{station}")
        assert (page.status_code, api.status_code) == (404, 404)
        assert "<b>" not in page.text
    assert "没有这个站" in browser.get("/stations/nobody").text
    answer = browser.get("/api/v1/stations/nobody").json()
    assert answer["error"] == "error.no_station"
    assert answer["sentence"]["en"].startswith("There is no such station")


def test_a_station_that_nobody_has_set_up_is_shown(browser: TestClient, town: Town) -> None:
    town.add("new", "新站", claimed=False)
    page = browser.get("/stations/new").text
    assert "未开通" in page
    assert {cells[0] for cells in hours(page).values()} == {"没有这一站"}
    assert browser.get("/api/v1/completeness").json()["stations"] == []


def test_an_hour_with_a_gap_is_not_painted_as_complete_on_the_overview(
    browser: TestClient, town: Town, east: Station
) -> None:
    town.add("west", "西站")
    town.complete(["east", "west"], town.hour(10) + 20 * MINUTE)
    town.visits("west", 8, "courier", 5)
    assert cards(browser.get("/").text)["到站人次"][0:] == ["5", "还没有可比的数"]
    with town.store.write() as conn:
        gaps.record(conn, "east", town.hour(8), town.hour(8) + MINUTE, "disk", 2, town.hour(9))
    page = browser.get("/").text
    assert rows(page)["8时"][-2:] == ["5", "1 / 2"]
    assert rows(page)["9时"][-1] == "2 / 2"
    assert cards(page)["到站人次"][-1] == "2 个站中 1 个完整"
    assert 'class="cell partial" href="/stations/east"' in page
    assert "磁盘写满过，从 08:00 起少了数据" in page
    assert cards(browser.get("/?range=week").text)["到站人次"][-1] == "2 个站中 1 个完整"
