"""What is a scanner and what are fingers."""

import pytest

from kiosk.ui.burst import GAP, LONGEST, Burst, sign_of


def typed(burst: Burst, text: str, start: float, gap: float) -> str | None:
    """Feed the text and Enter, `gap` seconds between keys; what the last key gave."""
    now, code = start, None
    for sign in [*text, "\n"]:
        code = burst.key(sign, now)
        now += gap
    return code


def test_fast_keys_that_end_with_enter_are_a_code() -> None:
    assert typed(Burst(), "6901234567892", 5.0, 0.01) == "6901234567892"


def test_a_person_at_a_keyboard_is_no_scanner() -> None:
    assert typed(Burst(), "6901234567892", 5.0, 0.15) is None


def test_slow_keys_before_a_burst_do_not_join_it() -> None:
    burst = Burst()
    for at, sign in enumerate("abc"):
        assert burst.key(sign, at * 1.0) is None
    assert typed(burst, "MEMBER42", 10.0, 0.01) == "MEMBER42"


def test_two_bursts_give_two_codes() -> None:
    burst = Burst()
    assert typed(burst, "FIRST1", 0.0, 0.01) == "FIRST1"
    assert typed(burst, "SECOND2", 0.1, 0.01) == "SECOND2"


def test_a_late_enter_and_a_short_burst_are_no_codes() -> None:
    burst = Burst()
    for at, sign in enumerate("12345678"):
        burst.key(sign, at * 0.01)
    assert burst.key("\n", 1.0) is None
    assert typed(Burst(), "123", 0.0, 0.01) is None


def test_an_endless_stream_of_keys_is_bounded() -> None:
    burst = Burst()
    for at in range(3 * LONGEST):
        burst.key("x", at * GAP / 2)
    assert len(burst._signs) <= LONGEST


@pytest.mark.parametrize(
    ("key", "held", "sign"),
    [
        (ord("a"), [], "a"),
        (ord("a"), ["shift"], "A"),
        (ord("a"), ["capslock"], "A"),
        (ord("a"), ["shift", "capslock"], "a"),
        (ord("7"), [], "7"),
        (ord(";"), ["shift"], ":"),
        (ord("/"), ["shift"], "?"),
        (257, [], "1"),
        (13, [], "\n"),
        (271, [], "\n"),
        (27, [], ""),
        (282, [], ""),
    ],
)
def test_keys_become_the_signs_of_a_us_keyboard(key: int, held: list[str], sign: str) -> None:
    assert sign_of(key, held) == sign
