"""`yizhan simulate`: stations return together from an outage, until headquarters has all they have to say."""

import argparse
import ipaddress
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from protocol.errors import ProtocolError
from protocol.stream import RETRY_MAX
from protocol.topics import PREFIX, check_prefix
from server.errors import Refused, ServerError
from server.simulate import backlog, books
from server.simulate.run import Plan, now_ms, run
from server.store import Store
from server.store.engine import FILE

DATA: Final = Path("data/headquarters")
MOST_STATIONS: Final = 5_000
MOST_MESSAGES: Final = 20_000  # of one station
MOST_ALL: Final = 10_000_000  # of all together


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simulation; 0 if all was acknowledged and headquarters has exactly what was said."""
    given = _parser().parse_args(argv)
    try:
        store = _store(given)
        try:
            return _remove(store) if given.remove else _simulate(store, given)
        finally:
            store.close()
    except (ServerError, ProtocolError) as err:
        _complain(str(err))
    except DBAPIError as err:
        _complain(f"The database in {given.data} does not work: {err.orig}.")
    except OSError as err:
        _complain(f"{err.filename or given.data}: {err.strerror or err}.")
    except KeyboardInterrupt:
        _complain("Ended before everything was said.")
        return 1
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yizhan simulate",
        description="Many stations return at once to the headquarters that runs on this machine, each with "
        "what it has to say after days without a line. They are stations of this headquarters from then on, "
        "sim-0001 and so on, also in its numbers: use a headquarters for trials, or --remove afterwards.",
    )
    parser.add_argument(
        "--stations", type=int, default=100, metavar="N", help=f"(%(default)s; at most {MOST_STATIONS})"
    )
    parser.add_argument(
        "--messages",
        type=int,
        default=backlog.MESSAGES,
        metavar="N",
        help=f"of each station (%(default)s, what {backlog.HOURS} hours are; at most {MOST_MESSAGES})",
    )
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER", help=f"headquarters' ({DATA})")
    parser.add_argument("--database", metavar="URL", help="another database than SQLite in the folder")
    parser.add_argument(
        "--mqtt",
        type=_address,
        default=("127.0.0.1", 1883),
        metavar="HOST:PORT",
        help="its broker (127.0.0.1:1883)",
    )
    parser.add_argument("--prefix", type=check_prefix, default=PREFIX, help=f"of the topics ({PREFIX})")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of all chance (%(default)s)")
    parser.add_argument(
        "--drop", type=_share, default=0.0, metavar="SHARE", help="of frames and answers to lose, 0 to 0.5"
    )
    parser.add_argument(
        "--at-once",
        action="store_true",
        help=f"without the random wait of up to {RETRY_MAX:.0f} s before the return",
    )
    parser.add_argument(
        "--seconds", type=float, default=900.0, metavar="N", help="to give up after (%(default).0f)"
    )
    parser.add_argument(
        "--remove", action="store_true", help="delete the simulated stations and all that they said"
    )
    return parser


def _store(given: argparse.Namespace) -> Store:
    if not given.database and not (given.data / FILE).exists():
        raise Refused(
            f"There is no headquarters in {given.data}: start `yizhan server run` there, or use --data."
        )
    return Store(given.data, given.database)


def _remove(store: Store) -> int:
    n = books.remove(store, now_ms(), _say)
    _say(f"{n} simulated stations are removed.")
    return 0


def _simulate(store: Store, given: argparse.Namespace) -> int:
    host, port = given.mqtt
    _check(given, host)
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as err:
        raise Refused(
            f"No broker answers at {host}:{port}: is headquarters running? `yizhan server run`"
        ) from err
    plan = Plan(
        host=host,
        port=port,
        stations=given.stations,
        messages=given.messages,
        prefix=given.prefix,
        seed=given.seed,
        drop=given.drop,
        at_once=given.at_once,
        seconds=given.seconds,
    )
    outcome = run(store, plan, _say)
    for line in outcome.lines():
        _say(line)
    return 0 if outcome.agrees else 1


def _check(given: argparse.Namespace, host: str) -> None:
    if not _is_loopback(host):
        raise Refused(
            f"{host} is another machine; simulate speaks only to a broker on this one, such as 127.0.0.1."
        )
    for what, n, most in (
        ("stations", given.stations, MOST_STATIONS),
        ("messages of a station", given.messages, MOST_MESSAGES),
        ("messages of all stations", given.stations * given.messages, MOST_ALL),
    ):
        if not 1 <= n <= most:
            raise Refused(f"{n} {what} are asked for; 1 to {most} can be simulated.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no address; write HOST:PORT, such as 127.0.0.1:1883")
    return host.strip("[]"), int(port)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 0.5:
        raise argparse.ArgumentTypeError(f"'{text}' is no share; write a number from 0 to 0.5")
    return share


def _say(sentence: str) -> None:
    print(sentence, flush=True)  # noqa: T201 - a front door prints


def _complain(sentence: str) -> None:
    print(f"yizhan simulate: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - a front door prints
