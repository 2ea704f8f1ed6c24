"""What a manifest may declare: event fields, settings, metrics, collections and requests."""

import re
from typing import Final, Literal

import msgspec

_CONTENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_SEALED = re.compile(r"[A-Za-z0-9+/=]{64,4096}")

Words = dict[Literal["zh", "en"], str]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A table of the manifest: a key that is not known is an error."""


class EventField(_Strict, frozen=True):
    """One field of an event. There is no free text: telemetry cannot carry personal data."""

    type: Literal["choice", "count", "duration_ms", "flag", "content_id"]
    values: list[str] = []
    optional: bool = False

    def problem(self, value: object) -> str:
        """Why the value does not fit, or an empty string."""
        match self.type:
            case "choice":
                return "" if value in self.values else f"must be one of {', '.join(self.values)}"
            case "flag":
                return "" if isinstance(value, bool) else "must be true or false"
            case "content_id":
                named = isinstance(value, str) and _CONTENT_ID.fullmatch(value)
                return "" if named else "must be a content id: letters, digits, . _ : -, at most 64"
            case _:
                fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2**53
                return "" if fits else "must be a whole number from 0"


class Setting(_Strict, frozen=True):
    """One setting. `scope` says who may change it: headquarters, the organisation, the station."""

    type: Literal["integer", "text", "choice", "flag", "time"]
    default: int | str | bool
    title: Words
    scope: Literal["hq", "org", "station"] = "station"
    min: int | None = None
    max: int | None = None
    values: list[str] = []

    def problem(self, value: object) -> str:
        """Why the value does not fit, or an empty string."""
        match self.type:
            case "integer":
                if not isinstance(value, int) or isinstance(value, bool):
                    return "must be a whole number"
                if self.min is not None and value < self.min:
                    return f"must be at least {self.min}"
                if self.max is not None and value > self.max:
                    return f"must be at most {self.max}"
                return ""
            case "flag":
                return "" if isinstance(value, bool) else "must be true or false"
            case "choice":
                return "" if value in self.values else f"must be one of {', '.join(self.values)}"
            case "time":
                fits = isinstance(value, str) and _TIME.fullmatch(value)
                return "" if fits else "must be a time such as 08:30"
            case _:
                return (
                    ""
                    if isinstance(value, str) and len(value) <= 500
                    else "must be text of at most 500 letters"
                )


class Metric(_Strict, frozen=True):
    """A number that headquarters shows: how often an event came, split by choice or flag fields."""

    counts: str
    title: Words
    by: list[str] = []


class ContentField(_Strict, frozen=True):
    """One column of a collection. `media` holds a SHA-256 of a file that stations fetch."""

    type: Literal["text", "integer", "date", "time", "choice", "flag", "media"]
    title: Words
    required: bool = False
    values: list[str] = []
    max: int | None = None


class Content(_Strict, frozen=True):
    """A collection that headquarters fills and stations replicate; `key` is the field that names a row."""

    key: str
    title: Words
    fields: dict[str, ContentField]
    served_by: Literal["import", "booking"] = "import"


class RequestField(_Strict, frozen=True):
    """One field of a request. `sealed` is only readable by the office that it was sealed to."""

    type: Literal["choice", "count", "flag", "content_id", "sealed"]
    values: list[str] = []
    optional: bool = False

    def problem(self, value: object) -> str:
        """Why the value does not fit, or an empty string."""
        if self.type == "sealed":
            # Empty is what the station keeps once the office has it: sent again, it must not be refused.
            fits = isinstance(value, str) and (value == "" or _SEALED.fullmatch(value))
            return "" if fits else "must be sealed with station.seal()"
        return EventField(type=self.type, values=self.values).problem(value)


class RequestKind(_Strict, frozen=True):
    """A request that the plugin may make; `service` names the one at headquarters that answers."""

    service: str
    fields: dict[str, RequestField] = {}
    office: str = ""

    @property
    def sealed(self) -> list[str]:
        """The names of the sealed fields."""
        return [name for name, field in self.fields.items() if field.type == "sealed"]


#: Events that the shell reports for every plugin; no manifest may declare these names.
SHELL_EVENTS: Final[dict[str, dict[str, EventField]]] = {
    "opened": {},
    "closed": {
        "how": EventField(type="choice", values=["finished", "left", "idle"]),
        "after": EventField(type="duration_ms"),
    },
}
