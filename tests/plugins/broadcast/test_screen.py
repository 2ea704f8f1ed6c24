"""The radio in the real kiosk: a real window, the real player, the sample's film."""

import csv
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from kiosk import tables
from kiosk.database import Database
from kiosk.settings import Settings
from kiosk.testing_ui import Kiosk
from protocol import manifest

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "assets" / "sample"
MANIFEST = manifest.read(ROOT / "plugins" / "broadcast")
FILM = SAMPLE / "media" / "dawn.webm"
SHOTS = os.environ.get("YIZHAN_SHOTS")

pytestmark = pytest.mark.window


def rows_all_day():
    """The sample's film, on the air at whatever time the test runs."""
    with (SAMPLE / "programme.csv").open(encoding="utf-8", newline="") as source:
        film = next(row for row in csv.DictReader(source) if row["media"] == "media/dawn.webm")
    return [
        {
            **film,
            "start": "00:00",
            "end": "23:59",
            "position": 1,
            "seconds": int(film["seconds"]),
            "media": hashlib.sha256(FILM.read_bytes()).hexdigest(),
            "has_picture": True,
        },
        {**film, "item_id": "L1", "title": "还没送到的节目", "start": "00:00", "end": "23:59", "position": 2}
        | {"seconds": 20, "media": "0" * 64, "has_picture": False},
    ]


def fill(data, rows):
    """A station's data directory as if headquarters had sent these rows and the film."""
    database = Database(data / "station.db", tables.prepare)
    database.opened.wait()
    insert = "INSERT INTO _content (collection, key, body) VALUES ('broadcast.programme', ?, ?)"
    for row in rows:
        database.write(
            lambda db, row=row: db.execute(insert, [row["item_id"], json.dumps(row).encode()])
        ).wait()
    # No quiet hours: the test may run at night.
    Settings(database).set(MANIFEST, "quiet_from", "06:00").wait()
    database.close()
    media = data / "media"
    media.mkdir()
    shutil.copy(FILM, media / hashlib.sha256(FILM.read_bytes()).hexdigest())


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "station"
    folder.mkdir()
    return folder


def test_what_is_on_is_on_the_home_screen_and_the_volume_can_be_turned(data, tmp_path):
    fill(data, rows_all_day())
    with Kiosk(data) as kiosk:
        kiosk.wait(text="现在播《街头故事：清晨五点的街》", seconds=20)
        assert "正在广播" in kiosk.texts()
        shots = Path(SHOTS) if SHOTS else tmp_path
        kiosk.shot(shots / "home.png")
        kiosk.tap(name="home.broadcast")
        kiosk.wait(name="broadcast.louder")
        assert any("还没送到" in text and "跳过" in text for text in kiosk.texts())
        kiosk.tap(name="broadcast.louder")
        kiosk.wait(text="70")
        kiosk.tap(name="broadcast.quieter")
        kiosk.tap(name="broadcast.quieter")
        kiosk.wait(text="50")
        kiosk.shot(shots / "radio.png")


def test_a_station_without_a_programme_says_so(data):
    with Kiosk(data) as kiosk:
        kiosk.tap(name="home.broadcast")
        kiosk.wait(text="今天还没有节目单")
