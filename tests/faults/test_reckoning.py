"""The accounts are compared exactly: one message too few, too many or changed anywhere is found."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from server.completeness import Known
from tests.faults.accounts import Books, Disk, Filed
from tests.faults.booth import Booth
from tests.faults.reckoning import Memory, Verdict, compare
from tests.faults.registry import Setting

ID, STREAM, RUN = "zl-001", "s1", "r1"


def event(number: int, name: str = "checked_in") -> bytes:
    said = {"t": "event", "at": 1000 + number, "up": number, "plugin": "check_in", "name": name, "d": {}}
    return json.dumps(said).encode()


class World:
    """One station that has said, shown and sent five messages; then something is done to the accounts."""

    def __init__(self, folder: Path) -> None:
        self.booth = Booth(ID, folder, Setting(), random.Random(0))
        self.rows = {number: event(number) for number in range(1, 6)}
        self.disk = Disk(STREAM, dict(self.rows))
        self.books = Books(parts={(ID, STREAM): [(1, RUN)]})
        for number in self.rows:
            self.file(number)
            self.show(number)
        self.books.upto[ID, STREAM] = 5
        self.memory = Memory()

    def show(self, number: int, stream: str = STREAM) -> None:
        said: dict[str, Any] = json.loads(self.rows[number])
        known = {"kind": "event", "plugin": said["plugin"], "name": said["name"], "at": said["at"]}
        self.booth.ledger.add({"stream": stream, "number": number, "run": RUN, **known})

    def file(self, number: int, body: bytes | None = None, stream: str = STREAM) -> None:
        filed = Filed(body or self.rows[number], "event", True, 1000 + number)
        self.books.messages[ID, stream, number] = filed

    def verdict(self) -> Verdict:
        return compare([self.booth], {ID: self.disk}, self.books, {ID: self.disk}, self.memory)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_accounts_that_agree_are_left_in_peace(world: World) -> None:
    assert not world.verdict().differs


def test_what_was_shown_and_is_nowhere_is_lost(world: World) -> None:
    world.show(5)  # twice on the screen, once everywhere else
    assert not world.verdict().differs
    world.rows[6] = event(6)
    world.show(6)
    assert len(world.verdict().lost) == 1


def test_what_is_on_the_disk_only_is_lost(world: World) -> None:
    world.disk.rows[6] = event(6)
    assert len(world.verdict().lost) == 1


def test_a_number_that_headquarters_passed_over_is_lost(world: World) -> None:
    world.books.upto[ID, STREAM] = 6
    assert len(world.verdict().lost) == 1


def test_a_changed_message_is_found(world: World) -> None:
    world.file(3, event(3, "opened"))
    verdict = world.verdict()
    assert verdict.lost
    assert verdict.problems


def test_what_no_disk_ever_held_is_invented(world: World) -> None:
    world.file(6, event(6))
    world.books.upto[ID, STREAM] = 6
    assert len(world.verdict().invented) == 1


def test_the_same_words_under_two_numbers_are_doubled_unless_they_were_said_twice(world: World) -> None:
    world.file(1, world.rows[4], stream="s2")
    assert len(world.verdict().doubled) == 1
    world.disk.rows[6] = world.rows[4]
    world.file(6, world.rows[4])
    del world.books.messages[ID, "s2", 1]
    world.books.upto[ID, STREAM] = 6
    assert not world.verdict().differs


def test_what_was_shown_before_a_new_stream_began_counts_where_it_went(world: World) -> None:
    world.rows[6] = event(6)
    world.show(6)
    world.disk = Disk("s2", {1: world.rows[6]})
    world.file(1, world.rows[6], stream="s2")
    world.books.upto[ID, "s2"] = 1
    assert not world.verdict().differs


def test_a_message_under_the_name_of_another_run_is_found(world: World) -> None:
    world.books.parts[ID, STREAM] = [(1, RUN), (5, "another")]
    assert "filed as another's" in world.verdict().problems[0]


def test_what_is_declared_lost_is_not_complete_and_on_no_disk(world: World) -> None:
    del world.books.messages[ID, STREAM, 3]
    world.books.lost[ID, STREAM] = {3}
    assert "its disk has it" in world.verdict().problems[0]
    del world.disk.rows[3]
    verdict = world.verdict()
    assert not verdict.differs
    assert len(verdict.declared) == 1
    world.books.known[ID] = Known(since=0, upto=5000)
    assert "called complete" in world.verdict().problems[0]
    world.books.known[ID] = Known(since=0, upto=5000, gaps=((1003, 1003),))
    assert not world.verdict().differs


def test_a_request_without_an_answer_and_a_booking_on_one_side_are_found(world: World) -> None:
    said = {"t": "request", "at": 1006, "up": 6, "id": "q1", "plugin": "legal_aid", "name": "place_booking"}
    world.disk.rows[6] = json.dumps({**said, "service": "booking", "d": {}}).encode()
    world.file(6, world.disk.rows[6])
    world.books.upto[ID, STREAM] = 6
    assert "not answered" in world.verdict().problems[0]
    world.books.requests[ID, "q1"] = "confirmed"
    assert not world.verdict().differs
    world.books.bookings[ID, "q1"] = ["12345"]
    assert "at headquarters only" in world.verdict().problems[0]
    world.disk.bookings["q1"] = ("confirmed", "12345")
    assert not world.verdict().differs
