"""The web application of headquarters: pages, the JSON API, the station API, public posts."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from protocol.manifest import Manifest
from server.live import Live
from server.store import Store
from server.web import api, pages, public, station_api, vendor, words
from server.web.errors import LoginNeeded, Refusal
from server.web.rendering import problem, sentence
from server.web.security import HEADERS, Guard, SafeHeaders
from server.web.site import Site, wall_ms

log = logging.getLogger(__name__)

_STATIC: Final = Path(__file__).parent / "static"
_MEDIA: Final = "/station/v1/media/"


class Squeezed:
    """Gzip for everything but media, whose ranges count the bytes of the file as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.plain, self.gzip = app, GZipMiddleware(app, minimum_size=1024)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        media = scope["type"] == "http" and scope["path"].startswith(_MEDIA)
        await (self.plain if media else self.gzip)(scope, receive, send)


def create_app(
    store: Store,
    manifests: dict[str, Manifest],
    live: Live,
    *,
    now: Callable[[], int] = wall_ms,
    hold: float = 0.6,
) -> FastAPI:
    """The application over an open store; `now` is the wall clock in ms, `hold` 0 shares no figures."""
    app = FastAPI(
        title="Yizhan 驿站",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.site = Site(store, manifests, live, now, hold=hold)
    app.add_middleware(Squeezed)
    app.add_middleware(Guard, refuse=_turned_away)
    app.add_middleware(SafeHeaders)
    for router in (pages.router, api.router, station_api.router, public.router, vendor.router):
        app.include_router(router)
    app.get("/health", include_in_schema=False)(health)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    app.add_exception_handler(LoginNeeded, _to_login)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(OperationalError, _busy)
    app.add_exception_handler(Exception, _failed)
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        document = describe()
        document.setdefault("components", {}).setdefault("schemas", {}).update(api.components())
        return document

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def health(request: Request) -> JSONResponse:
    """Whether the database answers, takes writes, and the broker is connected; for watchdogs, no figures."""
    site: Site = request.app.state.site
    with site.store.read() as conn:
        conn.exec_driver_sql("SELECT 1")
    well = site.live.stale_since is None
    state = {"ok": well, "broker": site.live.broker_connected, "stale_since": site.live.stale_since}
    return JSONResponse(state, 200 if well else 503)


def _answer(
    request: Request, status: int, key: str, values: dict[str, object] | None = None, headers: Any = None
) -> Response:
    """An error as its caller reads it: JSON for programs, one sentence on a page for people."""
    if request.url.path.startswith(("/api/", "/station/")):
        return problem(status, key, values or {}, headers)
    return sentence(request, status, words.of(request)(key, **(values or {})), headers=headers)


async def _to_login(request: Request, _err: Exception) -> Response:
    there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?{urlencode({'next': there})}" if there != "/" else "/login", 303)


def _turned_away(request: Request, err: Refusal) -> Response:
    return _answer(request, err.status, err.key, err.values, err.headers)


async def _refused(request: Request, err: Exception) -> Response:
    assert isinstance(err, Refusal)
    return _turned_away(request, err)


async def _http_error(request: Request, err: Exception) -> Response:
    assert isinstance(err, HTTPException)
    api_call = request.url.path.startswith(("/api/", "/station/"))
    if err.status_code == 404:
        key = "error.not_found_api" if api_call else "error.not_found"
    else:
        key = "error.method" if err.status_code == 405 else "error.server"
    return _answer(request, err.status_code, key, headers=err.headers)


async def _invalid(request: Request, err: Exception) -> Response:
    assert isinstance(err, RequestValidationError)
    # Names of fields only: the values may be a password.
    fields = ", ".join(sorted({str(each["loc"][-1]) for each in err.errors()}))
    return _answer(request, 422, "error.invalid", {"field": fields})


async def _busy(request: Request, err: Exception) -> Response:
    log.warning("The database did not answer %s: %s", request.url.path, err)
    return _answer(request, 503, "error.busy", headers={"Retry-After": "60"})


async def _failed(request: Request, err: Exception) -> Response:
    # Starlette raises it again after this answer, so the server's log has the trace and the page has none.
    answer = _answer(request, 500, "error.server")
    answer.headers.update(HEADERS)
    return answer
