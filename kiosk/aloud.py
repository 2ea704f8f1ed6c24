"""What is read aloud to one visitor: its sounds lie in a folder of the session and go with it."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kiosk.errors import Busy
from kiosk.pool import Pool
from kiosk.session import Language, Session

if TYPE_CHECKING:
    from kiosk.media.client import Player

log = logging.getLogger(__name__)

OWNER = "shell"  # of the work in the pool


class Aloud:
    """`current()` is the session of now: what is ready only after its session is not heard any more."""

    def __init__(self, folder: Path, pool: Pool, player: "Player", current: Callable[[], Session]) -> None:
        self._folder, self._pool, self._player, self._current = folder, pool, player, current

    def say(self, text: str) -> None:
        """Read it to the visitor, in the language of the session; Busy if too much is waiting."""
        session = self._current()
        language = session.language
        self._pool.run(OWNER, lambda: self._say(text, language, session))

    def end(self, session: Session) -> None:
        """The visitor of this session, no longer the current one, has gone."""
        try:
            self._pool.run(OWNER, lambda: self._remove(session))
        except Busy:
            self._remove(session)

    def clear(self) -> None:
        """Remove what any visit has left, such as one that the power has ended."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _say(self, text: str, language: Language, session: Session) -> None:
        from kiosk.speech import Speech, SpeechError

        try:
            clip = Speech(self._folder / session.id).clip(text, language)
            if session is self._current():
                self._player.say(clip)
        except SpeechError as err:
            log.warning("not read aloud: %s", err)
        finally:
            if session is not self._current():
                self._remove(session)

    def _remove(self, session: Session) -> None:
        shutil.rmtree(self._folder / session.id, ignore_errors=True)
