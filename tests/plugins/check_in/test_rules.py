"""Codes, people and the re-entry window."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.check_in import rules
from plugins.check_in.rules import Code, Day, Moment, Verdict

MINUTE = 60_000
KEY = b"k" * 32


@pytest.mark.parametrize(
    ("raw", "text", "method"),
    [
        ("12345678", "12345678", "code"),
        ("1234567890", "1234567890", "card"),
        (" zj-00812a\n", "ZJ-00812A", "code"),
        ("YZ:ab12cd", "AB12CD", "code"),
        ("MEMBER:1234567890", "1234567890", "card"),
    ],
)
def test_member_codes_are_read(raw: str, text: str, method: str) -> None:
    assert rules.read_code(raw, card_digits=10) == Code(text, method)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "12345",
        "x" * 33,
        "https://pages.example/a?b=12345678",
        "WIFI:S:guest;P:12345678;;",
        "张三12345",
        "1234 5678",
    ],
)
def test_what_is_no_member_code_is_refused(raw: str) -> None:
    assert rules.read_code(raw, card_digits=10) is None


def test_without_a_card_reader_digits_are_a_code() -> None:
    assert rules.read_code("1234567890", card_digits=0) == Code("1234567890", "code")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(raw: str) -> None:
    code = rules.read_code(raw, 10)
    assert code is None or 6 <= len(code.text) <= 32


def test_a_person_is_the_same_by_card_and_code_and_unknown_under_the_next_key() -> None:
    card, code = Code("1234567890", "card"), Code("1234567890", "code")
    assert rules.person(card, KEY) == rules.person(code, KEY)
    assert rules.person(card, KEY) != rules.person(card, b"n" * 32)
    assert b"1234567890" not in rules.person(card, KEY)


steps = st.lists(
    st.tuples(
        st.integers(0, 3),  # who
        st.integers(0, 40 * MINUTE),  # time that passes
        st.integers(-(10**8), 10**8) | st.just(0),  # what the wall clock jumps by at the same time
    ),
    max_size=60,
)


@given(steps, st.integers(0, 60))
def test_nobody_counts_twice_inside_the_window_and_everybody_does_after_it(
    walk: list[tuple[int, int, int]], minutes: int
) -> None:
    day, up, wall = Day("2026-11-21", secrets.token_bytes(32)), 0, 1_795_000_000_000
    counted: dict[int, int] = {}
    for who, passes, jump in walk:
        up, wall = up + passes, wall + passes + jump
        now, code = Moment(wall, up), Code(f"MEMBER{who}", "code")
        verdict = rules.judge_person(day, code, now, minutes)
        due = who not in counted or up - counted[who] >= minutes * MINUTE
        assert verdict.counts is due
        assert verdict.first_today is (who not in counted)
        if verdict.counts:
            day.people[rules.person(code, day.key)] = now
            counted[who] = up
    assert len(day.people) == len(counted)


@given(st.integers(1, 10**9), st.integers(1, 720))
def test_after_a_restart_a_wall_clock_that_went_back_costs_one_window_at_most(
    back: int, minutes: int
) -> None:
    since, now = Moment(10**12), Moment(10**12 - back, 500)
    assert not rules.judge(since, now, minutes).counts
    since = rules.anchor(since, now)
    later = Moment(now.wall_ms + minutes * MINUTE, 500 + minutes * MINUTE)
    assert rules.judge(since, later, minutes).counts


@given(st.integers(0, 10**9), st.integers(0, 720))
def test_after_a_restart_the_wall_clock_decides(passed: int, minutes: int) -> None:
    verdict = rules.judge(Moment(10**12), Moment(10**12 + passed, 7), minutes)
    assert verdict.counts is (passed >= minutes * MINUTE)


def test_the_anchor_stays_while_the_clock_is_honest() -> None:
    since = Moment(1000)
    assert rules.anchor(since, Moment(2000, 5)) is since
    assert rules.anchor(Moment(3000, 4), Moment(2000, 5)) == Moment(3000, 4)


@pytest.mark.parametrize(
    ("misread", "counts", "trade", "step"),
    [
        (True, True, "courier", "misread"),
        (False, False, "courier", "again"),
        (False, True, "courier", "sign"),
        (False, True, "unsaid", "sign"),
        (False, True, "", "ask"),
    ],
)
def test_the_trade_is_asked_only_of_who_counts_and_has_not_said_it(
    misread: bool, counts: bool, trade: str, step: str
) -> None:
    assert rules.next_step(misread, Verdict(counts), trade) == step
