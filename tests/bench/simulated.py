"""Stations without screens: they speak the real protocol over the real broker, for load and for tests."""

import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from protocol import frame as frames
from protocol import messages, topics
from protocol.frame import FRAME_BYTES, FRAME_MESSAGES, Frame
from protocol.messages import Up
from protocol.stream import Sender


class SimulatedStation:
    """One station whose messages are there from the start; `drained` is set once all are acknowledged."""

    def __init__(self, station: str, password: str, port: int, said: Sequence[Up]) -> None:
        self.drained = threading.Event()
        self._station, self._stream = station, secrets.token_hex(8)
        self._frames = _frames(self._stream, [msgspec.Raw(messages.encode(each)) for each in said])
        self._sender = Sender(last=len(said), random=random.random)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=station, protocol=mqtt.MQTTv311)
        self._client.username_pw_set(station, password)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._ready
        self._client.on_message = self._heard
        self._port = port
        self._pumping = threading.Lock()
        self.ready = threading.Event()

    def connect(self) -> None:
        """Connect and subscribe; `ready` is set when the broker has agreed. Nothing is sent yet."""
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()

    def pump(self) -> None:
        """Send what is due; acknowledgements bring out the rest. Call it now and then, for what got lost."""
        with self._pumping:
            self._pump()

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(topics.build(self._station, "down"))

    def _ready(self, *_: Any) -> None:
        self.ready.set()

    def _heard(self, _client: mqtt.Client, _user: Any, message: mqtt.MQTTMessage) -> None:
        ack = frames.decode(message.payload).ack
        if ack is None or ack.stream != self._stream:
            return
        with self._pumping:
            self._sender.acknowledged(ack.upto, time.monotonic())
            if not self._sender.pending:
                self.drained.set()
            self._pump()

    def _pump(self) -> None:
        while (first := self._sender.due(time.monotonic())) is not None:
            payload, last = self._frames[first]
            self._client.publish(topics.build(self._station, "up"), payload)
            self._sender.sent(last, time.monotonic())


def _frames(stream: str, bodies: Sequence[msgspec.Raw]) -> dict[int, tuple[bytes, int]]:
    """All frames by their first number, with their last; packed beforehand, as each station packs its own.

    The receiver acknowledges whole frames, so no other cut is ever asked for.
    """
    boot, found, first = secrets.token_hex(8), {}, 1
    while first <= len(bodies):
        size, count = 0, 0
        for body in bodies[first - 1 : first - 1 + FRAME_MESSAGES]:
            size += len(body)
            if count and size > FRAME_BYTES:
                break
            count += 1
        wall, up = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
        run = list(bodies[first - 1 : first - 1 + count])
        frame = Frame(v=frames.VERSION, stream=stream, first=first, boot=boot, sent=wall, up=up, msgs=run)
        found[first] = (frames.encode(frame), first + count - 1)
        first += count
    return found


def drain(stations: Sequence[SimulatedStation], timeout: float, on_ready: Callable[[], None]) -> None:
    """Connect all stations, call `on_ready`, let them send, and return when all is acknowledged.

    TimeoutError if one is not done `timeout` seconds later.
    """
    for each in stations:
        each.connect()
    deadline = time.monotonic() + timeout
    try:
        if not all(each.ready.wait(max(0.0, deadline - time.monotonic())) for each in stations):
            raise TimeoutError("not every station came through to the broker")
        on_ready()
        for each in stations:
            each.pump()
        for each in stations:
            while not each.drained.wait(1.0):
                if time.monotonic() > deadline:
                    raise TimeoutError("not everything was acknowledged")
                each.pump()
    finally:
        for each in stations:
            each.close()
