"""What the station is started with; the command line fills it, the screen process and the runtime read it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: The plugins that come with the product.
SHIPPED: Final = Path(__file__).parent.parent / "plugins"
HEARTBEAT: Final = 300.0
OUTBOX_LIMIT: Final = 200_000  # messages
RETRY: Final = 5.0  # s


@dataclass(frozen=True)
class Options:
    """`size` is width and height in pixels, None for the whole screen; `heartbeat` in seconds."""

    data: Path
    server: str = ""
    plugins: tuple[Path, ...] = (SHIPPED,)
    size: tuple[int, int] | None = None
    drive: bool = False
    heartbeat: float = HEARTBEAT
    allow_plain: bool = False
    safe_mode: bool = False
    please_call: bool = False
    zone: str = "Asia/Shanghai"
    #: Settings to store at the start, each as PLUGIN.NAME=VALUE.
    settings: tuple[str, ...] = ()
    #: Seconds without a touch until the countdown, and its length.
    idle_seconds: float = 60.0
    countdown_seconds: float = 30.0
    #: Dots per inch of the screen; 0 scales the design by the window's size.
    dpi: float = 0.0
    #: How many messages the station keeps at most.
    outbox_limit: int = OUTBOX_LIMIT
    #: Seconds at most until the first new attempt to connect to the broker.
    retry: float = RETRY
    #: Milliseconds by which the wall clock is wrong, for tests.
    clock_shift: int = 0
    #: A pipe to the supervisor, -1 without one.
    pulse_fd: int = -1

    @property
    def database(self) -> Path:
        return self.data / "station.db"

    @property
    def media(self) -> Path:
        return self.data / "media"

    @property
    def blame(self) -> Path:
        return self.data / "blame"

    @property
    def quarantine(self) -> Path:
        return self.data / "quarantine.json"
