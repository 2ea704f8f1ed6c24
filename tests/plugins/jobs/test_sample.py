"""The sample posts: the same every time, fit for the collection, fresh on any day."""

import csv
import importlib.util
import sys
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from plugins.jobs import rules
from protocol import manifest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_jobs", ROOT / "assets" / "make_jobs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_committed_sample_is_what_the_generator_writes(maker: ModuleType, tmp_path: Path) -> None:
    maker.write(tmp_path / "jobs.csv", maker.DAY)
    assert (tmp_path / "jobs.csv").read_bytes() == maker.SAMPLE.read_bytes()


@pytest.mark.parametrize("today", [date(2026, 11, 21), date(2028, 2, 29)])
def test_on_any_day_the_demo_has_new_open_and_expired_posts(
    maker: ModuleType, tmp_path: Path, today: date
) -> None:
    maker.write(tmp_path / "jobs.csv", today)
    with (tmp_path / "jobs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    fields = manifest.read(ROOT / "plugins" / "jobs").content["posts"].fields
    assert list(rows[0]) == list(fields)
    for row in rows:
        for name, value in row.items():
            assert value or not fields[name].required
            assert not fields[name].values or value in fields[name].values
            assert fields[name].max is None or len(value) <= (fields[name].max or 0)
    posts = [
        post
        for row in rows
        if (post := rules.read({**row, "pay_min": int(row["pay_min"]), "pay_max": int(row["pay_max"])}))
    ]
    assert len(posts) == len({post.job_id for post in posts}) == maker.COUNT
    assert len(rules.current(posts, today)) == maker.COUNT - maker.EXPIRED
    assert rules.new_today(posts, today) == maker.NEW_TODAY
    assert all(post.posted <= post.expires for post in posts)
