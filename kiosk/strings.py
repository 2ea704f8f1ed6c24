"""Texts in two languages: flat `key = "text with {n}"` in zh.toml and en.toml; Chinese comes first."""

import tomllib
from functools import cache
from pathlib import Path

FIRST = "zh"
LANGUAGES = ("zh", "en")
FOLDER = Path(__file__).parent / "strings"


class MissingString(KeyError):
    """A key or a value of a sentence that no strings file gives; raised only where `strict`."""


class Strings:
    """The texts of one plugin, or of the kiosk itself. With `strict` (tests) a missing key is an error."""

    def __init__(self, texts: dict[str, dict[str, str]], strict: bool = False) -> None:
        self.texts = texts
        self.strict = strict

    def text(self, language: str, key: str, **values: object) -> str:
        """The sentence in the language, else in Chinese, else the key itself."""
        template = self.texts.get(language, {}).get(key)
        if template is None:
            if self.strict:
                raise MissingString(f"{key} ({language})")
            template = self.texts.get(FIRST, {}).get(key, key)
        try:
            return template.format(**values) if values or "{" in template else template
        except (KeyError, IndexError, ValueError) as err:
            if self.strict:
                raise MissingString(f"{key} ({language}): {err}") from err
            return template


def load(folder: Path, strict: bool = False, stems: tuple[str, ...] = ("",)) -> Strings:
    """Read `{stem}zh.toml` and `{stem}en.toml` of a folder; a missing file is empty, a broken one raises."""
    texts: dict[str, dict[str, str]] = {}
    for language in LANGUAGES:
        merged: dict[str, str] = {}
        for stem in stems:
            file = folder / f"{stem}{language}.toml"
            if file.is_file():
                merged.update(_flat(tomllib.loads(file.read_text(encoding="utf-8"))))
        texts[language] = merged
    return Strings(texts, strict)


@cache
def own() -> Strings:
    """The kiosk's own texts: keys that start with `core.` and `ui.`."""
    return load(FOLDER, stems=("core.", "ui."))


def _flat(table: dict[str, object], prefix: str = "") -> dict[str, str]:
    # `core.busy = "..."` is a nested table to TOML and one flat key to us.
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat
