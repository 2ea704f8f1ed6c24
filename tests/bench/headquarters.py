"""A running headquarters of its own for the benchmarks that need one."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from server.broker import free_port

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Headquarters:
    """Where it keeps its data and where it answers."""

    data: Path
    address: str
    mqtt_port: int


@contextmanager
def headquarters(data: Path) -> Iterator[Headquarters]:
    """Start it, wait until it answers, and end it afterwards."""
    http, mqtt = free_port("127.0.0.1"), free_port("127.0.0.1")
    command = [sys.executable, "-m", "server", "run", "--data", str(data)]
    command += ["--http-port", str(http), "--mqtt-port", str(mqtt)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{http}"
        _answer(address)
        yield Headquarters(data, address, mqtt)
    finally:
        server.terminate()
        server.wait(30)


def _answer(address: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("headquarters did not start")
