"""The line to headquarters: both streams over MQTT, at QoS 0 and without sessions, by choice (DESIGN, 4).

The only file that knows paho. One thread drives paho's client by its own select loop instead of paho's
thread, which an exception ends without a word: here everything that goes wrong ends the connection, and the
loop makes another one. paho's back-off has no jitter and is not used.
"""

import contextlib
import logging
import os
import random
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from kiosk import tables
from kiosk.claim import Credentials
from kiosk.clock import Clock
from kiosk.database import Database
from kiosk.errors import KioskError, PlainRefused
from kiosk.inbox import Inbox, Letter
from kiosk.outbox import Outbox, Stretch
from protocol import frame as frames
from protocol import topics
from protocol.errors import FrameError
from protocol.stream import WINDOW, Acceptance, Fork, Heard, Part, Sender

if TYPE_CHECKING:
    import paho.mqtt.client as paho

log = logging.getLogger(__name__)

KEEPALIVE: Final = 30  # s; a half-open connection is noticed within two of them
RETRY: Final = (5.0, 60.0)  # s until the next attempt to connect, at first and at most, times a random 0..1
SILENCE: Final = 90.0  # s without an answer after which we are not heard
DEAF: Final = 180.0  # s without an answer after which the connection is made anew
KEEP_ACK: Final = 1.0  # s between two notes on disk of what was acknowledged


class Link:
    """Sends what the outbox holds and stores what headquarters says in the inbox.

    `letter` is called with each message so stored, `connected` after each connection, both on the link's
    thread; neither may take long.
    """

    def __init__(
        self,
        outbox: Outbox,
        inbox: Inbox,
        database: Database,
        clock: Clock,
        credentials: Credentials,
        letter: Callable[[Letter], object],
        connected: Callable[[], object] = lambda: None,
        retry: tuple[float, float] = RETRY,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._outbox, self._inbox, self._database, self._clock = outbox, inbox, database, clock
        self._credentials = credentials
        self._letter, self._connected = letter, connected
        self._retry, self._chance = retry, chance
        self._flying: dict[str, Part] = {}  # digest -> last number and run of a frame that has left
        self._begin_stream()
        newest = inbox.newest
        self._ack = frames.Ack(newest, inbox.upto(newest)) if newest else None
        self._ack_due = False
        self._kept_at = 0.0
        self._quiet_until = 0.0  # monotonic time before which no message is said: the last were refused
        self._incoming: deque[bytes] = deque()
        self._births = 0
        self._ready = False
        self._contact = 0.0  # monotonic time of the last frame from headquarters on this connection
        self._waiting_since = 0.0
        self._failures = 0
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._awake, self._wake = os.pipe()
        os.set_blocking(self._awake, False)
        os.set_blocking(self._wake, False)

    @property
    def online(self) -> bool:
        """Headquarters has answered on this connection, and nothing has waited for an answer for long."""
        waiting = self._waiting_since
        return self._ready and self._contact > 0 and not (waiting and time.monotonic() - waiting > SILENCE)

    def start(self) -> None:
        self._outbox.on_stored(self.wake)
        self._thread = threading.Thread(target=self._watch, name="yizhan-link-watch", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Something is to be sent; for any thread."""
        # Full means awake already.
        with contextlib.suppress(OSError):
            os.write(self._wake, b"!")

    def stop(self, timeout: float = 3.0) -> None:
        """Say good-bye and close the connection."""
        self._stopping = True
        self.wake()
        if self._thread is not None:
            self._thread.join(timeout)

    def _watch(self) -> None:
        """Keep one thread that does the work: another one when it has died, never a second beside it."""
        while not self._stopping:
            worker = threading.Thread(target=self._keep, name="yizhan-link", daemon=True)
            try:
                worker.start()
                worker.join()
            except RuntimeError as err:  # the machine has no thread to give at the moment
                log.error("the line to headquarters has no thread: %s", err)
            if not self._stopping:
                log.error("the thread of the line to headquarters has died: another one takes over")
                self._sleep(self._pause())

    # The rest runs on the link's thread.

    def _keep(self) -> None:
        while not self._stopping:
            client: paho.Client | None = None
            try:
                client = self._connect()
                self._serve(client)
            except (OSError, KioskError, TimeoutError, ssl.SSLError) as err:
                log.warning("no line to headquarters: %s", err)
            except Exception:  # whatever breaks in paho or here costs the connection, not the link
                log.exception("the line to headquarters broke")
            finally:
                self._ready, self._contact, self._waiting_since = False, 0.0, 0.0
                if client is not None:
                    self._leave(client)
            if not self._stopping:
                self._sleep(self._pause())

    def _connect(self) -> "paho.Client":
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        from kiosk.http import is_loopback

        credentials = self._credentials
        mqtt, host = credentials.mqtt, credentials.broker
        if not (mqtt.tls or credentials.allow_plain or is_loopback(host)):
            raise PlainRefused(f"the connection to {host} is not encrypted", host=host)
        self._births = self._count_birth()
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"yz-{credentials.station}", reconnect_on_failure=False
        )
        client.username_pw_set(mqtt.user, mqtt.password)
        if mqtt.tls:
            context = ssl.create_default_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            client.tls_set_context(context)
        client.will_set(self._topic("state"), self._state(False), qos=0, retain=True)
        client.connect_timeout = 10.0
        client.on_socket_open = _no_delay
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.connect(host, mqtt.port, KEEPALIVE)
        return client

    def _serve(self, client: "paho.Client") -> None:
        """Drive one connection until it ends."""
        started = time.monotonic()
        self._incoming.clear()
        while not self._stopping:
            sock = client.socket()
            if sock is None:
                raise OSError("the connection has ended")
            writing = [sock] if client.want_write() else []
            reading: list[Any] = [sock, self._awake]
            readable, writable, _ = select.select(reading, writing, [], self._patience())
            if self._awake in readable:
                _drain(self._awake)
            if sock in readable:
                client.loop_read()
                while isinstance(sock, ssl.SSLSocket) and client.socket() and sock.pending():
                    client.loop_read()
            if writable:
                client.loop_write()
            client.loop_misc()
            now = time.monotonic()
            if not self._ready and now - started > 2 * KEEPALIVE:
                raise OSError("the broker does not let us in")
            while self._incoming:
                self._hear(self._incoming.popleft(), now)
            if self._ready:
                self._speak(client, now)

    def _patience(self) -> float:
        now = time.monotonic()
        wakes = self._sender.wakes()
        quiet = self._quiet_until - now
        waits = [1.0, *([quiet] if quiet > 0 else []), *([wakes - now] if wakes is not None else [])]
        return max(0.0, min(waits))

    def _pause(self) -> float:
        """How long to wait before the next attempt, s: anything up to a limit that doubles with each.

        All stations lose a broker at the same moment; they must not all return at the same moment.
        """
        longest = self._longest(self._failures)
        self._failures += 1
        return longest * self._chance()

    def _longest(self, failures: int) -> float:
        return min(self._retry[1], self._retry[0] * 2.0 ** min(failures, 10))

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and (rest := end - time.monotonic()) > 0:
            select.select([self._awake], [], [], rest)
            _drain(self._awake)

    # What paho calls, from within loop_read.

    def _on_connect(
        self, client: "paho.Client", userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        if reason.is_failure:
            raise OSError(f"the broker refused: {reason}")
        client.subscribe(self._topic("down"), qos=0)

    def _on_subscribe(
        self, client: "paho.Client", userdata: Any, mid: int, codes: Any, properties: Any
    ) -> None:
        if any(code.is_failure for code in codes):
            raise OSError("the broker refused the subscription")
        client.publish(self._topic("state"), self._state(True), qos=0, retain=True)
        self._sender.connected()
        self._ready = True
        log.info("connected to %s", self._credentials.broker)
        self._connected()

    def _on_message(self, client: "paho.Client", userdata: Any, message: Any) -> None:
        self._incoming.append(message.payload)

    # What headquarters says.

    def _hear(self, payload: bytes, now: float) -> None:
        try:
            frame = frames.decode(payload)
        except FrameError as err:
            log.warning("a frame from headquarters was refused: %s", err)
            return
        self._contact, self._failures, self._waiting_since = now, 0, 0.0
        self._follow()
        if frame.ack is not None and frame.ack.stream == self._stream:
            self._acknowledged(frame.ack, now)
        if frame.refused is not None:
            self._refused(frame.refused, now)
        if frame.msgs:
            self._take(frame)

    def _begin_stream(self) -> None:
        self._stream, last, acked = self._outbox.stands
        self._sender = Sender(last, acked, self._chance)
        self._kept = acked
        self._refusals = 0  # since headquarters last took a message
        self._flying.clear()

    def _follow(self) -> None:
        """The stream may be another one since: renewed while nobody waited any more, or begun late."""
        if self._outbox.stands[0] != self._stream:
            self._begin_stream()

    def _acknowledged(self, ack: frames.Ack, now: float) -> None:
        before = self._sender.acked
        self._sender.stored(self._outbox.last)
        heard = self._sender.acknowledged(ack.upto, now, ack.of, ack.run, ack.fork)
        if heard in (Heard.FORK, Heard.BEYOND):
            log.error(
                "headquarters has other messages under these numbers: this disk is a copy, or was set back"
            )
            self._outbox.renew(ack.of if heard is Heard.FORK else None, self._stream).wait()
            self._follow()
        elif self._sender.acked < self._kept:
            self._outbox.acknowledge(self._sender.acked, self._stream).wait()
            self._kept = self._sender.acked
        elif self._sender.acked > before:
            self._refusals = 0

    def _refused(self, refusal: frames.Refusal, now: float) -> None:
        log.warning("headquarters cannot read a frame of ours: %s", refusal.reason)
        part = self._flying.get(refusal.digest)
        if part is None:
            return
        number = self._sender.refused(*part)
        # Else a headquarters that refuses all is asked again as fast as the network goes.
        self._quiet_until = now + self._longest(self._refusals) * self._chance()
        self._refusals += 1
        # Another release may read what this one of headquarters does not.
        if number is not None and refusal.reason != "version":
            log.error("message %d is set aside: headquarters cannot read it", number)
            self._outbox.park(number, refusal.reason, self._stream).wait()

    def _take(self, frame: frames.Frame) -> None:
        offered = self._inbox.offer(frame)
        if isinstance(offered, Acceptance):
            bodies = [bytes(raw) for raw in frame.msgs[offered.skip :]]
            for letter in self._inbox.store(frame.stream, offered, bodies, frame.run):
                self._letter(letter)
        upto, of = self._inbox.upto(frame.stream), frame.first + len(frame.msgs) - 1
        if isinstance(offered, Fork):
            log.error("headquarters says others under these numbers: it was set back, or is a copy")
            self._answer(frames.Ack(frame.stream, upto, offered.after, frame.run, fork=True))
        else:
            self._answer(frames.Ack(frame.stream, upto, of, frame.run))

    def _answer(self, ack: frames.Ack) -> None:
        """The next frame brings this; one answer goes for all that came since the last."""
        before = self._ack
        if before is not None and self._ack_due and before.stream == ack.stream and not ack.fork:
            if before.fork:
                return
            if before.of > ack.of:
                ack = msgspec.structs.replace(before, upto=ack.upto)
        self._ack, self._ack_due = ack, True

    # What we say.

    def _speak(self, client: "paho.Client", now: float) -> None:
        self._follow()
        sender, outbox = self._sender, self._outbox
        sender.stored(outbox.last)
        while now >= self._quiet_until and (first := sender.due(now)) is not None:
            count = 1 if sender.alone else frames.FRAME_MESSAGES
            stretch = outbox.stretch(first, count, frames.FRAME_BYTES).wait().value
            if stretch is None or stretch.stream != self._stream:
                break
            digest = self._publish(client, self._frame(stretch))
            self._remember(digest, (stretch.last, stretch.run))
            sender.sent(stretch.last, now, stretch.run)
            self._waiting_since = self._waiting_since or now
        if self._ack_due:
            # An empty frame: it names the stream and where it goes on, and is answered by nobody.
            self._publish(client, self._frame(Stretch(sender.acked + 1, [], outbox.boot)))
        if self._waiting_since and now - max(self._waiting_since, self._contact) > DEAF:
            raise OSError("headquarters does not answer")
        if sender.acked > self._kept and now - self._kept_at > KEEP_ACK:
            outbox.acknowledge(sender.acked, self._stream)
            self._kept, self._kept_at = sender.acked, now

    def _remember(self, digest: str, part: Part) -> None:
        self._flying[digest] = part
        while len(self._flying) > 2 * WINDOW:
            del self._flying[next(iter(self._flying))]

    def _frame(self, stretch: Stretch) -> frames.Frame:
        clock, outbox = self._clock, self._outbox
        return frames.Frame(
            v=frames.VERSION,
            stream=self._stream,
            first=stretch.first,
            run=stretch.run,
            prior=stretch.prior,
            boot=stretch.boot,
            sent=clock.wall_ms(),
            # The monotonic clock of an earlier run of the machine says nothing about these messages.
            up=clock.monotonic_ms() if stretch.boot == outbox.boot else 0,
            ack=self._ack,
            low=stretch.first if stretch.lowest else 0,
            gone=stretch.gone,
            msgs=[msgspec.Raw(body) for body in stretch.bodies],
        )

    def _publish(self, client: "paho.Client", frame: frames.Frame) -> str:
        """Send a frame; its digest."""
        data = frames.encode(frame)
        info = client.publish(self._topic("up"), data, qos=0)
        if info.rc != 0:
            raise OSError("the connection has ended")
        self._ack_due = False
        return frames.digest(data)

    def _topic(self, leaf: topics.Leaf) -> str:
        return topics.build(self._credentials.station, leaf, self._credentials.mqtt.prefix)

    def _state(self, online: bool) -> bytes:
        # The counter lets readers see that a will is older than the birth it comes after.
        return msgspec.json.encode({"online": online, "n": self._births, "boot": self._outbox.boot})

    def _count_birth(self) -> int:
        tally = self._outbox.tally

        def job(db: Any) -> int:
            births = max(tally.facts.births, tables.get_meta(db, "births", 0)) + 1
            tables.set_meta(db, "births", births)
            tally.keep(births=births)
            return births

        try:
            return self._database.write(job).wait().value
        except KioskError:
            # A full disk must not keep us from saying so.
            tally.keep(births=tally.facts.births + 1)
            return tally.facts.births

    def _leave(self, client: "paho.Client") -> None:
        # A clean good-bye makes the broker drop the will, so the will's words are said here.
        try:
            if client.is_connected():
                client.publish(self._topic("state"), self._state(False), qos=0, retain=True)
            client.disconnect()
        except (OSError, ValueError) as err:
            log.debug("closing: %s", err)


def _no_delay(_client: "paho.Client", _userdata: Any, sock: Any) -> None:
    # A frame right behind another would wait up to 40 ms for the broker's delayed TCP acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _drain(fd: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(fd, 4096):
            pass
