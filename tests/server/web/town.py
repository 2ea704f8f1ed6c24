"""A town with stations and a day's numbers in a real store, for the tests of the web and for its pictures."""

import io
import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import insert

from protocol.manifest import Manifest
from protocol.messages import Fault
from server.live import Live
from server.manifests import read_all
from server.store import Store, content, faults, media, presence, rollups, stations, users, watermarks
from server.store.schema import booking, request

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 21, 10, 24, tzinfo=ZONE)
NAME, PASSWORD = "headquarters", "a long enough password"
HOUR, DAY = 3_600_000, 24 * 3_600_000
TRADES = ("delivery", "courier", "sanitation", "trucker", "ride_hailing", "other", "unsaid")


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@dataclass
class Town:
    """One store with its clock; `at` moves only when a test moves it."""

    store: Store
    manifests: dict[str, Manifest]
    live: Live
    at: int = field(default=ms(NOW))
    tokens: dict[str, str] = field(default_factory=dict)

    def now(self) -> int:
        return self.at

    def add(self, name: str, title: str = "", *, claimed: bool = True, **profile: str) -> str:
        """A station, claimed a month ago and heard of just now; its claim code or its token."""
        then = self.at - 40 * DAY
        with self.store.write() as conn:
            code = stations.add(conn, name, name=title or name, now=then, **profile)
            if not claimed:
                return stations.new_code(conn, name, self.at)
            token = self.tokens[name] = stations.claim(conn, code, then).token
        self.heard([name])
        return token

    def heard(self, names: Iterable[str], ago: int = 30_000) -> None:
        """These stations spoke last `ago` ms ago, and are online if that was just now."""
        with self.store.write() as conn:
            found = [presence.Presence(each, ago < HOUR // 4, 1, "boot", self.at - ago) for each in names]
            presence.store(conn, found)

    def complete(self, names: Iterable[str], upto: int) -> None:
        """These stations have reported everything up to this time."""
        with self.store.write() as conn:
            watermarks.move(conn, [(each, upto, upto, "0.1.0", "{}") for each in names])

    def visits(self, station: str, hour: int, trade: str, n: int) -> None:
        """Check-ins in the local hour `hour` of today; negative hours are days before."""
        dims = json.dumps({"method": "tap", "trade": trade}, separators=(",", ":"))
        self.count(Counter({(self.hour(hour), station, "check_in", "checked_in", dims): n}))

    def count(self, counts: "Counter[rollups.Key]") -> None:
        with self.store.write() as conn:
            rollups.add(conn, counts)

    def hour(self, hour: int) -> int:
        """Start of a local hour of the town's today."""
        midnight = datetime.fromtimestamp(self.at / 1000, ZONE).replace(hour=0, minute=0, second=0)
        return ms(midnight.replace(microsecond=0)) + hour * HOUR

    def post(self, job_id: str, **fields: object) -> None:
        """A job post; fields replace those of an ordinary one."""
        row = {
            "job_id": job_id,
            "title": "电动车配送员",
            "company": "城东配送站",
            "trade": "delivery",
            "area": "城东",
            "pay_min": 6000,
            "pay_max": 8500,
            "shift": "flexible",
            "kind": "full_time",
            "posted": "2026-11-18",
            "expires": "2026-12-20",
            "phone": "0572-555 0100",
            "detail": "提供车辆和电池。\n每周休一天。",
            **fields,
        }
        with self.store.write() as conn:
            content.put(conn, "jobs.posts", "job_id", [row])

    def file(self, data: bytes) -> str:
        """A media file; its SHA-256."""
        with self.store.write() as conn:
            kept = media.keep(self.store.media_dir, io.BytesIO(data), "news.ogg", "audio/ogg")
            media.record(conn, kept, self.at)
            return kept.sha256

    def book(self, station: str, number: int, starts_at: int, *, state: str = "open") -> None:
        """A booking that was confirmed, with its request."""
        details = {"person": f"{1 + number % 6} 号律师", "role": "lawyer", "room": f"{1 + number % 5} 号室"}
        values = {"collection": "legal_aid.slots", "slot": f"S{number}", "code": f"{20000 + 37 * number}"}
        with self.store.write() as conn:
            conn.execute(
                insert(booking).values(
                    **values,
                    starts_at=starts_at,
                    station=station,
                    request=f"R{number}",
                    matter=("wages", "injury", "contract", "rent")[number % 4],
                    contact="c2VhbGVk" * 12,
                    office="legal",
                    state=state,
                    placed_at=self.at - HOUR,
                    details=json.dumps(details),
                )
            )
        self.ask(station, f"R{number}", "confirmed")

    def ask(self, station: str, request_id: str, status: str | None) -> None:
        """A booking request of the last hour; without a status nobody has answered it."""
        with self.store.write() as conn:
            conn.execute(
                insert(request).values(
                    station=station,
                    id=request_id,
                    plugin="legal_aid",
                    name="place_booking",
                    service="booking",
                    at=self.at - HOUR,
                    received_at=self.at - HOUR,
                    d="{}",
                    holds_sealed=False,
                    tries=0,
                    status=status,
                    answer="{}" if status else None,
                )
            )

    def fault(self, station: str, plugin: str, ago: int) -> None:
        """A plugin that failed."""
        with self.store.write() as conn:
            found = Fault(plugin=plugin, version="1.0.0", where="screen", kind="ValueError")
            faults.store(conn, station, self.at - ago, found)


def open_town(folder: Path) -> Town:
    """An empty town with one user."""
    town = enter(folder)
    with town.store.write() as conn:
        users.add(conn, NAME, PASSWORD, ms(NOW))
    return town


def enter(folder: Path) -> Town:
    """A town whose files are there already."""
    return Town(Store(folder), dict(_manifests()), Live(broker_connected=True, mqtt_port=1884))


@cache
def _manifests() -> dict[str, Manifest]:
    return read_all()[0]


def fill(town: Town, n: int = 176) -> None:
    """A busy morning at `n` stations: three lost, one with a failing plugin, two not set up yet."""
    dice = random.Random(20261121)
    roads = ["织东", "晓河", "环城", "菱湖", "南街", "北门", "滨湖", "车站", "新市", "练市", "双林"]
    names = [f"s{number:03}" for number in range(1, n + 1)]
    for number, name in enumerate(names, 1):
        title = f"{roads[number % len(roads)]}{number:03} 站"
        town.add(name, title, number=f"W{number:03}", hours="06:00–22:00", claimed=number <= n - 2)
    active = names[:-2]
    lost = set(dice.sample(active, 3))
    town.complete([each for each in active if each not in lost], town.hour(10) + 20 * 60_000)
    for each in lost:
        town.heard([each], ago=42 * 60_000)
        town.complete([each], town.hour(9) + 38 * 60_000)
    counts: Counter[rollups.Key] = Counter()
    shape = [2, 2, 3, 4, 7, 12, 22, 33, 38, 34, 14]
    weights = [38, 22, 17, 10, 6, 5, 2]
    for day in range(31):
        for name in active:
            busy = dice.choice([0.3, 0.6, 1, 1, 1.4, 2])
            for hour in range(11 if day == 0 else 24):
                expected = busy * (shape[hour] if hour < len(shape) else 20 - hour / 2) * (1 - day / 120) / 6
                visits = round(dice.gauss(expected, expected / 3))
                if visits <= 0 or (name in lost and day == 0 and hour > 8):
                    continue
                for trade, times in Counter(dice.choices(TRADES, weights, k=visits)).items():
                    dims = f'{{"method":"tap","trade":"{trade}"}}'
                    key = (town.hour(hour - 24 * day), name, "check_in", "checked_in", dims)
                    counts[key] += times
    for plugin, opened, share in (
        ("check_in", 6204, 0.98), ("jobs", 2310, 0.61), ("broadcast", 1402, 0.72),
        ("station_info", 1087, 0.9), ("legal_aid", 212, 0.44),
    ):  # fmt: skip
        for day in range(31):
            for name in dice.sample(active, min(len(active), 20)):
                for event, dims, part in (
                    ("opened", "{}", 1.0),
                    ("closed", '{"how":"finished"}', share),
                    ("closed", '{"how":"left"}', 1 - share),
                ):
                    key = (town.hour(8 - 24 * day), name, plugin, event, dims)
                    counts[key] += round(opened / 20 * part)
    for name in active[:60]:
        hour = town.hour(10)
        counts[hour, name, "broadcast", "played", '{"complete":true,"kind":"news"}'] += 8
    counts[town.hour(10), active[0], "broadcast", "played", '{"complete":false,"kind":"song"}'] += 3
    town.count(counts)
    for number in range(38):
        town.book(active[number], number, town.at + (number - 8) * HOUR // 2)
    for number in range(3):
        town.ask(active[number], f"W{number}", None)
    for _ in range(3):
        town.fault(active[57], "jobs", 22 * 60_000)
    town.post("J001")
