"""The pages of headquarters: login, overview, stations, bookings."""

from datetime import date
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from server import queries
from server.errors import Locked
from server.store import sessions, users
from server.store import stations as station_store
from server.web import overview, station, vendor, words
from server.web import site as sites
from server.web.errors import Refusal
from server.web.listing import booking_rows, station_rows
from server.web.ranges import DAYS, RANGES, Range
from server.web.rendering import fresh, render
from server.web.sessions import end, page_user, person, start

router = APIRouter(include_in_schema=False)

User = Annotated[str, Depends(page_user)]

_FIELD_MAX: Final = 200


@router.get("/login")
def login_form(request: Request, next: str = "/") -> Response:
    """The login page; whoever is logged in already goes on."""
    if person(request) is not None:
        return RedirectResponse(inside(next), 303)
    return _login_page(request, 200, next)


@router.post("/login")
def login(
    request: Request,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Open a session, or say in one sentence why not."""
    site, tr, name = sites.of(request), words.of(request), name.strip()
    if not name or not password or len(name) > _FIELD_MAX or len(password) > _FIELD_MAX:
        return _login_page(request, 400, next, name[:_FIELD_MAX], tr("login.missing"))
    address = sites.address(request)
    if seconds := site.logins.enter(address):
        return _locked(request, next, name, seconds)
    try:
        right = users.verify(site.store, name, password, site.now())
    except Locked as err:
        return _locked(request, next, name, int(str(err.values["seconds"])))
    if not right:
        return _login_page(request, 401, next, name, tr("login.wrong"))
    with site.store.write() as conn:
        sessions.expire(conn, site.now())
        token = sessions.open(conn, name, site.now())
    site.logins.right(address)
    answer = RedirectResponse(inside(next), 303)
    start(answer, request, token)
    return answer


@router.post("/logout")
def logout(request: Request) -> Response:
    """Close the session."""
    answer = RedirectResponse("/login", 303)
    end(answer, request)
    return answer


@router.get("/")
def home(request: Request, user: User, range: str = "", day: str = "") -> HTMLResponse:
    """The overview of today, of one `day`, or of the last 7 or 30 days (`range` week or month)."""
    site = sites.of(request)
    today = site.today()
    shown, last = _asked(range, day, today)
    with site.store.read() as conn:
        view = overview.view(site, conn, shown, last, words.of(request))
    page = render(
        request,
        "overview.html",
        here="overview",
        view=view,
        ranges=RANGES,
        every=overview.every(shown),
        charts=vendor.has_charts(),
    )
    return fresh(request, page)


@router.get("/stations")
def stations(request: Request, user: User) -> HTMLResponse:
    """All stations: state, today's visits, how far their data is complete."""
    site = sites.of(request)
    with site.store.read() as conn:
        found = queries.overview(conn, site.manifests, site.today(), site.now(), site.zone)
        every = station_store.every(conn)
    rows = station_rows(site, found, every, words.of(request))
    return render(request, "stations.html", here="stations", now=_clock(site), stations=rows)


@router.get("/stations/{station_id}")
def one_station(request: Request, user: User, station_id: str, day: str = "") -> HTMLResponse:
    """One station's day: its hours, what is missing and why, and what to do about it."""
    site = sites.of(request)
    _, asked = _asked("", day, site.today())
    with site.store.read() as conn:
        view = station.view(site, conn, station_id, asked, words.of(request))
    if view is None:
        raise Refusal(404, "error.no_station")
    return fresh(request, render(request, "station.html", here="stations", view=view))


@router.get("/bookings")
def bookings(request: Request, user: User) -> HTMLResponse:
    """Bookings from today on, and of the last 30 days; never a contact."""
    site = sites.of(request)
    with site.store.read() as conn:
        rows = booking_rows(site, conn, words.of(request))
    return render(request, "bookings.html", here="bookings", now=_clock(site), bookings=rows)


def inside(path: str) -> str:
    """The path, if it stays on this site; else the first page."""
    # A backslash or a second slash makes browsers leave for another host.
    return path if path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable() else "/"


def _asked(range: str, day: str, today: date) -> tuple[Range, date]:
    if range in DAYS:
        return cast(Range, range), today
    try:
        asked = min(date.fromisoformat(day), today)
    except ValueError:
        asked = today
    # Years before this product's first: nothing there, and the week before 0001-01-01 does not exist.
    return ("today", today) if asked == today or asked.year < 2020 else ("day", asked)


def _login_page(request: Request, status: int, next: str, name: str = "", problem: str = "") -> HTMLResponse:
    return render(request, "login.html", status, next=inside(next), name=name, problem=problem)


def _locked(request: Request, next: str, name: str, seconds: int) -> HTMLResponse:
    tr = words.of(request)
    text = tr("login.locked", wait=words.wait(tr, seconds))
    page = _login_page(request, 429, next, name, text)
    page.headers["Retry-After"] = str(seconds)
    return page


def _clock(site: sites.Site) -> str:
    return site.local(site.now()).strftime("%H:%M")
