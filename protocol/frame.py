"""Bytes to frame and back: JSON, gzipped above 1 KiB, sizes limited before and while decompressing."""

import hashlib
import re
import zlib
from typing import Final

import msgspec

from protocol.errors import FrameError

VERSION: Final = 1
GZIP_ABOVE: Final = 1024
MAX_WIRE: Final = 256 * 1024  # bytes as they come
MAX_PLAIN: Final = 2 * 1024 * 1024  # bytes of JSON
MAX_MESSAGES: Final = 1000
MAX_NUMBER: Final = 2**53  # beyond it JSON readers differ

#: What a sender puts into one frame at most (DESIGN, section 4).
FRAME_MESSAGES: Final = 250
FRAME_BYTES: Final = 64 * 1024

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


class Ack(msgspec.Struct, frozen=True, omit_defaults=True):
    """The receiver has stored everything of `stream` up to and with `upto`.

    `of` and `run`: the last number and the run of the frame that this answers. With `fork` that frame's
    messages up to `of` are those that the receiver has, and from `of`+1 on they are others under the same
    numbers: the sender's disk is a copy, or was set back, and must begin a new stream from there.
    """

    stream: str
    upto: int
    of: int = 0
    run: str = ""
    fork: bool = False


class Refusal(msgspec.Struct, frozen=True):
    """A frame could not be read, for a counted reason; `digest` (see below) says which."""

    reason: str
    digest: str


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """Messages `first`, `first`+1, ... of one stream, and a piggybacked ack of the other.

    `run`: the one run of the sender's program that wrote these messages. A run and a number name a message
    for ever, whatever copies there are of the sender's disk.
    `prior`: the run of the sender's last message before them; what follows one message follows no other.
    `gone`: the numbers from `gone` to `first`-1 no longer exist at the sender, so that a receiver that misses
    them can record them as lost instead of waiting for ever. `low` says the same of everything below `first`,
    to receivers that do not know `gone`.
    `boot` and `sent` (wall ms at this attempt) and `up` (monotonic ms) let the receiver judge the clock.
    """

    v: int
    stream: str
    first: int
    run: str = ""
    prior: str = ""
    boot: str = ""
    sent: int = 0
    up: int = 0
    ack: Ack | None = None
    low: int = 0
    gone: int = 0
    refused: Refusal | None = None
    msgs: list[msgspec.Raw] = []


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Frame)


def encode(frame: Frame) -> bytes:
    """A frame as bytes for the wire."""
    plain = _encoder.encode(frame)
    if len(plain) <= GZIP_ABOVE:
        return plain
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(plain) + packer.flush()


def decode(data: bytes) -> Frame:
    """A frame from the wire, or FrameError with its counted reason: size, gzip, json, version, range."""
    if len(data) > MAX_WIRE:
        raise FrameError("size", f"{len(data)} bytes are more than {MAX_WIRE}")
    if data[:2] == b"\x1f\x8b":
        data = _unzip(data)
    try:
        frame = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as err:
        raise FrameError("json", f"not a frame: {err}") from err
    if frame.v != VERSION:
        raise FrameError("version", f"frame version {frame.v}, this release reads {VERSION}")
    if not (
        1 <= frame.first <= MAX_NUMBER - len(frame.msgs)
        and 0 <= frame.low <= frame.first
        and 0 <= frame.gone <= frame.first
    ):
        raise FrameError("range", "message numbers out of range")
    if frame.ack is not None and not all(0 <= n <= MAX_NUMBER for n in (frame.ack.upto, frame.ack.of)):
        raise FrameError("range", "acknowledged number out of range")
    if not (abs(frame.sent) <= MAX_NUMBER and abs(frame.up) <= MAX_NUMBER):
        raise FrameError("range", "time out of range")
    if len(frame.msgs) > MAX_MESSAGES:
        raise FrameError("range", f"{len(frame.msgs)} messages are more than {MAX_MESSAGES}")
    ids = [frame.stream, *filter(None, [frame.run, frame.prior, frame.boot])]
    ids += [frame.ack.stream, *filter(None, [frame.ack.run])] if frame.ack else []
    if not all(_ID.fullmatch(each) for each in ids):
        raise FrameError("range", "an id of a stream, a run or a boot is none")
    return frame


def digest(data: bytes) -> str:
    """By what a refusal names the bytes that it refuses."""
    return hashlib.sha256(data).hexdigest()[:16]


def _unzip(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(31)
    try:
        plain = unpacker.decompress(data, MAX_PLAIN)
        if unpacker.unconsumed_tail:
            raise FrameError("size", f"more than {MAX_PLAIN} bytes after unpacking")
        if not unpacker.eof or unpacker.unused_data:
            raise FrameError("gzip", "the packed frame is cut short, or something follows it")
    except zlib.error as err:
        raise FrameError("gzip", f"cannot be unpacked: {err}") from err
    return plain
