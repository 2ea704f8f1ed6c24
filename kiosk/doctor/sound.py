"""What can be heard: the player's library, a sound card, and the voice."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kiosk.doctor import child
from kiosk.doctor.visit import Visit
from kiosk.speech import Speech, SpeechError
from protocol.finding import Finding

SECONDS: Final = 15.0
CARDS: Final = Path("/proc/asound/cards")
SOCKETS: Final = Path("/run/user")
WORDS: Final = {"zh": "欢迎", "en": "Welcome"}


def sound(visit: Visit) -> Iterator[Finding]:
    """Whether libmpv loads, and whether there is something to play to."""
    say = visit.say
    ended = child.python(["-c", "import mpv"], SECONDS)
    if ended.status != 0:
        yield say.bad("sound.no_player", error=ended.last_line or ended.how())
    elif found := _outlet():
        yield say.ok("sound.ok", outlet=found)
    else:
        yield say.warn("sound.no_card")


def speech(visit: Visit) -> Iterator[Finding]:
    """Whether both languages can be read aloud: a word of each is, to a file."""
    with tempfile.TemporaryDirectory(prefix="yizhan-doctor-") as folder:
        for language, words in WORDS.items():
            try:
                Speech(Path(folder)).clip(words, language)
            except SpeechError as err:
                yield visit.say.bad(f"speech.{err.key.rpartition('.')[2].removeprefix('speech_')}")
                return
    yield visit.say.ok("speech.ok")


def _outlet() -> str:
    """A sound server or card by its name; empty without one."""
    if os.environ.get("PULSE_SERVER"):
        return "PULSE_SERVER"
    if found := sorted([*SOCKETS.glob("*/pulse/native"), *SOCKETS.glob("*/pipewire-0")]):
        return found[0].name if found[0].name != "native" else "PulseAudio"
    try:
        lines = CARDS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    # ` 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones`
    names = [line.partition("]: ")[2] for line in lines if "]: " in line]
    return names[0] if names else ""
