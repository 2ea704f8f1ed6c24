"""Whom the doctor visits: a station's folder, what its kiosk is started with, and the language to speak."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kiosk.claim import FILE
from kiosk.clock import ZONE
from kiosk.options import SHIPPED, Options
from kiosk.strings import LANGUAGES, load
from protocol.finding import Sayings

FOLDER: Final = Path(__file__).parent / "strings"


@dataclass(frozen=True)
class Visit:
    """`wall` is the machine's clock in seconds since 1970."""

    data: Path
    say: Sayings
    plugins: tuple[Path, ...] = (SHIPPED,)
    zone: str = ZONE
    wall: Callable[[], float] = time.time

    @property
    def files(self) -> Options:
        """Where in the folder everything is."""
        return Options(data=self.data)


def sayings(language: str) -> Sayings:
    """The doctor's texts; `language` is zh or en."""
    assert language in LANGUAGES, language
    return Sayings(load(FOLDER).texts[language])


def is_station(data: Path) -> bool:
    """Whether a kiosk was ever started or claimed with this folder."""
    database = Options(data=data).database
    return any((data / name).exists() for name in (FILE, database.name, f"{database.name}.lock"))
