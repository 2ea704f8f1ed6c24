"""The demo as `make demo` runs it: numbers that agree, nothing left running, nothing personal on disk."""

import base64
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from nacl.public import PrivateKey, SealedBox
from sqlalchemy import select

from kiosk.visitor import PHONE
from server.store import Store
from server.store.schema import booking, request
from tests.journeys.site import ROOT, until

pytestmark = [pytest.mark.window, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Demo:
    """A demo that has ended: its folder, what it said, its exit status, the processes that it had."""

    out: Path
    said: str
    status: int
    children: list[int]


def start(out: Path, **environment: str) -> subprocess.Popen[str]:
    """`yizhan demo` into a folder of its own."""
    without = {name: value for name, value in os.environ.items() if name != "DEMO_SECONDS"}
    return subprocess.Popen(
        [sys.executable, "-m", "yizhan", "demo"],
        cwd=ROOT,
        env={**without, **environment, "DEMO_OUT": str(out)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def running_in(out: Path) -> list[int]:
    """The processes whose command line names the folder: server, broker, visitor, station."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid():
            try:
                words = (each / "cmdline").read_bytes()
            except OSError:
                continue  # it has just ended
            if str(out).encode() in words:
                found.append(int(each.name))
    return found


def below(parents: list[int]) -> list[int]:
    """These processes and all that they have started, as far as they still run."""
    children: dict[int, list[int]] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                parent = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(each.name))
    found: list[int] = []
    waiting = list(parents)
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def picture(file: Path) -> tuple[int, int, bytes]:
    """Width, height and unfiltered rows of a PNG as `kiosk.ui.picture` writes it: each row after a zero."""
    data, at, packed = file.read_bytes(), 8, b""
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        packed += data[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    width, height = struct.unpack_from(">II", data, 16)
    rows = zlib.decompress(packed)
    assert len(rows) == height * (3 * width + 1)
    return width, height, rows


def ports(said: str) -> list[int]:
    return [int(port) for port in re.findall(r"http://127\.0\.0\.1:(\d+)", said)]


def told(demo: subprocess.Popen[str], until_line: str) -> str:
    """What it says up to the line that begins so."""
    assert demo.stdout is not None
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if line.strip().startswith(until_line):
            return "".join(lines)
    raise AssertionError("".join(lines))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One scripted demo of twenty seconds."""
    out = tmp_path_factory.mktemp("demo") / "out"
    process = start(out, DEMO_SECONDS="20")
    try:
        said = told(process, "A visitor")
        children = below(running_in(out))
        rest, _ = process.communicate(timeout=120)
        yield Demo(out, said + rest, process.returncode, children)
    finally:
        process.kill()
        process.wait()


def test_what_the_station_recorded_is_what_headquarters_stored_and_shows(demo: Demo) -> None:
    assert demo.status == 0, demo.said
    assert "They agree exactly." in demo.said
    summary = json.loads((demo.out / "summary.json").read_text(encoding="utf-8"))
    assert summary["agrees"] is True
    assert summary["differences"] == []
    assert summary["recorded"] == summary["stored"] > 10
    assert (
        summary["visits_recorded"] == summary["visits_shown"] == summary["visitor"]["done"]["check_in"] >= 2
    )
    assert summary["bookings_recorded"] == summary["bookings_confirmed"] == 1
    assert set(summary["visitor"]["done"]) == {"check_in", "jobs", "legal_aid", "broadcast", "hello"}


def test_every_picture_shows_something_and_no_two_are_the_same(demo: Demo) -> None:
    shots = sorted((demo.out / "shots").glob("*.png"))
    assert len(shots) >= 12
    seen = set()
    for shot in shots:
        width, height, rows = picture(shot)
        assert (width, height) == (1080, 1920)
        pixels = {rows[at : at + 3] for at in range(1, len(rows) - 3, 3 * 7)}
        assert len(pixels) > 100, f"{shot.name} is blank"
        seen.add(rows)
    assert len(seen) == len(shots)


def test_nothing_that_it_started_runs_on(demo: Demo) -> None:
    assert len(demo.children) >= 3
    assert [pid for pid in demo.children if alive(pid)] == []
    assert running_in(demo.out) == []
    for port in ports(demo.said):
        socket.create_server(("127.0.0.1", port)).close()


def test_only_the_offices_key_opens_the_contact_and_its_digits_stand_nowhere(demo: Demo) -> None:
    key = PrivateKey(base64.b64decode((demo.out / "legal-centre.key").read_text()))
    with closing(Store(demo.out / "headquarters")) as store, store.read() as conn:
        sealed = conn.scalars(select(booking.c.contact)).one()
        asked = json.loads(conn.scalars(select(request.c.d)).one())
    assert asked["contact"] == sealed
    assert json.loads(SealedBox(key).decrypt(base64.b64decode(sealed)))["phone"] == PHONE
    files = [each for each in demo.out.rglob("*") if each.is_file()]
    assert any(each.name == "station.db" for each in files)
    assert [each for each in files if PHONE.encode() in each.read_bytes()] == []


def test_ctrl_c_ends_a_demo_without_a_visitor_and_all_its_children(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(out)
    try:
        said = told(process, "Ctrl-C")
        assert re.search(r"Log in +hq +\S{8,}", said)
        until(lambda: len(below(running_in(out))) >= 4)  # server, broker, supervisor, screen
        children = below(running_in(out))
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=40)
        assert process.returncode == 0, said + rest
        assert "did not end by itself" not in rest
    finally:
        process.kill()
        process.wait()
    assert [pid for pid in children if alive(pid)] == []
    for port in ports(said):
        socket.create_server(("127.0.0.1", port)).close()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    process = start(tmp_path)
    said, _ = process.communicate(timeout=30)
    assert (process.returncode, len(said.splitlines())) == (1, 1)
    assert "holds something else than a demo; name another folder in DEMO_OUT" in said
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_number_of_seconds_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    process = start(tmp_path / "out", DEMO_SECONDS="soon")
    said, _ = process.communicate(timeout=30)
    assert (process.returncode, said) == (
        1,
        "demo: DEMO_SECONDS is 'soon'; write a number of seconds, such as 60\n",
    )
