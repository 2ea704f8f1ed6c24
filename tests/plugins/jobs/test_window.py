"""Finding work in a real window: filter, search by letters, read a post, take it along."""

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from kiosk.testing_ui import Kiosk
from tests.plugins import station_data

pytestmark = pytest.mark.window

SAMPLE = Path(__file__).parents[3] / "assets" / "sample" / "jobs.csv"


def posts() -> list[dict[str, Any]]:
    """The sample, open for years, so that the machine's date does not matter; one has expired."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    for row in rows:
        row |= {"pay_min": int(row["pay_min"]), "pay_max": int(row["pay_max"]), "expires": "2099-12-31"}
    rows[0]["expires"] = (date.today() - timedelta(days=2)).isoformat()  # noqa: DTZ011 - two days cover any zone
    return rows


def test_a_visitor_finds_a_post_and_takes_it_along(tmp_path: Path) -> None:
    rows = posts()
    station_data.replicate(tmp_path, "jobs.posts", "job_id", rows)
    drivers = [row for row in rows if row["trade"] == "trucker" and row["job_id"] != rows[0]["job_id"]]
    with Kiosk(tmp_path) as kiosk:
        kiosk.tap(name="home.jobs")
        kiosk.wait(text=f"{len(rows) - 1} 个岗位在招")
        assert f"jobs.{rows[0]['job_id']}" not in kiosk.names()
        kiosk.tap(name="jobs.pager.next")
        kiosk.wait(text=f"2 / {-(-(len(rows) - 1) // 4)}")

        kiosk.tap(name="jobs.trade")
        kiosk.tap(name="jobs.trade.trucker")
        kiosk.wait(text=f"找到 {len(drivers)} 个岗位")

        kiosk.tap(name="jobs.search")
        kiosk.wait(gone="正在准备拼音")
        kiosk.tap(name="jobs.pad.Q")
        kiosk.tap(name="jobs.pad.Q")
        kiosk.wait(text="没有找到")
        for letter in ("delete", "delete", "L", "C", "S", "J"):
            kiosk.tap(name=f"jobs.pad.{letter}")
        chilled = [row for row in rows[1:] if "冷链车司机" in row["title"]]
        kiosk.wait(text=f"看 {len(chilled)} 个岗位")
        kiosk.tap(name="jobs.pad.done")
        kiosk.wait(text=f"找到 {len(chilled)} 个岗位")

        first = max(chilled, key=lambda row: (row["posted"], [-ord(sign) for sign in row["job_id"]]))
        kiosk.tap(name=f"jobs.{first['job_id']}")
        kiosk.wait(text=first["phone"])
        kiosk.tap(name="jobs.post.next")
        kiosk.wait(text="带走了")
        kiosk.tap(name="jobs.message.next")
        kiosk.wait(text=f"找到 {len(chilled)} 个岗位")
        kiosk.tap(name="shell.finish")
        kiosk.wait(name="home.jobs")
    job = first["job_id"]
    assert [(event.name, event.d) for event in station_data.events(tmp_path, "jobs")] == [
        ("searched", {"hits": len(drivers)}),
        ("searched", {"hits": len(chilled)}),
        ("viewed", {"job": job}),
        ("handed_over", {"job": job}),
    ]
