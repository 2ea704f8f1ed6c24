"""The stream down on disk: who wrote what is stored is remembered, but not for ever."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk import inbox as inboxes
from kiosk import tables
from kiosk.database import Database
from kiosk.inbox import Inbox
from kiosk.testing import FrozenClock
from protocol.frame import Frame
from protocol.stream import Acceptance, Fork

Open = Callable[[], Inbox]


@pytest.fixture
def open_inbox(tmp_path: Path) -> Iterator[Open]:
    databases: list[Database] = []

    def open_() -> Inbox:
        for each in databases:
            each.close()
        databases.append(Database(tmp_path / "station.db", tables.prepare))
        inbox = Inbox(databases[-1], FrozenClock())
        inbox.load().wait()
        return inbox

    yield open_
    for each in databases:
        each.close()


def frame(stream: str, first: int, count: int, run: str) -> Frame:
    return Frame(v=1, stream=stream, first=first, run=run, msgs=[msgspec.Raw(b'{"t":"poke"}')] * count)


def take(inbox: Inbox, given: Frame) -> None:
    offered = inbox.offer(given)
    assert isinstance(offered, Acceptance)
    bodies = [bytes(raw) for raw in given.msgs[offered.skip :]]
    inbox.store(given.stream, offered, bodies, given.run)


def rows(inbox: Inbox, sql: str) -> list[Any]:
    return inbox._database.read(lambda db: db.execute(sql).fetchall()).wait().value


def test_a_server_set_back_is_noticed_also_after_a_restart(open_inbox: Open) -> None:
    inbox = open_inbox()
    take(inbox, frame("hq", 1, 3, "a"))
    take(inbox, frame("hq", 4, 2, "b"))
    for each in (inbox, open_inbox()):
        assert each.offer(frame("hq", 4, 2, "b")) is None
        assert each.offer(frame("hq", 4, 4, "b")) == Acceptance(2, 7)
        assert each.offer(frame("hq", 2, 2, "c")) == Fork(1)
        assert each.offer(frame("hq", 5, 3, "a")) == Fork(4)
        assert each.offer(frame("hq", 6, 1, "c")) == Acceptance(0, 6)


def test_one_run_is_noted_once(open_inbox: Open) -> None:
    inbox = open_inbox()
    for first in range(1, 30):
        take(inbox, frame("hq", first, 1, "a"))
    assert rows(inbox, "SELECT * FROM _down_part") == [("hq", 1, "a")]


def test_what_a_server_no_longer_has_is_passed_over(open_inbox: Open) -> None:
    inbox = open_inbox()
    take(inbox, frame("hq", 1, 2, "a"))
    late = msgspec.structs.replace(frame("hq", 9, 1, "b"), gone=3)
    assert inbox.offer(late) == Acceptance(0, 9, (3, 8))


def test_only_the_newest_runs_and_streams_are_remembered(
    open_inbox: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inboxes, "PARTS", 4)
    inbox = open_inbox()
    for number in range(1, 11):
        take(inbox, frame("hq", number, 1, f"run-{number}"))
    assert [first for (first,) in rows(inbox, "SELECT first FROM _down_part")] == [7, 8, 9, 10]
    for number in range(inboxes.STREAMS + 3):
        take(inbox, frame(f"hq-{number}", 1, 1, "a"))
    counts = rows(inbox, "SELECT count(DISTINCT stream) FROM _down_part")
    assert counts == rows(inbox, "SELECT count(*) FROM _down_cursor") == [(inboxes.STREAMS,)]
