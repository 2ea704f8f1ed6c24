"""The stream up on disk: numbered one by one, kept long enough, never kept for ever."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk import outbox as outboxes
from kiosk import tables
from kiosk.database import Database
from kiosk.errors import NotStored, StorageFull
from kiosk.outbox import Outbox
from kiosk.tally import Missing, Tally
from kiosk.testing import FrozenClock
from protocol.messages import Event, Heartbeat, Loss, Request, decode
from protocol.stream import branch

Open = Callable[..., Outbox]


@pytest.fixture
def open_outbox(tmp_path: Path) -> Iterator[Open]:
    databases: list[Database] = []

    def open_(
        limit: int = outboxes.LIMIT, clock: FrozenClock | None = None, room: int = outboxes.ROOM
    ) -> Outbox:
        for each in databases:
            each.close()
        databases.append(Database(tmp_path / "station.db", tables.prepare))
        outbox = Outbox(databases[-1], clock or FrozenClock(), limit, room)
        outbox.load().wait()
        return outbox

    yield open_
    for each in databases:
        each.close()


def event(n: int, at: int = 0) -> Event:
    return Event(plugin="jobs", name="seen", d={"n": n}, at=at)


def say(outbox: Outbox, *numbers: int) -> None:
    for receipt in [outbox.say(event(n)) for n in numbers]:
        receipt.wait()


def number_in(body: bytes) -> int:
    message = decode(body)
    assert isinstance(message, Event)
    return int(message.d["n"])


def told(outbox: Outbox, first: int, count: int = 1000, size: int = 1_000_000) -> list[int]:
    run = outbox.stretch(first, count, size).wait().value
    return [] if run is None else [number_in(body) for body in run.bodies]


def test_numbers_start_at_one_and_have_no_gaps_even_after_failures(open_outbox: Open) -> None:
    outbox = open_outbox()

    def fails(db: Any) -> None:
        outbox.append(db, event(99))
        raise ValueError("on purpose")

    say(outbox, 1, 2)
    with pytest.raises(ValueError, match="on purpose"):
        outbox._database.write(fails).wait()
    say(outbox, 3)
    assert (outbox.low, outbox.last) == (1, 3)
    assert told(outbox, 1) == [1, 2, 3]


def test_the_stream_goes_on_after_a_restart(open_outbox: Open) -> None:
    outbox = open_outbox()
    say(outbox, 1, 2)
    outbox.acknowledge(1).wait()
    stream = outbox.stream
    again = open_outbox()
    assert (again.stream, again.last, again.acked) == (stream, 2, 1)
    assert again.say(event(3)).wait().value == 3


def test_a_run_keeps_to_the_limits_of_a_frame(open_outbox: Open) -> None:
    outbox = open_outbox()
    say(outbox, *range(1, 21))
    assert told(outbox, 5, count=3) == [5, 6, 7]
    size = len(outbox.stretch(1, 1, 1).wait().value.bodies[0])  # type: ignore[union-attr]
    assert told(outbox, 1, size=size) == [1]  # one message goes even if it is too large
    assert told(outbox, 1, size=4 * size) == [1, 2, 3]
    assert told(outbox, 21) == []


def test_a_run_ends_where_the_machine_was_restarted(open_outbox: Open) -> None:
    outbox = open_outbox()
    say(outbox, 1, 2)
    outbox.boot = "after"
    say(outbox, 3)
    assert told(outbox, 1) == [1, 2]
    run = outbox.stretch(3, 10, 1000).wait().value
    assert run is not None
    assert (run.first, run.boot) == (3, "after")


def test_acknowledged_messages_stay_for_a_week(open_outbox: Open) -> None:
    clock = FrozenClock()
    outbox = open_outbox(clock=clock)
    say(outbox, 1, 2, 3, 4)
    clock.advance(days=6)
    outbox.acknowledge(3).wait()
    assert outbox.low == 1
    clock.advance(days=2)
    outbox.acknowledge(3).wait()
    assert (outbox.low, outbox.last) == (4, 4)


def test_an_acknowledgement_costs_the_same_however_much_is_kept(open_outbox: Open) -> None:
    outbox = open_outbox()
    outbox._database.write(lambda db: [outbox.append(db, event(n)) for n in range(20_000)]).wait()
    steps: list[int] = []

    def count() -> int:
        steps.append(100)
        return 0

    outbox._database.read(lambda db: db.conn.set_progress_handler(count, 100)).wait()
    outbox.acknowledge(19_000).wait()
    assert sum(steps) < 2000
    assert (outbox.low, outbox.last, outbox.acked) == (1, 20_000, 19_000)


def test_a_clock_set_back_makes_no_gap_in_what_is_kept(open_outbox: Open) -> None:
    clock = FrozenClock()
    outbox = open_outbox(clock=clock)
    say(outbox, 1)
    clock.advance(days=-9)
    say(outbox, 2)
    clock.advance(days=9)
    say(outbox, 3, 4)
    outbox.acknowledge(4).wait()
    assert told(outbox, 1) == [1, 2, 3, 4]
    clock.advance(days=8)
    outbox.acknowledge(4).wait()
    assert told(outbox, 1) == [4]


def test_the_newest_number_is_never_given_twice(open_outbox: Open) -> None:
    clock = FrozenClock()
    outbox = open_outbox(clock=clock)
    say(outbox, 1, 2)
    clock.advance(days=30)
    outbox.acknowledge(2).wait()
    assert outbox.low == 2
    assert open_outbox(clock=clock).say(event(3)).wait().value == 3


def test_beyond_the_limit_the_oldest_go_and_low_says_so(open_outbox: Open) -> None:
    outbox = open_outbox(limit=128)
    say(outbox, *range(1, 513))
    assert outbox.low == 512 - 128 + 1
    assert outbox.acked == 0
    run = outbox.stretch(1, 10, 10_000).wait().value
    assert run is not None
    assert run.first == outbox.low


def test_a_copy_of_the_stream_begins_anew_with_what_is_not_acknowledged(open_outbox: Open) -> None:
    outbox = open_outbox()
    say(outbox, *range(1, 8))
    outbox.acknowledge(4).wait()
    before = outbox.stream
    outbox.renew().wait()
    assert outbox.stream != before
    assert (outbox.low, outbox.last, outbox.acked) == (1, 3, 0)
    assert told(outbox, 1) == [5, 6, 7]
    assert outbox.say(event(8)).wait().value == 4


def test_a_copy_with_nothing_left_to_say_begins_at_one(open_outbox: Open) -> None:
    outbox = open_outbox()
    say(outbox, 1, 2)
    outbox.acknowledge(2).wait()
    outbox.renew().wait()
    assert outbox.say(event(3)).wait().value == 1


def test_a_message_too_large_for_a_frame_is_refused_at_once(open_outbox: Open) -> None:
    outbox = open_outbox()
    with pytest.raises(NotStored):
        outbox.say(Event(plugin="jobs", name="seen", d={"n": "x" * 40_000})).wait()


def test_a_stretch_ends_where_the_program_was_started_again(open_outbox: Open) -> None:
    first = open_outbox()
    say(first, 1, 2)
    second = open_outbox()
    say(second, 3)
    assert first.run_id != second.run_id
    found = [second.stretch(number, 10, 1000).wait().value for number in (1, 3)]
    assert [(each.run, each.last) for each in found if each] == [(first.run_id, 2), (second.run_id, 3)]


def test_a_stretch_ends_at_a_hole_and_says_whether_anything_lies_below(open_outbox: Open) -> None:
    outbox = open_outbox()
    say(outbox, *range(1, 10))
    outbox._database.write(lambda db: db.execute("DELETE FROM _stream_up WHERE number IN (1, 4, 5)")).wait()
    found = [outbox.stretch(number, 10, 1000).wait().value for number in (1, 4)]
    assert [(each.first, each.last, each.lowest) for each in found if each] == [(2, 3, True), (6, 9, False)]


def test_beyond_the_room_there_is_the_oldest_go(open_outbox: Open) -> None:
    outbox = open_outbox(room=50_000)
    heavy = [Event(plugin="jobs", name="seen", d={"n": n, "x": "x" * 1000}) for n in range(600)]
    outbox._database.write(lambda db: [outbox.append(db, each) for each in heavy]).wait()
    weigh = "SELECT sum(length(body)), count(*), max(number) FROM _stream_up"
    (row,) = outbox._database.read(lambda db: db.execute(weigh).fetchall()).wait().value
    weight, count, last = row
    size = weight / count
    # It looks after 256 messages: 512 was the last time.
    assert weight - (600 - 512) * size == pytest.approx(50_000, abs=2 * size)
    assert last == 600


def test_looking_for_room_costs_the_same_however_much_is_kept(open_outbox: Open) -> None:
    outbox = open_outbox(room=1_000_000)
    outbox._database.write(lambda db: [outbox.append(db, event(n)) for n in range(20_000)]).wait()
    steps: list[int] = []

    def look(db: Any) -> None:
        db.conn.set_progress_handler(lambda: steps.append(100), 100)
        outbox._light(db, 20_000)
        db.conn.set_progress_handler(None, 100)

    outbox._database.read(look).wait()
    assert sum(steps) < 2000


def test_a_message_that_headquarters_cannot_read_is_kept_aside_and_named_in_its_place(
    open_outbox: Open,
) -> None:
    outbox = open_outbox()
    outbox.say(event(1)).wait()
    outbox.say(Request(id="r1", plugin="p", name="n", service="s", at=500, up=7)).wait()
    outbox.say(event(3)).wait()
    outbox.park(2, "json").wait()
    found = outbox.stretch(1, 10, 1000).wait().value
    assert found is not None
    assert decode(found.bodies[1]) == Loss(at=500, up=7, why="parked", n=1, since=500, until=500)
    query = "SELECT number, stream, body, reason FROM _parked"
    ((number, stream, body, reason),) = (
        outbox._database.read(lambda db: db.execute(query).fetchall()).wait().value
    )
    assert (number, stream, reason) == (2, outbox.stream, "json")
    assert isinstance(decode(body), Request)
    outbox.park(99, "json").wait()  # of a message that is gone there is nothing to keep


def test_after_a_fork_what_headquarters_has_not_heard_gets_new_numbers_with_its_runs(
    open_outbox: Open,
) -> None:
    clock = FrozenClock()
    first = open_outbox(clock=clock)
    say(first, 1, 2, 3)
    agreed = clock.wall_ms()
    clock.advance(minutes=5)
    second = open_outbox(clock=clock)
    say(second, 4, 5)
    second.acknowledge(4).wait()  # by a headquarters that heard another disk's numbers
    before = second.stream
    clock.advance(minutes=5)
    second.renew(after=2).wait()
    assert second.stream == branch(before, 2, 3, first.run_id)
    assert (second.low, second.last, second.acked) == (1, 4, 0)
    found = [second.stretch(number, 10, 1000).wait().value for number in (1, 2)]
    assert [(each.run, each.first, each.last) for each in found if each] == [
        (first.run_id, 1, 1),
        (second.run_id, 2, 4),
    ]
    assert [each.prior for each in found if each] == ["", first.run_id]
    assert found[1] is not None
    loss = decode(found[1].bodies[-1])
    assert loss == Loss(
        at=clock.wall_ms(), up=clock.monotonic_ms(), why="copy", n=0, since=agreed, until=clock.wall_ms()
    )
    assert second.tally.facts.last == 4
    assert open_outbox(clock=clock).say(event(6)).wait().value == 5


def test_holes_stay_holes_after_a_fork_and_a_frame_tells_of_them(open_outbox: Open) -> None:
    outbox = open_outbox()
    say(outbox, 1, 2, 3, 4, 5, 6)
    outbox._database.write(lambda db: db.execute("DELETE FROM _stream_up WHERE number IN (3, 5)")).wait()
    at_four, at_six = (outbox.stretch(number, 10, 1000).wait().value for number in (3, 5))
    assert at_four is not None
    assert at_six is not None
    assert (at_four.first, at_four.last, at_four.gone, at_four.lowest) == (4, 4, 3, False)
    assert (at_six.first, at_six.gone, at_six.prior) == (6, 5, outbox.run_id)
    outbox.renew(after=2).wait()
    begin = outbox.stretch(1, 1, 1000).wait().value
    assert begin is not None
    assert (begin.first, begin.gone, begin.prior, begin.lowest) == (2, 1, "", True)
    assert outbox.last == 5


def fill_up(outbox: Outbox) -> None:
    """From now on the disk is full."""
    outbox._database.write(
        lambda db: db.conn.execute(
            f"PRAGMA max_page_count = {db.conn.execute('PRAGMA page_count').fetchone()[0]}"
        ).fetchall()
    ).wait()


def make_room(outbox: Outbox) -> None:
    outbox._database.write(lambda db: db.conn.execute("PRAGMA max_page_count = 100000").fetchall()).wait()


def losses(outbox: Outbox) -> list[tuple[str, int, int, int]]:
    rows = outbox._database.read(lambda db: db.execute("SELECT body FROM _stream_up").fetchall()).wait().value
    said = [decode(body) for (body,) in rows]
    return [(each.why, each.n, each.since, each.until) for each in said if isinstance(each, Loss)]


def big(n: int) -> Event:
    return Event(plugin="jobs", name="seen", d={"n": n, "x": "x" * 20_000})


def test_what_a_full_disk_did_not_take_is_said_once_when_it_does_again(open_outbox: Open) -> None:
    clock = FrozenClock()
    outbox = open_outbox(clock=clock)
    say(outbox, 1)
    fill_up(outbox)
    since = clock.wall_ms()
    for n in range(3):
        with pytest.raises(StorageFull):
            outbox.say(big(n)).wait()
        until = clock.wall_ms()
        clock.advance(minutes=1)
    book = Request(id="r1", plugin="p", name="n", service="s", d={"x": "x" * 20_000})
    with pytest.raises(StorageFull):
        outbox.say(book).wait()
    until = clock.wall_ms()
    assert losses(outbox) == []
    make_room(outbox)
    outbox.say(event(2)).wait()
    said = losses(outbox)
    # Each is dated by when it was handed over, a few ms before the disk refused it.
    ((why, n, begun, ended),) = said
    assert (why, n, ended) == ("disk", 4, until)
    assert since - 5000 <= begun <= since
    say(outbox, 3, 4)
    assert losses(open_outbox(clock=clock)) == said


def test_what_was_not_stored_is_known_to_the_next_process(open_outbox: Open) -> None:
    outbox = open_outbox()
    fill_up(outbox)
    for n in range(5):
        with pytest.raises(StorageFull):
            outbox.say(big(n)).wait()
    # As after a kill: nothing more is written, and the next process finds a disk with room.
    again = open_outbox()
    assert [(why, n) for why, n, _, _ in losses(again)] == [("disk", 5)]


def test_a_loss_that_was_said_before_a_death_is_not_said_again(open_outbox: Open, tmp_path: Path) -> None:
    outbox = open_outbox()
    fill_up(outbox)
    with pytest.raises(StorageFull):
        outbox.say(big(1)).wait()
    before = (tmp_path / "station.db.tally").read_bytes()
    make_room(outbox)
    say(outbox, 1)
    assert len(losses(outbox)) == 1
    outbox._database.close()
    (tmp_path / "station.db.tally").write_bytes(before)  # the process died before it could forget it
    assert len(losses(open_outbox())) == 1


def test_a_job_that_fails_by_itself_is_no_loss(open_outbox: Open) -> None:
    outbox = open_outbox()

    def fails(db: Any) -> None:
        outbox.append(db, event(99))
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        outbox._database.write(fails, says=1).wait()
    with pytest.raises(NotStored):
        outbox.say(Event(plugin="jobs", name="seen", d={"n": "x" * 40_000})).wait()
    say(outbox, 1)
    assert losses(outbox) == []


def test_without_a_database_losses_are_counted_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.database.REOPEN_AFTER", 3600.0)
    Tally(tmp_path / "station.db.tally").keep(stream="a", last=3)
    (tmp_path / "station.db-wal").mkdir()  # nobody can open a database beside this
    database = Database(tmp_path / "station.db", tables.prepare)
    outbox = Outbox(database, FrozenClock())
    with pytest.raises(NotStored):
        outbox.say(event(1)).wait()
    database.close()
    (found,) = Tally(tmp_path / "station.db.tally").read().missing
    assert isinstance(found, Missing)
    assert (found.why, found.n) == ("disk", 1)


def test_a_loss_of_a_wrong_clock_is_dated_by_the_right_one_that_the_same_machine_has_later(
    open_outbox: Open,
) -> None:
    clock = FrozenClock()
    outbox = open_outbox(clock=clock)
    say(outbox, 1)
    fill_up(outbox)
    right = clock.wall_ms
    clock.wall_ms = lambda: right() - 50 * 365 * 24 * 3_600_000  # type: ignore[method-assign]
    with pytest.raises(StorageFull):
        outbox.say(big(1)).wait()
    at = right()
    clock.advance(minutes=7)
    clock.wall_ms = right  # type: ignore[method-assign]
    make_room(outbox)
    say(outbox, 2)
    ((why, n, since, until),) = losses(outbox)
    assert (why, n, until) == ("disk", 1, at)
    assert at - 5000 <= since <= at


def test_what_is_missing_is_said_before_a_heartbeat_or_the_heartbeat_is_not(
    open_outbox: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = open_outbox()
    say(outbox, 1)
    outbox._lost(1)

    def no_room(db: Any) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "_tell", no_room)
        with pytest.raises(StorageFull):
            outbox.say(Heartbeat()).wait()
    assert outbox.last == 1
    assert outbox.say(Heartbeat()).wait().value == 3
    found = outbox.stretch(2, 10, 1000).wait().value
    assert found is not None
    assert [type(decode(body)) for body in found.bodies] == [Loss, Heartbeat]
    assert outbox.tally.facts.missing == ()


def test_a_job_that_fails_takes_back_what_it_said_is_missing(open_outbox: Open) -> None:
    outbox = open_outbox()
    say(outbox, 1)
    outbox._lost(2)

    def fails(db: Any) -> None:
        outbox.append(db, event(99))
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        outbox._database.write(fails).wait()
    say(outbox, 2)
    assert [(why, n) for why, n, _, _ in losses(outbox)] == [("disk", 2)]


@pytest.mark.parametrize("change", ["total | (1 << 30)", "total - 3000", "total + (1 << 23) + 60000"])
def test_a_running_total_that_cannot_be_lets_nothing_go(open_outbox: Open, change: str) -> None:
    outbox = open_outbox(room=100_000)
    heavy = [Event(plugin="jobs", name="seen", d={"n": n, "x": "x" * 100}) for n in range(400)]
    outbox._database.write(lambda db: [outbox.append(db, each) for each in heavy]).wait()
    outbox._database.write(
        lambda db: db.execute(
            f"UPDATE _stream_up SET total = {change} WHERE number = (SELECT max(number) FROM _stream_up)"
        )
    ).wait()
    if change.startswith("total -"):
        outbox._database.write(
            lambda db: db.execute("UPDATE _stream_up SET total = total + 100000 WHERE number = 1")
        ).wait()
    with pytest.raises(NotStored, match="cannot weigh"):
        outbox.acknowledge(1).wait()
    assert (outbox.low, outbox.last) == (1, 400)
    again = open_outbox(room=100_000)
    assert again._database.damaged is not None
    assert told(again, 1, 400) == list(range(400))


def test_more_than_there_is_room_for_goes_even_if_the_room_has_shrunk_by_much(open_outbox: Open) -> None:
    outbox = open_outbox()
    heavy = [Event(plugin="jobs", name="seen", d={"n": n, "x": "x" * 30_000}) for n in range(400)]
    outbox._database.write(lambda db: [outbox.append(db, each) for each in heavy]).wait()
    small = open_outbox(room=1_000_000)
    small.acknowledge(1).wait()
    assert 360 < small.low < 370


@pytest.mark.parametrize(
    "change", ["body = CAST(body AS TEXT)", "boot = CAST(x'ff41' AS TEXT)", "request = x'41'", "run = 7"]
)
def test_a_row_whose_values_changed_their_type_is_damage_and_not_an_error_for_ever(
    open_outbox: Open, change: str
) -> None:
    outbox = open_outbox()
    say(outbox, 1, 2, 3, 4, 5)
    outbox._database.write(lambda db: db.execute(f"UPDATE _stream_up SET {change} WHERE number = 3")).wait()
    with pytest.raises(NotStored):
        outbox.stretch(1, 10, 1000).wait()
    again = open_outbox()
    assert again._database.damaged is not None
    assert again.stretch(1, 10, 1000).wait().value.last == 2  # type: ignore[union-attr]
    assert told(again, 4, 2) == [4, 5]
    assert [why for why, _, _, _ in losses(again)] == ["damaged"]


def test_the_word_about_a_parked_message_is_not_parked_itself(open_outbox: Open) -> None:
    outbox = open_outbox()
    say(outbox, 1, 2)
    for _ in range(3):
        outbox.park(1, "json").wait()
    rows = outbox._database.read(lambda db: db.execute("SELECT body FROM _parked").fetchall()).wait().value
    assert [number_in(body) for (body,) in rows] == [1]


def test_a_stream_asked_twice_to_begin_anew_begins_once(open_outbox: Open) -> None:
    outbox = open_outbox()
    say(outbox, *range(1, 8))
    before = outbox.stream
    asked = [outbox.renew(after=4), outbox.renew(after=4), outbox.park(1, "json")]
    for each in asked:
        each.wait()
    assert outbox.stream == branch(before, 4, 5, outbox.run_id)
    assert outbox.stands == (outbox.stream, 4, 0)
    assert told(outbox, 1, 3) == [5, 6, 7]


def test_a_database_set_back_goes_on_behind_the_last_number_given(open_outbox: Open, tmp_path: Path) -> None:
    outbox = open_outbox()
    say(outbox, 1, 2, 3)
    outbox._database.close()
    yesterday = (tmp_path / "station.db").read_bytes()
    today = open_outbox()
    say(today, 4, 5)
    today._database.close()
    (tmp_path / "station.db").write_bytes(yesterday)
    again = open_outbox()
    assert again.stream == outbox.stream
    assert [(why, n) for why, n, _, _ in losses(again)] == [("damaged", 0)]
    assert again.last == 6
    assert again.say(event(7)).wait().value == 7
    assert len(losses(open_outbox())) == 1


def test_an_older_tally_raises_no_alarm(open_outbox: Open, tmp_path: Path) -> None:
    outbox = open_outbox()
    say(outbox, 1, 2)
    before = (tmp_path / "station.db.tally").read_bytes()
    say(outbox, 3, 4)
    outbox._database.close()
    (tmp_path / "station.db.tally").write_bytes(before)  # as after a power loss
    again = open_outbox()
    assert losses(again) == []
    assert again.say(event(5)).wait().value == 5


WRITER = """
import sys
from pathlib import Path
from kiosk import tables
from kiosk.database import Database
from kiosk.outbox import Outbox
from kiosk.clock import SystemClock
from protocol.messages import Event

