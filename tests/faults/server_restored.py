"""Headquarters is put back to an older backup: the stations say again what it has forgotten."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from random import Random

from tests.faults.registry import fault
from tests.faults.report import Report
from tests.faults.town import Town


@fault("server_restored", least=20, share=0.5)
def run(town: Town, seconds: float, rng: Random) -> Report:
    """Copy the database aside, run on, put it back."""
    ends, restored = time.monotonic() + seconds, 0
    backup, centre = town.folder / "backup.sqlite", town.centre
    with town.busy():
        while not restored or time.monotonic() < ends:
            _copy(centre.database, backup)
            time.sleep(rng.uniform(2, 5))
            if rng.random() < 0.5:
                centre.stop()
            else:
                centre.kill()
            for part in ("", "-wal", "-shm"):
                centre.database.with_name(centre.database.name + part).unlink(missing_ok=True)
            backup.replace(centre.database)
            centre.ensure()
            restored += 1
            time.sleep(rng.uniform(0.5, 3))
    return town.settle("restores", restored)


def _copy(database: Path, backup: Path) -> None:
    """As an operator does it while headquarters runs."""
    backup.unlink(missing_ok=True)
    source = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(backup)) as target:
        source.backup(target)
