"""The broker beside headquarters: a NATS server that we start, or a Mosquitto that somebody else runs."""

import os
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from server.errors import BrokerError, PortTaken

#: Who the collector is at the broker. No station id: a station's topics never name it.
COLLECTOR: Final = "collector"

#: Station id to the bcrypt and the PBKDF2 hash of its broker password.
Credentials = Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Access:
    """Where a broker is, and who a collector is there."""

    host: str
    port: int
    user: str
    password: str


class Broker(Protocol):
    """What the composition needs of either: how the collector gets in, and who else may."""

    host: str
    port: int
    user: str
    password: str

    def start(self, stations: Credentials) -> None:
        """Let these stations in, and be ready; BrokerError or PortTaken if that fails."""

    def update(self, stations: Credentials) -> None:
        """Stations were claimed or revoked."""

    def stop(self) -> None:
        """Let go of everything that `start` took."""


def own_password(folder: Path) -> str:
    """The collectors' password at the broker of this folder, made if there is none; readable to us alone."""
    file = folder / COLLECTOR
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = file.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(32))
        with suppress(FileExistsError):
            os.link(aside, file)  # of two that begin at once, one makes it
        aside.unlink()
    return file.read_text()


def running(folder: Path) -> Access:
    """The broker of this folder that another process runs; BrokerError if none was ever started."""
    try:
        host, _, port = (folder / "address").read_text().strip().rpartition(":")
        return Access(host, int(port), COLLECTOR, (folder / COLLECTOR).read_text())
    except (OSError, ValueError) as err:
        raise BrokerError(
            f"No headquarters has started its broker in {folder.parent}. "
            "Start 'yizhan server run' there first, or name a Mosquitto with --mqtt."
        ) from err


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


def check_free(host: str, port: int, what: str) -> None:
    """PortTaken, with one clear sentence, if another program listens there."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family):
            pass
    except OSError as err:
        raise PortTaken(
            f"Port {port} on {host} is not free for {what} ({os.strerror(err.errno or 0)}). "
            "Stop the program that uses it, or choose another port.",
            port=port,
        ) from err
