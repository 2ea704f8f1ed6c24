"""The stream down by several collectors and after a restore: each message once, whoever says it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol import frame as frames
from protocol import messages
from protocol.frame import Ack, Frame
from protocol.messages import Poke
from protocol.stream import Acceptance, Fork, Receiver
from server.downlink import Downlink
from server.store import Store, down
from tests.server import ground

NOW = 1_800_000_000_000


class Ear:
    """A station that hears: what it took, in order, and what it answers to the frame that it heard last."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.ack = Ack("none", 0)
        self._streams: dict[str, Receiver] = {}

    def hear(self, frame: Frame) -> None:
        if not frame.msgs:
            return
        receiver = self._streams.setdefault(frame.stream, Receiver())
        offered = receiver.offer(frame.first, len(frame.msgs), frame.low, frame.gone, frame.run, frame.prior)
        if isinstance(offered, Fork):
            self.ack = Ack(frame.stream, receiver.upto, offered.after, frame.run, fork=True)
            return
        if isinstance(offered, Acceptance):
            for raw in frame.msgs[offered.skip :]:
                poke = messages.decode(raw)
                assert isinstance(poke, Poke)
                self.taken += poke.collections
            receiver.stored(offered, frame.run)
        self.ack = Ack(frame.stream, receiver.upto, frame.first + len(frame.msgs) - 1, frame.run)


class Voices:
    """Several collectors on one database, and one station that hears them all."""

    def __init__(self, folder: Path, n: int, ear: Ear | None = None) -> None:
        self.store, self.ear = Store(folder), ear or Ear()
        self.sent: list[Frame] = []
        self.heard = 0
        self.all = [Downlink(self._publish, lambda: NOW) for _ in range(n)]
        for each in self.all:
            each.connected("st-1")

    def _publish(self, _station: str, data: bytes) -> None:
        self.sent.append(frames.decode(data))

    def say(self, who: int, word: str) -> None:
        with self.store.write() as conn:
            self.all[who].say(conn, "st-1", [Poke(collections=[word])], NOW)
        self.all[who].committed()

    def pump(self, who: int) -> None:
        self.all[who].pump(self.store, ())

    def deliver(self) -> None:
        """The station hears what was sent, and every collector hears each of its answers."""
        while self.heard < len(self.sent):
            self.ear.hear(self.sent[self.heard])
            self.heard += 1
            self.answer()

    def answer(self) -> None:
        for each in self.all:
            with self.store.write() as conn:
                each.acknowledged(conn, "st-1", self.ear.ack, NOW)
            each.committed()

    def head(self) -> down.Head:
        with self.store.read() as conn:
            return down.head(conn, "st-1")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Voices]:
    ground.lay(tmp_path / "hq", "st-1", at=NOW)
    voices = Voices(tmp_path / "hq", 2)
    yield voices
    voices.store.close()


def test_two_collectors_that_say_things_in_turn_are_one_voice(two: Voices) -> None:
    name = two.head().name
    for n in range(6):
        two.say(n % 2, str(n))
        two.pump(n % 2)
        two.deliver()
    assert two.ear.taken == list("012345")
    assert (two.head().name, two.head().acked) == (name, 6)
    assert all(len({frame.run for frame in two.sent if frame.first == n}) <= 1 for n in range(1, 7))


def test_memory_that_is_stale_is_no_restore(two: Voices) -> None:
    name = two.head().name
    two.say(1, "a")
    two.pump(1)
    two.deliver()
    for n in range(3):
        two.say(0, str(n))  # the other one does not know
    two.pump(0)
    two.deliver()
    two.say(1, "b")
    two.pump(1)
    two.deliver()
    assert two.ear.taken == ["a", "0", "1", "2", "b"]
    assert two.head().name == name


def test_a_station_of_an_older_release_that_acknowledges_anothers_message_is_no_restore(two: Voices) -> None:
    two.say(1, "a")
    name = two.head().name
    two.pump(1)
    two.say(0, "b")
    two.pump(0)
    for frame in two.sent:
        two.ear.hear(frame)
    two.ear.ack = Ack(name, 2)
    two.answer()
    assert (two.head().name, two.head().acked) == (name, 2)


def test_what_a_collector_said_and_did_not_live_to_send_another_sends(two: Voices) -> None:
    two.pump(1)
    two.say(0, "a")  # and then it dies
    with two.store.read() as conn:
        two.all[1].look(conn)
    two.pump(1)
    two.deliver()
    assert two.ear.taken == ["a"]


def test_a_frame_holds_messages_of_one_run_and_names_the_run_before(two: Voices) -> None:
    two.say(0, "a")
    two.say(0, "b")
    two.say(1, "c")
    with two.store.read() as conn:
        two.all[0].look(conn)
    for _ in range(3):
        two.pump(0)
        two.deliver()
    assert two.ear.taken == ["a", "b", "c"]
    told = {(frame.first, len(frame.msgs)): (frame.run, frame.prior) for frame in two.sent}
    assert set(told) == {(1, 2), (3, 1)}
    assert told[3, 1][1] == told[1, 2][0] != told[3, 1][0]


@pytest.mark.parametrize("station_first", [True, False])
@pytest.mark.parametrize("said", [1, 2, 3])
def test_what_is_said_after_a_restore_arrives_once_whoever_speaks_first(
    tmp_path: Path, station_first: bool, said: int
) -> None:
    ground.lay(tmp_path / "hq", "st-1", at=NOW)
    before = Voices(tmp_path / "hq", 1)
    before.say(0, "kept")
    before.pump(0)
    before.deliver()
    before.store.checkpoint(empty=True)
    shutil.copytree(tmp_path / "hq", tmp_path / "backup")
    for word in ("lost 1", "lost 2"):
        before.say(0, word)
        before.pump(0)
        before.deliver()
    before.store.close()

    after = Voices(tmp_path / "backup", 2, before.ear)
    if station_first:
        after.answer()
    for n in range(said):
        after.say(n % 2, f"new {n}")
    for _ in range(4):
        for who in (0, 1):
            with after.store.read() as conn:
                after.all[who].look(conn)
            after.all[who].reconnected()
            after.pump(who)
        after.deliver()
    assert after.ear.taken == ["kept", "lost 1", "lost 2", *(f"new {n}" for n in range(said))]
    assert after.head().last == after.head().acked
    after.store.close()


def test_another_collectors_new_stream_is_not_begun_again(
    two: Voices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.downlink.LOOK_S", 0.0)
    two.say(0, "a")
    two.pump(0)
    two.deliver()
    two.pump(1)
    beyond = Ack(two.head().name, 99)
    for each in two.all:
        with two.store.write() as conn:
            each.acknowledged(conn, "st-1", beyond, NOW)
        each.committed()
    name = two.head().name
    assert name != beyond.stream
    two.say(1, "b")
    two.pump(1)
    two.deliver()
    assert two.head().name == name
    assert two.ear.taken == ["a", "b"]


def test_a_station_that_lost_its_disk_gets_all_again(two: Voices) -> None:
    for word in "ab":
        two.say(0, word)
        two.pump(0)
        two.deliver()
    two.ear = Ear()
    two.ear.ack = Ack(two.head().name, 0)
    two.answer()
    assert two.head().acked == 0
    for who in (0, 1):
        two.pump(who)
        two.deliver()
    assert two.ear.taken == ["a", "b"]
