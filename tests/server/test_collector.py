"""What a station says is counted once, whatever happens on the way; both brokers, real processes."""

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from protocol import messages
from protocol.frame import Ack
from protocol.messages import Event, Reply
from protocol.stream import RETRY_MIN
from server.app import Headquarters
from server.services import SERVICES
from server.store import content, stations, streams, watermarks
from server.store import messages as raw_messages
from tests.server.headquarters import SLOTS, Office, eventually
from tests.server.station_client import StationClient, wall_ms


def test_counts_are_exact_over_restarts_of_headquarters(office: Office) -> None:
    with office.station("st-1") as one, office.station("st-2") as two:
        one.check_in(700)
        two.check_in(300)
        one.acked()
        office.restart()
        one.check_in(55)
        two.check_in(45)
        one.acked()
        two.acked()
    assert office.rollups() == {"st-1": 755, "st-2": 345}
    assert office.stored("st-1") == 755
    assert office.agrees()


def test_repeated_frames_change_nothing(nats_office: Office) -> None:
    with nats_office.station("st-1") as station:
        station.check_in(10)
        station.acked()
        before = station.frame(1, station.outbox)
        for _ in range(5):
            station.publish(before)
        station.check_in(1)
        station.acked()
    assert nats_office.rollups() == {"st-1": 11}
    assert nats_office.agrees()


def test_a_frame_beyond_a_gap_is_not_stored_until_the_gap_is_filled(nats_office: Office) -> None:
    with nats_office.station("st-1") as station:
        station.check_in(5)
        station.acked()
        later = [messages.encode(Event(at=wall_ms(), plugin="check_in", name="opened"))]
        station.publish(station.frame(9, later))
        station.check_in(3)
        station.acked()
        assert nats_office.stored("st-1") == 8
        station.check_in(1)
        station.acked(9)
    assert nats_office.stored("st-1") == 9


def test_what_the_station_has_let_go_is_recorded_as_lost(nats_office: Office) -> None:
    with nats_office.station("st-1") as station:
        station.check_in(2)
        station.acked()
        body = messages.encode(Event(at=wall_ms(), plugin="hello", name="opened"))
        station.publish(station.frame(10, [body], low=10))
        eventually(lambda: nats_office.stored("st-1") == 3)
    with nats_office.store.read() as conn:
        assert streams.lost_messages(conn) == {"st-1": 7}


def test_a_station_cannot_speak_or_listen_for_another(office: Office) -> None:
    with office.station("st-1") as one, office.station("st-2") as two:
        two.check_in(1)
        two.acked()
        forged = two.frame(2, [messages.encode(Event(at=wall_ms(), plugin="hello", name="opened"))])
        one.publish(forged, topic=two.topic("up"))
        one.publish(b'{"online":false,"n":99}', topic=two.topic("state"))
        one.check_in(1)
        one.acked()
        two.check_in(1)
        two.acked()
        assert office.stored("st-2") == 2
        seen = office.presence("st-2")
        assert seen is not None
        assert seen.online
        heard = []
        one._client.message_callback_add(two.topic("down"), lambda *_: heard.append(1))
        one._client.subscribe(two.topic("down"))
        one._client.subscribe("yz/1/#")
        two.check_in(1)
        two.acked()
        one.check_in(1)
        one.acked()
        assert not heard


def test_a_stream_of_another_station_is_refused(nats_office: Office) -> None:
    with nats_office.station("st-1") as one, nats_office.station("st-2") as two:
        one.check_in(1)
        one.acked()
        two.stream = one.stream
        two.publish(two.frame(2, one.outbox))
        eventually(lambda: nats_office.refused().get(("foreign_stream", "st-2")) == 1)
        assert nats_office.stored("st-2") == 0


def test_malformed_frames_are_counted_and_harm_nobody(nats_office: Office) -> None:
    with nats_office.station("st-1") as bad, nats_office.station("st-2") as good:
        for payload in (b"", b"{", b"\x1f\x8bnot gzip", b'{"v":9,"stream":"x","first":1}', b"x" * 300_000):
            bad.publish(payload)
        bad.publish(b'{"v":1,"stream":"y","first":0}')
        good.check_in(20)
        good.acked()
        bad.check_in(1)
        bad.acked()
    assert nats_office.refused() == {
        ("json", "st-1"): 2,
        ("gzip", "st-1"): 1,
        ("version", "st-1"): 1,
        ("size", "st-1"): 1,
        ("range", "st-1"): 1,
    }
    assert nats_office.rollups() == {"st-1": 1, "st-2": 20}


