"""The broker's side of headquarters: frames in, acks and messages out. The only file that speaks MQTT."""

import logging
import queue
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy.exc import DBAPIError, OperationalError

from protocol import topics
from protocol.errors import TopicError
from protocol.frame import MAX_NUMBER, MAX_WIRE, Ack
from server.downlink import Downlink
from server.ingest import Arrival, Ingest
from server.live import Live
from server.store import Store, changes, presence, stations
from server.store.streams import Raced

log = logging.getLogger(__name__)

KEEPALIVE_S: Final = 30
BATCH_FRAMES: Final = 256
BATCH_BYTES: Final = 4 * 1024 * 1024
WAITING_BYTES: Final = 64 * 1024 * 1024  # beyond it frames are dropped unread; stations send them again
POLL_S: Final = 0.5
WATCH_S: Final = 5.0
CHECKPOINT_S: Final = 10.0
WAITING_S: Final = 180.0  # between tries of what a service could not answer
RECONNECT_S: Final = (0.5, 15.0)


@dataclass(frozen=True)
class Access:
    """Where the broker is and who the collector is there."""

    host: str
    port: int
    user: str
    password: str


class State(msgspec.Struct, frozen=True):
    """What a station's birth and will say."""

    online: bool
    n: Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)] = 0
    boot: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._:-]{0,64}\Z")] = ""


@dataclass(frozen=True)
class _Connected:
    """The broker has us (again): nothing in flight survives that."""


@dataclass(frozen=True)
class _Wake:
    """Look for changes now."""


_Item = Arrival | tuple[str, State] | _Connected | _Wake

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
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._put = self._taken = 0  # bytes; each written by one thread
        self._dropped = 0
        self._seen: dict[str, int] = {}
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
                self._queue.put((station, msgspec.json.decode(message.payload, type=State)))
            except (msgspec.DecodeError, UnicodeDecodeError):
                log.warning("Station %s says an unreadable state", station)
            return
        size = min(len(message.payload), MAX_WIRE + 1)
        if self._put - self._taken > WAITING_BYTES:
            self._dropped += 1
            return
        self._put += size
        # Cut here, one byte beyond the limit: it is refused for its size, and held no longer.
        self._queue.put(Arrival(station, bytes(message.payload[: MAX_WIRE + 1]), self._wall_ms()))

    # -- our thread -------------------------------------------------------------------------------------

    def _send(self, station: str, payload: bytes) -> None:
        self._client.publish(topics.build(station, "down", self._live.mqtt_prefix), payload, qos=0)

    def _run(self) -> None:
        next_poll = next_watch = next_fold = next_waiting = 0.0
        while not self._stopping.is_set():
            items = self._drain(POLL_S)
            now = time.monotonic()
            try:
                self._work(items)
                if now >= next_poll or any(isinstance(item, _Wake) for item in items):
                    next_poll = now + POLL_S
                    self._poll()
                if now >= next_waiting:
                    next_waiting = now + WAITING_S
                    self._take_waiting()
                if now >= next_fold:
                    next_fold = now + CHECKPOINT_S
                    self._store.checkpoint()
                self._live.stale_since = None
            except (DBAPIError, Raced) as err:
                # Nothing was stored and nothing acknowledged: stations send again.
                if self._live.stale_since is None:
                    self._live.stale_since = self._wall_ms()
                log.error("The database takes nothing at present: %s", err)
                self._stopping.wait(0.2)
            except Exception:
                log.exception("The collector stumbled")
                self._stopping.wait(0.2)
            if now >= next_watch:
                next_watch = now + WATCH_S
                try:
                    self._watch()
                except Exception:
                    log.exception("The MQTT thread could not be looked after")

    def _drain(self, seconds: float) -> list[_Item]:
        items: list[_Item] = []
        size = 0
        try:
            item = self._queue.get(timeout=seconds)
            while True:
                items.append(item)
                if isinstance(item, Arrival):
                    size += len(item.payload)
                if len(items) >= BATCH_FRAMES or size >= BATCH_BYTES:
                    break
                item = self._queue.get_nowait()
        except queue.Empty:
            pass
        self._taken += size
        return items

    def _work(self, items: list[_Item]) -> None:
        states: list[tuple[str, State]] = []
        arrivals: dict[str, list[Arrival]] = {}
        for item in items:
            if isinstance(item, Arrival):
                arrivals.setdefault(item.station, []).append(item)
            elif isinstance(item, tuple):
                if item[0] in arrivals:  # what it said before its good-bye comes before its good-bye
                    self._settle(states, arrivals)
                    states, arrivals = [], {}
                states.append(item)
            elif isinstance(item, _Connected):
                self._downlink.reconnected()
        self._settle(states, arrivals)

    def _settle(self, states: list[tuple[str, State]], arrivals: dict[str, list[Arrival]]) -> None:
        """Births and wills, then frames; of each station in the order in which they came."""
        acks: dict[str, Ack] = {}
        if states:
            try:
                self._states(states)
            except OperationalError:
                raise
            except Exception:
                log.exception(
                    "%d births and wills could not be stored; the frames beside them are", len(states)
                )
        if arrivals:
            batch = [arrival for each in arrivals.values() for arrival in each]
            outcome = self._ingest.take(batch)
            acks = outcome.acks
            for station in outcome.heard:
                self._downlink.heard(station)
            self._live.frames += len(batch)
            self._live.messages += outcome.stored
            self._live.commits += 1
            if outcome.served:
                self.wake()
        self._downlink.pump(self._store, acks)

    def _states(self, states: list[tuple[str, State]]) -> None:
        now = self._wall_ms()
        changed: dict[str, presence.Presence] = {}
        for station, state in states:
            if not self._ingest.knows(station):
                continue
            old = changed.get(station) or self._ingest.presences.get(station, presence.unknown(station))
            new = old.after(state.online, state.n, state.boot, now)
            if state.online:
                self._downlink.connected(station)
            elif not new.online:
                self._downlink.gone(station)
            if new != old:
                changed[station] = new
        if changed:
            with self._store.write() as conn:
                presence.store(conn, changed.values())
            self._ingest.presences.update(changed)

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
            with self._store.write() as conn:
                self._downlink.announce(conn, stations.active(conn), self._wall_ms())
            self._downlink.committed()
            self._downlink.pump(self._store, {})
        self._seen = found

    def _take_waiting(self) -> None:
        if self._ingest.take_waiting(self._wall_ms()):
            self._downlink.pump(self._store, {})
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
