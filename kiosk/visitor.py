"""A scripted visitor for the demo: uses every service by real touches, takes pictures on the way.

`python -m kiosk.visitor --data DIR --server URL --claim CODE --shots DIR --seconds 60 --report FILE`
starts the station itself, uses every service, checks in again and again until the seconds are over, writes
what was done to the report, and leaves the station running until its standard input ends.
"""

import argparse
import itertools
import json
import sys
import time
from collections import Counter
from pathlib import Path

from kiosk.testing_ui import Kiosk

PHONE = "13800000000"
TRADES = ("delivery", "courier", "sanitation", "trucker", "ride_hailing", "other")


class Visitor:
    """Walks through the services of one kiosk; `done` counts what the screen showed as done."""

    def __init__(self, kiosk: Kiosk, shots: Path) -> None:
        self.kiosk, self.shots = kiosk, shots
        self.done: Counter[str] = Counter()
        self.pictures: list[str] = []

    def every_service(self) -> None:
        """Each service once, with pictures; after the first content has come, as any visitor does."""
        self.kiosk.wait(text="今日新岗位", seconds=30)
        self.shot("home")
        self.check_in_by_tap("courier")
        self.check_in_by_code("YZ-000123", "trucker")
        self.jobs()
        self.legal_aid()
        self.broadcast()
        self.this_station()
        self.other_words()

    def check_in_by_tap(self, trade: str, picture: bool = True) -> None:
        self.kiosk.tap(name="home.check_in")
        self.kiosk.wait(name=f"check_in.{trade}")
        if picture:
            self.shot("check-in-trade")
        self.kiosk.tap(name=f"check_in.{trade}")
        self._signed_in(picture)

    def check_in_by_code(self, code: str, trade: str) -> None:
        self.kiosk.scan(code)
        self.kiosk.tap(name=f"check_in.{trade}")
        self._signed_in(False)

    def _signed_in(self, picture: bool) -> None:
        self.kiosk.wait(text="签好了")
        if picture:
            self.shot("check-in-done")
        self.done["check_in"] += 1
        self.finish("check_in.message.next")

    def jobs(self) -> None:
        self.kiosk.tap(name="home.jobs")
        self.kiosk.wait(name="jobs.pager.next")
        self.shot("jobs-list")
        self.kiosk.tap(name="jobs.trade")
        self.kiosk.tap(name="jobs.trade.courier")
        self.kiosk.wait(name="jobs.pager.next")
        post = next(name for name in self.kiosk.names() if name.startswith("jobs.J"))
        self.kiosk.tap(name=post)
        self.kiosk.wait(gone=post)
        self.shot("jobs-post")
        self.done["jobs"] += 1
        self.finish("shell.finish")

    def legal_aid(self) -> None:
        self.kiosk.tap(name="home.legal_aid")
        self.kiosk.wait(name="legal_aid.wages")
        self.shot("legal-matter")
        self.kiosk.tap(name="legal_aid.wages")
        self.kiosk.wait(name="legal_aid.times.next")
        # The last one offered: the first may begin, and be past, while the visitor still types.
        slot = [name for name in self.kiosk.names() if name.startswith("legal_aid.slot.")][-1]
        self.kiosk.tap(name=slot)
        self.shot("legal-time")
        self.kiosk.tap(name="legal_aid.times.next")
        for digit in PHONE:
            self.kiosk.tap(name=f"legal_aid.phone.{digit}")
        self.shot("legal-contact")
        self.kiosk.tap(name="legal_aid.phone.done")
        self.kiosk.wait(name="legal_aid.kept.next")
        self.kiosk.tap(name="legal_aid.kept.next")
        self.kiosk.wait(text="约好了", seconds=20)
        self.shot("legal-confirmed")
        self.done["legal_aid"] += 1
        self.finish("shell.finish")

    def broadcast(self) -> None:
        self.kiosk.tap(name="home.broadcast")
        self.kiosk.tap(name="broadcast.quieter")
        self.shot("broadcast")
        self.done["broadcast"] += 1
        self.finish("shell.finish")

    def this_station(self) -> None:
        self.kiosk.tap(name="home.hello")
        self.kiosk.wait(name="shell.finish")
        self.shot("this-station")
        self.done["hello"] += 1
        self.finish("shell.finish")

    def other_words(self) -> None:
        """The home screen in English, and in larger text."""
        self.kiosk.tap(name="shell.language")
        self.kiosk.wait(text="Check in")
        self.shot("home-english")
        self.kiosk.tap(name="shell.language")
        self.kiosk.wait(text="签到歇脚")
        self.kiosk.tap(name="shell.large")
        self.shot("home-large")
        self.kiosk.tap(name="shell.large")
        self.kiosk.tap(name="shell.manager")
        self.shot("manager")
        self.kiosk.tap(name="shell.close")
        self.kiosk.tap(name="shell.read")

    def finish(self, button: str) -> None:
        """End the visit and wait for the home screen."""
        self.kiosk.tap(name=button)
        self.kiosk.wait(name="home.check_in")

    def shot(self, name: str) -> None:
        """Take a picture, numbered in the order of the walk."""
        file = f"{len(self.pictures) + 1:02}-{name}.png"
        self.kiosk.shot(self.shots / file)
        self.pictures.append(file)


def main(argv: list[str] | None = None) -> int:
    """Walk; 0 if every service was used."""
    parser = argparse.ArgumentParser("kiosk.visitor")
    for name in ("--data", "--server", "--claim", "--shots", "--report"):
        parser.add_argument(name, required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--set", action="append", default=[], help="passed on to the station")
    given = parser.parse_args(argv)
    ends = time.monotonic() + given.seconds
    shots = Path(given.shots)
    shots.mkdir(parents=True, exist_ok=True)
    arguments = ["--server", given.server, "--claim", given.claim, "--heartbeat", "5"]
    arguments += [f"--set={each}" for each in given.set]
    with Kiosk(Path(given.data), arguments, supervise=True) as kiosk:
        visitor = Visitor(kiosk, shots)
        try:
            visitor.every_service()
            for trade in itertools.cycle(TRADES):
                if time.monotonic() > ends:
                    break
                visitor.check_in_by_tap(trade, picture=False)
            visitor.shot("home-afterwards")
        finally:
            sys.stderr.write(kiosk.errors())
        report = {"done": dict(visitor.done), "pictures": visitor.pictures}
        aside = Path(given.report).with_suffix(".part")
        aside.write_text(json.dumps(report), encoding="utf-8")
        aside.replace(given.report)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
