"""Headquarters as a process that may be killed at any moment, with its broker, and started again."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Final

from server.app import now_ms
from server.broker import free_port
from server.demo_content import write_samples
from server.manifests import SHIPPED, read_all
from server.services import content, rota
from server.store import Store, offices, sessions, stations, users
from server.store.engine import FILE

ROOT: Final = Path(__file__).resolve().parent.parent.parent
USER: Final = "hq"
OFFICE: Final = "legal"
DAY: Final = 24 * 3600 * 1000
START: Final = 30.0  # s


class Centre:
    """`environment` is what the next start adds to ours, such as YIZHAN_CRASH. The ports stay the same."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.http, self.mqtt = free_port(), free_port()
        self.address = f"http://127.0.0.1:{self.http}"
        self.environment: dict[str, str] = {}
        self.arguments: list[str] = []
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()
        self._token = ""

    @property
    def database(self) -> Path:
        return self.data / FILE

    def prepare(self, samples: Path, names: dict[str, str]) -> dict[str, str]:
        """Fill the database while nothing runs; station id to its claim code."""
        from nacl.public import PrivateKey

        files, now = write_samples(ROOT / "assets", samples), now_ms()
        manifests, _ = read_all([SHIPPED])
        store = Store(self.data)
        try:
            with store.write() as conn:
                users.add(conn, USER, "a password of some length", now)
                self._token = sessions.open(conn, USER, now, "api", 30 * DAY)
                offices.add(conn, OFFICE, _base64(bytes(PrivateKey.generate().public_key)), now)
                rota.save(conn, manifests, files["rota"].read_text(encoding="utf-8"), "rota.toml", now)
                codes = {id: stations.add(conn, id, name=name, now=now) for id, name in names.items()}
            for collection in ("jobs", "programme"):
                content.import_file(
                    store, manifests, collection, files[collection], now, replace=False, skip_bad=False
                )
        finally:
            store.close()
        return codes

    # its life

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def ended_by(self) -> int | None:
        """The signal that ended it; None while it lives, and if it ended by itself."""
        status = self._process.poll() if self._process is not None else None
        return -status if status is not None and status < 0 else None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def broker_pid(self) -> int | None:
        """The broker that the server runs, None while there is none."""
        return next((each for each in children(self.pid) if "nats-server" in _name(each)), None)

    def start(self) -> None:
        """Start it if it does not run, and wait until its pages answer, or it has died of its crash point."""
        with self._lock:
            if self.alive:
                return
            command = [sys.executable, "-m", "server", "run", "--data", str(self.data)]
            command += ["--http-port", str(self.http), "--mqtt-port", str(self.mqtt), *self.arguments]
            environment = {**os.environ, **self.environment}
            with (self.data.parent / "server.log").open("ab") as log:
                self._process = subprocess.Popen(
                    command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            self.starts += 1
            process = self._process
        ends = time.monotonic() + START
        while not self.answers():
            if process.poll() is not None:
                return
            if time.monotonic() > ends:
                raise AssertionError(f"the server did not start: {self.log()[-2000:]}")
            time.sleep(0.05)

    def ensure(self) -> None:
        """Let it run, whatever it takes."""
        for _ in range(20):
            self.start()
            if self.alive:
                return
            # Its broker is ended by the kernel when it dies, and may hold the port for a moment.
            time.sleep(0.25)
        raise AssertionError(f"the server does not stay: {self.log()[-2000:]}")

    def kill(self) -> int:
        """SIGKILL to the server, and so to its broker; 1 if there was something to kill."""
        with self._lock:
            process, broker = self._process, self.broker_pid
            if process is None or process.poll() is not None:
                return 0
            process.kill()
            process.wait()
        _gone(broker)
        return 1

    def start_beside(self, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        """Another collector on the same data; whoever starts it ends it."""
        with (self.data.parent / "collector.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "server", "collect", "--data", str(self.data)],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill_broker(self) -> int:
        """SIGKILL to the broker alone; 1 if there was one."""
        pid = self.broker_pid
        if pid is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return 1
        return 0

    def stop(self) -> None:
        """End it in order."""
        with self._lock:
            process = self._process
            if process is None or process.poll() is not None:
                return
            broker = self.broker_pid
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        _gone(broker)

    # what it says

    def answers(self) -> bool:
        """Whether its API answers."""
        try:
            self.api("bookings")
        except OSError:
            return False
        return True

    def api(self, path: str, **query: str) -> dict[str, Any]:
        """An answer of the JSON API; OSError if there is none."""
        url = f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {self._token}"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `yizhan server ...` on this data folder, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "server", words[0], "--data", str(self.data), *words[1:]],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def log(self) -> str:
        """What it has written."""
        return (self.data.parent / "server.log").read_text(encoding="utf-8", errors="replace")


def children(pid: int | None) -> list[int]:
    """The processes that a process has started, oldest first."""
    found: set[int] = set()
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found.update(int(each) for each in file.read_text(encoding="ascii").split())
    return sorted(found)


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _gone(pid: int | None, seconds: float = 10.0) -> None:
    """Wait for the end of a process that is not our child, and end it if it does not come."""
    if pid is None:
        return
    ends = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and "nats-server" in _name(pid):
        if time.monotonic() > ends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()
