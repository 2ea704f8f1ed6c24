"""The settings of plugins: the manifest's defaults, and over them what this station was set to."""

import json
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from kiosk.database import Database
from kiosk.errors import SettingRefused
from kiosk.receipt import Receipt
from protocol.manifest import Manifest

if TYPE_CHECKING:
    import sqlite_utils

log = logging.getLogger(__name__)

Value = int | str | bool


class Settings:
    """Values are read from memory and written through the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stored: dict[str, dict[str, object]] = {}
        self._values: dict[str, Mapping[str, Value]] = {}
        self.problems: dict[str, list[str]] = {}

    def load(self) -> Receipt[None]:
        """Read what is stored; call once before the plugins are loaded."""

        def job(db: "sqlite_utils.Database") -> None:
            for plugin, name, text in db.execute("SELECT plugin, name, value FROM _setting"):
                try:
                    value: object = json.loads(text)
                except ValueError:
                    value = None  # fits no type, so it is refused by name below
                self._stored.setdefault(plugin, {})[name] = value

        return self._database.read(job)

    def of(self, manifest: Manifest) -> Mapping[str, Value]:
        """Settings of a plugin. A stored value that is unfit gives way to the default: see `problems`."""
        values = self._values.get(manifest.id)
        if values is None:
            values = self._values[manifest.id] = self._merge(manifest)
        return values

    def set(self, manifest: Manifest, name: str, value: Value) -> Receipt[None]:
        """Store one value; SettingRefused at once if the manifest does not allow it."""
        setting = manifest.settings.get(name)
        problem = "is not declared" if setting is None else setting.problem(value)
        if problem:
            raise SettingRefused(f"{manifest.id}: {name} {problem}", name=name, problem=problem)

        def job(db: "sqlite_utils.Database") -> None:
            db.execute(
                "INSERT OR REPLACE INTO _setting VALUES (?, ?, ?)", [manifest.id, name, json.dumps(value)]
            )

        def stored(receipt: Receipt[None]) -> None:
            if receipt.ok:
                self._stored.setdefault(manifest.id, {})[name] = value
                self._values[manifest.id] = self._merge(manifest)

        return self._database.write(job).then(stored)

    def _merge(self, manifest: Manifest) -> Mapping[str, Value]:
        values = manifest.defaults()
        problems = []
        for name, value in self._stored.get(manifest.id, {}).items():
            setting = manifest.settings.get(name)
            if setting is None:
                continue  # an older or newer release of the plugin knows it
            if problem := setting.problem(value):
                problems.append(f"{manifest.id}: the stored value of {name} {problem}; the default is used")
                log.warning(problems[-1])
            else:
                values[name] = value  # type: ignore[assignment]
        self.problems[manifest.id] = problems
        return MappingProxyType(values)


def live(of: Callable[[], Mapping[str, Value]]) -> Mapping[str, Value]:
    """A mapping that looks the values up at each access, so that a plugin may keep it."""
    return _Live(of)


class _Live(Mapping[str, Value]):
    def __init__(self, of: Callable[[], Mapping[str, Value]]) -> None:
        self._of = of

    def __getitem__(self, name: str) -> Value:
        return self._of()[name]

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._of())

    def __len__(self) -> int:
        return len(self._of())
