"""When a visitor is taken to have gone."""

from kiosk.ui.idle import Idle, Mood


def test_a_visit_ends_after_silence_and_a_countdown() -> None:
    idle = Idle(60, 30)
    idle.touch(100)
    assert idle.mood(159) is Mood.AWAKE
    assert idle.mood(160) is Mood.COUNTDOWN
    assert idle.left(160) == 30
    assert idle.left(189.9) == 1
    assert idle.mood(190) is Mood.ENDED


def test_one_touch_stops_the_countdown_and_it_comes_as_often_as_needed() -> None:
    idle = Idle(60, 30)
    idle.touch(0)
    for start in (75, 150, 225):
        assert idle.mood(start) is Mood.COUNTDOWN
        assert idle.touch(start) is False
        assert idle.mood(start + 59) is Mood.AWAKE


def test_nobody_is_asked_when_there_is_nothing_to_wipe() -> None:
    idle = Idle(60, 30)
    assert idle.mood(59) is Mood.AWAKE
    assert idle.mood(60) is Mood.ASLEEP


def test_the_touch_that_wakes_presses_nothing_and_begins_no_visit() -> None:
    idle = Idle(60, 30)
    assert idle.mood(60) is Mood.ASLEEP
    assert idle.touch(500) is True
    assert idle.mood(559) is Mood.AWAKE
    assert idle.mood(560) is Mood.ASLEEP
    assert idle.touch(600) is True
    assert idle.touch(601) is False
    assert idle.mood(661) is Mood.COUNTDOWN


def test_after_the_end_the_next_silence_puts_it_to_sleep() -> None:
    idle = Idle(60, 30)
    idle.touch(0)
    assert idle.mood(95) is Mood.ENDED
    idle.restart(95)
    assert idle.mood(96) is Mood.AWAKE
    assert idle.mood(155) is Mood.ASLEEP