database = Database(Path(sys.argv[1]), tables.prepare)
outbox = Outbox(database, SystemClock())
outbox.load().wait()
print("ready", flush=True)
n = outbox.last
while True:
    receipts = []
    for _ in range(7):
        n += 1
        def job(db, n=n):
            number = outbox.append(db, Event(plugin="jobs", name="seen", d={"n": n}))
            db.execute("CREATE TABLE IF NOT EXISTS jobs_seen (n)")
            db.execute("INSERT INTO jobs_seen VALUES (?)", [n])
            return number
        receipts.append(database.write(job))
    for receipt in receipts:
        print(receipt.wait().value, flush=True)
"""


def test_killed_at_random_everything_said_to_be_stored_is_there_without_gaps(tmp_path: Path) -> None:
    path = tmp_path / "station.db"
    promised = 0
    for turn in range(6):
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        for _ in range(20 + 31 * turn):
            promised = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        promised = max([promised, *(int(line) for line in child.stdout.read().split("\n")[:-1])])
        child.stdout.close()
        child.wait()

        database = Database(path, tables.prepare)
        database.opened.wait()
        assert database.damaged is None
        assert Tally(path.with_name("station.db.tally")).read().last >= promised
        rows = database.read(
            lambda db: (
                db.execute("PRAGMA integrity_check").fetchall(),
                [n for (n,) in db.execute("SELECT number FROM _stream_up ORDER BY number")],
                [number_in(body) for (body,) in db.execute("SELECT body FROM _stream_up ORDER BY number")],
                [n for (n,) in db.execute("SELECT n FROM jobs_seen ORDER BY n")],
            )
        )
        integrity, numbers, told_numbers, also = rows.wait().value
        database.close()
        assert integrity == [("ok",)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert told_numbers == numbers == also  # the message and what was written with it: both or neither
        assert len(numbers) >= promised


def test_of_a_parked_request_no_text_is_kept(open_outbox: Open) -> None:
    outbox = open_outbox()
    d = {"contact": "c2VhbGVk", "slot": "s1", "seats": 2, "day": None}
    outbox.say(Request(id="r1", plugin="jobs", name="ask", service="desk", d=d)).wait()
    outbox.park(1, "json").wait()
    (body,) = outbox._database.read(lambda db: db.execute("SELECT body FROM _parked").fetchone()).wait().value
    kept = decode(body)
    assert isinstance(kept, Request)
    assert (kept.id, kept.d) == ("r1", {"contact": "", "slot": "", "seats": 2, "day": None})


def test_a_loss_by_the_disk_begins_when_the_oldest_message_came(open_outbox: Open) -> None:
    outbox = open_outbox()
    gate = threading.Event()
    outbox._database.read(lambda db: gate.wait(10))
    full = sqlite3.OperationalError("full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL

    def fails(db: Any) -> None:
        raise full

    receipt = outbox._database.write(fails, says=1)
    threading.Timer(0.2, gate.set).start()
    with pytest.raises(StorageFull):
        receipt.wait()
    say(outbox, 1)
    ((why, n, since, until),) = losses(outbox)
    assert (why, n) == ("disk", 1)
    assert until - since >= 190
