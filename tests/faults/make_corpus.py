"""Frames that no station should send, made by `python -m tests.faults.make_corpus` where a file is missing.

A file's name says what must become of it: the counted reason of the refusal, or `taken` for a frame that is
stored (its messages perhaps as unknown ones). What is large is made when a test asks for it.
"""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "corpus"
NOON: Final = 1_793_246_400_000  # ms, 2026-10-29 12:00 in China
REASONS: Final = ("size", "gzip", "json", "version", "range")
BEAT: Final = {"t": "heartbeat", "at": NOON, "up": 9}


def packed(plain: bytes) -> bytes:
    """Gzipped, the same bytes on every machine."""
    return gzip.compress(plain, 9, mtime=0)


def frame(**fields: Any) -> bytes:
    """A good frame but for these fields."""
    whole = {"v": 1, "stream": "corpus", "first": 1, "run": "corpus", "boot": "b1", "sent": NOON, "up": 10}
    return json.dumps({**whole, "msgs": [BEAT], **fields}, separators=(",", ":")).encode()


def raw(messages: bytes) -> bytes:
    """A good frame around messages that no JSON library would write."""
    return frame(msgs=[]).replace(b'"msgs":[]', b'"msgs":[' + messages + b"]")


def taken(name: str, *messages: Any) -> bytes:
    """A frame of a stream of its own, so that each is the first."""
    return frame(stream=f"corpus-{name}", msgs=list(messages))


def _event(**fields: Any) -> dict[str, Any]:
    return {"t": "event", "at": NOON, "up": 9, "plugin": "check_in", "name": "checked_in", **fields}


