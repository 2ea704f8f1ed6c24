"""Old stations at a new headquarters, newer ones too, and a new station at an old headquarters."""

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from protocol import frame as frames
from protocol import messages
from protocol.frame import FRAME_MESSAGES, Frame
from protocol.messages import Event, Heartbeat, Unknown
from server.store import Store, refusals
from tests.faults.proxy import PUBLISH, Proxy, Weather, _Line
from tests.faults.registry import Setting, fault
from tests.faults.report import Report
from tests.faults.town import Town
from tests.faults.voice import Voice, claimed
from tests.protocol.make_golden import FOLDER

NEWER: Final = FOLDER / "newer"
#: What releases before this one know of a frame and of an acknowledgement.
FRAME: Final = ("v", "stream", "first", "boot", "sent", "up", "ack", "low", "msgs")
ACK: Final = ("stream", "upto")


class OldHeadquarters(Proxy):
    """Between the town's proxy and its broker: what it carries is cut down to what old releases know."""

    async def _suffer(self, line: _Line, packet: bytes, weather: Weather) -> list[bytes]:
        self.counts["aged"] += 1
        return [aged(packet)]


def aged(packet: bytes) -> bytes:
    """A PUBLISH of QoS 0 with its frame as an old release would write or read it."""
    at = 1
    while packet[at] & 0x80:
        at += 1
    body = packet[at + 1 :]
    topic = 2 + int.from_bytes(body[:2])
    payload = body[topic:]
    if packet[0] >> 4 != PUBLISH or not body[:topic].endswith((b"/up", b"/down")):
        return packet
    whole: dict[str, Any] = msgspec.to_builtins(frames.decode(payload), builtin_types=(msgspec.Raw,))
    old = {name: value for name, value in whole.items() if name in FRAME}
    if old.get("ack"):
        old["ack"] = {name: value for name, value in old["ack"].items() if name in ACK}
    payload = frames.encode(msgspec.convert(old, Frame))
    return packet[:1] + _length(topic + len(payload)) + body[:topic] + payload


def _length(n: int) -> bytes:
    out = bytearray()
    while True:
        n, rest = divmod(n, 128)
        out.append(rest | (0x80 if n else 0))
        if not n:
            return bytes(out)


def golden() -> list[bytes]:
    """Every released frame that goes up, as its bytes are, in the order of the stream."""
    found = [file.read_bytes() for file in FOLDER.glob("up_*.frame")]
    return sorted(found, key=lambda data: frames.decode(data).first)


def told(files: list[bytes]) -> Iterator[tuple[bytes, Frame]]:
    """The golden frames, and before each what is missing up to it, said by the same release."""
    upto, run = 0, ""
    for data in files:
        frame = frames.decode(data)
        known_from = frame.gone or (frame.first if frame.low != frame.first else upto + 1)
        # What follows one message follows no other: those before it are of the run that it names.
        run = frame.prior or (frame.run if frame.gone else run)
        while upto + 1 < known_from:
            count = min(FRAME_MESSAGES, known_from - 1 - upto)
            body = msgspec.Raw(messages.encode(Heartbeat(at=frame.sent, up=frame.up)))
            filler = Frame(
                1, frame.stream, upto + 1, run=run, boot=frame.boot, sent=frame.sent, msgs=[body] * count
            )
            yield frames.encode(filler), filler
            upto += count
        yield data, frame
        upto, run = frame.first + len(frame.msgs) - 1, frame.run


def say_all(voice: Voice, spoken: Iterator[tuple[bytes, Frame]]) -> dict[int, bytes]:
    """Say frames one after the other, each acknowledged; number to message as it was said."""
    said: dict[int, bytes] = {}
    for data, frame in spoken:
        last = frame.first + len(frame.msgs) - 1
        voice.publish(data)
        voice.until(
            lambda last=last, stream=frame.stream: any(  # type: ignore[misc]
                ack.stream == stream and ack.upto >= last for ack in voice.acks
            )
        )
        said.update({number: bytes(raw) for number, raw in enumerate(frame.msgs, frame.first)})
    return said


def differences(town: Town, station: str, stream: str, said: dict[int, bytes]) -> list[str]:
    """Every message is stored as it came, and every number without one is known to be lost."""
    books = town.books()
    stored = {place[2]: f.body for place, f in books.messages.items() if place[:2] == (station, stream)}
    gone = set(range(1, max(said) + 1)) - set(said)
    problems = []
    if stored != said:
        wrong = sorted(n for n in said.keys() | stored.keys() if said.get(n) != stored.get(n))
        problems.append(f"{station}: numbers {wrong[:5]} are not stored as they came")
    if books.lost.get((station, stream), set()) != gone:
        problems.append(f"{station}: other numbers are lost than those that were said to be")
    return problems


def older(town: Town, folder: Path, rng: random.Random) -> list[str]:
    """The golden frames, byte for byte, through the real broker."""
    name = f"old-{rng.randrange(16**6):06x}"
    with Voice(claimed(town.centre, name, folder / name), town.centre.mqtt) as voice:
        said = say_all(voice, told(golden()))
    return differences(town, name, frames.decode(golden()[0]).stream, said)


def newer(town: Town, folder: Path, rng: random.Random) -> list[str]:
    """Fields, messages and events that this release has never heard of."""
    name, stream = f"new-{rng.randrange(16**6):06x}", f"n{rng.randrange(16**6):06x}"
    spoken, first, unknown = [], 1, 0
    undeclared = msgspec.Raw(messages.encode(Event(at=7, plugin="shade_map", name="looked", d={"m": 2})))
    for file in sorted(NEWER.glob("*.json")):
        whole = msgspec.json.decode(file.read_bytes())
        read = frames.decode(file.read_bytes())
        whole.update(stream=stream, first=first, msgs=[*read.msgs, undeclared])
        data = msgspec.json.encode(whole)
        spoken.append((data, frames.decode(data)))
        first += len(whole["msgs"])
        unknown += sum(isinstance(messages.decode(raw), Unknown) for raw in read.msgs)
    with Voice(claimed(town.centre, name, folder / name), town.centre.mqtt) as voice:
        said = say_all(voice, iter(spoken))
    problems = differences(town, name, stream, said)
    with closing(Store(town.centre.data)) as store, store.read() as conn:
        counted = refusals.counts(conn)
    wanted = {"unknown_message": unknown, "undeclared_event": len(spoken)}
    there = {reason: counted.get((reason, name), 0) for reason in wanted}
    # Events of a plugin that is known here under a name that is not are counted beside ours.
    if there["unknown_message"] != unknown or there["undeclared_event"] < len(spoken):
        problems.append(f"{name}: counted {there}, but it was {wanted}")
    return problems


def at_an_old_headquarters(town: Town, rng: random.Random) -> list[str]:
    """A new station whose frames and acks lose what old releases do not know."""
    with OldHeadquarters(town.centre.mqtt, rng) as old:
        before, town.proxy.target = town.proxy.target, old.port
        try:
            town.proxy.cut()
            town.act(2)
            for booth in town.stations:
                booth.kill()
            town.act()
            town.drain()
        finally:
            town.proxy.target = before
            town.proxy.cut()
        if not old.counts["aged"]:
            return ["nothing went through the old headquarters"]
    town.act()
    return []


@fault("versions_mixed", least=15, own=Setting(stations=1))
def run(town: Town, seconds: float, rng: random.Random) -> Report:
    """Three mixtures, once each."""
    problems = at_an_old_headquarters(town, rng)
    problems += older(town, town.folder, rng) + newer(town, town.folder, rng)
    return town.settle("mixtures", 3, problems=problems)
