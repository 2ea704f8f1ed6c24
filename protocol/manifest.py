"""manifest.toml to Manifest: a plugin as data, read by the station and by headquarters alike.

Headquarters reads manifests and never runs plugin code: settings forms, validation, dashboards, imports
and privacy rules come from here. Unknown keys are errors, with file and line.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from protocol import manifest_reader
from protocol.errors import EventError, ManifestError
from protocol.manifest_fields import (
    SHELL_EVENTS,
    Content,
    ContentField,
    EventField,
    Metric,
    RequestField,
    RequestKind,
    Setting,
    Words,
)
from protocol.messages import Value

__all__ = [
    "API",
    "FILE",
    "SHELL_EVENTS",
    "Content",
    "ContentField",
    "EventField",
    "Manifest",
    "Metric",
    "RequestField",
    "RequestKind",
    "Setting",
    "Words",
    "api_fits",
    "parse",
    "read",
]

API: Final = 1
FILE: Final = "manifest.toml"

_ID = re.compile(r"[a-z][a-z0-9_]{1,30}")
_VERSION = re.compile(r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}")
_BOUND = re.compile(r"(>=|<=|<|>|==)([0-9]{1,6})")


class Manifest(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A plugin as data. `primary` asks for the wide tile of the home screen."""

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

    def sealed_fields(self, request: str) -> list[str]:
        """The names of a request's sealed fields; none if the request is not declared."""
        kind = self.requests.get(request)
        return kind.sealed if kind else []

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
    manifest = manifest_reader.convert(text, file, Manifest)
    for path, problem in _problems(manifest):
        raise ManifestError(file, manifest_reader.line_of(text, path), problem)
    return manifest


_CHOICE: Final = "a choice needs values, and only a choice has them"


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
    for path in _names(manifest):
        if not _ID.fullmatch(path[-1]):
            wrong(path, "use 2 to 31 small letters, digits and _ for a name, a letter first")
    for name, setting in manifest.settings.items():
        if (setting.type == "choice") != bool(setting.values):
            wrong(["settings", name], _CHOICE)
        if problem := setting.problem(setting.default):
            wrong(["settings", name, "default"], problem)
    for name, fields in manifest.events.items():
        if name in SHELL_EVENTS:
            wrong(["events", name], "the shell reports this event itself; choose another name")
        for field, kind in fields.items():
            if (kind.type == "choice") != bool(kind.values):
                wrong(["events", name, field], _CHOICE)
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
                wrong(["content", name, "fields", field], _CHOICE)
    for name, request in manifest.requests.items():
        for field, part in request.fields.items():
            if (part.type == "choice") != bool(part.values):
                wrong(["requests", name, "fields", field], _CHOICE)
        if request.sealed and not request.office:
            wrong(["requests", name], "a sealed field needs the office that may open it: office = ...")
    return found


def _names(manifest: Manifest) -> list[list[str]]:
    """The paths of all names that the author chose."""
    names = [
        [table, name]
        for table in ("settings", "events", "metrics", "content", "requests")
        for name in getattr(manifest, table)
    ]
    names += [["events", name, field] for name, fields in manifest.events.items() for field in fields]
    names += [
        ["content", name, "fields", field] for name, each in manifest.content.items() for field in each.fields
    ]
    names += [
        ["requests", name, "fields", field]
        for name, each in manifest.requests.items()
        for field in each.fields
    ]
    return names


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
