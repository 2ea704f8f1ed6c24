"""The texts of headquarters' pages, in Chinese and English, from strings/*.toml."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Final, Literal

from fastapi import Request
from starlette.datastructures import URL

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
COOKIE: Final = "lang"

_FOLDER = Path(__file__).parent / "strings"


class Words:
    """The texts of one language; called with a key and the values of its blanks."""

    def __init__(self, language: Language, texts: dict[str, str]) -> None:
        self.language = language
        self.texts = texts

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key`; KeyError for a key that no file has, so that a test finds it."""
        return self.texts[key].format(**values)

    def of(self, words: dict[Literal["zh", "en"], str]) -> str:
        """The text of a manifest's title in this language."""
        return words.get(self.language) or words["zh"]


@cache
def words(language: Language) -> Words:
    """The texts of a language, read once."""
    return Words(language, tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8")))


def wanted(request: Request) -> Language:
    """The language of a request: `?lang=`, then the cookie, then Chinese."""
    for choice in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        for language in LANGUAGES:
            if choice == language:
                return language
    return "zh"


def of(request: Request) -> Words:
    """The texts in the language of a request."""
    return words(wanted(request))


def switch(url: URL, language: Language) -> str:
    """The path and query of the same page in another language."""
    there = url.include_query_params(lang=language)
    return f"{there.path}?{there.query}"


def wait(tr: Words, seconds: int) -> str:
    """A waiting time in words: seconds up to two minutes, then minutes, rounded up."""
    return tr("wait.seconds", n=seconds) if seconds <= 120 else tr("wait.minutes", n=-(-seconds // 60))
