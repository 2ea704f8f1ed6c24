"""The broker's side of headquarters: frames in, acks and messages out. The only file that speaks MQTT."""

import logging
import queue
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy.exc import OperationalError

from protocol import frame as frames
from protocol import topics
from protocol.errors import TopicError
from protocol.frame import MAX_NUMBER, MAX_WIRE
from protocol.stream import WINDOW
from server import crash_points
from server.batch import Outcome
from server.broker import Access
from server.downlink import Downlink
from server.ingest import Arrival, Ingest
from server.live import Live
from server.store import Store, changes, presence, stations
from server.store.engine import in_trouble
from server.store.streams import Raced

log = logging.getLogger(__name__)

KEEPALIVE_S: Final = 30
BATCH_FRAMES: Final = 256
BATCH_BYTES: Final = 4 * 1024 * 1024
WAITING_BYTES: Final = 64 * 1024 * 1024  # beyond it frames are dropped unread; stations send them again
STATES: Final = 16  # births and wills of a station that wait at most; good ones never say as many at once
POLL_S: Final = 0.5
WATCH_S: Final = 5.0  # between looks at paho's thread
LOOK_S: Final = 1.0  # between looks at what other collectors have said
PAUSE_S: Final = 0.2  # after trouble
CALM_S: Final = 15.0  # without trouble, after which the database is believed to take everything again
CHECKPOINT_S: Final = 10.0
WAITING_S: Final = 180.0  # between tries of what a service could not answer
RECONNECT_S: Final = (0.5, 15.0)


class State(msgspec.Struct, frozen=True):
    """What a station's birth and will say."""

    online: bool
    n: Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)] = 0
    boot: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._:-]{0,64}\Z")] = ""


@dataclass(frozen=True)
class _Said:
    """A birth or a will, and whether the broker had kept it for us."""

    station: str
    state: State
    retained: bool


@dataclass(frozen=True)
class _Connected:
    """The broker has us (again): nothing in flight survives that."""


@dataclass(frozen=True)
class _Wake:
    """Look for changes now."""


@dataclass(frozen=True)
class _Tail:
    """Births and wills of one station with none of its frames between; it grows while it waits."""

    station: str
    said: deque[_Said]


_Item = Arrival | _Said | _Connected | _Wake

#: Called with every station that may speak: id to (bcrypt, PBKDF2) of its broker password.
OnStations = Callable[[dict[str, tuple[str, str]]], None]


def _no_delay(_client: mqtt.Client, _user: Any, sock: Any) -> None:
    # A reply right behind an ack would wait up to 40 ms for the broker's delayed TCP acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Collector:
    """Two threads: paho's carries bytes, ours owns the database's ingest path and all senders."""

    def __init__(
        self,
        store: Store,
        ingest: Callable[[Downlink], Ingest],
        access: Access,
        live: Live,
        on_stations: OnStations = lambda _: None,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._store, self._access, self._live = store, access, live
        self._on_stations, self._wall_ms = on_stations, wall_ms
        self._downlink = Downlink(self._send, wall_ms)
        self._ingest = ingest(self._downlink)
        self._queue: queue.SimpleQueue[_Item | _Tail] = queue.SimpleQueue()
        self._put = self._taken = 0  # bytes; each written by one thread
        self._came: dict[str, int] = {}  # frames of each station, queued and taken; the same
        self._read: dict[str, int] = {}
        self._tails: dict[str, _Tail] = {}  # of each station, the one that waits with no frame behind
        self._tails_lock = threading.Lock()
        self._dropped = 0
        self._seen: dict[str, int] = {}
        self._next: dict[str, float] = {}  # when what is due by time is due (monotonic s)
        self._failed = 0.0
        self._kept: list[_Item] = []  # what must be tried again
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)
        self._client_id = f"collector-{random.randrange(16**8):08x}"
        self._client = self._new_client()

    def start(self) -> None:
        """Connect, and begin to collect."""
        self._live.notice = self.wake
        self._connect()
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch in hand and let the connection go."""
        self._stopping.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(timeout=20)
        self._client.disconnect()
        self._client.loop_stop()

    def wake(self) -> None:
        """Stations or content changed: look now. From any thread."""
        self._queue.put(_Wake())

    # -- paho's thread: nothing here may raise, or paho's thread ends without a word --------------------

    def _new_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=mqtt.MQTTv311,
            clean_session=True,
        )
        client.username_pw_set(self._access.user, self._access.password)
        client.on_socket_open = _no_delay
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        self._spread(client)
        return client

    def _connect(self) -> None:
        self._client.connect_async(self._access.host, self._access.port, KEEPALIVE_S)
        self._client.loop_start()

    def _spread(self, client: mqtt.Client) -> None:
        # paho doubles its delay without jitter; a random start and end spread many collectors.
        least, most = RECONNECT_S
        client.reconnect_delay_set(least * (1 + random.random()), most * (1 + random.random()))  # type: ignore[arg-type]

    def _on_connect(self, client: mqtt.Client, _user: Any, _flags: Any, reason: Any, _props: Any) -> None:
        if reason.is_failure:
            log.error("The broker refuses the collector: %s", reason)
            return
        prefix = self._live.mqtt_prefix
        client.subscribe([(topics.every("up", prefix), 0), (topics.every("state", prefix), 0)])
        self._live.broker_connected = True
        self._queue.put(_Connected())

    def _on_disconnect(self, client: mqtt.Client, _user: Any, _flags: Any, _reason: Any, _props: Any) -> None:
        self._live.broker_connected = False
        self._spread(client)

    def _on_message(self, _client: mqtt.Client, _user: Any, message: mqtt.MQTTMessage) -> None:
        try:
            station, leaf = topics.parse(message.topic, self._live.mqtt_prefix)
        except (TopicError, UnicodeDecodeError):
            return  # the subscription covers no other topics but those with ids that break the rule
        if leaf == "state":
            try:
                state = msgspec.json.decode(message.payload, type=State)
                self._put_state(_Said(station, state, bool(message.retain)))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                log.warning("Station %s says an unreadable state", station)
            return
        size = min(len(message.payload), MAX_WIRE + 1)
        waiting, came = self._put - self._taken, self._came.get(station, 0)
        if waiting > WAITING_BYTES:
            self._dropped += 1
            return
        if waiting > BATCH_BYTES and came - self._read.get(station, 0) >= WINDOW:
            return  # a sender has no more in flight: it repeats what waits here already
        self._put += size
        self._came[station] = came + 1
        self._tails.pop(station, None)
        # Cut here, one byte beyond the limit: it is refused for its size, and held no longer.
        digest = frames.digest(bytes(message.payload)) if size > MAX_WIRE else ""
        self._queue.put(Arrival(station, bytes(message.payload[:size]), self._wall_ms(), digest))

    def _put_state(self, said: _Said) -> None:
        """Only the latest few between two frames wait, so that frames alone make the queue long."""
        with self._tails_lock:
            tail = self._tails.get(said.station)
            if tail is None:
                tail = self._tails[said.station] = _Tail(said.station, deque(maxlen=STATES))
                self._queue.put(tail)
            tail.said.append(said)

    # -- our thread -------------------------------------------------------------------------------------

    def _send(self, station: str, payload: bytes) -> None:
        told = self._client.publish(topics.build(station, "down", self._live.mqtt_prefix), payload, qos=0)
        if crash_points.ARMED and told.rc == mqtt.MQTT_ERR_SUCCESS:
            told.wait_for_publish(1)  # another thread writes it: "after" shall mean that it has left

    def _run(self) -> None:
        while not self._stopping.is_set():
            items: list[_Item] = []
            try:
                items = [*self._kept, *self._drain(0.0 if self._kept else POLL_S)]
                self._kept = []
                self._round(items)
            except BaseException as err:  # noqa: BLE001 - without this thread headquarters is deaf
                with suppress(BaseException):
                    self._fail(err, items)
                self._stopping.wait(PAUSE_S)

    def _round(self, items: list[_Item]) -> None:
        """What came, then what is due by time. Any error ends the round: stations send again."""
        if self._due("watch", WATCH_S):
            try:
                self._watch()
            except Exception:
                log.exception("The MQTT thread could not be looked after")
        self._work(items)
        if self._due("poll", POLL_S) or any(isinstance(item, _Wake) for item in items):
            self._poll()
        if self._due("look", LOOK_S):
            self._look()
        if self._due("waiting", WAITING_S):
            self._take_waiting()
        if self._due("fold", CHECKPOINT_S):
            self._store.checkpoint()
        if self._live.stale_since is not None:
            self._try_again()

    def _due(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if now < self._next.get(what, 0.0):
            return False
        self._next[what] = now + every
        return True

    def _fail(self, err: BaseException, items: list[_Item]) -> None:
        """Nothing was stored and nothing acknowledged. Frames come again; births and wills do not."""
        self._failed = time.monotonic()
        if not (in_trouble(err) or isinstance(err, Raced)):
            log.error("The collector stumbled", exc_info=err)
            return
        if self._live.stale_since is None:
            self._live.stale_since = self._wall_ms()
        connected = any(isinstance(item, _Connected) for item in items)
        latest = {item.station: item for item in items if isinstance(item, _Said)}
        self._kept = [*([_Connected()] if connected else []), *latest.values()]
        log.error("The database takes nothing at present: %s", err)
        if not isinstance(err, OperationalError | Raced):
            self._store.renew()

    def _try_again(self) -> None:
        """See whether the database takes writes again, while nobody sends anything."""
        with self._store.write() as conn:
            changes.bump(conn, "pulse")
        if time.monotonic() - self._failed >= CALM_S:
            self._live.stale_since = None

    def _drain(self, seconds: float) -> list[_Item]:
        items: list[_Item] = []
        size = 0
        try:
            item = self._queue.get(timeout=seconds)
            while True:
                if isinstance(item, _Tail):
                    with self._tails_lock:
                        if self._tails.get(item.station) is item:
                            self._tails.pop(item.station, None)
                    items += item.said
                else:
                    items.append(item)
                if isinstance(item, Arrival):
                    size += len(item.payload)
                    self._read[item.station] = self._read.get(item.station, 0) + 1
                if len(items) >= BATCH_FRAMES or size >= BATCH_BYTES:
                    break
                item = self._queue.get_nowait()
        except queue.Empty:
            pass
        self._taken += size
        return items

    def _work(self, items: list[_Item]) -> None:
        states: list[_Said] = []
        arrivals: dict[str, list[Arrival]] = {}
        for item in items:
            if isinstance(item, Arrival):
                arrivals.setdefault(item.station, []).append(item)
            elif isinstance(item, _Said):
                if item.station in arrivals:  # what it said before its good-bye comes before its good-bye
                    self._settle(states, arrivals)
                    states, arrivals = [], {}
                states.append(item)
            elif isinstance(item, _Connected):
                self._downlink.reconnected()
        self._settle(states, arrivals)

    def _settle(self, states: list[_Said], arrivals: dict[str, list[Arrival]]) -> None:
        """Births and wills, then frames; of each station in the order in which they came."""
        outcome = Outcome()
        if states:
            try:
                self._states(states)
            except Exception as err:
                if in_trouble(err):
                    raise
                log.exception(
                    "%d births and wills could not be stored; the frames beside them are", len(states)
                )
        if arrivals:
            batch = [arrival for each in arrivals.values() for arrival in each]
            outcome = self._ingest.take(batch)
            for station in outcome.heard:
                self._downlink.heard(station)
            self._live.frames += len(batch)
            self._live.messages += outcome.stored
            self._live.commits += 1
            self._live.stale_since = None
            if outcome.served:
                self.wake()
        acks = [(station, ack) for (station, _), ack in outcome.acks.items()]
        self._downlink.pump(self._store, acks, outcome.refused)

    def _states(self, states: list[_Said]) -> None:
        now = self._wall_ms()
        known = [said for said in states if self._ingest.knows(said.station)]
        if not known:
            return
        with self._store.write() as conn:
            before = presence.of(conn, {said.station for said in known})
            after = dict(before)
            for said in known:
                state, old = said.state, after[said.station]
                after[said.station] = old.after(state.online, state.n, state.boot, now, said.retained)
            presence.store(conn, [each for each in after.values() if each != before[each.station]])
        for said in known:
            if said.state.online:
                self._downlink.connected(said.station)
            elif not after[said.station].online:
                self._downlink.gone(said.station)

    def _poll(self) -> None:
        """See what other threads and processes have changed."""
        with self._store.read() as conn:
            found = changes.read(conn)
            active = stations.active(conn) if found.get("stations") != self._seen.get("stations") else None
        if active is not None:
            self._on_stations(active)
            with self._store.read() as conn:
                self._ingest.reload(conn)
        if found.get("content") != self._seen.get("content"):
            try:
                with self._store.write() as conn:
                    self._downlink.announce(conn, stations.active(conn), self._wall_ms())
            except BaseException:
                self._downlink.forget()
                raise
            self._downlink.committed()
            self._downlink.pump(self._store, ())
        self._seen = found

    def _look(self) -> None:
        with self._store.read() as conn:
            self._downlink.look(conn)
        self._downlink.pump(self._store, ())

    def _take_waiting(self) -> None:
        if self._ingest.take_waiting(self._wall_ms()):
            self._downlink.pump(self._store, ())
            self.wake()

    def _watch(self) -> None:
        if self._dropped:
            log.warning("%d frames were dropped unread: more comes than the database takes", self._dropped)
            self._dropped = 0
        # A callback that raises ends paho's thread silently; its name is the only public sign of life.
        if f"paho-mqtt-client-{self._client_id}" not in {thread.name for thread in threading.enumerate()}:
            log.error("The MQTT thread has died; a new connection takes its place")
            self._live.broker_connected = False
            self._client = self._new_client()
            self._connect()
