"""Requests of stations and their answers: once each, by services, and again as long as a service fails."""

import logging
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from protocol.errors import EventError
from protocol.manifest import Manifest
from protocol.messages import Reply, Request
from server.downlink import Downlink
from server.services import Order, Service
from server.store import Store, refusals, requests
from server.store.engine import in_trouble
from server.store.refusals import Tally

log = logging.getLogger(__name__)

REQUEST_ID_LETTERS: Final = 64
TRIES: Final = 5  # of a service, the first one included; then the visitor is told


class Answers:
    """Answers requests in the transaction that stores them, and later those that got no answer then."""

    def __init__(
        self, manifests: Mapping[str, Manifest], services: Mapping[str, Service], downlink: Downlink
    ) -> None:
        self._manifests, self._services, self._downlink = manifests, services, downlink

    def take(self, conn: Connection, tally: Tally, station: str, asked: Request, at: int, now: int) -> bool:
        """Store and answer a request in this transaction; whether it fits its manifest."""
        if not 1 <= len(asked.id) <= REQUEST_ID_LETTERS:
            tally.add("undeclared_request", station, problem="a request id has 1 to 64 letters")
            return False
        reply = requests.answered(conn, station, asked.id)
        if reply is None and not requests.seen(conn, station, asked.id):
            manifest = self._manifests.get(asked.plugin)
            try:
                if manifest is None:
                    raise EventError(f"there is no plugin '{asked.plugin}' here", plugin=asked.plugin)
                kind = manifest.check_request(asked.name, asked.d)
            except EventError as err:
                tally.add("undeclared_request", station, problem=str(err))
                self._downlink.say(conn, station, [_refused(asked, "unknown", now)], now)
                return False
            requests.store(conn, station, asked, kind, at, now)
            reply = self._serve(conn, tally, Order(station, asked, manifest, kind, now))
        if reply is not None:
            self._downlink.say(conn, station, [reply], now)
        return True

    def undone(self) -> None:
        """What was answered in this transaction is rolled back to a savepoint, with its numbers."""
        self._downlink.forget()

    def take_waiting(self, store: Store, now: int) -> bool:
        """Try again what has no answer yet, each in a transaction of its own; whether a service ran.

        After `TRIES` tries the answer is `refused` with why=unavailable. It raises what means that the
        database takes nothing at present (`in_trouble`): try later.
        """
        with store.read() as conn:
            waiting = requests.waiting(conn)
        for station, id_ in waiting:
            try:
                with store.write() as conn:
                    self._again(conn, station, id_, now)
            except Exception as err:
                self._downlink.forget()
                if in_trouble(err):
                    raise
                log.exception("Request %s of %s cannot be answered", id_, station)
                continue
            self._downlink.committed()
        return bool(waiting)

    def _again(self, conn: Connection, station: str, id_: str, now: int) -> None:
        found = requests.try_again(conn, station, id_)
        if found is None:
            return  # answered meanwhile
        asked, tries = found
        tally, reply = Tally(), None
        manifest = self._manifests.get(asked.plugin)
        if manifest is not None and asked.name in manifest.requests:
            order = Order(station, asked, manifest, manifest.requests[asked.name], now)
            reply = self._serve(conn, tally, order)
        if reply is None and tries >= TRIES:
            reply = _refused(asked, "unavailable", now)
            requests.answer(conn, station, reply)
        if reply is not None:
            self._downlink.say(conn, station, [reply], now)
        refusals.store(conn, tally, now)

    def _serve(self, conn: Connection, tally: Tally, order: Order) -> Reply | None:
        station, asked, name = order.station, order.request, order.kind.service
        service = self._services.get(name)
        if service is None:
            tally.add("no_service", station, problem=f"there is no service '{name}'")
            return None  # stored; answered when the service exists
        try:
            with conn.begin_nested():
                reply = service(conn, order)
                requests.answer(conn, station, reply)
        except Exception as err:
            if in_trouble(err):
                raise
            log.exception("Service %s failed for request %s of %s", name, asked.id, station)
            tally.add("service_failed", station, problem=refusals.described(err))
            return None
        return reply


def _refused(asked: Request, why: str, now: int) -> Reply:
    return Reply(at=now, id=asked.id, plugin=asked.plugin, name=asked.name, status="refused", d={"why": why})
