"""`yizhan doctor`: runs the checks of a station and of headquarters, and says in plain words what is wrong.

A composition root: what the two sides check is theirs, in `kiosk.doctor` and `server.doctor`; here is who is
asked, that each check ends in time, and how it is shown.
"""

import argparse
import os
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TextIO

import msgspec

from protocol.finding import LEVELS, Check, Finding, Sayings

SECONDS: Final = 30.0
WELL: Final = 0
ILL: Final = 1
NOT_ASKED: Final = 2
SIGNS: Final = {"ok": "✓", "warn": "!", "bad": "✗", "do": "→"}
PLAIN_SIGNS: Final = {"ok": "+", "warn": "!", "bad": "x", "do": "->"}


@dataclass(frozen=True)
class Place:
    """One of the two that is examined; `what` is station or headquarters."""

    what: str
    folder: Path
    checks: Mapping[str, Check]


class Examined(msgspec.Struct, frozen=True):
    """What `--json` prints of a place."""

    what: str
    folder: str
    findings: list[Finding]


def main(argv: list[str] | None = None) -> int:
    """Examine what is asked for, or what is here; 0 all well, 1 something wrong, 2 nothing to examine."""
    from kiosk.doctor.visit import sayings

    given = _parser().parse_args(argv)
    say = sayings(_language(given.language, sys.stdout))
    places, problem = _places(given, say)
    if problem or not places:
        print(problem or say.text("doctor.nobody"), file=sys.stderr)
        return NOT_ASKED
    examined = [
        Examined(place.what, str(place.folder), _worst_last(examine(place.checks, say, given.seconds)))
        for place in places
    ]
    levels = [each.level for one in examined for each in one.findings]
    status = ILL if "bad" in levels else WELL
    if given.json:
        print(msgspec.json.encode({"status": status, "examined": examined}).decode())
    else:
        _show(examined, say)
    sys.stdout.flush()
    return status


def examine(checks: Mapping[str, Check], say: Sayings, seconds: float) -> list[Finding]:
    """Run all checks beside each other; one that raises, or is not done in time, is a finding itself."""
    found: dict[str, list[Finding]] = {subject: [] for subject in checks}
    # Daemons: a thread that hangs in the kernel, on a dead disk, must not keep us from ending.
    threads = {
        subject: threading.Thread(target=_run, args=(subject, check, say, found[subject]), daemon=True)
        for subject, check in checks.items()
    }
    for thread in threads.values():
        thread.start()
    end = time.monotonic() + seconds
    findings: list[Finding] = []
    for subject, thread in threads.items():
        thread.join(max(0.0, end - time.monotonic()))
        findings += list(found[subject])
        if thread.is_alive():
            name = say.texts.get(subject, subject)
            findings.append(say.bad("check.late", subject=name, span=say.span(seconds)))
    return findings


def _run(subject: str, check: Check, say: Sayings, found: list[Finding]) -> None:
    try:
        found.extend(check())
    except Exception as err:  # noqa: BLE001 - a fence: what a check did not expect is a finding too
        name = say.texts.get(subject, subject)
        found.append(say.bad("check.crashed", subject=name, error=f"{type(err).__name__}: {err}"))


def _places(given: argparse.Namespace, say: Sayings) -> tuple[list[Place], str]:
    """Who is to be examined, or why nobody can be, in a sentence."""
    asked = given.station is not None or given.headquarters is not None
    places = []
    for what, folder, look in (
        ("station", given.station, _station),
        ("headquarters", given.headquarters, _headquarters),
    ):
        if folder is None and asked:
            continue  # and nothing of it is loaded, which a small machine would wait for
        place = look(folder, given, say)
        if place is not None:
            places.append(place)
        elif asked:
            return [], say.text(f"doctor.no_{what}", folder=folder)
    return places, ""


def _station(folder: Path | None, given: argparse.Namespace, say: Sayings) -> Place | None:
    from kiosk import doctor
    from kiosk.__main__ import _data as default_data
    from kiosk.doctor.visit import Visit, is_station
    from kiosk.options import SHIPPED

    folder = (folder or default_data()).expanduser().resolve()
    if not _is(is_station, folder):
        return None
    visit = Visit(folder, say, tuple(given.plugins or [SHIPPED]), wall=_wall(given))
    return Place("station", folder, doctor.checks(visit))


