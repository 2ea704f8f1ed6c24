"""One station without a screen: it speaks the real protocol, and is driven by who owns the selector."""

import random
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from protocol import frame as frames
from protocol import topics
from protocol.errors import FrameError
from protocol.frame import Ack, Frame
from protocol.stream import RETRY_MAX, RETRY_MIN, Acceptance, Fork, Heard, Receiver, Sender
from server.simulate.backlog import Backlog, monotonic

KEEPALIVE_S: Final = 30
LET_IN_S: Final = 60.0  # until a connection counts as failed that the broker does not confirm


@dataclass
class Traffic:
    """What all stations together have done on the line."""

    connected: int = 0
    drained: int = 0
    acknowledged: int = 0  # messages
    frames: int = 0
    bytes: int = 0
    dropped: int = 0  # frames of ours and answers, on purpose
    letters: int = 0  # messages that came down
    broken: int = 0  # connections that ended without our doing
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    """What the stations of one run share: the broker, and the selector's ear for sockets that come and go."""

    host: str
    port: int
    prefix: str
    drop: float
    traffic: Traffic
    opened: Callable[["SimulatedStation", socket.socket], None]
    closed: Callable[["SimulatedStation", socket.socket], None]


@dataclass(frozen=True)
class Standing:
    """How far a station's streams are at headquarters: up to number `upto`, and `down_acked` of the other."""

    stream: str
    upto: int
    down: str
    down_acked: int


