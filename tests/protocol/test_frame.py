"""Arbitrary bytes are a frame or a FrameError with a counted reason, and nothing else."""

import gzip
import json
import tracemalloc
import zlib

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.errors import FrameError
from protocol.frame import (
    MAX_MESSAGES,
    MAX_NUMBER,
    MAX_PLAIN,
    MAX_WIRE,
    Ack,
    Frame,
    Refusal,
    decode,
    digest,
    encode,
)

REASONS = {"size", "gzip", "json", "version", "range"}

ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", fullmatch=True)
numbers = st.integers(1, MAX_NUMBER - MAX_MESSAGES)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
up_to = st.integers(0, MAX_NUMBER)
acks = st.builds(Ack, ids, up_to, of=up_to, run=ids | st.just(""), fork=st.booleans())
raws = values.map(lambda value: msgspec.Raw(json.dumps(value).encode()))


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    first = draw(numbers)
    return Frame(
        1,
        draw(ids),
        first,
        run=draw(ids | st.just("")),
        prior=draw(ids | st.just("")),
        boot=draw(ids | st.just("")),
        sent=draw(st.integers(-MAX_NUMBER, MAX_NUMBER)),
        up=draw(st.integers(0, MAX_NUMBER)),
        ack=draw(st.none() | acks),
        low=draw(st.sampled_from([0, first])),
        gone=draw(st.integers(0, first)),
        refused=draw(st.none() | st.builds(Refusal, st.text(), st.text())),
        msgs=draw(st.lists(raws, max_size=12)),
    )


def refusal(data: bytes) -> str:
    """The reason why the bytes are refused, or an empty string."""
    try:
        decode(data)
    except FrameError as err:
        return err.reason if err.reason in REASONS and str(err) else f"not counted: {err!r}"
    return ""


def body(**changes: object) -> bytes:
    return json.dumps({"v": 1, "stream": "a", "first": 1, **changes}).encode()


@given(frames())
def test_what_is_encoded_is_decoded_the_same(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    assert refusal(data) in REASONS


@given(st.binary(max_size=400))
def test_any_bytes_behind_the_mark_of_gzip(data: bytes) -> None:
    assert refusal(b"\x1f\x8b" + data) in REASONS


@given(values)
def test_any_json(value: object) -> None:
    refusal(json.dumps(value).encode())


@given(
    st.dictionaries(
        st.sampled_from(
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
            ]
        ),
        values,
    )
)
def test_any_value_in_any_field(changes: dict[str, object]) -> None:
    refusal(body(**changes))


@given(frames(), st.data())
def test_a_damaged_frame(frame: Frame, data: st.DataObject) -> None:
    wire = bytearray(encode(frame))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    refusal(bytes(wire[: data.draw(st.integers(0, len(wire)))]))


@given(st.binary(min_size=1, max_size=40))
@example(b"\xff")
@example(b"\xc0\x80")
@example(b"\xed\xa0\x80")
def test_invalid_utf8_in_an_id(data: bytes) -> None:
    refusal(b'{"v":1,"first":1,"stream":"' + data + b'"}')
    refusal(b'{"v":1,"stream":"a","first":1,"' + data + b'":1}')


def test_a_bomb_of_zeros_is_refused_without_unpacking_it() -> None:
    for bomb in (gzip.compress(bytes(50_000_000), 9, mtime=0), gzip.compress(body() + b" " * 50_000_000, 9)):
        assert len(bomb) < MAX_WIRE
        tracemalloc.start()
        assert refusal(bomb) == "size"
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_PLAIN
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "json"),
        (b" " * (MAX_WIRE + 1), "size"),
        (b"[" * 200_000, "json"),
        (b'{"v":1,"stream":"a","first":1,"msgs":[' + b"[" * 200_000, "json"),
        (b'{"v":1,"stream":"a","first":1,"x":' + b'{"a":' * 40_000, "json"),
        (gzip.compress(b'{"v":1,"stream":"a","first":1,"msgs":[' + b"[" * 1_000_000, mtime=0), "json"),
        (b'{"v":1,"stream":"a","first":' + b"9" * 100_000 + b"}", "json"),
        (b'{"v":1,"stream":"a","first":1e999}', "json"),
        (b'{"v":1,"stream":"a","first":NaN}', "json"),
        (b'{"v":1,"stream":"\\ud800","first":1}', "json"),
        (gzip.compress(body(), mtime=0)[:-3], "gzip"),
        (gzip.compress(body(), mtime=0) + b"more", "gzip"),
        (gzip.compress(gzip.compress(body(), mtime=0), mtime=0), "json"),
        (zlib.compress(body()), "json"),
        (body(v=2), "version"),
        (body(v=0), "version"),
        (body(first=0), "range"),
        (body(first=-1), "range"),
        (body(first=MAX_NUMBER + 1), "range"),
        (body(first=MAX_NUMBER, msgs=[1, 2]), "range"),
        (body(first=5, low=6), "range"),
        (body(low=-1), "range"),
        (body(first=5, gone=6), "range"),
        (body(gone=-1), "range"),
        (body(ack={"stream": "a", "upto": -1}), "range"),
        (body(ack={"stream": "a", "upto": 1, "of": MAX_NUMBER + 1}), "range"),
        (body(ack={"stream": "a", "upto": 1, "run": "a/b"}), "range"),
        (body(ack={"stream": "", "upto": 1}), "range"),
        (body(sent=MAX_NUMBER + 1), "range"),
        (body(up=-MAX_NUMBER - 1), "range"),
        (body(stream=""), "range"),
        (body(stream="a" * 65), "range"),
        (body(stream="a\x00b"), "range"),
        (body(stream="../a"), "range"),
        (body(boot="b" * 65), "range"),
        (body(run="b" * 65), "range"),
        (body(prior="b" * 65), "range"),
        (body(msgs=[1] * (MAX_MESSAGES + 1)), "range"),
        (b'{"v":1,"first":1}', "json"),
    ],
)
def test_refused_with_its_reason(data: bytes, reason: str) -> None:
    assert refusal(data) == reason


def test_messages_are_not_opened_so_that_one_bad_message_does_not_stop_the_stream() -> None:
    data = b'{"v":1,"stream":"a","first":1,"msgs":[{"t":"event","plugin":"\xff"},12,{"t":"event"}]}'
    assert len(decode(data).msgs) == 3


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_a_digest_names_the_bytes_that_were_refused(one: bytes, other: bytes) -> None:
    assert (digest(one) == digest(other)) == (one == other)
    assert len(digest(one)) == 16
