"""Batches of frames against a real store, without a broker between."""

import json
import shutil
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from protocol import frame as frames
from protocol import messages
from protocol.frame import Ack, Refusal
from protocol.messages import Fault, Heartbeat, Poke, Reply, Request
from protocol.stream import REFUSALS, Sender
from server import queries
from server.completeness import known as known_station
from server.completeness import state
from server.ingest import Arrival, Ingest
from server.store import content, down, parts, stations, streams, watermarks
from server.store import messages as raw_messages
from server.store.gaps import Gap
from server.store.schema import message as message_table
from server.store.schema import refusal
from server.store.streams import Raced
from server.times import TOLERANCE_MS
from tests.server.line import CHECK_IN, NOW, Line, at, upto
from tests.server.station_client import up_ms

NUMBERS = count()
HOUR = 3600 * 1000
DAY = 24 * HOUR
YEAR = 365 * DAY
SECRET = "13800001234"
FIELDS = st.sampled_from(
    ["t", "at", "up", "plugin", "name", "d", "id", "service", "version", "health", "trace"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=8,
).map(lambda each: json.dumps(each).encode())


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path)
    yield line
    line.store.close()


class TestWhatIsStored:
    def test_every_kind_lies_raw_in_its_place(self, line: Line) -> None:
        fault = Fault(plugin="jobs", version="1.0.0", where="tile", kind="ValueError", trace=["a.py:1"])
        line.ingest.take([line.put(CHECK_IN, Heartbeat(), fault, b'{"t":"novel","x":1}', Poke())])
        kinds = [(kind, valid) for kind, valid, _, _ in line.rows()]
        assert kinds == [
            ("event", True),
            ("heartbeat", True),
            ("fault", True),
            ("unknown", False),
            ("unknown", False),
        ]
        with line.store.read() as conn:
            assert queries.faults(conn, 0, NOW * 2)[0].kind == "ValueError"

    def test_an_undeclared_event_is_kept_and_counted_but_in_no_rollup(self, line: Line) -> None:
        wrong = [
            msgspec.structs.replace(CHECK_IN, d={"trade": "pilot", "method": "tap"}),
            msgspec.structs.replace(CHECK_IN, d={"trade": "courier", "method": "tap", "first_today": 1}),
            msgspec.structs.replace(CHECK_IN, plugin="no_such"),
            msgspec.structs.replace(CHECK_IN, name="no_such"),
        ]
        fine = msgspec.structs.replace(CHECK_IN, d={"trade": "courier", "method": "tap", "first_today": True})
        outcome = line.ingest.take([line.put(fine, *wrong, CHECK_IN)])
        assert upto(outcome) == {"st-1": 6}
        assert line.events() == 2
        assert line.refused() == {("undeclared_event", "st-1"): 4}
        assert len(line.rows()) == 6

    def test_a_fields_of_a_later_release_are_kept(self, line: Line) -> None:
        body = b'{"t":"heartbeat","version":"9.0.0","novel":[1,2],"at":1}'
        line.ingest.take([line.put(body)])
        with line.store.read() as conn:
            assert conn.scalar(select(message_table.c.body)) == body.decode()
            assert watermarks.every(conn).keys() == {"st-1"}

    def test_old_messages_expire_and_rollups_stay(self, line: Line) -> None:
        line.ingest.take([line.put(CHECK_IN, CHECK_IN)])
        with line.store.write() as conn:
            assert raw_messages.expire(conn, NOW + raw_messages.DAY_MS, keep_days=400) == 0
            assert raw_messages.expire(conn, NOW + 2 * raw_messages.DAY_MS, keep_days=1) == 2
        assert line.events() == 2


class TestWhoMaySpeak:
    def test_an_unknown_station_is_counted_and_others_are_served(self, line: Line) -> None:
        outcome = line.ingest.take([line.put(CHECK_IN, station="st-9"), line.put(CHECK_IN)])
        assert upto(outcome) == {"st-1": 1}
        assert line.refused() == {("unknown_station", "st-9"): 1}

    def test_a_station_claimed_a_moment_ago_is_known(self, line: Line) -> None:
        with line.store.write() as conn:
            stations.claim(conn, stations.add(conn, "st-3", name="x", now=NOW), NOW)
        assert upto(line.ingest.take([line.put(CHECK_IN, station="st-3")])) == {"st-3": 1}


