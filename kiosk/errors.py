"""Errors of the station. Each carries a translation key and the values of its sentence."""


class KioskError(Exception):
    """Something the station cannot do. `key` names the sentence in strings/, `values` fill it."""

    key = "core.error"

    def __init__(self, sentence: str, **values: object) -> None:
        super().__init__(sentence)
        self.values = values


class NotStored(KioskError):
    """A write did not reach the disk; nothing of it is visible."""

    key = "core.not_stored"


class StorageFull(NotStored):
    """The station's disk is full."""

    key = "core.disk_full"


class TooLarge(NotStored):
    """A message that fits into no frame; the disk would have taken it."""


class SharedTransaction(NotStored):
    """A job tried to commit or to roll back, which would have decided for others as well; it is undone."""


class AlreadyRunning(KioskError):
    """Another process has this data directory open."""

    key = "core.already_running"


class WouldBlock(KioskError):
    """Code on the UI thread tried to wait for the disk."""

    key = "core.would_block"


class Busy(KioskError):
    """A plugin has more background work waiting than the station takes."""

    key = "core.busy"


class Unsealable(KioskError):
    """The public key of the office is not known or not usable here."""

    key = "core.unsealable"


class PlainRefused(KioskError):
    """An unencrypted connection to another machine that nobody has allowed in words."""

    key = "core.plain_refused"


class ClaimError(KioskError):
    """The station could not be claimed; `key` says why."""

    def __init__(self, key: str, sentence: str, **values: object) -> None:
        super().__init__(sentence, **values)
        self.key = key


class HttpError(KioskError):
    """Headquarters could not be reached over HTTP, or answered what makes no sense.

    `status` is the HTTP status, 0 when there was no answer at all.
    """

    key = "core.http"

    def __init__(self, sentence: str, status: int = 0, body: bytes = b"") -> None:
        super().__init__(sentence, status=status)
        self.status, self.body = status, body


class SettingRefused(KioskError):
    """A value that the manifest's setting does not allow."""

    key = "core.setting_refused"


class PresetRefused(KioskError):
    """A setting on the command line that cannot be used; `what` is wrong with it, and names the sentence."""

    def __init__(self, what: str, **values: object) -> None:
        super().__init__(f"--set {values['text']}: {what}", **values)
        self.key = f"core.set.{what}"