def test_a_revoked_station_is_cut_off(office: Office) -> None:
    with office.station("st-1") as one, office.station("st-2") as two:
        one.check_in(1)
        one.acked()
        with office.store.write() as conn:
            stations.revoke(conn, "st-1", wall_ms())
        office.hq.live.notice()
        eventually(lambda: not one._client.is_connected())
        two.check_in(1)
        two.acked()
        assert office.stored("st-1") == 1


def test_of_two_requests_for_one_slot_exactly_one_is_confirmed(nats_office: Office) -> None:
    office = nats_office
    office.slot("S1")
    for n, start in enumerate(("09:30", "10:00", "10:30", "11:00", "11:30"), 2):
        office.slot(f"S{n}", start=start)
    with office.station("st-1") as one, office.station("st-2") as two:
        one.book("S1", "r-one")
        two.book("S1", "r-two")
        replies = {one.reply().status: one, two.reply().status: two}
        assert replies.keys() == {"confirmed", "taken"}
    with office.store.read() as conn:
        slot = content.row(conn, SLOTS, "S1")
    assert slot is not None
    assert slot["free"] is False


def test_a_reply_leaves_at_once_and_a_repeated_request_gets_the_same_one(nats_office: Office) -> None:
    nats_office.slot("S1")
    with nats_office.station("st-1") as station:
        station.heartbeat()
        station.acked()
        began = time.monotonic()
        station.book("S1", "r-1")
        first = station.reply()
        took = time.monotonic() - began
        assert first.status == "confirmed"
        assert first.d["slot"] == "S1"
        station.book("S1", "r-1")
        again = station.reply()
        assert (again.id, again.status, again.d) == (first.id, first.status, first.d)
    assert took < RETRY_MIN  # the answer to the first sending, not to a repetition