class TestRaces:
    def test_of_two_collectors_one_stores_and_the_other_finds_it_stored(self, line: Line) -> None:
        one, two = line.another(), line.another()
        one.take([line.put(CHECK_IN)])
        two.take([line.put(CHECK_IN)])
        later = [line.put(CHECK_IN, CHECK_IN, first=2)]
        assert upto(one.take(later)) == upto(two.take(later)) == {"st-1": 3}
        assert line.events() == 3
        assert len(line.rows()) == 3

    def test_a_cursor_that_moved_meanwhile_rolls_everything_back(self, line: Line) -> None:
        line.ingest.take([line.put(CHECK_IN)])
        with line.store.read() as conn:
            cursor = streams.find(conn, "st-1", "s")
        assert cursor is not None
        cursor.upto = 7
        with pytest.raises(Raced), line.store.write() as conn:
            streams.advance(conn, [(cursor, 6)])

    @pytest.fixture
    def poisonous(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def store(conn: object, rows: list[tuple[object, ...]]) -> None:
            if any("poison" in str(row) for row in rows):
                raise ValueError("the driver cannot take this")
            real(conn, rows)  # type: ignore[arg-type]

        real = raw_messages.store
        monkeypatch.setattr(raw_messages, "store", store)

    @pytest.mark.usefixtures("poisonous")
    def test_a_message_that_cannot_be_stored_costs_only_itself(self, line: Line) -> None:
        poison = line.put(CHECK_IN, b'{"t":"poison"}', Heartbeat(), station="st-2", stream="p")
        outcome = line.ingest.take([line.put(CHECK_IN), poison, line.put(CHECK_IN, first=2)])
        assert upto(outcome) == {"st-1": 2, "st-2": 3}
        assert line.events() == 3
        assert line.refused() == {("store", "st-2"): 1}
        assert [kind for kind, *_ in line.rows()] == ["event", "event", "unknown", "heartbeat", "event"]
        after = line.put(CHECK_IN, first=4, station="st-2", stream="p")
        assert upto(line.ingest.take([after])) == {"st-2": 4}

    def refuse(self, monkeypatch: pytest.MonkeyPatch, err: Exception) -> None:
        """What this run says cannot be stored, neither as a frame nor message by message."""

        def begin(conn: Connection, stream_id: int, new: parts.Part) -> None:
            if new.run == "poison":
                raise err
            real(conn, stream_id, new)

        real = parts.begin
        monkeypatch.setattr(parts, "begin", begin)

    @pytest.mark.parametrize(
        "err",
        [
            OverflowError("too large"),
            UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no"),
            DataError("INSERT", (), Exception("no")),
        ],
    )
    def test_a_frame_that_cannot_be_stored_at_all_is_answered_and_its_station_parks_that_message(
        self, line: Line, monkeypatch: pytest.MonkeyPatch, err: Exception
    ) -> None:
        self.refuse(monkeypatch, err)
        sender, parked = Sender(), []
        sender.stored(4)
        sender.connected()
        runs = ["r1", "poison", "r2", "r2"]  # of each message
        for now in range(0, 100_000, 1000):
            if (first := sender.due(now)) is None:
                continue
            run, prior = runs[first - 1], runs[first - 2] if first > 1 else ""
            last = first if sender.alone or first < 3 else 4
            arrival = line.put(*[CHECK_IN] * (last - first + 1), first=first, run=run, prior=prior)
            outcome = line.ingest.take([arrival, line.put(CHECK_IN, station="st-2", stream="p")])
            assert upto(outcome)["st-2"] == 1
            sender.sent(last, now, run)
            refusal = outcome.refused.get("st-1")
            if refusal is None:
                ack = outcome.acks["st-1", "s"]
                sender.acknowledged(ack.upto, now, ack.of, ack.run, ack.fork)
                continue
            assert refusal == Refusal("store", frames.digest(arrival.payload))
            assert "st-1" not in upto(outcome)
            if (number := sender.refused(last, run)) is not None:
                parked.append(number)
                runs[number - 1] = "r1"  # what takes its place can be stored
        assert parked == [2]
        assert sender.acked == 4
        assert line.refused()["store", "st-1"] >= REFUSALS
        assert len(line.rows()) == 5

    @pytest.mark.parametrize(
        "err",
        [
            KeyError("a fault of ours"),
            ValueError("of ours too"),
            RuntimeError(),
            IntegrityError("INSERT", (), Exception("no")),
        ],
    )
    def test_a_frame_that_a_fault_of_ours_keeps_out_is_counted_and_not_refused(
        self, line: Line, monkeypatch: pytest.MonkeyPatch, err: Exception
    ) -> None:
        with monkeypatch.context() as broken:
            self.refuse(broken, err)
            outcome = line.ingest.take([line.put(CHECK_IN, run="poison"), Arrival("st-2", b"{", NOW)])
        assert outcome.refused.keys() == {"st-2"}
        assert not outcome.acks
        assert line.refused()["store", "st-1"] == 1
        assert upto(line.ingest.take([line.put(CHECK_IN, run="poison")])) == {"st-1": 1}

    @pytest.mark.parametrize(
        "err", [OperationalError("INSERT", (), Exception("disk full")), MemoryError(), OSError(28, "full")]
    )
    def test_a_database_in_trouble_refuses_nobody(
        self, line: Line, monkeypatch: pytest.MonkeyPatch, err: Exception
    ) -> None:
        self.refuse(monkeypatch, err)
        with pytest.raises(type(err)):
            line.ingest.take([line.put(CHECK_IN, run="poison")])
        assert line.refused() == {}

    def test_a_number_too_large_for_the_database_is_kept_as_unknown(self, line: Line) -> None:
        huge = b'{"t":"heartbeat","up":-%d}' % 2**70
        outcome = line.ingest.take([line.put(CHECK_IN, huge, CHECK_IN)])
        assert upto(outcome) == {"st-1": 3}
        assert [(kind, valid) for kind, valid, *_ in line.rows()][1] == ("unknown", False)
        assert line.refused() == {("unknown_message", "st-1"): 1}

    @pytest.mark.parametrize(
        "err",
        [
            IntegrityError("INSERT", (SECRET,), Exception("UNIQUE constraint failed"), hide_parameters=True),
            UnicodeEncodeError("utf-8", SECRET + "\ud800", len(SECRET), len(SECRET) + 1, "no"),
        ],
    )
    def test_what_cannot_be_stored_is_described_without_its_words(
        self, line: Line, monkeypatch: pytest.MonkeyPatch, err: Exception
    ) -> None:
        def cannot(*_: object) -> None:
            raise err

        monkeypatch.setattr("server.contents.faults.store", cannot)
        line.ingest.take([line.put(Fault(plugin="jobs", version="1", where="tile", kind="ValueError"))])
        with line.store.read() as conn:
            (problem,) = conn.scalars(select(refusal.c.problem))
        assert problem
        assert SECRET not in problem

    def test_no_sample_of_a_request_is_kept(self, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
        def cannot(*_: object) -> None:
            raise OverflowError("Python int too large to convert to SQLite INTEGER")

        monkeypatch.setattr("server.answers.requests.store", cannot)
        d = {"slot": "S1", "matter": "wages"}
        asked = Request(id=SECRET, plugin="legal_aid", name="place_booking", service="booking", d=d)
        damaged = b'{"t":"request","id":"%b","at":[]}' % SECRET.encode()
        whole = line.put(asked).payload
        line.ingest.take([line.put(CHECK_IN, stream="theirs", station="st-2")])
        line.ingest.take([line.put(asked, damaged), line.put(asked, stream="theirs")])
        cut = frames.encode(frames.decode(line.put(*[asked] * 40).payload))[:-30]
        line.ingest.take([Arrival("st-1", whole[:-9], NOW), Arrival("st-1", cut, NOW)])
        with line.store.read() as conn:
            found = conn.execute(select(refusal.c.reason, refusal.c.sample)).all()
        reasons = {"store", "unknown_message", "foreign_stream", "json", "gzip"}
        assert dict(tuple(row) for row in found) == dict.fromkeys(reasons, b"")

    def test_an_answer_beside_a_message_that_cannot_be_stored_arrives(
        self, line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cannot(*_: object) -> None:
            raise OverflowError("Python int too large to convert to SQLite INTEGER")

        monkeypatch.setattr("server.contents.faults.store", cannot)
        d = {"slot": "S1", "matter": "wages"}
        asked = Request(id="r", plugin="legal_aid", name="place_booking", service="booking", d=d)
        fault = Fault(plugin="jobs", version="1.0.0", where="tile", kind="ValueError")
        again = msgspec.structs.replace(asked, id="r2")
        line.ingest.take([line.put(asked, fault, again)])
        assert [(reply.id, reply.status) for reply in line.replies()] == [
            ("r", "refused"),
            ("r2", "refused"),
        ]
        assert line.refused() == {("store", "st-1"): 1}


class TestRequests:
    def test_a_request_that_breaks_its_manifest_is_refused_in_words(self, line: Line) -> None:
        asked = Request(id="r", plugin="legal_aid", name="place_booking", service="booking", d={"slot": "S1"})
        line.ingest.take([line.put(asked)])
        line.downlink.heard("st-1")
        line.downlink.pump(line.store, {})
        (_, frame), *_ = line.sent
        reply = messages.decode(frame.msgs[0])
        assert isinstance(reply, messages.Reply)
        assert (reply.status, reply.d) == ("refused", {"why": "unknown"})
        assert line.refused() == {("undeclared_request", "st-1"): 1}

    def test_a_service_that_fails_leaves_its_request_waiting(self, line: Line) -> None:
        def broken(*_: object) -> messages.Reply:
            raise RuntimeError("a service with a fault")

        ingest = Ingest(line.store, line.manifests, line.downlink, {"booking": broken})
        d = {"slot": "S1", "matter": "wages"}
        asked = Request(id="r", plugin="legal_aid", name="place_booking", service="booking", d=d)
        outcome = ingest.take([line.put(asked, CHECK_IN)])
        assert upto(outcome) == {"st-1": 2}
        assert line.refused() == {("service_failed", "st-1"): 1}
        with line.store.read() as conn:
            day = queries.booked(conn, 0, NOW * 2)
        assert (day.waiting, day.confirmed) == (1, 0)

    def asked(self, line: Line, ingest: Ingest) -> None:
        d = {"slot": "S1", "matter": "wages"}
        asked = Request(id="r", plugin="legal_aid", name="place_booking", service="booking", d=d)
        ingest.take([line.put(asked)])
        assert line.replies() == []

    def test_a_request_that_waits_is_answered_when_its_service_is_there(self, line: Line) -> None:
        self.asked(line, Ingest(line.store, line.manifests, line.downlink, {}))
        line.restart()  # with the service
        assert line.ingest.take_waiting(NOW)
        assert [(each.id, each.status, each.d) for each in line.replies()] == [
            ("r", "refused", {"why": "no_such_slot"})
        ]
        assert not line.ingest.take_waiting(NOW)

    def test_after_five_tries_the_visitor_is_told(self, line: Line) -> None:
        tries = []

        def broken(*_: object) -> messages.Reply:
            tries.append(1)
            raise RuntimeError("a service with a fault")

        ingest = Ingest(line.store, line.manifests, line.downlink, {"booking": broken})
        self.asked(line, ingest)
        for _ in range(3):
            assert ingest.take_waiting(NOW)
        assert line.replies() == []
        assert ingest.take_waiting(NOW)
        assert [(each.id, each.status, each.d) for each in line.replies()] == [
            ("r", "refused", {"why": "unavailable"})
        ]
        assert len(tries) == 5
        assert line.refused() == {("service_failed", "st-1"): 5}
        assert not ingest.take_waiting(NOW)

    def test_an_answer_that_cannot_be_stored_leaves_the_other_requests_theirs(
        self, line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = Request(id="r", plugin="legal_aid", name="place_booking", service="booking", d={})
        asked = msgspec.structs.replace(asked, d={"slot": "S1", "matter": "wages"})
        also = msgspec.structs.replace(asked, id="r2")
        Ingest(line.store, line.manifests, line.downlink, {}).take([line.put(asked, also)])
        say = line.downlink.say

        def cannot(conn: Connection, station: str, said: list[Reply], now: int) -> None:
            say(conn, station, said, now)
            if said[0].id == "r":
                raise OverflowError("Python int too large to convert to SQLite INTEGER")

        monkeypatch.setattr(line.downlink, "say", cannot)
        assert line.ingest.take_waiting(NOW)
        assert [each.id for each in line.replies()] == ["r2"]


class TestAfterARestore:
    def test_a_replayed_booking_gets_its_code_again_and_the_answer_arrives(self, tmp_path: Path) -> None:
        line = Line(tmp_path / "hq")
        slot = {"slot_id": "S1", "date": "2099-01-05", "start": "09:00", "minutes": 30, "person": "1 号律师"}
        slot |= {"role": "lawyer", "matters": "wages", "room": "101", "free": True}
        d = {"slot": "S1", "matter": "wages"}
        asked = Request(id="r", plugin="legal_aid", name="place_booking", service="booking", d=d)
        with line.store.write() as conn:
            content.put(conn, "legal_aid.slots", "slot_id", [slot])
        line.store.checkpoint(empty=True)
        shutil.copytree(tmp_path / "hq", tmp_path / "backup")
        frame = line.put(asked)
        line.ingest.take([frame])
        (first,) = line.replies()
        stream = line.sent[-1][1].stream
        line.store.close()

        restored = Line(tmp_path / "backup", stations_too=False)
        # Beside the replayed request stands what the station owns: more than the backup ever said.
        restored.ingest.take([line.put(asked, ack=Ack(stream, 1))])
        (again,) = restored.replies()
        assert (again.id, again.status, again.d) == ("r", "confirmed", first.d)
        assert restored.sent[-1][1].stream != stream
        restored.store.close()

    def test_an_answer_just_stored_is_not_taken_for_acknowledged(self, line: Line) -> None:
        asked = Request(id="r", plugin="legal_aid", name="place_booking", service="booking", d={})
        with line.store.read() as conn:
            stream = down.head(conn, "st-1").name
        line.ingest.take([line.put(asked), line.put(CHECK_IN, first=2, ack=Ack(stream, 1))])
        assert [reply.id for reply in line.replies()] == ["r"]


class TestTimes:
    def test_a_right_clock_is_believed(self, line: Line) -> None:
        line.ingest.take([line.put(at(CHECK_IN, NOW - 3000, 2000))])
        assert line.rows()[0][2:] == (NOW - 3000, "ok")

    def test_a_wrong_clock_is_corrected_by_the_age(self, line: Line) -> None:
        line.ingest.take([line.put(at(CHECK_IN, 1000, 2000), sent=4000)])
        assert line.rows()[0][2:] == (NOW - 3000, "corrected")

    def test_a_clock_that_was_set_meanwhile_is_corrected(self, line: Line) -> None:
        line.ingest.take([line.put(at(CHECK_IN, 86_400_000, 1000))])
        assert line.rows()[0][2:] == (NOW - 4000, "corrected")

    def test_ten_years_ahead_in_an_earlier_boot_is_marked_unsure(self, line: Line) -> None:
        ahead = NOW + 10 * 365 * 86_400_000
        line.ingest.take([line.put(at(CHECK_IN, ahead, 2000), up=0)])
        assert line.rows()[0][2:] == (NOW, "unsure")

    def test_an_earlier_boot_with_a_right_clock_is_believed(self, line: Line) -> None:
        line.ingest.take([line.put(at(CHECK_IN, NOW - 86_400_000, 999_999_999), up=0)])
        assert line.rows()[0][2:] == (NOW - 86_400_000, "ok")

    def test_a_frame_that_a_line_held_up_does_not_make_a_right_clock_wrong(self, line: Line) -> None:
        beat = at(Heartbeat(), NOW - 100, 4900)
        line.ingest.take([line.put(beat, sent=NOW, now=NOW + 70_000)])
        assert line.rows()[0][2:] == (NOW - 100, "ok")
        with line.store.read() as conn:
            assert watermarks.every(conn) == {"st-1": NOW - 100}

    def test_a_corrected_heartbeat_promises_nothing_of_the_time_its_frame_may_have_taken(
        self, line: Line
    ) -> None:
        line.ingest.take([line.put(at(Heartbeat(), 1000, 2000), sent=4000)])
        assert line.rows()[0][2:] == (NOW - 3000, "corrected")
        with line.store.read() as conn:
            assert watermarks.every(conn) == {"st-1": NOW - 3000 - TOLERANCE_MS}

    def test_what_comes_behind_a_time_ahead_is_believed_again(self, line: Line) -> None:
        ahead, right = at(CHECK_IN, NOW + 10 * YEAR, 2000), at(CHECK_IN, NOW - 9 * HOUR, 3000)
        line.ingest.take([line.put(ahead, right, up=0)])
        line.ingest.take([line.put(at(CHECK_IN, NOW - 8 * HOUR, 4000), first=3, up=0)])
        assert [row[2:] for row in line.rows()] == [
            (NOW, "unsure"),
            (NOW - 9 * HOUR, "ok"),
            (NOW - 8 * HOUR, "ok"),
        ]

    def test_an_unsure_heartbeat_moves_no_watermark(self, line: Line) -> None:
        line.ingest.take([line.put(at(Heartbeat(), 5, 9000), up=0)])
        with line.store.read() as conn:
            assert watermarks.every(conn) == {}
        assert line.rows()[0][3] == "unsure"
        assert line.gaps() == []  # the figures count no heartbeats

    def test_hours_in_question_of_events_in_1970_are_not_complete(self, line: Line) -> None:
        known = at(Heartbeat(), NOW - 6 * HOUR, 1)
        line.ingest.take([line.put(known, now=NOW - 6 * HOUR + 9, up=10)])
        # Five hours without a line, in which the machine starts and takes it to be 1970; then it starts anew.
        msgs = [at(CHECK_IN, 1000 + n * HOUR, n * HOUR) for n in range(5)]
        line.ingest.take([line.put(*msgs[:2], first=2, up=0, now=NOW - 100)])
        line.ingest.take([line.put(*msgs[2:], first=4, up=0)])
        line.ingest.take([line.put(at(Heartbeat(), NOW, 4999), first=7)])
        assert line.gaps() == [Gap("st-1", NOW - 6 * HOUR, NOW, "clock", 5, NOW)]
        with line.store.read() as conn:
            (upto,) = watermarks.every(conn).values()
        station = known_station(NOW - DAY, None, upto, line.gaps())
        assert station is not None
        for n in (1, 3, 5):
            start = NOW - n * HOUR
            assert state(station, start, start + HOUR // 2, NOW) == "unknown"
        assert state(station, NOW - 8 * HOUR, NOW - 7 * HOUR, NOW) == "complete"

    def test_two_spans_without_a_time_are_two_gaps(self, line: Line) -> None:
        line.ingest.take([line.put(at(CHECK_IN, 5, 9000), up=0, now=NOW + HOUR)])
        line.ingest.take([line.put(at(CHECK_IN, NOW + 2 * HOUR, 1), first=2, up=1, now=NOW + 2 * HOUR)])
        line.ingest.take([line.put(at(CHECK_IN, 5, 9000), first=3, up=0, now=NOW + 3 * HOUR)])
        since = line.gaps()[0].since
        assert line.gaps() == [
            Gap("st-1", since, NOW + HOUR, "clock", 1, NOW + HOUR),
            Gap("st-1", NOW + 2 * HOUR, NOW + 3 * HOUR, "clock", 1, NOW + 3 * HOUR),
        ]

    def test_message_by_message_the_gap_is_the_same(
        self, line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fault = Fault(plugin="jobs", version="1.0.0", where="tile", kind="ValueError")

        def cannot(*_: object) -> None:
            raise OverflowError("Python int too large to convert to SQLite INTEGER")

        monkeypatch.setattr("server.contents.faults.store", cannot)
        line.ingest.take([line.put(at(CHECK_IN, 5, 9), at(fault, 6, 10), at(CHECK_IN, 7, 11), up=0)])
        assert [(each.why, each.n, each.until) for each in line.gaps()] == [("clock", 2, NOW)]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=200), st.lists(st.one_of(st.binary(max_size=60), JSON), max_size=5)))
def test_no_bytes_break_the_ingest(line: Line, data: bytes | list[bytes]) -> None:
    if isinstance(data, list):
        inner = b",".join([b'{"t":"event"}', *data])
        data = b'{"v":1,"stream":"fuzz %d","first":1,"msgs":[%b]}' % (next(NUMBERS), inner)
    before = up_ms()
    line.ingest.take([Arrival("st-2", data, NOW)])
    assert up_ms() - before < 5000


def test_the_ingest_path_takes_many_events_a_second(line: Line) -> None:
    many = [line.put(*[CHECK_IN] * 250, first=1 + 250 * n) for n in range(40)]
    line.ingest.take([line.put(CHECK_IN, station="st-2", stream="warm")])
    began = time.process_time()
    line.ingest.take(many)
    rate = 10_000 / (time.process_time() - began)
    assert rate > 10_000  # five times below what it takes here, for slow machines
    assert line.events() == 10_001
