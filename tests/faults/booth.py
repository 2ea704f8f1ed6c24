"""One station of the town: the real kiosk program with a supervisor, used by touch, and its ledger."""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kiosk.testing_ui import Kiosk, KioskFailed, KioskReplaced
from tests.faults.centre import children
from tests.faults.ledger import Ledger
from tests.faults.registry import Setting

SIZE: Final = (360, 640)
#: After five deaths the supervisor takes its next step; hundreds of kills are hundreds of machines.
DEATHS: Final = 4
TRADES: Final = ("delivery", "courier", "sanitation", "trucker", "ride_hailing", "other")
WAYS_HOME: Final = (
    "shell.home",
    "shell.close",
    "shell.stay",
    "check_in.message.back",
    "legal_aid.outcome.back",
    "shell.finish",
)
BACK: Final = 30.0  # s that a kill waits for the screen to be back
USED: Final = 10.0  # s that a kill waits for visitors to get something done
PHONE: Final = "13800000000"


class Booth:
    """Started by `start` or by the first visitor. `back`: seconds from each kill to the home screen.

    Kills come from any thread; touches from one at a time.
    """

    def __init__(self, id: str, data: Path, setting: Setting, rng: random.Random) -> None:
        self.id, self.data = id, data
        self.ledger = Ledger()
        self.arguments: list[str] = list(setting.arguments)
        self.plugins = setting.plugins
        self.heartbeat = setting.heartbeat
        #: Its disk was damaged: rows of services may be gone from it, and it proves nothing about bookings.
        self.wrecked = False
        self.back: list[float] = []
        self.problems: list[str] = []
        #: Visits that ended otherwise than they should, although nobody killed the screen.
        self.stuck: list[str] = []
        self.kiosk: Kiosk | None = None
        self._rng = rng
        self._lock = threading.RLock()
        self._deaths = 0
        self._killed: int | None = None
        self._killed_at: float | None = None
        self._closed = True
        #: Set while its home screen has been seen since the last kill.
        self.open = threading.Event()

    @property
    def actions(self) -> int:
        """How many messages its screen has shown as done."""
        return len(self.ledger)

    @property
    def database(self) -> Path:
        return self.data / "station.db"

    # its life

    def start(self) -> None:
        """Start it if it does not run; does not wait for its screen."""
        with self._lock:
            self._closed = False
            if self.kiosk is not None and self.kiosk.process.poll() is None:
                return
            self._bury()
            arguments = [f"--heartbeat={self.heartbeat}", "--retry=0.3", *self.arguments]
            self._deaths = 0
            self.kiosk = Kiosk(
                self.data,
                arguments,
                size=SIZE,
                plugins=self.plugins,
                home=False,
                supervise=True,
                done=self.ledger.add,
            )

    def power_on(self) -> None:
        """Start it after darkness: `back` counts from now."""
        self._killed, self._killed_at = None, time.monotonic()
        self.start()

    def stop(self) -> None:
        """End it in order; it stays so until `start`."""
        with self._lock:
            self._closed = True
            self._bury()

    def pid(self) -> int | None:
        """The screen process, also while it still starts."""
        kiosk = self.kiosk
        found = children(kiosk.process.pid) if kiosk is not None and kiosk.process.poll() is None else []
        return found[0] if found else None

    def kill(self) -> int:
        """SIGKILL to the screen process, to the whole station each fifth time; 1 if something was killed."""
        if self._deaths >= DEATHS:
            return self.kill_all()
        pid = self.pid()
        if pid is None or pid == self._killed:
            return 0
        self._killed, self._killed_at = pid, time.monotonic()
        self._deaths += 1
        self.open.clear()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return 1
        return 0

    def kill_all(self) -> int:
        """SIGKILL to the supervisor and the screen process, as when the power fails."""
        with self._lock:
            kiosk = self.kiosk
            if kiosk is None or kiosk.process.poll() is not None:
                return 0
            kiosk.process.send_signal(signal.SIGSTOP)  # or it would start another screen in between
            pid = self.pid()
            self._killed_at = time.monotonic()
            self.open.clear()
            kiosk.process.kill()
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return 1

    def kill_at_random(self, rng: random.Random) -> int:
        """Kill at some moment soon: mostly around something that is shown as done, or while it starts."""
        if rng.random() < 0.2:
            time.sleep(rng.uniform(0.1, 2))
        elif self.open.wait(BACK):
            self.ledger.wait(len(self.ledger) + rng.randint(0, 3), USED)
            time.sleep(rng.uniform(0, 0.3))
        return self.kill()

    def _bury(self) -> None:
        if self.kiosk is not None:
            self.kiosk.close()
            self.kiosk = None

    # its visitors

    def act(self) -> None:
        """One visit from the home screen and back to it; KioskFailed if the screen dies meanwhile."""
        visits: list[Callable[[], None]] = [self.check_in] * 6 + [self.look] * 3 + [self.book]
        self._rng.choice(visits)()

    def check_in(self) -> None:
        kiosk = self._living()
        kiosk.tap(name="home.check_in")
        kiosk.tap(name=f"check_in.{self._rng.choice(TRADES)}")
        kiosk.wait(name="check_in.message.next")
        kiosk.tap(name="check_in.message.next")
        kiosk.wait(name="home.check_in")

    def look(self) -> None:
        """Open a service and leave it."""
        kiosk = self._living()
        kiosk.tap(name=f"home.{self._rng.choice(('jobs', 'hello', 'broadcast'))}")
        kiosk.tap(name="shell.finish")
        kiosk.wait(name="home.check_in")

    def book(self) -> None:
        """Take a slot of the lawyers, with a number only or with a telephone number."""
        kiosk = self._living()
        kiosk.tap(name="home.legal_aid")
        kiosk.tap(name=f"legal_aid.{self._rng.choice(('wages', 'contract', 'injury'))}")
        kiosk.wait(name="shell.finish")
        free = [each["name"] for each in kiosk.widgets() if _is_free_slot(each)]
        if free:
            kiosk.tap(name=self._rng.choice(free))
            kiosk.tap(name="legal_aid.times.next")
            if self._rng.random() < 0.2:
                for digit in PHONE:
                    kiosk.tap(name=f"legal_aid.phone.{digit}")
                kiosk.tap(name="legal_aid.phone.done")
                kiosk.tap(name="legal_aid.kept.next")
            else:
                kiosk.tap(name="legal_aid.contact.number_only")
            kiosk.wait(name="legal_aid.outcome.next")
        kiosk.tap(name="shell.finish")
        kiosk.wait(name="home.check_in")

    def _last_words(self) -> str:
        """What the screen shows, or else what the station wrote at last."""
        if self.kiosk is None:
            return "nothing runs"
        try:
            return f"the screen shows {' '.join(self.kiosk.texts())[:200]}"
        except KioskFailed:
            return f"it wrote {self.kiosk.errors()[-300:]!r}"

    def go_home(self, seconds: float = 45.0) -> None:
        """Have a home screen, whatever it takes: start what does not run, leave what is open."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            try:
                self._step_home()
                return
            except KioskFailed:
                time.sleep(0.05)
        raise KioskFailed(f"{self.id}: no home screen within {seconds:.0f} s, but {self._last_words()}")

    def visit(self, closing: threading.Event) -> None:
        """One visitor after the other until somebody closes; deaths of the screen are part of the life."""
        while not closing.is_set() and not self._closed:
            try:
                self.act()
            except KioskFailed as err:
                if not self._closed:
                    self._recover(err)

    def _recover(self, err: KioskFailed) -> None:
        died = self._killed_at is not None
        if not died and not isinstance(err, KioskReplaced):
            # Nobody killed it, and yet a visitor did not get on.
            self.stuck.append(f"{str(err).splitlines()[0]}, but {self._seen()}")
        try:
            self.go_home()
        except KioskFailed as worse:
            self.problems.append(str(worse).splitlines()[0])
            self.kill_all()

    def _seen(self) -> str:
        try:
            return ", ".join(self._living().names())
        except KioskFailed:
            return "the screen died"

    def _step_home(self) -> None:
        if self.kiosk is None or self.kiosk.process.poll() is not None:
            self.start()
        kiosk = self._living()
        names = kiosk.names()
        while "home.check_in" not in names:
            ways = [each for each in WAYS_HOME if each in names]
            if ways:
                kiosk.tap(name=ways[0], seconds=2)
            else:
                kiosk.wait(name="home.check_in", seconds=0.5)
            names = kiosk.names()
        if self._killed_at is not None and self.pid() == kiosk.pid != self._killed:
            self.back.append(time.monotonic() - self._killed_at)
            self._killed_at = None
        self.open.set()

    def _living(self) -> Kiosk:
        if self.kiosk is None:
            raise KioskFailed(f"{self.id} does not run")
        return self.kiosk


def _is_free_slot(widget: dict[str, object]) -> bool:
    return str(widget.get("name") or "").startswith("legal_aid.slot.") and not widget.get("disabled")
