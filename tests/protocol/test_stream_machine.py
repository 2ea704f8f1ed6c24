"""The streams against a channel that loses, repeats, reorders and delays, and ends that restart."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocol.stream import RETRY_MAX
from tests.protocol.world import FRAME, TRIP, Stored, World

ANY = st.integers(0, 2**16)
DEATHS = st.sampled_from(["", "", "", "before commit", "before ack"])


class BadChannel(RuleBasedStateMachine):
    """Rules that both machines share. A delayed frame is one that stays in `frames` while others pass."""

    world: World

    @initialize(seed=ANY)
    def begin(self, seed: int) -> None:
        self.world = World(seed)

    @rule(count=st.integers(1, 2 * FRAME))
    def say(self, count: int) -> None:
        for _ in range(count):
            self.world.say()

    @rule(count=st.integers(1, 4))
    def send(self, count: int) -> None:
        for _ in range(count):
            self.world.send()

    @rule(trips=st.integers(1, 4), messages=st.integers(0, 3 * FRAME))
    def work_well(self, trips: int, messages: int) -> None:
        """Nothing goes wrong for a while: windows open, and there is something to lose."""
        for _ in range(messages):
            self.world.say()
        for _ in range(trips):
            self.world.trip()

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 30.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.world.now += seconds
        self.world.send()

    @precondition(lambda self: self.world.frames)
    @rule(which=ANY, again=st.booleans(), die=DEATHS)
    def deliver_frame(self, which: int, again: bool, die: str) -> None:
        which %= len(self.world.frames)
        flight = self.world.frames[which] if again else self.world.frames.pop(which)
        self.world.take(flight, die)

    @precondition(lambda self: self.world.frames)
    @rule(which=ANY)
    def lose_frame(self, which: int) -> None:
        self.world.frames.pop(which % len(self.world.frames))

    @precondition(lambda self: self.world.acks)
    @rule(which=ANY, again=st.booleans(), durable=st.booleans())
    def deliver_ack(self, which: int, again: bool, durable: bool) -> None:
        which %= len(self.world.acks)
        answer = self.world.acks[which] if again else self.world.acks.pop(which)
        self.world.hear(answer, durable)

    @precondition(lambda self: self.world.acks)
    @rule(which=ANY)
    def lose_ack(self, which: int) -> None:
        self.world.acks.pop(which % len(self.world.acks))

    @rule()
    def restart_sender(self) -> None:
        self.world.start_sender()

    @rule()
    def restart_receiver(self) -> None:
        self.world.start_receiver()

    @rule()
    def reconnect(self) -> None:
        self.world.sender.connected()

    def settle(self) -> None:
        """Faults end: one heartbeat is said, as ever, and all must arrive within one longest wait."""
        world = self.world
        world.say()
        trips = 2 * (world.last + len(world.frames) + len(world.acks) + 2)
        world.settle(RETRY_MAX + trips * TRIP)


class Faults(BadChannel):
    """Nobody is restored from a backup: the receiver's log is always an exact prefix of what was said."""

    @invariant()
    def the_log_is_an_exact_prefix(self) -> None:
        stored = self.world.stored
        said = [(number, f"message {number}") for number in range(1, self.world.last + 1)]
        assert stored.log == said[: len(stored.log)]
        assert stored.upto == len(stored.log)
        assert stored.lost == []

    @invariant()
    def the_sender_believes_no_more_than_is_stored(self) -> None:
        assert self.world.acked <= self.world.stored.upto
        assert self.world.sender.acked <= self.world.stored.upto

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.settle()
            self.the_log_is_an_exact_prefix()


class Backups(BadChannel):
    """The receiver goes back to older backups while the sender lets messages go, acknowledged or not."""

    def __init__(self) -> None:
        super().__init__()
        self.backups = [Stored()]

    @precondition(lambda self: self.world.sender.acked >= self.world.low)
    @rule(which=ANY)
    def let_old_ones_go(self, which: int) -> None:
        low = self.world.low
        self.world.let_go(low + 1 + which % (self.world.sender.acked + 1 - low))

    @precondition(lambda self: self.world.last >= self.world.low)
    @rule()
    def run_out_of_space(self) -> None:
        """The disk is full: even messages that nobody has acknowledged go, only the newest stays."""
        self.world.let_go(self.world.last)

    @rule()
    def back_up(self) -> None:
        self.backups.append(self.world.backup())

    @rule(which=ANY)
    def restore(self, which: int) -> None:
        self.world.restore(self.backups[which % len(self.backups)])

    @invariant()
    def log_and_lost_ranges_cover_every_number_once(self) -> None:
        stored = self.world.stored
        lost = [number for first, last in stored.lost for number in range(first, last + 1)]
        assert sorted([number for number, _ in stored.log] + lost) == list(range(1, stored.upto + 1))
        assert all(text == f"message {number}" for number, text in stored.log)
        assert stored.log == sorted(stored.log)
        assert all(number < self.world.low for number in lost), "called lost, but the sender still has it"

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.settle()
            self.log_and_lost_ranges_cover_every_number_once()


_SIZE = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestFaults = Faults.TestCase
TestFaults.settings = _SIZE
TestBackups = Backups.TestCase
TestBackups.settings = _SIZE
