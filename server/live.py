"""What the running process knows and no table holds; shared between collector, broker and web."""

from collections.abc import Callable
from dataclasses import dataclass, field

from protocol.topics import PREFIX


@dataclass
class Live:
    """How stations reach the broker, and how the ingest is doing.

    `mqtt_host` empty: the same host as the web's. Counters are written by one thread each; readers may see
    them a moment old.
    """

    server_name: str = "驿站"
    mqtt_host: str = ""
    mqtt_port: int = 1883
    mqtt_prefix: str = PREFIX
    broker_connected: bool = False
    stale_since: int | None = None  # ms; the database refuses writes since then
    frames: int = 0
    messages: int = 0
    commits: int = 0
    #: Call it when stations or content changed in this process: the collector looks at once.
    notice: Callable[[], None] = field(default=lambda: None, repr=False)
