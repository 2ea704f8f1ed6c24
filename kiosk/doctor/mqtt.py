"""A knock at the broker's door, in the few packets of MQTT 3.1.1 that it takes.

Not paho: the knock needs no thread and no session, and each of its steps must end in time.
"""

import secrets
import socket
import ssl
import struct
from enum import Enum
from typing import Final

from kiosk.claim import Credentials
from protocol import topics

SECONDS: Final = 8.0
_CONNACK: Final = 0x20
_SUBACK: Final = 0x90
_PUBLISH: Final = 0x30  # what headquarters says may come before the answer
_REFUSED_SUBSCRIPTION: Final = 0x80


class Answer(Enum):
    """How far the broker let us in."""

    REFUSED = "refused"  # not with this name and password
    DEAF = "deaf"  # in, but not to the station's own topic
    WELCOME = "welcome"


class Closed(Exception):
    """The other side hung up, or speaks something else than MQTT."""


def knock(credentials: Credentials) -> Answer:
    """Connect as the station and ask for its own topic.

    OSError if nobody answers in time, Closed if it is no broker. The client id is a new one: with the
    station's own the broker would throw the running station out.
    """
    mqtt = credentials.mqtt
    with socket.create_connection((credentials.broker, mqtt.port), SECONDS) as raw:
        raw.settimeout(SECONDS)
        sock: socket.socket = raw
        if mqtt.tls:
            context = ssl.create_default_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            sock = context.wrap_socket(raw, server_hostname=credentials.broker)
        name = f"yz-doctor-{secrets.token_hex(6)}"
        clean_with_password = 0xC2
        head = _text("MQTT") + struct.pack("!BBH", 4, clean_with_password, 30)
        sock.sendall(_packet(0x10, head + _text(name) + _text(mqtt.user) + _text(mqtt.password)))
        if _packet_of(sock, _CONNACK)[1] != 0:
            return Answer.REFUSED
        topic = topics.build(credentials.station, "down", mqtt.prefix)
        sock.sendall(_packet(0x82, struct.pack("!H", 1) + _text(topic) + b"\0"))
        granted = _packet_of(sock, _SUBACK, besides=_PUBLISH)[2]
        sock.sendall(_packet(0xE0, b""))
        return Answer.DEAF if granted & _REFUSED_SUBSCRIPTION else Answer.WELCOME


def _packet_of(sock: socket.socket, kind: int, besides: int = -1) -> bytes:
    """The body of the next packet, with zeros at least three bytes long; Closed if it is of another kind.

    Packets of the kind `besides` may come before it.
    """
    while (first := _exactly(sock, 1)[0] & 0xF0) in (kind, besides):
        length = shift = 0
        while True:
            byte = _exactly(sock, 1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
            if shift > 21:
                raise Closed
        body = _exactly(sock, length)
        if first == kind:
            return body.ljust(3, b"\0")
    raise Closed


def _exactly(sock: socket.socket, n: int) -> bytes:
    found = b""
    while len(found) < n:
        more = sock.recv(n - len(found))
        if not more:
            raise Closed
        found += more
    return found


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("!H", len(data)) + data


def _packet(kind: int, body: bytes) -> bytes:
    length, head = len(body), bytearray([kind])
    while True:
        length, low = divmod(length, 128)
        head.append(low | (0x80 if length else 0))
        if not length:
            return bytes(head) + body