CASES: Final[dict[str, bytes]] = {
    "json-empty": b"",
    "json-null": b"null",
    "json-array": b"[]",
    "json-number": b"1" * 400,
    "json-text": "织东路".encode(),
    "json-utf16": frame().decode().encode("utf-16"),
    "json-zeros": bytes(512),
    "json-cut": frame()[:-7],
    "json-tail": frame() + b"{}",
    "json-trailing_comma": frame().replace(b"]}", b",]}"),
    "json-nan": frame().replace(str(NOON).encode(), b"NaN"),
    "json-no_stream": b'{"v":1,"first":1}',
    "json-v_is_text": frame(v="1"),
    "json-first_is_text": frame(first="1"),
    "json-first_is_fraction": frame(first=1.5),
    "json-first_is_true": frame(first=True),
    "range-first_beyond_64_bits": frame(first=2**64),
    "range-first_of_400_digits": frame(first=10**399),
    "json-stream_is_number": frame(stream=7),
    "json-stream_is_null": frame(stream=None),
    "json-messages_are_object": frame(msgs={"t": "heartbeat"}),
    "json-messages_are_null": frame(msgs=None),
    "json-ack_is_list": frame(ack=[1]),
    "json-ack_without_number": frame(ack={"stream": "down"}),
    "json-refused_is_text": frame(refused="json"),
    "json-bad_utf8_in_stream": frame(stream="KEY").replace(b"KEY", b"\xff\xfe"),
    "json-lone_surrogate_in_stream": frame(stream="KEY").replace(b"KEY", rb"\ud800"),
    "json-deep_lists": packed(raw(b"[" * 120_000)),
    "json-deep_objects": packed(b'{"v":' * 120_000),
    "gzip-cut": packed(frame())[:-9],
    "gzip-head_only": b"\x1f\x8b",
    "gzip-noise": b"\x1f\x8b\x08\x00" + bytes(range(200)),
    "gzip-wrong_sum": packed(frame())[:-8] + bytes(8),
    "gzip-two": packed(frame()) + packed(frame()),
    "gzip-tail": packed(frame()) + b"more",
    "json-gzip_of_gzip": packed(packed(frame())),
    "json-deflate_without_head": zlib.compress(frame(), 9),
    "size-three_megabytes_packed": packed(frame(boot="b" * 3_000_000)),
    "version-0": frame(v=0),
    "version-2": frame(v=2),
    "version-negative": frame(v=-1),
    "range-first_0": frame(first=0),
    "range-first_negative": frame(first=-5),
    "range-first_beyond_53_bits": frame(first=2**53 + 1),
    "range-first_beyond_63_bits": frame(first=2**63 - 1),
    "range-low_negative": frame(low=-1),
    "range-low_above_first": frame(low=2),
    "range-gone_above_first": frame(gone=2),
    "range-ack_negative": frame(ack={"stream": "down", "upto": -1}),
    "range-ack_beyond": frame(ack={"stream": "down", "upto": 2**60}),
    "range-sent_beyond": frame(sent=2**60),
    "range-up_beyond": frame(up=-(2**60)),
    "range-no_stream": frame(stream=""),
    "range-stream_with_wildcards": frame(stream="+/#"),
    "range-stream_with_quotes": frame(stream="'; DROP TABLE message; --"),
    "range-stream_of_65": frame(stream="s" * 65),
    "range-run_with_newline": frame(run="a\nb"),
    "range-boot_with_nul": frame(boot="a\0b"),
    "range-1001_messages": packed(frame(msgs=[BEAT] * 1001)),
    "taken-no_type": taken("no_type", {"at": NOON}),
    "taken-other_type": taken("other_type", {"t": "weather", "at": NOON, "c": 31}),
    "taken-type_is_number": taken("type_is_number", {"t": 5}),
    "taken-numbers_and_nulls": taken("numbers_and_nulls", 1, None, True, "x", [], {}, -0.0),
    "taken-time_is_text": taken("time_is_text", _event(at="noon")),
    "taken-time_beyond": taken("time_beyond", _event(at=2**63), _event(at=-(2**70)), _event(up=10**300)),
    "taken-undeclared_event": taken("undeclared_event", _event(plugin="nobody", name="nothing")),
    "taken-undeclared_field": taken("undeclared_field", _event(d={"phone": "13900000000"})),
    "taken-field_is_object": taken("field_is_object", _event(d={"trade": {"a": [1]}})),
    "taken-field_is_huge": taken("field_is_huge", _event(d={"trade": "x" * 2_000})),
    "taken-negative_count": taken("negative_count", _event(d={"trade": -1})),
    "taken-loss_of_less": taken("loss_of_less", {"t": "loss", "why": "disk", "n": -3}),
    "taken-heartbeat_of_lists": taken("heartbeat_of_lists", {**BEAT, "health": {"a": [1, 2]}}),
    "taken-nul_in_text": taken("nul_in_text", _event(plugin="a\0b", name="c\0d")),
    "taken-request_for_nobody": taken(
        "request_for_nobody", {"t": "request", "id": "x", "plugin": "a", "name": "b", "service": "c"}
    ),
    "taken-same_key_twice": raw(b'{"t":"event","t":"heartbeat","at":1,"at":2}').replace(
        b'"corpus"', b'"corpus-same_key_twice"', 1
    ),
    "json-lone_surrogate_in_message": raw(rb'{"t":"event","plugin":"\ud800","name":"x"}'),
    "taken-bad_utf8": raw(b'{"t":"event","plugin":"\xff\xfe","name":"x"}').replace(
        b'"corpus"', b'"corpus-bad_utf8"', 1
    ),
}  # fmt: skip


def zeros(size: int = 50_000_000) -> bytes:
    """So many zeros packed: 50 kB on the wire."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    part = bytes(1_000_000)
    return b"".join([*(packer.compress(part) for _ in range(size // len(part))), packer.flush()])


def corpus() -> dict[str, bytes]:
    """What the files hold, by name, and what is too large for a file."""
    found = {file.stem: file.read_bytes() for file in sorted(FOLDER.glob("*.frame"))}
    return {**found, "size-wide": bytes(300_000), "size-50_megabytes_of_zeros": zeros()}


def main() -> None:
    """Write the cases that have no file."""
    FOLDER.mkdir(exist_ok=True)
    for name, data in CASES.items():
        file = FOLDER / f"{name}.frame"
        if not file.exists():
            file.write_bytes(data)


if __name__ == "__main__":
    main()
