"""A slot is free, or it is somebody's."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from protocol.messages import Reply, Request
from server import queries
from server.manifests import read_all
from server.services import Order, booking
from server.store import Store, content, keys, stations
from server.store.schema import booking as table
from tests.server import ground

SLOTS = "legal_aid.slots"
NOW = int(datetime.fromisoformat("2026-11-23T08:00:00+08:00").timestamp() * 1000)


class Desk:
    """A store with a rota of slots, and requests put to it."""

    def __init__(self, folder: Path, laid: bool = True) -> None:
        if laid:
            ground.lay(folder)
        self.store = Store(folder)
        self.manifests = read_all()[0]
        self.manifest = self.manifests["legal_aid"]
        with self.store.write() as conn:
            for name in ("st-1", "st-2"):
                stations.claim(conn, stations.add(conn, name, name=name, now=NOW), NOW)
            content.put(
                conn,
                SLOTS,
                "slot_id",
                [
                    self.slot("early", "07:00"),
                    *(self.slot(f"S{n}", f"{8 + n:02}:00") for n in range(1, 9)),
                    self.slot("rent", "09:05", matters="rent"),
                ],
            )

    def slot(self, name: str, start: str, matters: str = "wages,injury") -> dict[str, object]:
        people = {"person": "1 号律师", "role": "lawyer", "room": "101", "minutes": 30, "free": True}
        return {"slot_id": name, "date": "2026-11-23", "start": start, "matters": matters, **people}

    def ask(self, slot: str, request: str = "r", station: str = "st-1", matter: str = "wages") -> Reply:
        d = {"slot": slot, "matter": matter, "contact": "A" * 80}
        asked = Request(id=request, plugin="legal_aid", name="place_booking", service="booking", d=d)
        kind = self.manifest.requests["place_booking"]
        with self.store.write() as conn:
            return booking.place(conn, Order(station, asked, self.manifest, kind, NOW))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.store.close()


def test_a_free_slot_is_confirmed_with_a_code_of_five_digits(desk: Desk) -> None:
    reply = desk.ask("S3")
    assert reply.status == "confirmed"
    assert reply.d["slot"] == "S3"
    assert len(reply.d["code"]) == 5
    assert reply.d["code"].isdigit()
    with desk.store.read() as conn:
        (line,) = queries.bookings(conn)
        row = content.row(conn, SLOTS, "S3")
    assert (line.code, line.contact, line.matter) == (reply.d["code"], "A" * 80, "wages")
    assert row is not None
    assert row["free"] is False


def test_a_taken_slot_is_answered_with_the_nearest_others_of_the_same_matter(desk: Desk) -> None:
    desk.ask("S3")
    reply = desk.ask("S3", "r2", "st-2")
    assert reply.status == "taken"
    assert reply.d["alternatives"] == ["S2", "S4", "S1", "S5"]


@pytest.mark.parametrize(
    ("slot", "matter", "why"),
    [("no-such", "wages", "no_such_slot"), ("early", "wages", "past"), ("S1", "rent", "other_matter")],
)
def test_what_cannot_be_booked_is_refused_with_a_reason(desk: Desk, slot: str, matter: str, why: str) -> None:
    reply = desk.ask(slot, matter=matter)
    assert (reply.status, reply.d) == ("refused", {"why": why})


def test_a_row_that_still_says_free_is_not_sold_twice(desk: Desk) -> None:
    desk.ask("S1")
    with desk.store.write() as conn:  # as if a replica's row had been written back
        content.put(conn, SLOTS, "slot_id", [desk.slot("S1", "09:00")])
    assert desk.ask("S1", "r2", "st-2").status == "taken"


def test_the_database_itself_refuses_a_second_booking(desk: Desk) -> None:
    desk.ask("S1")
    row = {"collection": SLOTS, "slot": "S1", "starts_at": NOW, "code": "1", "station": "st-2"}
    more = {"request": "x", "matter": "", "contact": "", "office": "", "state": "open"}
    row |= {**more, "placed_at": NOW, "details": "{}"}
    with desk.store.engine.connect() as conn, pytest.raises(IntegrityError):
        conn.execute(insert(table).values(**row))


def test_a_code_in_use_gives_way_to_the_next(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(booking, "_codes", lambda *_: iter(["10007", "10008"]))
    assert desk.ask("S1").d["code"] == "10007"
    assert desk.ask("S2", "r2").d["code"] == "10008"


def test_codes_tell_nothing_of_each_other_or_of_the_request(desk: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path / "other", laid=False)
    with desk.store.read() as here, other.store.read() as there:
        assert keys.get(here, "booking_code") != keys.get(there, "booking_code")
    codes = {desk.ask(f"S{n}", f"r{n}").d["code"] for n in range(1, 9)}
    assert len(codes) == 8
    assert {other.ask(f"S{n}", f"r{n}").d["code"] for n in range(1, 9)} != codes
    other.store.close()


def test_a_finished_booking_lets_its_slot_and_code_go(desk: Desk) -> None:
    desk.ask("S1")
    with desk.store.write() as conn:
        (line,) = queries.bookings(conn)
        booking.finish(conn, desk.manifests, line.id, "cancelled")
        assert booking.open_slots(conn, SLOTS) == set()
        assert booking.finish_past(conn, desk.manifests, NOW) == 0
