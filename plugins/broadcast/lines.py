"""What is on, in the words of the tile, the stage and the screen."""

from collections.abc import Callable
from datetime import datetime, timedelta

from kiosk import Stage
from plugins.broadcast.airing import OnAir
from plugins.broadcast.rules import Airing, Slot

Tr = Callable[..., str]


def live_line(on_air: OnAir, tr: Tr) -> str:
    """The tile's line: what is on, else when the next slot begins."""
    if on_air.silenced:
        return tr("live_silenced")
    if on_air.on:
        return tr("live_on", title=on_air.on.item.title)
    if following := on_air.next_slot:
        return tr("live_next", time=when(following.starts, on_air.now, tr))
    return tr("live_none")


def stage_of(on_air: OnAir, tr: Tr) -> Stage | None:
    """The stage of the home screen; None without any programme."""
    if airing := on_air.on:
        return Stage(
            badge=tr("stage_on"),
            title=airing.item.title,
            line=_then(on_air, airing, tr),
            progress=on_air.progress,
            video=airing.item.picture,
        )
    following = on_air.next_slot
    if following is None:
        return None
    return Stage(
        badge=tr("stage_off"),
        title=tr("stage_next", time=when(following.starts, on_air.now, tr)),
        line=following.item.title,
    )


def _then(on_air: OnAir, airing: Airing, tr: Tr) -> str:
    """What follows it in this slot: the next two other items with their times."""
    named: list[Airing] = []
    for later in on_air.plan.after(airing.starts, 12):
        if later.item.start == airing.item.start and later.item.item_id not in {
            airing.item.item_id,
            *(each.item.item_id for each in named),
        }:
            named.append(later)
    if not named:
        return tr("stage_until", time=clock_of(airing.item.end))
    return tr("stage_then", items=" · ".join(f"{each.starts:%H:%M} {each.item.title}" for each in named[:2]))


def when(moment: datetime, now: datetime, tr: Tr) -> str:
    """A time as one says it today: 14:00, tomorrow 10:00, Wed 10:00."""
    time = f"{moment:%H:%M}"
    if moment.date() == now.date():
        return time
    if moment.date() == now.date() + timedelta(days=1):
        return tr("tomorrow", time=time)
    return tr(f"weekday_{moment.isoweekday()}", time=time)


def clock_of(seconds: int) -> str:
    """Seconds from midnight as a time."""
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"


def length(seconds: int, tr: Tr) -> str:
    """How long an item is: 40 seconds, 5 minutes."""
    if seconds < 90:
        return tr("seconds", n=seconds)
    return tr("minutes", n=max(1, round(seconds / 60)))


def slot_state(slot: Slot, now: datetime, tr: Tr) -> str:
    """Over, on now, or when it begins."""
    if now >= slot.ends:
        return tr("slot_over")
    return tr("slot_on") if now >= slot.starts else tr("slot_later")
