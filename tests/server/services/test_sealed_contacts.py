"""A sealed contact is kept as long as a booking is open, and then not even its sealed text."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from protocol import frame as frames
from protocol import messages
from protocol.frame import Frame
from protocol.messages import Event, Request
from server import app, queries
from server.downlink import Downlink
from server.errors import NotFound
from server.ingest import Arrival, Ingest
from server.manifests import read_all
from server.services import booking
from server.store import Store, content, stations
from server.store.messages import DAY_MS
from server.store.schema import booking as table
from server.store.schema import message, request
from tests.server import ground

NOW = int(datetime.fromisoformat("2026-11-23T08:00:00+08:00").timestamp() * 1000)
SLOT = {"date": "2026-11-23", "start": "09:00", "minutes": 30, "person": "1 号律师", "role": "lawyer"}


class Office:
    """Headquarters with two free slots, and a station whose requests go the whole way in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ground.lay(folder)
        self.store = Store(folder)
        self.manifests, _ = read_all()
        with self.store.write() as conn:
            for name in ("st-1", "st-2"):
                stations.claim(conn, stations.add(conn, name, name=name, now=NOW), NOW)
            slots = [{**SLOT, "slot_id": each, "matters": "", "room": "", "free": True} for each in "AB"]
            content.put(conn, "legal_aid.slots", "slot_id", slots)
        self.ingest = Ingest(self.store, self.manifests, Downlink(lambda to, data: None, lambda: NOW))
        self.said = 0

    def ask(self, id: str, slot: str, contact: str, station: str = "st-1", **more: object) -> None:
        d = {"slot": slot, "matter": "wages", "contact": contact, **more}
        asked = Request(id=id, plugin="legal_aid", name="place_booking", service="booking", d=d)
        self.said += 1
        raws = [
            msgspec.Raw(messages.encode(each))
            for each in (Event(plugin="legal_aid", name="asked", d={"matter": "wages"}), asked)
        ]
        frame = Frame(v=1, stream=f"{station}{self.said}", first=1, boot="b", sent=NOW, up=5, msgs=raws)
        self.ingest.take([Arrival(station, frames.encode(frame), NOW)])

    def on_disk(self, text: str) -> bool:
        """Whether the text stands anywhere in the database's files, deleted or not."""
        self.store.checkpoint(empty=True)
        return any(text.encode() in file.read_bytes() for file in self.folder.glob("headquarters.sqlite*"))

    def kept(self, id: str) -> tuple[dict[str, object], list[dict[str, object]]]:
        """The fields of a request as its row and its raw messages hold them."""
        with self.store.read() as conn:
            row = json.loads(conn.scalar(select(request.c.d).where(request.c.id == id)) or "{}")
            bodies = conn.scalars(select(message.c.body).where(message.c.kind == "request"))
            raw = [each["d"] for each in map(json.loads, bodies) if each["id"] == id]
        return row, raw


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.store.close()


def sealed(letter: str) -> str:
    return letter * 96


def test_the_contact_of_a_finished_booking_is_nowhere_in_the_database_file(office: Office) -> None:
    office.ask("one", "A", sealed("x"))
    office.ask("two", "B", sealed("y"), "st-2")
    assert office.on_disk(sealed("x"))
    with office.store.write() as conn:
        first = conn.scalar(select(table.c.id).where(table.c.request == "one"))
        assert first is not None
        booking.finish(conn, office.manifests, first, "done")
    assert not office.on_disk(sealed("x"))
    blank = {"slot": "A", "matter": "wages", "contact": ""}
    assert office.kept("one") == (blank, [blank])
    assert office.on_disk(sealed("y"))
    assert office.kept("two")[1][0]["contact"] == sealed("y")


def test_a_day_after_the_slot_the_contact_is_gone_from_every_copy_of_the_request(office: Office) -> None:
    office.ask("one", "A", sealed("x"))
    office.ask("one", "A", sealed("x"))  # repeated in another stream, as after a restore of the station
    app.night(office.store, office.manifests, NOW + DAY_MS)
    assert office.on_disk(sealed("x"))
    app.night(office.store, office.manifests, NOW + 2 * DAY_MS)
    assert not office.on_disk(sealed("x"))
    assert [each["contact"] for each in office.kept("one")[1]] == ["", ""]


def test_who_was_answered_that_the_slot_is_taken_leaves_no_contact_either(office: Office) -> None:
    office.ask("one", "A", sealed("x"))
    office.ask("late", "A", sealed("z"), "st-2")
    app.night(office.store, office.manifests, NOW)
    assert not office.on_disk(sealed("z"))
    assert office.on_disk(sealed("x"))


def test_only_declared_sealed_fields_are_emptied(office: Office) -> None:
    office.ask("one", "A", sealed("x"))
    office.ask("odd", "B", sealed("w"), extra="kept")  # refused: the manifest does not declare `extra`
    app.night(office.store, office.manifests, NOW + 2 * DAY_MS)
    assert office.kept("odd")[1][0]["extra"] == "kept"
    without = {key: each for key, each in office.manifests.items() if key != "legal_aid"}
    office.ask("two", "B", sealed("y"))
    with office.store.write() as conn:
        assert booking.finish_past(conn, without, NOW + DAY_MS) == 1
    assert office.kept("two")[0]["contact"] == sealed("y")


def test_a_booking_asked_for_without_its_contact_is_one_by_number(office: Office) -> None:
    office.ask("one", "A", "")
    with office.store.read() as conn:
        (line,) = queries.bookings(conn)
    assert (line.state, line.contact) == ("open", "")


def test_there_must_be_a_booking_to_finish(office: Office) -> None:
    with pytest.raises(NotFound), office.store.write() as conn:
        booking.finish(conn, office.manifests, 99, "done")