def _headquarters(folder: Path | None, given: argparse.Namespace, say: Sayings) -> Place | None:
    from kiosk.clock import ZONE
    from kiosk.doctor import machine
    from server import doctor
    from server.cli import DATA

    folder = (folder or DATA).expanduser().resolve()
    if not _is(doctor.is_headquarters, folder):
        return None
    texts, folders = doctor.sayings(say.texts["language"]), tuple(given.plugins or ())
    visit = doctor.Visit(folder, texts, folders, given.backup, _wall(given))
    own = doctor.checks(visit)
    # The machine below is examined alike wherever it stands.
    of_machine: dict[str, Check] = {
        "disk": partial(machine.disk, folder, say),
        "clock": partial(machine.clock, say, ZONE, _wall(given)),
    }
    return Place("headquarters", folder, {**own, **of_machine})


def _is(known: Callable[[Path], bool], folder: Path) -> bool:
    try:
        return known(folder)
    except OSError:
        return False  # a folder that may not be looked into


def _wall(given: argparse.Namespace) -> Callable[[], float]:
    shift = 0.0 if given.now is None else given.now - time.time()
    return lambda: time.time() + shift


def _worst_last(findings: Sequence[Finding]) -> list[Finding]:
    """Best first, so that the end of the list, which a terminal shows, is what matters."""
    return sorted(findings, key=lambda each: LEVELS.index(each.level))


def _show(examined: Sequence[Examined], say: Sayings) -> None:
    signs = SIGNS if _can_say("".join(SIGNS.values()), sys.stdout) else PLAIN_SIGNS
    wide = max(_width(each.subject) for one in examined for each in one.findings)
    for one in examined:
        print(say.text(f"doctor.{one.what}", folder=one.folder))
        for each in one.findings:
            subject = each.subject + " " * (wide - _width(each.subject))
            print(f"{signs[each.level]} {subject}  {_one_line(each.sentence)}")
            if each.remedy:
                print(f"  {' ' * wide}  {signs['do']} {_one_line(each.remedy)}")
        print()
    n = {level: sum(each.level == level for one in examined for each in one.findings) for level in LEVELS}
    key = "ill" if n["bad"] else "fair" if n["warn"] else "well"
    print(say.text(f"doctor.{key}", bad=n["bad"], warn=n["warn"], ill=signs["bad"]))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _width(text: str) -> int:
    """Columns in a terminal: Chinese letters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _language(asked: str | None, out: TextIO) -> str:
    """The language asked for, else the machine's; English where the output cannot hold Chinese letters."""
    found = next(filter(None, (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    language = asked or ("zh" if found.startswith("zh") else "en")
    if hasattr(out, "reconfigure"):
        out.reconfigure(errors="backslashreplace")
    return language if language == "en" or _can_say("驿站", out) else "en"


def _can_say(text: str, out: TextIO) -> bool:
    try:
        text.encode(out.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "yizhan doctor",
        description="What is wrong with this station or headquarters, and what to do. Without a folder: "
        "whichever is on this machine. Exit status: 0 all well, 1 something is wrong, 2 nothing to examine.",
    )
    add = parser.add_argument
    add("--station", type=Path, metavar="FOLDER", help="the data folder of a station")
    add("--headquarters", type=Path, metavar="FOLDER", help="the data folder of headquarters")
    add("--plugins", type=Path, action="append", metavar="FOLDER", help="as it was started with")
    add("--backup", type=Path, metavar="FILE", help="headquarters' last backup, or the folder of them")
    add("--language", choices=("zh", "en"), help="instead of the machine's own (LANG)")
    add("--json", action="store_true", help="for programs")
    add("--seconds", type=_seconds, default=SECONDS, help="the longest to wait for checks (%(default)s)")
    add("--now", type=float, help=argparse.SUPPRESS)  # another wall clock, s since 1970, for tests
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds up to 3600")
    return seconds
