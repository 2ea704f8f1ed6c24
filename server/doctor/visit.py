"""Whom the doctor visits: headquarters' folder, and a way to read its database without disturbing it."""

import sqlite3
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import NullPool

from protocol.finding import Sayings
from server.manifests import SHIPPED
from server.store.engine import FILE
from server.web import words

SECONDS: Final = 20.0  # that one look into the database may take
_STEPS: Final = 20_000  # of SQLite's machine between two looks at the time
_TEXTS: Final = Path(__file__).parent / "strings"


@dataclass(frozen=True)
class Visit:
    """`plugins` are the folders beside the shipped ones; `wall` is the clock in seconds since 1970.

    `backup`: a file, or the folder of them, where somebody has named it.
    """

    data: Path
    say: Sayings
    plugins: tuple[Path, ...] = ()
    backup: Path | None = None
    wall: Callable[[], float] = time.time

    @property
    def database(self) -> Path:
        return self.data / FILE

    @property
    def folders(self) -> list[Path]:
        """All folders of plugins."""
        return [SHIPPED, *self.plugins]

    @property
    def now(self) -> int:
        """The wall clock in ms."""
        return int(self.wall() * 1000)

    def on_pages(self, key: str) -> str:
        """What headquarters' own pages say to this, so that both use the same words; empty if nothing."""
        language: words.Language = "zh" if self.say.text("language") == "zh" else "en"
        return words.words(language).texts.get(key, "")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One snapshot of the database; what takes too long in it ends with OperationalError."""
        engine = create_engine("sqlite://", creator=self._open, poolclass=NullPool)
        event.listen(engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN"))
        with engine.connect() as conn, conn.begin():
            yield conn

    def _open(self) -> sqlite3.Connection:
        # With a log beside it the file is read as every reader reads it. Without one nobody is at work, and
        # a reader would leave a log behind: then it is read as it lies.
        shared = self.database.with_name(f"{FILE}-wal").exists()
        uri = f"{self.database.resolve().as_uri()}?{'mode=ro' if shared else 'immutable=1'}"
        conn = sqlite3.connect(uri, uri=True, timeout=2.0, isolation_level=None, check_same_thread=False)
        end = time.monotonic() + SECONDS
        conn.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS)
        return conn


def sayings(language: str) -> Sayings:
    """The doctor's texts; `language` is zh or en."""
    return Sayings(tomllib.loads((_TEXTS / f"{language}.toml").read_text(encoding="utf-8")))


def is_headquarters(data: Path) -> bool:
    """Whether headquarters was ever started with this folder, or given a command for it."""
    return (data / FILE).exists()
