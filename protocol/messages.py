"""The messages of both streams.

Up, from a station: Event, Request, Heartbeat, Fault, Loss. Down, from headquarters: Reply, Poke.
Unknown fields are ignored and unknown types come out as `Unknown`, so that old and new releases speak.
Times: `at` is the station's wall clock in ms since 1970, `up` its monotonic clock in ms since boot.
"""

from typing import Annotated, Any, Final

import msgspec

from protocol.frame import MAX_NUMBER

#: Values that an event may carry: choices and content ids (str), counts and durations (int), flags (bool).
Value = str | int | bool

#: A time in ms that every JSON reader and every database can hold; a message with another one is Unknown.
Ms = Annotated[int, msgspec.Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]


class _Message(msgspec.Struct, tag_field="t", frozen=True, omit_defaults=True, kw_only=True):
    at: Ms = 0
    up: Ms = 0


class Event(_Message, tag="event", frozen=True):
    """Something was used. `d` holds only fields that the plugin's manifest declares."""

    plugin: str
    name: str
    d: dict[str, Value] = {}
    session: str = ""


class Request(_Message, tag="request", frozen=True):
    """A plugin asks headquarters for something; `id` makes it idempotent, `service` says who answers."""

    id: str
    plugin: str
    name: str
    service: str
    d: dict[str, Any] = {}


class Heartbeat(_Message, tag="heartbeat", frozen=True):
    """Sent in the stream every five minutes: all before it has arrived when it arrives."""

    version: str = ""
    health: dict[str, Value] = {}


class Fault(_Message, tag="fault", frozen=True):
    """A plugin failed and was fenced. `trace` holds file, line and function only, never values."""

    plugin: str
    version: str
    where: str
    kind: str
    trace: list[str] = []


class Loss(_Message, tag="loss", frozen=True):
    """Something that happened between `since` and `until` (ms, corrected by nobody) will never arrive.

    `n` says how many messages, 0 that nobody knows. `why` is one of the station's words: `disk` (could not be
    stored), `damaged` (the database was), `copy` (the disk is a copy or was set back), `parked` (a message
    that headquarters cannot read; the station keeps it).
    """

    why: str
    n: Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)] = 0
    since: Ms = 0
    until: Ms = 0


class Reply(_Message, tag="reply", frozen=True):
    """The answer to the request of this id. `status` is one of the service's own words."""

    id: str
    plugin: str
    name: str
    status: str
    d: dict[str, Any] = {}


class Poke(_Message, tag="poke", frozen=True):
    """Something new waits on the station API: these collections."""

    collections: list[str] = []


class Unknown(msgspec.Struct, frozen=True):
    """A message of a type that this release does not know, or that breaks its type; kept as it came."""

    raw: bytes
    problem: str = ""


Up = Event | Request | Heartbeat | Fault | Loss
Down = Reply | Poke
Message = Up | Down

_encoder: Final = msgspec.json.Encoder()
_decoder: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Message)


def encode(message: Message) -> bytes:
    """One message as JSON."""
    return _encoder.encode(message)


def decode(raw: bytes | msgspec.Raw) -> Message | Unknown:
    """One message from JSON; what this release cannot read comes back as Unknown, never as an error."""
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as err:
        return Unknown(bytes(raw), str(err))
