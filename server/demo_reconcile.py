"""What the station recorded against what headquarters stored and what its API reports: exactly or not at all.

Only what was sealed is not compared: the station lets it go once it is answered.
"""

import json
import sqlite3
import urllib.parse
import urllib.request
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from protocol.sealed import blank
from server.manifests import read_all
from server.queries import ZONE
from server.store.engine import Store
from server.store.schema import message, stream

VISIT = ("check_in", "checked_in")


@dataclass(frozen=True)
class Summary:
    """`recorded`, `stored` count events; `*_messages` everything in the stream; `differences` in words."""

    recorded: int
    stored: int
    visits_recorded: int
    visits_shown: int
    bookings_recorded: int
    bookings_confirmed: int
    recorded_messages: int
    stored_messages: int
    dashboard: str
    differences: list[str]

    @property
    def agrees(self) -> bool:
        """Whether anything was recorded, and all of it is where it belongs, once."""
        return self.recorded > 0 and not self.differences

    def text(self) -> str:
        verdict = "They agree exactly." if self.agrees else "They DIFFER: " + "; ".join(self.differences)
        return (
            f"recorded {self.recorded} events, stored {self.stored}; "
            f"visits {self.visits_recorded} recorded, {self.visits_shown} shown; "
            f"bookings {self.bookings_recorded} shown as confirmed at the station, "
            f"{self.bookings_confirmed} at headquarters. {verdict}"
        )

    def write(self, file: Path, walked: Path) -> None:
        """The summary as JSON, with what the visitor did."""
        visitor = json.loads(walked.read_text(encoding="utf-8"))
        whole = {**asdict(self), "agrees": self.agrees, "visitor": visitor}
        file.write_text(json.dumps(whole, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


class Reconciliation:
    """Looks at both data folders and asks the API as a logged-in user; `look` may be called again."""

    def __init__(self, data: Path, hq: Path, station: str, dashboard: str, user: str, password: str) -> None:
        self._data, self._station, self._dashboard = data, station, dashboard
        self._store = Store(hq)
        self._manifests, _ = read_all()
        self._web = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        form = urllib.parse.urlencode({"name": user, "password": password}).encode()
        login = urllib.request.Request(f"{dashboard}login", form, {"Origin": dashboard.rstrip("/")})
        self._web.open(login, timeout=10).close()

    def look(self) -> Summary:
        """Compare now. The station is read first, so that what it adds meanwhile counts as a difference."""
        recorded, bookings = self._recorded()
        stored = self._stored()
        events = [each for each in recorded.values() if each["t"] == "event"]
        kept = [each for each in stored.values() if each["t"] == "event"]
        counts = Counter((each["plugin"], each["name"]) for each in events)
        visits = self._visits_shown(events)
        confirmed = self._confirmed()
        differences = [f"message {each} is not stored" for each in recorded if each not in stored]
        differences += [f"message {each} is only stored" for each in stored if each not in recorded]
        differences += [
            f"message {each} differs"
            for each in recorded
            if each in stored and recorded[each] != stored[each]
        ]
        for (plugin, name), n in counts.items():
            shown = self._get("events/count", station=self._station, plugin=plugin, name=name)["n"]
            if shown != n:
                differences.append(f"{plugin}.{name}: {n} recorded, {shown} shown")
        if visits != counts[VISIT]:
            differences.append(f"visits: {counts[VISIT]} recorded, {visits} shown")
        if confirmed != bookings:
            differences.append(f"bookings: {bookings} shown at the station, {confirmed} at headquarters")
        return Summary(
            recorded=len(events),
            stored=len(kept),
            visits_recorded=counts[VISIT],
            visits_shown=visits,
            bookings_recorded=bookings,
            bookings_confirmed=confirmed,
            recorded_messages=len(recorded),
            stored_messages=len(stored),
            dashboard=self._dashboard,
            differences=differences,
        )

    def _recorded(self) -> tuple[dict[tuple[str, int], dict[str, Any]], int]:
        """Every message of the station by stream and number, and the bookings it has shown as confirmed."""
        with closing(sqlite3.connect(f"file:{self._data / 'station.db'}?mode=ro", uri=True)) as db:
            name = db.execute("SELECT value FROM _meta WHERE key = 'stream'").fetchone()[0]
            rows = db.execute("SELECT number, body FROM _stream_up").fetchall()
            booked = db.execute(
                "SELECT count(*) FROM legal_aid_booking WHERE status = 'confirmed'"
            ).fetchone()
        return {(name, number): self._read(body) for number, body in rows}, booked[0]

    def _stored(self) -> dict[tuple[str, int], dict[str, Any]]:
        columns = select(stream.c.name, message.c.number, message.c.body)
        mine = columns.join(stream, stream.c.id == message.c.stream).where(stream.c.station == self._station)
        with self._store.read() as conn:
            return {(name, number): self._read(body.encode()) for name, number, body in conn.execute(mine)}

    def _read(self, body: bytes) -> dict[str, Any]:
        """One message, without what was sealed in it."""
        message: dict[str, Any] = json.loads(body)
        if message["t"] == "request" and message["plugin"] in self._manifests:
            sealed = self._manifests[message["plugin"]].sealed_fields(message["name"])
            message = json.loads(blank(body, sealed))
        return message

    def _visits_shown(self, events: list[dict[str, Any]]) -> int:
        zone = ZoneInfo(ZONE)
        days = {datetime.fromtimestamp(each["at"] / 1000, zone).date().isoformat() for each in events}
        return sum(self._get("overview", day=day)["visits"] for day in days)

    def _confirmed(self) -> int:
        mine = [each for each in self._get("bookings")["bookings"] if each["station"] == self._station]
        return sum(each["state"] == "open" for each in mine)

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        url = f"{self._dashboard}api/v1/{path}?{urllib.parse.urlencode(query)}"
        with self._web.open(url, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found
