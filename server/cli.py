"""The commands of headquarters. Mistakes are one clear sentence on stderr and exit status 2."""

import argparse
import base64
import getpass
import logging
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.exc import DBAPIError

from protocol.errors import ProtocolError
from protocol.topics import PREFIX, check_prefix
from server.app import Options, collect, now_ms, run
from server.errors import NotFound, Refused, ServerError
from server.manifests import SHIPPED, read_all
from server.store import Store, audit, offices, sessions, stations, users
from server.store.messages import DAY_MS
from server.times import ZONE

DATA: Final = Path("data/headquarters")
WHO: Final = "command line"


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        status: int = arguments.command(arguments)
    except (ServerError, ProtocolError) as err:
        _complain(str(err))
        return 2
    except DBAPIError as err:
        _complain(f"The database in {arguments.data} does not work: {err.orig}.")
        return 2
    except OSError as err:
        _complain(f"{err.filename or arguments.data}: {err.strerror or err}.")
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="yizhan server", description="Headquarters of the rest stations.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--data", type=Path, default=DATA, metavar="FOLDER", help=f"where everything is kept ({DATA})"
    )
    common.add_argument("--database", metavar="URL", help="another database than SQLite in the folder")
    common.add_argument(
        "--plugins", type=Path, action="append", metavar="FOLDER", help="plugins, beside the shipped ones"
    )

    run_ = commands.add_parser("run", parents=[common], help="broker, collector and web pages")
    run_.add_argument("--http-host", default="127.0.0.1", metavar="HOST")
    run_.add_argument("--http-port", type=_port, default=8080, metavar="PORT")
    run_.add_argument("--mqtt-host", default="127.0.0.1", metavar="HOST", help="of the broker that we start")
    run_.add_argument("--mqtt-port", type=_port, default=1883, metavar="PORT")
    run_.add_argument(
        "--mqtt", type=_address, metavar="HOST:PORT", help="use a Mosquitto that runs there; start no broker"
    )
    run_.add_argument("--mqtt-pid", type=Path, metavar="FILE", help="its pid file, to tell it of changes")
    run_.add_argument("--prefix", type=check_prefix, default=PREFIX, help=f"of the topics ({PREFIX})")
    run_.add_argument("--name", default="驿站", help="what the pages call this headquarters")
    run_.set_defaults(command=_run)

    collect_ = commands.add_parser("collect", parents=[common], help="another collector beside a run")
    collect_.add_argument("--mqtt", type=_address, metavar="HOST:PORT", help="the Mosquitto that `run` uses")
    collect_.add_argument("--prefix", type=check_prefix, default=PREFIX, help=f"of the topics ({PREFIX})")
    collect_.set_defaults(command=_collect)

    station = commands.add_parser("add-station", parents=[common], help="a station, and its claim code")
    station.add_argument("station", metavar="ID", help="small letters, digits and hyphens, such as zl-018")
    station.add_argument("--name", required=True)
    station.add_argument("--number", default="")
    station.add_argument("--hours", default="", help="such as 06:00–22:00")
    station.add_argument("--phone", default="", help="the manager's")
    station.add_argument("--facilities", default="", help="parted by commas")
    station.set_defaults(command=_add_station)

    code = commands.add_parser("claim-code", parents=[common], help="a fresh claim code for a station")
    code.add_argument("station", metavar="ID")
    code.set_defaults(command=_claim_code)

    revoke = commands.add_parser("revoke", parents=[common], help="close a station out")
    revoke.add_argument("station", metavar="ID")
    revoke.set_defaults(command=_revoke)

    user = commands.add_parser("add-user", parents=[common], help="somebody who may log in")
    user.add_argument("user", metavar="NAME")
    user.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    user.set_defaults(command=_add_user)

    token = commands.add_parser("add-token", parents=[common], help="let a program ask the API as somebody")
    token.add_argument("user", metavar="USER")
    token.add_argument("--days", type=_days, default=365, metavar="N", help="good for so long (%(default)s)")
    token.set_defaults(command=_add_token)

    office = commands.add_parser("add-office", parents=[common], help="an office that opens sealed contacts")
    office.add_argument("office", metavar="ID", help="as manifests name it, such as legal")
    office.add_argument(
        "--key-file", type=Path, required=True, help="its private key: written if missing, else read"
    )
    office.set_defaults(command=_add_office)

    import_ = commands.add_parser("import", parents=[common], help="rows of a collection, or a rota")
    import_.add_argument("collection", help="such as jobs, programme, legal_aid.slots; or rota")
    import_.add_argument("file", type=Path, metavar="FILE", help="CSV or XLSX; TOML for a rota")
    import_.add_argument("--replace", action="store_true", help="delete rows that the file does not have")
    import_.add_argument("--skip-bad", action="store_true", help="import the good rows, name the others")
    import_.set_defaults(command=_import)

    recount = commands.add_parser("recount", parents=[common], help="compare hourly numbers with events")
    recount.add_argument("--repair", action="store_true", help="put the counted numbers in their place")
    recount.set_defaults(command=_recount)
    return parser


