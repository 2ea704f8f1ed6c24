"""`yizhan doctor` at a station: a healthy one, and one thing broken after the other."""

import contextlib
import datetime as dt
import email.utils
import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

import yizhan_doctor
from kiosk import claim, quarantine
from kiosk.doctor import child, line, machine, plugins, readonly, screen, sound, store
from kiosk.doctor.visit import Visit, sayings
from kiosk.tally import Missing, Tally
from kiosk.testing_ui import Kiosk
from protocol.finding import Finding
from server.app import now_ms
from server.broker import free_port
from server.store import stations
from tests.doctor import check_texts, keys
from tests.journeys.site import ROOT, Headquarters, command, until
from tests.kiosk.conftest import Broker
from tests.kiosk.plugin_folder import write
from tests.kiosk.web import Handler, Web

EN, ZH = sayings("en"), sayings("zh")
WELL_CLAIMED = claim.Credentials("zl-018", "a token", claim.Mqtt(9, "zl-018", "a password", "127.0.0.1"))


@dataclass
class Site:
    """Headquarters and a station that run for the whole file; `copy` is what tests break."""

    headquarters: Headquarters
    data: Path

    def copy(self, to: Path, folded: bool = True) -> Visit:
        """The station's folder as it is on the disk now, with nobody at work in it.

        `folded`: the log is folded into the database, as a kiosk does that is ended in order.
        """
        shutil.copytree(self.data, to, ignore=shutil.ignore_patterns("kivy", "*.lock"))
        if folded:
            with closing(sqlite3.connect(to / "station.db")) as conn:
                conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Visit(to, EN)

    def claimed(self, name: str, data: Path) -> Visit:
        """Another station of this headquarters, that has never run."""
        claim.claim(self.headquarters.address, self.headquarters.add_station(name), data)
        return Visit(data, EN)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("doctor")
    with Headquarters(folder / "headquarters") as headquarters:
        site = Site(headquarters, folder / "station")
        site.claimed("zl-018", site.data)
        with Kiosk(site.data, size=(540, 960)):
            until(lambda: headquarters.store and _presence(headquarters) is not None)
            yield site


def _presence(headquarters: Headquarters) -> tuple[bool, int] | None:
    with headquarters.store.read() as conn:
        found = conn.exec_driver_sql("SELECT online, counter FROM presence").one_or_none()
    return None if found is None or not found[0] else (bool(found[0]), int(found[1]))


