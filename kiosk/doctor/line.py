"""The way to headquarters: the credentials, its web server, its broker."""

import contextlib
import email.utils
import ssl
import stat
from collections.abc import Iterator
from email.message import Message
from typing import Final
from urllib.error import HTTPError

import msgspec

from kiosk import claim
from kiosk.claim import Credentials
from kiosk.doctor import mqtt
from kiosk.doctor.visit import Visit
from kiosk.errors import HttpError, PlainRefused
from kiosk.http import Http, check_address, is_loopback
from protocol.finding import Finding

QUESTION: Final = "/station/v1/content/station.profile"
DRIFTS: Final = 60.0  # s that the clock may differ from headquarters'
ASTRAY: Final = 600.0


class _Refusal(msgspec.Struct):
    error: str = ""


def credentials(visit: Visit) -> Iterator[Finding]:
    """Whether the station is claimed, and whether nobody else can read how."""
    say, file = visit.say, visit.data / claim.FILE
    try:
        found = claim.load(visit.data)
    except ValueError:
        yield say.bad("credentials.damaged", file=file)
        return
    except OSError as err:
        yield say.bad("credentials.unreadable", file=file, error=err.strerror)
        return
    if found is None:
        yield say.warn("credentials.none")
        return
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        yield say.bad("credentials.open", file=file, mode=f"{mode:04o}")
    else:
        yield say.ok("credentials.ok", station=found.station, server=found.server)


def headquarters(visit: Visit) -> Iterator[Finding]:
    """Whether headquarters answers and knows this station's token, and what its clock says."""
    say, known = visit.say, _known(visit)
    if known is None:
        return
    try:
        server = check_address(known.server, known.allow_plain)
    except PlainRefused as err:
        yield say.bad("headquarters.plain", **err.values)
        return
    except ValueError:
        yield say.bad("headquarters.address", server=known.server)
        return
    headers: Message | None = None
    try:
        with Http(server, known.authorization).open(QUESTION) as answer:
            headers = answer.headers
        yield say.ok("headquarters.ok", server=server, station=known.station)
    except HttpError as err:
        if isinstance(err.__cause__, HTTPError):
            headers = err.__cause__.headers
        if err.status == 0:
            yield say.bad("headquarters.away", server=server)
        elif err.status == 401 and _key(err.body):
            yield say.bad("headquarters.unknown", server=server, station=known.station)
        elif err.status >= 500:
            yield say.bad("headquarters.broken", server=server, status=err.status)
        else:
            yield say.bad("headquarters.stranger", server=server, status=err.status)
            return
    if headers is not None and (theirs := _date(headers)) is not None:
        off = visit.wall() - theirs
        if abs(off) > DRIFTS:
            how = "fast" if off > 0 else "slow"
            report = say.bad if abs(off) > ASTRAY else say.warn
            yield report(f"clock.{how}", span=say.span(off))


def broker(visit: Visit) -> Iterator[Finding]:
    """Whether the broker lets the station in, and to its own topic."""
    say, known = visit.say, _known(visit)
    if known is None:
        return
    host, port = known.broker, known.mqtt.port
    address = f"{host}:{port}"
    if not (known.mqtt.tls or known.allow_plain or is_loopback(host)):
        yield say.bad("broker.plain", address=address)
        return
    try:
        answer = mqtt.knock(known)
    except ssl.SSLError as err:
        yield say.bad("broker.certificate", address=address, error=err.reason or "TLS")
    except OSError as err:
        yield say.bad("broker.away", address=address, error=err.strerror or str(err))
    except mqtt.Closed:
        yield say.bad("broker.stranger", address=address)
    else:
        if answer is mqtt.Answer.WELCOME:
            yield say.ok("broker.ok", address=address, station=known.station)
        else:
            yield say.bad(f"broker.{answer.value}", address=address, station=known.station)


def _known(visit: Visit) -> Credentials | None:
    """The credentials; None where the check of the credentials says why there are none."""
    with contextlib.suppress(ValueError, OSError):
        return claim.load(visit.data)
    return None


def _key(body: bytes) -> str:
    """The key of headquarters' own refusals; empty for any other web server's answer."""
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(body, type=_Refusal).error
    return ""


def _date(headers: Message) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, TypeError):
        return None
