"""The numbers of window and retry, and the corners that an ack or a frame can have."""

import pytest

from protocol.stream import REFUSALS, RETRY_MAX, RETRY_MIN, WINDOW, Acceptance, Fork, Heard, Receiver, Sender

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
    assert sender.acknowledged(60, 0.0) is Heard.FINE
    assert sender.due(0.0) == 61
    assert sender.pending == 40


def test_an_ack_beyond_everything_stored_here_is_refused() -> None:
    sender = Sender(last=5)
    assert sender.acknowledged(6, 0.0) is Heard.BEYOND
    assert sender.acked == 0


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


PARTS = [(1, "a"), (5, "b"), (9, "c")]


@pytest.mark.parametrize(
    ("first", "count", "run", "prior", "judged"),
    [
        (5, 4, "b", "a", None),
        (9, 5, "c", "b", Acceptance(2, 13)),
        (11, 3, "d", "c", Acceptance(0, 13)),
        (11, 3, "d", "", Acceptance(0, 13)),
        (9, 5, "", "", Acceptance(2, 13)),
        (5, 8, "b", "a", Fork(8)),
        (5, 4, "x", "a", Fork(4)),
        (1, 10, "a", "", Fork(4)),
        (10, 4, "d", "c", Fork(9)),
        (10, 1, "d", "", Fork(9)),
        (11, 3, "d", "x", Fork(8)),
        (9, 2, "c", "x", Fork(4)),
        (3, 2, "x", "x", Fork(0)),
    ],
)
def test_a_receiver_compares_the_runs_of_what_it_has_seen(
    first: int, count: int, run: str, prior: str, judged: Acceptance | Fork | None
) -> None:
    assert Receiver(10, list(PARTS)).offer(first, count, run=run, prior=prior) == judged


def test_a_receiver_remembers_where_each_run_begins() -> None:
    receiver = Receiver()
    for first, count, run in ((1, 4, "a"), (5, 2, "b"), (7, 2, "b"), (9, 2, "c")):
        acceptance = receiver.offer(first, count, run=run)
        assert isinstance(acceptance, Acceptance)
        receiver.stored(acceptance, run)
    assert receiver.parts == PARTS


@pytest.mark.parametrize(
    ("gone", "judged"), [(12, None), (11, Acceptance(0, 20, (11, 19))), (5, Acceptance(0, 20, (11, 19)))]
)
def test_numbers_are_lost_only_if_the_sender_has_none_of_those_that_are_missing(
    gone: int, judged: Acceptance | None
) -> None:
    assert Receiver(10).offer(20, 1, gone=gone) == judged


def test_an_answer_proves_the_frame_that_it_answers_and_no_more() -> None:
    sender = Sender(last=40)
    sender.sent(10, 0.0, "a")
    assert sender.acknowledged(30, 0.0, of=20, run="a") is Heard.STRANGE
    assert sender.acknowledged(30, 0.0, of=10, run="b") is Heard.STRANGE
    assert sender.acked == 0
    assert sender.acknowledged(30, 0.0, of=10, run="a") is Heard.FINE
    assert sender.acked == 10


def test_a_fork_is_heard_only_about_a_frame_of_ours() -> None:
    sender = Sender(last=40)
    sender.sent(10, 0.0, "a")
    assert sender.acknowledged(30, 0.0, of=10, run="a", fork=True) is Heard.STRANGE
    assert sender.acknowledged(30, 0.0, of=7, run="b", fork=True) is Heard.STRANGE
    sender.sent(20, 0.0, "c")
    assert sender.acknowledged(30, 0.0, of=15, run="c", fork=True) is Heard.STRANGE
    assert sender.acknowledged(30, 0.0, of=7, run="a", fork=True) is Heard.FORK


def test_a_fork_before_what_was_owned_makes_the_sender_look_back_there() -> None:
    sender = Sender(last=40, acked=20)
    sender.sent(30, 0.0, "a")
    assert sender.acknowledged(35, 0.0, of=12, run="a", fork=True) is Heard.FINE
    assert sender.due(0.0) == 13


def test_a_message_that_is_refused_is_found_and_set_aside_and_its_neighbours_are_not() -> None:
    """Message 7 of 10 cannot be read: frames that hold it are refused, all others acknowledged."""
    sender, parked, frames = Sender(last=10), set[int](), 0
    while sender.acked < 10:
        first = sender.due(0.0)
        assert first is not None
        last = first if sender.alone else 10
        sender.sent(last, 0.0, "a")
        frames += 1
        if first <= 7 <= last and 7 not in parked:
            named = sender.refused(last, "a")
            assert named in (None, 7)
            parked |= {named} if named else set()
        else:
            sender.acknowledged(last, 0.0, of=last, run="a")
    assert parked == {7}
    assert frames == 1 + 6 + (REFUSALS + 1) + 1 + 3 - 1


def test_a_refusal_of_a_frame_that_is_not_in_flight_means_nothing() -> None:
    sender = Sender(last=10)
    sender.sent(10, 0.0, "a")
    assert [sender.refused(10, "b"), sender.refused(9, "a")] == [None, None]
    assert not sender.alone


def test_damage_on_the_way_sets_nothing_aside() -> None:
    """A frame that is refused once and then heard was damaged by the carrier."""
    sender = Sender(last=6)
    for number in range(1, 7):
        for _ in range(REFUSALS):
            sender.sent(number, 0.0, "a")
            assert sender.refused(number, "a") is None
        sender.sent(number, 0.0, "a")
        sender.acknowledged(number, 0.0, of=number, run="a")
    assert sender.acked == 6


def test_a_late_answer_counts_even_for_a_frame_that_was_given_up() -> None:
    sender = Sender(last=1000)
    for upto in (10, 20, 30, 40):
        while (first := sender.due(0.0)) is not None:
            sender.sent(first + 9, 0.0, "a")
        assert sender.acknowledged(upto, 0.0, of=upto, run="a") is Heard.FINE
    while (first := sender.due(0.0)) is not None:
        sender.sent(first + 9, 0.0, "a")
    assert sender.due(RETRY_MIN) == 41  # 41 to 80 are given up, and come late
    sender.sent(50, RETRY_MIN, "a")
    assert sender.acknowledged(80, RETRY_MIN, of=80, run="a") is Heard.FINE
    assert sender.due(RETRY_MIN) == 81
