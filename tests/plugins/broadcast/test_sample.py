"""The sample programme: complete, playable, and as long as it says."""

import csv
import time
from pathlib import Path

import pytest

from kiosk.media.client import Player
from kiosk.ui_thread import pump
from plugins.broadcast import rules
from protocol import manifest

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "assets" / "sample"
ROWS = list(csv.DictReader((SAMPLE / "programme.csv").read_text(encoding="utf-8").splitlines()))
FILES = sorted({row["media"] for row in ROWS})


def test_the_columns_are_the_fields_of_the_collection():
    fields = manifest.read(ROOT / "plugins" / "broadcast").content["programme"].fields
    assert set(ROWS[0]) == set(fields)


def test_every_row_can_be_played_and_the_three_slots_of_the_day_are_filled():
    rows = [row | {"position": int(row["position"]), "seconds": int(row["seconds"])} for row in ROWS]
    items, senseless = rules.read(rows)
    assert not senseless
    assert {(item.start // 3600, item.end // 3600) for item in items} == {(10, 12), (14, 16), (18, 20)}


def test_the_committed_files_are_small():
    assert sum((SAMPLE / name).stat().st_size for name in FILES) < 1_500_000


@pytest.fixture(scope="module")
def player():
    player = Player()
    yield player
    player.close()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_as_long_as_the_programme_says_and_has_a_picture_if_it_says_so(player, name):
    rows = [row for row in ROWS if row["media"] == name]
    player.play(SAMPLE / name)
    state = wait_for(player, lambda state: state.duration)
    assert all(int(row["seconds"]) == pytest.approx(state.duration, abs=1.0) for row in rows)
    assert {row["has_picture"] for row in rows} == {"true" if state.video else "false"}


def wait_for(player, holds):
    deadline = time.monotonic() + 15
    while not holds(player.state):
        pump(0.05)
        assert time.monotonic() < deadline, player.state
    return player.state
