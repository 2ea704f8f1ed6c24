"""What every answer and every write must pass: headers that forbid foreign code, and the origin check."""

from collections.abc import Callable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.web.errors import Refusal

#: No inline script or style, nothing from elsewhere, no framing.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
#: Nothing that is written here is longer; bytes.
BODY_MAX: Final = 64 * 1024
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Stations bring their own secret with every call and no browser adds it for a stranger.
_WITHOUT_BROWSER: Final = "/station/"


class SafeHeaders:
    """Adds the headers to every answer; pages of somebody logged in are kept by no cache."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers)


class Guard:
    """Turns away what must not reach a route, before its body is read; `refuse` makes the answer."""

    def __init__(self, app: ASGIApp, refuse: Callable[[Request, Refusal], ASGIApp]) -> None:
        self.app, self.refuse = app, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            try:
                check_length(request)
                check_origin(request)
            except Refusal as err:
                await self.refuse(request, err)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def check_length(request: Request) -> None:
    """Refuse a body that is too long, or that does not say how long it is."""
    length = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or not length.isdecimal() or int(length) > BODY_MAX:
        raise Refusal(413, "error.large")


def check_origin(request: Request) -> None:
    """Refuse a write that another site's page has sent, or whose origin a browser did not say.

    Sec-Fetch-Site only comes over TLS or on loopback, Origin with every write of every browser; what is
    there must agree.
    """
    if request.scope.get("method") in _READS:
        return
    headers = request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is None:
        if request.url.path.startswith(_WITHOUT_BROWSER) or "authorization" in headers:
            return
        raise Refusal(403, "error.origin")
    own = f"{request.url.scheme}://{request.url.netloc}"
    if (site is not None and site != "same-origin") or (origin is not None and origin != own):
        raise Refusal(403, "error.origin")
