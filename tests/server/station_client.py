"""A station that speaks the real protocol over a real broker, for tests: memory in place of a disk."""

import queue
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from protocol import frame as frames
from protocol import messages, topics
from protocol.frame import FRAME_MESSAGES, Ack, Frame, Refusal
from protocol.messages import Event, Heartbeat, Message, Poke, Reply, Request
from protocol.stream import Acceptance, Fork, Receiver, Sender
from server.store.stations import Claimed

WAIT_S = 20.0


class StationClient:
    """One station; `outbox` holds all it ever said. Use as a context manager: connected inside."""

    def __init__(self, claimed: Claimed, port: int, host: str = "127.0.0.1") -> None:
        self.id, self.stream, self.boot = claimed.station, secrets.token_hex(8), secrets.token_hex(4)
        self.run = secrets.token_hex(8)
        self.outbox: list[bytes] = []
        self.refusals: queue.Queue[Refusal] = queue.Queue()
        self.forks = 0  # of the stream down
        self.replies: queue.Queue[Reply] = queue.Queue()
        self.pokes: queue.Queue[Poke] = queue.Queue()
        self.frames_out = 0
        self.refused_subscription = False
        self._password, self._address = claimed.mqtt_password, (host, port)
        self._sender, self._receiver, self._heard = Sender(), Receiver(), ""
        self._ack: Ack | None = None
        self._births = 0
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._client = self._connect()
        self._stopping = threading.Event()
        self._pump = threading.Thread(target=self._keep_pumping, daemon=True)

    def __enter__(self) -> "StationClient":
        self._client.connect(*self._address, keepalive=10)
        self._client.loop_start()
        self._pump.start()
        assert self._ready.wait(WAIT_S), f"{self.id} does not get in"
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._pump.join()
        self._client.publish(self.topic("state"), self._state(False), retain=True)
        self._client.disconnect()
        self._client.loop_stop()

    def topic(self, leaf: topics.Leaf) -> str:
        return topics.build(self.id, leaf)

    # -- what a station says ----------------------------------------------------------------------------

    def say(self, *said: Message, at: int | None = None) -> None:
        """Store messages in the outbox, stamped now, and send them when the sender lets them go."""
        with self._changed:
            for each in said:
                stamped = msgspec.structs.replace(each, at=at or wall_ms(), up=up_ms())
                self.outbox.append(messages.encode(stamped))
            self._sender.stored(len(self.outbox))
        self._flush()

    def check_in(self, n: int = 1, trade: str = "courier", method: str = "tap") -> None:
        event = Event(plugin="check_in", name="checked_in", d={"trade": trade, "method": method})
        self.say(*[event] * n)

    def heartbeat(self) -> None:
        self.say(Heartbeat(version="1.0.0", health={"disk": 1}))

    def book(self, slot: str, request: str, matter: str = "wages") -> None:
        d = {"slot": slot, "matter": matter}
        self.say(Request(id=request, plugin="legal_aid", name="place_booking", service="booking", d=d))

    def publish(self, payload: bytes, topic: str | None = None) -> None:
        """Send bytes past the stream, as a broken or hostile station would."""
        self._client.publish(topic or self.topic("up"), payload).wait_for_publish(WAIT_S)

    def frame(self, first: int, bodies: list[bytes], low: int = 0, run: str | None = None) -> bytes:
        """A frame of this station's stream, whatever its sender thinks."""
        raws = [msgspec.Raw(body) for body in bodies]
        return frames.encode(
            Frame(
                v=frames.VERSION,
                stream=self.stream,
                first=first,
                run=self.run if run is None else run,
                boot=self.boot,
                sent=wall_ms(),
                up=up_ms(),
                ack=self._ack,
                low=low,
                msgs=raws,
            )
        )

    # -- what tests wait for ----------------------------------------------------------------------------

    def acked(self, upto: int | None = None) -> None:
        """Wait until headquarters owns everything, or everything up to a number."""
        self.until(lambda: self._sender.acked >= (len(self.outbox) if upto is None else upto))

    def until(self, true: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(true, WAIT_S), f"{self.id}: acked {self._sender.acked}"

    def reply(self) -> Reply:
        return self.replies.get(timeout=WAIT_S)

    def poke(self, collection: str) -> Poke:
        """Wait for a poke that names the collection."""
        while collection not in (poke := self.pokes.get(timeout=WAIT_S)).collections:
            pass
        return poke

    def forget_down(self) -> None:
        """The station's own cursor of the stream down is lost."""
        self._receiver = Receiver()

    # -- the line ---------------------------------------------------------------------------------------

    def _connect(self) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"yz-{self.id}", protocol=mqtt.MQTTv311)
        client.username_pw_set(self.id, self._password)
        client.reconnect_delay_set(0.1, 1)  # type: ignore[arg-type]
        client.will_set(self.topic("state"), self._state(False, 1), retain=True)
        client.on_socket_open = _no_delay
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _state(self, online: bool, n: int | None = None) -> bytes:
        return msgspec.json.encode({"online": online, "n": n or self._births, "boot": self.boot})

    def _on_connect(self, client: mqtt.Client, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        if not reason.is_failure:
            client.subscribe(self.topic("down"))

    def _on_subscribe(self, client: mqtt.Client, _u: Any, _mid: int, codes: Any, _p: Any) -> None:
        if any(code.is_failure for code in codes):
            self.refused_subscription = True
            return
        self._births += 1
        client.publish(self.topic("state"), self._state(True), retain=True)
        with self._changed:
            self._sender.connected()
        self._ready.set()

    def _on_message(self, client: mqtt.Client, _u: Any, message: mqtt.MQTTMessage) -> None:
        frame = frames.decode(bytes(message.payload))
        with self._changed:
            if frame.ack is not None and frame.ack.stream == self.stream:
                ack = frame.ack
                self._sender.acknowledged(ack.upto, time.monotonic(), ack.of, ack.run, ack.fork)
            if frame.refused is not None:
                self.refusals.put(frame.refused)
            if frame.msgs:
                self._take(frame)
            self._changed.notify_all()
        if frame.msgs:
            client.publish(self.topic("up"), self.frame(self._sender.acked + 1, []))

    def _take(self, frame: Frame) -> None:
        if frame.stream != self._heard:
            self._heard, self._receiver = frame.stream, Receiver()
        accepted = self._receiver.offer(
            frame.first, len(frame.msgs), frame.low, frame.gone, frame.run, frame.prior
        )
        if isinstance(accepted, Acceptance):
            for raw in frame.msgs[accepted.skip :]:
                message = messages.decode(raw)
                if isinstance(message, Reply):
                    self.replies.put(message)
                elif isinstance(message, Poke):
                    self.pokes.put(message)
            self._receiver.stored(accepted, frame.run)
        if isinstance(accepted, Fork):
            self.forks += 1
            self._ack = Ack(frame.stream, self._receiver.upto, accepted.after, frame.run, fork=True)
        else:
            last = frame.first + len(frame.msgs) - 1
            self._ack = Ack(frame.stream, self._receiver.upto, last, frame.run)

    def _keep_pumping(self) -> None:
        while not self._stopping.wait(0.01):
            if self._ready.is_set():
                self._flush()

    def _flush(self) -> None:
        with self._changed:
            now = time.monotonic()
            while self._ready.is_set() and (first := self._sender.due(now)) is not None:
                bodies = self.outbox[first - 1 : first - 1 + FRAME_MESSAGES]
                self._client.publish(self.topic("up"), self.frame(first, bodies))
                self.frames_out += 1
                self._sender.sent(first + len(bodies) - 1, now, self.run)


def _no_delay(_client: mqtt.Client, _user: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def up_ms() -> int:
    return time.monotonic_ns() // 1_000_000
