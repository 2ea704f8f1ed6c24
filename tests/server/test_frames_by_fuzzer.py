"""Bytes that no station should send: refused or kept, counted by reason, and nobody else's affair."""

import json
import random
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from protocol import frame as frames
from protocol.errors import FrameError
from server.ingest import Arrival
from server.store.schema import down_message, message, stream
from tests.faults.make_corpus import corpus
from tests.server.headquarters import Office, eventually
from tests.server.line import CHECK_IN, NOW, Line, upto

GOOD = frames.decode(Line.frame("s", CHECK_IN))
CORPUS = corpus()
SMALL = sorted(name for name in CORPUS if not name.startswith("size-50"))

HUGE = st.sampled_from([2**53, 2**53 + 1, 2**63, 2**64, -1, -(2**63), 10**40])
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | HUGE | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "v",
        "stream",
        "first",
        "run",
        "prior",
        "boot",
        "sent",
        "up",
        "ack",
        "low",
        "gone",
        "refused",
        "msgs",
        "novel",
    ]
)
MESSAGE = st.fixed_dictionaries(
    {"t": st.sampled_from(["event", "request", "heartbeat", "fault", "loss", "reply", "poke", "novel"])},
    optional={
        name: VALUE
        for name in [
            "at",
            "up",
            "plugin",
            "name",
            "d",
            "id",
            "service",
            "version",
            "health",
            "where",
            "kind",
            "trace",
            "why",
            "n",
            "since",
            "until",
        ]
    },
)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A good frame with some fields replaced, twice there, packed, cut or flipped."""
    whole: dict[str, object] = json.loads(frames.encode(GOOD))
    whole["stream"] = draw(st.sampled_from(["fuzz", "fuzz-2", "s", "theirs"]))
    whole["msgs"] = draw(st.lists(MESSAGE | VALUE, max_size=4))
    whole |= draw(st.dictionaries(FIELDS, VALUE, max_size=2))
    data = json.dumps(whole).encode()
    if draw(st.booleans()):
        data = data[:-1] + b"," + json.dumps(draw(st.dictionaries(FIELDS, VALUE, max_size=1)))[1:].encode()
    how = draw(st.sampled_from(["as it is", "packed", "cut", "flipped"]))
    if how == "packed":
        data = zlib.compress(data, 9, 31)
    elif how == "cut":
        data = data[: draw(st.integers(0, len(data)))]
    elif how == "flipped":
        at = draw(st.integers(0, len(data) - 1))
        data = data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :]
    return data


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path)
    line.ingest.take([line.put(CHECK_IN, station="st-2", stream="theirs")])
    yield line
    line.store.close()


def everything_of(line: Line, station: str) -> list[tuple[object, ...]]:
    """What is kept of a station: its streams, messages, gaps, and what is said to it."""
    with line.store.read() as conn:
        mine = select(stream.c.id).where(stream.c.station == station)
        asked = [
            select(stream).where(stream.c.station == station),
            select(message).where(message.c.stream.in_(mine)),
            select(down_message).where(down_message.c.station == station),
        ]
        found = [tuple(row) for each in asked for row in conn.execute(each)]
    return [*found, *map(tuple, [(each,) for each in line.gaps(station)])]


def reason(payload: bytes) -> str | None:
    try:
        frames.decode(payload)
    except FrameError as err:
        return err.reason
    return None


def test_each_bad_frame_is_counted_by_its_reason_and_nobody_is_touched(line: Line) -> None:
    theirs = everything_of(line, "st-2")
    for name in SMALL:
        mine, counted = everything_of(line, "st-1"), Counter(line.refused())
        outcome = line.ingest.take([Arrival("st-1", CORPUS[name], NOW)])
        expected = name.partition("-")[0]
        if expected == "taken":
            assert upto(outcome)["st-1"] > 0, name
        else:
            assert Counter(line.refused()) - counted == {(expected, "st-1"): 1}, name
            assert outcome.refused["st-1"].digest == frames.digest(CORPUS[name]), name
            assert everything_of(line, "st-1") == mine, name
    assert everything_of(line, "st-2") == theirs


def test_fifty_megabytes_of_zeros_are_refused_before_they_are_unpacked(line: Line) -> None:
    import tracemalloc

    bomb = Arrival("st-1", CORPUS["size-50_megabytes_of_zeros"], NOW)
    tracemalloc.start()
    try:
        line.ingest.take([bomb])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert line.refused() == {("size", "st-1"): 1}
    assert peak < 4 * frames.MAX_PLAIN


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.lists(broken() | st.binary(max_size=80), min_size=1, max_size=4))
def test_no_frames_stop_the_ingest_or_reach_another_station(line: Line, data: list[bytes]) -> None:
    theirs, counted = everything_of(line, "st-2"), Counter(line.refused())
    expected = Counter(each for payload in data if (each := reason(payload)) is not None)
    outcome = line.ingest.take([Arrival("st-1", payload, NOW) for payload in data])
    now = Counter(line.refused()) - counted
    assert {each: now[each, "st-1"] for each in expected} == expected
    assert bool(outcome.refused) == bool(expected)
    assert everything_of(line, "st-2") == theirs
    with line.store.read() as conn:
        assert not set(conn.scalars(select(stream.c.upto).where(stream.c.upto < 0)))


def test_the_real_collector_takes_it_all_and_goes_on(nats_office: Office) -> None:
    """The corpus and noise from one station over a real broker, while another one works."""
    rng = random.Random(7)
    payloads = [CORPUS[name] for name in CORPUS if not name.startswith("taken-")]
    good = frames.encode(GOOD)
    for _ in range(200):
        at = rng.randrange(len(good))
        payloads.append(good[:at] + bytes([rng.randrange(256)]) + good[at + 1 :])
    # A frame that can still be read is another matter: here only what must be refused.
    payloads = [each for each in payloads if reason(each) is not None]
    expected = Counter(reason(each) for each in payloads)
    with nats_office.station("st-1") as bad, nats_office.station("st-2") as fine:
        done = threading.Event()

        def work() -> None:
            for _ in range(20):
                fine.check_in(5)
                fine.acked()
            done.set()

        worker = threading.Thread(target=work)
        worker.start()
        for each in payloads:
            bad.publish(each)
        bad.publish(bad.frame(2, [b"{}"]).replace(bad.stream.encode(), fine.stream.encode()))
        worker.join(60)
        assert done.is_set()
        bad.check_in(3)
        bad.acked()
        assert bad.refusals.get(timeout=20).reason in expected
        eventually(lambda: ("foreign_stream", "st-1") in nats_office.refused())
    counts = Counter({why: n for (why, who), n in nats_office.refused().items() if who == "st-1"})
    counts.pop("foreign_stream")
    assert counts == expected
    assert nats_office.rollups() == {"st-1": 3, "st-2": 100}
    assert nats_office.agrees()
