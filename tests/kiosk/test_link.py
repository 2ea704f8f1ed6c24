"""Both streams through a real broker, whatever is cut, repeated or lost on the way."""

import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kiosk import tables
from kiosk.claim import Credentials, Mqtt
from kiosk.clock import SystemClock
from kiosk.database import Database
from kiosk.errors import PlainRefused
from kiosk.inbox import Inbox, Letter
from kiosk.link import Link
from kiosk.outbox import Outbox
from protocol.messages import Event, Loss, Poke, Reply, decode
from tests.kiosk.conftest import Broker, free_port
from tests.kiosk.headquarters import Headquarters


class Post:
    """One station's half: database, streams and link, without plugins. `letters` are what arrived."""

    def __init__(self, path: Path, port: int, host: str = "127.0.0.1") -> None:
        self.database = Database(path, tables.prepare)
        self.outbox = Outbox(self.database, SystemClock())
        self.outbox.load().wait()
        self.inbox = Inbox(self.database, SystemClock())
        self.left = self.inbox.load().wait().value
        self.letters: list[Letter] = []
        self.connections = 0
        self.change = threading.Condition()
        mqtt = Mqtt(port=port, user="test-01", password="secret", host=host)
        credentials = Credentials("test-01", "token", mqtt, server="http://127.0.0.1:1")
        self.link = Link(
            self.outbox,
            self.inbox,
            self.database,
            SystemClock(),
            credentials,
            letter=self._letter,
            connected=self._connected,
            retry=(0.05, 0.2),
        )
        self.link.start()

    def say(self, *numbers: int) -> None:
        for receipt in [self.outbox.say(Event(plugin="jobs", name="seen", d={"n": n})) for n in numbers]:
            receipt.wait()

    def wait(self, condition: Callable[[], object], timeout: float = 15.0) -> None:
        end = time.monotonic() + timeout
        with self.change:
            while not condition():
                assert time.monotonic() < end, "the station waited in vain"
                self.change.wait(0.02)  # some conditions change in other threads that notify nobody

    def close(self) -> None:
        self.link.stop()
        self.database.close()

    def _letter(self, letter: Letter) -> None:
        with self.change:
            self.letters.append(letter)
            self.change.notify_all()

    def _connected(self) -> None:
        with self.change:
            self.connections += 1
            self.change.notify_all()


