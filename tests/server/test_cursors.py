"""Runs, forks, holes and clones: what the numbers and runs of frames tell about the disks they come from."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from protocol import frame as frames
from protocol.frame import Ack, Refusal
from protocol.messages import Heartbeat, Loss
from protocol.stream import branch
from server.cursors import LATE_MS
from server.ingest import Arrival
from server.store import clones, parts, stations, streams
from server.store.clones import Machine
from server.store.gaps import Gap
from server.store.schema import refusal
from tests.server.line import CHECK_IN, NOW, Line, at, upto

LATER = NOW + LATE_MS + 1
HOUR = 3600 * 1000
YEAR = 365 * 24 * HOUR


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path)
    yield line
    line.store.close()


def problem(line: Line, reason: str) -> str:
    with line.store.read() as conn:
        return conn.scalar(select(refusal.c.problem).where(refusal.c.reason == reason)) or ""


class TestRuns:
    def test_every_run_has_its_part_and_a_repetition_none(self, line: Line) -> None:
        line.ingest.take([line.put(CHECK_IN, CHECK_IN, run="r1")])
        line.ingest.take([line.put(CHECK_IN, first=3, run="r1", prior="r1")])
        line.ingest.take([line.put(CHECK_IN, first=4, run="r2", prior="r1", boot="c", now=NOW + 5)])
        line.ingest.take([line.put(CHECK_IN, CHECK_IN, run="r1")])
        with line.store.read() as conn:
            cursor = streams.find(conn, "st-1", "s")
            assert cursor is not None
            assert parts.behind(conn, cursor.id, 1) == [
                parts.Part(1, "r1", "b", NOW),
                parts.Part(4, "r2", "c", NOW + 5),
            ]
            assert [(each.run, each.since, each.until) for each in parts.heard(conn, "st-1")] == [
                ("r2", NOW + 5, NOW + 5),
                ("r1", NOW, NOW + 5),
            ]
        assert len(line.rows()) == 4
        assert line.refused() == {}

    def test_an_ack_names_the_frame_that_it_answers(self, line: Line) -> None:
        outcome = line.ingest.take([line.put(CHECK_IN, CHECK_IN, run="r1")])
        assert outcome.acks == {("st-1", "s"): Ack("s", 2, 2, "r1")}

    def test_of_several_frames_the_greatest_is_answered(self, line: Line) -> None:
        one, two = line.put(CHECK_IN, run="r1"), line.put(CHECK_IN, CHECK_IN, first=2, run="r1", prior="r1")
        beyond = line.put(CHECK_IN, first=9, run="r1", prior="r1")
        assert line.ingest.take([two, one]).acks == {("st-1", "s"): Ack("s", 1, 3, "r1")}
        assert line.ingest.take([one, two]).acks == {("st-1", "s"): Ack("s", 3, 3, "r1")}
        assert line.ingest.take([beyond, one]).acks == {("st-1", "s"): Ack("s", 3, 9, "r1")}

    def test_another_run_under_known_numbers_is_a_fork(self, line: Line) -> None:
        line.ingest.take([line.put(CHECK_IN, CHECK_IN, run="r1")])
        line.ingest.take([line.put(CHECK_IN, CHECK_IN, first=3, run="r2", prior="r1")])
        copy = line.put(CHECK_IN, CHECK_IN, CHECK_IN, first=3, run="r3", prior="r1")
        on = line.put(CHECK_IN, first=5, run="r2", prior="r2")
        assert line.ingest.take([copy]).acks == {("st-1", "s"): Ack("s", 4, 2, "r3", fork=True)}
        # A fork wins over a good frame of the same batch, which is stored all the same.
        assert line.ingest.take([copy, on]).acks == {("st-1", "s"): Ack("s", 5, 2, "r3", fork=True)}
        assert len(line.rows()) == 5
        assert line.refused() == {("forked", "st-1"): 2}
        assert line.gaps() == []  # the station says itself what it lost, in its new stream

    def test_what_follows_another_message_than_ours_is_a_fork_also_behind_the_last_part(
        self, line: Line
    ) -> None:
        for first, run, prior in ((1, "r1", ""), (2, "r2", "r1"), (3, "r3", "r2")):
            line.ingest.take([line.put(CHECK_IN, first=first, run=run, prior=prior)])
        follows = line.put(CHECK_IN, first=4, run="r9", prior="r8")
        behind = line.put(CHECK_IN, CHECK_IN, first=2, run="r4", prior="r1")
        assert line.ingest.take([follows]).acks == {("st-1", "s"): Ack("s", 3, 2, "r9", fork=True)}
        assert line.ingest.take([behind]).acks == {("st-1", "s"): Ack("s", 3, 1, "r4", fork=True)}
        line.restart()  # the same from the table
        assert line.ingest.take([follows]).acks == {("st-1", "s"): Ack("s", 3, 2, "r9", fork=True)}

    def test_a_release_without_runs_is_never_a_fork(self, line: Line) -> None:
        line.ingest.take([line.put(CHECK_IN, run="r1")])
        assert upto(line.ingest.take([line.put(CHECK_IN, CHECK_IN)])) == {"st-1": 2}


class TestGaps:
    def test_numbers_that_are_gone_are_lost_between_the_messages_around_them(self, line: Line) -> None:
        line.ingest.take([line.put(at(CHECK_IN, NOW - 5000, 1), run="r")])
        hole = line.put(at(CHECK_IN, NOW - 1000, 4000), first=5, run="r", gone=2)
        assert upto(line.ingest.take([hole])) == {"st-1": 5}
        assert line.gaps() == [Gap("st-1", NOW - 5000, NOW - 1000, "lost", 3, NOW)]
        with line.store.read() as conn:
            assert streams.lost_messages(conn) == {"st-1": 3}

    def test_a_loss_is_kept_with_the_stations_reason(self, line: Line) -> None:
        said = at(Loss(why="disk", n=7, since=NOW - 9000, until=NOW - 8000), NOW - 1000, 4000)
        odd = at(Loss(why="later release", n=0, since=NOW - 9000, until=NOW - 8000), NOW - 1000, 4000)
        line.ingest.take([line.put(said, odd)])
        assert line.gaps() == [
            Gap("st-1", NOW - 9000, NOW - 8000, "disk", 7, NOW),
            Gap("st-1", NOW - 9000, NOW - 8000, "other", 0, NOW),
        ]
        assert [(kind, valid) for kind, valid, *_ in line.rows()] == [("loss", True)] * 2

    @pytest.mark.parametrize(
        ("since", "until", "said"),
        [
            pytest.param(2000, 3000, 10_000, id="all in 1970, which may be several boots"),
            pytest.param(NOW - 5 * HOUR, 10_000, 10_000, id="said in 1970, lost before"),
            pytest.param(100_000, 100_000, NOW - 1000, id="lost in 1970, said with a right clock"),
            pytest.param(NOW - 5 * HOUR, NOW - 4 * HOUR, NOW + 10 * YEAR, id="said ten years ahead"),
            pytest.param(NOW - 5 * HOUR, NOW - 4 * HOUR, NOW - 3 * HOUR, id="set back by three hours"),
            pytest.param(NOW + 10 * YEAR, NOW + 10 * YEAR, NOW - 1000, id="lost ten years ahead"),
        ],
    )
    def test_a_loss_with_a_clock_that_was_wrong_reaches_from_the_message_before_it(
        self, line: Line, since: int, until: int, said: int
    ) -> None:
        before = at(CHECK_IN, NOW - 6 * HOUR, 1)
        line.ingest.take([line.put(before, now=NOW - 6 * HOUR + 10, up=11)])
        loss = at(Loss(why="disk", n=1, since=since, until=until), said, 6 * HOUR)
        line.ingest.take([line.put(loss, first=2, up=6 * HOUR + 1000, sent=said + 1000)])
        assert line.gaps() == [Gap("st-1", NOW - 6 * HOUR, NOW - 1000, "disk", 1, NOW)]

    def test_a_loss_by_a_clock_that_cannot_be_corrected_reaches_from_the_last_known_time_to_now(
        self, line: Line
    ) -> None:
        line.ingest.take([line.put(at(CHECK_IN, NOW - 60_000, 1), up=60_001)])
        loss = at(Loss(why="damaged", since=5, until=9), 20, 99)
        line.ingest.take([line.put(loss, first=2, up=0, sent=20)])
        assert line.gaps() == [Gap("st-1", NOW - 60_000, NOW, "damaged", 0, NOW)]

    def test_a_loss_without_a_beginning_reaches_back_to_what_is_known(self, line: Line) -> None:
        line.ingest.take([line.put(at(CHECK_IN, NOW - 60_000, 1), up=60_001)])
        line.ingest.take([line.put(at(Loss(why="damaged"), NOW - 10, 4990), first=2)])
        assert line.gaps() == [Gap("st-1", NOW - 60_000, NOW - 10, "damaged", 0, NOW)]

    def test_a_new_stream_leaves_a_gap_behind_the_older_one(self, line: Line) -> None:
        line.ingest.take([line.put(at(Heartbeat(), NOW - 4000, 1000), stream="old")])
        later = line.put(at(CHECK_IN, NOW + HOUR, 2000), stream="new", up=2000, now=NOW + HOUR)
        line.ingest.take([later])
        assert line.gaps() == [Gap("st-1", NOW - 4000, NOW + HOUR, "new_stream", 0, NOW + HOUR)]

    def test_a_new_stream_that_goes_back_behind_the_older_one_leaves_none(self, line: Line) -> None:
        line.ingest.take([line.put(at(Heartbeat(), NOW - 1000, 4000), stream="old")])
        line.ingest.take([line.put(at(CHECK_IN, NOW - 2000, 3000), stream="new")])
        assert line.gaps() == []

    def test_the_first_stream_of_a_station_leaves_none(self, line: Line) -> None:
        line.ingest.take([line.put(CHECK_IN)])
        assert line.gaps() == []

    def test_nothing_of_a_rolled_back_batch_stays(self, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
        hole = line.put(CHECK_IN, first=5, run="r", gone=1)

        def full(*_: object) -> None:
            raise MemoryError

        with monkeypatch.context() as broken:
            broken.setattr("server.batch.raw_messages.store", full)
            with pytest.raises(MemoryError):
                line.ingest.take([hole])
        assert line.gaps() == []
        assert upto(line.ingest.take([line.put(CHECK_IN, run="q")])) == {"st-1": 1}


class TestClones:
    def two(self, line: Line) -> None:
        """Machine one speaks in `s`; its copy was sent away from there and has begun another stream."""
        line.ingest.take([line.put(CHECK_IN, CHECK_IN, run="one")])
        copy = line.put(CHECK_IN, first=2, run="two", prior="one")
        assert line.ingest.take([copy]).acks[("st-1", "s")].fork
        self.new = branch("s", 1, 2, "two")
        line.ingest.take([line.put(CHECK_IN, stream=self.new, run="two")])

    def test_two_machines_with_one_disk_raise_an_alarm_that_names_both(self, line: Line) -> None:
        self.two(line)
        assert ("clone", "st-1") not in line.refused()
        for n in (3, 4):
            line.ingest.take([line.put(CHECK_IN, first=n, run="one", prior="one", now=LATER + n)])
        assert line.refused()["clone", "st-1"] == 2
        assert clones.read(problem(line, "clone")) == (
            Machine(self.new, "two", "b", NOW),
            Machine("s", "one", "b", LATER + 4),
        )
        (alarm,) = [each for each in line.gaps() if each.why == "clone"]
        assert (alarm.since, alarm.until) == (NOW, None)

    def test_the_longest_names_fit_into_the_alarm(self, line: Line) -> None:
        one, two, boot, stream = ("1" * 64, "2" * 64, "b" * 64, "s" * 64)
        line.ingest.take([line.put(CHECK_IN, run=one, stream=stream, boot=boot)])
        line.ingest.take([line.put(CHECK_IN, first=2, run=two, prior=one, stream=stream, boot=boot)])
        line.ingest.take([line.put(CHECK_IN, first=9, run=one, gone=3, stream=stream, boot=boot)])
        assert [each.run for each in clones.read(problem(line, "clone"))] == [two, one]

    def test_claiming_the_station_anew_ends_the_alarm(self, line: Line) -> None:
        self.two(line)
        line.ingest.take([line.put(CHECK_IN, first=3, run="one", prior="one", now=LATER)])
        with line.store.write() as conn:
            stations.claim(conn, stations.new_code(conn, "st-1", LATER), LATER + 5)
        assert [each.until for each in line.gaps() if each.why == "clone"] == [LATER + 5]
        for again in (False, True):
            if again:
                line.restart()
            n = 4 + again
            line.ingest.take([line.put(CHECK_IN, first=n, run="one", prior="one", now=LATER + 10)])
        assert line.refused()["clone", "st-1"] == 1  # the machine with the older stream was the one claimed
        line.ingest.take(
            [line.put(CHECK_IN, first=2, stream=self.new, run="two", prior="two", now=LATER + 20)]
        )
        line.ingest.take([line.put(CHECK_IN, first=6, run="one", prior="one", now=LATER + 30)])
        assert line.refused()["clone", "st-1"] == 2  # copied again

    def test_another_collector_knows_of_the_newer_stream(self, line: Line) -> None:
        other = line.another()
        other.take([line.put(CHECK_IN, run="one")])
        line.ingest.take([line.put(CHECK_IN, stream="new", run="two")])
        other.take([line.put(CHECK_IN, first=2, run="one", prior="one", now=LATER)])
        assert line.refused() == {("clone", "st-1"): 1}

    def test_a_disk_put_back_from_a_backup_is_no_clone(self, line: Line) -> None:
        self.two(line)
        for n in (2, 3):
            line.ingest.take(
                [line.put(CHECK_IN, first=n, stream=self.new, run="two", prior="two", now=LATER + n)]
            )
        # What was said before may still be repeated by the line.
        line.ingest.take([line.put(CHECK_IN, CHECK_IN, run="one", now=LATER)])
        assert line.refused() == {("forked", "st-1"): 1}
        assert not [each for each in line.gaps() if each.why == "clone"]

    def test_an_older_run_that_goes_on_in_the_same_stream_is_named(self, line: Line) -> None:
        line.ingest.take([line.put(CHECK_IN, run="one")])
        line.ingest.take([line.put(CHECK_IN, first=2, run="two", prior="one")])
        line.ingest.take([line.put(CHECK_IN, first=9, run="one", gone=3)])
        assert line.refused() == {("clone", "st-1"): 1}

    def test_of_older_releases_boots_tell(self, line: Line) -> None:
        for first, boot in ((1, "one"), (2, "two"), (3, "one"), (4, "two")):
            line.ingest.take([line.put(CHECK_IN, first=first, boot=boot)])
        assert line.refused() == {("clone", "st-1"): 2}
        assert line.events() == 4
        assert len(line.gaps()) == 1

    def test_a_reboot_is_no_clone(self, line: Line) -> None:
        for first, boot in ((1, "one"), (2, "two"), (1, "one"), (3, "two")):
            line.ingest.take([line.put(CHECK_IN, first=first, boot=boot)])
        assert line.refused() == {}

    def test_a_later_release_that_was_tried_for_a_while_is_no_clone(self, line: Line) -> None:
        for first, run in ((1, ""), (2, "r1"), (3, "")):
            line.ingest.take([line.put(CHECK_IN, first=first, run=run)])
        assert line.refused() == {}


class TestRefusals:
    def test_bytes_that_are_no_frame_are_answered_by_their_digest_once_a_batch(self, line: Line) -> None:
        bad, worse = Arrival("st-1", b"{", NOW), Arrival("st-1", b"\x1f\x8bx", NOW)
        stranger = Arrival("st-9", b"{", NOW)
        outcome = line.ingest.take([bad, worse, stranger, line.put(CHECK_IN)])
        assert outcome.refused == {"st-1": Refusal("gzip", frames.digest(b"\x1f\x8bx"))}
        assert upto(outcome) == {"st-1": 1}
        line.downlink.pump(line.store, [(s, ack) for (s, _), ack in outcome.acks.items()], outcome.refused)
        ((to, frame),) = line.sent
        assert (to, frame.refused, frame.ack) == ("st-1", outcome.refused["st-1"], Ack("s", 1, 1))
        assert line.refused() == {("json", "st-1"): 1, ("gzip", "st-1"): 1, ("json", "st-9"): 1}

    def test_a_cut_payload_is_named_as_it_came(self, line: Line) -> None:
        outcome = line.ingest.take([Arrival("st-1", b"x" * (frames.MAX_WIRE + 1), NOW, "whole")])
        assert outcome.refused == {"st-1": Refusal("size", "whole")}

    def test_a_frame_of_another_release_names_its_fields_in_vain(self, line: Line) -> None:
        frame = frames.decode(line.put(CHECK_IN).payload)
        body = msgspec.json.encode(frame)[:-1] + b',"novel":{"deep":[1]}}'
        assert upto(line.ingest.take([Arrival("st-1", body, NOW)])) == {"st-1": 1}
