"""manifest.toml to Manifest: a plugin as data, read by the station and by headquarters alike.

Headquarters reads manifests and never runs plugin code: settings forms, validation, dashboards, imports
and privacy rules come from here. Unknown keys are errors, with file and line.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from protocol.errors import EventError, ManifestError
from protocol.messages import Value

API: Final = 1
FILE: Final = "manifest.toml"

_ID = re.compile(r"[a-z][a-z0-9_]{1,30}")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_CONTENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_BOUND = re.compile(r"(>=|<=|<|>|==)(\d+)")

Words = dict[Literal["zh", "en"], str]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    pass


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
                fits = isinstance(value, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value)
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
            fits = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9+/=]{64,4096}", value)
            return "" if fits else "must be sealed with station.seal()"
        return EventField(type=self.type, values=self.values).problem(value)


class RequestKind(_Strict, frozen=True):
    """A request that the plugin may make; `service` names the one at headquarters that answers."""

    service: str
    fields: dict[str, RequestField] = {}
    office: str = ""


#: Events that the shell reports for every plugin; no manifest may declare these names.
SHELL_EVENTS: Final[dict[str, dict[str, EventField]]] = {
    "opened": {},
    "closed": {
        "how": EventField(type="choice", values=["finished", "left", "idle"]),
        "after": EventField(type="duration_ms"),
    },
}


class Manifest(_Strict, frozen=True):
    """A plugin as data. `primary` asks for the wide tile of the home screen; `tile` false for none."""

    id: str
    version: str
    api: str
    title: Words
    icon: str
    subtitle: Words = {}
    colour: Literal["brand", "legal", "jobs", "song", "station"] = "brand"
    order: int = 100
    essential: bool = False
    primary: bool = False
    settings: dict[str, Setting] = {}
    events: dict[str, dict[str, EventField]] = {}
    metrics: dict[str, Metric] = {}
    content: dict[str, Content] = {}
    requests: dict[str, RequestKind] = {}

    def check_event(self, name: str, fields: Mapping[str, Value]) -> None:
        """Raise EventError unless the event and its fields are declared and fit."""
        declared = SHELL_EVENTS.get(name, self.events.get(name))
        if declared is None:
            raise _undeclared(self.id, "event", name)
        _check_fields(f"{self.id}: event {name}", declared, fields)

    def check_request(self, name: str, fields: Mapping[str, object]) -> RequestKind:
        """The declared request of this name; EventError unless it and its fields are declared and fit."""
        kind = self.requests.get(name)
        if kind is None:
            raise EventError(
                f"{self.id}: the manifest declares no request '{name}'", plugin=self.id, name=name
            )
        _check_fields(f"{self.id}: request {name}", kind.fields, fields)
        return kind

    def check_setting(self, name: str, value: object) -> None:
        """Raise EventError unless the setting is declared and the value fits."""
        setting = self.settings.get(name)
        if setting is None:
            raise EventError(
                f"{self.id}: the manifest declares no setting '{name}'", plugin=self.id, name=name
            )
        if problem := setting.problem(value):
            raise EventError(f"{self.id}: setting {name} {problem}", plugin=self.id, name=name)

    def defaults(self) -> dict[str, int | str | bool]:
        """Every setting at its default."""
        return {name: setting.default for name, setting in self.settings.items()}


def _undeclared(plugin: str, what: str, name: str) -> EventError:
    return EventError(f"{plugin}: the manifest declares no {what} '{name}'", plugin=plugin, name=name)


def _check_fields(
    where: str, declared: Mapping[str, EventField | RequestField], given: Mapping[str, object]
) -> None:
    for name in given:
        if name not in declared:
            raise EventError(f"{where}: field '{name}' is not declared", where=where, field=name)
    for name, field in declared.items():
        if name not in given:
            if not field.optional:
                raise EventError(f"{where}: field '{name}' is missing", where=where, field=name)
        elif problem := field.problem(given[name]):
            raise EventError(f"{where}: field '{name}' {problem}", where=where, field=name)


def read(path: Path) -> Manifest:
    """The manifest at `path` (the file, or its plugin's folder), or ManifestError with file and line."""
    file = path / FILE if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise ManifestError(str(file), 1, f"cannot be read ({err}); put a UTF-8 {FILE} there") from err
    return parse(text, str(file))


def parse(text: str, file: str = FILE) -> Manifest:
    """The manifest in `text`; `file` is named in errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        found = re.search(r"line (\d+)", str(err))
        raise ManifestError(
            file, int(found[1]) if found else len(text.splitlines()), f"not TOML: {err}"
        ) from err
    if wrong := _deepest(data, Manifest, []):
        path, sentence = wrong
        raise ManifestError(file, line_of(text, path), f"{'.'.join(path) or 'the file'}: {sentence}")
    manifest = msgspec.convert(data, Manifest)
    for path, problem in _problems(manifest):
        raise ManifestError(file, line_of(text, path), problem)
    return manifest


def _deepest(value: Any, kind: Any, path: list[str]) -> tuple[list[str], str] | None:
    """The deepest key path that does not fit its type, with msgspec's sentence; None if all fits.

    msgspec itself names keys of free choice only as `...`, which gives no line; hence one key at a time.
    """
    if get_origin(kind) is dict and isinstance(value, dict):
        for key, inner in value.items():
            if found := _deepest(inner, get_args(kind)[1], [*path, key]):
                return found
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict):
        hints = get_type_hints(kind)
        for key, inner in value.items():
            if key not in hints:
                return [*path, key], "this key is not known here"
            if found := _deepest(inner, hints[key], [*path, key]):
                return found
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as err:
        return path, str(err).partition(" - at `")[0]
    return None


def _problems(manifest: Manifest) -> list[tuple[list[str], str]]:
    """What the types alone cannot say: (path, sentence) pairs."""
    found: list[tuple[list[str], str]] = []

    def wrong(path: list[str], sentence: str) -> None:
        found.append((path, f"{'.'.join(path)}: {sentence}"))

    if not _ID.fullmatch(manifest.id):
        wrong(["id"], "use 2 to 31 small letters, digits and _, a letter first")
    if not _VERSION.fullmatch(manifest.version):
        wrong(["version"], "use three numbers, such as 1.0.0")
    if not api_fits(manifest.api):
        wrong(["api"], f'"{manifest.api}" does not cover this release\'s plugin API {API}; write ">=1,<2"')
    for path, words in _titles(manifest):
        for language in ("zh", "en"):
            if not words.get(language):
                wrong(path, f"the {language} text is missing")
    for name, setting in manifest.settings.items():
        if problem := setting.problem(setting.default):
            wrong(["settings", name, "default"], problem)
    for name, fields in manifest.events.items():
        if name in SHELL_EVENTS:
            wrong(["events", name], "the shell reports this event itself; choose another name")
        for field, kind in fields.items():
            if (kind.type == "choice") != bool(kind.values):
                wrong(["events", name, field], "a choice needs values, and only a choice has them")
    for name, metric in manifest.metrics.items():
        event = SHELL_EVENTS.get(metric.counts, manifest.events.get(metric.counts))
        if event is None:
            wrong(["metrics", name, "counts"], f"there is no event '{metric.counts}'")
            continue
        for field in metric.by:
            if field not in event or event[field].type not in ("choice", "flag"):
                wrong(["metrics", name, "by"], f"'{field}' is no choice or flag of event '{metric.counts}'")
    for name, content in manifest.content.items():
        if content.key not in content.fields:
            wrong(["content", name, "key"], f"there is no field '{content.key}'")
        for field, column in content.fields.items():
            if (column.type == "choice") != bool(column.values):
                wrong(["content", name, "fields", field], "a choice needs values, and only a choice has them")
    for name, request in manifest.requests.items():
        sealed = any(field.type == "sealed" for field in request.fields.values())
        if sealed and not request.office:
            wrong(["requests", name], "a sealed field needs the office that may open it: office = ...")
    return found


def _titles(manifest: Manifest) -> list[tuple[list[str], Words]]:
    titles: list[tuple[list[str], Words]] = [(["title"], manifest.title)]
    titles += [(["settings", name, "title"], each.title) for name, each in manifest.settings.items()]
    titles += [(["metrics", name, "title"], each.title) for name, each in manifest.metrics.items()]
    for name, content in manifest.content.items():
        titles.append((["content", name, "title"], content.title))
        titles += [
            (["content", name, "fields", key, "title"], each.title) for key, each in content.fields.items()
        ]
    return titles


def api_fits(bounds: str, api: int = API) -> bool:
    """Whether a range such as `>=1,<2` holds for this API version; a malformed range never does."""
    compare = {
        ">=": api.__ge__,
        "<=": api.__le__,
        "<": api.__lt__,
        ">": api.__gt__,
        "==": api.__eq__,
    }
    parts = [_BOUND.fullmatch(part.strip()) for part in bounds.split(",")]
    return all(part is not None and compare[part[1]](int(part[2])) for part in parts)


def line_of(text: str, path: list[str]) -> int:
    """The line, from 1, on which the deepest known part of a key path stands."""
    best, depth, table = 1, 0, []  # type: int, int, list[str]
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if header := re.match(r"\[+\s*([^\]]+?)\s*\]+", bare):
            table = [part.strip(" \"'") for part in header[1].split(".")]
            here = table
        elif assign := re.match(r"([A-Za-z0-9_.\"'-]+)\s*=", bare):
            here = table + [part.strip(" \"'") for part in assign[1].split(".")]
            shared = len(here) if here == path[: len(here)] else 0
            if shared and (inner := path[shared:]) and re.search(rf"\b{re.escape(inner[0])}\s*=", bare):
                here = [*here, inner[0]]
        else:
            continue
        if here == path[: len(here)] and len(here) > depth:
            best, depth = number, len(here)
    return best
