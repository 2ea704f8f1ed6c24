"""The stream up on disk: gapless numbers, kept long enough, never kept for ever."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk import outbox as outboxes
from kiosk import tables
from kiosk.database import Database
from kiosk.errors import NotStored
from kiosk.outbox import Outbox
from kiosk.testing import FrozenClock
from protocol.messages import Event, decode

Open = Callable[..., Outbox]


@pytest.fixture
def open_outbox(tmp_path: Path) -> Iterator[Open]:
    databases: list[Database] = []

    def open_(limit: int = outboxes.LIMIT, clock: FrozenClock | None = None) -> Outbox:
        for each in databases:
            each.close()
        databases.append(Database(tmp_path / "station.db", tables.prepare))
        outbox = Outbox(databases[-1], clock or FrozenClock(), limit)
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