class SimulatedStation:
    """It says `backlog` from `standing` on, once it is asked to `tick` after `returns` (monotonic s)."""

    def __init__(
        self,
        name: str,
        password: str,
        line: Line,
        standing: Standing,
        backlog: Backlog,
        returns: float,
        rng: random.Random,
    ) -> None:
        self.name, self.returns, self.standing, self.backlog = name, returns, standing, backlog
        self.ready = self.drained = False
        self._line, self._rng, self._password = line, rng, password
        self._run, self._boot = secrets.token_hex(8), secrets.token_hex(8)
        upto = standing.upto
        self._sender = Sender(upto + len(backlog.bodies), upto, rng.random)
        self._receiver, self._down = Receiver(standing.down_acked), standing.down
        self._ack: Ack | None = None
        self._ack_due = False
        self._incoming: deque[bytes] = deque()
        self._births = self._failures = 0
        self._since = 0.0
        self._client: mqtt.Client | None = None

    @property
    def dialled(self) -> bool:
        """Whether there is a connection, or one has begun."""
        return self._client is not None

    @property
    def sock(self) -> Any:
        """The socket of its connection, or None."""
        return None if self._client is None else self._client.socket()

    def tick(self, now: float) -> None:
        """Time has passed: connect, keep the connection alive, send again what got lost."""
        client = self._client
        if client is None:
            if now >= self.returns:
                self._connect(now)
            return
        if client.socket() is not None:
            client.loop_misc()
        if client.socket() is None or (not self.ready and now - self._since > LET_IN_S):
            self._broken(now)
        elif self.ready:
            self._speak(now)

    def serve(self, now: float, readable: bool) -> bool:
        """The socket is ready for something; whether it is to be watched for writing too."""
        client = self._client
        if client is None:
            return False
        if readable:
            client.loop_read()
        while self._incoming:
            self._hear(self._incoming.popleft(), now)
        if client.socket() is None:
            self._broken(now)
            return False
        if self.ready:
            self._speak(now)
        if client.want_write():
            client.loop_write()
        return client.want_write()

    def leave(self) -> None:
        """Say good-bye."""
        if self._client is not None:
            if self.ready:
                self._client.publish(self._topic("state"), self._state(False), retain=True)
            self._client.disconnect()
            self._client = None

    # -- the connection ---------------------------------------------------------------------------------

    def _connect(self, now: float) -> None:
        self._births += 1
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"yz-{self.name}",
            protocol=mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        client.username_pw_set(self.name, self._password)
        client.will_set(self._topic("state"), self._state(False), retain=True)
        client.on_socket_open = self._on_open
        client.on_socket_close = self._on_close
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        self._client, self._since = client, now
        try:
            client.connect(self._line.host, self._line.port, KEEPALIVE_S)
        except OSError:
            self._broken(now)

    def _broken(self, now: float) -> None:
        """The connection has ended: the next one after a wait that grows, times a random 0..1."""
        client, self._client = self._client, None
        if self.ready:
            self.ready = False
            self._line.traffic.connected -= 1
        self._line.traffic.broken += 1
        if client is not None and client.socket() is not None:
            client.disconnect()
        longest = min(RETRY_MAX, RETRY_MIN * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self.returns = now + longest * self._rng.random()

    def _on_open(self, _client: mqtt.Client, _user: Any, sock: Any) -> None:
        # A frame right behind another would wait up to 40 ms for the broker's delayed TCP acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line.opened(self, sock)

    def _on_close(self, _client: mqtt.Client, _user: Any, sock: Any) -> None:
        self._line.closed(self, sock)

    def _on_connect(self, client: mqtt.Client, _u: Any, _flags: Any, reason: Any, _props: Any) -> None:
        if not reason.is_failure:
            client.subscribe(self._topic("down"))

    def _on_subscribe(self, client: mqtt.Client, _u: Any, _mid: int, codes: Any, _props: Any) -> None:
        if any(code.is_failure for code in codes):
            self._problem("the broker refused the subscription")
            return
        client.publish(self._topic("state"), self._state(True), retain=True)
        self._sender.connected()
        self.ready = True
        self._line.traffic.connected += 1

    def _on_message(self, _client: mqtt.Client, _user: Any, message: mqtt.MQTTMessage) -> None:
        self._incoming.append(bytes(message.payload))

    # -- what headquarters says -------------------------------------------------------------------------

    def _hear(self, payload: bytes, now: float) -> None:
        if self._lost():
            return
        try:
            frame = frames.decode(payload)
        except FrameError as err:
            self._problem(f"a frame from headquarters cannot be read: {err}")
            return
        self._failures = 0
        if frame.refused is not None:
            self._problem(f"headquarters refused a frame for its {frame.refused.reason}")
        if frame.ack is not None and frame.ack.stream == self.standing.stream:
            self._acknowledged(frame.ack, now)
        if frame.msgs:
            self._take(frame)

    def _acknowledged(self, ack: Ack, now: float) -> None:
        before = self._sender.acked
        heard = self._sender.acknowledged(ack.upto, now, ack.of, ack.run, ack.fork)
        if heard in (Heard.FORK, Heard.BEYOND):
            self._problem("headquarters takes this station for a copy")
        traffic = self._line.traffic
        traffic.acknowledged += self._sender.acked - before
        if self._sender.pending and self.drained:
            self._problem("headquarters has forgotten what it had acknowledged")
        drained = not self._sender.pending
        traffic.drained += drained - self.drained
        self.drained = drained

    def _take(self, frame: Frame) -> None:
        if frame.stream != self._down:
            self._down, self._receiver = frame.stream, Receiver()
        accepted = self._receiver.offer(frame.first, len(frame.msgs), frame.low, frame.gone, frame.run)
        if isinstance(accepted, Acceptance):
            self._receiver.stored(accepted, frame.run)
            self._line.traffic.letters += len(frame.msgs) - accepted.skip
        elif isinstance(accepted, Fork):
            self._problem("what headquarters says differs from what it said before")
        last = frame.first + len(frame.msgs) - 1
        self._ack = Ack(frame.stream, self._receiver.upto, last, frame.run)
        self._ack_due = True

    # -- what the station says --------------------------------------------------------------------------

    def _speak(self, now: float) -> None:
        sender, upto = self._sender, self.standing.upto
        while (first := sender.due(now)) is not None:
            raws = self.backlog.cut(first - upto - 1, sender.alone)
            self._publish(first, raws)
            sender.sent(first + len(raws) - 1, now, self._run)
        if self._ack_due:
            self._publish(sender.acked + 1, [])

    def _publish(self, first: int, raws: list[msgspec.Raw]) -> None:
        wall = time.time_ns() // 1_000_000
        frame = Frame(
            v=frames.VERSION,
            stream=self.standing.stream,
            first=first,
            run=self._run,
            boot=self._boot,
            sent=wall,
            up=monotonic(wall, self.backlog.begins),
            ack=self._ack,
            msgs=raws,
        )
        self._ack_due = False
        if self._lost():
            return
        payload = frames.encode(frame)
        self._line.traffic.frames += 1
        self._line.traffic.bytes += len(payload)
        assert self._client is not None
        self._client.publish(self._topic("up"), payload)

    def _lost(self) -> bool:
        """Whether this frame gets lost, as we were asked to lose some."""
        lost = self._line.drop > 0 and self._rng.random() < self._line.drop
        self._line.traffic.dropped += lost
        return lost

    def _problem(self, sentence: str) -> None:
        self._line.traffic.problems.append(f"{self.name}: {sentence}")

    def _topic(self, leaf: topics.Leaf) -> str:
        return topics.build(self.name, leaf, self._line.prefix)

    def _state(self, online: bool) -> bytes:
        return msgspec.json.encode({"online": online, "n": self._births, "boot": self._boot})
