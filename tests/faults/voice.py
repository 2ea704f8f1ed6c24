"""A station's credentials in other hands: says whatever bytes one likes on MQTT, and hears the answers."""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, Self

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from kiosk import claim
from protocol import frame as frames
from protocol import messages, topics
from protocol.frame import Ack, Frame, Refusal
from protocol.messages import Heartbeat
from server.app import now_ms
from server.store import Store, stations
from tests.faults.centre import Centre

PATIENCE: Final = 20.0  # s


class Voice:
    """Connected as `credentials` say, on `port` of this machine. Use as a context manager."""

    def __init__(self, credentials: claim.Credentials, port: int, name: str = "voice") -> None:
        self.station = credentials.station
        self.acks: list[Ack] = []
        self.refusals: list[Refusal] = []
        self._heard = threading.Condition()
        self._subscribed = threading.Event()
        self._client = client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"{name}-{self.station}")
        client.username_pw_set(credentials.mqtt.user, credentials.mqtt.password)
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._on_message
        self._port = port

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._subscribed.wait(PATIENCE), "the broker does not let the voice in"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, payload: bytes, station: str = "", leaf: topics.Leaf = "up") -> None:
        """Say these bytes, by default on the topic that is its own."""
        self._client.publish(topics.build(station or self.station, leaf), payload).wait_for_publish(PATIENCE)

    def say(self, frame: Frame, seconds: float = PATIENCE) -> float:
        """Say a frame and wait until all of it is acknowledged: how long that took, in s."""
        began, last = time.monotonic(), frame.first + len(frame.msgs) - 1
        self.publish(frames.encode(frame))
        self.until(lambda: any(a.stream == frame.stream and a.upto >= last for a in self.acks), seconds)
        return time.monotonic() - began

    def until(self, true: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until what was heard makes it true."""
        with self._heard:
            assert self._heard.wait_for(true, seconds), f"headquarters does not answer {self.station}"

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe(topics.build(self.station, "down"))

    def _on_message(self, _client: paho.Client, _user: object, message: paho.MQTTMessage) -> None:
        frame = frames.decode(bytes(message.payload))
        with self._heard:
            if frame.ack is not None:
                self.acks.append(frame.ack)
            if frame.refused is not None:
                self.refusals.append(frame.refused)
            self._heard.notify_all()


class Pulse:
    """A good station that only says that it lives: one heartbeat a frame, acknowledged before the next."""

    def __init__(self, voice: Voice, stream: str) -> None:
        self._voice, self._stream, self.said = voice, stream, 0

    def beat(self) -> float:
        """How long headquarters took to acknowledge it, in s."""
        self.said += 1
        now = time.time_ns() // 1_000_000
        body = messages.encode(Heartbeat(at=now, up=now % 2**40))
        msgs = [msgspec.Raw(body)]
        return self._voice.say(
            Frame(v=1, stream=self._stream, first=self.said, run="r1", sent=now, up=now % 2**40, msgs=msgs)
        )


def claimed(centre: Centre, station: str, folder: Path) -> claim.Credentials:
    """A station without a kiosk, set up like any other; its folder holds its credentials."""
    with closing(Store(centre.data)) as store, store.write() as conn:
        code = stations.add(conn, station, name=station, now=now_ms())
    folder.mkdir(parents=True, exist_ok=True)
    return claim.claim(centre.address, code, folder)
