"""The sample content of the demo, written afresh so that it is of today."""

import csv
import shutil
import subprocess
import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from server.queries import ZONE

EVERY_DAY = "1234567"
DEMO_HOURS = 2


def write_samples(assets: Path, out: Path) -> dict[str, Path]:
    """Copy the samples to `out`, dated today; import name to file."""
    now = datetime.now(ZoneInfo(ZONE))
    shutil.copytree(assets / "sample", out)
    jobs, programme = out / "jobs.csv", out / "programme.csv"
    _write_jobs(assets, jobs, now.date())
    _put_on_air(programme, now)
    return {"jobs": jobs, "programme": programme, "rota": out / "rota.toml"}


def _write_jobs(assets: Path, file: Path, today: date) -> None:
    maker = assets / "make_jobs.py"
    subprocess.run(
        [sys.executable, str(maker), str(file), today.isoformat()], check=True, capture_output=True
    )


def _put_on_air(file: Path, now: datetime) -> None:
    """Between the slots of the sample nothing would be on; then the demo adds a slot that begins now."""
    with file.open(encoding="utf-8", newline="") as source:
        reader = csv.DictReader(source)
        columns, rows = list(reader.fieldnames or []), list(reader)
    if any(_minutes(row["start"]) <= now.time() < _minutes(row["end"]) for row in rows):
        return
    # A slot ends within its day, and before the next slot begins.
    begins = [row["start"] for row in rows if _minutes(row["start"]) > now.time()]
    end = min([(now + timedelta(hours=DEMO_HOURS)).strftime("%H:%M"), *begins])
    start = now.strftime("%H:%M")
    if end <= start:
        end = "23:59"
    first = min(row["start"] for row in rows)
    extra = [
        {**row, "item_id": f"demo-{row['item_id']}", "start": start, "end": end, "weekdays": EVERY_DAY}
        for row in rows
        if row["start"] == first
    ]
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, columns)
        writer.writeheader()
        writer.writerows(rows + extra)


def _minutes(text: str) -> time:
    return time.fromisoformat(text)
