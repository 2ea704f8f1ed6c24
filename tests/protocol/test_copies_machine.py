"""Copied, restored and restarted disks on a bad channel: every message is owned exactly once."""

from copy import deepcopy

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.protocol.copies import Fleet

ANY = st.integers(0, 2**16)


class Copies(RuleBasedStateMachine):
    fleet: Fleet

    @initialize(seed=ANY)
    def begin(self, seed: int) -> None:
        self.fleet = Fleet(seed)

    def machine(self, which: int) -> int:
        return which % len(self.fleet.machines)

    @rule(which=ANY, count=st.integers(1, 5))
    def say(self, which: int, count: int) -> None:
        for _ in range(count):
            self.fleet.machines[self.machine(which)].say()

    @rule(which=ANY, count=st.integers(1, 3))
    def send(self, which: int, count: int) -> None:
        for _ in range(count):
            self.fleet.send(self.machine(which))

    @rule(seconds=st.sampled_from([0.1, 5.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.fleet.now += seconds

    @rule(which=ANY)
    def restart(self, which: int) -> None:
        self.fleet.machines[self.machine(which)].start()

    @precondition(lambda self: len(self.fleet.machines) < 3)
    @rule(which=ANY)
    def copy(self, which: int) -> None:
        self.fleet.copy(self.machine(which))

    @rule(which=ANY)
    def back_up(self, which: int) -> None:
        self.fleet.snapshots.append(deepcopy(self.fleet.machines[self.machine(which)].disk))

    @precondition(lambda self: self.fleet.snapshots)
    @rule(which=ANY, snapshot=ANY)
    def set_back(self, which: int, snapshot: int) -> None:
        self.fleet.set_back(self.machine(which), snapshot % len(self.fleet.snapshots))

    @precondition(lambda self: self.fleet.frames)
    @rule(which=ANY, again=st.booleans(), lose=st.booleans())
    def frame_arrives(self, which: int, again: bool, lose: bool) -> None:
        which %= len(self.fleet.frames)
        flight = self.fleet.frames[which] if again else self.fleet.frames.pop(which)
        if not lose:
            self.fleet.take(flight)

    @precondition(lambda self: self.fleet.answers)
    @rule(which=ANY, who=ANY, again=st.booleans())
    def answer_arrives(self, which: int, who: int, again: bool) -> None:
        """At any machine: all of them have the same name, and hear the same topic."""
        which %= len(self.fleet.answers)
        answer = self.fleet.answers[which] if again else self.fleet.answers.pop(which)
        self.fleet.machines[self.machine(who)].hear(answer, self.fleet.now)

    @invariant()
    def nothing_is_counted_twice(self) -> None:
        arrived = self.fleet.arrived()
        assert len(arrived) == len(set(arrived))

    @invariant()
    def what_a_disk_holds_as_owned_has_arrived(self) -> None:
        arrived = set(self.fleet.arrived())
        for machine in self.fleet.machines:
            owned = [text for number, (_, text) in machine.disk.rows.items() if number <= machine.disk.acked]
            assert arrived.issuperset(owned)

    def teardown(self) -> None:
        if hasattr(self, "fleet"):
            self.fleet.settle(1200)
            self.nothing_is_counted_twice()
            self.what_a_disk_holds_as_owned_has_arrived()


TestCopies = Copies.TestCase
TestCopies.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
