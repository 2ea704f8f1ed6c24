"""What a plugin is given: one `Station` for each plugin, the same place seen with its own name."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kiosk import ui_thread
from kiosk.clock import Clock
from kiosk.database import Database
from kiosk.errors import Unsealable
from kiosk.outbox import Outbox
from kiosk.pool import Pool
from kiosk.profile import Profile
from kiosk.receipt import Receipt
from kiosk.session import Session
from kiosk.settings import Value, live
from kiosk.shell import NoShell, Shell
from kiosk.strings import Strings
from protocol.manifest import Manifest
from protocol.messages import Event, Request

if TYPE_CHECKING:
    import sqlite_utils

    from kiosk.media.client import Player

T = TypeVar("T")

#: One row of a collection; shared by all readers, so nobody changes it.
Row = dict[str, Any]

#: Wraps a plugin's callable, named by where it is called, so that what it raises costs only the plugin.
Fence = Callable[[str, Callable[..., Any]], Callable[..., Any]]


def unfenced(where: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    """No fence: what is raised goes on, as tests want it."""
    return fn


@dataclass(frozen=True)
class Done:
    """A message that is on disk, as the screen is about to show: `at` in ms since 1970, `id` of a request."""

    stream: str
    number: int
    run: str
    kind: str
    plugin: str
    name: str
    at: int
    id: str = ""


@dataclass
class Place:
    """What all plugins of a station share."""

    database: Database
    outbox: Outbox
    clock: Clock
    session: Session
    player: "Player"
    pool: Pool
    settings_of: Callable[[Manifest], Mapping[str, Value]]
    rows: Callable[[str], tuple[Row, ...]] = lambda collection: ()
    media: Callable[[str], Path | None] = lambda sha256: None
    profile: Callable[[], Profile] = Profile
    offices: Callable[[], Mapping[str, str]] = dict
    online: Callable[[], bool] = lambda: False
    server: Callable[[], str] = str
    speak: Callable[["Station", str], None] = lambda station, text: None
    shell: Shell = field(default_factory=NoShell)
    #: Told on the UI thread of everything stored, before the plugin that said it; for who keeps a ledger.
    done: Callable[[Done], object] = lambda done: None


class Station:
    """The public API. All methods are for the UI thread (and `setup`), none of them waits for anything."""

    def __init__(self, place: Place, plugin: Manifest, strings: Strings, fence: Fence = unfenced) -> None:
        self.plugin = plugin
        self.store: Any = None
        self.database = place.database.posting(self._post)
        self.settings: Mapping[str, Value] = live(lambda: place.settings_of(plugin))
        self._place = place
        self._strings = strings
        self._fence = fence

    # what the place is

    @property
    def profile(self) -> Profile:
        """Name, number, hours, manager of the station."""
        return self._place.profile()

    @property
    def session(self) -> Session:
        """The visitor at the screen; another object after the end."""
        return self._place.session

    @property
    def clock(self) -> Clock:
        return self._place.clock

    @property
    def player(self) -> "Player":
        return self._place.player

    @property
    def online(self) -> bool:
        """Whether headquarters hears us, as far as one can know."""
        return self._place.online()

    def tr(self, key: str, **values: object) -> str:
        """A text of the plugin in the language of the session."""
        return self._strings.text(self.session.language, key, **values)

    # what the station says

    def report(
        self, event: str, *, also: "Callable[[sqlite_utils.Database], object] | None" = None, **fields: Any
    ) -> Receipt[int]:
        """Store a usage event, and what `also(db)` writes, in one transaction; the value is its number.

        Raises EventError at once unless the manifest declares the event with these fields.
        """
        message = self._event(event, fields)

        def job(db: "sqlite_utils.Database") -> int:
            number = self._place.outbox.append(db, message)
            if also is not None:
                also(db)
            return number

        def stored(receipt: Receipt[int]) -> None:
            self._count_lost(receipt)
            if receipt.ok:
                self._done(message, receipt.value)

        return self.database.write(job, says=1).then(stored)

    def request(
        self,
        name: str,
        *,
        also: "Callable[[sqlite_utils.Database], object] | None" = None,
        id: str | None = None,
        event: tuple[str, Mapping[str, Any]] | None = None,
        **fields: Any,
    ) -> Receipt[str]:
        """Store a request to headquarters; the value is its id. The answer comes to the `reply` hook.

        The same `id` always gets the same answer. `event`, a usage event's name and fields, and what
        `also(db)` writes are stored in the same transaction. Raises EventError at once for what is not
        declared.
        """
        kind = self.plugin.check_request(name, fields)
        used = None if event is None else self._event(*event)
        request = id or secrets.token_hex(12)
        message = Request(
            at=self.clock.wall_ms(),
            up=self.clock.monotonic_ms(),
            id=request,
            plugin=self.plugin.id,
            name=name,
            service=kind.service,
            d=fields,
        )

        said: list[Event | Request] = [message] if used is None else [message, used]
        numbers: list[int] = []

        def job(db: "sqlite_utils.Database") -> str:
            numbers[:] = [self._place.outbox.append(db, each) for each in said]
            if also is not None:
                also(db)
            return request

        def stored(receipt: Receipt[str]) -> None:
            if used is not None:
                self._count_lost(receipt)
            if receipt.ok:
                for each, number in zip(said, numbers, strict=True):
                    self._done(each, number)

        return self.database.write(job, says=len(said)).then(stored)

    def seal(self, office: str, data: dict[str, Any]) -> str:
        """`data` sealed so that only the office can open it, as base64; Unsealable if its key is unknown."""
        from kiosk.seal import seal

        key = self._place.offices().get(office)
        if key is None:
            raise Unsealable(f"the public key of office '{office}' is not known here", office=office)
        return seal(key, data)

    # what headquarters has sent

    def content(self, collection: str) -> tuple[Row, ...]:
        """The rows of one of the plugin's collections, in the order of their keys; from memory."""
        return self._place.rows(f"{self.plugin.id}.{collection}")

    def media(self, sha256: str) -> Path | None:
        """The file, if it is here as a whole and verified."""
        return self._place.media(sha256)

    def public_url(self, path: str) -> str:
        """Headquarters' public page for a phone, such as "jobs/J001"; empty while unclaimed."""
        server = self._place.server()
        return f"{server}/p/{path}" if server else ""

    # what the screen does

    def run(
        self,
        job: Callable[[], T],
        then: Callable[[T], object] | None = None,
        failed: Callable[[BaseException], object] | None = None,
    ) -> None:
        """Run `job()` on a background thread, then `then(result)` on the UI thread, or `failed(error)` there.

        What the job raises is a fault of the plugin all the same. Raises Busy if too many of its jobs wait.
        """

        def work() -> None:
            try:
                result = job()
            except BaseException as err:
                if failed is not None:
                    error = err
                    self._post(lambda: failed(error))
                raise
            if then is not None:
                self._post(lambda: then(result))

        self._place.pool.run(self.plugin.id, self._fence("run", work))

    def every(self, seconds: float, tick: Callable[[], object]) -> Callable[[], None]:
        """Call `tick()` on the UI thread every so many seconds; what is returned ends it."""
        return ui_thread.call_every(seconds, self._fence("every", tick))

    def speak(self, text: str) -> None:
        """Read aloud, in the language of the session; never anything personal."""
        self._place.speak(self, text)

    def refresh(self) -> None:
        """My tile, stage or screen has changed."""
        self._place.shell.refresh(self.plugin.id)

    def go(self, route: str) -> None:
        """Open a screen of this plugin."""
        self._place.shell.go(self.plugin.id, route)

    def finish(self) -> None:
        """The visitor is done: end the session."""
        self._place.shell.finish()

    def home(self) -> None:
        """Back to the home screen; the session goes on."""
        self._place.shell.home()

    def _event(self, name: str, fields: Mapping[str, Any]) -> Event:
        """A usage event of now; EventError unless the manifest declares it with these fields."""
        self.plugin.check_event(name, fields)
        clock = self.clock
        return Event(
            at=clock.wall_ms(),
            up=clock.monotonic_ms(),
            plugin=self.plugin.id,
            name=name,
            d=dict(fields),
            session=self.session.id,
        )

    def _post(self, fn: Callable[[], object]) -> None:
        ui_thread.call_soon(self._fence("then", fn))

    def _done(self, message: Event | Request, number: int) -> None:
        outbox, request = self._place.outbox, isinstance(message, Request)
        self._place.done(
            Done(
                stream=outbox.stream,
                number=number,
                run=outbox.run_id,
                kind="request" if request else "event",
                plugin=message.plugin,
                name=message.name,
                at=message.at,
                id=message.id if isinstance(message, Request) else "",
            )
        )

    def _count_lost(self, receipt: Receipt[Any]) -> None:
        if not receipt.ok:
            self._place.outbox.not_stored += 1
