"""Settings given on the command line, as PLUGIN.NAME=VALUE: read and judged by the plugins' manifests."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kiosk import discovery
from kiosk.errors import PresetRefused
from kiosk.settings import Value
from protocol.manifest import Manifest, Setting

_FORM: Final = re.compile(r"([^.=]+)\.([^.=]+)=(.*)", re.DOTALL)
_FLAGS: Final[dict[str, Value]] = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


@dataclass(frozen=True)
class Preset:
    """One setting of a plugin, with a value that its manifest allows."""

    manifest: Manifest
    name: str
    value: Value


def read(texts: Sequence[str], folders: Iterable[Path]) -> list[Preset]:
    """The settings in the order given; PresetRefused says what is wrong with the first that does not fit."""
    if not texts:
        return []
    found, _ = discovery.find(folders)
    manifests = {each.manifest.id: each.manifest for each in found}
    return [_preset(text, manifests) for text in texts]


def _preset(text: str, manifests: dict[str, Manifest]) -> Preset:
    parts = _FORM.fullmatch(text)
    if parts is None:
        raise PresetRefused("form", text=text)
    plugin, name, given = (part.strip() for part in parts.groups())
    manifest = manifests.get(plugin)
    if manifest is None:
        raise PresetRefused("plugin", text=text, plugin=plugin, known=", ".join(sorted(manifests)))
    setting = manifest.settings.get(name)
    if setting is None:
        known = ", ".join(sorted(manifest.settings)) or "-"
        raise PresetRefused("name", text=text, plugin=plugin, name=name, known=known)
    value = _value(setting, given)
    if setting.problem(value):
        raise PresetRefused(setting.type, text=text, name=name, allowed=_allowed(setting))
    return Preset(manifest, name, value)


def _value(setting: Setting, given: str) -> Value:
    """The text as the setting's type; what cannot be read stays a text, which then does not fit."""
    match setting.type:
        case "integer" if re.fullmatch(r"-?[0-9]{1,15}", given):
            return int(given)
        case "flag":
            return _FLAGS.get(given.lower(), given)
        case _:
            return given


def _allowed(setting: Setting) -> str:
    """What an integer or a choice may be, in figures and names that every language reads."""
    if setting.type == "choice":
        return ", ".join(setting.values)
    match setting.min, setting.max:
        case None, None:
            return "..., -1, 0, 1, ..."
        case least, None:
            return f">= {least}"
        case None, most:
            return f"<= {most}"
        case least, most:
            return f"{least}–{most}"
