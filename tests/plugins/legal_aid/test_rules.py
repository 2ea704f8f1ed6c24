"""The rota and the telephone number, for any rota and any digits."""

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.legal_aid import rules
from plugins.legal_aid.rules import CARD_SLOTS, MATTERS, Slot
from tests.plugins.legal_aid.rota import rota, row

DAY = date(2026, 11, 21)

slots = st.builds(
    Slot,
    date=st.dates(DAY - timedelta(days=2), DAY + timedelta(days=9)),
    start=st.builds(time, st.integers(0, 23), st.sampled_from([0, 30])),
    slot_id=st.integers(0, 10**6).map(lambda n: f"S{n}"),
    person=st.sampled_from(["1 号律师", "2 号律师", "值班调解员", ""]),
    role=st.sampled_from(["lawyer", "mediator"]),
    matters=st.lists(st.sampled_from(MATTERS), unique=True).map(tuple),
    room=st.sampled_from(["1 号室", "2 号室", ""]),
    free=st.booleans(),
)
rotas = st.lists(slots, max_size=25, unique_by=lambda slot: slot.slot_id)
nows = st.datetimes(datetime(2026, 11, 20), datetime(2026, 11, 24))  # noqa: DTZ001 - the rota's own time
matters = st.sampled_from(["", *MATTERS])
days = st.integers(1, 31)


@given(rotas, matters, nows, days, st.sets(st.integers(0, 39)))
def test_only_coming_slots_of_the_matter_are_offered(
    rota: list[Slot], matter: str, now: datetime, days: int, picked: set[int]
) -> None:
    held = {rota[at].slot_id for at in picked if at < len(rota)}
    offered = rules.offered(rota, matter, now, days, held)
    assert list(offered) == sorted(offered)
    assert all(slot.begins() > now for slot in offered), "the past is never offered"
    assert all(slot.date < now.date() + timedelta(days=days) for slot in offered)
    assert all(not matter or slot.fits(matter) for slot in offered)
    free = {slot.slot_id for slot in offered if slot.free}
    assert free <= {slot.slot_id for slot in rota if slot.free} - held, "only free slots are free"
    left_out = {slot for slot in rota if slot.slot_id not in {each.slot_id for each in offered}}
    for slot in left_out:
        late = slot.begins() <= now
        far = slot.date >= now.date() + timedelta(days=days)
        assert late or far or (matter and not slot.fits(matter))


@given(rotas)
def test_cards_hold_every_free_slot_once_with_its_own_person(rota: list[Slot]) -> None:
    cards = rules.duties(rota)
    shown = [slot for card in cards for slot in card.slots]
    assert len(shown) == len({slot.slot_id for slot in shown})
    assert {slot.slot_id for slot in rota if slot.free} <= {slot.slot_id for slot in shown}
    for card in cards:
        assert 1 <= len(card.slots) <= CARD_SLOTS
        assert any(slot.free for slot in card.slots)
        assert list(card.slots) == sorted(card.slots)
        assert {(slot.person, slot.role, slot.date, slot.room) for slot in card.slots} == {
            (card.person, card.role, card.date, card.room)
        }
        assert set(card.matters) == {each for slot in rota for each in slot.matters if _same(slot, card)}
    firsts = [next(slot for slot in card.slots if slot.free) for card in cards]
    assert [(slot.date, slot.start) for slot in firsts] == sorted((slot.date, slot.start) for slot in firsts)


def _same(slot: Slot, card: rules.Duty) -> bool:
    return (slot.person, slot.role, slot.date, slot.room) == (card.person, card.role, card.date, card.room)


@given(rotas, st.integers(2, 4), st.integers(6, 12))
def test_pages_hold_every_card_once_and_never_overflow(rota: list[Slot], columns: int, room: int) -> None:
    cards = rules.duties(rota)
    pages = rules.pages(cards, columns, room)
    assert [card for page in pages for card in page] == list(cards)
    for page in pages:
        heights = [2 + -(-len(card.slots) // columns) for card in page]
        assert 1 <= len(page) <= 3
        assert len(page) == 1 or sum(heights) <= room


@given(rotas, nows, days)
def test_the_outlook_names_the_first_free_slot(rota: list[Slot], now: datetime, days: int) -> None:
    free = [slot for slot in rules.offered(rota, "", now, days) if slot.free]
    found = rules.outlook(rota, now, days)
    assert found.next == (min(free) if free else None)
    assert found.today == sum(slot.date == now.date() for slot in free)
    assert found.lawyer_today == any(slot.date == now.date() and slot.role == "lawyer" for slot in free)


@given(
    st.dictionaries(
        st.sampled_from(list(row("A", "2026-11-21", "09:00"))), st.none() | st.text() | st.integers()
    )
)
def test_any_row_is_a_slot_or_none(changes: dict[str, object]) -> None:
    slot = rules.read(row("A", "2026-11-21", "09:00") | changes)
    assert slot is None or (isinstance(slot.begins(), datetime) and slot.begins().tzinfo is None)


def test_a_row_is_read() -> None:
    slot = rules.read(rota()[4])
    assert slot == Slot(
        DAY, time(16, 0), "B0", 30, "值班调解员", "mediator", ("wages", "rent", "other"), "视频接待", True
    )
    assert rules.number_of("12 号律师") == "12"
    assert rules.number_of("值班调解员") == ""


@pytest.mark.parametrize(
    "digits", ["13812345678", "19900000000", "01062345678", "02162345678", "05126234567", "051262345678"]
)
def test_these_are_phones(digits: str) -> None:
    assert rules.is_phone(digits)


@pytest.mark.parametrize(
    "digits",
    ["", "1381234567", "138123456789", "12812345678", "23812345678", "62345678", "0106234567", "010123456789",
     "0512123456", "110", "１３８１２３４５６７８", "138 1234 5678"],
)  # fmt: skip
def test_these_are_no_phones(digits: str) -> None:
    assert not rules.is_phone(digits)
    assert rules.masked(digits) == ""


@given(st.from_regex(r"1[3-9][0-9]{9}|010[2-9][0-9]{7}|0[3-9][0-9]{2}[2-9][0-9]{6,7}", fullmatch=True))
def test_a_shown_phone_hides_at_least_four_digits(digits: str) -> None:
    assert rules.is_phone(digits)
    shown = rules.masked(digits)
    assert digits not in shown
    assert shown.count("*") == 4
    assert len(digits) - sum(sign.isdigit() for sign in shown) >= 3
    assert sum(rules.groups(digits)) >= len(digits)


def test_the_mask() -> None:
    assert rules.masked("13812341234") == "138****1234"
    assert rules.masked("051262345678") == "0512****678"


@pytest.mark.parametrize(("ahead", "gone"), [(-1, False), (0, False), (7, False), (8, True), (400, True)])
def test_a_booking_is_kept_for_a_week_after_its_day(ahead: int, gone: bool) -> None:
    assert rules.expired(DAY, DAY + timedelta(days=ahead)) is gone
