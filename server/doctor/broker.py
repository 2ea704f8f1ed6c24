"""The broker beside headquarters: whether it runs, answers, and keeps strangers out."""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from protocol.finding import Finding
from server.doctor.visit import Visit

SECONDS: Final = 5.0
#: CONNECT of MQTT 3.1.1 with a clean session, as `doctor`, with neither name nor password.
ANONYMOUS: Final = b"\x10\x12\x00\x04MQTT\x04\x02\x00\x1e\x00\x06doctor"
_CONNACK: Final = 0x20
_NATS: Final = re.compile(r'^mqtt \{ host: ("(?:[^"\\]|\\.)*"), port: (\d+) \}$', re.M)
_MOSQUITTO: Final = re.compile(r"^listener (\d+) (\S+)$", re.M)


@dataclass(frozen=True)
class Written:
    """Where headquarters has last told a broker to listen; `embedded`: a process of ours."""

    config: Path
    host: str
    port: int
    embedded: bool

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


def broker(visit: Visit) -> Iterator[Finding]:
    """Whether somebody listens at the broker's port, speaks MQTT, and asks who one is."""
    say, written = visit.say, _written(visit.data)
    if written is None:
        yield say.warn("broker.never")
        return
    try:
        answer = _knock(written)
    except OSError as err:
        pid = _process(written.config) if written.embedded else None
        key = "broker.deaf" if pid else "broker.down" if written.embedded else "broker.mosquitto"
        yield say.bad(key, address=written.address, pid=pid, error=err.strerror or str(err))
        return
    if len(answer) == 4 and answer[0] == _CONNACK and answer[3] == 0:
        yield say.bad("broker.open", address=written.address)
    elif answer and answer[0] != _CONNACK:
        yield say.bad("broker.stranger", address=written.address)
    else:
        yield say.ok(
            "broker.ok", address=written.address, program="NATS" if written.embedded else "Mosquitto"
        )


def _written(data: Path) -> Written | None:
    found = []
    for file, pattern in (
        (data / "broker" / "nats.conf", _NATS),
        (data / "mosquitto" / "yizhan.conf", _MOSQUITTO),
    ):
        if file.is_file() and (match := pattern.search(file.read_text(encoding="utf-8"))):
            embedded = pattern is _NATS
            host, port = (json.loads(match[1]), match[2]) if embedded else (match[2], match[1])
            everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
            written = Written(file, everywhere.get(host, host), int(port), embedded)
            found.append((file.stat().st_mtime, written))
    return max(found, key=lambda each: each[0])[1] if found else None


def _knock(written: Written) -> bytes:
    """What a stranger is answered; empty if the broker only hangs up, which refuses him too."""
    with socket.create_connection((written.host, written.port), SECONDS) as sock:
        sock.sendall(ANONYMOUS)
        try:
            return sock.recv(4)
        except ConnectionResetError:
            return b""


def _process(config: Path) -> int | None:
    """The process that was started with this configuration."""
    wanted = str(config).encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "cmdline").read_bytes().split(b"\0"):
                return int(folder.name)
        except OSError:
            continue  # it has ended meanwhile, or is not ours to look at
    return None