Open = Callable[..., Post]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames sent while nobody listens are repeated after half a second instead of five."""
    monkeypatch.setattr("protocol.stream.RETRY_MIN", 0.5)
    monkeypatch.setattr("protocol.stream.RETRY_MAX", 1.0)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Open]:
    opened: list[Post] = []

    def open_(broker: Broker, name: str = "station.db") -> Post:
        opened.append(Post(tmp_path / name, broker.port))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


def told(headquarters: Headquarters) -> list[Any]:
    return [event.d["n"] for event in headquarters.events()]


def heard(headquarters: Headquarters, count: int) -> bool:
    return len(told(headquarters)) >= count


def test_events_arrive_once_in_order_and_are_acknowledged_into_the_database(
    broker: Broker, post: Open
) -> None:
    with Headquarters(broker.port) as headquarters:
        station = post(broker)
        station.say(*range(1, 601))
        headquarters.wait(lambda: len(told(headquarters)) == 600)
        assert told(headquarters) == list(range(1, 601))
        station.wait(lambda: station.outbox.acked == 600)
        assert station.link.online


def test_a_new_event_leaves_at_once(broker: Broker, post: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Link, "_patience", lambda link: 60.0)  # only what is stored wakes it
    with Headquarters(broker.port) as headquarters:
        station = post(broker)
        station.say(0)
        headquarters.wait(lambda: told(headquarters))
        for n in range(1, 11):
            station.say(n)
            headquarters.wait(partial(heard, headquarters, n + 1))


def test_what_was_said_without_a_line_is_sent_later_even_after_a_restart(broker: Broker, post: Open) -> None:
    station = post(broker)
    station.say(*range(1, 301))
    station.close()
    with Headquarters(broker.port) as headquarters:
        again = post(broker)
        again.say(301)
        headquarters.wait(lambda: len(told(headquarters)) == 301)
        assert told(headquarters) == list(range(1, 302))


def test_a_broker_that_dies_and_returns_loses_nothing(broker: Broker, post: Open) -> None:
    station = post(broker)
    with Headquarters(broker.port) as headquarters:
        station.say(1, 2)
        headquarters.wait(lambda: len(told(headquarters)) == 2)
    broker.kill()
    station.wait(lambda: not station.link.online)
    station.say(3, 4)
    broker.start()
    with Headquarters(broker.port) as headquarters:
        # This one starts from nothing, like a server without a backup: everything is still there to be sent.
        headquarters.wait(lambda: len(told(headquarters)) == 4)
        assert told(headquarters) == [1, 2, 3, 4]


def test_lost_acknowledgements_lead_to_repetition_and_no_double_count(broker: Broker, post: Open) -> None:
    with Headquarters(broker.port) as headquarters:
        headquarters.mute = True
        station = post(broker)
        station.say(1, 2, 3)
        headquarters.wait(lambda: len(headquarters.frames) >= 3)
        assert station.outbox.acked == 0
        headquarters.mute = False
        station.say(4)
        headquarters.wait(lambda: len(told(headquarters)) == 4)
        station.wait(lambda: station.outbox.acked == 4)
        assert told(headquarters) == [1, 2, 3, 4]


def test_an_answer_is_stored_acknowledged_and_delivered_once_although_sent_twice(
    broker: Broker, post: Open
) -> None:
    reply = Reply(id="r1", plugin="legal_aid", name="place_booking", status="confirmed", d={"code": "48213"})
    with Headquarters(broker.port) as headquarters:
        station = post(broker)
        station.wait(lambda: station.connections)
        headquarters.say(reply)
        station.wait(lambda: station.letters)
        headquarters.wait(lambda: headquarters.acked.get("hq-1") == 1)
        headquarters.resend()
        headquarters.say(Poke(collections=["jobs.posts"]))
        headquarters.wait(lambda: headquarters.acked.get("hq-1") == 2)
        assert [decode(each.body) for each in station.letters] == [reply, Poke(collections=["jobs.posts"])]


def test_an_answer_not_yet_handled_survives_a_restart_and_is_not_sent_for_again(
    broker: Broker, post: Open
) -> None:
    with Headquarters(broker.port) as headquarters:
        station = post(broker)
        station.wait(lambda: station.connections)
        headquarters.say(Reply(id="r1", plugin="p", name="n", status="a"))
        headquarters.say(Reply(id="r2", plugin="p", name="n", status="b"))
        station.wait(lambda: len(station.letters) == 2)
        station.inbox.handled(station.letters[0]).wait()
        station.close()
        again = post(broker)
        assert [decode(each.body).id for each in again.left] == ["r2"]  # type: ignore[union-attr]
        again.wait(lambda: again.connections)
        headquarters.resend()
        headquarters.wait(lambda: headquarters.acked.get("hq-1") == 2)
        assert again.letters == []


def test_what_was_stored_before_a_restart_is_acknowledged_to_a_headquarters_that_does_not_know(
    broker: Broker, post: Open
) -> None:
    def poked(stream: str, number: int) -> None:
        with Headquarters(broker.port, stream=stream) as headquarters:
            station = post(broker)
            station.wait(lambda: station.connections)
            headquarters.say(*[Poke()] * number)
            headquarters.wait(lambda: headquarters.acked.get(stream) == number)
            station.close()

    poked("hq-2", 2)
    poked("hq-1", 1)
    again = post(broker)
    with Headquarters(broker.port) as headquarters:
        again.say(1)
        headquarters.wait(lambda: headquarters.acked)
        assert headquarters.acked == {"hq-1": 1}


def test_garbage_from_headquarters_is_refused_and_the_line_goes_on(broker: Broker, post: Open) -> None:
    with Headquarters(broker.port) as headquarters:
        station = post(broker)
        station.wait(lambda: station.connections)
        for payload in (b"", b"{", b"\x1f\x8bxx", b'{"v":9,"stream":"a","first":1}', b"[" * 5000):
            headquarters.send_bytes(payload)
        headquarters.say(Poke())
        station.wait(lambda: station.letters)
        assert station.connections == 1


def test_a_server_set_back_gets_everything_again(broker: Broker, post: Open) -> None:
    station = post(broker)
    with Headquarters(broker.port):
        station.say(*range(1, 101))
        station.wait(lambda: station.outbox.acked == 100)
    with Headquarters(broker.port) as restored:
        station.say(101)
        restored.wait(lambda: len(told(restored)) == 101)
        assert told(restored) == list(range(1, 102))
        assert restored.lost == []


def test_what_is_gone_for_good_is_named_as_lost(broker: Broker, post: Open) -> None:
    broker.kill()
    station = post(broker)
    station.say(*range(1, 11))
    station.database.write(lambda db: db.execute("DELETE FROM _stream_up WHERE number < 6")).wait()
    broker.start()
    with Headquarters(broker.port) as headquarters:
        station.say(11)
        headquarters.wait(lambda: len(told(headquarters)) == 6)
        assert headquarters.lost == [(1, 5)]
        assert told(headquarters) == [6, 7, 8, 9, 10, 11]


def test_a_server_that_owns_more_than_was_said_makes_a_new_stream(broker: Broker, post: Open) -> None:
    with Headquarters(broker.port) as headquarters:
        station = post(broker)
        before = station.outbox.stream
        station.say(1, 2)
        headquarters.wait(lambda: len(told(headquarters)) == 2)
        station.wait(lambda: station.outbox.acked == 2)
        headquarters.deaf = True
        station.say(3)
        headquarters.acknowledge(before, 500)
        station.wait(lambda: station.outbox.stream != before)
        headquarters.deaf = False
        station.say(4)
        headquarters.wait(lambda: len(headquarters.heard.get(station.outbox.stream, {})) == 2)
        assert headquarters.numbers(station.outbox.stream) == [1, 2]
        assert told(headquarters) == [1, 2, 3, 4]


def test_a_copied_disk_is_seen_at_its_first_frame_and_loses_nothing_of_either(
    broker: Broker, post: Open, tmp_path: Path
) -> None:
    with Headquarters(broker.port) as headquarters:
        station = post(broker)
        station.say(1, 2)
        headquarters.wait(lambda: len(told(headquarters)) == 2)
        station.wait(lambda: station.outbox.acked == 2)
        station.close()
        for each in tmp_path.glob("station.db*"):
            shutil.copy(each, tmp_path / each.name.replace("station", "copy"))
        again = post(broker)
        again.say(3, 4)
        headquarters.wait(lambda: len(told(headquarters)) == 4)
        again.close()
        before = again.outbox.stream
        copy = post(broker, "copy.db")
        copy.say(5, 6, 7)
        headquarters.wait(lambda: len(told(headquarters)) == 7)
        assert headquarters.forks[:1] == [before]
        assert headquarters.heard.keys() == {before, copy.outbox.stream}
        assert sorted(told(headquarters)) == [1, 2, 3, 4, 5, 6, 7]
        found = headquarters.heard[copy.outbox.stream]
        headquarters.wait(lambda: len(found) == 4)
        assert [(each.why, each.n) for each in found.values() if isinstance(each, Loss)] == [("copy", 0)]


def test_numbers_that_headquarters_cannot_have_are_jumped_over_and_named(broker: Broker, post: Open) -> None:
    with Headquarters(broker.port) as headquarters:
        broker.stall()
        station = post(broker)
        station.say(*range(1, 11))
        station.database.write(lambda db: db.execute("DELETE FROM _stream_up WHERE number IN (4, 5)")).wait()
        broker.resume()
        headquarters.wait(lambda: len(told(headquarters)) == 8)
        assert headquarters.lost == [(4, 5)]
        assert [each.gone for each in headquarters.frames if each.gone] == [4]


def test_a_message_that_headquarters_cannot_read_is_set_aside_and_the_others_arrive(
    broker: Broker, post: Open
) -> None:
    with Headquarters(broker.port) as headquarters:
        headquarters.unreadable = lambda body: b'"n":13}' in body
        broker.stall()
        station = post(broker)
        station.say(*range(1, 31))
        broker.resume()
        headquarters.wait(lambda: len(told(headquarters)) == 29)
        assert told(headquarters) == [n for n in range(1, 31) if n != 13]
        loss = headquarters.heard[station.outbox.stream][13]
        assert isinstance(loss, Loss)
        assert (loss.why, loss.n) == ("parked", 1)
        query = "SELECT number, reason FROM _parked"
        parked = station.database.read(lambda db: db.execute(query).fetchall()).wait().value
        assert parked == [(13, "json")]


def test_nothing_is_set_aside_for_a_headquarters_of_another_version(broker: Broker, post: Open) -> None:
    with Headquarters(broker.port) as headquarters:
        headquarters.unreadable, headquarters.reason = lambda body: True, "version"
        station = post(broker)
        station.say(1, 2, 3)
        headquarters.wait(lambda: len([each for each in headquarters.frames if each.msgs]) >= 6)
        headquarters.unreadable = lambda body: False
        headquarters.wait(lambda: heard(headquarters, 3))
        assert told(headquarters) == [1, 2, 3]
        query = "SELECT count(*) FROM _parked"
        assert station.database.read(lambda db: db.execute(query).fetchone()).wait().value == (0,)


def test_after_a_refusal_the_station_says_nothing_for_a_while_and_still_listens(
    broker: Broker, post: Open
) -> None:
    with Headquarters(broker.port) as headquarters:
        headquarters.unreadable = lambda body: True
        station = post(broker)
        station.wait(lambda: station.connections)
        station.link._retry, station.link._chance = (30.0, 30.0), lambda: 1.0
        station.say(1)
        station.wait(lambda: station.link._quiet_until)
        headquarters.unreadable = lambda body: False
        station.say(2)
        headquarters.say(Poke())
        headquarters.wait(lambda: headquarters.acked.get("hq-1") == 1)
        assert len([each for each in headquarters.frames if each.msgs]) == 1
        station.link._quiet_until = 0.0
        station.link.wake()
        headquarters.wait(lambda: told(headquarters) == [1, 2])


def test_a_stream_renewed_too_late_for_who_waited_is_followed_all_the_same(
    broker: Broker, post: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Headquarters(broker.port) as headquarters:
        station = post(broker)
        before = station.outbox.stream
        station.say(1, 2)
        headquarters.wait(lambda: len(told(headquarters)) == 2)
        station.wait(lambda: station.outbox.acked == 2)
        renew = station.outbox.renew

        def late(after: int | None = None, stream: str = "") -> Any:
            renew(after, stream).wait()
            raise TimeoutError("not settled in time")

        monkeypatch.setattr(station.outbox, "renew", late)
        headquarters.deaf = True
        station.say(3)
        headquarters.acknowledge(before, 500)
        station.wait(lambda: station.connections == 2)
        headquarters.deaf = False
        station.say(4)
        headquarters.wait(lambda: heard(headquarters, 4))
        assert told(headquarters) == [1, 2, 3, 4]
        assert headquarters.numbers(station.outbox.stream) == [1, 2]
        station.wait(lambda: station.outbox.acked == 2)


def test_a_headquarters_that_was_set_back_is_told_where_it_differs(broker: Broker, post: Open) -> None:
    with Headquarters(broker.port) as headquarters:
        station = post(broker)
        station.wait(lambda: station.connections)
        headquarters.say(Poke(collections=["a.a"]), Poke(collections=["b.b"]))
        headquarters.wait(lambda: headquarters.acked.get("hq-1") == 2)
        assert (headquarters.answers[-1].of, headquarters.answers[-1].run) == (2, "hq-run-1")
    station.close()
    again = post(broker)
    with Headquarters(broker.port) as restored:
        again.wait(lambda: again.connections)
        restored.run = "hq-run-2"
        restored.say(Poke(collections=["a.a"]))
        restored.wait(lambda: any(each.fork for each in restored.answers))
        found = next(each for each in restored.answers if each.fork)
        assert (found.of, found.run) == (0, "hq-run-2")
        assert again.letters == []
        restored.stream = "hq-2"
        restored.resend()
        restored.wait(lambda: restored.acked.get("hq-2") == 1)
        assert len(again.letters) == 1


def test_birth_and_death_are_retained_with_a_counter(broker: Broker, post: Open) -> None:
    station = post(broker)
    station.wait(lambda: station.connections)
    with Headquarters(broker.port) as headquarters:
        headquarters.wait(lambda: headquarters.states)
        assert headquarters.states[-1]["online"] is True
        first = headquarters.states[-1]["n"]
        station.close()
        headquarters.wait(lambda: headquarters.states[-1]["online"] is False)
        again = post(broker)
        headquarters.wait(lambda: headquarters.states[-1]["online"] is True)
        assert headquarters.states[-1]["n"] > first
        assert headquarters.states[-1]["boot"] == again.outbox.boot


def test_frames_do_not_wait_for_each_other(
    broker: Broker, post: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []
    serve = Link._serve

    def look(link: Link, client: Any) -> None:
        found.append(client.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        serve(link, client)

    monkeypatch.setattr(Link, "_serve", look)
    station = post(broker)
    station.wait(lambda: found)
    assert found[0]


@pytest.mark.parametrize("broken", ["_on_message", "_hear", "_speak"])
def test_an_exception_on_the_links_thread_costs_the_connection_and_not_the_link(
    broker: Broker, post: Open, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    right = getattr(Link, broken)
    bombs = [True]

    def bomb(*args: Any) -> Any:
        if bombs and (broken != "_speak" or args[0]._outbox.last):
            bombs.clear()
            raise RuntimeError("a bug")
        return right(*args)

    monkeypatch.setattr(Link, broken, bomb)
    with Headquarters(broker.port) as headquarters:
        station = post(broker)
        station.say(1)
        station.wait(lambda: not bombs)
        station.wait(lambda: station.outbox.acked == 1)
        assert station.connections == 2
        assert told(headquarters) == [1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("where", ["_on_message", "_on_connect", "_on_subscribe"])
def test_a_thread_that_dies_inside_the_library_is_replaced(
    broker: Broker, post: Open, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    right = getattr(Link, where)
    dead: list[int] = []

    def die(*args: Any) -> Any:
        if not dead:
            dead.append(threading.get_ident())
            raise SystemExit(1)
        return right(*args)

    monkeypatch.setattr(Link, where, die)
    with Headquarters(broker.port) as headquarters:
        station = post(broker)
        station.say(1)
        begun = time.monotonic()
        station.wait(lambda: station.outbox.acked == 1, 30)
        assert time.monotonic() - begun < 30
        assert told(headquarters) == [1]
        assert dead
        assert links() == 1


def links() -> int:
    return sum(each.name == "yizhan-link" for each in threading.enumerate())


def test_a_thread_that_is_only_slow_is_not_doubled(
    broker: Broker, post: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, go_on = threading.Event(), threading.Event()
    right = Link._hear

    def hear(*args: Any) -> None:
        slow.set()
        assert go_on.wait(10)
        right(*args)

    monkeypatch.setattr(Link, "_hear", hear)
    with Headquarters(broker.port) as headquarters:
        station = post(broker)
        station.say(1)
        assert slow.wait(10)
        station.say(2)
        counted = [links() for _ in range(20) if not go_on.wait(0.01)]
        go_on.set()
        headquarters.wait(lambda: told(headquarters) == [1, 2])
        assert set(counted) == {1}
        assert station.connections == 1


def test_stations_that_lose_the_broker_together_come_back_spread_over_time(tmp_path: Path) -> None:
    database = Database(tmp_path / "station.db", tables.prepare)
    outbox, inbox = Outbox(database, SystemClock()), Inbox(database, SystemClock())
    credentials = Credentials("test-01", "token", Mqtt(port=1, user="u", password="p"), server="")
    chance = random.Random(5)

    def pauses(attempts: int) -> list[float]:
        link = Link(outbox, inbox, database, SystemClock(), credentials, letter=print, chance=chance.random)
        found = [link._pause() for _ in range(attempts)]
        link.stop()
        return found

    fleet = [pauses(8) for _ in range(400)]
    for attempt, longest in enumerate([5, 10, 20, 40, 60, 60, 60, 60]):
        waits = sorted(each[attempt] for each in fleet)
        assert 0 <= waits[0] < 0.05 * longest
        assert 0.95 * longest < waits[-1] <= longest
        # As many come in each tenth of the time, give or take what chance does to forty.
        tenths = [sum(n <= 10 * wait / longest < n + 1 for wait in waits) for n in range(10)]
        assert min(tenths) > 15
        assert max(tenths) < 65
    database.close()


def test_a_broker_that_never_answers_is_left_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr("kiosk.link.KEEPALIVE", 1)
    accepted = 0
    with socket.create_server(("127.0.0.1", 0)) as server:
        station = Post(tmp_path / "station.db", server.getsockname()[1])
        held = []
        server.settimeout(15)
        while accepted < 2:
            held.append(server.accept()[0])
            accepted += 1
        station.close()
        for each in held:
            each.close()


def test_a_half_open_line_is_noticed_within_two_keepalives(
    broker: Broker, post: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.link.KEEPALIVE", 1)
    with Headquarters(broker.port) as headquarters:
        station = post(broker)
        station.say(1)
        station.wait(lambda: station.outbox.acked == 1)
        broker.stall()
        station.wait(lambda: not station.link.online, 3)
        broker.resume()
        station.say(2)
        headquarters.wait(lambda: told(headquarters) == [1, 2])


def test_an_unencrypted_broker_elsewhere_is_refused(tmp_path: Path) -> None:
    station = Post(tmp_path / "station.db", free_port(), host="192.0.2.1")
    try:
        with pytest.raises(PlainRefused):
            station.link._connect()
    finally:
        station.close()


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    config = tmp_path / "nats.conf"
    config.write_text(
        f"server_name: test\nhost: 127.0.0.1\nport: {free_port()}\n"
        f'jetstream {{ store_dir: "{tmp_path}/js" }}\n'
        f"mqtt {{ host: 127.0.0.1, port: {port} }}\n"
    )
    program = shutil.which("nats-server", path=f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    assert program is not None
    process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert any("Server is ready" in line for line in process.stderr)
    threading.Thread(target=process.stderr.read, daemon=True).start()
    yield port
    process.kill()
    process.wait()


def test_the_embedded_broker_carries_both_streams_as_well(nats: int, tmp_path: Path) -> None:
    with Headquarters(nats) as headquarters:
        station = Post(tmp_path / "station.db", nats)
        try:
            station.say(*range(1, 301))
            headquarters.wait(lambda: len(told(headquarters)) == 300)
            headquarters.say(Poke(collections=["a.b"]))
            station.wait(lambda: station.letters)
            headquarters.wait(lambda: headquarters.acked.get("hq-1") == 1)
            assert told(headquarters) == list(range(1, 301))
        finally:
            station.close()