def station(*words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """`yizhan doctor --station ...`."""
    return command("doctor", "--station", *words, environment={"LC_ALL": "C.UTF-8", **(environment or {})})


def found(done: subprocess.CompletedProcess[str]) -> list[Finding]:
    """What `--json` has printed of one place."""
    (place,) = json.loads(done.stdout)["examined"]
    return [msgspec.convert(each, Finding) for each in place["findings"]]


# -- the whole command -----------------------------------------------------------------------------------


def test_a_station_at_work_is_well_and_is_not_disturbed(site: Site) -> None:
    before = _presence(site.headquarters)
    done = station(str(site.data), "--json")
    levels = keys(found(done))
    assert done.returncode == 0, done.stdout
    assert "bad" not in levels.values()
    for key in ("database.ok", "outbox.ok", "disk.ok", "credentials.ok", "headquarters.ok", "broker.ok"):
        assert levels[key] == "ok", done.stdout
    for key in ("fonts.ok", "screen.hidden", "speech.ok", "plugins.ok"):
        assert levels[key] == "ok", done.stdout
    assert _presence(site.headquarters) == before  # still on the same connection
    _no_secret(site.data, done.stdout)


def _no_secret(data: Path, said: str) -> None:
    known = claim.load(data)
    assert known is not None
    assert known.token not in said
    assert known.mqtt.password not in said


def test_what_is_wrong_comes_last_in_the_language_asked_for(site: Site, tmp_path: Path) -> None:
    visit = site.copy(tmp_path / "station")
    visit.files.database.write_bytes(os.urandom(65536))
    (visit.data / claim.FILE).chmod(0o644)
    done = station(str(visit.data), "--language", "zh")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("站点：")
    assert lines[-1].startswith("2 处有故障（✗）")
    signs = [each[0] for each in lines[1:-2] if each[0] in "✓!✗"]
    assert signs == sorted(signs, key="✓!✗".index)
    assert any(each.startswith("✗ 数据库") and "文件损坏" in each for each in lines)
    assert any(each.startswith("✗ 凭据") and "0644" in each for each in lines)
    _no_secret(visit.data, done.stdout)


def test_an_output_that_takes_only_ascii_gets_english_in_ascii(tmp_path: Path) -> None:
    data = tmp_path / "站"
    claim.save(data, WELL_CLAIMED)
    ascii_only = {"PYTHONIOENCODING": "ascii", "LC_ALL": "zh_CN.UTF-8"}
    done = station(str(data), "--seconds", "0.001", environment=ascii_only)
    assert done.returncode == 1
    assert done.stdout.isascii()
    assert done.stdout.startswith("Station in ")
    assert "\nx Check" in done.stdout


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"LC_ALL": "zh_CN.UTF-8"}, "目录"),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": "zh_CN.UTF-8"}, "目录"),
        ({"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, "folder"),
    ],
)
def test_the_language_is_the_machines_own(
    environment: dict[str, str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert yizhan_doctor.main(["--station", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_with_nobody_here_it_says_so_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert yizhan_doctor.main(["--language", "en"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "--station" in err


def test_without_a_folder_it_examines_whoever_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from server.store import Store

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    claim.save(tmp_path / "yizhan" / "station", WELL_CLAIMED)
    Store(tmp_path / "data" / "headquarters").close()
    assert yizhan_doctor.main(["--json", "--seconds", "0.01"]) == 1
    examined = json.loads(capsys.readouterr().out)["examined"]
    assert [each["what"] for each in examined] == ["station", "headquarters"]


def test_a_check_that_breaks_or_hangs_is_a_finding() -> None:
    gate = threading.Event()

    def breaks() -> Iterator[Finding]:
        yield EN.ok("disk.ok", free="1 GB")
        raise KeyError("boom")

    def hangs() -> Iterator[Finding]:
        yield EN.ok("clock.ok", now="noon", zone="here")
        gate.wait()

    began = time.monotonic()
    checks = {"disk": breaks, "clock": hangs, "speech": lambda: [EN.ok("speech.ok")]}
    findings = yizhan_doctor.examine(checks, EN, 0.2)
    gate.set()
    assert time.monotonic() - began < 5
    assert [each.key for each in findings] == [
        "disk.ok",
        "check.crashed",
        "clock.ok",
        "check.late",
        "speech.ok",
    ]
    assert "KeyError" in findings[1].sentence
    assert "Clock" in findings[3].sentence


def test_both_languages_say_everything() -> None:
    check_texts(
        ZH, EN, ROOT / "kiosk" / "doctor", ROOT / "yizhan_doctor.py", ROOT / "protocol" / "finding.py"
    )


# -- database and outbox ---------------------------------------------------------------------------------


def test_a_database_at_rest_is_read_as_it_lies(site: Site, tmp_path: Path) -> None:
    visit = site.copy(tmp_path / "station")
    files = {each.name: each.read_bytes() for each in visit.data.iterdir() if each.is_file()}
    assert keys([*store.database(visit), *store.outbox(visit)]) == {"database.ok": "ok", "outbox.ok": "ok"}
    assert {each.name: each.read_bytes() for each in visit.data.iterdir() if each.is_file()} == files


def test_what_a_killed_kiosk_left_in_its_log_is_read_too(site: Site, tmp_path: Path) -> None:
    with closing(sqlite3.connect(site.data / "station.db", isolation_level=None)) as writer:
        writer.execute("BEGIN")  # keeps the log from being folded in while it is copied
        writer.execute("SELECT * FROM _meta").fetchone()
        visit = site.copy(tmp_path / "station", folded=False)
        assert (visit.data / "station.db-wal").stat().st_size > 0
    assert keys(store.database(visit)) == {"database.ok": "ok"}
    with closing(readonly.connect(visit.files.database, 5)) as conn:
        assert conn.execute("SELECT count(*) FROM _stream_up").fetchone()[0] > 0


def test_who_holds_a_database_is_seen_without_taking_its_lock(site: Site) -> None:
    lock = site.data / "station.db.lock"
    assert readonly.holders(lock)
    assert readonly.holders(site.data / claim.FILE) == set()


@pytest.mark.parametrize("at", [0, 40, 4096, 8192])
def test_overwritten_bytes_are_damage(site: Site, tmp_path: Path, at: int) -> None:
    visit = site.copy(tmp_path / "station")
    with open(visit.files.database, "r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 3000)
    levels = keys(store.database(visit))
    assert levels == {"database.damaged": "bad"}


def test_damaged_copies_are_named(site: Site, tmp_path: Path) -> None:
    visit = site.copy(tmp_path / "station")
    for name in ("20261101-120000", "20261102-120000-1"):
        (visit.data / f"station.db.damaged-{name}").write_bytes(b"x" * 1000)
        (visit.data / f"station.db.damaged-{name}-wal").touch()
    aside = next(each for each in store.database(visit) if each.key == "database.aside")
    assert "2 damaged" in aside.sentence
    assert "20261102-120000-1" in aside.sentence
    assert "-wal" not in aside.sentence


def test_a_missing_database_is_no_fault_of_a_new_station(tmp_path: Path) -> None:
    visit = Visit(tmp_path, EN)
    assert keys([*store.database(visit), *store.outbox(visit)]) == {"database.none": "warn"}


def test_messages_that_wait_are_counted_with_their_age(site: Site, tmp_path: Path) -> None:
    visit = site.copy(tmp_path / "station")
    with closing(sqlite3.connect(visit.files.database)) as conn, conn:
        conn.execute("UPDATE _meta SET value = 0 WHERE key = 'acked'")
        n = conn.execute("SELECT count(*) FROM _stream_up").fetchone()[0]
    assert keys(store.outbox(visit)) == {"outbox.ok": "ok"}
    later = replace(visit, wall=lambda: time.time() + 3 * 3600)
    waits = next(iter(store.outbox(later)))
    assert (waits.key, waits.level) == ("outbox.waits", "warn")
    assert waits.sentence == f"{n} messages wait for headquarters, the oldest for 3 hours."


def test_what_the_tally_says_beyond_the_database(site: Site, tmp_path: Path) -> None:
    visit = site.copy(tmp_path / "station")
    tally = Tally(visit.data / "station.db.tally")
    last = tally.read().last
    assert last > 0
    tally.keep(last=last + 3)
    tally.miss(Missing("x", "disk", 7, 1, 2))
    found = {each.key: each for each in store.outbox(visit)}
    assert {key: each.level for key, each in found.items() if key != "outbox.ok"} == {
        "outbox.behind": "warn",
        "outbox.missing": "warn",
    }
    assert "3 newest" in found["outbox.behind"].sentence
    assert "7 messages" in found["outbox.missing"].sentence


def test_a_database_that_the_kiosk_has_marked(site: Site, tmp_path: Path) -> None:
    visit = site.copy(tmp_path / "station")
    (visit.data / "station.db.suspect").touch()
    assert keys(store.database(visit)) == {"database.suspect": "bad", "database.ok": "ok"}


def test_a_database_that_may_not_be_read_is_not_called_damaged(site: Site, tmp_path: Path) -> None:
    visit = site.copy(tmp_path / "station")
    visit.files.database.unlink()
    visit.files.database.mkdir()
    assert keys(store.database(visit)) == {"database.closed": "bad"}
    assert keys(store.outbox(visit)) == {"outbox.unreadable": "warn"}


def test_messages_that_headquarters_cannot_read(site: Site, tmp_path: Path) -> None:
    visit = site.copy(tmp_path / "station")
    with closing(sqlite3.connect(visit.files.database)) as conn, conn:
        conn.execute("INSERT INTO _parked VALUES (1, 's', x'', 1, 'json')")
    assert keys(store.outbox(visit)) == {"outbox.ok": "ok", "outbox.parked": "warn"}


def test_the_run_that_headquarters_knows_this_machine_by(site: Site, tmp_path: Path) -> None:
    assert not list(store.run(Visit(tmp_path, EN)))
    visit = site.copy(tmp_path / "station")
    with closing(sqlite3.connect(visit.files.database)) as conn, conn:
        conn.execute("UPDATE _stream_up SET run = '3f2a99c0ffee'")
    (found,) = store.run(visit)
    assert (found.key, found.level) == ("run.ok", "ok")
    assert "3f2a99…" in found.sentence
    with closing(sqlite3.connect(visit.files.database)) as conn, conn:
        conn.execute("DELETE FROM _stream_up")
    assert not list(store.run(visit))


# -- disk and clock --------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=50", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_found_by_a_write(small_disk: Path) -> None:
    assert keys(machine.disk(small_disk, EN)) == {"disk.full": "bad"}  # a megabyte is as good as nothing
    (small_disk / "much").write_bytes(bytes(1000 * 1000))
    levels = keys(machine.disk(small_disk, EN))
    assert levels == {"disk.full": "bad"}
    assert sorted(each.name for each in small_disk.iterdir()) == ["much"]  # it leaves nothing behind


def test_a_disk_without_inodes_is_named(small_disk: Path) -> None:
    with contextlib.suppress(OSError):
        for n in range(100):
            (small_disk / str(n)).touch()
    assert keys(machine.disk(small_disk, EN))["disk.inodes"] == "bad"


def test_a_disk_that_the_system_has_closed_is_named(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert keys(machine.disk(small_disk, EN)) == {"disk.readonly": "bad"}


def test_files_of_another_user_are_named(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    (tmp_path / "station.db").touch()
    os.chown(tmp_path, 65534, -1)
    finding = next(iter(machine.disk(tmp_path, EN)))
    assert finding.key == "disk.owner"
    assert "station.db" in finding.sentence
    assert "nobody" in finding.remedy


@pytest.mark.parametrize(("year", "key"), [(1970, "year"), (2126, "year"), (2027, None)])
def test_a_clock_that_cannot_be_right(year: int, key: str | None) -> None:
    at = dt.datetime(year, 3, 4, tzinfo=dt.UTC).timestamp()
    levels = keys(machine.clock(EN, "Asia/Shanghai", lambda: at))
    assert levels == {"clock.year": "bad"} if key else "bad" not in levels.values()


def test_a_time_zone_that_is_not_known() -> None:
    assert keys(machine.clock(EN, "Asia/Nowhere")) == {"clock.zone": "bad"}


def test_now_shifts_the_clock_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim.save(tmp_path, WELL_CLAIMED)
    assert yizhan_doctor.main(["--station", str(tmp_path), "--json", "--now", "0", "--seconds", "2"]) == 1
    (place,) = json.loads(capsys.readouterr().out)["examined"]
    assert "clock.year" in [each["key"] for each in place["findings"]]


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as web:
        web.give(line.QUESTION, {"revision": 0})
        yield web


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, {}),
        (-90, {"clock.fast": "warn"}),
        (-3 * 3600, {"clock.fast": "bad"}),
        (86400, {"clock.slow": "bad"}),
    ],
)
def test_the_clock_is_compared_with_headquarters(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, expected: dict[str, str]
) -> None:
    theirs = email.utils.formatdate(time.time() + seconds, usegmt=True)
    monkeypatch.setattr(Handler, "date_time_string", lambda self, timestamp=None: theirs)
    claim.save(tmp_path, msgspec.structs.replace(WELL_CLAIMED, server=web.url))
    assert keys(line.headquarters(Visit(tmp_path, EN))) == {"headquarters.ok": "ok", **expected}


# -- the line --------------------------------------------------------------------------------------------


def test_a_revoked_station_is_told_by_both(site: Site, tmp_path: Path) -> None:
    visit = site.claimed("zl-019", tmp_path)
    assert keys(line.headquarters(visit)) == {"headquarters.ok": "ok"}
    with site.headquarters.store.write() as conn:
        stations.revoke(conn, "zl-019", now_ms())
    assert keys(line.headquarters(visit)) == {"headquarters.unknown": "bad"}
    until(lambda: "broker.ok" not in keys(line.broker(visit)))
    assert keys(line.broker(visit)) == {"broker.refused": "bad"}


def test_nobody_there(tmp_path: Path) -> None:
    mqtt = claim.Mqtt(free_port(), "zl-018", "a password", "127.0.0.1")
    away = msgspec.structs.replace(WELL_CLAIMED, server=f"http://127.0.0.1:{free_port()}", mqtt=mqtt)
    claim.save(tmp_path, away)
    visit = Visit(tmp_path, EN)
    levels = keys([*line.headquarters(visit), *line.broker(visit)])
    assert levels == {"headquarters.away": "bad", "broker.away": "bad"}


@pytest.mark.parametrize(
    ("status", "body", "key"),
    [
        (404, {"detail": "Not Found"}, "stranger"),
        (401, b"<h1>Log in to the network</h1>", "stranger"),
        (302, b"", "stranger"),
        (503, b"", "broken"),
    ],
)
def test_somebody_else_answers(web: Web, tmp_path: Path, status: int, body: object, key: str) -> None:
    web.give(line.QUESTION, body, status, Location="http://127.0.0.1:9/")
    claim.save(tmp_path, msgspec.structs.replace(WELL_CLAIMED, server=web.url))
    assert keys(line.headquarters(Visit(tmp_path, EN))) == {f"headquarters.{key}": "bad"}


def test_a_broker_is_killed(broker: Broker, tmp_path: Path) -> None:
    mqtt = claim.Mqtt(broker.port, "zl-018", "a password", "127.0.0.1")
    claim.save(tmp_path, msgspec.structs.replace(WELL_CLAIMED, mqtt=mqtt))
    visit = Visit(tmp_path, EN)
    assert keys(line.broker(visit)) == {"broker.ok": "ok"}
    broker.kill()
    assert keys(line.broker(visit)) == {"broker.away": "bad"}


def test_a_broker_that_hangs_costs_seconds(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.doctor.mqtt.SECONDS", 0.3)
    mqtt = claim.Mqtt(broker.port, "zl-018", "a password", "127.0.0.1")
    claim.save(tmp_path, msgspec.structs.replace(WELL_CLAIMED, mqtt=mqtt))
    broker.stall()
    try:
        assert keys(line.broker(Visit(tmp_path, EN))) == {"broker.away": "bad"}
    finally:
        broker.resume()


def test_a_broker_with_other_rules(site: Site, tmp_path: Path) -> None:
    visit = site.claimed("zl-020", tmp_path)
    known = claim.load(tmp_path)
    assert known is not None
    until(lambda: "broker.refused" not in keys(line.broker(visit)))
    mqtt = msgspec.structs.replace(known.mqtt, prefix="elsewhere")
    claim.save(tmp_path, msgspec.structs.replace(known, mqtt=mqtt))
    assert keys(line.broker(visit)) == {"broker.deaf": "bad"}


def test_a_web_server_is_no_broker(web: Web, tmp_path: Path) -> None:
    mqtt = claim.Mqtt(web.server_port, "zl-018", "a password", "127.0.0.1")
    claim.save(tmp_path, msgspec.structs.replace(WELL_CLAIMED, mqtt=mqtt))
    assert keys(line.broker(Visit(tmp_path, EN))) == {"broker.stranger": "bad"}


def test_plain_connections_to_other_machines_are_not_made(tmp_path: Path) -> None:
    mqtt = claim.Mqtt(9, "zl-018", "a password")
    claim.save(tmp_path, msgspec.structs.replace(WELL_CLAIMED, server="http://192.0.2.1", mqtt=mqtt))
    visit = Visit(tmp_path, EN)
    levels = keys([*line.headquarters(visit), *line.broker(visit)])
    assert levels == {"headquarters.plain": "bad", "broker.plain": "bad"}


def test_credentials(tmp_path: Path) -> None:
    visit, file = Visit(tmp_path, EN), tmp_path / claim.FILE
    assert keys(line.credentials(visit)) == {"credentials.none": "warn"}
    assert keys([*line.headquarters(visit), *line.broker(visit)]) == {}
    claim.save(tmp_path, WELL_CLAIMED)
    assert keys(line.credentials(visit)) == {"credentials.ok": "ok"}
    file.chmod(0o640)
    assert keys(line.credentials(visit)) == {"credentials.open": "bad"}
    file.write_bytes(b'{"station": "zl-018", "token')
    assert keys(line.credentials(visit)) == {"credentials.damaged": "bad"}
    file.unlink()
    file.mkdir()
    assert keys(line.credentials(visit)) == {"credentials.unreadable": "bad"}


# -- screen and sound ------------------------------------------------------------------------------------


def test_fonts_are_looked_at_as_the_screen_draws_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an installed product, whose fonts are the user's, so that nobody else's are moved."""
    for package in ("kiosk", "protocol"):
        shutil.copytree(ROOT / package, tmp_path / "site" / package)
    monkeypatch.setattr(child, "ROOT", tmp_path / "site")
    monkeypatch.chdir(tmp_path / "site")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    visit, fonts = Visit(tmp_path, EN), tmp_path / "yizhan" / "fonts"
    missing = next(iter(screen.fonts(visit)))
    assert (missing.key, missing.level) == ("fonts.missing", "bad")
    assert "text.otf" in missing.sentence
    shutil.copytree(ROOT / "build" / "fonts", fonts)
    assert keys(screen.fonts(visit)) == {"fonts.ok": "ok"}
    import kivy

    shutil.copyfile(Path(kivy.__file__).parent / "data" / "fonts" / "Roboto-Regular.ttf", fonts / "bold.otf")
    (fonts / "text.otf").write_bytes(b"no font")
    latin = next(iter(screen.fonts(visit)))
    assert latin.key == "fonts.no_chinese"
    assert "text.otf, bold.otf" in latin.sentence


def test_a_display_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    monkeypatch.setenv("DISPLAY", ":77")
    finding = next(iter(screen.window(Visit(tmp_path, EN))))
    assert (finding.key, finding.level) == ("screen.none", "bad")
    assert "DISPLAY=:77" in finding.sentence


def test_what_hangs_in_a_child_is_ended_with_all_that_it_started() -> None:
    began = time.monotonic()
    code = "import subprocess; subprocess.run(['sleep', '60'])"
    assert child.python(["-c", code], 0.5).status is None
    assert time.monotonic() - began < 5


def test_a_machine_without_a_voice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    visit = Visit(tmp_path, EN)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert keys(sound.speech(visit)) == {"speech.missing": "bad"}
    mute = tmp_path / "espeak-ng"
    mute.write_text("#!/bin/sh\nexit 1\n")
    mute.chmod(0o755)
    assert keys(sound.speech(visit)) == {"speech.failed": "bad"}


def test_a_machine_without_a_player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mpv.py").write_text("raise OSError('Cannot find libmpv')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = next(iter(sound.sound(Visit(tmp_path, EN))))
    assert (finding.key, finding.level) == ("sound.no_player", "bad")
    assert "libmpv" in finding.sentence


def test_a_machine_with_and_without_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "SOCKETS", tmp_path)
    monkeypatch.setattr(sound, "CARDS", tmp_path / "cards")
    monkeypatch.delenv("PULSE_SERVER", raising=False)
    visit = Visit(tmp_path, EN)
    assert keys(sound.sound(visit)) == {"sound.no_card": "warn"}
    (tmp_path / "cards").write_text("--- no soundcards ---\n")
    assert sound._outlet() == ""
    (tmp_path / "cards").write_text(" 0 [Headphones     ]: bcm2835 - bcm2835 Headphones\n      more\n")
    assert "bcm2835 Headphones" in next(iter(sound.sound(visit))).sentence


# -- plugins ---------------------------------------------------------------------------------------------


def test_each_plugin_is_judged_for_itself(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    write(folder, "sound_one")
    write(folder, "needy", "import not_there_at_all")
    write(folder, "leaver", "import os; os._exit(7)")
    write(folder, "crasher", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    write(folder, "eager", "import kivy.clock")
    write(folder, "shut")
    write(folder, "misspelt", more='tilte = "x"\n')
    visit = Visit(tmp_path, EN, (folder,))
    culprit = quarantine.Culprit("shut", "1.0.0", "tile")
    quarantine.write(visit.files.quarantine, [culprit, quarantine.Culprit("sound_one", "0.9.0", "tile")])
    findings = list(plugins.plugins(visit))
    said = {each.sentence.split()[0]: each for each in findings if each.key != "plugins.refused"}
    assert said["needy"].level == "bad"
    assert "not_there_at_all" in said["needy"].sentence
    assert "status 7" in said["leaver"].sentence
    assert "SIGSEGV" in said["crasher"].sentence
    assert (said["eager"].key, said["eager"].level) == ("plugins.kivy", "warn")
    assert said["shut"].key == "plugins.quarantined"
    assert said["1"].sentence == "1 can be used: sound_one."
    (refused,) = [each for each in findings if each.key == "plugins.refused"]
    assert "misspelt" in refused.sentence
    assert "manifest.toml, line" in refused.sentence


def test_a_plugin_that_hangs_ends_with_the_doctor(tmp_path: Path) -> None:
    claim.save(tmp_path / "station", WELL_CLAIMED)
    pid = tmp_path / "pid"
    code = (
        f"import os, pathlib, time\npathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
    )
    write(tmp_path / "plugins", "sleeper", code)
    folders = ("--plugins", str(tmp_path / "plugins"))
    done = station(str(tmp_path / "station"), *folders, "--json", "--seconds", "5")
    assert keys(found(done))["check.late"] == "bad"
    sleeper = Path("/proc") / pid.read_text() / "cmdline"
    until(lambda: not sleeper.exists() or b"sleeper" not in sleeper.read_bytes())


def test_no_plugins_at_all(tmp_path: Path) -> None:
    assert keys(plugins.plugins(Visit(tmp_path, EN, (tmp_path / "nothing",)))) == {"plugins.none": "bad"}
