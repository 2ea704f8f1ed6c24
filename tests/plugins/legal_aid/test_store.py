"""Bookings on a real station: asked, answered, looked up, and never a telephone number on disk."""

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from nacl.public import PrivateKey, SealedBox

from kiosk.testing import FakeStation, FrozenClock
from plugins.legal_aid.store import Booking
from protocol.messages import Reply
from tests.plugins.legal_aid.rota import rota, row

ROOT = Path(__file__).parents[3]
PHONE = "13812345678"
OFFICE = PrivateKey.generate()
OFFICES = {"legal": base64.b64encode(bytes(OFFICE.public_key)).decode()}


@pytest.fixture
def station() -> Iterator[FakeStation]:
    with FakeStation("legal_aid", offices=OFFICES) as station:
        station.fill("slots", rota())
        yield station


def ask(station: FakeStation, slot_id: str = "A2", contact: str = "") -> Booking:
    """Ask for a slot; the booking as it stands on disk."""
    slot = next(each for each in station.store.offered() if each.slot_id == slot_id)
    assert station.store.ask(slot, "wages", contact, request=f"R-{slot_id}").wait().ok
    station.settle()
    booking = station.store.booking(f"R-{slot_id}")
    assert isinstance(booking, Booking)
    return booking


def test_a_request_and_its_event_are_on_disk_when_the_receipt_is_ok(station: FakeStation) -> None:
    ask(station)
    [request] = station.requests("place_booking")
    assert (request.id, request.service, request.d) == ("R-A2", "booking", {"slot": "A2", "matter": "wages"})
    assert [event.d for event in station.events("asked")] == [{"matter": "wages"}]


KILLED = """
import os, signal, sys
from pathlib import Path
from kiosk.outbox import Outbox
from kiosk.testing import FakeStation
from protocol.messages import Event
from tests.plugins.legal_aid.rota import rota

append = Outbox.append

def dies(self, db, message):
    if isinstance(message, Event):
        os.kill(os.getpid(), signal.SIGKILL)
    return append(self, db, message)

station = FakeStation("legal_aid", data=Path(sys.argv[1]))
station.fill("slots", rota())
Outbox.append = dies
slot = next(each for each in station.store.offered() if each.slot_id == "A2")
station.store.ask(slot, "wages", request="R-A2").wait()
"""


