"""Legal aid in a real window: a visitor books and leaves; the answer comes after a restart."""

import base64
import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from nacl.public import PrivateKey, SealedBox

from kiosk import tables
from kiosk.clock import ZONE
from kiosk.database import Database
from kiosk.testing_ui import Kiosk, KioskFailed
from protocol import messages
from protocol.messages import Reply, Request
from tests.plugins import station_data
from tests.plugins.legal_aid.rota import rota

pytestmark = pytest.mark.window

OFFICE = PrivateKey.generate()
PHONE = "13812345678"


def prepare(data: Path) -> None:
    """A rota of tomorrow and the day after, so that the time of day does not matter, and the office's key."""
    today = datetime.now(ZoneInfo(ZONE)).date()
    days = [(today + timedelta(days=ahead)).isoformat() for ahead in (1, 2)]
    station_data.replicate(data, "legal_aid.slots", "slot_id", rota(*days))
    key = base64.b64encode(bytes(OFFICE.public_key)).decode()
    profile = {"key": "station", "name": "织东路驿站", "offices": {"legal": key}}
    station_data.replicate(data, "station.profile", "key", [profile])


def request_of(data: Path) -> Request:
    """The one request that the station has stored."""
    database = Database(data / "station.db", tables.prepare)
    rows = database.read(lambda db: db.execute("SELECT body FROM _stream_up").fetchall()).wait().value
    database.close()
    [request] = [each for (body,) in rows if isinstance(each := messages.decode(body), Request)]
    return request


def post(data: Path, reply: Reply) -> None:
    """A letter from headquarters that came just before the power was cut."""
    database = Database(data / "station.db", tables.prepare)
    body = messages.encode(reply)
    database.write(lambda db: db.execute("INSERT INTO _down_inbox (body) VALUES (?)", [body])).wait()
    database.close()


def test_a_visitor_books_and_finds_the_answer_after_a_restart(tmp_path: Path) -> None:
    prepare(tmp_path)
    with Kiosk(tmp_path) as kiosk:
        kiosk.wait(text="明天 15:00 有号")
        kiosk.tap(name="home.legal_aid")
        kiosk.tap(name="legal_aid.wages")
        kiosk.wait(text="欠薪问题")
        with pytest.raises(KioskFailed, match="disabled"):
            kiosk.tap(name="legal_aid.slot.A0", seconds=0.5)
        kiosk.tap(name="legal_aid.slot.A3")
        kiosk.tap(text="就约 15:30")
        kiosk.wait(text="马上加密")
        for digit in PHONE[:-1]:
            kiosk.tap(name=f"legal_aid.phone.{digit}")
        kiosk.tap(name="legal_aid.phone.done")
        kiosk.wait(text="少一位")
        kiosk.tap(name="legal_aid.contact.back")
        kiosk.wait(text="欠薪问题")
        kiosk.tap(text="就约 15:30")
        kiosk.tap(name=f"legal_aid.phone.{PHONE[-1]}")
        kiosk.tap(name="legal_aid.phone.done")
        kiosk.wait(text="138****5678")
        kiosk.tap(name="legal_aid.kept.next")
        kiosk.wait(text="先记下了，连上就回话")
        number = next(text for text in kiosk.texts() if text.isdigit() and len(text) == 4)
        kiosk.tap(name="legal_aid.outcome.next")
        kiosk.wait(name="home.legal_aid")

    request = request_of(tmp_path)
    assert (request.d["slot"], request.d["matter"]) == ("A3", "wages")
    opened = SealedBox(OFFICE).decrypt(base64.b64decode(request.d["contact"]))
    assert json.loads(opened)["phone"] == PHONE
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or PHONE.encode() not in file.read_bytes()

    d = {"code": "48213", "slot": "A3"}
    post(tmp_path, Reply(id=request.id, plugin="legal_aid", name="place_booking", status="confirmed", d=d))
    with Kiosk(tmp_path) as kiosk:
        kiosk.tap(name="home.legal_aid")
        kiosk.tap(name="legal_aid.look_up")
        for digit in number:
            kiosk.tap(name=f"legal_aid.number.{digit}")
        kiosk.tap(name="legal_aid.number.done")
        kiosk.wait(text="约好了")
        assert {"48213", "镇调解中心 2 号室"} <= set("\n".join(kiosk.texts()).split("\n"))

    assert [(event.name, event.d) for event in station_data.events(tmp_path, "legal_aid")] == [
        ("asked", {"matter": "wages"}),
        ("answered", {"how": "confirmed"}),
    ]
