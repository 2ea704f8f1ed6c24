"""Frames that chance has damaged: seeded, so that a run can be repeated."""

import json
import random
from typing import Any, Final

from tests.faults.make_corpus import NOON, corpus, frame, packed

#: Values that programs have stumbled over.
NASTY: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1.5, 2**53, 2**53 + 1, 2**63, 2**64, -(2**63), 10**40, 1e308, "", "a" * 70,
    "x\0y", "\u202e", "驿", "+/#", "../../etc", "%s%n", "' OR 1=1 --", [], {}, [[]], {"t": "event"}, [None],
)  # fmt: skip


def noise(rng: random.Random, stream: str = "") -> bytes:
    """One payload: a corpus frame, or a good frame with one thing wrong, in one of several ways.

    With `stream` what is still a frame is one of that stream.
    """
    ways = (_corpus, _field, _field, _message_field, _flipped, _cut, _doubled, _random)
    data = rng.choice(ways)(rng, stream or f"noise-{rng.randrange(4)}")
    return packed(data) if rng.random() < 0.2 else data


def _good(rng: random.Random, stream: str) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(frame(stream=stream, first=rng.choice((1, 1, 2, 3, 500))))
    for _ in range(rng.randrange(3)):
        # At a time of its own: the same thing twice would be taken for something counted twice.
        event = {"t": "event", "at": NOON + rng.getrandbits(32), "plugin": "check_in", "name": "checked_in"}
        whole["msgs"].append({**event, "d": {"trade": "courier", "method": "tap"}})
    return whole


def _bytes(whole: dict[str, Any]) -> bytes:
    return json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _corpus(rng: random.Random, stream: str) -> bytes:
    files = [data for name, data in sorted(corpus_files().items()) if not name.startswith("taken")]
    return rng.choice(files)


def _field(rng: random.Random, stream: str) -> bytes:
    whole = _good(rng, stream)
    whole[rng.choice([*whole, "ack", "low", "gone", "refused", "unheard_of"])] = rng.choice(NASTY)
    return _bytes(whole)


def _message_field(rng: random.Random, stream: str) -> bytes:
    whole = _good(rng, stream)
    message = dict(rng.choice(whole["msgs"]))
    message[rng.choice([*message, "d", "t", "session", "id"])] = rng.choice(NASTY)
    whole["msgs"].insert(rng.randrange(len(whole["msgs"]) + 1), message)
    return _bytes(whole)


def _flipped(rng: random.Random, stream: str) -> bytes:
    data = bytearray(_bytes(_good(rng, stream)))
    for _ in range(rng.randrange(1, 9)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _cut(rng: random.Random, stream: str) -> bytes:
    data = _bytes(_good(rng, stream))
    return data[: rng.randrange(len(data))]


def _doubled(rng: random.Random, stream: str) -> bytes:
    data = frame(stream=stream)
    start = rng.randrange(len(data))
    return data[:start] + data[start : rng.randrange(start, len(data))] * 2 + data[start:]


def _random(rng: random.Random, stream: str) -> bytes:
    return rng.randbytes(rng.randrange(2000))


_files: dict[str, bytes] = {}


def corpus_files() -> dict[str, bytes]:
    """The corpus, made once."""
    if not _files:
        _files.update(corpus())
    return _files
