"""Thirty simulated stations on a real headquarters: what they say is there, once."""

import json
import random
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete, func, insert, select, update

from protocol import messages
from protocol.frame import FRAME_BYTES, FRAME_MESSAGES
from server.manifests import read_all
from server.simulate import backlog, books, memory
from server.simulate.command import main
from server.store import content, rollups, stations
from server.store.schema import message, metadata, rollup, stream
from tests.server.headquarters import Office
from tests.server.station_client import wall_ms

STATIONS, MESSAGES = 30, 50


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for all of the server's tests; but the simulator waits for the database like any second program."""
    monkeypatch.setattr("protocol.stream.RETRY_MIN", 0.5)


def simulate(office: Office, *more: str, n: int = STATIONS) -> int:
    asked = ["--data", str(office.options.data), "--mqtt", f"127.0.0.1:{office.port}", "--at-once"]
    return main([*asked, "--stations", str(n), "--messages", str(MESSAGES), "--seconds", "60", *more])


class TestARun:
    def test_all_stations_are_drained_and_headquarters_has_what_they_said(
        self, office: Office, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert simulate(office) == 0
        assert office.stored("sim-0001") == office.stored("sim-0030") == MESSAGES
        assert office.agrees()
        out = capsys.readouterr().out
        assert "30 of 30 stations drained" in out
        assert "exactly what was said" in out

    def test_the_next_run_uses_the_same_stations_and_continues_their_streams(
        self, nats_office: Office
    ) -> None:
        assert simulate(nats_office, n=3) == 0
        passwords = (nats_office.options.data / books.FILE).read_text()
        assert simulate(nats_office, n=3) == 0
        assert (nats_office.options.data / books.FILE).read_text() == passwords
        assert nats_office.stored("sim-0002") == 2 * MESSAGES
        with nats_office.store.read() as conn:
            assert conn.scalar(select(func.count()).select_from(stream)) == 3
            assert {each.claimed_at is not None for each in stations.every(conn)} == {True}

    def test_lost_frames_and_answers_cost_time_and_nothing_else(
        self, nats_office: Office, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert simulate(nats_office, "--drop", "0.2") == 0
        lost = capsys.readouterr().out.partition(" frames or answers were lost")[0].split()[-1]
        assert int(lost) > 5
        assert nats_office.agrees()

    def test_what_headquarters_says_comes_down_and_is_acknowledged(
        self, nats_office: Office, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert simulate(nats_office, n=3) == 0
        assert "3 messages came down" in capsys.readouterr().out  # each a poke: its profile is there
        assert simulate(nats_office, n=3) == 0
        assert "0 messages came down" in capsys.readouterr().out


class TestItSeesADifference:
    """Each of these spoils headquarters' database between the last acknowledgement and the comparison."""

    @pytest.fixture
    def spoilt(
        self, nats_office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> Callable[..., str]:
        from server.simulate import reckoning

        honest = reckoning.differences

        def run(spoil) -> str:  # type: ignore[no-untyped-def]
            def spoiling(conn, *rest):  # type: ignore[no-untyped-def]
                with nats_office.store.write() as own:
                    spoil(own)
                with nats_office.store.read() as fresh:
                    return honest(fresh, *rest)

            monkeypatch.setattr(reckoning, "differences", spoiling)
            assert simulate(nats_office, n=2) == 1
            return capsys.readouterr().out

        return run

    def test_a_message_that_is_missing(self, spoilt) -> None:  # type: ignore[no-untyped-def]
        out = spoilt(lambda conn: conn.execute(delete(message).where(message.c.number == MESSAGES)))
        assert "sim-0001: 49 messages are stored, 50 were said" in out
        assert "does NOT have" in out

    def test_a_message_that_is_there_twice(self, spoilt) -> None:  # type: ignore[no-untyped-def]
        columns = [column for column in message.c if column.name != "id"]

        def double(conn) -> None:  # type: ignore[no-untyped-def]
            newest = select(func.max(message.c.id)).scalar_subquery()
            conn.execute(insert(message).from_select(columns, select(*columns).where(message.c.id == newest)))

        assert "51 messages are stored, 50 were said" in spoilt(double)

    def test_another_message_under_its_number(self, spoilt) -> None:  # type: ignore[no-untyped-def]
        out = spoilt(
            lambda conn: conn.execute(update(message).where(message.c.number == 7).values(body="{}"))
        )
        assert "1 stored messages are not those that were said" in out

    def test_a_count_that_is_wrong(self, spoilt) -> None:  # type: ignore[no-untyped-def]
        assert "is counted" in spoilt(lambda conn: conn.execute(update(rollup).values(n=rollup.c.n + 1)))


class TestRemoval:
    def test_nothing_of_them_stays_and_everything_of_others_does(self, nats_office: Office) -> None:
        with nats_office.station("zl-018") as real:
            real.check_in(3)
            real.acked()
        before = rows_of(nats_office)
        assert simulate(nats_office, n=3) == 0
        assert main(["--data", str(nats_office.options.data), "--remove"]) == 0
        after = rows_of(nats_office)
        for table in (
            "audit",
            "change",
            "content",
            "content_generation",
            "collection",
        ):  # history, tombstones
            before.pop(table)
            after.pop(table)
        assert after == before
        assert not (nats_office.options.data / books.FILE).exists()
        with nats_office.store.read() as conn:
            assert [each.id for each in stations.every(conn)] == ["zl-018"]
            assert content.rows(conn, stations.PROFILE, scope="sim-0001") == []
        assert nats_office.agrees()

    def test_they_can_be_made_again(self, nats_office: Office) -> None:
        assert simulate(nats_office, n=2) == 0
        assert main(["--data", str(nats_office.options.data), "--remove"]) == 0
        assert simulate(nats_office, n=2) == 0

    def test_a_real_station_of_such_a_name_is_left_alone(
        self, nats_office: Office, capsys: pytest.CaptureFixture[str]
    ) -> None:
        nats_office.claim("sim-0002")
        assert simulate(nats_office, n=3) == 2
        assert "is no simulated one" in capsys.readouterr().err
        assert main(["--data", str(nats_office.options.data), "--remove"]) == 0
        with nats_office.store.read() as conn:
            assert [each.id for each in stations.every(conn)] == ["sim-0002"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("more", "sentence"),
        [
            (["--mqtt", "192.0.2.7:1883"], "192.0.2.7 is another machine"),
            (["--mqtt", "broker.example:1883"], "broker.example is another machine"),
            (["--stations", "0"], "0 stations are asked for"),
            (["--stations", "5001"], "5001 stations are asked for"),
            (["--messages", "20001"], "20001 messages of a station"),
            (["--stations", "2000", "--messages", "10000"], "20000000 messages of all stations"),
        ],
    )
    def test_one_clear_sentence(
        self, more: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "headquarters.sqlite").touch()
        assert main(["--data", str(tmp_path), *more]) == 2
        error = capsys.readouterr().err
        assert sentence in error
        assert error.count("\n") == 1

    def test_no_headquarters_in_the_folder(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--data", str(tmp_path)]) == 2
        assert "There is no headquarters in" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    def test_nobody_at_the_port(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "headquarters.sqlite").touch()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        assert main(["--data", str(tmp_path), "--mqtt", f"127.0.0.1:{port}"]) == 2
        assert "No broker answers" in capsys.readouterr().err

    @pytest.mark.parametrize("share", ["0.6", "-1", "much"])
    def test_a_share_that_is_none(self, share: str) -> None:
        with pytest.raises(SystemExit):
            main(["--drop", share])


class TestABacklog:
    def test_it_is_what_72_hours_are(self) -> None:
        until = wall_ms()
        made = backlog.make(random.Random(1), backlog.MESSAGES, until)
        said = [messages.decode(body) for body in made.bodies]
        assert len(said) == 1500
        kinds = Counter(type(each) for each in said)
        assert kinds[messages.Heartbeat] == 72 * 12
        assert kinds[messages.Event] == 1500 - 72 * 12
        times = [each.at for each in said if not isinstance(each, messages.Unknown)]
        assert times == sorted(times)
        assert made.begins == until - 72 * 3_600_000 <= times[0]
        assert times[-1] == until
        assert isinstance(said[-1], messages.Heartbeat)

    def test_every_event_is_one_that_the_manifests_declare(self) -> None:
        manifests, _ = read_all()
        made = backlog.make(random.Random(2), 3000, wall_ms())
        events = [each for body in made.bodies if isinstance(each := messages.decode(body), messages.Event)]
        dims = rollups.Dims(manifests)
        assert all(dims.of(event) for event in events)
        assert made.events.total() == len(events)
        assert {event.plugin for event in events} == set(manifests)

    @pytest.mark.parametrize("count", [1, 2, 50, 777])
    def test_it_has_as_many_as_were_asked_for(self, count: int) -> None:
        made = backlog.make(random.Random(3), count, wall_ms())
        assert len(made.bodies) == count
        assert isinstance(messages.decode(made.bodies[-1]), messages.Heartbeat)

    def test_the_same_seed_says_the_same(self) -> None:
        one, other = (backlog.make(random.Random(4), 200, 1_790_000_000_000) for _ in range(2))
        assert one == other

    def test_frames_are_cut_as_a_station_cuts_them(self) -> None:
        made = backlog.make(random.Random(5), 600, wall_ms())
        assert len(made.cut(0)) == FRAME_MESSAGES
        assert len(made.cut(500)) == 100
        assert len(made.cut(599)) == len(made.cut(3, alone=True)) == 1
        heavy = backlog.Backlog([b"x" * (FRAME_BYTES // 2)] * 4, 0)
        assert len(heavy.cut(0)) == 1


def test_memory_is_that_of_who_has_the_database_and_who_listens(nats_office: Office) -> None:
    """In this test the server is our own process, which is never counted; its broker is another one."""
    found = memory.find(nats_office.options.data / "headquarters.sqlite", nats_office.port)
    assert [each.what for each in found] == ["broker"]
    broker = found[0]
    assert broker.pid == nats_office.hq.broker.pid  # type: ignore[union-attr]
    broker.look()
    assert 5 < broker.pss <= broker.rss == broker.most < 500
    assert broker.cpu == 0


def test_the_passwords_are_for_us_alone(nats_office: Office) -> None:
    assert simulate(nats_office, n=1) == 0
    file = nats_office.options.data / books.FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(json.loads(file.read_text())) == ["sim-0001"]


def rows_of(office: Office) -> dict[str, int]:
    """How many rows each table has."""
    with office.store.read() as conn:
        return {
            table.name: conn.scalar(select(func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
        }
