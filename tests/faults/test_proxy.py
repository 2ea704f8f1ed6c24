"""The proxy does to a conversation what its weather says, and nothing else."""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.faults.proxy import CALM, Proxy, Weather

PING = b"\xc0\x00"


def publish(number: int, size: int = 4) -> bytes:
    """A PUBLISH packet with a number in it, of any size."""
    body = b"\x00\x01t" + number.to_bytes(4, "big") + bytes(size)
    length, rest = b"", len(body)
    while True:
        length += bytes([rest & 0x7F | (0x80 if rest > 0x7F else 0)])
        rest >>= 7
        if not rest:
            return b"\x30" + length + body


class Broker:
    """Takes connections, remembers what came, says what it is told to."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.heard = b""
        self.lines: list[socket.socket] = []
        self.changed = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self.socket.accept()
            except OSError:
                return
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()
            threading.Thread(target=self._hear, args=(line,), daemon=True).start()

    def _hear(self, line: socket.socket) -> None:
        while data := _received(line):
            with self.changed:
                self.heard += data
                self.changed.notify_all()

    def until(self, heard: bytes, seconds: float = 5.0) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.heard == heard, seconds)

    def close(self) -> None:
        self.socket.close()
        for line in self.lines:
            line.close()


def _received(line: socket.socket) -> bytes:
    try:
        return line.recv(65536)
    except OSError:
        return b""


@pytest.fixture
def broker() -> Iterator[Broker]:
    with closing(Broker()) as broker:
        yield broker


@pytest.fixture
def proxy(broker: Broker) -> Iterator[Proxy]:
    with Proxy(broker.port, random.Random(1)) as proxy:
        yield proxy


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def test_in_calm_weather_every_byte_goes_through_in_both_directions(broker: Broker, proxy: Proxy) -> None:
    said = publish(1) + PING + publish(2, 70_000) + publish(3)
    with connect(proxy) as line:
        line.sendall(said)
        assert broker.until(said)
        broker.lines[0].sendall(publish(9))
        assert line.recv(100) == publish(9)
    assert not +proxy.counts


def test_publishes_are_dropped_and_the_rest_is_not(broker: Broker, proxy: Proxy) -> None:
    proxy.weather = Weather(drop=1.0, down=False)
    with connect(proxy) as line:
        line.sendall(publish(1) + PING + publish(2) + PING)
        assert broker.until(PING + PING)
        broker.lines[0].sendall(publish(9))
        assert line.recv(100) == publish(9)
    assert proxy.counts["dropped"] == 2


def test_publishes_are_doubled_and_overtake_each_other(broker: Broker, proxy: Proxy) -> None:
    with connect(proxy) as line:
        proxy.weather = Weather(duplicate=1.0)
        line.sendall(publish(1))
        assert broker.until(publish(1) * 2)
        proxy.weather = Weather(reorder=1.0)
        line.sendall(publish(2) + publish(3))
        assert broker.until(publish(1) * 2 + publish(3) + publish(2))
        # Nothing comes to overtake it: it goes on after a while.
        line.sendall(publish(4))
        assert broker.until(publish(1) * 2 + publish(3) + publish(2) + publish(4))


def test_a_stalled_line_goes_on_and_a_half_open_one_never_does(broker: Broker, proxy: Proxy) -> None:
    with connect(proxy) as line:
        proxy.weather = Weather(stalled=True)
        line.sendall(publish(1))
        assert not broker.until(publish(1), 0.3)
        proxy.weather = CALM
        assert broker.until(publish(1))
        proxy.weather = Weather(half_open=True)
        proxy.weather = CALM
        line.sendall(publish(2))
        assert not broker.until(publish(1) + publish(2), 0.3)
        assert proxy.living == 0
        with connect(proxy) as another:
            another.sendall(publish(3))
            assert broker.until(publish(1) + publish(3))


def test_who_is_away_cuts_and_takes_nobody_in(broker: Broker, proxy: Proxy) -> None:
    with connect(proxy) as line:
        line.sendall(publish(1))
        assert broker.until(publish(1))
        proxy.weather = Weather(away=True)
        assert _received(line) == b""
        with connect(proxy) as another:
            assert _received(another) == b""
    assert proxy.counts["cut"] == 1
