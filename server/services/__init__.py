"""What several plugins need from headquarters: services that answer requests in the ingest transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from protocol.manifest import Manifest, RequestKind
from protocol.messages import Reply, Request


@dataclass(frozen=True)
class Order:
    """A request that fits its manifest: who asks, what is declared, and the time (ms)."""

    station: str
    request: Request
    manifest: Manifest
    kind: RequestKind
    now: int

    def reply(self, status: str, **d: object) -> Reply:
        """The answer to this request."""
        asked = self.request
        return Reply(at=self.now, id=asked.id, plugin=asked.plugin, name=asked.name, status=status, d=d)


Service = Callable[[Connection, Order], Reply]


def _booking(conn: Connection, order: Order) -> Reply:
    from server.services import booking

    return booking.place(conn, order)


#: Service names as manifests write them. A service runs inside the transaction that stores the request.
SERVICES: Final[dict[str, Service]] = {"booking": _booking}
