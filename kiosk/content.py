"""The station's replica of what headquarters publishes: read from memory, kept in SQLite, renewed over HTTP.

A bad network or a server that answers nonsense leaves everything as it is.
"""

import logging
import random
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from kiosk import ui_thread
from kiosk.database import Database
from kiosk.errors import HttpError, NotStored
from kiosk.profile import COLLECTION as PROFILE
from kiosk.receipt import Receipt
from protocol.manifest import Manifest

if TYPE_CHECKING:
    import sqlite_utils

    from kiosk.http import Http

log = logging.getLogger(__name__)

INTERVAL: Final = 300.0  # s between two looks without a poke
RETRY: Final = (5.0, 300.0)  # s after a failure, at first and at most
MAX_ROWS: Final = 200_000  # of one collection

_GENERATION: Final = re.compile(r"[A-Za-z0-9]{0,64}")

Row = dict[str, Any]


class Page(msgspec.Struct):
    """One answer of headquarters; `reset` says that rows of before are to be forgotten.

    `generation` tells headquarters next time whose `revision` it is: after a restore from a backup the same
    numbers come again for other rows.
    """

    revision: int
    upserts: list[dict[str, Any]] = []
    deletes: list[str] = []
    more: bool = False
    reset: bool = False
    generation: str = ""


@dataclass(frozen=True)
class Collection:
    """What is known about the rows of one collection: the field that names a row, and simple types."""

    key: str
    types: Mapping[str, str] = field(default_factory=dict)
    required: frozenset[str] = frozenset()

    @property
    def media(self) -> list[str]:
        """The fields that hold a file's SHA-256."""
        return [name for name, kind in self.types.items() if kind == "media"]

    def fits(self, row: Row) -> bool:
        """Whether plugins can rely on the row. Undeclared fields may be anything."""
        if any(row.get(name) in (None, "") for name in self.required):
            return False
        return all(
            row.get(name) is None or isinstance(row[name], _PYTHON[kind]) for name, kind in self.types.items()
        )


_PYTHON: Final[dict[str, type]] = {
    "text": str,
    "integer": int,
    "date": str,
    "time": str,
    "choice": str,
    "flag": bool,
    "media": str,
}


