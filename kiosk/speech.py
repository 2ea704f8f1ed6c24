"""Reading aloud: text to a sound file kept for the visit, by espeak-ng.

Its Mandarin voice reads many characters as Latin letters, so it is given pinyin with tone numbers. All of
this takes a moment (pypinyin alone 0.6 s to load): call `Speech.clip` off the UI thread.
"""

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final

from kiosk.errors import KioskError

CACHE_BYTES: Final = 32 * 2**20
#: A screen read aloud in full; what is longer is no screen of ours.
MAX_LETTERS: Final = 1500
SECONDS_ALLOWED: Final = 30.0
WORDS_A_MINUTE: Final = {"zh": 160, "en": 150}
_VOICES: Final = {"zh": "cmn-latn-pinyin", "en": "en"}
#: Raise it when the same text shall sound different from now on.
_CACHE_VERSION: Final = "1"

_DIGITS: Final = "零一二三四五六七八九"
_HAN: Final = re.compile(r"[㐀-鿿〇]")
_RUN: Final = re.compile(r"[A-Za-z][A-Za-z'’-]*(?:[ ]+[A-Za-z][A-Za-z'’-]*)*")
_PAUSES: Final = str.maketrans("，、。！？；：·・（）《》「」“”…—\n", ",,.!?;:,,,,,,,,  .,.")


class SpeechError(KioskError):
    """Nothing can be read aloud; `key` says why."""

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key


class Speech:
    """Sound files of spoken texts, kept in `folder` up to a size."""

    def __init__(self, folder: Path, limit: int = CACHE_BYTES, program: str = "espeak-ng") -> None:
        self.folder, self.limit, self.program = folder, limit, program

    def clip(self, text: str, language: str = "zh") -> Path:
        """A wav of the text, made now or kept from before; SpeechError if that cannot be."""
        markup = ssml(text[:MAX_LETTERS], language)
        name = hashlib.sha256(f"{_CACHE_VERSION}\n{language}\n{markup}".encode()).hexdigest()[:32]
        file = self.folder / f"{name}.wav"
        try:
            if file.is_file():
                os.utime(file)
                return file
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make(markup, language, file)
            self._shrink(keep=file)
        except OSError as err:
            raise SpeechError("core.speech_no_room", f"the sound cannot be stored: {err}") from err
        return file

    def _make(self, markup: str, language: str, file: Path) -> None:
        handle, aside = tempfile.mkstemp(suffix=".part", dir=self.folder)
        os.close(handle)
        speed = str(WORDS_A_MINUTE.get(language, 150))
        voice = _VOICES.get(language, "en")
        command = [self.program, "-m", "-v", voice, "-s", speed, "-w", aside, "--stdin"]
        try:
            subprocess.run(
                command, input=markup.encode(), check=True, capture_output=True, timeout=SECONDS_ALLOWED
            )
            os.replace(aside, file)
        except FileNotFoundError as err:
            raise SpeechError("core.speech_missing", f"{self.program} is not installed") from err
        except subprocess.SubprocessError as err:
            raise SpeechError("core.speech_failed", f"{self.program} cannot read this: {err}") from err
        finally:
            Path(aside).unlink(missing_ok=True)

    def _shrink(self, keep: Path) -> None:
        files = sorted(
            ((each.stat(), each) for each in self.folder.glob("*.wav")), key=lambda f: f[0].st_mtime
        )
        size = sum(about.st_size for about, _ in files)
        for about, each in files:
            if size <= self.limit:
                break
            if each != keep:
                each.unlink(missing_ok=True)
                size -= about.st_size


def ssml(text: str, language: str) -> str:
    """The text as espeak-ng reads it: pinyin and Latin words, each in a voice of its own language."""
    parts = [
        f'<voice name="{_VOICES[voice]}">{escape(words)}</voice>' for voice, words in _runs(text, language)
    ]
    return f"<speak>{' '.join(parts)}</speak>"


