"""The numbers of window and retry, and the corners that an ack or a frame can have."""

import pytest

from protocol.stream import RETRY_MAX, RETRY_MIN, WINDOW, Acceptance, Receiver, Sender

FRAME = 10


def in_flight(sender: Sender, now: float) -> int:
    """Send all frames that may leave now; how many did."""
    count = 0
    while (first := sender.due(now)) is not None:
        sender.sent(min(first + FRAME - 1, sender.last), now)
        count += 1
    return count


def test_the_window_starts_at_one_and_grows_to_four_while_acks_come() -> None:
    sender = Sender(last=1000)
    assert in_flight(sender, 0.0) == 1
    for upto, may_leave in ((10, 2), (20, 2), (30, 2), (40, 1), (50, 1)):
        sender.acknowledged(upto, 0.1)
        assert in_flight(sender, 0.1) == may_leave
    assert sender.due(0.1) is None
    assert WINDOW == 4


def test_a_timeout_falls_back_to_one_frame_behind_the_last_ack() -> None:
    sender = Sender(last=1000)
    in_flight(sender, 0.0)
    sender.acknowledged(10, 0.0)
    in_flight(sender, 0.0)
    assert sender.wakes() == RETRY_MIN
    assert sender.due(RETRY_MIN - 0.01) is None
    assert sender.due(RETRY_MIN) == 11
    assert in_flight(sender, RETRY_MIN) == 1


@pytest.mark.parametrize(("luck", "waits"), [(0.0, [5, 5, 5, 5, 5, 5]), (1.0, [5, 10, 20, 40, 60, 60])])
def test_unanswered_frames_wait_from_5_to_60_seconds_as_luck_has_it(luck: float, waits: list[float]) -> None:
    sender = Sender(last=1, random=lambda: luck)
    now = 0.0
    for wait in waits:
        assert in_flight(sender, now) == 1
        assert sender.wakes() == now + wait
        now += wait


def test_a_collector_that_is_away_for_weeks_is_still_asked_every_minute() -> None:
    sender = Sender(last=1)
    now = 0.0
    for _ in range(30_000):
        assert in_flight(sender, now) == 1
        wakes = sender.wakes()
        assert wakes is not None
        assert wakes - now <= RETRY_MAX
        now = wakes


def test_one_lost_frame_brings_one_rewind_however_many_acks_repeat() -> None:
    sender = Sender(last=1000)
    in_flight(sender, 0.0)
    for upto in (10, 20, 30):
        sender.acknowledged(upto, 0.0)
        in_flight(sender, 0.0)
    for _ in range(3):  # the frame from 31 was lost; each of the three behind it is answered with 30
        sender.acknowledged(30, 0.0)
        in_flight(sender, 0.0)
    assert in_flight(sender, 0.0) == 0
    sender.acknowledged(40, 0.0)
    assert sender.due(0.0) == 41


def test_a_receiver_from_an_older_backup_gets_what_it_misses_again() -> None:
    sender = Sender(last=100, acked=100)
    assert sender.acknowledged(60, 0.0)
    assert sender.due(0.0) == 61
    assert sender.pending == 40


def test_an_ack_beyond_everything_stored_here_is_refused() -> None:
    sender = Sender(last=5)
    assert not sender.acknowledged(6, 0.0)
    assert sender.acked == 0


def test_what_was_let_go_is_skipped_and_nothing_leaves_until_there_is_something() -> None:
    sender = Sender(last=100, acked=100)
    sender.let_go(101)
    sender.acknowledged(60, 0.0)
    assert sender.due(0.0) is None
    sender.stored(101)
    assert sender.due(0.0) == 101


def test_a_late_ack_saves_sending_again_what_it_covers() -> None:
    sender = Sender(last=1000)
    in_flight(sender, 0.0)
    sender.due(RETRY_MIN)
    sender.acknowledged(10, RETRY_MIN)
    assert sender.due(RETRY_MIN) == 11


def test_a_reconnect_forgets_what_was_in_flight() -> None:
    sender = Sender(last=1000)
    in_flight(sender, 0.0)
    sender.connected()
    assert sender.wakes() is None
    assert sender.due(0.0) == 1


@pytest.mark.parametrize(
    ("first", "count", "low", "accepted"),
    [
        (11, 5, 0, Acceptance(0, 15)),
        (8, 5, 0, Acceptance(3, 12)),
        (8, 3, 0, None),
        (11, 0, 0, None),
        (12, 5, 0, None),
        (12, 5, 12, Acceptance(0, 16, (11, 11))),
        (20, 1, 20, Acceptance(0, 20, (11, 19))),
        (20, 0, 20, Acceptance(0, 19, (11, 19))),
        (20, 1, 15, None),
        (5, 2, 5, None),
    ],
)
def test_a_receiver_at_10_is_offered(first: int, count: int, low: int, accepted: Acceptance | None) -> None:
    assert Receiver(10).offer(first, count, low) == accepted


def test_a_receiver_moves_on_only_when_told_that_it_is_stored() -> None:
    receiver = Receiver(10)
    acceptance = receiver.offer(11, 5)
    assert acceptance is not None
    assert receiver.upto == 10
    receiver.stored(acceptance)
    assert receiver.upto == 15
