"""The JSON API: the same figures as the pages, for programs. Described at /api/v1/openapi.json."""

from datetime import date
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from server import queries
from server.figures import Count, DayStates, Overview, StationDay, StationLine
from server.web import site as sites
from server.web.errors import Refusal
from server.web.sessions import api_user

router = APIRouter(prefix="/api/v1", tags=["headquarters"], dependencies=[Depends(api_user)])


class Booking(msgspec.Struct, frozen=True):
    """A booking without its contact, which only the office can open. Times in ms since 1970."""

    id: int
    station: str
    slot: str
    matter: str
    state: str
    starts_at: int
    placed_at: int


class StationList(msgspec.Struct, frozen=True):
    """Every station with the day's visits."""

    day: str
    stations: list[StationLine]


class BookingList(msgspec.Struct, frozen=True):
    """Bookings by the time of their slot."""

    bookings: list[Booking]


class Problem(msgspec.Struct, frozen=True):
    """Why nothing came: a key, and one sentence in Chinese and English."""

    error: str
    sentence: dict[str, str]


_PLACE: Final = "#/components/schemas/{name}"


def components() -> dict[str, Any]:
    """The JSON Schemas of the answers, for the OpenAPI document."""
    _, found = msgspec.json.schema_components(
        [Overview, StationList, StationDay, DayStates, BookingList, Count, Problem], ref_template=_PLACE
    )
    return found


def _answers(kind: type, missing: str = "") -> dict[int | str, dict[str, Any]]:
    def body(name: str) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": {"$ref": _PLACE.format(name=name)}}}}

    return {
        200: {"description": "Found", **body(kind.__name__)},
        401: {"description": "Not logged in", **body(Problem.__name__)},
        **({404: {"description": missing, **body(Problem.__name__)}} if missing else {}),
    }


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


@router.get("/overview", responses=_answers(Overview), response_class=Response)
def overview(request: Request, day: date | None = None) -> Response:
    """A day at a glance; today without `day`. Hours say whether they are complete."""
    return _json(_overview(request, day))


@router.get("/stations", responses=_answers(StationList), response_class=Response)
def stations(request: Request, day: date | None = None) -> Response:
    """Every station: online, lost, complete up to when, and its visits of the day."""
    found = _overview(request, day)
    return _json(StationList(found.day, found.stations))


@router.get(
    "/stations/{station}",
    responses=_answers(StationDay, missing="No such station"),
    response_class=Response,
)
def station(request: Request, station: str, day: date | None = None) -> Response:
    """One station's day: each hour's state and number, gaps, refusals, streams and runs, clocks."""
    site = sites.of(request)
    with site.store.read() as conn:
        found = queries.station_day(
            conn, site.manifests, station, _sane(day or site.today()), site.now(), site.zone
        )
    if found is None:
        raise Refusal(404, "error.no_station")
    return _json(found)


@router.get("/completeness", responses=_answers(DayStates), response_class=Response)
def completeness(request: Request, day: date | None = None) -> Response:
    """Which hours of which stations are all there; today without `day`."""
    site = sites.of(request)
    with site.store.read() as conn:
        return _json(queries.completeness(conn, _sane(day or site.today()), site.now(), site.zone))


@router.get("/bookings", responses=_answers(BookingList), response_class=Response)
def bookings(request: Request, since: Annotated[int | None, Query(ge=0)] = None) -> Response:
    """Bookings whose slot starts at `since` (ms) or later; all without it."""
    site = sites.of(request)
    with site.store.read() as conn:
        found = queries.bookings(conn, since)
    names = Booking.__struct_fields__
    return _json(BookingList([Booking(**{name: getattr(each, name) for name in names}) for each in found]))


@router.get("/events/count", responses=_answers(Count), response_class=Response)
def count(
    request: Request,
    station: str | None = None,
    plugin: str | None = None,
    name: str | None = None,
    day: date | None = None,
) -> Response:
    """How many events there are, of one `day` or of all time, and whether that is all of them."""
    site = sites.of(request)
    now = site.now()
    start, end = queries.day_bounds(_sane(day), site.zone) if day else (0, now + queries.HOUR_MS)
    with site.store.read() as conn:
        found = queries.count_events(conn, start, end, now, station=station, plugin=plugin, name=name)
    return _json(found)


def _overview(request: Request, day: date | None) -> Overview:
    site = sites.of(request)
    with site.store.read() as conn:
        return queries.overview(conn, site.manifests, _sane(day or site.today()), site.now(), site.zone)


def _sane(day: date) -> date:
    if not 2020 <= day.year < 2200:
        raise Refusal(422, "error.invalid", field="day")
    return day
