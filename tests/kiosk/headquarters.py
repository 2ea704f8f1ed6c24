"""A small collector in the test's own process: the real protocol, a real broker, all kept in memory."""

import threading
import time
from collections.abc import Callable
from typing import Any, Self

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from protocol import frame as frames
from protocol import messages, topics
from protocol.stream import Fork, Receiver


class Headquarters:
    """`heard` are the messages of all up streams by number; `acked` is what the station owns of our stream.

    With `deaf` it hears nothing, with `mute` it stores but acknowledges nothing. A frame with a message that
    `unreadable` finds is refused. `answers` are the station's acknowledgements, `forks` the streams whose
    numbers came with other messages than before.
    """

    def __init__(self, port: int, station: str = "test-01", stream: str = "hq-1") -> None:
        self.station, self.stream = station, stream
        self.heard: dict[str, dict[int, messages.Message | messages.Unknown]] = {}
        self.lost: list[tuple[int, int]] = []
        self.frames: list[frames.Frame] = []
        self.states: list[dict[str, Any]] = []
        self.acked: dict[str, int] = {}
        self.answers: list[frames.Ack] = []
        self.forks: list[str] = []
        self.run = "hq-run-1"
        self.deaf = self.mute = False
        self.unreadable: Callable[[bytes], bool] = lambda body: False
        self.reason = "json"  # that it gives for it
        self.change = threading.Condition()
        self._receivers: dict[str, Receiver] = {}
        self._said: list[messages.Down] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"hq-{time.monotonic_ns()}")
        self._client.on_connect = self._subscribe
        self._ready = threading.Event()
        self._client.on_subscribe = lambda *args: self._ready.set()
        self._client.on_message = self._message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(10)

    def say(self, *said: messages.Down) -> None:
        """Put messages into the stream down and send all that is not acknowledged."""
        self._said += said
        self.resend(self.acked.get(self.stream, 0) + 1)

    def resend(self, first: int = 1) -> None:
        """Send the stream down again from this number, whatever was acknowledged."""
        bodies = [msgspec.Raw(messages.encode(each)) for each in self._said[first - 1 :]]
        self._send(frames.Frame(v=1, stream=self.stream, first=first, run=self.run, msgs=bodies))

    def acknowledge(self, stream: str, upto: int) -> None:
        """Claim to own everything up to a number, true or not, as a release without runs does."""
        self._answer(frames.Ack(stream, upto))

    def send_bytes(self, payload: bytes) -> None:
        self._client.publish(topics.build(self.station, "down"), payload)

    def wait(self, condition: Callable[[], object], timeout: float = 15.0) -> None:
        """Wait until something heard makes the condition true."""
        with self.change:
            assert self.change.wait_for(condition, timeout), "headquarters waited in vain"

    def numbers(self, stream: str | None = None) -> list[int]:
        """The numbers heard of one stream, by default of the only one."""
        heard = self.heard[stream] if stream else next(iter(self.heard.values()), {})
        return sorted(heard)

    def events(self) -> list[messages.Event]:
        """All usage events heard, in order."""
        return [
            message
            for stream in self.heard.values()
            for _, message in sorted(stream.items())
            if isinstance(message, messages.Event)
        ]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def _subscribe(self, client: paho.Client, *args: Any) -> None:
        client.subscribe([(topics.build(self.station, "up"), 0), (topics.build(self.station, "state"), 0)])

    def _message(self, client: paho.Client, userdata: Any, message: Any) -> None:
        with self.change:
            if message.topic.endswith("/state"):
                self.states.append(msgspec.json.decode(message.payload))
            elif not self.deaf:
                self._frame(frames.decode(message.payload), frames.digest(message.payload))
            self.change.notify_all()

    def _frame(self, frame: frames.Frame, digest: str) -> None:
        self.frames.append(frame)
        if frame.ack is not None:
            self.acked[frame.ack.stream] = frame.ack.upto
            self.answers.append(frame.ack)
        if not frame.msgs:
            return
        if any(self.unreadable(bytes(raw)) for raw in frame.msgs):
            refused = frames.Refusal(self.reason, digest)
            self._send(frames.Frame(v=1, stream=self.stream, first=1, refused=refused))
            return
        receiver = self._receivers.setdefault(frame.stream, Receiver())
        offered = receiver.offer(frame.first, len(frame.msgs), frame.low, frame.gone, frame.run)
        of = frame.first + len(frame.msgs) - 1
        fork = isinstance(offered, Fork)
        if isinstance(offered, Fork):
            self.forks.append(frame.stream)
            of = offered.after
        elif offered is not None:
            if offered.lost:
                self.lost.append(offered.lost)
            number = frame.first + offered.skip
            for raw in frame.msgs[offered.skip :]:
                stored = self.heard.setdefault(frame.stream, {})
                assert number not in stored, "the same number was stored twice"
                stored[number] = messages.decode(raw)
                number += 1
            receiver.stored(offered, frame.run)
        if not self.mute:
            self._answer(frames.Ack(frame.stream, receiver.upto, of, frame.run, fork))

    def _answer(self, ack: frames.Ack) -> None:
        self._send(frames.Frame(v=1, stream=self.stream, first=1, run=self.run, ack=ack))

    def _send(self, frame: frames.Frame) -> None:
        self.send_bytes(frames.encode(frame))
