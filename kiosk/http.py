"""HTTP to headquarters with the standard library: no redirects, sizes limited, plain only where allowed."""

import http.client
import ipaddress
import json
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import urlsplit

from kiosk.errors import HttpError, PlainRefused

TIMEOUT: Final = 15.0  # s without a byte
MAX_JSON: Final = 16 * 1024 * 1024


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    # urllib would carry the station's token to wherever an answer points.
    def redirect_request(self, *args: Any, **named: Any) -> None:
        return None


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(server: str, allow_plain: bool) -> str:
    """The server's address without a slash at its end.

    ValueError if it is none; PlainRefused if it is unencrypted, not this machine, and not allowed in words.
    """
    parts = urlsplit(server.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"'{server}' is no address such as https://yizhan.example.org")
    if parts.username or parts.password:
        raise ValueError("the address must not carry a name or password")
    if parts.port == 0:
        raise ValueError("port 0 is no port")
    if parts.scheme == "http" and not allow_plain and not is_loopback(parts.hostname):
        raise PlainRefused(f"the connection to {parts.hostname} is not encrypted", host=parts.hostname)
    return server.strip().rstrip("/")


class Http:
    """One server and who asks. Errors of any kind come out as HttpError."""

    def __init__(self, server: str, authorization: str = "") -> None:
        self.server = server
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if is_loopback(urlsplit(server).hostname or ""):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)
        self._headers = {"Authorization": authorization} if authorization else {}

    def open(
        self, path: str, headers: dict[str, str] | None = None, body: Any = None
    ) -> "http.client.HTTPResponse":
        """The answer to a GET, or to a POST when there is a JSON body; the caller closes it."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.server + path, data, {**self._headers, **(headers or {}), "Accept": "*/*"}
        )
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            response: http.client.HTTPResponse = self._opener.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as err:
            with err:
                text = _quietly(err)
            raise HttpError(f"{path}: HTTP status {err.code}", err.code, text) from err
        except (OSError, http.client.HTTPException, ValueError) as err:
            raise HttpError(f"{path}: {type(err).__name__}") from err
        return response

    def json(self, path: str, body: Any = None) -> bytes:
        """The JSON text of an answer, still to be read; HttpError if it is larger than 16 MiB."""
        with self.open(path, body=body) as response:
            try:
                text = response.read(MAX_JSON + 1)
            except (OSError, http.client.HTTPException) as err:
                raise HttpError(f"{path}: cut off, {type(err).__name__}") from err
        if len(text) > MAX_JSON:
            raise HttpError(f"{path}: the answer is larger than {MAX_JSON} bytes")
        return text


def _quietly(err: urllib.error.HTTPError) -> bytes:
    try:
        return err.read(MAX_JSON)
    except (OSError, http.client.HTTPException):
        return b""
