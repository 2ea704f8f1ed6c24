"""Who is on when: rules to slots, and what is booked stays."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from protocol.manifest import Manifest
from server.errors import Refused
from server.manifests import read_all
from server.services import rota
from server.services.rota import Change, Person, Rota, Rule, Slot
from server.store import Store, content, stations
from server.store.schema import booking
from tests.server import ground

MONDAY = date(2026, 11, 23)
NOW = int(datetime.fromisoformat("2026-11-23T08:00:00+08:00").timestamp() * 1000)
SLOTS = "legal_aid.slots"
SAMPLE = Path(__file__).parents[3] / "assets" / "sample" / "rota.toml"

PEOPLE = [Person(id=f"p{n}", name=f"{n} 号", role="lawyer", matters=["wages"]) for n in range(4)]
ROOMS = ["101", "102"]
TIMES = [f"{hour:02}:{minute}" for hour in range(8, 20) for minute in ("00", "20", "45")]

hours = st.lists(st.sampled_from(TIMES), min_size=2, max_size=2, unique=True).map(sorted)
rules = st.builds(
    lambda people, days, hours, room, minutes: Rule(
        people=people, weekdays=days, start=hours[0], end=hours[1], room=room, minutes=minutes
    ),
    st.lists(st.sampled_from([person.id for person in PEOPLE]), min_size=1, max_size=3),
    st.lists(st.integers(1, 7), min_size=1, max_size=7),
    hours,
    st.sampled_from(["", *ROOMS]),
    st.sampled_from([0, 20, 45]),
)
changes = st.builds(
    lambda day, person, hours: Change(
        date=MONDAY + timedelta(days=day), person=person, start=hours[0], end=hours[1]
    ),
    st.integers(0, 6),
    st.sampled_from([person.id for person in PEOPLE]),
    hours,
)
rotas = st.builds(
    lambda rules, changes, minutes: Rota(
        people=PEOPLE, rooms=ROOMS, rules=rules, exceptions=changes, slot_minutes=minutes
    ),
    st.lists(rules, max_size=6),
    st.lists(changes, max_size=4),
    st.sampled_from([15, 30, 60]),
)


def overlapping(slots: list[Slot]) -> list[tuple[Slot, Slot]]:
    return [
        (one, two)
        for n, one in enumerate(slots)
        for two in slots[:n]
        if (one.person == two.person or one.room == two.room) and one.begin < two.end and two.begin < one.end
    ]


@settings(max_examples=40, deadline=None)
@given(before=rotas, after=rotas, data=st.data())
def test_no_person_and_no_room_is_ever_in_two_places(before: Rota, after: Rota, data: st.DataObject) -> None:
    slots = rota.plan(before, MONDAY, 7)
    assert not overlapping(slots)
    assert len({slot.id for slot in slots}) == len(slots)
    chosen = data.draw(st.sets(st.integers(0, 40), max_size=6))
    kept = [slot for n, slot in enumerate(slots) if n in chosen]
    assert not overlapping([*kept, *rota.plan(after, MONDAY, 7, kept)])


class TestPlan:
    def one(self, **more: object) -> Rota:
        rule = Rule(people=["p0"], weekdays=[1], start="09:00", end="10:15")
        return Rota(**{"people": PEOPLE, "rooms": ROOMS, "rules": [rule], **more})  # type: ignore[arg-type]

    def test_a_rule_gives_whole_slots_on_its_weekdays(self) -> None:
        slots = rota.plan(self.one(), MONDAY, 14)
        assert [str(slot.begin) for slot in slots] == [
            "2026-11-23 09:00:00",
            "2026-11-23 09:30:00",
            "2026-11-30 09:00:00",
            "2026-11-30 09:30:00",
        ]
        assert slots[0].id == "20261123-0900-p0"

    def test_a_closed_date_has_no_slots(self) -> None:
        assert [slot.begin.day for slot in rota.plan(self.one(closed=[MONDAY]), MONDAY, 14)] == [30, 30]

    def test_an_exception_takes_a_person_off_or_moves_the_hours(self) -> None:
        away = self.one(exceptions=[Change(date=MONDAY, person="p0")])
        assert rota.plan(away, MONDAY, 7) == []
        moved = self.one(exceptions=[Change(date=MONDAY, person="p0", start="18:00", end="18:30")])
        assert [slot.row()["start"] for slot in rota.plan(moved, MONDAY, 7)] == ["18:00"]

    def test_the_sample_has_something_on_every_day(self) -> None:
        slots = rota.plan(rota.parse(SAMPLE.read_text(encoding="utf-8")), MONDAY, 7)
        assert {slot.begin.isoweekday() for slot in slots} == {1, 2, 3, 4, 5, 6, 7}
        assert {slot.room for slot in slots if slot.begin.isoweekday() == 6} > {"101 调解室"}
        assert not overlapping(slots)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("people = [", "r.toml: not TOML"),
        ("people = 1", "r.toml, at people: Expected `array`"),
        ("nonsense = 1", "nonsense"),
        ("people=[]\nrooms=[]\nrules=[]", "name at least one room"),
        (
            'people=[]\nrooms=["a"]\nrules=[{people=["z"],weekdays=[1],start="09:00",end="10:00"}]',
            "rule 1: there is no person 'z'",
        ),
        (
            'people=[{id="a",name="a",role="lawyer",matters=[]}]\nrooms=["a"]\n'
            'rules=[{people=["a"],weekdays=[1],start="9",end="10:00"}]',
            '"9" is no time; write e.g. 09:30',
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(Refused) as caught:
        rota.parse(text, "r.toml")
    assert sentence in str(caught.value)


class TestKept:
    @pytest.fixture
    def manifests(self) -> dict[str, Manifest]:
        return read_all()[0]

    @pytest.fixture
    def store(self, tmp_path: Path, manifests: dict[str, Manifest]) -> Iterator[Store]:
        ground.lay(tmp_path)
        store = Store(tmp_path)
        with store.write() as conn:
            stations.add(conn, "st-1", name="x", now=NOW)
            rota.save(conn, manifests, SAMPLE.read_text(encoding="utf-8"), "rota.toml", NOW)
        yield store
        store.close()

    def test_days_go_by_and_new_slots_come(self, store: Store, manifests: dict[str, Manifest]) -> None:
        with store.write() as conn:
            first = {row["date"] for row in content.rows(conn, SLOTS)}
            revision = content.revision_of(conn, SLOTS)
            rota.renew(conn, manifests, NOW + 3600_000)
            assert content.revision_of(conn, SLOTS) == revision
            rota.renew(conn, manifests, NOW + 24 * 3600_000)
            second = {row["date"] for row in content.rows(conn, SLOTS)}
        assert first - second == {"2026-11-23"}
        assert second - first == {"2026-12-07"}

    def test_a_new_rota_destroys_no_booking(self, store: Store, manifests: dict[str, Manifest]) -> None:
        with store.write() as conn:
            slot = next(row for row in content.rows(conn, SLOTS) if row["person"] == "1 号律师")
            content.put(conn, SLOTS, "slot_id", [{**slot, "free": False}])
            conn.execute(
                insert(booking).values(
                    collection=SLOTS,
                    slot=slot["slot_id"],
                    starts_at=NOW,
                    code="12345",
                    station="st-1",
                    request="r",
                    matter="wages",
                    contact="",
                    office="legal",
                    state="open",
                    placed_at=NOW,
                    details="{}",
                )
            )
            other = SAMPLE.read_text(encoding="utf-8").replace('"lawyer-1", ', "").replace("09:00", "09:10")
            rota.save(conn, manifests, other, "rota.toml", NOW)
            rows = content.rows(conn, SLOTS)
        kept = [row for row in rows if row["slot_id"] == slot["slot_id"]]
        assert kept == [{**slot, "free": False}]
        assert not overlapping([Slot.of(row) for row in rows])

    def test_a_role_that_the_manifest_does_not_know_is_refused(
        self, store: Store, manifests: dict[str, Manifest]
    ) -> None:
        text = SAMPLE.read_text(encoding="utf-8").replace('role = "mediator"', 'role = "judge"')
        with store.write() as conn, pytest.raises(Refused, match="mediator: role must be one of"):
            rota.save(conn, manifests, text, "rota.toml", NOW)