def _run(given: argparse.Namespace) -> int:
    return run(
        Options(
            data=given.data,
            http_host=given.http_host,
            http_port=given.http_port,
            mqtt_host=given.mqtt_host,
            mqtt_port=given.mqtt_port,
            mqtt=given.mqtt,
            mqtt_pid=given.mqtt_pid,
            prefix=given.prefix,
            plugins=_folders(given),
            database=given.database,
            name=given.name,
        ),
        _say,
    )


def _collect(given: argparse.Namespace) -> int:
    return collect(
        Options(
            data=given.data,
            mqtt=given.mqtt,
            prefix=given.prefix,
            plugins=_folders(given),
            database=given.database,
        ),
        _say,
    )


def _add_station(given: argparse.Namespace) -> int:
    facilities = [each.strip() for each in given.facilities.replace("，", ",").split(",") if each.strip()]
    with _store(given).write() as conn:
        now = now_ms()
        code = stations.add(
            conn,
            given.station,
            name=given.name,
            number=given.number,
            hours=given.hours,
            phone=given.phone,
            facilities=facilities,
            now=now,
        )
        audit.record(conn, WHO, "station.add", given.station, now, after={"name": given.name})
    _say(f"Claim code for {given.station}: {code} (good for 24 hours, once)")
    return 0


def _claim_code(given: argparse.Namespace) -> int:
    with _store(given).write() as conn:
        now = now_ms()
        code = stations.new_code(conn, given.station, now)
        audit.record(conn, WHO, "station.claim_code", given.station, now)
    _say(f"Claim code for {given.station}: {code} (good for 24 hours, once)")
    return 0


def _revoke(given: argparse.Namespace) -> int:
    with _store(given).write() as conn:
        now = now_ms()
        stations.revoke(conn, given.station, now)
        audit.record(conn, WHO, "station.revoke", given.station, now)
    _say(f"{given.station} can no longer speak. A fresh claim code (claim-code) lets it back in.")
    return 0


def _add_user(given: argparse.Namespace) -> int:
    if given.password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            raise Refused("The two passwords differ; try again.")
    with _store(given).write() as conn:
        now = now_ms()
        users.add(conn, given.user, password, now)
        audit.record(conn, WHO, "user.add", given.user, now)
    _say(f"{given.user} may log in.")
    return 0


def _add_token(given: argparse.Namespace) -> int:
    with _store(given).write() as conn:
        if given.user not in users.names(conn):
            raise NotFound(f"There is no user '{given.user}'. Add one with add-user.", user=given.user)
        now = now_ms()
        token = sessions.open(conn, given.user, now, "api", given.days * DAY_MS)
        audit.record(conn, WHO, "token.add", given.user, now, after={"days": given.days})
    _say(f"API token of {given.user}, good for {given.days} days; it is not shown again:")
    _say(token)
    return 0


def _add_office(given: argparse.Namespace) -> int:
    private, made = _private_key(given.key_file)
    with _store(given).write() as conn:
        now = now_ms()
        offices.add(conn, given.office, _public_of(private), now)
        audit.record(conn, WHO, "office.add", given.office, now)
    if made:
        _say(f"The private key of {given.office} is in {given.key_file}. Keep it at the office; nobody else")
        _say("can read the contacts that are sealed to it, and nobody can make it again.")
    else:
        _say(f"{given.office} uses the key in {given.key_file}.")
    return 0


