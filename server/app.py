"""The composition of headquarters: broker, collector, daily timer and web in one process."""

import asyncio
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from protocol.manifest import Manifest
from protocol.topics import PREFIX
from server.broker import COLLECTOR, Access, Broker, check_free, own_password, running
from server.live import Live
from server.manifests import SHIPPED, read_all
from server.store import Store, content, down, messages, sessions, stations
from server.times import ZONE

if TYPE_CHECKING:
    from server.collector import Collector, OnStations

log = logging.getLogger(__name__)

Say = Callable[[str], None]

DAILY_AT: Final = 1  # o'clock, local: after midnight, before the first worker


@dataclass(frozen=True)
class Options:
    """What `yizhan server run` takes. `mqtt` (host, port) names a Mosquitto that runs already."""

    data: Path
    http_host: str = "127.0.0.1"
    http_port: int = 8080
    mqtt_host: str = "127.0.0.1"
    mqtt_port: int = 1883
    mqtt: tuple[str, int] | None = None
    mqtt_pid: Path | None = None
    prefix: str = PREFIX
    plugins: Sequence[Path] = (SHIPPED,)
    database: str | None = None
    name: str = "驿站"


@dataclass
class Headquarters:
    """Everything that runs, in the order in which it is ended."""

    options: Options
    store: Store
    manifests: dict[str, Manifest]
    live: Live
    broker: Broker | None = None
    collector: "Collector | None" = None
    _ends: list[Callable[[], None]] = field(default_factory=list)

    @classmethod
    def open(cls, options: Options) -> "Headquarters":
        """Open the store and read the manifests; a broken one is named in the log and left out."""
        manifests, broken = read_all(options.plugins)
        for err in broken:
            log.error("Left out: %s", err)
        store = Store(options.data, options.database)
        live = Live(server_name=options.name, mqtt_prefix=options.prefix)
        return cls(options, store, manifests, live, _ends=[store.close])

    def collect(self) -> None:
        """Start the broker and the collector; BrokerError or PortTaken leave nothing running."""
        broker = self._broker()
        with self.store.read() as conn:
            active = stations.active(conn)
        broker.start(active)
        self._ends.append(broker.stop)
        self.live.mqtt_host = "" if self.options.mqtt is None else broker.host
        self.live.mqtt_port, self.broker = broker.port, broker
        self._collector(Access(broker.host, broker.port, broker.user, broker.password), broker.update)

    def collect_beside(self) -> None:
        """Start a collector at the broker that `collect` of another process started; or BrokerError."""
        options = self.options
        access = (
            running(options.data / "broker")
            if options.mqtt is None
            else Access(*options.mqtt, COLLECTOR, own_password(options.data / "mosquitto"))
        )
        self.live.mqtt_host, self.live.mqtt_port = access.host, access.port
        self._collector(access, lambda _: None)

    def daily(self) -> None:
        """Start the timer that does each night's work, now and at one o'clock."""
        stopping = threading.Event()
        timer = threading.Thread(target=self._nights, args=(stopping,), name="daily", daemon=True)
        timer.start()
        self._ends += [lambda: timer.join(timeout=10), stopping.set]

    def stop(self) -> None:
        """End everything, the last started first."""
        while self._ends:
            self._ends.pop()()

    def _collector(self, access: Access, on_stations: "OnStations") -> None:
        from server.collector import Collector
        from server.ingest import Ingest

        self.collector = Collector(
            self.store,
            lambda downlink: Ingest(self.store, self.manifests, downlink),
            access,
            self.live,
            on_stations,
        )
        self.collector.start()
        self._ends.append(self.collector.stop)

    def _broker(self) -> Broker:
        options = self.options
        if options.mqtt is not None:
            from server.broker.mosquitto import MosquittoBroker

            folder = options.data / "mosquitto"
            return MosquittoBroker(folder, *options.mqtt, options.prefix, options.mqtt_pid)
        from server.broker.embedded import EmbeddedBroker

        return EmbeddedBroker(options.data / "broker", options.mqtt_host, options.mqtt_port, options.prefix)

    def _nights(self, stopping: threading.Event) -> None:
        while True:
            try:
                night(self.store, self.manifests, now_ms())
                self.live.notice()
            except Exception:
                log.exception("The nightly work failed")
            if stopping.wait(_until_next(datetime.now(ZoneInfo(ZONE)))):
                return


def now_ms() -> int:
    """The wall clock in ms since 1970."""
    return time.time_ns() // 1_000_000


def night(store: Store, manifests: dict[str, Manifest], now: int) -> None:
    """One night's work: slots of the coming days, and the end of what has had its time."""
    from server.services import booking, rota

    with store.write() as conn:
        rota.renew(conn, manifests, now)
        booking.finish_past(conn, manifests, now - messages.DAY_MS)
        sessions.expire(conn, now)
        down.prune(conn, now)
        messages.expire(conn, now)
        content.prune(conn, now)
        content.prune_generations(conn)
    store.checkpoint(empty=True)


def run(options: Options, say: Say = print) -> int:
    """Run headquarters until SIGTERM or SIGINT. ServerError means that nothing was left half started."""
    from server.web.app import create_app

    check_free(options.http_host, options.http_port, "the web pages")
    if options.mqtt is None:
        check_free(options.mqtt_host, options.mqtt_port, "the MQTT broker")
    headquarters = Headquarters.open(options)
    try:
        listener = socket.create_server((options.http_host, options.http_port))
        headquarters.collect()
        headquarters.daily()
        live = headquarters.live
        host, port = listener.getsockname()[:2]
        say(f"Broker: mqtt://{live.mqtt_host or options.mqtt_host}:{live.mqtt_port}")
        app = create_app(headquarters.store, headquarters.manifests, live)
        _serve(app, listener, lambda: say(f"Headquarters: http://{_spoken(host)}:{port}/"))
    finally:
        headquarters.stop()
    return 0


def collect(options: Options, say: Say = print) -> int:
    """Collect beside a headquarters that runs on the same data, until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    headquarters = Headquarters.open(options)
    try:
        headquarters.collect_beside()
        live = headquarters.live
        say(f"Collecting from mqtt://{_spoken(live.mqtt_host)}:{live.mqtt_port}")
        ended.wait()
    finally:
        headquarters.stop()
    return 0


def _serve(app: Any, listener: socket.socket, ready: Callable[[], None]) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            # uvicorn would raise the signal again when it is done, and end us before the broker is ended.
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.handle_exit, number, None)
            yield

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=5
    )
    server = Server(config)

    async def serve() -> None:
        task = asyncio.ensure_future(server.serve(sockets=[listener]))
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        if server.started:
            ready()
        await task

    asyncio.run(serve())


def _until_next(now: datetime) -> float:
    next_night = now.replace(hour=DAILY_AT, minute=0, second=0, microsecond=0)
    if next_night <= now:
        next_night += timedelta(days=1)
    return (next_night - now).total_seconds()


def _spoken(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host