def test_what_a_service_could_not_answer_is_answered_after_a_restart(
    nats_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    nats_office.slot("S1")
    booking = SERVICES["booking"]

    def broken(*_: object) -> Reply:
        raise RuntimeError("a service with a fault")

    with nats_office.station("st-1") as station:
        monkeypatch.setitem(SERVICES, "booking", broken)
        station.book("S1", "r-1")
        station.acked()
        monkeypatch.setitem(SERVICES, "booking", booking)
        nats_office.restart()
        reply = station.reply()
    assert (reply.id, reply.status) == ("r-1", "confirmed")


def test_replies_that_the_station_did_not_get_come_again(nats_office: Office) -> None:
    nats_office.slot("S1")
    with nats_office.station("st-1") as station:
        station.book("S1", "r-1")
        assert station.reply().status == "confirmed"
        station.acked()
        # The station lost its disk since: it owns nothing of the stream down, and says so.
        station.forget_down()
        station._ack = Ack(station._heard, 0)
        station.heartbeat()
        assert station.reply().id == "r-1"


def test_a_changed_collection_pokes_every_station(nats_office: Office) -> None:
    with nats_office.station("st-1") as one, nats_office.station("st-2") as two:
        one.heartbeat()
        two.heartbeat()
        one.acked()
        two.acked()
        nats_office.slot("S1")
        one.poke(SLOTS)
        two.poke(SLOTS)


def test_only_a_heartbeat_moves_the_watermark(nats_office: Office) -> None:
    def mark() -> int | None:
        with nats_office.store.read() as conn:
            return watermarks.every(conn).get("st-1")

    with nats_office.station("st-1") as station:
        station.check_in(3)
        station.acked()
        assert mark() is None
        before = wall_ms()
        station.heartbeat()
        station.acked()
        reached = mark()
        assert reached is not None
        assert before - 5 <= reached <= wall_ms()
        station.check_in(3)
        station.acked()
        assert mark() == reached


def test_a_will_of_an_older_connection_changes_nothing(nats_office: Office) -> None:
    with nats_office.station("st-1") as station:
        station._births = 6
        station.publish(b'{"online":true,"n":7,"boot":"b"}', topic=station.topic("state"))
        station.publish(b'{"online":false,"n":6,"boot":"a"}', topic=station.topic("state"))
        station.heartbeat()
        station.acked()
        seen = nats_office.presence("st-1")
        assert seen is not None
        assert seen.online
        assert seen.counter == 7
        station._births = 7
        station.boot = "b"
    eventually(lambda: not nats_office.presence("st-1").online)  # type: ignore[union-attr]


def test_a_will_of_a_boot_before_the_present_one_changes_nothing(nats_office: Office) -> None:
    with nats_office.station("st-1") as station:
        for state in (
            b'{"online":true,"n":7,"boot":"old"}',
            b'{"online":true,"n":1,"boot":"new"}',  # another disk, which counts from 1 again
            b'{"online":false,"n":7,"boot":"old"}',
        ):
            station.publish(state, topic=station.topic("state"))
        station.heartbeat()
        station.acked()
        seen = nats_office.presence("st-1")
        assert seen is not None
        assert (seen.online, seen.counter, seen.boot) == (True, 1, "new")

        def gone() -> bool:
            # Again if the client was still to answer something: who speaks behind a will is there.
            station.publish(b'{"online":false,"n":1,"boot":"new"}', topic=station.topic("state"))
            return not nats_office.presence("st-1").online  # type: ignore[union-attr]

        eventually(gone)


def test_what_the_broker_has_kept_tells_who_left_while_nobody_listened(nats_office: Office) -> None:
    with nats_office.station("st-1") as station:
        station.heartbeat()
        station.acked()
        nats_office.collector.stop()
        # Another boot came and went meanwhile: of it only the will is left.
        payload = b'{"online":false,"n":1,"boot":"another"}'
        station._client.publish(station.topic("state"), payload, retain=True).wait_for_publish(20)
        heir = Headquarters.open(nats_office.options)
        try:
            heir.collect_beside()
            eventually(lambda: not nats_office.presence("st-1").online)  # type: ignore[union-attr]
        finally:
            heir.stop()


def test_an_impossible_birth_is_dropped_and_harms_nobody(nats_office: Office) -> None:
    with nats_office.station("st-1") as bad, nats_office.station("st-2") as good:
        for state in (
            b'{"online":true,"n":%d}' % 2**70,
            b'{"online":true,"n":-1}',
            b'{"online":true,"n":9,"boot":"%s"}' % (b"b" * 65),
            b'{"online":true,"n":9,"boot":"\\u0000"}',
        ):
            bad.publish(state, topic=bad.topic("state"))
        for station in (good, bad):
            station.check_in(3)
            station.acked()
        seen = nats_office.presence("st-1")
    assert seen is not None
    assert seen.counter == 1
    assert nats_office.rollups() == {"st-1": 3, "st-2": 3}


def test_births_and_wills_without_end_do_not_fill_the_queue(
    nats_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = nats_office.collector
    going_on, busy = threading.Event(), threading.Event()
    work = collector._work

    def slow(items: list[Any]) -> None:
        if items:
            busy.set()
            going_on.wait(30)
        work(items)

    with nats_office.station("st-1") as mad:
        mad.check_in(1)
        mad.acked()
        monkeypatch.setattr(collector, "_work", slow)
        last = 0
        for _ in range(3):
            for _ in range(200):
                last += 1
                state = b'{"online":true,"n":%d,"boot":"mad"}' % last
                mad.publish(state, topic=mad.topic("state"))
            came = collector._came["st-1"]
            mad.check_in(1)
            eventually(lambda: collector._came["st-1"] > came)  # noqa: B023 - called at once
        assert busy.wait(10)
        assert collector._queue.qsize() < 20
        going_on.set()
        mad.acked()
        assert nats_office.rollups() == {"st-1": 4}
        eventually(lambda: nats_office.presence("st-1").counter == last)  # type: ignore[union-attr]


def test_a_birth_that_cannot_be_stored_costs_no_frame(
    nats_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def cannot(*_: object) -> None:
        failed.set()
        raise OverflowError("Python int too large to convert to SQLite INTEGER")

    monkeypatch.setattr(nats_office.collector, "_states", cannot)
    with nats_office.station("st-1") as station:
        station.check_in(3)
        station.acked()
    assert failed.is_set()
    assert nats_office.rollups() == {"st-1": 3}


def test_a_failing_look_at_the_mqtt_thread_does_not_end_the_collector(
    nats_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def cannot() -> None:
        failed.set()
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(nats_office.collector, "_watch", cannot)
    assert failed.wait(20)
    with nats_office.station("st-1") as station:
        station.check_in(3)
        station.acked()


def test_a_station_that_dies_is_offline_by_its_will(office: Office) -> None:
    with office.station("st-1") as station:
        station.heartbeat()
        station.acked()
        station._client.loop_stop()
        station._client._sock_close()  # a cut cable: no good-bye
        eventually(lambda: not office.presence("st-1").online)  # type: ignore[union-attr]


def test_a_broker_that_dies_is_started_again_and_nothing_is_lost(nats_office: Office) -> None:
    with nats_office.station("st-1") as station:
        station.check_in(10)
        station.acked()
        nats_office.kill_broker()
        station.check_in(10)
        station.acked()
    assert nats_office.rollups() == {"st-1": 20}


def test_a_locked_database_takes_nothing_and_recovers_alone(nats_office: Office) -> None:
    with nats_office.station("st-1") as station:
        station.heartbeat()
        station.acked()
        other = sqlite3.connect(nats_office.options.data / "headquarters.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        station.check_in(10)
        eventually(lambda: nats_office.hq.live.stale_since is not None)
        assert station._sender.acked == 1
        other.execute("ROLLBACK")
        other.close()
        eventually(lambda: nats_office.hq.live.stale_since is None)
        station.acked()
    assert nats_office.rollups() == {"st-1": 10}


def test_a_database_that_stays_locked_is_stale_all_the_time(nats_office: Office) -> None:
    live = nats_office.hq.live
    with nats_office.station("st-1") as station:
        station.heartbeat()
        station.acked()
        other = sqlite3.connect(nats_office.options.data / "headquarters.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        station.check_in(1)
        eventually(lambda: live.stale_since is not None)
        since, rounds = live.stale_since, nats_office.collector._failed
        eventually(lambda: nats_office.collector._failed > rounds + 2)
        assert live.stale_since == since
        other.execute("ROLLBACK")
        other.close()
        station.acked()
    eventually(lambda: live.stale_since is None)


def test_a_full_disk_takes_nothing_and_recovers_alone(nats_office: Office) -> None:
    store, live = nats_office.store, nats_office.hq.live

    def pages(driver: Any, *_: object) -> None:
        driver.execute(f"PRAGMA max_page_count = {limit[0]}")

    event.listen(store.engine, "connect", pages)
    with nats_office.station("st-1") as station:
        station.heartbeat()
        station.acked()
        limit = [1]  # which SQLite reads as: no more than there are now
        store.renew()
        station.check_in(400)
        eventually(lambda: live.stale_since is not None)
        assert station._sender.acked < len(station.outbox)
        limit[0] = 1_000_000
        store.renew()
        station.acked()
    eventually(lambda: live.stale_since is None)
    assert nats_office.rollups() == {"st-1": 400}
    assert nats_office.agrees()


@pytest.mark.parametrize("err", [MemoryError(), SystemExit(3), RecursionError(), OSError(28, "full")])
def test_nothing_ends_the_collectors_thread(
    nats_office: Office, monkeypatch: pytest.MonkeyPatch, err: BaseException
) -> None:
    failed = threading.Event()

    def cannot(*_: object) -> None:
        if not failed.is_set():
            failed.set()
            raise err

    with nats_office.station("st-1") as station:
        station.heartbeat()
        station.acked()
        monkeypatch.setattr("server.batch.raw_messages.store", _after(cannot, raw_messages.store))
        station.check_in(3)
        station.acked()
    assert failed.is_set()
    assert nats_office.rollups() == {"st-1": 3}
    assert nats_office.agrees()


def _after(first: Callable[..., None], then: Callable[..., None]) -> Callable[..., None]:
    def both(*given: object) -> None:
        first(*given)
        then(*given)

    return both


def test_broken_connections_to_the_database_are_replaced(nats_office: Office) -> None:
    with nats_office.station("st-1") as station:
        station.heartbeat()
        station.acked()
        with nats_office.store.engine.connect() as one, nats_office.store.engine.connect() as two:
            drivers = [each.connection.driver_connection for each in (one, two)]
        for driver in drivers:
            assert driver is not None
            driver.close()
        station.check_in(3)
        station.acked()
    assert nats_office.rollups() == {"st-1": 3}


def test_a_broker_whose_store_is_deleted_serves_on_and_loses_nothing(nats_office: Office) -> None:
    with nats_office.station("st-1") as station:
        station.check_in(10)
        station.acked()
        shutil.rmtree(nats_office.options.data / "broker" / "store")
        station.check_in(10)
        station.acked()
        with nats_office.station("st-2") as another:  # a new session
            another.check_in(1)
            another.acked()
        nats_office.kill_broker()
        station.check_in(10)
        station.acked()
    assert nats_office.rollups() == {"st-1": 30, "st-2": 1}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # that is the fault
def test_a_dead_mqtt_thread_is_replaced(nats_office: Office) -> None:
    collector = nats_office.collector
    with nats_office.station("st-1") as station:
        station.heartbeat()
        station.acked()

        def broken(*_: object) -> None:
            raise RuntimeError("a callback that raises")

        collector._client.on_message = broken
        station.publish(b"{}")
        eventually(lambda: collector._client.on_message is not broken)
        station.check_in(1)
        station.acked()


def test_unclaimed_credentials_do_not_get_in(office: Office) -> None:
    claimed = office.claim("st-1")
    office.hq.live.notice()
    stranger = StationClient(type(claimed)("st-1", "token", "wrong password"), office.port)
    stranger._client.connect("127.0.0.1", office.port)
    refused = []
    stranger._client.on_connect = lambda _c, _u, _f, reason, _p: refused.append(reason.is_failure)
    stranger._client.loop_start()
    eventually(lambda: bool(refused))
    stranger._client.loop_stop()
    assert refused[0]
