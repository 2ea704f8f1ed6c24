"""docs/one_tap.md is walked: two touches on a real station, a real headquarters, every step in its place."""

import ast
import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from kiosk.testing_ui import Kiosk
from server.store.schema import message, rollup, stream, watermark
from tests.journeys.site import ROOT, Headquarters, until

PAGE = (ROOT / "docs" / "one_tap.md").read_text(encoding="utf-8")
STEP = re.compile(r"^(\d+)\. `([\w/]+\.py)` `([\w.]+)`: ", re.MULTILINE)
STATION = "zl-018"

#: Imported first by each process: notes when one of the documented functions is entered, in any thread.
WITNESS = """
import json, os, sys, threading, time
root = os.environ["WITNESS_ROOT"] + os.sep
steps = {tuple(each) for each in json.loads(os.environ["WITNESS_STEPS"])}
names = {name for _, name in steps}
log = os.open(os.environ["WITNESS_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def witness(frame, event, argument):
    code = frame.f_code
    if code.co_qualname in names:
        step = (code.co_filename.removeprefix(root), code.co_qualname)
        if step in steps:
            os.write(log, (json.dumps([time.monotonic(), *step]) + "\\n").encode())
sys.settrace(witness)
threading.settrace(witness)
"""


@dataclass(frozen=True)
class Section:
    """A part of the page. One that is headed "Meanwhile" does not hold up those after it."""

    title: str
    steps: tuple[tuple[int, str, str], ...]
    leaves: str


def sections() -> list[Section]:
    """The page's sections with their numbered steps."""
    found = []
    for part in PAGE.split("\n## ")[1:]:
        steps = tuple((int(number), file, name) for number, file, name in STEP.findall(part))
        found.append(Section(part.splitlines()[0], steps, part.partition("Leaves: ")[2]))
    return found


STEPS = [step for section in sections() for step in section.steps]


def test_the_steps_are_numbered_without_gaps_and_each_line_is_one() -> None:
    assert [number for number, _, _ in STEPS] == list(range(1, len(STEPS) + 1))
    assert len(re.findall(r"^\d+\. ", PAGE, re.MULTILINE)) == len(STEPS) > 40


@pytest.mark.parametrize(("file", "name"), sorted({(file, name) for _, file, name in STEPS}))
def test_every_step_names_a_function_that_exists(file: str, name: str) -> None:
    body: list[ast.stmt] = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    for part in name.split("."):
        (found,) = [node for node in body if getattr(node, "name", "") == part]
        assert isinstance(found, ast.ClassDef | ast.FunctionDef)
        body = found.body
    assert isinstance(found, ast.FunctionDef)


@dataclass
class Walk:
    """A station and its headquarters, both watched."""

    headquarters: Headquarters
    kiosk: Kiosk
    data: Path
    log: Path

    def at_the_station(self, sql: str) -> Any:
        """One row of the station's database, read while it runs."""
        with closing(sqlite3.connect(f"file:{self.data / 'station.db'}?mode=ro", uri=True)) as db:
            return db.execute(sql).fetchone()

    def acked(self) -> int:
        """What the station has noted as acknowledged."""
        return int((self.at_the_station("SELECT value FROM _meta WHERE key = 'acked'") or (0,))[0])

    def at_headquarters(self, column: Any, *where: Any) -> Any:
        with self.headquarters.store.read() as conn:
            return conn.scalar(select(column).where(*where))

    def entered(self, since: float) -> list[tuple[float, str, str]]:
        """Which documented functions were entered since then, by time."""
        lines = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]
        return sorted((at, file, name) for at, file, name in lines if at >= since)


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    (tmp_path / "witness").mkdir()
    (tmp_path / "witness" / "sitecustomize.py").write_text(WITNESS, encoding="utf-8")
    log = tmp_path / "entered.jsonl"
    watched = {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "witness"), str(ROOT)]),
        "WITNESS_ROOT": str(ROOT),
        "WITNESS_STEPS": json.dumps([(file, name) for _, file, name in STEPS]),
        "WITNESS_LOG": str(log),
    }
    headquarters = Headquarters(tmp_path / "hq", watched)
    code = headquarters.add_station(STATION)
    data = tmp_path / "station"
    words = ("--server", headquarters.address, "--claim", code, "--heartbeat", "3")
    with headquarters, Kiosk(data, words, environment=watched) as kiosk:
        until(lambda: headquarters.api("overview")["stations_online"] == 1)
        yield Walk(headquarters, kiosk, data, log)


@pytest.mark.window
def test_one_tap_takes_every_step_and_leaves_what_the_page_says(walk: Walk) -> None:
    leaves = {section.title.partition(" (")[0]: section.leaves for section in sections()}
    began = time.monotonic()
    walk.kiosk.tap(name="home.check_in")
    # Else the answer to `opened` may wake the link before the second touch's own commit does.
    until(lambda: walk.acked() >= walk.at_the_station("SELECT max(number) FROM _stream_up")[0])
    walk.kiosk.tap(name="check_in.courier")
    walk.kiosk.wait(text="签好了")

    assert "`_stream_up`" in leaves["The second touch is stored"]
    assert "`check_in_day`" in leaves["The second touch is stored"]
    place, body = walk.at_the_station(
        "SELECT number, body FROM _stream_up WHERE json_extract(CAST(body AS TEXT), '$.name') = 'checked_in'"
    )
    said = json.loads(body)
    assert (said["plugin"], said["d"]) == ("check_in", {"trade": "courier", "method": "tap"})
    assert walk.at_the_station("SELECT visits FROM check_in_day") == (1,)

    for evidence in ("`message`", "`rollup`", "`stream.upto`", "`watermark.complete_to`"):
        assert evidence in leaves["Headquarters commits it"]
    until(lambda: (walk.at_headquarters(watermark.c.complete_to) or 0) > said["at"])
    assert walk.at_headquarters(message.c.body, message.c.number == place) == bytes(body).decode()
    assert walk.at_headquarters(rollup.c.n, rollup.c.event == "checked_in") == 1
    assert walk.at_headquarters(stream.c.upto) >= place

    assert "`acked` in `_meta`" in leaves["The acknowledgement comes back"]
    until(lambda: walk.acked() >= place)

    assert "`/api/v1/overview`" in leaves["Headquarters looks"]
    until(lambda: walk.headquarters.api("overview")["visits"] == 1)
    assert re.search(r'class="number"[^>]*>\s*1\s*<', walk.headquarters.page("/"))

    entered, now = walk.entered(began), began
    for section in sections():
        at = now
        for number, file, name in section.steps:
            later = [each[0] for each in entered if each[0] >= at and each[1:] == (file, name)]
            assert later, f"step {number} was not entered in its place: {file} {name}"
            at = later[0]
        now = now if section.title.startswith("Meanwhile") else at
