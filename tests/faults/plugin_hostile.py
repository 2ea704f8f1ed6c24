"""Plugins that raise, hang, leak, end the process or crash it: each costs its own tile, nothing else."""

import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from kiosk.options import SHIPPED
from kiosk.testing_ui import Kiosk, KioskFailed, KioskReplaced
from tests.faults import accounts, hostile
from tests.faults.booth import Booth
from tests.faults.registry import Setting, fault
from tests.faults.report import Report
from tests.faults.town import Town

#: What is raised in the screen process and caught there: the kind of fault that headquarters is told.
CAUGHT: Final = {"raises": "RuntimeError", "quits": "SystemExit"}
#: What ends or blocks the screen process.
DEADLY: Final = {"exits": "Died", "segfaults": "Died", "leaks": "Died", "hangs": "Hung", "seizes": "Hung"}
STRIKES: Final = 3  # deaths of the same plugin until it is not called any more
BACK: Final = 10.0  # s
TOLD: Final = 30.0  # s


@dataclass
class Trial:
    """One station with hostile plugins beside the shipped ones. `told` are (plugin, where, kind)."""

    town: Town
    booth: Booth
    injected: int = 0
    problems: list[str] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    told: set[tuple[str, str, str]] = field(default_factory=set)

    @property
    def kiosk(self) -> Kiosk:
        assert self.booth.kiosk is not None
        return self.booth.kiosk

    def install(self, *harms: tuple[str, str, str]) -> None:
        """Start the station anew with these plugins: (harm, hook, id)."""
        folder = self.town.folder / f"plugins-{self.injected}"
        for harm, hook, name in harms:
            hostile.write(folder, harm, hook, name)
        self.booth.stop()
        self.booth.plugins = (SHIPPED, folder)
        self.booth.start()

    def open(self, plugin: str) -> None:
        """Touch a tile, on whatever page it is."""
        self.booth.go_home()
        for way in ("next", "previous"):
            if f"home.{plugin}" not in self.kiosk.names():
                with suppress(KioskFailed):  # there is no page that way
                    self.kiosk.tap(name=f"home.pager.{way}", seconds=1)
        if f"home.{plugin}" not in self.kiosk.names():
            raise AssertionError(f"the home screen has no tile of {plugin}")
        self.kiosk.tap(name=f"home.{plugin}")

    def caught(self, plugin: str, kind: str) -> None:
        """Open what raises: the process lives, and the others serve."""
        hellos = len(self.kiosk.hellos)
        self.open(plugin)
        self.injected += 1
        self.told.add((plugin, "screen", kind))
        self.booth.go_home()
        self.booth.check_in()
        if len(self.kiosk.hellos) != hellos:
            self.problems.append(f"{plugin} cost the screen process its life")

    def deadly(self, plugin: str, kind: str, strikes: int = STRIKES) -> None:
        """Open what kills, until it is not called any more: each time the screen comes back."""
        for _ in range(strikes):
            hellos = len(self.kiosk.hellos)
            began = time.monotonic()
            with suppress(KioskReplaced):  # the process that was asked is no more
                self.open(plugin)
            self.injected += 1
            self.kiosk.hello(hellos + 1)
            self.booth.go_home()
            self.back.append(time.monotonic() - began)
            self.booth.check_in()
        self.told.add((plugin, "screen", kind))
        if strikes >= STRIKES:
            self.harmless(plugin)

    def harmless(self, plugin: str) -> None:
        """Open what is in quarantine: nothing happens, and the others serve."""
        hellos = len(self.kiosk.hellos)
        self.open(plugin)
        self.booth.go_home()
        self.booth.check_in()
        if len(self.kiosk.hellos) != hellos:
            self.problems.append(f"{plugin} still runs after {STRIKES} deaths")

    def at_the_start(self, harm: str, hook: str) -> None:
        """What kills before anything is shown: three deaths, then a screen without it, and no more deaths."""
        plugin = f"{harm}_{hook}"
        self.install((harm, hook, plugin))
        began = time.monotonic()
        self.booth.go_home()
        self.back.append((time.monotonic() - began) / (STRIKES + 1))
        self.injected += STRIKES
        self.told.add((plugin, hook, DEADLY[harm]))
        self.harmless(plugin)

    def await_told(self) -> None:
        """Headquarters knows each culprit by name, and nothing of what a visitor may have typed."""
        ends = time.monotonic() + TOLD
        while missing := self.told - self._at_headquarters():
            if time.monotonic() > ends:
                self.problems.append(f"headquarters was not told of {sorted(missing)}")
                return
            time.sleep(0.2)

    def _at_headquarters(self) -> set[tuple[str, str, str]]:
        with accounts.looking(self.town.centre.database) as db:
            said = db.execute("SELECT plugin, place, kind, trace FROM fault").fetchall()
        if any("13900000000" in trace for *_, trace in said):
            self.problems.append("what a visitor may have typed is told to headquarters")
        return {(plugin, place, kind) for plugin, place, kind, _ in said}


@fault("plugin_hostile", least=60, share=0.5, own=Setting(stations=1))
def run(town: Town, seconds: float, rng: random.Random) -> Report:
    """By touch and at the start; the short form kills less often."""
    ends = time.monotonic() + seconds
    trial = Trial(town, town.stations[0])
    long = seconds >= 30
    trial.at_the_start("exits", "tile")
    if long:
        for harm, hook in (("segfaults", "setup"), ("hangs", "tile")):
            trial.at_the_start(harm, hook)
    names = [*CAUGHT, *DEADLY]
    trial.install(*((name, "screen", name) for name in names))
    trial.booth.go_home()
    for plugin, kind in CAUGHT.items():
        trial.caught(plugin, kind)
    deadly = list(DEADLY.items())
    rng.shuffle(deadly)
    for plugin, kind in deadly if long else deadly[:1]:
        trial.deadly(plugin, kind, STRIKES if long else 1)
    while long and time.monotonic() < ends:
        trial.caught(*rng.choice(list(CAUGHT.items())))
    trial.await_told()
    if max(trial.back) > BACK:
        trial.problems.append(f"the screen was back after {max(trial.back):.1f} s only")
    return town.settle(
        "harms",
        trial.injected,
        notes=[f"screen back <= {max(trial.back):.1f} s"],
        measured={"screen_back_s": round(max(trial.back), 2)},
        problems=trial.problems,
    )
