"""Who is asking: the session cookie of a browser, or an API token."""

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.responses import Response

from server.store import sessions
from server.web import site as sites
from server.web.errors import LoginNeeded, Refusal

#: The prefix makes a browser refuse the cookie unless it is secure and belongs to this very host.
_COOKIE_TLS: Final = "__Host-session"
_COOKIE: Final = "session"

# Declared for the OpenAPI document; who may pass is decided below.
_by_cookie = APIKeyCookie(name=_COOKIE, auto_error=False)
_by_token = HTTPBearer(auto_error=False, description="An API token")


def cookie_name(request: Request) -> str:
    """The session cookie's name on this connection."""
    return _COOKIE_TLS if request.url.scheme == "https" else _COOKIE


def start(response: Response, request: Request, token: str) -> None:
    """Hand a new session to the browser."""
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=sessions.COOKIE_MS // 1000,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def end(response: Response, request: Request) -> None:
    """Close the session in the store and take the cookie back."""
    site = sites.of(request)
    if token := request.cookies.get(cookie_name(request)):
        with site.store.write() as conn:
            sessions.close(conn, token)
    response.delete_cookie(
        cookie_name(request), path="/", secure=request.url.scheme == "https", httponly=True, samesite="lax"
    )


def person(request: Request) -> str | None:
    """Whose session cookie the request brings, or None."""
    token = request.cookies.get(cookie_name(request))
    if not token:
        return None
    site = sites.of(request)
    with site.store.read() as conn:
        return sessions.user_of(conn, token, site.now())


def page_user(request: Request) -> str:
    """A dependency of every page: the user, or the way to the login page."""
    user = person(request)
    if user is None:
        raise LoginNeeded
    return user


def api_user(
    request: Request,
    _cookie: Annotated[object, Depends(_by_cookie)],
    _token: Annotated[object, Depends(_by_token)],
) -> str:
    """A dependency of every API route: the user of a bearer token, else of the session cookie, else 401."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        site = sites.of(request)
        with site.store.read() as conn:
            user = sessions.user_of(conn, token.strip(), site.now(), "api")
    else:
        user = person(request)
    if user is None:
        raise Refusal(401, "error.login", {"WWW-Authenticate": "Bearer"})
    return user
