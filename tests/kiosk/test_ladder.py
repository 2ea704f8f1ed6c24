"""The rules of the ladder, death by death."""

from kiosk.ladder import CALL_AFTER, SAFE_AFTER, STOP_AFTER, STRIKES, WINDOW, Ladder, Plan
from kiosk.quarantine import Culprit

BAD = Culprit("bad", "1.0.0", "tile")


def test_a_single_death_only_restarts() -> None:
    ladder = Ladder()
    assert ladder.died(0.0, [BAD]) == Plan()
    assert ladder.quarantined == []


def test_three_strikes_put_this_version_of_the_plugin_in_quarantine() -> None:
    ladder = Ladder()
    for n in range(STRIKES):
        assert ladder.died(float(n), [BAD]) == Plan()
    assert ladder.quarantined == [BAD]


def test_strikes_of_different_versions_and_plugins_are_counted_apart() -> None:
    ladder = Ladder()
    newer = Culprit("bad", "1.0.1", "tile")
    other = Culprit("other", "1.0.0", "tile")
    for n, culprit in enumerate([BAD, newer, other, BAD]):
        ladder.died(float(n), [culprit])
    assert ladder.quarantined == []


def test_the_hook_in_which_it_died_does_not_matter() -> None:
    ladder = Ladder()
    for n, hook in enumerate(["tile", "screen", "run"]):
        ladder.died(float(n), [Culprit("bad", "1.0.0", hook)])
    assert [each.plugin for each in ladder.quarantined] == ["bad"]


def test_strikes_are_forgotten_after_the_window() -> None:
    ladder = Ladder()
    for n in range(10):
        assert ladder.died(n * WINDOW / 2, [BAD]) == Plan()
    assert ladder.quarantined == []


def test_after_a_quarantine_the_count_of_deaths_begins_anew() -> None:
    ladder = Ladder()
    for n in range(SAFE_AFTER - 1 - STRIKES):
        ladder.died(float(n))
    for n in range(STRIKES):
        ladder.died(10.0 + n, [BAD])
    for n in range(SAFE_AFTER - 1):
        assert ladder.died(20.0 + n) == Plan()


def test_deaths_without_a_name_lead_to_safe_mode_and_then_to_the_plain_screen() -> None:
    ladder = Ladder()
    plans = [ladder.died(float(n)) for n in range(CALL_AFTER)]
    assert plans[SAFE_AFTER - 2] == Plan()
    assert plans[SAFE_AFTER - 1] == Plan(safe_mode=True)
    assert plans[CALL_AFTER - 1] == Plan(please_call=True)


def test_when_even_the_plain_screen_dies_nothing_is_started_any_more() -> None:
    ladder = Ladder(plan=Plan(please_call=True))
    plans = [ladder.died(float(n)) for n in range(STOP_AFTER)]
    assert not plans[-2].stop
    assert plans[-1].stop


def test_a_plugin_already_in_quarantine_is_not_put_there_twice() -> None:
    ladder = Ladder([BAD])
    for n in range(STRIKES):
        ladder.died(float(n), [BAD])
    assert ladder.quarantined == [BAD]


def test_no_sequence_of_deaths_restarts_for_ever() -> None:
    ladder = Ladder()
    names = [Culprit(f"plugin_{n % 3}", "1.0.0", "tile") for n in range(100)]
    deaths = 0
    while not ladder.died(float(deaths), [names[deaths]]).stop:
        deaths += 1
    assert deaths < 30