def _runs(text: str, language: str) -> Iterator[tuple[str, str]]:
    """The text cut into (zh, pinyin) and (en, words)."""
    if language != "zh":
        # Titles stay Chinese on the English screen.
        for part in re.split(
            r"((?:[㐀-鿿〇，。！？、：《》\d]*[㐀-鿿〇][㐀-鿿〇，。！？、：《》\d]*)+)", text
        ):
            if part.strip():
                yield (
                    ("zh", pinyin(part)) if _HAN.search(part) else ("en", part.translate(_PAUSES).strip(" ,"))
                )
        return
    at = 0
    for latin in _RUN.finditer(text):
        yield from _chinese(text[at : latin.start()])
        initials = latin[0].isupper() and len(latin[0]) <= 3
        yield "en", " ".join(latin[0]) if initials else latin[0]
        at = latin.end()
    yield from _chinese(text[at:])


def _chinese(text: str) -> Iterator[tuple[str, str]]:
    read = pinyin(text)
    if re.search(r"[a-z]", read):
        yield "zh", read


def pinyin(text: str) -> str:
    """Syllables with tone numbers, phrases read as such: 银行 is yin2 hang2, 重庆 is chong2 qing4."""
    from pypinyin import Style, lazy_pinyin

    syllables = lazy_pinyin(
        spell_numbers(text),
        style=Style.TONE3,
        neutral_tone_with_five=True,
        tone_sandhi=True,
        errors=lambda rest: re.sub(r"[^a-z,.!?;: ]+", " ", rest.translate(_PAUSES).lower()),
    )
    return " ".join(" ".join(syllables).split()).lstrip(",.!?;: ")


def spell_numbers(text: str) -> str:
    """Digits as Chinese is spoken: 10:40 is 十点四十分, 50% is 百分之五十, a code or phone one by one."""
    text = re.sub(r"(\d{4})-(\d{2})-(\d{2})", r"\1年\2月\3日", text)
    text = re.sub(r"(?<=\d)\s*[-–—~～]\s*(?=\d{1,5}(?!\d))", "到", text)
    text = re.sub(r"(?<![\d:：])(\d{1,2})[:：](\d{2})(?![\d:：])", _time, text)
    text = re.sub(r"(?<!\d)0(?=\d[月日])", "", text)
    text = re.sub(r"(\d{4})(?=年)", lambda found: _one_by_one(found[1]), text)
    text = re.sub(r"(\d+(?:\.\d+)?)\s*[%％]", lambda found: "百分之" + _amount(found[1]), text)
    text = re.sub(r"\d+\.\d+", lambda found: _amount(found[0]), text)
    return re.sub(r"(\d+)(\s*[元个人次名块条份斤米])?", _whole, text)


def _time(found: re.Match[str]) -> str:
    hour, minute = int(found[1]), int(found[2])
    if minute == 0:
        return f"{number(hour)}点"
    return f"{number(hour)}点{'零' if minute < 10 else ''}{number(minute)}分"


def _amount(digits: str) -> str:
    whole, _, rest = digits.partition(".")
    return number(int(whole)) + (("点" + "".join(_DIGITS[int(d)] for d in rest)) if rest else "")


def _whole(found: re.Match[str]) -> str:
    digits, unit = found[1], (found[2] or "").strip()
    code = len(digits) > 8 or (len(digits) > 1 and digits[0] == "0") or (len(digits) > 4 and not unit)
    return (_one_by_one(digits, spoken_one="幺") if code else number(int(digits))) + unit


def _one_by_one(digits: str, spoken_one: str = "一") -> str:
    return "".join(spoken_one if digit == "1" else _DIGITS[int(digit)] for digit in digits)


def number(value: int) -> str:
    """A whole number from 0 below a hundred million, in Chinese words."""
    if value >= 10_000:
        high, low = divmod(value, 10_000)
        between = "零" if 0 < low < 1000 else ""
        return number(high) + "万" + between + (number(low) if low else "")
    words, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, value = divmod(value, unit)
        if digit:
            tens_alone = unit == 10 and digit == 1 and not words
            words += ("零" if gap and words else "") + ("" if tens_alone else _DIGITS[digit]) + name
            gap = False
        else:
            gap = True
    return words or "零"
