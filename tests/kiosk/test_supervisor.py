"""The supervisor with real child processes: small stand-ins for the screen, killed, hung, misbehaving."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiosk import quarantine
from kiosk.quarantine import Culprit

ROOT = Path(__file__).parents[2]

#: A screen process without a screen: it beats, enters a plugin, and does what the script of this run says.
CHILD = """
import os, sys, time, threading
from pathlib import Path
from kiosk import pulse, ui_thread
from kiosk.blame import Journal

folder, fd = Path(sys.argv[1]), int(sys.argv[2])
run = len(list(folder.glob("run-*")))
script = (folder / "script").read_text().split()
what = script[min(run, len(script) - 1)]
class Loop:
    def call_soon(self, fn): fn()
    def call_every(self, seconds, fn): return lambda: None
ui_thread.install(Loop())
journal = Journal(folder / "blame")
pulse.start(fd)
pulse._beat()
(folder / f"run-{run}").write_text(f"{os.getpid()} {sys.argv[3:]}")
def beat(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pulse._beat()
        time.sleep(0.02)
if what == "stuck":          # never ready, although it beats
    journal.enter("slow", "setup", "2.0.0")
    beat(60)
pulse.ready()
print("ready", flush=True)
if what == "end":
    sys.exit(0)
if what == "refuse":
    sys.exit(3)
if what == "again":
    journal.enter("innocent", "tile", "1.0.0")
    sys.exit(5)
if what == "exit":
    journal.enter("bad", "tile", "1.0.0")
    os._exit(7)
if what == "segfault":
    journal.enter("bad", "screen", "1.0.0")
    import ctypes; ctypes.string_at(0)
if what == "hang":
    busy = threading.Event()
    def work():
        journal.enter("busy", "run", "1.0.0")
        busy.set()
        time.sleep(60)
    threading.Thread(target=work, daemon=True).start()
    busy.wait()
    journal.enter("bad", "touch", "1.0.0")
    time.sleep(60)
if what == "stubborn":
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
beat(60)
"""

#: The supervisor in a process of its own, because it takes the signals.
PARENT = """
import sys
from pathlib import Path
from kiosk.supervisor import Files, Supervisor, Timing

folder = Path(sys.argv[1])
def command(plan, fd):
    flags = [name for name in ("safe_mode", "please_call") if getattr(plan, name)]
    return [sys.executable, "-c", (folder / "child.py").read_text(), str(folder), str(fd), *flags]
timing = Timing(start=4.0, hang=1.5, restart=0.0, farewell=0.5)
sys.exit(Supervisor(command, Files.below(folder), timing).run())
"""

Start = Callable[..., "Supervised"]


class Supervised:
    def __init__(self, folder: Path, script: str, environment: dict[str, str]) -> None:
        self.folder = folder
        (folder / "child.py").write_text(CHILD)
        (folder / "script").write_text(script)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(folder)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until_ready(self) -> int:
        """Wait for the next child that is ready: its process id."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        return self.children()[-1]

    def children(self) -> list[int]:
        return [int(text.split()[0]) for text in self.runs()]

    def runs(self) -> list[str]:
        files = sorted(self.folder.glob("run-*"), key=lambda path: int(path.name.removeprefix("run-")))
        return [file.read_text() for file in files]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@pytest.fixture
def start(tmp_path: Path) -> Any:
    started: list[Supervised] = []

    def start_(script: str, **environment: str) -> Supervised:
        started.append(Supervised(tmp_path, script, environment))
        return started[-1]

    yield start_
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()
        for pid in each.children():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").read_text().split(") ")[1].startswith("Z")


def deaths(folder: Path) -> list[Culprit]:
    return quarantine.read(folder / "deaths.json")


def test_a_killed_screen_is_started_again(start: Start) -> None:
    supervised = start("run")
    first = supervised.until_ready()
    os.kill(first, signal.SIGKILL)
    second = supervised.until_ready()
    assert second != first
    assert supervised.end() == 0
    assert not alive(second)


@pytest.mark.parametrize(("what", "hook"), [("exit", "tile"), ("segfault", "screen")])
def test_the_plugin_on_stage_is_named_whatever_way_the_process_died(
    start: Start, tmp_path: Path, what: str, hook: str
) -> None:
    supervised = start(f"{what} run")
    supervised.until_ready()
    supervised.until_ready()
    assert deaths(tmp_path) == [Culprit("bad", "1.0.0", hook, "Died")]
    supervised.end()


def test_a_screen_that_asks_for_a_new_start_gets_it_as_often_as_it_asks_and_blames_nobody(
    start: Start, tmp_path: Path
) -> None:
    supervised = start("again again again again again run")
    for _ in range(6):
        supervised.until_ready()
    assert "safe_mode" not in supervised.runs()[-1]
    assert deaths(tmp_path) == []
    assert supervised.end() == 0