class Content:
    """`rows` is for any thread and never waits.

    `changed(collection)` is called on the UI thread, `synced(complete)` on the content thread.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._collections: dict[str, Collection] = {PROFILE: Collection("station")}
        self._rows: dict[str, tuple[Row, ...]] = {}
        self._keyed: dict[str, dict[str, Row]] = {}
        self._revisions: dict[str, tuple[int, str]] = {}  # and the generation of each
        self._complaints: dict[str, str] = {}
        self.changed: Callable[[str], None] = lambda collection: None
        self.synced: Callable[[bool], None] = lambda complete: None
        self._http: Http | None = None
        self._thread: threading.Thread | None = None
        self._wake = threading.Condition()
        self._poked: set[str] = set()
        self._stopping = False

    def load(self) -> Receipt[None]:
        """Read the replica from disk."""

        def job(db: "sqlite_utils.Database") -> None:
            for name, *reached in db.execute("SELECT collection, revision, generation FROM _revision"):
                self._revisions[name] = (reached[0], reached[1])
            for name, key, body in db.execute("SELECT collection, key, body FROM _content ORDER BY key"):
                self._keyed.setdefault(name, {})[key] = msgspec.json.decode(body)
            self._rows = {name: tuple(rows.values()) for name, rows in self._keyed.items()}

        return self._database.read(job)

    def declare(self, manifests: Iterable[Manifest]) -> None:
        """These plugins' collections are to be kept up to date."""
        for manifest in manifests:
            for name, content in manifest.content.items():
                self._collections[f"{manifest.id}.{name}"] = Collection(
                    content.key,
                    {each: column.type for each, column in content.fields.items()},
                    frozenset(each for each, column in content.fields.items() if column.required),
                )

    def rows(self, collection: str) -> tuple[Row, ...]:
        """The rows in the order of their keys."""
        return self._rows.get(collection, ())

    def files(self) -> dict[str, set[str]]:
        """The SHA-256 of every file that the rows name, and the collections that name it."""
        wanted: dict[str, set[str]] = {}
        for name, collection in self._collections.items():
            for column in collection.media:
                for row in self.rows(name):
                    if isinstance(sha := row.get(column), str) and sha:
                        wanted.setdefault(sha, set()).add(name)
        return wanted

    def start(self, http: "Http") -> None:
        """Keep the replica up to date from this server, on a thread of its own."""
        self._http = http
        self._thread = threading.Thread(target=self._keep, name="yizhan-content", daemon=True)
        self._thread.start()

    def poke(self, collections: Iterable[str] = ()) -> None:
        """Something new waits: look now, at these collections or at all."""
        with self._wake:
            self._poked.update(set(collections) or set(self._collections))
            self._wake.notify()

    def stop(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(1.0)  # it may hang in a connection; it is a daemon

    def sync(self, collections: Iterable[str]) -> bool:
        """Bring these collections up to date now; False if one could not be. For the content thread."""
        complete = True
        for name in collections:
            collection = self._collections.get(name)
            if collection is None:
                continue
            try:
                changed = self._fetch(name, collection)
            except (HttpError, NotStored, ValueError, TimeoutError) as err:
                complete = False
                if self._complaints.get(name) != str(err):
                    log.warning("collection %s stays as it is: %s", name, err)
                self._complaints[name] = str(err)
                continue
            self._complaints.pop(name, None)
            if changed:
                ui_thread.call_soon(lambda name=name: self.changed(name))  # type: ignore[misc]
        return complete

    def _keep(self) -> None:
        wanted: set[str] = set(self._collections)
        failures = 0
        while not self._stopping:
            try:
                complete = self.sync(sorted(wanted))
                self.synced(complete)
            except Exception:  # the replica stays; the next round may do better
                log.exception("synchronising failed")
                complete = False
            failures = 0 if complete else failures + 1
            pause = INTERVAL * random.uniform(0.8, 1.2)
            if failures:
                pause = random.uniform(RETRY[0] / 2, min(RETRY[1], RETRY[0] * 2.0 ** min(failures, 10)))
            with self._wake:
                poked = self._wake.wait_for(lambda: self._poked or self._stopping, pause)
                wanted = set(self._poked) if poked and complete else set(self._collections)
                self._poked.clear()

    def _fetch(self, name: str, collection: Collection) -> bool:
        """Ask until there is no more; whether rows have changed. ValueError for nonsense."""
        assert self._http is not None
        changed = False
        while True:
            since, generation = self._revisions.get(name, (0, ""))
            pages = [self._page(name, since, generation)]
            # Rows of before may only be forgotten when all that replaces them is here.
            while pages[0].reset and pages[-1].more:
                page = self._page(name, pages[-1].revision, pages[-1].generation)
                pages = [page] if page.reset else [*pages, page]
                if len(pages) * 1000 > MAX_ROWS:
                    raise ValueError("more rows than a station keeps")
            last = pages[-1]
            if last.more and last.revision <= since:
                raise ValueError("the server promises more but does not go on")
            if (
                pages[0].reset
                or (last.revision, last.generation) != (since, generation)
                or any(page.upserts or page.deletes for page in pages)
            ):
                changed |= self._apply(name, collection, pages)
            if not last.more or self._stopping:
                return changed

    def _page(self, name: str, since: int, generation: str) -> Page:
        assert self._http is not None
        whose = f"&generation={generation}" if generation else ""
        text = self._http.json(f"/station/v1/content/{name}?since={since}{whose}")
        try:
            page = msgspec.json.decode(text, type=Page)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as err:
            raise ValueError(f"the server's answer makes no sense: {err}") from err
        if page.revision < 0 or page.revision > 2**53:
            raise ValueError("the server's revision makes no sense")
        if not _GENERATION.fullmatch(page.generation):
            raise ValueError("the server's generation makes no sense")
        return page

    def _apply(self, name: str, collection: Collection, pages: list[Page]) -> bool:
        reset = pages[0].reset
        rows = {} if reset else dict(self._keyed.get(name, {}))
        upserts: dict[str, bytes] = {}
        deletes: set[str] = set()
        unfit = 0
        for page in pages:
            for row in page.upserts:
                key = row.get(collection.key)
                if not isinstance(key, str) or not key:
                    raise ValueError(f"a row has no key '{collection.key}'")
                deletes.discard(key)
                if collection.fits(row):
                    upserts[key], rows[key] = msgspec.json.encode(row), row
                else:
                    unfit += 1
            for key in page.deletes:
                deletes.add(key)
                upserts.pop(key, None)
                rows.pop(key, None)
        if unfit:
            log.warning("collection %s: %d rows do not fit the manifest and are left out", name, unfit)
        if len(rows) > MAX_ROWS:
            raise ValueError("more rows than a station keeps")
        reached = (pages[-1].revision, pages[-1].generation)

        def job(db: "sqlite_utils.Database") -> None:
            if reset:
                db.execute("DELETE FROM _content WHERE collection = ?", [name])
            db.conn.executemany(
                "DELETE FROM _content WHERE collection = ? AND key = ?", [(name, key) for key in deletes]
            )
            db.conn.executemany(
                "INSERT OR REPLACE INTO _content VALUES (?, ?, ?)",
                [(name, key, body) for key, body in upserts.items()],
            )
            db.execute("INSERT OR REPLACE INTO _revision VALUES (?, ?, ?)", [name, *reached])

        self._database.write(job).wait()
        before = self._rows.get(name, ())
        self._revisions[name] = reached
        self._keyed[name] = dict(sorted(rows.items()))
        self._rows = {**self._rows, name: tuple(self._keyed[name].values())}
        return self._rows[name] != before
