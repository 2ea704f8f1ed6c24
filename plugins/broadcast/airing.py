"""Keeps the player at what the timetable says, second by second, and reports what was on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from plugins.broadcast import rules
from plugins.broadcast.store import Open, PlayLog

if TYPE_CHECKING:
    from kiosk.media.client import Ended
    from kiosk.station import Station

VOLUME_STEP: Final = 10
#: Joining an item so near its beginning plays it from the beginning.
ON_TIME_SECONDS: Final = 1.5
#: Joining an item so near its end would only be a snippet.
TOO_LATE_SECONDS: Final = 2.0
#: A complete airing may miss so much, as the player process takes a moment to start.
MAY_MISS_MS: Final = 2500
#: How often what was heard is written down; what a power cut can make unknown.
WRITE_EVERY_MS: Final = 15_000
#: Files arrive one by one; looking for each of them costs a little, so not every second.
LOOK_EVERY_TICKS: Final = 5


@dataclass
class Playing:
    """The airing that the player is at; milliseconds of the monotonic clock."""

    airing: rules.Airing
    since: int
    heard_before: int
    missed: int
    written: int = 0

    def heard(self, now_ms: int) -> int:
        """For how long it could be heard, at most its length."""
        return min(self.heard_before + max(0, now_ms - self.since), self.airing.item.seconds * 1000)


class OnAir:
    """What is on. All methods but the constructor are for the UI thread."""

    def __init__(self, station: "Station") -> None:
        """Read the log; for the loader thread, as it waits for the disk."""
        clock = station.clock
        self.station = station
        self.log = PlayLog(station.database, clock.today().isoformat(), clock.wall_ms())
        self.items: tuple[rules.Item, ...] = ()
        self.senseless: tuple[rules.Skipped, ...] = ()
        self.plan = rules.Timetable(date.min)
        self.level = self._usual = int(station.settings["volume"])
        self._playing: Playing | None = None
        self._finished = self.log.last_closed
        self._slot: tuple[date, int] | None = None
        self._left_open: dict[str, Open] = {each.occurrence: each for each in self.log.open}
        self._ticks = 0
        self._here: tuple[rules.Why | None, ...] = ()
        self._basis: object = None
        self._next: rules.Airing | None = None
        self._broken: dict[str, str] = {}
        self._silenced = False
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to tick: what is on is joined where it is."""
        self.reload()
        self._undo = [self.station.every(1.0, self.tick), self.station.player.on_ended(self.ended)]

    def stop(self) -> None:
        """Let go of the clock and the player; what is on stays open on disk for the next run."""
        for undo in self._undo:
            undo()
        self._undo.clear()
        if self._playing:
            self.log.heard(self._playing.airing.occurrence, self._heard(self._playing))
            self._playing = None
            self.station.player.stop()

    def reload(self) -> None:
        """The programme has changed: read it again; files that failed get another chance."""
        self.items, self.senseless = rules.read(self.station.content("programme"))
        self._broken.clear()
        self._basis = None

    # what screens ask

    @property
    def now(self) -> datetime:
        """The station's time."""
        return self.station.clock.now()

    @property
    def on(self) -> rules.Airing | None:
        """What is on now."""
        return self._playing.airing if self._playing else None

    @property
    def progress(self) -> float:
        """How much of it is over, 0 to 1."""
        airing = self.on
        return min(1.0, airing.offset(self.now) / airing.item.seconds) if airing else 0.0

    @property
    def next_slot(self) -> rules.Airing | None:
        """The first airing of the next time slot, perhaps on another day."""
        now = self.station.clock.now()
        if self._next is None or self._next.starts <= now:
            self._next = rules.next_slot(self.items, now, self._playable, self._quiet())
        return self._next

    @property
    def silenced(self) -> bool:
        """Whether this machine cannot play at all."""
        return self._silenced

    def turn(self, steps: int) -> int:
        """Louder or quieter until the slot ends; the new volume."""
        most = int(self.station.settings["volume_most"])
        self.level = max(0, min(most, self.level + steps * VOLUME_STEP))
        self.station.player.volume(self.level)
        return self.level

    # what the clock and the player say

    def tick(self) -> None:
        """Once a second: let what plays go on, or put on what is due."""
        now = self.station.clock.now()
        self._renew(now)
        due = self.plan.at(now)
        playing = self._playing
        if playing:
            if self._may_go_on(playing.airing, now):
                self._write_down(playing)
                return
            self._finish(playing, to_its_end=now >= playing.airing.ends)
        if due and due.occurrence != self._finished:
            self._begin(due, now)
        if playing and self._playing is None:
            self.station.player.stop()
        self._settle_left_open(due)

    def ended(self, ended: "Ended") -> None:
        """The player has come to the end of a file, or cannot play it."""
        playing = self._playing
        if playing is None or ended.path != self.station.media(playing.airing.item.media):
            return
        if ended.failure:
            self._give_up(playing, ended.failure)
        else:
            # The file is shorter than the programme says: the next item waits for its time.
            self._finish(playing, to_its_end=True)

    # how

    def _renew(self, now: datetime) -> None:
        """Work out the timetable again if anything that it rests on has changed."""
        self._ticks += 1
        if self.log.day != now.date().isoformat():
            self.log.new_day(now.date().isoformat(), self.station.clock.wall_ms())
            self._broken.clear()
        usual = int(self.station.settings["volume"])
        if self._usual != usual:
            self.level = self._usual = usual
            self.station.player.volume(usual)
        if self._basis is None or self._ticks % LOOK_EVERY_TICKS == 0:
            self._here = tuple(self._playable(item) for item in self.items)
        basis = (now.date(), self.items, self._here, self._quiet())
        if basis != self._basis:
            self._basis, self._next = basis, None
            self.plan = rules.timetable(self.items, now.date(), now.tzinfo, self._playable, self._quiet())
            self.station.refresh()

    def _playable(self, item: rules.Item) -> rules.Why | None:
        if self._silenced or item.media in self._broken:
            return "broken"
        return None if item.media and self.station.media(item.media) else "media"

    def _quiet(self) -> tuple[rules.Span, ...]:
        settings = self.station.settings
        return rules.quiet_spans(str(settings["quiet_from"]), str(settings["quiet_until"]))

    def _may_go_on(self, airing: rules.Airing, now: datetime) -> bool:
        """Whether its time is not over and the programme, as it is now, still has it."""
        if not airing.starts <= now < airing.ends:
            return False
        second = now.hour * 3600 + now.minute * 60 + now.second
        if any(first <= second < last for first, last in self._quiet()):
            return False
        item = airing.item
        return any(
            (each.item_id, each.media, each.start, each.end)
            == (item.item_id, item.media, item.start, item.end)
            for each in self.items
        )

    def _begin(self, airing: rules.Airing, now: datetime) -> None:
        path = self.station.media(airing.item.media)
        offset = airing.offset(now)
        if path is None or airing.item.seconds - offset < TOO_LATE_SECONDS:
            return
        offset = 0.0 if offset < ON_TIME_SECONDS else offset
        slot = (airing.starts.date(), airing.item.start)
        if self._slot != slot:
            self._slot, self.level = slot, self._usual
        before = self._left_open.pop(airing.occurrence, None)
        heard = before.heard_ms if before else 0
        clock = self.station.clock
        self._playing = Playing(airing, clock.monotonic_ms(), heard, max(0, round(offset * 1000) - heard))
        self.log.begin(airing.occurrence, airing.item.item_id, airing.item.kind, clock.wall_ms())
        self.station.player.volume(self.level)
        self.station.player.play(path, offset)
        self.station.refresh()

    def _heard(self, playing: Playing) -> int:
        return playing.heard(self.station.clock.monotonic_ms())

    def _write_down(self, playing: Playing) -> None:
        heard = self._heard(playing)
        if heard - playing.written >= WRITE_EVERY_MS:
            playing.written = heard
            self.log.heard(playing.airing.occurrence, heard)

    def _finish(self, playing: Playing, to_its_end: bool) -> None:
        airing = playing.airing
        self._playing = None
        if to_its_end:
            self._finished = airing.occurrence
        complete = to_its_end and playing.missed <= MAY_MISS_MS
        self._report(airing.occurrence, airing.item.item_id, airing.item.kind, self._heard(playing), complete)
        self.log.count(airing.item.item_id, airing.starts.date().isoformat())
        self.station.refresh()

    def _report(self, occurrence: str, item_id: str, kind: str, heard: int, complete: bool) -> None:
        self.station.report(
            "played",
            also=lambda db: self.log.close(db, occurrence, heard, complete),
            item=item_id,
            kind=kind,
            complete=complete,
            after=heard,
        )

    def _give_up(self, playing: Playing, failure: str) -> None:
        item, occurrence = playing.airing.item, playing.airing.occurrence
        self._playing = None
        self._broken[item.media] = failure
        self._silenced = self._silenced or failure == "no_player"
        self._basis = None
        self.station.report(
            "skipped", also=lambda db: self.log.drop(db, occurrence), item=item.item_id, why=failure
        )
        self.station.refresh()

    def _settle_left_open(self, due: rules.Airing | None) -> None:
        """Report what the run before could not: it was on until the power went."""
        for occurrence, left in list(self._left_open.items()):
            if due is None or occurrence != due.occurrence:
                del self._left_open[occurrence]
                self._report(occurrence, left.item_id, left.kind, left.heard_ms, False)
