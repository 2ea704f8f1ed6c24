"""What stations ask over HTTP: claiming, content by revision, media by hash."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi.responses import FileResponse, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from server.errors import ClaimError
from server.manifests import content_of
from server.store import content, media, offices, stations
from server.web import site as sites
from server.web import words
from server.web.errors import Refusal

router = APIRouter(prefix="/station/v1", tags=["station"])


class Broker(BaseModel):
    """Where and as whom the station connects; an empty host is the host that it claimed at."""

    host: str
    port: int
    user: str
    password: str
    prefix: str


class Claimed(BaseModel):
    """A station's credentials, handed out once. `offices`: base64 public keys to seal to."""

    station: str
    token: str
    server_name: str
    mqtt: Broker
    offices: dict[str, str]


class Page(BaseModel):
    """Changes of a collection after `since`; with `reset` everything older is to be forgotten.

    `generation` belongs to `revision`: name both when asking on.
    """

    revision: int
    upserts: list[dict[str, Any]]
    deletes: list[str]
    more: bool
    reset: bool = False
    generation: str = ""


_token = HTTPBearer(auto_error=False, description="`<station>:<token>` as claimed")


def station_of(request: Request, _credentials: Annotated[object, Depends(_token)]) -> str:
    """The station whose token the request brings, or 401."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    station, _, token = value.strip().partition(":")
    site = sites.of(request)
    if scheme.lower() == "bearer" and token:
        with site.store.read() as conn:
            if stations.verify(conn, station, token):
                return station
    raise Refusal(401, "error.token", {"WWW-Authenticate": "Bearer"})


Station = Annotated[str, Depends(station_of)]


@router.post("/claim", response_model=Claimed)
def claim(request: Request, code: Annotated[str, Body(embed=True, max_length=32)]) -> Claimed:
    """Exchange a claim code for credentials. Codes work once; wrong ones make the caller wait."""
    site, caller = sites.of(request), sites.address(request)
    for attempts, key in ((site.claims, caller), (site.all_claims, "")):
        if seconds := attempts.enter(key):
            wait = {each: words.wait(words.words(each), seconds) for each in words.LANGUAGES}
            raise Refusal(429, "claim.limited", {"Retry-After": str(seconds)}, wait=wait)
    try:
        with site.store.write() as conn:
            found = stations.claim(conn, code, site.now())
            keys = offices.public_keys(conn)
    except ClaimError as err:
        raise Refusal(410 if err.key == "claim.expired" else 404, err.key) from err
    for attempts, key in ((site.claims, caller), (site.all_claims, "")):
        attempts.right(key)
    site.live.notice()
    return Claimed(
        station=found.station,
        token=found.token,
        server_name=site.live.server_name,
        mqtt=Broker(
            host=site.live.mqtt_host,
            port=site.live.mqtt_port,
            user=found.station,
            password=found.mqtt_password,
            prefix=site.live.mqtt_prefix,
        ),
        offices=keys,
    )


@router.get("/content/{collection}", response_model=Page)
def changes(
    request: Request,
    station: Station,
    collection: str,
    since: Annotated[int, Query(ge=0)] = 0,
    generation: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """What changed in a collection after revision `since`, at most 1,000 rows; ask on while `more`."""
    site = sites.of(request)
    if collection != stations.PROFILE and content_of(site.manifests, collection) is None:
        raise Refusal(404, "error.collection")
    with site.store.read() as conn:
        page = content.since(conn, collection, since, station, generation=generation)
    # Already checked on the way in: a second validation of 1,000 rows would only cost time.
    return Response(msgspec.json.encode(page), media_type="application/json")


@router.get("/media/{sha256}", response_class=FileResponse)
def file(request: Request, station: Station, sha256: str) -> Response:
    """A file by its hash, whole or in the ranges asked for."""
    site = sites.of(request)
    with site.store.read() as conn:
        found = media.get(conn, sha256)
    path = None if found is None else media.path(site.store.media_dir, found.sha256)
    if found is None or path is None or not path.is_file():
        raise Refusal(404, "error.media")
    # The name is the content, so whoever has it has it for good.
    headers = {"ETag": f'"{found.sha256}"', "Cache-Control": "private, max-age=31536000, immutable"}
    if found.sha256 in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type=found.type, headers=headers)
