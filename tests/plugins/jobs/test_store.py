"""Job posts on a real station: what the tile says, what is found, what is reported."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.testing import FakeStation, FrozenClock
from plugins.jobs import rules
from plugins.jobs.rules import Post, Query, Sounds

SAMPLE = Path(__file__).parents[3] / "assets" / "sample" / "jobs.csv"


def sample() -> list[dict[str, Any]]:
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [
            {**row, "pay_min": int(row["pay_min"]), "pay_max": int(row["pay_max"])}
            for row in csv.DictReader(file)
        ]


@pytest.fixture
def station() -> Iterator[FakeStation]:
    with FakeStation("jobs") as station:
        station.fill("posts", sample())
        yield station


def test_the_tile_counts_the_new_posts_of_today(station: FakeStation) -> None:
    assert station.hook("tile").live == "今日新岗位 38 个"


def test_without_new_posts_the_tile_counts_the_open_ones(station: FakeStation) -> None:
    station.clock.advance(days=1)
    assert station.hook("tile").live == f"在招岗位 {len(station.store.posts())} 个"


def test_without_posts_the_tile_says_so(station: FakeStation) -> None:
    station.fill("posts", [])
    assert station.hook("tile").live == station.tr("live_none")


def test_posts_expire_at_midnight_without_the_network(station: FakeStation) -> None:
    station.is_online = False
    before = station.store.posts()
    station.clock.advance(days=10)
    after = station.store.posts()
    assert 0 < len(after) < len(before)
    assert all(post.expires >= station.clock.today() for post in after)
    station.clock.advance(days=100)
    assert station.store.posts() == ()


def test_a_post_is_found_by_sound_once_the_index_is_made(station: FakeStation) -> None:
    assert station.store.found(Query(words="fjy")) == ()
    station.store.begin()
    assert not station.store.ready
    station.settle()
    assert station.store.ready
    assert ("refresh", "jobs") in station.shell.asked
    found = station.store.found(Query(words="fjy"))
    assert found
    assert all("分拣员" in post.title for post in found)


def test_the_index_is_made_before_anybody_asks(station: FakeStation) -> None:
    station.advance(14)
    assert not station.store.ready
    station.advance(1)
    assert station.store.ready


def test_an_index_that_failed_is_made_for_a_later_visitor(
    station: FakeStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, tries = rules.index, []

    def fails(posts: tuple[Post, ...]) -> dict[str, Sounds]:
        tries.append(len(posts))
        if len(tries) == 1:
            raise MemoryError
        return index(posts)

    monkeypatch.setattr(rules, "index", fails)
    for minutes in (1, 1, 9):
        station.store.begin()
        station.settle()
        assert (station.store.ready, len(tries)) == (False, 1)
        station.clock.advance(minutes=minutes)
    station.store.begin()
    station.settle()
    assert station.store.ready


def test_a_busy_pool_is_no_reason_never_to_make_the_index(
    station: FakeStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("kiosk.pool.WAITING", 0)
        station.store.begin()
    assert not station.store.ready
    station.store.begin()
    station.settle()
    assert station.store.ready


def test_new_posts_are_found_by_sound_too(station: FakeStation) -> None:
    station.store.begin()
    station.settle()
    row = sample()[0]
    station.fill("posts", [*sample(), {**row, "job_id": "X1", "title": "潜水员"}])
    station.settle()
    assert [post.job_id for post in station.store.found(Query(words="qianshui"))] == ["X1"]


def test_posts_that_come_while_the_index_is_made_are_indexed_as_well(station: FakeStation) -> None:
    station.store.begin()
    station.fill("posts", [{**sample()[0], "job_id": "X1", "title": "潜水员"}])
    station.settle()
    assert [post.job_id for post in station.store.found(Query(words="qsy"))] == ["X1"]


@pytest.mark.parametrize(
    ("trade", "filtered"), [("courier", "courier"), ("other", ""), ("unsaid", ""), ("", "")]
)
def test_a_visitors_trade_is_the_first_filter(trade: str, filtered: str) -> None:
    with FakeStation("jobs", facts={"trade": trade} if trade else {}) as station:
        station.fill("posts", sample())
        station.store.begin()
        assert station.store.query == Query(trade=filtered)


def test_a_trade_without_posts_is_no_filter() -> None:
    with FakeStation("jobs", facts={"trade": "courier"}) as station:
        station.fill("posts", [row for row in sample() if row["trade"] != "courier"])
        station.store.begin()
        assert station.store.query == Query()


def test_what_a_visitor_chose_stays_for_the_session_only(station: FakeStation) -> None:
    station.store.begin()
    station.store.look(Query(area="河西"))
    station.store.begin()
    assert station.store.query == Query(area="河西")
    station.end_session()
    station.store.begin()
    assert station.store.query == Query()


def test_searching_viewing_and_taking_along_are_reported_without_words(station: FakeStation) -> None:
    station.store.begin()
    found = station.store.look(Query(trade="courier"))
    station.store.view(found[0])
    receipt = station.store.take(found[0])
    assert station.store.taken(found[0]) == 0
    station.settle()
    assert receipt.ok
    assert station.store.taken(found[0]) == 1
    said = [(event.name, event.d) for event in station.events()]
    job = found[0].job_id
    assert said == [
        ("searched", {"hits": len(found)}),
        ("viewed", {"job": job}),
        ("handed_over", {"job": job}),
    ]


def test_how_often_a_post_was_taken_survives_a_restart_and_ends_with_time(tmp_path: Path) -> None:
    clock = FrozenClock()
    for days, times in ((0, 1), (1, 2), (100, 1)):
        clock.advance(days=days)
        with FakeStation("jobs", data=tmp_path, clock=clock) as station:
            row = {**sample()[0], "expires": "2030-12-31"}
            station.fill("posts", [row])
            post = station.store.post(row["job_id"])
            station.store.take(post)
            station.settle()
            assert station.store.taken(post) == times


def test_an_expired_post_cannot_be_opened(station: FakeStation) -> None:
    assert station.store.post("J200") is None
    assert station.store.post("J001") is not None