def test_killed_between_the_request_and_its_event_neither_is_there(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    with FakeStation("legal_aid", offices=OFFICES, data=tmp_path) as station:
        station.fill("slots", rota())
        assert (station.said(), station.store.booking("R-A2")) == ([], None)
        ask(station)
        assert len(station.requests()) == len(station.events("asked")) == 1


def test_the_telephone_number_is_nowhere_in_the_files_and_only_the_office_reads_it(tmp_path: Path) -> None:
    with FakeStation("legal_aid", offices=OFFICES, data=tmp_path) as station:
        station.fill("slots", rota())
        ask(station, contact=station.seal("legal", {"phone": PHONE}))
        station.answer("R-A2", "confirmed", code="48213", slot="A2")
        files = {file.name: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        assert any(name.endswith("-wal") and len(data) > 0 for name, data in files.items())
        [request] = station.requests()
    files |= {f"{file.name} after": file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    written = b"".join(files.values())
    assert b"legal_aid_booking" in written
    for digits in (PHONE, PHONE[3:], PHONE[:7]):
        assert digits.encode() not in written
        assert digits.encode("utf-16-le") not in written
    opened = SealedBox(OFFICE).decrypt(base64.b64decode(request.d["contact"]))
    assert json.loads(opened)["phone"] == PHONE


def test_a_confirmed_booking_shows_its_code_and_is_found_by_both_numbers(station: FakeStation) -> None:
    number = ask(station).number
    station.answer("R-A2", "confirmed", code="48213", slot="A2")
    booking = station.store.find("48213")
    assert booking is station.store.find(number)
    assert (booking.status, booking.code, booking.slot.room) == ("confirmed", "48213", "镇调解中心 2 号室")
    assert station.store.find("48214") is None
    assert station.store.find("") is None


def test_a_reply_that_comes_twice_counts_once(station: FakeStation) -> None:
    ask(station)
    reply = Reply(
        id="R-A2",
        plugin="legal_aid",
        name="place_booking",
        status="confirmed",
        d={"code": "48213", "slot": "A2"},
    )
    station.hook("reply", reply)
    station.hook("reply", reply)
    station.settle()
    station.answer(reply)
    assert [event.d for event in station.events("answered")] == [{"how": "confirmed"}]


def test_a_centre_restored_from_a_backup_may_answer_otherwise_and_its_last_word_counts(
    tmp_path: Path,
) -> None:
    with FakeStation("legal_aid", data=tmp_path) as station:
        station.fill("slots", rota())
        number = ask(station).number
        station.answer("R-A2", "confirmed", code="48213", slot="A2")
        shown = station.shell.asked.count(("refresh", "legal_aid"))
        station.answer("R-A2", "confirmed", code="51627", slot="A2")
        assert station.shell.asked.count(("refresh", "legal_aid")) > shown
        assert station.store.find("48213") is None
        assert station.store.find("51627").number == number
        for status in ("taken", "refused"):  # both before the first is on disk
            station.hook("reply", Reply(id="R-A2", plugin="legal_aid", name="place_booking", status=status))
        station.settle()
        assert station.store.find(number).status == "refused"
    with FakeStation("legal_aid", data=tmp_path) as station:
        assert (station.store.find(number).status, station.store.find(number).code) == ("refused", "")


def test_an_answer_that_is_not_stored_is_said_to_be_so_and_not_shown(station: FakeStation) -> None:
    before = ask(station)
    station.database.write(lambda db: db.execute("ALTER TABLE legal_aid_booking RENAME TO away").rowcount)
    reply = Reply(id="R-A2", plugin="legal_aid", name="place_booking", status="refused")
    receipt = station.hook("reply", reply)
    station.settle()
    assert (receipt.done, receipt.ok) == (True, False)
    assert station.store.booking("R-A2") == before
    station.database.write(lambda db: db.execute("ALTER TABLE away RENAME TO legal_aid_booking").rowcount)
    again = station.hook("reply", reply)
    station.settle()
    assert again.ok
    assert station.store.booking("R-A2").status == "refused"


def test_a_reply_after_a_restart_finds_its_booking(tmp_path: Path) -> None:
    with FakeStation("legal_aid", data=tmp_path) as station:
        station.fill("slots", rota())
        asked = ask(station)
    with FakeStation("legal_aid", data=tmp_path) as station:
        found = station.store.find(asked.number)
        assert (found.request, found.status, found.slot.begins()) == ("R-A2", "asked", asked.slot.begins())
        station.answer("R-A2", "taken", alternatives=["A3", "B0"])
    with FakeStation("legal_aid", data=tmp_path) as station:
        booking = station.store.find(asked.number)
        assert (booking.status, booking.alternatives) == ("taken", ("A3", "B0"))
        station.answer("R-A2", "taken", alternatives=["A3", "B0"])
        assert len(station.events("answered")) == 1


def test_replies_that_make_no_sense_change_nothing(station: FakeStation) -> None:
    before = ask(station)
    odd = [("R-A2", "maybe", {}), ("nobody", "confirmed", {"code": "1"})]
    for request, status, d in odd:
        station.hook("reply", Reply(id=request, plugin="legal_aid", name="place_booking", status=status, d=d))
    station.settle()
    assert station.store.booking("R-A2") == before
    station.answer("R-A2", "taken", alternatives="A3")
    assert station.store.booking("R-A2").alternatives == ()


def test_what_was_asked_for_is_not_offered_again_and_the_rota_has_the_last_word(station: FakeStation) -> None:
    def free() -> set[str]:
        return {slot.slot_id for slot in station.store.offered() if slot.free}

    before = free()
    ask(station)
    assert free() == before - {"A2"}
    station.answer("R-A2", "taken", alternatives=["A3"])
    assert free() == before - {"A2"}
    station.fill("slots", rota())
    assert free() == before


def test_numbers_are_four_digits_and_different(station: FakeStation) -> None:
    numbers = {ask(station, slot_id).number for slot_id in ("A2", "A3", "B0", "B1", "C0")}
    assert len(numbers) == 5
    assert all(number.isdigit() and len(number) == 4 for number in numbers)


def test_a_booking_is_forgotten_a_week_after_its_day(tmp_path: Path) -> None:
    clock = FrozenClock("2026-11-21 10:00")
    with FakeStation("legal_aid", clock=clock, data=tmp_path) as station:
        station.fill("slots", rota())
        number = ask(station).number
        station.fill("slots", rota("2026-11-30", "2026-12-01"))
        clock.set("2026-11-28 23:59")
        station.end_session()
        assert station.store.find(number) is not None
        clock.set("2026-11-29 00:01")
        station.end_session()
        assert station.store.find(number) is None
    with FakeStation("legal_aid", clock=clock, data=tmp_path) as station:
        assert station.store.find(number) is None


def test_a_clock_that_is_years_ahead_forgets_no_booking(tmp_path: Path) -> None:
    clock = FrozenClock("2026-11-21 10:00")
    with FakeStation("legal_aid", clock=clock, data=tmp_path) as station:
        station.fill("slots", rota())
        number = ask(station).number
        clock.set("2036-11-21 10:00")
        station.end_session()
        assert station.store.find(number) is not None
    with FakeStation("legal_aid", clock=clock, data=tmp_path) as station:
        assert station.store.find(number) is not None


@pytest.mark.parametrize(
    ("now", "line"),
    [
        ("2026-11-21 10:00", "律师今天在 · 余 6 个号"),
        ("2026-11-21 15:45", "今天余 4 个号"),
        ("2026-11-21 17:45", "明天 09:00 有号"),
        ("2026-11-20 08:00", "明天 15:00 有号"),
        ("2026-11-17 08:00", "周六 11月21日 15:00 有号"),
        ("2026-11-23 08:00", "暂时没有空号"),
    ],
)
def test_the_tile_says_when_the_next_place_is(now: str, line: str) -> None:
    with FakeStation("legal_aid", clock=FrozenClock(now)) as station:
        assert station.hook("tile").live == "暂时没有空号"
        station.fill("slots", rota())
        assert station.hook("tile").live == line


def test_rows_that_cannot_be_offered_are_left_out(station: FakeStation) -> None:
    odd = [
        row("X1", "2026-13-01", "09:00"),
        row("X2", "2026-11-22", "25:00"),
        row("X 3", "2026-11-22", "09:00"),
        {"slot_id": "X4"},
    ]
    station.fill("slots", [*rota(), *odd])
    assert len(station.store.offered()) == len(rota())
