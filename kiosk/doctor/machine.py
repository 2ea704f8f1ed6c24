"""The machine below a data folder: its disk and its clock. The same for a station and for headquarters."""

import ctypes
import datetime as dt
import errno
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from protocol.finding import Finding, Sayings, size

LITTLE: Final = 500e6  # bytes that should be free
LEAST: Final = 50e6  # bytes below which it is a matter of days
SLOW: Final = 1.0  # s for one small write, flushed
YEARS: Final = range(2025, 2050)
_UNSYNCHRONISED: Final = 0x40  # STA_UNSYNC of adjtimex(2)
_STATUS_AT: Final = 40  # offset of `status` in struct timex where long has 64 bits


def disk(folder: Path, say: Sayings) -> Iterator[Finding]:
    """Whether there is room, and whether it takes a small write that is flushed."""
    found = os.statvfs(folder)
    if found.f_flag & os.ST_RDONLY:
        yield say.bad("disk.readonly", folder=folder)
        return
    free = found.f_bavail * found.f_frsize
    if found.f_files and found.f_favail * 100 < found.f_files:
        yield say.bad("disk.inodes", n=found.f_favail)
    started = time.monotonic()
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(bytes(65536))
            file.flush()
            os.fsync(file.fileno())
    except OSError as err:
        if err.errno in (errno.ENOSPC, errno.EDQUOT):
            yield say.bad("disk.full", free=size(free))
        else:
            yield say.bad("disk.unwritable", folder=folder, error=err.strerror)
        return
    took = time.monotonic() - started
    if strangers := _strangers(folder):
        yield say.bad("disk.owner", files=say.some(strangers), owner=_name(folder.stat().st_uid))
    if free < LEAST:
        yield say.bad("disk.full", free=size(free))
    elif free < LITTLE:
        yield say.warn("disk.little", free=size(free))
    else:
        yield say.ok("disk.ok", free=size(free))
    if took > SLOW:
        yield say.warn("disk.slow", seconds=f"{took:.1f}")


def _strangers(folder: Path) -> list[str]:
    """Files that the folder's own user may not write, as somebody else has made them."""
    owner = folder.stat().st_uid
    if owner == 0:
        return []  # root may write them all
    return sorted(each.name for each in folder.iterdir() if each.lstat().st_uid != owner)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def clock(say: Sayings, zone: str, wall: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Whether the clock can be right, and whether somebody keeps it right."""
    try:
        here = dt.datetime.fromtimestamp(wall(), ZoneInfo(zone))
    except (ZoneInfoNotFoundError, OSError):
        yield say.bad("clock.zone", zone=zone)
        return
    shown = f"{here:%Y-%m-%d %H:%M}"
    if here.year not in YEARS:
        yield say.bad("clock.year", now=shown)
        return
    synchronised = _synchronised()
    if synchronised is False:
        yield say.warn("clock.alone", now=shown, zone=zone)
    else:
        yield say.ok("clock.kept" if synchronised else "clock.ok", now=shown, zone=zone)


def _synchronised() -> bool | None:
    """Whether a time server keeps the clock; None if nobody can say."""
    program = shutil.which("timedatectl")
    if program:
        command = [program, "show", "--property=NTPSynchronized", "--value"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
        except (OSError, subprocess.TimeoutExpired):
            done = None
        if done is not None and done.returncode == 0 and done.stdout.strip() in ("yes", "no"):
            return done.stdout.strip() == "yes"
    return _kernel_synchronised()


def _kernel_synchronised() -> bool | None:
    if ctypes.sizeof(ctypes.c_long) != 8:
        return None
    timex = ctypes.create_string_buffer(512)  # no modes set: it only reads
    try:
        answer = ctypes.CDLL(None).adjtimex(timex)
    except (OSError, AttributeError):
        return None
    status = int.from_bytes(timex.raw[_STATUS_AT : _STATUS_AT + 4], "little")
    return None if answer < 0 else not status & _UNSYNCHRONISED
