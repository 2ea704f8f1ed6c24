"""What happens to sealed fields once their time is over: the message stays, the sealed text goes."""

from collections.abc import Collection

import msgspec

#: What stands in a sealed field afterwards. A receiver takes it for a request without the field.
BLANK = ""


def blank(body: bytes, names: Collection[str]) -> bytes:
    """A request as it was stored, its fields of these names made empty; all else stays as it came.

    What is no request, or holds none of these fields, comes back unchanged.
    """
    try:
        message = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    if not isinstance(message, dict):
        return body
    d = message.get("d")
    if not isinstance(d, dict) or not any(d.get(name) for name in names):
        return body
    message["d"] = blanked(d, names)
    return msgspec.json.encode(message)


def blanked(d: dict[str, object], names: Collection[str]) -> dict[str, object]:
    """The fields of a request with those of these names made empty."""
    return {name: BLANK if name in names else value for name, value in d.items()}
