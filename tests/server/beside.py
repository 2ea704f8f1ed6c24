"""`yizhan server collect` in processes of its own, forked from one that has imported everything."""

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.server.headquarters import Office, eventually
from tests.server.station_client import StationClient

ROOT = Path(__file__).parents[2]


class Nest:
    """The process that others are forked from: an import a module of tests instead of one a collector."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.beside"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )

    def fork(self, crash: str, out: Path, words: list[str]) -> int:
        """Run a command of the server: its process id. What it prints goes to `out`."""
        return int(self._ask(["fork", crash, str(out), *words]))

    def wait(self, pid: int, now: bool = False) -> int | None:
        """Its exit status, negative for a signal; with `now` None while it runs."""
        said = self._ask(["poll" if now else "wait", str(pid)])
        return None if said == "runs" else int(said)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(20) == 0
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _ask(self, words: list[str]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


class Beside:
    """A collector in a process of its own, that has said where it collects."""

    def __init__(self, nest: Nest, office: Office, crash: str = "") -> None:
        words = ["--mqtt", f"127.0.0.1:{office.port}"] if office.kind == "mosquitto" else []
        out = office.folder / f"beside-{len(list(office.folder.iterdir()))}"
        out.touch()
        self._nest = nest
        self._status: int | None = None
        self._pid = nest.fork(crash, out, ["collect", "--data", str(office.options.data), *words])
        eventually(lambda: out.read_text() == f"Collecting from mqtt://127.0.0.1:{office.port}\n")

    def killed(self, station: StationClient) -> bool:
        """Whether it ends by its own hand while a station speaks."""
        while self._ended() is None:
            station.check_in(1)
            eventually(lambda: not station._sender.pending or self._ended() is not None)
        return self._status == -signal.SIGKILL

    def end(self) -> int | None:
        """Its exit status, after a word to end if it still runs."""
        if self._ended() is None:
            os.kill(self._pid, signal.SIGTERM)
            self._status = self._nest.wait(self._pid)
        return self._status

    def _ended(self) -> int | None:
        if self._status is None:
            self._status = self._nest.wait(self._pid, now=True)
        return self._status


def _nest() -> None:
    from server import cli, crash_points

    for late in ("app", "collector", "ingest"):  # what a collector imports when it begins
        importlib.import_module(f"server.{late}")
    for line in sys.stdin:
        what, *words = json.loads(line)
        if what == "fork":
            pid = os.fork()
            if not pid:
                crash, out, *command = words
                os.dup2(os.open(out, os.O_WRONLY | os.O_APPEND), 1)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.environ["YIZHAN_CRASH"] = crash
                importlib.reload(crash_points)
                sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
                os._exit(cli.main(command))
            answer = str(pid)
        else:
            pid, status = os.waitpid(int(words[0]), os.WNOHANG if what == "poll" else 0)
            answer = str(os.waitstatus_to_exitcode(status)) if pid else "runs"
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _nest()
