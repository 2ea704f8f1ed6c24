"""Claiming: a code that headquarters gives out once makes this machine a station with its own credentials."""

import contextlib
import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from kiosk.errors import ClaimError, HttpError, PlainRefused
from protocol.errors import TopicError
from protocol.topics import PREFIX, check_prefix, check_station

FILE: Final = "credentials.json"
_CODE: Final = re.compile(r"\d{8}")


class Mqtt(msgspec.Struct, frozen=True):
    """How to reach the broker; an empty host is the server's own. `tls` encrypts the connection."""

    port: int
    user: str
    password: str
    host: str = ""
    prefix: str = PREFIX
    tls: bool = False


class Credentials(msgspec.Struct, frozen=True):
    """What the station is to headquarters. `offices` are public keys by office, base64."""

    station: str
    token: str
    mqtt: Mqtt
    server_name: str = ""
    offices: dict[str, str] = {}
    server: str = ""
    allow_plain: bool = False

    @property
    def authorization(self) -> str:
        """The header of all further requests."""
        return f"Bearer {self.station}:{self.token}"

    @property
    def broker(self) -> str:
        """The broker's host."""
        return self.mqtt.host or urlsplit(self.server).hostname or ""

    def __repr__(self) -> str:
        return f"Credentials({self.station})"  # never the secrets, wherever this is printed


class _Refusal(msgspec.Struct):
    error: str = ""


def claim(server: str, code: str, data: Path, allow_plain: bool = False) -> Credentials:
    """Ask the server for this machine's credentials and store them in `data`; ClaimError says why not.

    Blocks on the network, so never on the UI thread.
    """
    digits = code.replace(" ", "").replace("-", "")
    if not _CODE.fullmatch(digits):
        raise ClaimError("core.claim.form", "A claim code has eight digits.")
    from kiosk.http import Http, check_address

    try:
        address = check_address(server, allow_plain)
    except PlainRefused as err:
        raise ClaimError(err.key, str(err), **err.values) from err
    except ValueError as err:
        raise ClaimError("core.claim.address", str(err), server=server) from err
    try:
        text = Http(address).json("/station/v1/claim", {"code": digits})
        credentials = _read(text)
    except HttpError as err:
        raise _why(err, address) from err
    except (msgspec.DecodeError, TopicError, ValueError) as err:
        raise ClaimError(
            "core.claim.server", f"The answer of {address} makes no sense.", server=address
        ) from err
    credentials = msgspec.structs.replace(credentials, server=address, allow_plain=allow_plain)
    try:
        save(data, credentials)
    except OSError as err:
        raise ClaimError(
            "core.claim.storage", f"The credentials could not be saved: {err.strerror}."
        ) from err
    return credentials


def load(data: Path) -> Credentials | None:
    """The station's credentials, or None while it is unclaimed; ValueError if the file is damaged."""
    try:
        text = (data / FILE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return _read(text)
    except (msgspec.DecodeError, TopicError) as err:
        raise ValueError(f"{data / FILE} is damaged: claim the station again") from err


def save(data: Path, credentials: Credentials) -> None:
    """Write the credentials so that only this user can read them, all or nothing."""
    data.mkdir(parents=True, exist_ok=True)
    aside = data / f"{FILE}.part"
    with contextlib.suppress(FileNotFoundError):
        aside.unlink()
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(credentials)))
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, data / FILE)


def _read(text: bytes) -> Credentials:
    credentials = msgspec.json.decode(text, type=Credentials)
    check_station(credentials.station)
    check_prefix(credentials.mqtt.prefix)
    if not (0 < credentials.mqtt.port < 65536 and credentials.token):
        raise msgspec.DecodeError("port or token missing")
    return credentials


def _why(err: HttpError, server: str) -> ClaimError:
    if err.status == 0:
        return ClaimError("core.claim.network", f"Headquarters at {server} cannot be reached.", server=server)
    if err.status == 429:
        return ClaimError("core.claim.limited", "Too many wrong codes: wait a few minutes.")
    # Only headquarters' own refusals carry a key: any other web server's 404 is a wrong address.
    with contextlib.suppress(msgspec.DecodeError):
        if 400 <= err.status < 500 and msgspec.json.decode(err.body, type=_Refusal).error:
            return ClaimError("core.claim.code", "The claim code is wrong or too old.")
    return ClaimError("core.claim.server", f"{server} does not answer as headquarters does.", server=server)
