"""The broker beside headquarters: a NATS server that we start, or a Mosquitto that somebody else runs."""

import os
import socket
from collections.abc import Mapping
from typing import Protocol

from server.errors import PortTaken

#: Station id to the bcrypt and the PBKDF2 hash of its broker password.
Credentials = Mapping[str, tuple[str, str]]


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
