"""Somebody else holds headquarters' database: no ack is given, the pages say so, and it recovers alone."""

import sqlite3
import time
import urllib.error
import urllib.request
from contextlib import closing
from random import Random
from typing import Final

from tests.faults import accounts
from tests.faults.registry import fault
from tests.faults.report import Report
from tests.faults.town import Town, patiently

LOCKED: Final = 7.0  # s, longer than headquarters waits for a lock
WELL_AGAIN: Final = 15.0  # s


@fault("server_locked", least=10, share=0.3)
def run(town: Town, seconds: float, rng: Random) -> Report:
    """Hold a write lock for longer than headquarters waits."""
    ends, locks = time.monotonic() + seconds, 0
    problems: list[str] = []
    with town.busy():
        while not locks or time.monotonic() < ends:
            with closing(sqlite3.connect(town.centre.database, isolation_level=None, timeout=20)) as db:
                db.execute(rng.choice(("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE")))
                stored = patiently(lambda: accounts.cursors(town.centre.database))
                problems += stale(town, LOCKED + rng.uniform(0, 2))
                problems += _acked_beyond(town, stored)
                db.execute("ROLLBACK")
            locks += 1
            problems += well(town)
    return town.settle("locks", locks, problems=sorted(set(problems)))


def stale(town: Town, seconds: float) -> list[str]:
    """What is wrong if headquarters does not say within this time that its numbers stand still."""
    ends, said = time.monotonic() + seconds, False
    while time.monotonic() < ends:
        said = said or health(town) == 503
        time.sleep(0.2)
    return [] if said else ["headquarters does not say that its numbers stand still"]


def well(town: Town) -> list[str]:
    """What is wrong if headquarters does not recover by itself."""
    ends = time.monotonic() + WELL_AGAIN
    while health(town) != 200:
        if time.monotonic() > ends:
            return [f"headquarters has not recovered within {WELL_AGAIN:.0f} s"]
        time.sleep(0.1)
    return []


def health(town: Town) -> int:
    """The status of headquarters' page for watchdogs, 0 if it does not answer."""
    try:
        with urllib.request.urlopen(f"{town.centre.address}/health", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as err:
        return err.code
    except OSError:
        return 0


def _acked_beyond(town: Town, stored: dict[tuple[str, str], int]) -> list[str]:
    """Stations that believe headquarters to own what it could not store."""
    found = []
    for booth in town.stations:
        disk = town.disk(booth)
        if disk.acked > stored.get((booth.id, disk.stream), 0):
            found.append(f"{booth.id} was told that {disk.acked} is stored, which it was not")
    return found
