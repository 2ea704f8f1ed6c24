"""`yizhan doctor` at headquarters: a healthy one, and one thing broken after the other."""

import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import yizhan_doctor
from protocol.messages import Request
from server import cli, doctor
from server.broker.embedded import EmbeddedBroker
from server.doctor import broker, database, files, intake, numbers
from server.doctor import stations as at_stations
from server.doctor.visit import Visit, sayings
from server.manifests import read_all
from server.store import Store, clones, gaps, refusals, requests
from server.store.clones import Machine
from server.store.refusals import Tally
from tests.doctor import check_texts, keys
from tests.journeys.site import ROOT, command
from tests.kiosk.conftest import Broker
from tests.server.headquarters import Office, eventually
from tests.server.station_client import wall_ms

EN, ZH = sayings("en"), sayings("zh")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Headquarters that runs for the whole file, with one station that has said something."""
    office = Office(tmp_path_factory.mktemp("doctor"), "nats")
    with office.station("st-1") as station:
        station.check_in(5)
        station.heartbeat()
        station.acked()
        eventually(lambda: office.stored("st-1") == 6)
        yield office
    office.close()


@pytest.fixture
def visit(office: Office) -> Visit:
    return Visit(office.options.data, EN)


@pytest.fixture
def copy(office: Office, tmp_path: Path) -> Visit:
    """The folder as it is on the disk now, with nobody at work in it, for tests to break."""
    folder = tmp_path / "hq"
    folder.mkdir(mode=0o700)
    with closing(sqlite3.connect(office.options.data / "headquarters.sqlite")) as conn:
        conn.execute("VACUUM INTO ?", [str(folder / "headquarters.sqlite")])
    shutil.copytree(office.options.data / "broker", folder / "broker", ignore=shutil.ignore_patterns("store"))
    return Visit(folder, EN)


def later(visit: Visit, seconds: float) -> Visit:
    return replace(visit, wall=lambda: time.time() + seconds)


def change(visit: Visit, statement: str) -> None:
    with closing(sqlite3.connect(visit.database)) as conn, conn:
        conn.execute(statement)


# -- the whole command -----------------------------------------------------------------------------------


def test_headquarters_at_work_is_well_and_is_not_disturbed(office: Office, visit: Visit) -> None:
    done = command("doctor", "--headquarters", str(visit.data), "--json", "--language", "en")
    (place,) = json.loads(done.stdout)["examined"]
    levels = {each["key"]: each["level"] for each in place["findings"]}
    assert done.returncode == 0, done.stdout
    assert "bad" not in levels.values()
    expected = {f"{subject}.ok" for subject in doctor.CHECKS} - {"lock.ok", "backup.ok", "charts.ok"}
    assert expected | {"disk.ok"} <= {key for key, level in levels.items() if level == "ok"}
    assert office.presence("st-1").online  # type: ignore[union-attr]
    assert office.refused() == {}


def test_what_is_broken_is_said_in_chinese_too(copy: Visit, capsys: pytest.CaptureFixture[str]) -> None:
    with open(copy.database, "r+b") as file:
        file.seek(100)
        file.write(os.urandom(8192))
    assert yizhan_doctor.main(["--headquarters", str(copy.data), "--language", "zh"]) == 1
    out, err = capsys.readouterr()
    assert "✗ 数据库" in out
    assert "文件损坏" in out
    assert "Traceback" not in out + err


def test_a_folder_without_headquarters_cannot_be_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert yizhan_doctor.main(["--headquarters", str(tmp_path), "--language", "en"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert str(tmp_path) in err


def test_both_languages_say_everything() -> None:
    check_texts(ZH, EN, ROOT / "server" / "doctor", ROOT / "protocol" / "finding.py")


# -- the database ----------------------------------------------------------------------------------------


def test_a_database_at_rest_is_read_as_it_lies(copy: Visit) -> None:
    before = {each.name: each.stat().st_mtime_ns for each in copy.data.iterdir()}
    for name, check in doctor.checks(copy).items():
        if name != "broker":
            list(check())
    assert {each.name: each.stat().st_mtime_ns for each in copy.data.iterdir()} == before


@pytest.mark.parametrize("at", [0, 40, 20 * 4096])
def test_overwritten_bytes_are_damage(copy: Visit, at: int) -> None:
    with open(copy.database, "r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 4096)
    assert keys(database.database(copy)) == {"database.damaged": "bad"}


def test_tables_of_other_releases(copy: Visit) -> None:
    change(copy, "UPDATE alembic_version SET version_num = '0001'")
    assert keys(database.release(copy)) == {"release.older": "warn"}
    assert keys(intake.requests(copy)) == {}  # its tables may not be there yet
    change(copy, "UPDATE alembic_version SET version_num = '9999'")
    assert keys(database.release(copy)) == {"release.newer": "bad"}


def test_a_log_that_nobody_folds_in(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keys(database.log(visit)) == {"log.ok": "ok"}
    monkeypatch.setattr(database, "LOG_GROWS", 1)
    assert keys(database.log(visit)) == {"log.grows": "warn"}


def test_who_keeps_the_write_lock_is_named(copy: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "HELD", 0.3)
    assert keys(database.lock(copy)) == {}
    change(copy, "PRAGMA journal_mode=WAL")
    with closing(sqlite3.connect(copy.database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        (held,) = database.lock(copy)
        assert (held.key, held.level) == ("lock.held", "bad")
        assert f"Process {os.getpid()}" in held.sentence
        writer.execute("ROLLBACK")
        assert keys(database.lock(copy)) == {}


# -- the broker ------------------------------------------------------------------------------------------


def test_a_killed_broker(copy: Visit, tmp_path: Path) -> None:
    own = EmbeddedBroker(copy.data / "broker", "127.0.0.1", 0)
    own.start({})
    assert keys(broker.broker(copy)) == {"broker.ok": "ok"}
    own.stop()
    (down,) = broker.broker(copy)
    assert (down.key, down.level) == ("broker.down", "bad")
    assert str(own.port) in down.sentence


def test_a_broker_that_runs_and_does_not_answer(copy: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "SECONDS", 0.3)
    own = EmbeddedBroker(copy.data / "broker", "127.0.0.1", 0)
    own.start({})
    assert own.pid is not None
    pid = own.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        (deaf,) = broker.broker(copy)
    finally:
        os.kill(pid, signal.SIGCONT)
        own.stop()
    assert deaf.key == "broker.deaf"
    assert str(pid) in deaf.sentence


def test_mosquitto(tmp_path: Path) -> None:
    office = Office(tmp_path, "mosquitto")
    visit = Visit(office.options.data, EN)
    try:
        (well,) = broker.broker(visit)
        assert well.level == "ok"
        assert "Mosquitto" in well.sentence
    finally:
        office.close()
    assert keys(broker.broker(visit)) == {"broker.mosquitto": "bad"}


def test_a_broker_that_lets_anybody_in(tmp_path: Path) -> None:
    anybody = Broker(tmp_path)
    (tmp_path / "mosquitto").mkdir()
    (tmp_path / "mosquitto" / "yizhan.conf").write_text(f"listener {anybody.port} 0.0.0.0\n")
    try:
        assert keys(broker.broker(Visit(tmp_path, EN))) == {"broker.open": "bad"}
    finally:
        anybody.kill()


def test_headquarters_that_never_ran(tmp_path: Path) -> None:
    Store(tmp_path / "hq").close()
    visit = Visit(tmp_path / "hq", EN)
    levels = {key: level for check in doctor.checks(visit).values() for key, level in keys(check()).items()}
    assert levels["broker.never"] == "warn"
    assert levels["intake.new"] == "ok"
    assert "bad" not in levels.values()


# -- what comes in ---------------------------------------------------------------------------------------


def test_when_nothing_comes_in_any_more(visit: Visit) -> None:
    assert keys([*intake.intake(visit), *at_stations.stations(visit)]) == {
        "intake.ok": "ok",
        "stations.ok": "ok",
    }
    (stale,) = intake.intake(later(visit, 3600))
    assert (stale.key, stale.level) == ("intake.stale", "bad")
    assert "60 minutes" in stale.sentence
    (lost,) = at_stations.stations(later(visit, 3600))
    assert (lost.key, lost.level) == ("stations.lost", "bad")  # all of them: it lies here
    assert lost.sentence.startswith("1 of 1 ")
    assert "st-1" in lost.sentence


def test_one_of_several_that_is_not_heard(copy: Visit) -> None:
    change(
        copy,
        "INSERT INTO station (id, number, name, hours, phone, facilities, added_at, claimed_at)"
        " VALUES ('st-2', '', '', '', '', '[]', 1, 1), ('st-3', '', '', '', '', '[]', 1, 1)",
    )
    change(copy, "INSERT INTO presence VALUES ('st-2', 0, 1, '', 1000), ('st-3', 1, 1, '', 4102444800000)")
    levels = {each.key: each for each in at_stations.stations(copy)}
    assert {key: each.level for key, each in levels.items()} == {
        "stations.lost": "warn",
        "stations.mute": "bad",
    }
    assert "st-2" in levels["stations.lost"].sentence
    assert "st-3" in levels["stations.mute"].sentence
    change(copy, "DELETE FROM presence WHERE station = 'st-2'")
    assert keys(at_stations.stations(copy))["stations.never"] == "warn"


def test_requests_without_an_answer(copy: Visit) -> None:
    asked = Request(
        at=1, id="r-1", plugin="legal_aid", name="place_booking", service="booking", d={"slot": "s"}
    )
    kind = read_all()[0]["legal_aid"].requests["place_booking"]
    store = Store(copy.data)
    with store.write() as conn:
        requests.store(conn, "st-1", asked, kind, wall_ms(), wall_ms())
    store.close()
    assert keys(intake.requests(copy)) == {"requests.ok": "ok"}
    (waits,) = intake.requests(later(copy, 3600))
    assert (waits.key, waits.level) == ("requests.wait", "bad")
    assert "booking" in waits.sentence


def test_what_was_turned_away_is_named_by_reason(tmp_path: Path, quick: None) -> None:
    office = Office(tmp_path, "nats")
    visit = Visit(office.options.data, EN)
    try:
        with office.station("st-9") as station:
            assert keys(intake.refusals(visit)) == {"refusals.ok": "ok"}
            station.publish(b"\x00 no frame")
            eventually(lambda: bool(office.refused()))
        (refused,) = intake.refusals(visit)
        assert refused.level == "warn"
        assert "could not be" in refused.sentence
        assert "st-9" in refused.sentence
        assert keys(intake.refusals(later(visit, 2 * 86400))) == {"refusals.ok": "ok"}
    finally:
        office.close()


def test_clones_and_gaps(copy: Visit) -> None:
    assert keys([*at_stations.clones(copy), *at_stations.gaps(copy)]) == {"clones.ok": "ok", "gaps.ok": "ok"}
    now, store = wall_ms(), Store(copy.data)
    with store.write() as conn:
        gaps.record(conn, "st-1", now - 5000, None, gaps.CLONE, 0, now)
        tally = Tally()
        both = [Machine("s", "3f2a99c0ffee", "b", now - 7200_000), Machine("s", "77bc00c0ffee", "b", now)]
        tally.add(gaps.CLONE, "st-1", problem=clones.written(both))
        refusals.store(conn, tally, now)
        for n, why in enumerate(sorted(gaps.SAID | {gaps.LOST, gaps.NEW_STREAM, gaps.OTHER})):
            gaps.record(conn, "st-1", now - 5000, now, why, n, now)
    store.close()
    (clone,) = at_stations.clones(copy)
    assert (clone.key, clone.level) == ("clones.some", "bad")
    assert "st-1" in clone.sentence
    assert "One is run 3f2a99…, heard 2 hours ago; the other 77bc00…" in clone.sentence
    found = list(at_stations.gaps(copy))
    assert {each.level for each in found} == {"warn"}
    assert len(found) == len(gaps.SAID) + 3
    assert any("nobody knows" in each.sentence for each in found)
    assert not any(f": {why}." in each.sentence for each in found for why in gaps.SAID)  # words, not keys


# -- the numbers -----------------------------------------------------------------------------------------


def test_numbers_that_are_not_what_was_said(copy: Visit) -> None:
    (well,) = numbers.numbers(copy)
    assert (well.key, well.sentence[:8]) == ("numbers.ok", "5 events")
    change(copy, "UPDATE rollup SET n = n + 1")
    (differ,) = numbers.numbers(copy)
    assert (differ.key, differ.level) == ("numbers.differ", "bad")
    assert "st-1" in differ.sentence
    assert cli.main(["recount", "--repair", "--data", str(copy.data)]) == 0  # as the remedy says
    assert keys(numbers.numbers(copy)) == {"numbers.ok": "ok"}


def test_older_hours_are_not_counted_again(copy: Visit) -> None:
    change(copy, "UPDATE rollup SET n = n + 1")
    assert keys(numbers.numbers(later(copy, 3 * 86400))) == {"numbers.ok": "ok"}


def test_events_of_plugins_that_are_not_here(copy: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "read_all", lambda folders: ({}, []))
    (strange,) = numbers.numbers(copy)
    assert (strange.key, strange.level) == ("numbers.strange", "warn")


# -- files -----------------------------------------------------------------------------------------------


def test_secrets_that_others_can_read(copy: Visit) -> None:
    copy.database.chmod(0o644)
    assert keys(files.access(copy)) == {"access.ok": "ok"}  # behind a folder that is closed to others
    copy.data.chmod(0o755)
    (readable,) = files.access(copy)
    assert (readable.key, readable.level) == ("access.open", "bad")
    assert "headquarters.sqlite" in readable.sentence
    copy.database.chmod(0o600)
    assert keys(files.access(copy)) == {"access.ok": "ok"}


def test_a_broken_manifest(copy: Visit, tmp_path: Path) -> None:
    folder = tmp_path / "more" / "strange"
    folder.mkdir(parents=True)
    (folder / "manifest.toml").write_text('id = "strange"\nversion = 3\n')
    visit = replace(copy, plugins=(folder.parent,))
    levels = keys(files.plugins(visit))
    assert levels == {"plugins.refused": "bad", "plugins.ok": "ok"}


def test_charts(visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chart = tmp_path / "echarts.js"
    monkeypatch.setattr("server.web.vendor.ECHARTS", chart)
    assert keys(files.charts(visit)) == {"charts.none": "warn"}
    chart.touch()
    assert keys(files.charts(visit)) == {"charts.ok": "ok"}


def test_the_age_of_the_backup(copy: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert keys(files.backup(copy)) == {"backup.none": "warn"}
    (copy.data.parent / "backup.sqlite").touch()
    assert keys(files.backup(copy)) == {"backup.ok": "ok"}
    assert keys(files.backup(later(copy, 3 * 86400))) == {"backup.old": "warn"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    named = replace(copy, backup=elsewhere)
    assert keys(files.backup(named)) == {"backup.none": "warn"}
    (elsewhere / "monday").touch()
    assert keys(files.backup(named)) == {"backup.ok": "ok"}
    assert keys(files.backup(replace(copy, backup=elsewhere / "tuesday"))) == {"backup.none": "warn"}