def _private_key(file: Path) -> tuple[bytes, bool]:
    """The X25519 key in the file, made if the file is missing; whether it was made."""
    from nacl.public import PrivateKey

    if file.exists():
        try:
            key = base64.b64decode(file.read_text(encoding="ascii"), validate=True)
        except ValueError as err:
            raise Refused(f"{file} holds no key in base64.") from err
        if len(key) != PrivateKey.SIZE:
            raise Refused(f"{file} holds no key of {PrivateKey.SIZE} bytes in base64.")
        return key, False
    key = bytes(PrivateKey.generate())
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(base64.b64encode(key).decode())
    return key, True


def _public_of(private: bytes) -> str:
    from nacl.public import PrivateKey

    return base64.b64encode(bytes(PrivateKey(private).public_key)).decode()


def _import(given: argparse.Namespace) -> int:
    from server.services import content, rota

    manifests, broken = read_all(_folders(given))
    for err in broken:
        _complain(f"Left out: {err}")
    store, now = _store(given), now_ms()
    if given.collection == "rota":
        with store.write() as conn:
            slots = rota.save(conn, manifests, given.file.read_text(encoding="utf-8"), str(given.file), now)
            audit.record(conn, WHO, "rota.import", given.file.name, now, after={"slots": slots})
        _say(f"The rota gives {slots} slots in the coming {rota.DAYS} days.")
        return 0
    report = content.import_file(
        store, manifests, given.collection, given.file, now, replace=given.replace, skip_bad=given.skip_bad
    )
    for problem in report.problems:
        _complain(str(problem))
    if not report.imported:
        n = len(report.problems)
        _complain(
            f"Nothing was imported: {n} {'problem' if n == 1 else 'problems'} in {given.file}. "
            "Mend the file, or use --skip-bad to import the good rows."
        )
        return 2
    changed = report.changed
    with store.write() as conn:
        audit.record(conn, WHO, "content.import", report.collection, now, after={"rows": report.rows})
    _say(
        f"{report.collection}: {changed.added} added, {changed.changed} changed, "
        f"{changed.same} as before, {changed.deleted} deleted."
    )
    return 0


def _recount(given: argparse.Namespace) -> int:
    from server.store import rollups

    manifests, broken = read_all(_folders(given))
    for err in broken:
        _complain(f"Left out: {err}")
    store = _store(given)
    # One snapshot: while it counts, headquarters goes on.
    with store.read() as conn:
        found = rollups.recount(conn, manifests)
    differing = found.differing
    if differing and given.repair:
        with store.write() as conn:
            differing = rollups.repair(conn, manifests).differing
    store.close()
    _say(
        f"{sum(found.counted.values())} events in {len(found.counted)} hourly numbers; "
        f"{len(found.differing)} differ."
    )
    if found.before:
        day = datetime.fromtimestamp(found.before / 1000, ZoneInfo(ZONE))
        _say(f"{found.older} hourly numbers before {day:%Y-%m-%d %H:%M} stand: their events have expired.")
    for plugin, name in sorted(found.unknown):
        n = found.unknown[plugin, name]
        _complain(f"{n} events {name} of {plugin} cannot be counted: no manifest here declares them so.")
    return 1 if found.unknown or (differing and not given.repair) else 0


def _store(given: argparse.Namespace) -> Store:
    return Store(given.data, given.database)


def _folders(given: argparse.Namespace) -> list[Path]:
    return [SHIPPED, *(given.plugins or [])]


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port; use 0 to 65535")
    return int(text)


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 3650):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of days from 1 to 3650")
    return int(text)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host:
        raise argparse.ArgumentTypeError(f"{text} is no address; write HOST:PORT, such as 127.0.0.1:1883")
    return host.strip("[]"), _port(port)


def _say(sentence: str) -> None:
    print(sentence, flush=True)  # noqa: T201 - a front door prints


def _complain(sentence: str) -> None:
    print(f"yizhan server: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - a front door prints
