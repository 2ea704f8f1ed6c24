"""Where lines may end."""

from hypothesis import given
from hypothesis import strategies as st

from kiosk.ui.linebreak import NOT_FIRST, NOT_LAST, wrap


def wide(text: str) -> float:
    """A Han character is as wide as two Latin letters."""
    return sum(2 if sign > "\u2e7f" else 1 for sign in text)


def test_chinese_breaks_between_any_two_characters() -> None:
    assert wrap("网络不好也能约", 8, wide) == ["网络不好", "也能约"]


def test_a_number_in_chinese_stays_whole_and_does_not_tear_the_line() -> None:
    assert wrap("今天余 12 个号", 10, wide) == ["今天余 12", "个号"]


def test_no_line_begins_with_a_full_stop_or_ends_with_an_opening_bracket() -> None:
    assert wrap("请再试一次。好吗", 10, wide) == ["请再试一", "次。好吗"]
    assert wrap("请看看（这里）", 8, wide) == ["请看看", "（这里）"]


def test_english_breaks_at_spaces_and_cuts_only_what_is_longer_than_a_line() -> None:
    assert wrap("touch the screen", 9, wide) == ["touch the", "screen"]
    assert wrap("https://example.org", 8, wide) == ["https://", "example.", "org"]


def test_given_line_ends_stay() -> None:
    assert wrap("甲\n\n乙", 10, wide) == ["甲", "", "乙"]


@given(st.text(alphabet="网络好，。（）a b1-\n", max_size=60), st.integers(4, 30))
def test_nothing_is_lost_and_no_line_is_too_long(text: str, width: int) -> None:
    lines = wrap(text, width, wide)
    assert "".join(lines).replace(" ", "") == text.replace("\n", "").replace(" ", "")
    # A run of signs that must not part may be cut anywhere, else it would never fit.
    assert all(wide(line) <= width for line in lines if not set(line) & (NOT_FIRST | NOT_LAST))
