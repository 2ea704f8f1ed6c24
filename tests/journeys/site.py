"""Headquarters as its operator starts it: the real command as a child process, on ports of its own."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from server.app import now_ms
from server.broker import free_port
from server.store import Store, sessions, stations, users

ROOT = Path(__file__).resolve().parent.parent.parent
USER = "hq"


class Headquarters:
    """`start` and `stop` may be called again: the data and the ports stay. `store` reads beside it."""

    def __init__(self, data: Path, environment: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.http, self.mqtt = free_port(), free_port()
        self.address = f"http://127.0.0.1:{self.http}"
        self.store = Store(data)
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[str] | None = None
        with self.store.write() as conn:
            users.add(conn, USER, "a password of some length", now_ms())
            self._session = sessions.open(conn, USER, now_ms())

    def add_station(self, station: str, name: str = "织东路驿站") -> str:
        """Register a station: its claim code."""
        with self.store.write() as conn:
            return stations.add(conn, station, name=name, now=now_ms())

    def start(self) -> None:
        """Start, and wait until the pages answer."""
        ports = ("--http-port", str(self.http), "--mqtt-port", str(self.mqtt))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "server", "run", "--data", str(self.data), *ports],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=(self.data / "server.log").open("a"),
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("Headquarters:"):
                return
        raise AssertionError((self.data / "server.log").read_text())

    def stop(self) -> None:
        """End it in order."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            assert process.wait(20) == 0
            assert process.stdout is not None
            process.stdout.close()

    def page(self, path: str) -> str:
        """A page as somebody sees it who is logged in."""
        asked = urllib.request.Request(self.address + path, headers={"Cookie": f"session={self._session}"})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    def api(self, path: str, **query: str) -> dict[str, Any]:
        """An answer of the JSON API."""
        answer: dict[str, Any] = json.loads(self.page(f"/api/v1/{path}?{urllib.parse.urlencode(query)}"))
        return answer

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.store.close()


def command(*words: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `yizhan ...` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "yizhan", *words],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def sentences(text: str) -> list[str]:
    """What was said, without the log."""
    return [line for line in text.splitlines() if not re.match(r"\d{4}-|INFO|WARNING|ERROR", line)]


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until a condition in another process holds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.02)
