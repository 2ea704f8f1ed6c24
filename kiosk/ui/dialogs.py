"""The shell's own cards, with their words."""

from kiosk.profile import Profile
from kiosk.ui.overlay import Countdown, Dialog, FallbackCard
from kiosk.ui.words import Words


def manager(words: Words, profile: Profile, claimed: bool = True) -> Dialog:
    """Whom to call, and when somebody is there; while the station is not claimed, the way to its set-up."""
    phone = profile.manager_phone
    return Dialog(
        icon="phone",
        title=words("manager_title"),
        text=words("manager_text" if phone else "manager_unknown"),
        figure=phone,
        note=words("hours", hours=profile.hours) if profile.hours else "",
        button=words("close"),
        second="" if claimed else words("setup_open"),
    )


def unknown_code(words: Words) -> Dialog:
    """A code was read that nobody takes."""
    return Dialog(
        icon="barcode-scan", title=words("code_title"), text=words("code_text"), button=words("close")
    )


def fallback(words: Words, profile: Profile) -> FallbackCard:
    """In place of a service that has failed."""
    phone = profile.manager_phone
    return FallbackCard(
        title=words("fault_title"),
        text=words("fault_text" if phone else "fault_text_no_phone"),
        figure=phone,
        button=words("to_home"),
    )


def countdown(words: Words) -> Countdown:
    """Nobody has touched for a while."""
    return Countdown(title=words("still_there"), text=words("still_there_text"))