def test_a_hanging_screen_is_killed_and_only_the_ui_threads_plugin_is_named(
    start: Start, tmp_path: Path
) -> None:
    supervised = start("hang run")
    hung = supervised.until_ready()
    supervised.until_ready()
    assert not alive(hung)
    assert deaths(tmp_path) == [Culprit("bad", "1.0.0", "touch", "Hung")]
    supervised.end()


def test_a_start_that_never_ends_is_ended_and_blamed(start: Start, tmp_path: Path) -> None:
    supervised = start("stuck run")
    supervised.until_ready()
    assert deaths(tmp_path) == [Culprit("slow", "2.0.0", "setup", "Hung")]
    supervised.end()


def test_the_third_death_of_a_plugin_is_written_into_the_quarantine(start: Start, tmp_path: Path) -> None:
    supervised = start("exit exit exit run")
    for _ in range(4):
        supervised.until_ready()
    assert [(each.plugin, each.version) for each in quarantine.read(tmp_path / "quarantine.json")] == [
        ("bad", "1.0.0")
    ]
    supervised.end()


def test_the_ladder_ends_at_the_plain_screen_and_then_stops(start: Start) -> None:
    (supervised := start("exit")).process.wait(60)
    assert supervised.process.returncode == 4
    flags = [text.partition(" ")[2] for text in supervised.runs()]
    assert flags[0] == "[]"
    assert "['safe_mode']" in flags
    assert flags[-1] == "['please_call']"
    assert len(flags) < 30


@pytest.mark.parametrize(("what", "status"), [("end", 0), ("refuse", 3)])
def test_a_screen_that_ends_by_itself_is_not_started_again(start: Start, what: str, status: int) -> None:
    supervised = start(what)
    assert supervised.process.wait(10) == status
    assert len(supervised.children()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_ends_the_screen_first(start: Start, number: signal.Signals) -> None:
    supervised = start("run")
    child = supervised.until_ready()
    supervised.process.send_signal(number)
    assert supervised.process.wait(10) == 0
    assert not alive(child)


def test_a_screen_that_ignores_the_request_is_killed(start: Start) -> None:
    supervised = start("stubborn")
    child = supervised.until_ready()
    assert supervised.end() == 0
    assert not alive(child)


def test_a_screen_without_its_supervisor_ends_by_itself(start: Start) -> None:
    supervised = start("run")
    child = supervised.until_ready()
    supervised.process.kill()
    supervised.process.wait()
    gone = threading.Event()
    for _ in range(200):
        if not alive(child):
            break
        gone.wait(0.02)
    assert not alive(child)


def test_systemd_is_told_when_the_services_are_ready_and_that_it_ends(start: Start, tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        supervised = start("run", NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="1000000")
        supervised.until_ready()
        said = [systemd.recv(100)]
        supervised.end()
        while said[-1] != b"STOPPING=1":
            said.append(systemd.recv(100))
    assert said.count(b"READY=1") == 1
    assert b"WATCHDOG=1" in said


def test_damaged_files_of_a_former_life_are_no_obstacle(start: Start, tmp_path: Path) -> None:
    (tmp_path / "quarantine.json").write_bytes(b"\xff{")
    (tmp_path / "blame").write_bytes(b"rubbish")
    supervised = start("run")
    supervised.until_ready()
    assert supervised.end() == 0
    assert quarantine.read(tmp_path / "quarantine.json") == []


FORKING = """
import os, sys, threading
from pathlib import Path
from kiosk.supervisor import Files, Supervisor, Timing

folder = Path(sys.argv[1])

def first(fd):
    (folder / "first").write_text(str(os.getpid()))
    os.write(fd, b"r")
    if sys.argv[2] == "crash":
        os.kill(os.getpid(), 9)
    while True:  # until nobody reads
        threading.Event().wait(0.02)
        os.write(fd, b"r")

def command(plan, fd):
    return [sys.executable, "-c", "print('anew', flush=True)"]

print("status", Supervisor(command, Files.below(folder), Timing(restart=0.05), first=first).run(), flush=True)
"""


@pytest.mark.parametrize("what", ["crash", "supervisor killed", "asked to end"])
def test_the_first_child_needs_no_python_of_its_own_and_later_ones_start_anew(
    tmp_path: Path, what: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", FORKING, str(tmp_path), what], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    with process, process.stdout:
        if what != "crash":
            first = tmp_path / "first"
            wait_until(lambda: first.is_file() and first.read_text() != "")
            child = int(first.read_text())
            process.kill() if what == "supervisor killed" else process.terminate()
            wait_until(lambda: not Path(f"/proc/{child}").exists() or "Z" in _state(child))
        said = process.stdout.read().split("\n")
    expected = {
        "crash": ["anew", "status 0", ""],
        "supervisor killed": [""],
        "asked to end": ["status 0", ""],
    }
    assert said == expected[what]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def wait_until(condition: Callable[[], object], timeout: float = 15.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
